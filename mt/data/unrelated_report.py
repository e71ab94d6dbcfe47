"""What the rule `unrelated` did to a corpus, and where in its files most pairs do not belong together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from mt.wording import counted

WAYS = {"alignment": "word alignment", "model": "the base model"}


@dataclass(frozen=True)
class Stretch:
    """Lines of a corpus most of which have the wrong translation."""

    first: str
    """File and line of the first pair."""
    last: str
    """Of the last pair; empty if it is the last one of the corpus."""
    pairs: int
    """Pairs of the stretch that could be judged."""
    unrelated: int
    """Of these, those that do not belong together."""

    def in_words(self) -> str:
        """A sentence without a full stop."""
        until = f"to {self.last}" if self.last else "on"
        return (
            f"from about {self.first} {until}, at least {self.unrelated} of {counted(self.pairs, 'pair')} do not "
            "belong together: the corpus has slipped there by a line or more, or its sides come from different texts"
        )


@dataclass(frozen=True)
class Unrelated:
    """What became of the pairs of one corpus."""

    way: str
    """A key of `WAYS`."""
    judged: int
    """Pairs with enough known words."""
    dropped: int
    percent: int = 0
    """Percentage of strangers that do not exceed the threshold."""
    threshold: float = 0.0
    """A pair is dropped if its margin is not above this, in nats per word."""
    usual: float = 0.0
    """The median margin of the judged pairs."""
    wrong: float = 0.0
    """Share of the judged pairs, 0 to 1, that were dropped although they belong together: an estimate."""
    reason: str = ""
    """Why no pair was dropped; empty if the rule was applied."""
    stretches: list[Stretch] = field(default_factory=list)

    def in_words(self) -> str:
        """One or two sentences."""
        by = f"Whether two sentences belong together was judged by {WAYS[self.way]}"
        if self.reason:
            return f"{by}, but no pair was dropped: {self.reason}."
        return (
            f"{by} for {counted(self.judged, 'pair')}: {self.dropped} fit no better than {self.percent} % of "
            f"strangers do, and were dropped (margin at most {self.threshold:.2f} nats per word, usually "
            f"{self.usual:.2f}). Of all pairs, an estimated {self.wrong:.1%} at most were dropped although they belong "
            "together."
        )

    def as_json(self) -> dict[str, Any]:
        """What `data_report.json` holds of it."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Unrelated:
        """What `as_json` wrote."""
        return cls(**{**content, "stretches": [Stretch(**each) for each in content["stretches"]]})
