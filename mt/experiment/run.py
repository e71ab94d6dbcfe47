"""A training run from config to report, stage by stage."""

from __future__ import annotations

from mt.config import Config
from mt.evaluation.results import Evaluation
from mt.experiment.base_model import load_base, refuse_other_base
from mt.experiment.choosing import explain_base, take_model
from mt.experiment.confidence import translate_dev
from mt.experiment.early_checks import check_config
from mt.experiment.extension import record_extension
from mt.experiment.fine_tuning import fine_tune
from mt.experiment.scoring import prepare_test_sets, score_run
from mt.experiment.splits import prepare_data
from mt.experiment.start import claim_directory, start_manifest
from mt.experiment.training_facts import early_stop, training_facts
from mt.experiment.training_preparation import prepare_training, record_start
from mt.experiment.translations import systems_of_run, translate_base
from mt.manifest import Manifest
from mt.processes import one_run
from mt.runs import RunDirectory
from mt.systems.translating import Engines, translate_test_sets
from mt.training.setup import check_training
from mt.training.trainer import TranslationTrainer


@one_run()
def run_experiment(
    config: Config, *, resume: bool = False, overwrite: bool = False, use_cache: bool = True, score: bool = True
) -> tuple[RunDirectory, Evaluation | None]:
    """Build the data, fine-tune, score base and tuned model, write the report.

    resume: go on with the run in the output directory. overwrite: replace it. use_cache: take translations that were
    made before. score: without it the run ends with its model, and nothing of the test sets is translated; a later
    call with `resume` scores it.

    Returns the run directory and, in the main process of a run that is scored, the evaluation. What is already there
    when a run is resumed (data, base translations, checkpoints) is used, not made again, if it is as it was written.
    """
    check_inputs(config)
    with claim_directory(config, resume=resume, overwrite=overwrite) as run:
        manifest = start_manifest(config, run, resume=resume)
        data = prepare_data(config, run, manifest)
        test_sets = prepare_test_sets(config, run, data)
        base = load_base(config, run, data)
        trainer = prepare_training(config, run, base, data, manifest)
        record_start(manifest, base, trainer)
        record_extension(config, run, trainer.sampler.plan.updates, manifest)
        systems = systems_of_run(config, run, use_cache=use_cache)
        engines: Engines = {}
        # The weights in training are not those of the base if they are kept in less than float32.
        decoded = base if config.adaptation.keeps_float32 else None
        hypotheses = translate_base(systems[0], decoded, test_sets if score else [], run, manifest, engines)
        fine_tune(run, trainer, resume)
        remarks = [] if manifest is None else finish_training(config, run, trainer, manifest)
        if score:
            # By all processes, the others of which have nothing else to do.
            translate_test_sets(systems[-1], test_sets, hypotheses, write=run.write_translations, engines=engines)
            dev = translate_dev(config, data, systems[-1], test_sets)
        if manifest is None or not score:
            return run, None
        return run, score_run(config, run, data, manifest.facts, systems, test_sets, hypotheses, engines, remarks, dev)


def finish_training(config: Config, run: RunDirectory, trainer: TranslationTrainer, manifest: Manifest) -> list[str]:
    """Choose and save the run's model, note how the training went; returns what a reader must know of it.

    In the main process alone.
    """
    stopped = early_stop(trainer)
    manifest.update(**training_facts(trainer), stopped_early=stopped or None)
    refuse_other_base(config, run, manifest)
    choice = take_model(config, run, trainer)
    manifest.update(**choice.as_json())
    return list(filter(None, [explain_base(config, choice), stopped]))


def check_inputs(config: Config) -> None:
    """Everything about the input that can be refused without reading it."""
    check_config(config)
    check_training(config)
