"""Faults that a reader must know of beside a score; some of them forbid a verdict."""

from __future__ import annotations

from dataclasses import dataclass

OVERLAP, COPIED_REFERENCES = "overlap", "references as hypotheses"
OTHER_ORDER, SHIFTED_REFERENCES, SHIFTED_HYPOTHESES = (
    "hypotheses in another order", "shifted references", "shifted hypotheses",
)  # fmt: skip
# Copied references are no translation; lines out of place were scored against other sentences; what a system has
# seen in training it need not translate. Beside these, marks and letters are details.
_GRAVEST = (COPIED_REFERENCES, OTHER_ORDER, SHIFTED_REFERENCES, SHIFTED_HYPOTHESES, OVERLAP)


@dataclass(frozen=True)
class Caution:
    """One fault of a test set, or of what a system wrote on it."""

    test_set: str
    system: str | None
    """None: the fault is the test set's own, and concerns every system."""
    kind: str
    sentences: int
    """How many sentences it concerns."""
    total: int
    """Of how many."""
    text: str
    """A clause with its subject, for lists and after "but"."""
    forbids: bool
    """Whether it forbids a verdict."""

    @property
    def gravity(self) -> tuple[int, float]:
        """Greater for what says more against a score: by kind, then by the share of sentences that it concerns."""
        rank = len(_GRAVEST) - _GRAVEST.index(self.kind) if self.kind in _GRAVEST else 0
        return rank, self.sentences / max(1, self.total)

    def concerns(self, test_set: str, *systems: str) -> bool:
        """Whether it is a fault of this test set, or of one of the systems on it."""
        return self.test_set == test_set and (self.system is None or self.system in systems)
