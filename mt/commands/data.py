"""`mt data`: build and inspect the data of a config, without training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mt.commands.environment import quiet_libraries
from mt.commands.train import print_estimate
from mt.config import Config
from mt.config.input_paths import paths_of
from mt.config.parsing import config_parser, instantiate_config, parse_with_config
from mt.experiment.early_checks import check_config, check_data_files
from mt.files import write_text
from mt.outputs import check_output, claim
from mt.runs import DATA_BUILD, RunDirectory


def run(argv: Sequence[str], prog: str) -> int:
    """Build the data, write the data card, print where they are, perhaps what training takes. Raises `UserError`s."""
    command = parse_data(argv, prog)
    check_data_command(command)
    quiet_libraries()
    directory, summary = inspect_data(command.config, as_tsv=command.as_tsv)
    print(f"{summary}\ncard:     {directory}/data_card.html\nrejected: {directory}/rejected.tsv")
    if command.estimate:
        print()
        print_estimate(command.config)
    return 0


def inspect_data(config: Config, *, as_tsv: bool = False) -> tuple[Path, str]:
    """Build the data and write `data/`, `data_card.md`, `data_card.html`, `data_report.json` and `rejected.tsv`.

    Returns the directory, `runs/<name>-data` unless the config says otherwise, and one line of numbers.
    """
    from mt.data.cache import cached_build
    from mt.experiment.data import take_data
    from mt.models.pair_scoring import scorer_of
    from mt.report.data_card import card_view, licences_of, summary
    from mt.report.data_page import render_data_card

    check_data_files(config)
    held_out = config.evaluation.named_sets
    root = data_directory(config)
    with RunDirectory(root, claim(root, DATA_BUILD, paths_of(config))) as run:
        build = cached_build(config.data, held_out, config.model.languages, scorer_of(config))
        run.clear()
        report = take_data(config, build, run, as_tsv=as_tsv)
        view = card_view(report, config.model.languages, licences_of(config.data.corpora))
        card = render_data_card(f"Data of {config.name}", view)
        write_text(run.root / "data_card.html", card)
    return root, summary(report)


def data_directory(config: Config) -> Path:
    """Where `mt data` writes."""
    return Path(config.output_dir or f"runs/{config.name}-data")


@dataclass(frozen=True)
class DataCommand:
    """The parsed command line of `mt data`."""

    config: Config
    as_tsv: bool
    estimate: bool
    """Whether to say what a training on the data would take, too."""


def parse_data(argv: Sequence[str], prog: str) -> DataCommand:
    """The command in `argv`. Raises `UsageError` or `ConfigError`."""
    description = "Build and inspect the data of a config without training. The options are those of `mt train`."
    parser = config_parser(
        prog,
        "%(prog)s CONFIG [--config FILE ...] [--section.key VALUE ...] [--output_dir DIR] [--export tsv] [--estimate]",
        description,
    )
    parser.add_argument(
        "--export",
        type=Literal["tsv"] | None,
        default=None,
        metavar="FORMAT",
        help="tsv: also write the splits as tables: data/train.tsv, dev.tsv and test.tsv",
    )
    parser.add_argument(
        "--estimate",
        action="store_true",
        help="also say what memory and how long a training would take, as `mt train --dry_run` does",
    )
    options = parse_with_config(parser, argv, prog)
    return DataCommand(instantiate_config(parser, options), options.export == "tsv", options.estimate)


def check_data_command(command: DataCommand) -> None:
    """Check the config's files and the output directory before slow work. Raises `UserError`s."""
    config = command.config
    if command.estimate:
        check_config(config)
    check_data_files(config)
    check_output(data_directory(config), DATA_BUILD, paths_of(config))
