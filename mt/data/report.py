"""The account of a build: what was read, rejected by which rule, kept in which split, and what it looks like."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from mt.data.cleaning import Rejection
from mt.data.holding_out import HeldOut
from mt.data.splitting import SPLITS
from mt.errors import RunError
from mt.wording import shorten

_EXAMPLES_PER_RULE = 3
_EXAMPLE_CHARACTERS = 300
LENGTH_STEP = 5
"""Words in one bar of a histogram of lengths."""


@dataclass(frozen=True)
class Example:
    """A pair, where it stands, and what is to be said of it."""

    place: str
    source: str
    target: str
    detail: str = ""


@dataclass
class CorpusReport:
    """What became of one corpus."""

    read: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    """Pairs that are in no split, by rule."""
    kept: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SPLITS, 0))
    """Pairs, by split."""
    examples: dict[str, list[Example]] = field(default_factory=dict)
    """A few of the dropped pairs, by rule."""
    source_words: list[int] = field(default_factory=list)
    """Kept pairs by words of the source: below 5, 5 to 9, and so on."""
    target_words: list[int] = field(default_factory=list)
    """Likewise by words of the target."""
    places: Counter[str] = field(default_factory=Counter)
    """Clean pairs that name a place of the region, by place."""
    mended: Counter[str] = field(default_factory=Counter)
    """Clean pairs that were restored, by what was wrong with them."""
    samples: list[Example] = field(default_factory=list)
    """Ten training pairs, drawn by hash."""
    epoch_pairs: float = 0.0
    """Training pairs of this corpus in one epoch."""
    held_out: HeldOut | None = None
    """How its dev and test pairs were chosen; None in an account of an earlier version."""

    def drop(self, rejection: Rejection, place: str, source: str, target: str) -> None:
        """Count a pair that is not used, and keep the first few of each rule."""
        self.dropped[rejection.rule] += 1
        examples = self.examples.setdefault(rejection.rule, [])
        if len(examples) < _EXAMPLES_PER_RULE:
            source, target = shorten(source, _EXAMPLE_CHARACTERS), shorten(target, _EXAMPLE_CHARACTERS)
            examples.append(Example(place, source, target, rejection.detail))


@dataclass
class DataReport:
    """What was read, dropped and kept, by corpus."""

    corpora: dict[str, CorpusReport]
    vocabulary: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By corpus: how the model's tokenizer copes with it; see `mt.data.vocabulary`."""
    tokenizer: str = ""
    """Whose vocabulary that is, or why there is none."""

    @property
    def dropped(self) -> Counter[str]:
        """Pairs that are in no split, by rule, of all corpora."""
        return sum((corpus.dropped for corpus in self.corpora.values()), Counter())

    @property
    def mended(self) -> Counter[str]:
        """Pairs that were restored, by what was wrong with them, of all corpora."""
        return sum((corpus.mended for corpus in self.corpora.values()), Counter())

    def as_json(self) -> dict[str, Any]:
        """The content of `data_report.json`."""
        corpora = {}
        for name, report in self.corpora.items():
            # Plain dicts first: `asdict` of Python 3.11 makes nonsense of a Counter.
            plain = {"places": dict(report.places.most_common()), "dropped": dict(report.dropped)}
            corpora[name] = asdict(replace(report, **plain, mended=dict(report.mended)))  # type: ignore[arg-type]
        return {"corpora": corpora, "tokenizer": self.tokenizer, "vocabulary": self.vocabulary}

    @classmethod
    def read(cls, file: Path) -> DataReport:
        """The report in a `data_report.json`. Raises `RunError` if it is damaged or gone."""
        try:
            return cls.from_json(json.loads(file.read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            reason = f"{type(error).__name__}: {error}".partition("\n")[0][:200]
            raise RunError(f"{file}: the account of the data cannot be read ({reason}); build the data anew") from error

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> DataReport:
        """The report that `as_json` wrote."""
        corpora = {}
        for name, values in content["corpora"].items():
            plain = dict(values)
            plain["dropped"], plain["places"] = Counter(values["dropped"]), Counter(values["places"])
            plain["mended"] = Counter(values.get("mended", {}))
            plain["samples"] = [Example(**example) for example in values["samples"]]
            plain["examples"] = {
                rule: [Example(**example) for example in examples] for rule, examples in values["examples"].items()
            }
            plain["held_out"] = HeldOut(**values["held_out"]) if values.get("held_out") else None
            corpora[name] = CorpusReport(**plain)
        return cls(corpora, dict(content["vocabulary"]), content["tokenizer"])
