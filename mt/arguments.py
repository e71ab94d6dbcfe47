"""Command line and YAML file in, `Config` out."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NoReturn

import yaml
from jsonargparse import ArgumentError as ParseError
from jsonargparse import ArgumentParser, Namespace, set_parsing_settings

from mt.argument_errors import one_sentence
from mt.config import Config, CorpusConfig, DecodingConfig, ModelConfig
from mt.errors import ConfigError

set_parsing_settings(docstring_parse_attribute_docstrings=True)

# The names in mt.evaluation.metrics, which takes seconds to import.
_METRICS = ("BLEU", "chrF", "chrF++", "TER")
_USAGE = ("unrecognized", "not accept", "required", "expected one argument")
_NOT_FOR_DECODING = {"name", "scratch", "skip_doctor", "dropout"}
_CORPUS_KEYS = (("data", "corpora"), ("evaluation", "test_sets"), ("evaluation", "general"))
_SINGLE_CORPUS = ("training", "general_dev")


class UsageError(Exception):
    """A command line that cannot be understood; the program exits 2."""


class QuietParser(ArgumentParser):
    """An ArgumentParser that raises and leaves it to the caller to speak."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        raise ex if isinstance(ex, ParseError) else ParseError(None, message)


@dataclass(frozen=True)
class TrainCommand:
    """What `train.py` was asked to do."""

    config: Config
    resume: bool
    overwrite: bool


def train_parser(prog: str) -> ArgumentParser:
    """The parser behind `train.py --help`: every option of `Config`, its docstring as help text."""
    usage = "%(prog)s CONFIG [--section.key VALUE ...] [--output_dir DIR] [--resume | --overwrite]"
    description = "Build the data, fine-tune, score the base and the tuned model, write the report."
    parser = _config_parser(prog, usage, description)
    parser.add_argument("--resume", action="store_true", help="go on with the run in the output directory")
    parser.add_argument("--overwrite", action="store_true", help="replace the run in the output directory")
    return parser


def _config_parser(prog: str, usage: str, description: str) -> ArgumentParser:
    parser = QuietParser(prog=prog, usage=usage, description=description, exit_on_error=False, default_meta=False)
    parser.add_argument("--config", action="config", help="the same as CONFIG, the first argument")
    parser.add_class_arguments(Config)
    return parser


def parse_data(argv: Sequence[str], prog: str) -> Config:
    """The config whose data `mt data` builds. Raises `UsageError` or `ConfigError`."""
    description = "Build and inspect the data of a config without training; the options are those of `mt train`."
    parser = _config_parser(prog, "%(prog)s CONFIG [--section.key VALUE ...] [--output_dir DIR]", description)
    return _instantiate(parser, _parse_with_config(parser, argv, prog))


@dataclass(frozen=True)
class SearchRange:
    """Between which values an option is searched, both included."""

    low: float
    high: float
    is_log: bool
    is_whole: bool

    @classmethod
    def parse(cls, text: str) -> SearchRange:
        """From `LOW:HIGH` or `LOW:HIGH:log`. Raises `UsageError`."""
        low, _, rest = text.partition(":")
        high, _, scale = rest.partition(":")
        try:
            limits = cls(float(low), float(high), scale == "log", all(re.fullmatch(r"\d+", x) for x in (low, high)))
        except ValueError as error:
            raise UsageError(f"--search takes KEY=LOW:HIGH or KEY=LOW:HIGH:log, got {text}") from error
        if scale not in ("", "log") or not limits.low < limits.high or (limits.is_log and limits.low <= 0):
            raise UsageError(f"--search takes KEY=LOW:HIGH, LOW below HIGH (with :log, above 0), got {text}")
        return limits


@dataclass(frozen=True)
class SweepCommand:
    """What `mt sweep` was asked to do."""

    base: Config
    config: Callable[[Mapping[str, str]], Config]
    """The base with some options set to other values, as they would be typed."""
    grid: dict[str, list[str]]
    search: dict[str, SearchRange]
    trials: int
    output_dir: str


