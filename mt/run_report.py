"""The scores and reports of a training run, and what they must say about how its model came to be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from datasets import DatasetDict

from mt.comparison import evaluate_all, read_curve, read_glossary, write_evaluation
from mt.comparison_facts import describe_search
from mt.config import Config, DecodingConfig
from mt.data.card import card_view
from mt.data.report import DataReport
from mt.data.splitting import SPLITS
from mt.evaluation.model_card import render_model_card
from mt.evaluation.overlap import find_overlaps
from mt.evaluation.results import Evaluation
from mt.evaluation.searches import describe_searches
from mt.evaluation.test_set import TestSet
from mt.files import write_text
from mt.run_translations import BASE, FINETUNED
from mt.runs import RunDirectory


def score_run(
    config: Config,
    run: RunDirectory,
    data: DatasetDict,
    facts: dict[str, Any],
    test_sets: Sequence[TestSet],
    hypotheses: dict[str, dict[str, list[str]]],
    remarks: Sequence[str] = (),
) -> Evaluation:
    """Score the systems of `hypotheses` (by system, then by test set); write scores, report and model card.

    facts: the manifest's. remarks: what a reader must know before the scores.
    """
    by_set = {t.name: {system: lines[t.name] for system, lines in hypotheses.items()} for t in test_sets}
    glossary = read_glossary(config.evaluation.glossary)
    overlaps, cautions = find_overlaps({FINETUNED: str(run.root), BASE: config.model.name}, test_sets)
    known = [overlap for overlap in overlaps if overlap.system in hypotheses]
    evaluation = evaluate_all(test_sets, by_set, config.evaluation.resamples, glossary, data["train"], known)
    evaluation.cautions += [caution for caution in cautions if caution.system in hypotheses]
    evaluation.curves = {FINETUNED: read_curve(run)}
    evaluation.remarks += remarks
    describe_search(evaluation, run_searches(config))
    shown = {
        "base model": config.model.name if config.model.scratch is None else "none, trained from scratch",
        "pairs": ", ".join(f"{facts['splits'][split]['pairs']} {split}" for split in SPLITS),
        "corpora": ", ".join(f"{name} ({corpus.path})" for name, corpus in config.data.corpora.items()),
        "versions": ", ".join(f"{package} {version}" for package, version in facts["versions"].items()),
        "seed": str(config.seed),
    } | describe_searches(evaluation.decoding)
    card = card_view(DataReport.read(run.data_report))
    write_evaluation(run, evaluation, f"Run {config.name}", shown, card, glossary)
    run.check_there(run.model / "README.md")
    write_text(run.model / "README.md", render_model_card(config.name, evaluation, FINETUNED, shown))
    return evaluation


def run_searches(config: Config) -> dict[str, DecodingConfig]:
    """How the hypotheses of a run were made, by system; a model from scratch has no base."""
    base = {} if config.model.scratch else {BASE: config.decoding.without_domain()}
    return base | {FINETUNED: config.decoding}
