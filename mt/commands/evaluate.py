"""`evaluate.py` and `mt evaluate`: any systems on any test sets, compared with the first one."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mt.commands.environment import is_main_process, quiet_libraries
from mt.commands.options import NOT_FOR_DECODING, TESTED_ON, add_test_set, named_files, typed_sections
from mt.config import CorpusConfig, DecodingConfig, ModelConfig
from mt.config.checks import require, require_at_most
from mt.config.parsing import QuietParser, parse_or_help
from mt.errors import UsageError
from mt.evaluation.rating_files import check_reviewers, read_ratings_file
from mt.experiment.early_checks import check_corpora, check_tables
from mt.files import check_distinct
from mt.outputs import check_output, claim
from mt.runs import EVALUATION, RunDirectory
from mt.systems.names import check_systems

if TYPE_CHECKING:
    from mt.evaluation.results import Evaluation
    from mt.systems.system import System
    from mt.text.glossary import Glossary

# The names in mt.evaluation.metrics, which takes seconds to import.
_METRICS = ("BLEU", "chrF", "chrF++", "TER")


def run(argv: Sequence[str], prog: str) -> int:
    """Compare as `argv` says and print scores and verdicts. Returns 3 if `--fail_if_worse` finds a system worse."""
    command = parse_evaluate(argv, prog)
    if is_main_process():
        check_evaluate(command)
    quiet_libraries()
    evaluation = run_comparison(command)
    if evaluation is None:
        return 0
    _print_results(command, evaluation)
    return _judge(command, evaluation, prog)


def run_comparison(command: EvaluateCommand) -> Evaluation | None:
    """Translate, score, compare, and write `scores.json`, the translations, `report.html` and `report.md`.

    Of several processes each translates a share; the main one does all the rest, and the others return None.
    """
    from mt.processes import one_run
    from mt.systems.system import resolve_systems
    from mt.text.glossary import read_glossary

    with one_run():
        check_corpora(command.test_sets | command.general)
        glossary = read_glossary(command.glossary)
        systems = resolve_systems(command.systems, command.model, command.decoding, use_cache=not command.no_cache)
        if not is_main_process():
            help_to_translate(command, systems)
            return None
        with claim_output(command, systems) as output:
            return compare(command, systems, glossary, output)


def help_to_translate(command: EvaluateCommand, systems: Sequence[System]) -> None:
    """Translate this process's share."""
    from mt.evaluation.reading_test_sets import read_test_sets
    from mt.processes import wait_for_everyone
    from mt.systems.translating import translate_systems

    runs = [system.run for system in systems if system.run]
    test_sets = read_test_sets(command.test_sets, runs, command.general, command.resampling)
    # Until the main process has found everything in order.
    wait_for_everyone()
    translate_systems(systems, test_sets)


def compare(
    command: EvaluateCommand,
    systems: Sequence[System],
    glossary: Glossary,
    output: RunDirectory,
) -> Evaluation:
    """The comparison itself, into a directory that is ours."""
    from mt.data.saved import load_splits
    from mt.evaluation.gates import check_rated_sets, refuse_seen_gate, refuse_small_gate
    from mt.evaluation.overlap import find_overlaps
    from mt.evaluation.ratings import read_ratings
    from mt.evaluation.reading_test_sets import read_test_sets
    from mt.evaluation.scoring import evaluate_all
    from mt.evaluation.searches import describe_search
    from mt.processes import wait_for_everyone
    from mt.report.provenance import describe_comparison
    from mt.report.writing import write_evaluation
    from mt.runs import read_curve, remarks_on
    from mt.systems.system import searches_of
    from mt.systems.texts import check_texts
    from mt.systems.translating import Engines, translate_systems

    ratings = [Path(file) for file in command.ratings]
    test_sets = read_test_sets(
        command.test_sets, [s.run for s in systems if s.run], command.general, command.resampling
    )
    if command.fail_if_worse:
        refuse_small_gate(test_sets)
    overlaps = find_overlaps({s.label: s.path for s in systems if not s.is_text}, test_sets)
    if command.fail_if_worse:
        refuse_seen_gate(test_sets, overlaps)
    check_rated_sets(ratings, test_sets)
    check_texts(systems, test_sets)
    output.clear()
    wait_for_everyone()
    engines: Engines = {}
    hypotheses = translate_systems(systems, test_sets, output.write_translations, engines)
    runs = {system.label: system.run for system in systems if system.run}
    training = next((load_splits(run)["train"] for run in runs.values() if run.data.is_dir()), None)
    evaluation = evaluate_all(test_sets, hypotheses, command.resamples, glossary, training, overlaps)
    evaluation.preferences = read_ratings(ratings, hypotheses) if ratings else []
    evaluation.curves = {label: read_curve(run) for label, run in runs.items()}
    evaluation.remarks += remarks_on(runs)
    describe_search(evaluation, searches_of(systems), engines)
    facts = describe_comparison(
        systems,
        command.test_sets | command.general,
        glossary=command.glossary,
        ratings=command.ratings,
        engines=engines,
    )
    kind = "Comparison" if len(systems) > 1 else "Evaluation"
    title = f"{kind} of {', '.join(s.label for s in systems)}"
    write_evaluation(output, evaluation, title, facts, glossary=glossary)
    return evaluation


