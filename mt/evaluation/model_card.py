"""The card that a tuned model carries in its directory."""

from __future__ import annotations

from collections.abc import Mapping

from mt.evaluation.metrics import METRICS
from mt.evaluation.scoring import Evaluation


def render_model_card(name: str, evaluation: Evaluation, system: str, facts: Mapping[str, str]) -> str:
    """Markdown with the hub's metadata block: what the model is, what it was made from, what it scores."""
    lines = ["---", "language: [en, ar]", "pipeline_tag: translation", "library_name: transformers", "---", ""]
    lines += [f"# {name}", "", "English to Arabic translation, fine-tuned with `mt`.", ""]
    lines += [f"- {fact}: {value}" for fact, value in facts.items()] + ["", "## Scores", ""]
    lines += [
        "| test set | system | sentences | " + " | ".join(METRICS) + " |",
        "|---|---|--:|" + "--:|" * len(METRICS),
    ]
    for test_set in evaluation.test_sets:
        for shown in evaluation.hypotheses[test_set.name]:
            scores = [f"{evaluation.score(shown, test_set.name, metric).score:.2f}" for metric in METRICS]
            mark = f"**{shown}**" if shown == system else shown
            lines.append(f"| {test_set.name} | {mark} | {len(test_set.references)} | " + " | ".join(scores) + " |")
    signatures = sorted({(score.metric, score.signature) for score in evaluation.scores})
    lines += ["", *(f"- {metric}: `{signature}`" for metric, signature in signatures)]
    return "\n".join(lines) + "\n"
