"""The card that a tuned model carries in its directory."""

from __future__ import annotations

from collections.abc import Mapping

from mt.evaluation.metrics import METRICS
from mt.evaluation.results import Evaluation
from mt.report.markdown import code, text_of


def render_model_card(name: str, evaluation: Evaluation, system: str, facts: Mapping[str, str]) -> str:
    """Markdown with the hub's metadata block: what the model is, what it was made from, what it scores."""
    lines = ["---", "language: [en, ar]", "pipeline_tag: translation", "library_name: transformers", "---", ""]
    lines += [f"# {text_of(name)}", "", "English to Arabic translation, fine-tuned with `mt`.", ""]
    lines += [f"{text_of(remark)}\n" for remark in evaluation.remarks]
    lines += [f"- {text_of(fact)}: {text_of(value)}" for fact, value in facts.items()] + ["", "## Scores", ""]
    lines += [
        "| test set | system | sentences | " + " | ".join(METRICS) + " |",
        "|---|---|--:|" + "--:|" * len(METRICS),
    ]
    for test_set in evaluation.test_sets:
        for shown in evaluation.hypotheses[test_set.name]:
            scores = [f"{evaluation.score(shown, test_set.name, metric).score:.2f}" for metric in METRICS]
            mark = f"**{text_of(shown)}**" if shown == system else text_of(shown)
            lines.append(
                f"| {text_of(test_set.name)} | {mark} | {len(test_set.references)} | " + " | ".join(scores) + " |"
            )
    signatures = sorted({(score.metric, score.signature) for score in evaluation.scores})
    lines += ["", *(f"- {metric}: {code(signature)}" for metric, signature in signatures)]
    lines += [f"- note on {text_of(each.test_set)}: {text_of(each.text)}" for each in evaluation.cautions]
    return "\n".join(lines) + "\n"