def _print_results(command: EvaluateCommand, evaluation: Evaluation) -> None:
    from mt.report.score_table import as_text

    print(as_text(evaluation))
    print(f"report: {command.output_dir}/report.html")


def _judge(command: EvaluateCommand, evaluation: Evaluation, prog: str) -> int:
    """The exit status by `--fail_if_worse`; stderr says which comparison caused it."""
    from mt.evaluation.verdicts import verdict

    worse = [c for metric in command.fail_if_worse for c in evaluation.significantly_worse(metric)]
    for comparison in worse:
        sentence = verdict(evaluation, comparison.system, comparison.test_set, comparison.metric)
        print(f"{prog}: {sentence}", file=sys.stderr)
    refused = [c for metric in command.fail_if_worse for c in evaluation.without_verdict(metric)]
    for comparison in refused:
        print(
            f"{prog}: --fail_if_worse {comparison.metric}: no verdict on {comparison.system}: {comparison.refused}",
            file=sys.stderr,
        )
    return 3 if worse else 1 if refused else 0


def claim_output(command: EvaluateCommand, systems: Sequence[System]) -> RunDirectory:
    """The output directory, ours until the end of the context that it is.

    Raises `RunError` if it holds a run, what we did not write, an input or, without `overwrite`, an earlier evaluation.
    """
    root = Path(command.output_dir)
    paths = {f"the test set `{name}`": corpus.path for name, corpus in (command.test_sets | command.general).items()}
    paths |= {f"the system `{system.label}`": system.path for system in systems if Path(system.path).exists()}
    paths |= {f"the ratings {number}": file for number, file in enumerate(command.ratings, start=1)}
    paths |= {"the glossary": command.glossary} if command.glossary else {}
    return RunDirectory(root, claim(root, EVALUATION, paths, overwrite=command.overwrite))


@dataclass(frozen=True)
class EvaluateCommand:
    """What `evaluate.py` was asked to do."""

    systems: list[str]
    test_sets: dict[str, CorpusConfig]
    general: dict[str, CorpusConfig]
    output_dir: str
    overwrite: bool
    fail_if_worse: list[str]
    resamples: int
    resampling: Literal["auto", "sentence", "document"]
    glossary: str | None
    ratings: list[str]
    model: dict[str, Any]
    """The typed options by name, as in `decoding`; for the others a run has its own values."""
    decoding: dict[str, Any]
    no_cache: bool