def parse_sweep(argv: Sequence[str], prog: str) -> SweepCommand:
    """The command in `argv`, every value of a grid tried on the parser. Raises `UsageError` or `ConfigError`."""
    usage = (
        "%(prog)s CONFIG (--grid KEY=V1,V2 ... | --search KEY=LOW:HIGH[:log] ... --trials N) [--section.key VALUE ...]"
    )
    parser = _config_parser(
        prog, usage, "Train a config with several values of its options and compare the dev scores."
    )
    parser.add_argument(
        "--grid",
        action="append",
        default=[],
        metavar="KEY=V1,V2",
        type=str,
        help="try every combination of these values",
    )
    parser.add_argument(
        "--search",
        action="append",
        default=[],
        metavar="KEY=LOW:HIGH[:log]",
        type=str,
        help="let Optuna choose values between these; `log`: on a logarithmic scale; needs the extra `sweep`",
    )
    parser.add_argument("--trials", type=int, default=20, help="how many runs a search makes")
    options = _parse_with_config(parser, argv, prog)
    if bool(options.grid) == bool(options.search):
        raise UsageError("say either --grid or --search, as in --grid training.learning_rate=1e-5,3e-5")
    if options.trials < 1:
        raise UsageError(f"--trials must be at least 1, got {options.trials}")
    grid = {key: text.split(",") for key, text in map(_key_and_values, options.grid)}
    search = {key: SearchRange.parse(text) for key, text in map(_key_and_values, options.search)}

    def config(values: Mapping[str, str]) -> Config:
        given = [part for key, value in values.items() for part in (f"--{key}", value)]
        return _instantiate(parser, _parse_with_config(parser, [*argv, *given], prog))

    base = config({})
    for key in ("output_dir", "name"):
        if key in grid or key in search:
            raise UsageError(f"{key} names the trials' directories and cannot be swept; say --{key} once")
    for key, choices in (grid | {key: [_written(r, r.low), _written(r, r.high)] for key, r in search.items()}).items():
        for value in choices:
            config({key: value})
    return SweepCommand(base, config, grid, search, options.trials, base.output_dir or f"runs/{base.name}-sweep")


def _written(limits: SearchRange, value: float) -> str:
    return str(int(value)) if limits.is_whole else repr(value)


def _key_and_values(argument: str) -> tuple[str, str]:
    key, _, values = argument.partition("=")
    if not key or not values:
        raise UsageError(f"expected KEY=VALUES, as in training.learning_rate=1e-5,3e-5, got {argument}")
    return key.removeprefix("--"), values


@dataclass(frozen=True)
class EvaluateCommand:
    """What `evaluate.py` was asked to do."""

    systems: list[str]
    test_sets: dict[str, CorpusConfig]
    general: dict[str, CorpusConfig]
    output_dir: str
    overwrite: bool
    fail_if_worse: str | None
    resamples: int
    glossary: str | None
    ratings: list[str]
    model: ModelConfig
    decoding: DecodingConfig
    no_cache: bool


def evaluate_parser(prog: str) -> ArgumentParser:
    """The parser behind `evaluate.py --help`."""
    parser = QuietParser(
        prog=prog,
        usage="%(prog)s SYSTEM [SYSTEM ...] [--test_set NAME=FILE ...] [--output_dir DIR] [--section.key VALUE ...]",
        description="Score systems on test sets and compare them with the first one, the baseline.",
        exit_on_error=False,
        default_meta=False,
    )
    parser.add_argument(
        "systems",
        nargs="+",
        metavar="SYSTEM",
        help="a run directory, a model directory (CTranslate2's, too), a hub name or a text file of translations; "
        "label=SYSTEM names it",
    )
    _add_test_set(parser)
    parser.add_argument(
        "--general",
        action="append",
        default=[],
        metavar="NAME=FILE",
        type=str,
        help="the same for general text: what is lost there is what a model has forgotten",
    )
    parser.add_argument("--output_dir", default="runs/evaluation", help="where scores, translations and report go")
    parser.add_argument("--overwrite", action="store_true", help="replace what is in the output directory")
    parser.add_argument(
        "--fail_if_worse",
        metavar="METRIC",
        type=str | None,
        default=None,
        help="exit 3 if a system is significantly worse than the baseline: BLEU, chrF, chrF++ or TER",
    )
    parser.add_argument(
        "--no_cache", action="store_true", help="translate anew what was translated before, and do not keep it"
    )
    parser.add_argument("--resamples", type=int, default=1000, help="bootstrap resamples behind intervals and p-values")
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
    parser.add_class_arguments(ModelConfig, "model", skip=_NOT_FOR_DECODING)
    parser.add_class_arguments(DecodingConfig, "decoding")
    return parser


