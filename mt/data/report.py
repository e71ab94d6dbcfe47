"""The report of a build: what was read, rejected by which rule, kept in which split, and what it looks like."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mt.data.holding_out import HeldOut
from mt.data.pair import Pair, Rejection
from mt.data.selection_report import Selected
from mt.data.splitting import SPLITS
from mt.data.unrelated_report import Unrelated
from mt.errors import RunError
from mt.wording import shorten

_EXAMPLES_PER_RULE = 3
_EXAMPLE_CHARACTERS = 300
LENGTH_STEP = 5
"""Words per bar in a histogram of lengths."""


@dataclass
class CorpusReport:
    """What became of one corpus."""

    read: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    """Pairs that are in no split, by rule."""
    kept: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SPLITS, 0))
    """Pairs, by split."""
    examples: dict[str, list[Pair]] = field(default_factory=dict)
    """A few of the dropped pairs by rule."""
    source_words: list[int] = field(default_factory=list)
    """Kept pairs by the number of words in the source: below 5, 5 to 9, and so on."""
    target_words: list[int] = field(default_factory=list)
    """The same for the target."""
    place_names: Counter[str] = field(default_factory=Counter)
    """Pairs that pass the cleaning rules and name a place of the glossary, by place."""
    mended: Counter[str] = field(default_factory=Counter)
    """Pairs that were repaired, by what was wrong with them."""
    samples: list[Pair] = field(default_factory=list)
    """Ten training pairs, drawn by hash."""
    epoch_pairs: float = 0.0
    """Training pairs of this corpus in one epoch."""
    held_out: HeldOut | None = None
    """How the dev and test pairs were chosen; None in reports of an earlier version."""
    selected: Selected | None = None
    """Which training pairs `select` took; None without that option."""
    back_translations: list[dict[str, Any]] = field(default_factory=list)
    """How each table of back-translations was made; see `mt.data.formats.backtranslated.read_provenance`."""
    unrelated: Unrelated | None = None
    """What the rule `unrelated` did; None if it is off."""

    def drop(self, pair: Pair) -> None:
        """Count a pair that is not used under the rule of its `fault`, and keep the first few of each rule."""
        assert pair.fault is not None
        self.dropped[pair.fault.rule] += 1
        examples = self.examples.setdefault(pair.fault.rule, [])
        if len(examples) < _EXAMPLES_PER_RULE:
            source, target = shorten(pair.source, _EXAMPLE_CHARACTERS), shorten(pair.target, _EXAMPLE_CHARACTERS)
            examples.append(pair._replace(source=source, target=target))

    def add(self, later: CorpusReport) -> None:
        """Count what became of further pairs of the corpus before they were compared with each other."""
        self.read += later.read
        for mine, more in zip(self._counters(), later._counters(), strict=True):
            mine.update(more)
        for rule, pairs in later.examples.items():
            examples = self.examples.setdefault(rule, [])
            examples += pairs[: _EXAMPLES_PER_RULE - len(examples)]

    def _counters(self) -> tuple[Counter[str], ...]:
        return self.dropped, self.place_names, self.mended

    def as_json(self) -> dict[str, Any]:
        """What `data_report.json` holds of this corpus."""
        return {
            "read": self.read,
            "dropped": dict(self.dropped),
            "kept": self.kept,
            "examples": {rule: [_pair_as_json(pair) for pair in pairs] for rule, pairs in self.examples.items()},
            "source_words": self.source_words,
            "target_words": self.target_words,
            "places": dict(self.place_names.most_common()),
            "mended": dict(self.mended),
            "samples": [_pair_as_json(pair) for pair in self.samples],
            "epoch_pairs": self.epoch_pairs,
            "held_out": None if self.held_out is None else asdict(self.held_out),
            "back_translations": self.back_translations,
            "selected": None if self.selected is None else self.selected.as_json(),
            "unrelated": None if self.unrelated is None else self.unrelated.as_json(),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> CorpusReport:
        """The report that `as_json` wrote; an earlier version wrote neither `mended`, `held_out` nor `selected`."""
        return cls(
            content["read"],
            Counter(content["dropped"]),
            content["kept"],
            {rule: [_pair_from_json(pair, rule) for pair in pairs] for rule, pairs in content["examples"].items()},
            content["source_words"],
            content["target_words"],
            Counter(content["places"]),
            Counter(content.get("mended", {})),
            [_pair_from_json(pair) for pair in content["samples"]],
            content["epoch_pairs"],
            HeldOut(**content["held_out"]) if content.get("held_out") else None,
            Selected.from_json(content["selected"]) if content.get("selected") else None,
            content.get("back_translations", []),
            Unrelated.from_json(content["unrelated"]) if content.get("unrelated") else None,
        )


def _pair_as_json(pair: Pair) -> dict[str, str]:
    detail = "" if pair.fault is None else pair.fault.detail
    return {"place": pair.origin, "source": pair.source, "target": pair.target, "detail": detail}


def _pair_from_json(content: Mapping[str, str], rule: str = "") -> Pair:
    fault = Rejection(rule, content["detail"]) if rule else None
    return Pair(content["source"], content["target"], content["place"], fault=fault)


@dataclass
class DataReport:
    """What was read, dropped and kept, by corpus."""

    corpora: dict[str, CorpusReport]
    vocabulary: dict[str, dict[str, Any]] = field(default_factory=dict)
    """How well the model's tokenizer covers each corpus; see `mt.data.vocabulary`."""
    tokenizer: str = ""
    """The model whose vocabulary that is, or why it was not measured."""

    def add(self, later: DataReport) -> None:
        """Count further pairs of the same corpora."""
        for name, corpus in later.corpora.items():
            self.corpora[name].add(corpus)

    @property
    def dropped(self) -> Counter[str]:
        """Pairs of all corpora that are in no split, by rule."""
        return sum((corpus.dropped for corpus in self.corpora.values()), Counter())

    @property
    def mended(self) -> Counter[str]:
        """Pairs of all corpora that were repaired, by what was wrong with them."""
        return sum((corpus.mended for corpus in self.corpora.values()), Counter())

    def as_json(self) -> dict[str, Any]:
        """The content of `data_report.json`."""
        corpora = {name: corpus.as_json() for name, corpus in self.corpora.items()}
        return {"corpora": corpora, "tokenizer": self.tokenizer, "vocabulary": self.vocabulary}

    @classmethod
    def read(cls, file: Path) -> DataReport:
        """The report in a `data_report.json`. Raises `RunError` if it is damaged or gone."""
        try:
            return cls.from_json(json.loads(file.read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            reason = f"{type(error).__name__}: {error}".partition("\n")[0][:200]
            raise RunError(f"{file}: the report of the data cannot be read ({reason}); build the data again") from error

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> DataReport:
        """The report that `as_json` wrote."""
        corpora = {name: CorpusReport.from_json(values) for name, values in content["corpora"].items()}
        return cls(corpora, dict(content["vocabulary"]), content["tokenizer"])
