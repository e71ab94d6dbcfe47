"""The command lines of `evaluate.py` and `mt review`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from mt.arguments.parsing import NOT_FOR_DECODING, QuietParser, UsageError, parse_or_help, typed_options
from mt.config import CorpusConfig, DecodingConfig, ModelConfig
from mt.config.checks import require, require_at_most
from mt.files import check_distinct, check_name

# The names in mt.evaluation.metrics, which takes seconds to import.
_METRICS = ("BLEU", "chrF", "chrF++", "TER")
_TESTED_ON = "sentence pairs to test on, in any format of a corpus; repeatable; default: the test split of the runs"


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
    """The options that were typed, by name; what is not typed, a run may know better. Likewise `decoding`."""
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
        "translates as it was scored, by its languages, search, tag and terms; its base and RUN/model likewise, but "
        "without tag and terms",
    )
    add_test_set(parser, _TESTED_ON)
    parser.add_argument(
        "--general",
        action="append",
        default=[],
        metavar="NAME=FILE",
        type=str,
        help="further test sets, of general text: what is lost there is what a model has forgotten",
    )
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
    parser.add_argument(
        "--glossary",
        metavar="FILE",
        type=str | None,
        default=None,
        help="terms for the fidelity checks: a table of english, arabic and kind; default: the one that comes along",
    )
    parser.add_argument(
        "--ratings",
        action="append",
        default=[],
        metavar="FILE",
        type=str,
        help="what a reviewer exported from the page of `mt review`; may be given several times",
    )
    parser.add_class_arguments(ModelConfig, "model", skip=NOT_FOR_DECODING)
    parser.add_class_arguments(DecodingConfig, "decoding")
    return parser


def add_test_set(parser: QuietParser, purpose: str) -> None:
    """`--test_set NAME=FILE`, repeatable; `purpose` is its help text."""
    parser.add_argument(
        "--test_set",
        action="append",
        default=[],
        metavar="NAME=FILE",
        type=str,
        help=purpose,
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
        *_typed(parser, argv),
        options.no_cache,
    )


@dataclass(frozen=True)
class ReviewCommand:
    """What `mt review` was asked to do."""

    systems: list[str]
    """Two of them."""
    test_sets: dict[str, CorpusConfig]
    """At most one."""
    sentences: int
    output: str
    overwrite: bool
    seed: int
    model: dict[str, Any]
    """The options that were typed, by name; what is not typed, a run may know better. Likewise `decoding`."""
    decoding: dict[str, Any]


def review_parser(prog: str) -> QuietParser:
    """The parser behind `mt review --help`."""
    usage = "%(prog)s A B [--test_set NAME=FILE] [--sentences N] [--output FILE] [--section.key VALUE ...]"
    description = "Write a page on which a person compares two systems' translations without knowing which is which."
    parser = QuietParser(prog=prog, usage=usage, description=description)
    for name in ("A", "B"):
        parser.add_argument(
            name, metavar=name, type=str, help="a system, as `mt evaluate` takes it; label=SYSTEM names it"
        )
    add_test_set(parser, _TESTED_ON)
    parser.add_argument("--sentences", type=int, default=100, help="how many sentences the page holds at most")
    parser.add_argument("--output", default="review.html", metavar="FILE", type=str, help="the page to write")
    parser.add_argument("--overwrite", action="store_true", help="replace the page that is there")
    parser.add_argument("--seed", type=int, default=1, help="another seed draws other sentences and sides")
    parser.add_class_arguments(ModelConfig, "model", skip=NOT_FOR_DECODING)
    parser.add_class_arguments(DecodingConfig, "decoding")
    return parser


def parse_review(argv: Sequence[str], prog: str) -> ReviewCommand:
    """The command in `argv`. Raises `UsageError` or `ConfigError`."""
    parser = review_parser(prog)
    options = parse_or_help(parser, argv)
    require(options.sentences >= 1, "--sentences", "be at least 1", options.sentences)
    test_sets = named_files("--test_set", options.test_set)
    if len(test_sets) > 1:
        raise UsageError(f"a page holds one test set, got {', '.join(test_sets)}; make a page of each by --output FILE")
    return ReviewCommand(
        [options.A, options.B],
        test_sets,
        options.sentences,
        options.output,
        options.overwrite,
        options.seed,
        *_typed(parser, argv),
    )


def _typed(parser: QuietParser, argv: Sequence[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The options of the sections `model` and `decoding` that were typed. Raises `ConfigError`."""
    model, decoding = (typed_options(parser, argv, section) for section in ("model", "decoding"))
    # References are Arabic.
    ModelConfig(**model).require_english_to_arabic()
    DecodingConfig(**decoding)
    return model, decoding


def named_files(option: str, arguments: Sequence[str]) -> dict[str, CorpusConfig]:
    """The files of NAME=FILE arguments by name. Raises `UsageError` or `RunError`."""
    found: dict[str, CorpusConfig] = {}
    for argument in arguments:
        name, separator, path = argument.partition("=")
        if not (name and separator and path):
            raise UsageError(f"{option} takes NAME=FILE, got {argument}")
        if name in found:
            raise UsageError(f"{option} {name} is given twice; names must differ")
        found[check_name(name, f"{option}: the name")] = CorpusConfig(path=path)
    return found