def evaluate_parser(prog: str) -> QuietParser:
    """The parser behind `evaluate.py --help`."""
    parser = QuietParser(
        prog=prog,
        usage="%(prog)s SYSTEM [SYSTEM ...] [--test_set NAME=FILE ...] [--output_dir DIR] [--section.key VALUE ...]",
        description="Score systems on test sets and compare them with the first one, the baseline.",
    )
    parser.add_argument(
        "systems",
        nargs="+",
        metavar="SYSTEM",
        help="a run directory, a model directory (CTranslate2's, too), a hub name, a text file of translations, or a "
        "directory with one per test set, NAME.txt; label=SYSTEM names it; the first one is the baseline; a run "
        "translates as it was scored, with its languages, search, tag and terms; its base and RUN/model the same way, "
        "but without tag and terms",
    )
    _add_inputs(parser)
    _add_outputs(parser)
    parser.add_class_arguments(ModelConfig, "model", skip=NOT_FOR_DECODING)
    parser.add_class_arguments(DecodingConfig, "decoding")
    return parser


def _add_inputs(parser: QuietParser) -> None:
    add_test_set(parser, TESTED_ON)
    parser.add_argument(
        "--general",
        action="append",
        default=[],
        metavar="NAME=FILE",
        type=str,
        help="further test sets, of general text: a loss there is what a model has forgotten",
    )
    parser.add_argument(
        "--glossary",
        metavar="FILE",
        type=str | None,
        default=None,
        help="terms for the fidelity checks: a table of english, arabic and kind; default: the one included in mt",
    )
    parser.add_argument(
        "--ratings",
        action="append",
        default=[],
        metavar="FILE",
        type=str,
        help="what a reviewer exported from the page of `mt review`; may be given several times",
    )


def _add_outputs(parser: QuietParser) -> None:
    parser.add_argument("--output_dir", default="runs/evaluation", help="where scores, translations and report go")
    parser.add_argument("--overwrite", action="store_true", help="replace the evaluation in the output directory")
    parser.add_argument(
        "--fail_if_worse",
        metavar="METRIC",
        action="append",
        type=str,
        default=[],
        help="exit 3 if a system is significantly worse than the baseline by BLEU, chrF, chrF++ or TER; repeatable",
    )
    parser.add_argument(
        "--no_cache", action="store_true", help="translate anew what was translated before, and do not keep it"
    )
    parser.add_argument("--resamples", type=int, default=1000, help="behind intervals and p-values, at least 100")
    parser.add_argument(
        "--resampling",
        type=Literal["auto", "sentence", "document"],
        default="auto",
        help="what resamples are drawn from; sentences of one document are not independent, so auto draws documents "
        "where a test set names at least 20 of them",
    )


def parse_evaluate(argv: Sequence[str], prog: str) -> EvaluateCommand:
    """The command in `argv`. Raises `UsageError` or `ConfigError`."""
    parser = evaluate_parser(prog)
    options = parse_or_help(parser, argv)
    for metric in options.fail_if_worse:
        if metric not in _METRICS:
            raise UsageError(f"--fail_if_worse takes one of {', '.join(_METRICS)}, got {metric}")
    if options.fail_if_worse and len(options.systems) < 2:
        raise UsageError("--fail_if_worse compares systems with the first one; name at least two")
    require(options.resamples >= 100, "--resamples", "be at least 100", options.resamples)
    require_at_most("--resamples", options.resamples, 1_000_000)
    test_sets = named_files("--test_set", options.test_set)
    general = named_files("--general", options.general)
    for name in test_sets.keys() & general.keys():
        raise UsageError(f"--general {name} has the name of a --test_set; names must differ")
    check_distinct([*test_sets, *general], "the test sets")
    return EvaluateCommand(
        options.systems,
        test_sets,
        general,
        options.output_dir,
        options.overwrite,
        options.fail_if_worse,
        options.resamples,
        options.resampling,
        options.glossary,
        options.ratings,
        *typed_sections(parser, argv, is_scored=True),
        options.no_cache,
    )


def check_evaluate(command: EvaluateCommand) -> None:
    """`evaluate.py`: test sets, tables, ratings, systems and the output directory."""
    check_corpora(command.test_sets | command.general)
    check_tables([command.glossary, command.decoding.get("terminology")])
    check_reviewers([read_ratings_file(Path(file)) for file in command.ratings])
    check_systems(command.systems)
    check_output(Path(command.output_dir), EVALUATION, {}, overwrite=command.overwrite)
