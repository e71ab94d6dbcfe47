"""The report: one HTML file that opens offline."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from mt.evaluation.metrics import METRICS
from mt.evaluation.scoring import SIGNIFICANT, Evaluation, is_better, verdict


def render_report(
    title: str, evaluation: Evaluation, facts: Mapping[str, str], data: Mapping[str, Any] | None = None
) -> str:
    """The page. `facts` are shown as a list of names and values, `data` as a data card; all text is escaped."""
    return _template("report.html.jinja").render(
        title=title,
        data=data,
        baseline=evaluation.baseline,
        metrics=METRICS,
        significant=SIGNIFICANT,
        facts=facts,
        sets=[_test_set_view(evaluation, index) for index in range(len(evaluation.test_sets))],
        signatures=sorted({(score.metric, score.signature) for score in evaluation.scores}),
    )


def render_data_card(title: str, data: Mapping[str, Any]) -> str:
    """The data card as a page of its own."""
    return _template("data_card.html.jinja").render(title=title, data=data)


def _template(name: str) -> Template:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template(name)


def _test_set_view(evaluation: Evaluation, index: int) -> dict[str, Any]:
    test_set = evaluation.test_sets[index]
    systems = evaluation.hypotheses[test_set.name]
    others = [system for system in systems if system != evaluation.baseline] or list(systems)
    columns = zip(*systems.values(), strict=True)
    rows = zip(test_set.sources, test_set.references, columns, strict=True)
    return {
        "name": test_set.name,
        "sentences": len(test_set.references),
        "verdicts": [verdict(evaluation, system, test_set.name) for system in others],
        "systems": list(systems),
        "scores": {system: [_cell(evaluation, system, test_set.name, m) for m in METRICS] for system in systems},
        "rows": [
            {"source": source, "reference": reference, "hypotheses": dict(zip(systems, hypotheses, strict=True))}
            for source, reference, hypotheses in rows
        ],
    }


def _cell(evaluation: Evaluation, system: str, test_set: str, metric: str) -> dict[str, Any]:
    comparison = evaluation.comparison(system, test_set, metric)
    better = None if comparison is None or comparison.p_value >= SIGNIFICANT else is_better(comparison)
    return {"score": evaluation.score(system, test_set, metric), "comparison": comparison, "better": better}
