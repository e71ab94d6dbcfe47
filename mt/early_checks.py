"""What of a command can be refused in the first second, before torch and transformers are imported.

Files that are missing, output directories that are taken, models and systems that are not there. Everything raises a
`UserError`. The commands check again what others may have changed since.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from mt.arguments import EvaluateCommand, ReviewCommand, SweepCommand, TrainCommand, TranslateCommand
from mt.config import Config, CorpusConfig, DataConfig
from mt.data.readers import check_corpus
from mt.errors import ConfigError, DataError, RunError
from mt.evaluation.glossary import Glossary
from mt.evaluation.rating_files import check_reviewers, read_ratings_file
from mt.extension import find_changes
from mt.input_paths import paths_of, tables_of
from mt.model_files import check_model_name, shown
from mt.outputs import refuse_taken
from mt.reading import is_directory, is_file
from mt.runs import DATA_BUILD, EVALUATION, SWEEP, RunDirectory, check_run_directory
from mt.system_names import refuse_missing_file, split_label


def check_train(command: TrainCommand) -> None:
    """`train.py`: the config's files and the run directory."""
    config = command.config
    check_config(config)
    root = Path(config.output_dir or f"runs/{config.name}")
    check_run_directory(root, paths_of(config), resume=command.resume, overwrite=command.overwrite)
    if command.resume:
        find_changes(RunDirectory(root), config)


def check_sweep(command: SweepCommand) -> None:
    """`mt sweep`: the config's files and the directory of the trials."""
    check_config(command.base)
    refuse_taken(Path(command.output_dir), SWEEP, paths_of(command.base))


def check_inspection(config: Config) -> None:
    """`mt data`: the config's files and the output directory."""
    check_data_files(config)
    refuse_taken(data_directory(config), DATA_BUILD, paths_of(config))


def data_directory(config: Config) -> Path:
    """Where `mt data` writes."""
    return Path(config.output_dir or f"runs/{config.name}-data")


def check_config(config: Config) -> None:
    """Everything that a config names is there, and there is something to train and to test on."""
    check_data(config.data)
    check_corpora(config.held_out_sets)
    check_tables(tables_of(config).values())
    check_held_out(config)
    if config.data.test_share == 0 and not config.evaluation.named_sets:
        raise ConfigError("nothing to test on: raise data.test_share above 0 or name a file in evaluation.test_sets")
    if config.data.dev_share == 0:
        raise ConfigError("data.dev_share is 0, so no checkpoint could be chosen; raise it")
    if config.model.scratch is None:
        check_model_name(config.model.name)


def check_held_out(config: Config) -> None:
    """Raise `ConfigError` where every corpus is for training, so that none is left to choose or test a model by."""
    splits = {corpus.own_split for corpus in config.data.corpora.values()}
    remedy = "add your own sentences, as in --data.corpora.news news.tsv, or change `split`"
    names = " and ".join(f"`{name}`" for name in config.data.corpora)
    if not splits & {None, "dev"}:
        raise ConfigError(
            f"{names} have a split of their own, so no sentence is left to choose a checkpoint by: {remedy}"
        )
    if not splits & {None, "test"} and not config.evaluation.named_sets:
        raise ConfigError(f"{names} have a split of their own, so no sentence is left to test on: {remedy}")


def check_data_files(config: Config) -> None:
    """The corpora and the test sets that `mt data` reads are there."""
    check_data(config.data)
    check_corpora(config.evaluation.named_sets)


def check_data(config: DataConfig) -> None:
    """Refuse what cannot be built: no corpus, a missing file, an unknown format."""
    if not config.corpora:
        raise ConfigError("data.corpora is empty; name at least one corpus, as in --data.corpora.news news.tsv")
    check_corpora(config.corpora)


def check_corpora(corpora: Mapping[str, CorpusConfig]) -> None:
    """Their files are there, in formats that are known."""
    for name, corpus in corpora.items():
        check_corpus(name, corpus)


def check_tables(paths: Iterable[str | None]) -> None:
    """Tables of terms that are named can be read."""
    for path in paths:
        if path is not None:
            Glossary.read(Path(path))


def check_evaluate(command: EvaluateCommand) -> None:
    """`evaluate.py`: test sets, tables, ratings, systems and the output directory."""
    check_corpora(command.test_sets | command.general)
    check_tables([command.glossary, command.decoding.get("terminology")])
    check_reviewers([read_ratings_file(Path(file)) for file in command.ratings])
    check_systems(command.systems)
    refuse_taken(Path(command.output_dir), EVALUATION, {}, overwrite=command.overwrite)


def check_review(command: ReviewCommand) -> None:
    """`mt review`: test sets, tables, systems and the page."""
    check_corpora(command.test_sets)
    check_tables([command.decoding.get("terminology")])
    check_systems(command.systems)
    check_page(Path(command.output), command.overwrite)


def check_page(output: Path, overwrite: bool) -> None:
    """The page of a review replaces no other one unasked.

    A browser keeps the ratings, but only the page they were given on can export them.
    """
    if output.is_dir():
        raise RunError(f"{output}: is a directory; say --output FILE")
    if output.exists() and not overwrite:
        raise RunError(
            f"{output}: exists, and may be under review; replace it by --overwrite or choose another --output"
        )


def check_systems(arguments: Sequence[str]) -> None:
    """Every SYSTEM that can only be a file or a directory is one."""
    for argument in arguments:
        path = split_label(argument)[1]
        refuse_missing_file(path)
        if not is_file(path) and not is_directory(path):
            check_model_name(path)


def check_translate(command: TranslateCommand) -> None:
    """`mt translate`: the model, the text and the terms."""
    check_model_argument(command.name)
    if command.file != "-" and not is_file(command.file):
        raise DataError(f"{shown(command.file)}: no such text file (seen from {Path.cwd()})")
    check_tables([command.decoding.get("terminology")])


def check_model_argument(name: str) -> None:
    """A MODEL that is no directory has the form of a hub name or comes along; directories are looked into later."""
    if not is_directory(name):
        check_model_name(name)
