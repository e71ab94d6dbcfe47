"""The scores, report and model card of a training run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from datasets import DatasetDict

from mt.config import Config, ModelConfig
from mt.data.report import DataReport
from mt.data.splitting import SPLITS
from mt.evaluation.overlap import find_overlaps
from mt.evaluation.reading_test_sets import check_resampling, own_test_set, read_named_test_set
from mt.evaluation.results import Evaluation
from mt.evaluation.scoring import evaluate_all
from mt.evaluation.searches import describe_search, describe_searches
from mt.evaluation.test_set import Hypotheses, TestSet
from mt.experiment.confidence import DevTranslations, add_confidence
from mt.experiment.translations import FINETUNED
from mt.files import write_text
from mt.input_files import is_directory
from mt.report.back_translations import made_in_words
from mt.report.data_card import card_view, licences_of
from mt.report.model_card import render_model_card
from mt.report.writing import write_evaluation
from mt.runs import RunDirectory, read_curve
from mt.systems.system import System, searches_of
from mt.systems.translating import Engines
from mt.text.glossary import read_glossary


def score_run(
    config: Config,
    run: RunDirectory,
    data: DatasetDict,
    facts: dict[str, Any],
    systems: Sequence[System],
    test_sets: Sequence[TestSet],
    hypotheses: Hypotheses,
    engines: Engines,
    remarks: Sequence[str] = (),
    dev: DevTranslations | None = None,
) -> Evaluation:
    """Score the systems; write scores, report and model card.

    facts: the manifest's. engines: what decoded each system. remarks: what a reader must know before the scores. dev:
    what the last system's confidence is calibrated on.
    """
    glossary = read_glossary(config.evaluation.glossary, config.model.languages)
    overlaps = find_overlaps({system.label: system.path for system in systems}, test_sets)
    evaluation = evaluate_all(test_sets, hypotheses, config.evaluation.resamples, glossary, data["train"], overlaps)
    evaluation.curves = {FINETUNED: read_curve(run)}
    evaluation.remarks += remarks
    add_confidence(evaluation, config, run, systems[-1], dev)
    describe_search(evaluation, searches_of(systems), engines)
    shown = {
        "base model": config.model.name if config.model.scratch is None else "none, trained from scratch",
        "pairs": ", ".join(f"{facts['splits'][split]['pairs']} {split}" for split in SPLITS),
        "corpora": ", ".join(f"{name} ({corpus.path})" for name, corpus in config.data.corpora.items()),
        "versions": ", ".join(f"{package} {version}" for package, version in facts["versions"].items()),
        "seed": str(config.seed),
    } | describe_searches(evaluation.decoding, evaluation.engines)
    if facts.get("evaluation_share") is not None:
        shown["evaluations on the dev split"] = f"{facts['evaluation_share']:.0%} of the training time"
    made = facts.get("back_translations") or {}
    shown |= {f"back-translations {name}": " ".join(map(made_in_words, tables)) for name, tables in made.items()}
    licences = licences_of(config.data.corpora)
    card = card_view(DataReport.read(run.data_report), config.model.languages, licences)
    run.check_there(run.model / "README.md")
    model_card = render_model_card(config.name, evaluation, FINETUNED, shown, _name_on_the_hub(config.model))
    write_text(run.model / "README.md", model_card)
    write_evaluation(run, evaluation, f"Run {config.name}", shown, card, glossary)
    return evaluation


def _name_on_the_hub(model: ModelConfig) -> str | None:
    """The base's name, unless it is a directory, is included in `mt`, or was made from scratch."""
    is_there = model.scratch is None and model.name.count("/") == 1 and not is_directory(model.name)
    return model.name if is_there else None


def prepare_test_sets(config: Config, run: RunDirectory, data: DatasetDict) -> list[TestSet]:
    """The run's own test split, unless it is empty, then the named test sets."""
    languages = config.model.languages
    named = [
        read_named_test_set(
            name,
            corpus,
            config.data,
            languages,
            is_general=name in config.evaluation.general,
            resampling=config.evaluation.resampling,
        )
        for name, corpus in config.evaluation.named_sets.items()
    ]
    own = [own_test_set(data["test"], run, config.evaluation.resampling, languages)] if len(data["test"]) else []
    for test_set in (*own, *named):
        check_resampling(test_set)
    return [*own, *named]