def _add_test_set(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--test_set",
        action="append",
        default=[],
        metavar="NAME=FILE",
        type=str,
        help="a corpus of sentence pairs to test on; without any, the test split of the runs",
    )


def parse_evaluate(argv: Sequence[str], prog: str) -> EvaluateCommand:
    """The command in `argv`. Raises `UsageError` or `ConfigError`."""
    parser = evaluate_parser(prog)
    options = _parse_or_help(parser, argv)
    if options.fail_if_worse not in (None, *_METRICS):
        raise UsageError(f"--fail_if_worse takes one of {', '.join(_METRICS)}, got {options.fail_if_worse}")
    if options.resamples < 100:
        raise ConfigError(f"--resamples must be at least 100, got {options.resamples}")
    test_sets = _named_files("--test_set", options.test_set)
    general = _named_files("--general", options.general)
    for name in test_sets.keys() & general.keys():
        raise UsageError(f"--general {name} has the name of a --test_set; names must differ")
    return EvaluateCommand(
        options.systems,
        test_sets,
        general,
        options.output_dir,
        options.overwrite,
        options.fail_if_worse,
        options.resamples,
        options.glossary,
        options.ratings,
        ModelConfig(**vars(options.model)),
        DecodingConfig(**vars(options.decoding)),
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
    model: ModelConfig
    decoding: DecodingConfig


def review_parser(prog: str) -> ArgumentParser:
    """The parser behind `mt review --help`."""
    usage = "%(prog)s A B [--test_set NAME=FILE] [--sentences N] [--output FILE] [--section.key VALUE ...]"
    description = "Write a page on which a person compares two systems' translations without knowing which is which."
    parser = QuietParser(prog=prog, usage=usage, description=description, exit_on_error=False, default_meta=False)
    for name in ("A", "B"):
        parser.add_argument(
            name, metavar=name, type=str, help="a system, as `mt evaluate` takes it; label=SYSTEM names it"
        )
    _add_test_set(parser)
    parser.add_argument("--sentences", type=int, default=100, help="how many sentences the page holds at most")
    parser.add_argument("--output", default="review.html", metavar="FILE", type=str, help="the page to write")
    parser.add_argument("--overwrite", action="store_true", help="replace the page that is there")
    parser.add_argument("--seed", type=int, default=1, help="another seed draws other sentences and sides")
    parser.add_class_arguments(ModelConfig, "model", skip=_NOT_FOR_DECODING)
    parser.add_class_arguments(DecodingConfig, "decoding")
    return parser


def parse_review(argv: Sequence[str], prog: str) -> ReviewCommand:
    """The command in `argv`. Raises `UsageError` or `ConfigError`."""
    options = _parse_or_help(review_parser(prog), argv)
    if options.sentences < 1:
        raise ConfigError(f"--sentences must be at least 1, got {options.sentences}")
    test_sets = _named_files("--test_set", options.test_set)
    if len(test_sets) > 1:
        raise UsageError(f"a page holds one test set, got {', '.join(test_sets)}; make a page of each by --output FILE")
    return ReviewCommand(
        [options.A, options.B],
        test_sets,
        options.sentences,
        options.output,
        options.overwrite,
        options.seed,
        ModelConfig(**vars(options.model)),
        DecodingConfig(**vars(options.decoding)),
    )


def _named_files(option: str, arguments: Sequence[str]) -> dict[str, CorpusConfig]:
    found: dict[str, CorpusConfig] = {}
    for argument in arguments:
        name, separator, path = argument.partition("=")
        if not (name and separator and path) or "/" in name:
            raise UsageError(f"{option} takes NAME=FILE, got {argument}")
        if name in found:
            raise UsageError(f"{option} {name} is given twice; names must differ")
        found[name] = CorpusConfig(path=path)
    return found


@dataclass(frozen=True)
class TranslateCommand:
    """What `mt translate` was asked to do."""

    file: str
    model: ModelConfig
    decoding: DecodingConfig


def parse_doctor(argv: Sequence[str], prog: str) -> ModelConfig:
    """The model that `mt doctor` is asked about. Raises `UsageError` or `ConfigError`."""
    parser = _model_parser(prog, "%(prog)s MODEL [--model.key VALUE ...]", "Check that a model translates at all.")
    options = _parse_or_help(parser, argv)
    return ModelConfig(name=options.name, **vars(options.model))


def parse_translate(argv: Sequence[str], prog: str) -> TranslateCommand:
    """The command in `argv`. Raises `UsageError` or `ConfigError`."""
    usage = "%(prog)s MODEL [FILE] [--section.key VALUE ...]"
    parser = _model_parser(prog, usage, "Translate a text file, one sentence a line, to stdout.")
    parser.add_argument("file", nargs="?", default="-", metavar="FILE", type=str, help="UTF-8 text; default: stdin")
    parser.add_class_arguments(DecodingConfig, "decoding")
    options = _parse_or_help(parser, argv)
    model = ModelConfig(name=options.name, **vars(options.model))
    return TranslateCommand(options.file, model, DecodingConfig(**vars(options.decoding)))


@dataclass(frozen=True)
class ExportCommand:
    """What `mt export` was asked to do."""

    directory: str
    format: Literal["transformers", "ctranslate2"]
    precision: Literal["float16", "bfloat16", "float32", "int8"]
    model: ModelConfig
    decoding: DecodingConfig


def parse_export(argv: Sequence[str], prog: str) -> ExportCommand:
    """The command in `argv`. Raises `UsageError` or `ConfigError`."""
    usage = "%(prog)s MODEL DIRECTORY [--format FORMAT] [--precision PRECISION] [--section.key VALUE ...]"
    parser = _model_parser(prog, usage, "Write a model to a new directory, its weights in the precision asked for.")
    parser.add_argument("directory", metavar="DIRECTORY", type=str, help="new directory to write")
    parser.add_argument(
        "--format",
        type=Literal["transformers", "ctranslate2"],
        default="transformers",
        help="transformers, or ctranslate2: checked to translate alike, decodes several times as fast on a CPU",
    )
    parser.add_argument(
        "--precision",
        type=Literal["float16", "bfloat16", "float32", "int8"],
        default="float16",
        help="float16, float32; bfloat16 for transformers, int8 for ctranslate2",
    )
    parser.add_class_arguments(DecodingConfig, "decoding")
    options = _parse_or_help(parser, argv)
    model = ModelConfig(name=options.name, **vars(options.model))
    if (options.format, options.precision) in (("transformers", "int8"), ("ctranslate2", "bfloat16")):
        raise ConfigError(f"--format {options.format} does not go with --precision {options.precision}; use float16")
    return ExportCommand(
        options.directory, options.format, options.precision, model, DecodingConfig(**vars(options.decoding))
    )


def parse_comet_setup(argv: Sequence[str], prog: str) -> tuple[str, bool]:
    """(COMET's model, whether to overwrite) for `mt comet-setup`. Raises `UsageError`."""
    description = "Install COMET in an environment of its own, where `mt evaluate` finds it."
    usage = "%(prog)s [--model NAME] [--overwrite]"
    parser = QuietParser(prog=prog, usage=usage, description=description, exit_on_error=False, default_meta=False)
    parser.add_argument("--model", type=str, default="Unbabel/wmt22-comet-da", help="hub name of a COMET model")
    parser.add_argument("--overwrite", action="store_true", help="replace the environment that is there")
    options = _parse_or_help(parser, argv)
    return options.model, options.overwrite


def _model_parser(prog: str, usage: str, description: str) -> ArgumentParser:
    parser = QuietParser(prog=prog, usage=usage, description=description, exit_on_error=False, default_meta=False)
    parser.add_argument(
        "name",
        metavar="MODEL",
        type=str,
        help="a model directory, a hub name, or tiny-en-ar, which comes along",
    )
    parser.add_class_arguments(ModelConfig, "model", skip=_NOT_FOR_DECODING)
    return parser


def _parse_or_help(parser: ArgumentParser, argv: Sequence[str]) -> Namespace:
    if "--help" in argv or "-h" in argv:
        parser.print_help()
        raise SystemExit(0)
    return _parse(parser, None, list(argv))


def parse_train(argv: Sequence[str], prog: str) -> TrainCommand:
    """The command in `argv`; overrides win over the file.

    Raises `UsageError` for a command line, `ConfigError` for a config or value, that cannot be used.
    """
    parser = train_parser(prog)
    options = _parse_with_config(parser, argv, prog)
    if options.resume and options.overwrite:
        raise UsageError("--resume and --overwrite exclude each other")
    return TrainCommand(_instantiate(parser, options), options.resume, options.overwrite)


def _parse_with_config(parser: ArgumentParser, argv: Sequence[str], prog: str) -> Namespace:
    if "--help" in argv or "-h" in argv:
        parser.print_help()
        raise SystemExit(0)
    if not argv or argv[0].startswith("-"):
        raise UsageError(f"the first argument is the config, as in: {prog} configs/demo.yaml")
    path = Path(argv[0])
    file_arguments = ["--config", json.dumps(_read_yaml(path))]
    _parse(parser, path, file_arguments)  # the file alone, so that its own mistakes carry its name
    return _parse(parser, None, [*file_arguments, *map(_spell_out_option, argv[1:])])


def config_as_yaml(config: Config) -> str:
    """`config` as a YAML file that `train.py` takes."""
    return yaml.safe_dump(_plain(config), allow_unicode=True, sort_keys=False, width=100)


def _plain(value: object) -> object:
    if hasattr(value, "__dataclass_fields__"):
        return {name: _plain(getattr(value, name)) for name in value.__dataclass_fields__}
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return list(value) if isinstance(value, tuple | list) else value


def _read_yaml(path: Path) -> dict[str, object]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: no such config file (seen from {Path.cwd()}); see configs/ for examples") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: the config cannot be read ({error})") from error
    except yaml.YAMLError as error:
        where = getattr(error, "problem_mark", None)
        place = f"{path}:{where.line + 1}" if where else str(path)
        raise ConfigError(f"{place}: not valid YAML ({getattr(error, 'problem', error)})") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: expected `key: value` lines, found {type(content).__name__}")
    sections = [name for name, option in Config.__dataclass_fields__.items() if "Config" in str(option.type)]
    for name in sections:
        if not isinstance(content.get(name, {}), dict):
            raise ConfigError(f"{path}: `{name}` is a section, so `key: value` lines belong under it")
    return _spell_out_file(_numbers(content))


