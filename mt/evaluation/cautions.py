"""What a reader must know beside a score, and what forbids a verdict."""

from __future__ import annotations

from dataclasses import dataclass


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

    def concerns(self, test_set: str, *systems: str) -> bool:
        """Whether it is a fault of this test set, or of one of the systems on it."""
        return self.test_set == test_set and (self.system is None or self.system in systems)
