"""The card that a tuned model carries in its directory, with the metadata that the hub reads."""

from __future__ import annotations

from collections.abc import Mapping

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from mt.evaluation.metrics import METRICS
from mt.evaluation.results import Evaluation
from mt.report.markdown import code, table, text_of

_HUB_METRICS = {"BLEU": "bleu", "chrF": "chrf", "chrF++": "chrf", "TER": "ter"}
"""The hub's name of each metric."""


def render_model_card(
    name: str, evaluation: Evaluation, system: str, facts: Mapping[str, str], base_model: str | None = None
) -> str:
    """Markdown: what the model is, what it was made from, what it scores.

    system: which of the evaluation's systems the model is. base_model: the base's name on the hub, if it is there.
    """
    data = ModelCardData(
        language=[evaluation.languages.source.code, evaluation.languages.target.code],
        pipeline_tag="translation",
        library_name="transformers",
        base_model=base_model,
        metrics=sorted(set(_HUB_METRICS.values())),
        model_name=_as_metadata(name),
        eval_results=_results(evaluation, system),
    )
    body = _body(name, evaluation, system, facts)
    # The class reads the metadata again, and so refuses what the hub would refuse.
    return str(ModelCard(f"---\n{data.to_yaml()}\n---\n\n{body}"))


def _results(evaluation: Evaluation, system: str) -> list[EvalResult]:
    """The model's published scores, each with the signature that says how it was computed."""
    scores = [s for s in evaluation.scores if s.system == system and s.metric in _HUB_METRICS]
    return [
        EvalResult(
            task_type="translation",
            # The hub takes results with one type for results on one data set.
            dataset_type=_as_metadata(score.test_set),
            dataset_name=_as_metadata(score.test_set),
            metric_type=_HUB_METRICS[score.metric],
            metric_name=score.metric,
            metric_value=round(score.score, 2),
            metric_config=score.signature,
        )
        for score in scores
    ]


def _as_metadata(name: str) -> str:
    """A name without the brackets of tags: the metadata is YAML, but a Markdown page may show it as it is."""
    return name.translate({ord("<"): "‹", ord(">"): "›"})


def _body(name: str, evaluation: Evaluation, system: str, facts: Mapping[str, str]) -> str:
    lines = [f"# {text_of(name)}", "", f"{evaluation.languages} translation, fine-tuned with `mt`.", ""]
    lines += [f"{text_of(remark)}\n" for remark in evaluation.remarks]
    lines += [f"- {text_of(fact)}: {text_of(value)}" for fact, value in facts.items()] + ["", "## Scores", ""]
    rows = [
        [
            text_of(test_set.name),
            f"**{text_of(shown)}**" if shown == system else text_of(shown),
            str(len(test_set.references)),
            *(f"{evaluation.score(shown, test_set.name, metric).score:.2f}" for metric in METRICS),
        ]
        for test_set in evaluation.test_sets
        for shown in evaluation.hypotheses[test_set.name]
    ]
    lines += table(["test set", "system", "sentences", *METRICS], rows)
    signatures = sorted({(score.metric, score.signature) for score in evaluation.scores})
    lines += ["", *(f"- {metric}: {code(signature)}" for metric, signature in signatures)]
    lines += [f"- note on {text_of(each.test_set)}: {text_of(each.text)}" for each in evaluation.cautions]
    return "\n".join(lines) + "\n"
