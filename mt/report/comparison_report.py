"""The report: one HTML file that opens offline, and a shorter one in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from typing import Any

from markupsafe import Markup

from mt.evaluation.confidence_check import confidence_in_words
from mt.evaluation.fidelity import CHECKS, TERMS, WORTH, is_checked, unchecked
from mt.evaluation.metrics import METRICS, NORMALISED
from mt.evaluation.results import MIN_SENTENCES, PRIMARY, SIGNIFICANT, Evaluation
from mt.evaluation.slices import CORPUS, SliceScore
from mt.evaluation.test_set import TestSet
from mt.evaluation.verdicts import preference_in_words
from mt.languages import LanguagePair
from mt.report.browser_data import browser_data
from mt.report.charts import Point, intervals, lines, trade_off
from mt.report.confidence import confidence_view
from mt.report.markdown import code, table, text_of
from mt.report.pages import render_page
from mt.text.glossary import Glossary, read_glossary
from mt.wording import counted

SHOWN_LOSSES = 3
"""Sentences in `report.md`; the page shows all."""


def render_report(
    title: str,
    evaluation: Evaluation,
    facts: Mapping[str, str],
    data: Mapping[str, Any] | None = None,
    glossary: Glossary | None = None,
) -> str:
    """The page. `facts` are shown as a list of names and values, `data` as a data card; all text is escaped.

    Every number in a `data` element is in `scores.json`, too, with the same value.
    """
    return render_page(
        "report.html.jinja",
        styles=["page.css"],
        script="browser.js",
        title=title,
        data=data,
        evaluation=evaluation,
        advice=evaluation.advice,
        metrics=[metric for metric in METRICS if metric in evaluation.metrics],
        others=[metric for metric in evaluation.metrics if metric not in METRICS],
        significant=SIGNIFICANT,
        min_sentences=MIN_SENTENCES,
        primary=PRIMARY,
        worth=WORTH,
        unchecked=unchecked(evaluation.languages),
        folded=any(metric in NORMALISED for metric in evaluation.metrics),
        facts=facts,
        sets=[_test_set_view(evaluation, test_set) for test_set in evaluation.test_sets],
        trade_offs=list(_trade_offs(evaluation)),
        curves=list(_curves(evaluation)),
        signatures=list(dict.fromkeys((score.metric, score.signature) for score in evaluation.scores)),
        confidence=confidence_view(evaluation),
        languages=evaluation.languages,
        browser=browser_data(evaluation, glossary or read_glossary(None, evaluation.languages)),
    )


def _test_set_view(evaluation: Evaluation, test_set: TestSet) -> dict[str, Any]:
    name, systems = test_set.name, list(evaluation.hypotheses[test_set.name])
    return {
        "name": name,
        "is_general": test_set.is_general,
        "sentences": len(test_set.references),
        "distinct": test_set.distinct,
        "cautions": [each for each in evaluation.cautions if each.test_set == name],
        "made": _how_made(test_set),
        "verdicts": [verdict.text for verdict in evaluation.verdicts if verdict.test_set == name],
        "systems": systems,
        "cells": {s: {m: _cell(evaluation, s, name, m) for m in evaluation.metrics} for s in systems},
        "chart": _scores_chart(evaluation, name, systems),
        "fidelity": _fidelity_view(evaluation, name, [*systems, "reference"]),
        "corpora": evaluation.by_corpus(name),
        "slices": _slices_view(evaluation, name),
        "ngrams": _ngrams_view(evaluation, name),
    }


def _how_made(test_set: TestSet) -> str:
    """How the test set was held out, and what its intervals are drawn from, as sentences; may be empty."""
    drawn = f"Intervals and p-values: resamples of its {test_set.known_documents} documents."
    return " ".join(filter(None, (test_set.held_out, drawn if test_set.is_drawn_by_document else "")))


def _cell(evaluation: Evaluation, system: str, test_set: str, metric: str) -> dict[str, Any]:
    names = (system, test_set, metric)
    score, comparison = evaluation.score(*names), evaluation.comparison(*names)
    return {"score": score, "comparison": comparison, "better": evaluation.shows_better(*names)}


def _scores_chart(evaluation: Evaluation, test_set: str, systems: list[str]) -> Markup | None:
    if len(systems) < 2:
        return None
    scores = {system: evaluation.score(system, test_set, PRIMARY) for system in systems}
    rows = {system: (s.ci_low, s.score, s.ci_high) for system, s in scores.items()}
    return intervals(f"{PRIMARY} on {test_set}, with 95 % intervals", rows, PRIMARY)


def _fidelity_view(evaluation: Evaluation, test_set: str, systems: list[str]) -> dict[str, Any]:
    """Checks that applied at least once: {check: {system: Fidelity}}."""
    found = {(f.check, f.system): f for f in evaluation.fidelity if f.test_set == test_set}
    checks = [check for check in (*CHECKS, TERMS) if is_checked(check, evaluation.languages)]
    by_check = {check: {system: found[check, system] for system in systems} for check in checks}
    return {check: row for check, row in by_check.items() if any(result.total for result in row.values())}


def _slices_view(evaluation: Evaluation, test_set: str) -> dict[str, dict[str, dict[str, Any]]]:
    """{group: {slice: {system: SliceScore}}}, but for corpora, which have a table of their own."""
    view: dict[str, dict[str, dict[str, Any]]] = {}
    for score in evaluation.slices:
        if score.test_set == test_set and score.group != CORPUS:
            view.setdefault(score.group, {}).setdefault(score.slice, {})[score.system] = score
    return view


def _ngrams_view(evaluation: Evaluation, test_set: str) -> dict[str, dict[str, list[Any]]]:
    """{system: {"won": [...], "lost": [...]}}, by what the baseline gets."""
    view: dict[str, dict[str, list[Any]]] = {}
    for each in evaluation.ngrams:
        if each.test_set == test_set:
            lists = view.setdefault(each.system, {"won": [], "lost": []})
            lists["won" if each.matches > each.baseline_matches else "lost"].append(each)
    return view


def _trade_offs(evaluation: Evaluation) -> Iterator[Markup]:
    """Charts of the gain on each domain test set against the gain on each general one, where there are both."""
    domain = [test_set.name for test_set in evaluation.test_sets if not test_set.is_general]
    general = [test_set.name for test_set in evaluation.test_sets if test_set.is_general]
    if len(evaluation.systems) < 2:
        return
    for first, second in product(domain, general):
        if not any(evaluation.refusal(name, *evaluation.systems) for name in (first, second)):
            points = {s: (_gain(evaluation, s, first), _gain(evaluation, s, second)) for s in evaluation.systems}
            yield trade_off(
                f"What is learnt on {first}, and what is forgotten on {second}",
                points,
                f"{first}: {PRIMARY} gained on {evaluation.baseline}",
                f"{second}: {PRIMARY} gained",
            )


def _gain(evaluation: Evaluation, system: str, test_set: str) -> Point:
    comparison = evaluation.comparison(system, test_set, PRIMARY)
    return (0.0, 0.0, 0.0) if comparison is None else (comparison.ci_low, comparison.difference, comparison.ci_high)


def _curves(evaluation: Evaluation) -> Iterator[Markup]:
    """Charts of dev scores and dev loss during training, for the systems that are runs."""
    for label, unit, names in (
        (f"{PRIMARY} while training", PRIMARY, {"eval_chrF": "dev", "eval_general_chrF": "general"}),
        ("Loss while training", "nats per token", {"eval_loss": "dev", "eval_general_loss": "general"}),
    ):
        series = {
            f"{system}: {part}" if len(evaluation.curves) > 1 else part: points
            for system, dev_scores in evaluation.curves.items()
            for name, part in names.items()
            if len(points := [(entry["update"], entry[name]) for entry in dev_scores if name in entry]) > 1
        }
        if series:
            yield lines(label, series, "updates", unit)


def render_markdown(title: str, evaluation: Evaluation, facts: Mapping[str, str]) -> str:
    """The report for a pull request: verdicts, scores with intervals, fidelity."""
    parts = [f"# {text_of(title)}", text_of(evaluation.advice)]
    parts += [f"- {text_of(remark)}" for remark in evaluation.remarks]
    parts += [f"- {text_of(verdict.text)}" for verdict in evaluation.verdicts]
    for test_set in evaluation.test_sets:
        systems = list(evaluation.hypotheses[test_set.name])
        parts += [f"\n## {text_of(test_set.name)}, {counted(len(test_set.sources), 'sentence')}\n"]
        cautions = [f"- {text_of(each.text)}" for each in evaluation.cautions if each.test_set == test_set.name]
        parts += [*cautions, ""] if cautions else []
        parts += [text_of(made), ""] if (made := _how_made(test_set)) else []
        parts += _corpus_table(evaluation, test_set)
        rows = [_markdown_row(evaluation, system, test_set.name) for system in systems]
        parts += table(["system", *METRICS], rows)
        fidelity = _fidelity_view(evaluation, test_set.name, [*systems, "reference"])
        rows = [[check, *(f"{f.passed} of {f.total}" for f in row.values())] for check, row in fidelity.items()]
        parts += ["", *table(["passes", *map(text_of, systems), "reference"], rows)]
        parts += ["", *_worth_of(fidelity, evaluation.languages)]
        parts += [line for system in systems for line in _largest_losses(evaluation, test_set, system)]
    if evaluation.confidence is not None:
        parts += ["\n## What to check first\n", text_of(confidence_in_words(evaluation.confidence))]
    parts += [f"\n{text_of(preference_in_words(each))}" for each in evaluation.preferences]
    parts += ["\nIn brackets 95 % intervals; differences from the baseline are marked where both paired tests, after"]
    parts += [f"Holm's correction, give p < {SIGNIFICANT}.\n"]
    parts += [f"- {text_of(name)}: {text_of(value)}" for name, value in facts.items()]
    parts += [f"- note: {text_of(note)}" for note in evaluation.notes]
    signatures = dict.fromkeys((s.metric, s.signature) for s in evaluation.scores if s.metric in METRICS)
    parts += [f"- {metric}: {code(signature)}" for metric, signature in signatures]
    return "\n".join(part for part in parts if part is not None) + "\n"


def _worth_of(checks: Iterable[str], languages: LanguagePair) -> list[str]:
    """What a pass of each check is worth, or which checks a pair does not have, as paragraphs."""
    missing = unchecked(languages)
    worth = ["What a pass is worth:", "", *(f"- {check}: {WORTH[check]}" for check in checks if check in WORTH)]
    return [text_of(missing)] if missing else worth


def _corpus_table(evaluation: Evaluation, test_set: TestSet) -> list[str]:
    """Scores of each corpus of a test set that mixes several; empty for other test sets."""
    corpora = evaluation.by_corpus(test_set.name)
    rows = [
        [text_of(name), f"{scores[evaluation.baseline].sentences:,}", *map(_part_cell, scores.values())]
        for name, scores in corpora.items()
    ]
    header = [f"{PRIMARY} by corpus", "sentences", *map(text_of, evaluation.systems)]
    return [*table(header, rows), ""] if corpora else []


def _part_cell(part: SliceScore) -> str:
    difference = "" if part.difference is None else f" ({part.difference:+.2f})"
    return f"{part.score:.2f} [{part.ci_low:.1f}, {part.ci_high:.1f}]{difference}"


def _largest_losses(evaluation: Evaluation, test_set: TestSet, system: str) -> list[str]:
    """The sentences on which a system loses most against the baseline, as a list; empty if it loses on none."""
    scores = evaluation.sentence_scores[test_set.name]
    ours, base = scores[system], scores[evaluation.baseline]
    worst = sorted((i for i in range(len(ours)) if ours[i] < base[i]), key=lambda i: (ours[i] - base[i], i))
    lines = [f"\nLargest losses of {text_of(system)}:\n"] if worst else []
    for i in worst[:SHOWN_LOSSES]:
        hypothesis = evaluation.hypotheses[test_set.name][system][i]
        lines += [
            f"{i + 1}. {text_of(test_set.sources[i])} ({PRIMARY} {base[i]:.1f} → {ours[i]:.1f})",
            f"   - {text_of(hypothesis)}",
        ]
    return lines


def _markdown_row(evaluation: Evaluation, system: str, test_set: str) -> list[str]:
    return [text_of(system), *(_markdown_cell(evaluation, system, test_set, metric) for metric in METRICS)]


def _markdown_cell(evaluation: Evaluation, system: str, test_set: str, metric: str) -> str:
    cell = _cell(evaluation, system, test_set, metric)
    text = f"{cell['score'].score:.2f} [{cell['score'].ci_low:.1f}, {cell['score'].ci_high:.1f}]"
    if cell["comparison"] is None:
        return text
    if cell["comparison"].refused:
        return f"{text} ({cell['comparison'].difference:+.2f}, no verdict)"
    mark = "" if cell["better"] is None else " ▲" if cell["better"] else " ▼"
    return f"{text} ({cell['comparison'].difference:+.2f}, p = {cell['comparison'].p_holm:.3f}{mark})"
