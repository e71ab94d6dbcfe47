"""The data card: what a person should know of the data before trusting a model that was trained on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from mt.config import CorpusConfig
from mt.data.pair import Pair
from mt.data.report import LENGTH_STEP, DataReport
from mt.data.splitting import SPLITS
from mt.files import write_json, write_text
from mt.languages import ENGLISH_TO_ARABIC, LanguagePair
from mt.report.back_translations import made_in_words
from mt.report.charts import bar_chart, ranking
from mt.report.markdown import text_of
from mt.report.selection_card import selection_as_markdown, selection_charts, selection_view
from mt.runs import RunDirectory
from mt.text.languages import reads_numbers

_SHOWN_PLACES = 15
_BAR = 30
_MAX_LENGTH = 80


Licences = Mapping[str, str | None]
"""By corpus; None: unknown."""


def write_report(
    run: RunDirectory,
    report: DataReport,
    languages: LanguagePair = ENGLISH_TO_ARABIC,
    licences: Licences | None = None,
) -> None:
    """Write `data_report.json` and `data_card.md`."""
    write_json(run.data_report, report.as_json())
    write_text(run.data_card, as_markdown(report, languages, licences))


def summary(report: DataReport) -> str:
    """One line: how many pairs each split holds, and how many are in none."""
    kept = ", ".join(f"{sum(corpus.kept[split] for corpus in report.corpora.values())} {split}" for split in SPLITS)
    dropped = ", ".join(f"{count} {rule}" for rule, count in report.dropped.most_common())
    left = sum(corpus.selected.left for corpus in report.corpora.values() if corpus.selected)
    mended = ", ".join(f"{count} {fault}" for fault, count in report.mended.most_common())
    said = [kept, f"not used: {report.dropped.total()} ({dropped})" if dropped else ""]
    said += [f"not selected: {left}"] if left else []
    return "; ".join(filter(None, [*said, f"mended: {report.mended.total()} ({mended})" if mended else ""]))


def licences_of(corpora: Mapping[str, CorpusConfig]) -> Licences:
    """The licences that a config names, by corpus."""
    return {name: corpus.licence for name, corpus in corpora.items()}


def licence_line(licences: Licences | None) -> str:
    """`Licences: news cc-by-4.0; desk unknown.`; empty if none is known."""
    named = [f"{name} {licence or 'unknown'}" for name, licence in (licences or {}).items()]
    return f"Licences: {'; '.join(named)}." if any((licences or {}).values()) else ""


def as_markdown(
    report: DataReport,
    languages: LanguagePair = ENGLISH_TO_ARABIC,
    licences: Licences | None = None,
    *,
    with_sentences: bool = True,
) -> str:
    """The content of `data_card.md`. with_sentences: with pairs of the corpora, which may not be for everybody."""
    lines = ["# Data card", "", f"Sentence pairs, {languages}.", "", *_overview(report), ""]
    lines += [text_of(line), ""] if (line := licence_line(licences)) else []
    lines += [note, ""] if (note := rules_left_out(languages)) else []
    for name, corpus in report.corpora.items():
        lines += [f"## {text_of(name)}", ""]
        lines += [f"Held out {text_of(corpus.held_out.in_words())}.", ""] if corpus.held_out else []
        lines += [f"{text_of(made_in_words(made))}\n" for made in corpus.back_translations]
        if corpus.unrelated:
            lines += [text_of(corpus.unrelated.in_words()), ""]
            lines += [f"**Warning:** {text_of(stretch.in_words())}.\n" for stretch in corpus.unrelated.stretches]
        for side, counts in (("Source", corpus.source_words), ("Target", corpus.target_words)):
            lines += [f"{side} lengths in words:", "", "```", *_text_bars(counts), "```", ""]
        if corpus.place_names:
            named = ", ".join(f"{place} {count}" for place, count in corpus.place_names.most_common(_SHOWN_PLACES))
            lines += [f"Places named most often, in sentences: {named}.", ""]
        if corpus.selected:
            lines += [*selection_as_markdown(corpus.selected, languages, with_sentences=with_sentences), ""]
        if corpus.mended:
            mended = ", ".join(f"{count} {fault}" for fault, count in corpus.mended.most_common())
            lines += [f"Pairs that were mended: {mended}.", ""]
        if corpus.dropped and with_sentences:
            lines += ["Pairs that are not used, some of each rule:", "", *_examples(corpus.examples), ""]
        if with_sentences:
            lines += ["Training pairs, drawn by hash:", "", *_pairs(corpus.samples, languages), ""]
    return "\n".join([*lines, *_vocabulary(report)]).rstrip() + "\n"


def _overview(report: DataReport) -> Iterator[str]:
    yield "| corpus | read | not used | train | dev | test | in an epoch |"
    yield "|---|--:|---|--:|--:|--:|--:|"
    for name, corpus in report.corpora.items():
        counts = [f"{count} {rule}" for rule, count in sorted(corpus.dropped.items())]
        counts += [f"{corpus.selected.left} not selected"] if corpus.selected else []
        dropped = ", ".join(counts) or "none"
        kept = " | ".join(str(corpus.kept[split]) for split in SPLITS)
        yield f"| {text_of(name)} | {corpus.read} | {dropped} | {kept} | {corpus.epoch_pairs:g} |"


def _text_bars(counts: list[int]) -> Iterator[str]:
    labels, values = length_bars(counts)
    for label, value in zip(labels, values, strict=True):
        yield f"{label:>6} {value:>8} {'█' * round(_BAR * value / max(1, *values))}".rstrip()


def length_bars(counts: list[int]) -> tuple[list[str], list[int]]:
    """(labels, counts) of a histogram of lengths; what is very long is one bar."""
    cut = _MAX_LENGTH // LENGTH_STEP
    labels = [f"{LENGTH_STEP * i}-{LENGTH_STEP * (i + 1) - 1}" for i in range(min(cut, len(counts)))]
    values = counts[:cut]
    return ([*labels, f"{_MAX_LENGTH}+"], [*values, sum(counts[cut:])]) if len(counts) > cut else (labels, values)


def _examples(examples: dict[str, list[Pair]]) -> Iterator[str]:
    for rule, pairs in examples.items():
        yield f"- {rule}"
        for pair in pairs:
            detail = f" ({text_of(pair.fault.detail)})" if pair.fault and pair.fault.detail else ""
            yield f"  - {text_of(pair.origin)}{detail}: {text_of(pair.source)} / {text_of(pair.target)}"


def _pairs(samples: list[Pair], languages: LanguagePair) -> Iterator[str]:
    for sample in samples:
        source, target = text_of(sample.source), escape(" ".join(sample.target.split()))
        direction = languages.source.direction
        yield f"- {source}" if direction == "ltr" else f'- <span dir="{direction}">{source}</span>'
        yield f'  <p dir="{languages.target.direction}">{target}</p>'


def rules_left_out(languages: LanguagePair) -> str:
    """Which cleaning rules cannot be applied to a pair, as a sentence; empty if all can."""
    if reads_numbers(languages):
        return ""
    return "The rule `numbers` was not applied: it must read numbers in words in both languages."


def _vocabulary(report: DataReport) -> Iterator[str]:
    if not report.tokenizer:
        return
    yield f"## Vocabulary of {text_of(report.tokenizer)}"
    yield ""
    if not report.vocabulary:
        return
    yield "| corpus | side | pieces per word | unknown pieces | words covered | vocabulary used | unknown characters |"
    yield "|---|---|--:|--:|--:|--:|---|"
    for row in vocabulary_rows(report):
        yield "| " + " | ".join(text_of(str(cell)) for cell in row) + " |"


def vocabulary_rows(report: DataReport) -> Iterator[tuple[str, ...]]:
    """Cells of the table of how the tokenizer copes, as text."""
    for corpus, sides in report.vocabulary.items():
        for side, facts in sides.items():
            yield (
                *(corpus, side, f"{facts['pieces_per_word']:.2f}", f"{facts['unknown_share']:.3%}"),
                *(f"{facts['words_covered']:.1%}", f"{facts['vocabulary_used']:.1%}"),
                facts["unknown_characters"] or "none",
            )


def card_view(
    report: DataReport, languages: LanguagePair = ENGLISH_TO_ARABIC, licences: Licences | None = None
) -> dict[str, Any]:
    """What the page's template shows of the data."""
    return {
        "report": report,
        "languages": languages,
        "licences": licence_line(licences),
        "left_out": rules_left_out(languages),
        "splits": SPLITS,
        "vocabulary": list(vocabulary_rows(report)),
        "back_translations": {
            name: list(map(made_in_words, corpus.back_translations)) for name, corpus in report.corpora.items()
        },
        "charts": {name: list(_charts(report, name)) for name in report.corpora},
        "selections": {
            name: selection_view(corpus.selected) for name, corpus in report.corpora.items() if corpus.selected
        },
    }


def _charts(report: DataReport, name: str) -> Iterator[Any]:
    corpus = report.corpora[name]
    labels, source = length_bars(corpus.source_words)
    others, target = length_bars(corpus.target_words)
    width = max(len(labels), len(others))
    padded = {
        side: [*values, *[0] * (width - len(values))] for side, values in (("source", source), ("target", target))
    }
    if width:
        yield bar_chart(f"Lengths in {name}", max(labels, others, key=len), padded, "words", "pairs")
    if corpus.selected:
        yield from selection_charts(corpus.selected, name)
    if corpus.dropped:
        yield ranking(f"Pairs of {name} that are not used", dict(corpus.dropped.most_common()), "pairs")
    if corpus.place_names:
        yield ranking(f"Places named in {name}", dict(corpus.place_names.most_common(_SHOWN_PLACES)), "sentences")
