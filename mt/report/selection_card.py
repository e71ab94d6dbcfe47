"""What the data card says of a selection from a general corpus: what was taken, and why."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

from mt.data.selection_report import Selected, sizes_in_words
from mt.languages import LanguagePair
from mt.report.charts import bar_chart
from mt.report.markdown import table, text_of

_TITLES = {
    "most like the domain": "Taken, the pairs most like the domain",
    "last taken": "Taken, the pairs least like the domain",
    "left": "Left, some from the most to the least like the domain",
}
_LOWER = "The lower the score, the more like the domain."


def selection_as_markdown(selected: Selected, languages: LanguagePair, *, with_sentences: bool) -> Iterator[str]:
    """The lines of `data_card.md`. with_sentences: with examples and words of the corpus."""
    yield text_of(_sentence(selected))
    if selected.sizes:
        yield ""
        yield _chosen_by(selected)
    if selected.quantiles:
        yield ""
        rows = [(name, *(f"{value:.3f}" for value in found)) for name, found in selected.quantiles.items()]
        yield from table(("score below which there are", "5 %", "25 %", "50 %", "75 %", "95 %"), rows)
    for side, words in selected.words.items() if with_sentences else ():
        yield ""
        risen = ", ".join(f"{text_of(each.word)} ({each.before:g} to {each.after:g})" for each in words)
        yield f"Words of the {side} whose share rose most, per 10,000 of the corpus and of what was taken: {risen}."
    for group, examples in selected.examples.items() if with_sentences else ():
        yield ""
        yield f"{_TITLES[group]}:"
        yield ""
        for score, pair in examples:
            source, target = text_of(pair.source), escape(" ".join(pair.target.split()))
            direction = languages.source.direction
            shown = source if direction == "ltr" else f'<span dir="{direction}">{source}</span>'
            yield f"- {score:.3f}, {text_of(pair.origin)}: {shown}"
            yield f'  <p dir="{languages.target.direction}">{target}</p>'


def _sentence(selected: Selected) -> str:
    said = selected.in_words()
    note = f" {_LOWER}" if selected.quantiles else ""
    return f"The selection {said}{note}"


def _chosen_by(selected: Selected) -> str:
    return (
        "Perplexity of the domain's dev pairs by a bigram model of the pairs that would be taken, per word: "
        f"{sizes_in_words(selected.sizes)}."
    )


def selection_view(selected: Selected) -> dict[str, Any]:
    """What the template of the data card shows of a selection."""
    return {
        "sentence": _sentence(selected),
        "sizes": _chosen_by(selected) if selected.sizes else "",
        "words": {side: words for side, words in selected.words.items() if words},
        "examples": {_TITLES[group]: examples for group, examples in selected.examples.items()},
    }


def selection_charts(selected: Selected, name: str) -> Iterator[Any]:
    """How the scores of the domain's dev pairs, of what was taken and of what was left are distributed."""
    if selected.histogram:
        labels = [f"{edge:.2g}" for edge in selected.edges[:-1]]
        yield bar_chart(f"Scores of pairs of {name}", labels, selected.histogram, "score", "% of each group")