def _spell_out_file(content: Any) -> dict[str, object]:
    """A bare path in place of a corpus stands for a corpus with default options."""
    for section, key in _CORPUS_KEYS:
        corpora = content.get(section, {}).get(key)
        if isinstance(corpora, dict):
            named = {name: {"path": corpus} if isinstance(corpus, str) else corpus for name, corpus in corpora.items()}
            content[section][key] = named
    section, key = _SINGLE_CORPUS
    if isinstance(path := content.get(section, {}).get(key), str):
        content[section][key] = {"path": path}
    return content  # type: ignore[no-any-return]


def _spell_out_option(argument: str) -> str:
    """Likewise on the command line: `--data.corpora.news FILE` means `--data.corpora.news.path FILE`."""
    keys = "|".join(rf"{section}\.{key}" for section, key in _CORPUS_KEYS)
    single = r"\.".join(_SINGLE_CORPUS)
    return re.sub(rf"^(--(?:(?:{keys})\.[^.=]+|{single}))(?==|$)", r"\1.path", argument)


def _numbers(value: Any) -> Any:
    """PyYAML reads `2e-5` as text; YAML 1.2, and everyone who writes configs, means a number."""
    if isinstance(value, dict):
        return {key: _numbers(item) for key, item in value.items()}
    if isinstance(value, str) and re.fullmatch(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+", value):
        return float(value)
    return value


def _parse(parser: ArgumentParser, path: Path | None, arguments: list[str]) -> Namespace:
    try:
        return parser.parse_args(arguments)
    except (ParseError, TypeError, KeyError) as error:
        message = one_sentence(str(error))
        if path is not None:
            raise ConfigError(f"{path}: {message}") from error
        # An unknown option is a matter of usage, an impossible value one of configuration.
        kind = UsageError if any(words in message for words in _USAGE) else ConfigError
        raise kind(message) from error


def _instantiate(parser: ArgumentParser, options: Namespace) -> Config:
    try:
        made = parser.instantiate(options)
    except ValueError as error:
        # Inside an optional section our own message comes wrapped in jsonargparse's.
        ours = re.search(r"[\w.]+ must .*, got .*", str(error))
        raise ConfigError(ours.group() if ours else one_sentence(str(error))) from error
    return Config(**{name: made[name] for name in Config.__dataclass_fields__})
