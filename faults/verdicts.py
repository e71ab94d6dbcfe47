"""No false verdict: test sets and translations that cannot carry one are refused or named in the report."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence

from faults.box import Box, must, succeeded
from faults.registry import fault
from faults.stock import as_tsv, starter_pairs

_CLAIM = re.compile(r"\bis [\d.]+ chrF (better|worse) than\b")
Pairs = list[tuple[str, str]]


def claims(box: Box) -> list[str]:
    """The verdicts of the evaluation in `out` that say that one system is better or worse than another."""
    content = json.loads((box.out / "scores.json").read_text(encoding="utf-8"))
    texts = [entry["text"] for entry in content["verdicts"]]
    return [text for text in texts if _CLAIM.search(text) and "no verdict" not in text]


def warnings(box: Box, log: str) -> str:
    """All that an evaluation says beside numbers: its notes, verdicts, advice and log lines."""
    content = json.loads((box.out / "scores.json").read_text(encoding="utf-8"))
    said = [content.get(key) for key in ("notes", "verdicts", "advice", "warnings")]
    return (json.dumps(said, ensure_ascii=False) + log).lower()


def evaluate(box: Box, pairs: Pairs, systems: Mapping[str, Sequence[str]], *words: str) -> None:
    """Evaluate lists of translations; it must be refused, or claim nothing, or say one of `words`."""
    box.write("set.tsv", as_tsv(pairs))
    for name, lines in systems.items():
        box.write(f"{name}.txt", "".join(f"{line}\n" for line in lines))
    outcome = box.evaluate(*(f"{name}.txt" for name in systems), "--test_set", "news=set.tsv")
    if outcome.status == 1:
        return
    succeeded(outcome)
    said = warnings(box, outcome.stderr)
    found = claims(box)
    must(any(word in said for word in words) if words else not found, f"a verdict without a word: {(found or [''])[0]}")


def _pairs(count: int, start: int = 200) -> Pairs:
    return starter_pairs()[start : start + count]


def _damaged(lines: list[str], share: int) -> list[str]:
    """Every `share`-th line loses its second half."""
    return [line[: len(line) // 2] if i % share == 0 else line for i, line in enumerate(lines)]


@fault({"ten six times": 10, "two thirty times": 2, "fifteen four times": 15})
def sentences_repeated(box: Box, distinct: int) -> None:
    """Sixty lines are no sixty sentences."""
    pairs = _pairs(distinct) * (60 // distinct)
    good = [target for _, target in pairs]
    bad = _damaged([target for _, target in _pairs(distinct)], 2) * (60 // distinct)
    evaluate(box, pairs, {"good": good, "bad": bad})


_SPOILED: dict[str, tuple[Callable[[Pairs], list[str]], tuple[str, ...]]] = {
    "shifted by one": (lambda pairs: [t for _, t in (*pairs[1:], pairs[0])], ("shift", "order", "line")),
    "shifted by two": (lambda pairs: [t for _, t in (*pairs[-2:], *pairs[:-2])], ("shift", "order", "line")),
    "shifted from the middle on": (
        lambda pairs: [t for _, t in (*pairs[:20], *pairs[21:], pairs[20])],
        ("shift", "order", "line"),
    ),
    "all empty": (lambda pairs: [""] * len(pairs), ("empty",)),
    "half empty": (lambda pairs: [t if i % 2 else "" for i, (_, t) in enumerate(pairs)], ("empty",)),
    "sources copied": (lambda pairs: [s for s, _ in pairs], ("english", "copied", "source", "untranslated", "arabic")),
    "some sources copied": (
        lambda pairs: [s if i % 3 == 0 else t for i, (s, t) in enumerate(pairs)],
        ("english", "copied", "source", "untranslated", "arabic"),
    ),
    "zero-width marks": (lambda pairs: ["\u200b".join(t) for _, t in pairs], ("invisible", "zero-width", "control")),
}


@fault(_SPOILED)
def translations(box: Box, case: tuple[Callable[[Pairs], list[str]], tuple[str, ...]]) -> None:
    spoil, words = case
    pairs = _pairs(60)
    evaluate(box, pairs, {"plain": _damaged([t for _, t in pairs], 3), "odd": spoil(pairs)}, *words)


_REFERENCES: dict[str, tuple[Callable[[int, str, str], str], tuple[str, ...]]] = {
    "a third is English": (lambda i, s, t: s if i % 3 == 0 else t, ("arabic", "english")),
    "a tenth is English": (lambda i, s, t: s if i % 10 == 0 else t, ("arabic", "english")),
    "zero-width marks": (lambda i, s, t: "\u200b".join(t), ("invisible", "zero-width", "control")),
    "some are nothing but zero-width": (lambda i, s, t: "\u200b\u200f" if i % 4 == 0 else t, ("empty", "invisible")),
    "all the same": (lambda i, s, t: "خبر عاجل", ("same", "identical", "repeat", "distinct")),
    "question marks": (lambda i, s, t: "؟؟؟ ؟؟" if i % 2 else t, ("same", "question", "arabic", "repeat", "distinct")),
    "Persian": (
        lambda i, s, t: "این یک جمله فارسی است که برای آزمایش نوشته شده " + "گپچ" * (i % 7),
        ("persian", "arabic"),
    ),
}


@fault(_REFERENCES)
def references(box: Box, case: tuple[Callable[[int, str, str], str], tuple[str, ...]]) -> None:
    spoil, words = case
    good = _pairs(60)
    pairs = [(s, spoil(i, s, t)) for i, (s, t) in enumerate(good)]
    evaluate(box, pairs, {"good": [t for _, t in good], "bad": _damaged([t for _, t in good], 2)}, *words)


@fault(["all of them", "in part", "by their references"])
def own_training_pairs_as_test_set(box: Box, how: str) -> None:
    box.put("finished", "run")
    trained = starter_pairs()[:120]
    pairs = trained if how == "all of them" else [*trained[:30], *_pairs(30)]
    if how == "by their references":
        pairs = [(f"Report {i}: {source.lower()}", target) for i, (source, target) in enumerate(trained)]
    box.write("set.tsv", as_tsv(pairs))
    outcome = box.evaluate("base=model", "run", "--test_set", "news=set.tsv")
    must(
        outcome.status == 1 or "train" in warnings(box, outcome.stderr), "nothing says that these pairs were trained on"
    )


@fault(["twenty sentences", "no sentence", "other number of lines"])
def too_little(box: Box, what: str) -> None:
    pairs = _pairs({"twenty sentences": 20, "no sentence": 0, "other number of lines": 60}[what])
    good = [t for _, t in pairs]
    lines = {"good": good, "bad": _damaged(good, 2) if what != "other number of lines" else good[:-1]}
    evaluate(box, pairs, lines)
