"""`mt configs`: the recipes that come with mt, to list and to copy."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mt.config.parsing import QuietParser, parse_or_help
from mt.config.yaml_files import parse_yaml
from mt.errors import ConfigError, RunError, UsageError
from mt.files import printable, write_bytes, writing

# In a checkout these are links to configs/ and data/, in an installed package the files themselves.
ASSETS = Path(__file__).parent.parent / "assets"
RECIPES = ASSETS / "configs"
# The comments in recipes are written for a checkout; an installed package has neither train.py nor configs/.
_COMMANDS = {
    "accelerate launch train.py": "accelerate launch --module mt.cli train",
    "python train.py": "mt train",
    "configs/": "",
}


def run(argv: Sequence[str], prog: str) -> int:
    """List the recipes, or write one together with the data it names. Raises `UserError`s."""
    command = parse_configs(argv, prog)
    if command.name is None:
        print("\n".join(recipe_table()))
        print(f"\n{prog} NAME writes one to the current directory, together with the data it names")
        return 0
    recipe = find_recipe(command.name)
    output = Path(command.output or recipe.name)
    for line in write_recipe(recipe, output):
        print(line)
    return 0


@dataclass(frozen=True)
class ConfigsCommand:
    """What `mt configs` was asked to do."""

    name: str | None
    """None: list all."""
    output: str | None
    """Default: the recipe's own file name, in the current directory."""


def parse_configs(argv: Sequence[str], prog: str) -> ConfigsCommand:
    """The command in `argv`. Raises `UsageError`."""
    parser = QuietParser(
        prog=prog,
        usage="%(prog)s [NAME] [--output FILE]",
        description="List the recipes that come with mt, or write one, together with the data it names, to start from.",
    )
    parser.add_argument(
        "name", metavar="NAME", nargs="?", type=str | None, default=None, help="the recipe to write; default: list all"
    )
    parser.add_argument(
        "--output",
        metavar="FILE",
        type=str | None,
        default=None,
        help="the file to write, which must be new; default: NAME.yaml. The data goes to data/ in the current "
        "directory, because paths in a config are relative to that",
    )
    options = parse_or_help(parser, argv)
    if options.output is not None and options.name is None:
        raise UsageError(f"--output needs the NAME of a recipe, as in: {prog} demo --output {options.output}")
    return ConfigsCommand(options.name, options.output)


def recipe_table() -> list[str]:
    """One line per recipe: its name and what it is for."""
    recipes = sorted(RECIPES.glob("*.yaml"))
    width = max(len(recipe.stem) for recipe in recipes)
    return [f"{recipe.stem:<{width}}  {summary_of(recipe.read_text(encoding='utf-8'))}" for recipe in recipes]


def summary_of(recipe: str) -> str:
    """The first sentence of the comment that a recipe begins with."""
    comment = re.match(r"(?:# .*\n)*", recipe)
    text = " ".join(line.removeprefix("# ") for line in (comment[0] if comment else "").splitlines())
    # The full stop of a sentence is followed by a space, that of 29.7 BLEU is not.
    return re.split(r"(?<=\.)\s", text, maxsplit=1)[0]


def find_recipe(name: str) -> Path:
    """The recipe called `name`, with or without `.yaml`. Raises `ConfigError` for any other name."""
    recipes = {recipe.stem: recipe for recipe in sorted(RECIPES.glob("*.yaml"))}
    stem = name.removesuffix(".yaml")
    if stem not in recipes:
        near = difflib.get_close_matches(stem, recipes, n=1)
        meant = f" (did you mean {near[0]}?)" if near else ""
        raise ConfigError(f"{name}: no such recipe{meant}; there are {', '.join(recipes)}")
    return recipes[stem]


def write_recipe(recipe: Path, output: Path) -> list[str]:
    """Write `recipe` to `output`, and the data it names to the same paths below the current directory.

    Returns what was done, one line per file. Data files that already exist are kept. Raises `RunError` if `output`
    already exists or something cannot be written.
    """
    if os.path.lexists(output):
        raise RunError(f"{printable(output)}: already exists; choose another file with --output FILE")
    text = recipe.read_text(encoding="utf-8")
    lines = [line for name in bundled_files(text) if (line := _write_data(name))]
    for checkout, installed in _COMMANDS.items():
        text = text.replace(checkout, installed)
    write_bytes(output, text.encode(), make_parents=True)
    return [*lines, f"wrote {printable(output)}"]


def bundled_files(recipe: str) -> list[str]:
    """The paths in a recipe whose files come with mt, each once, in the order of the recipe."""
    paths = [text for text in _texts(parse_yaml(recipe)) if text.startswith("data/")]
    return [path for path in dict.fromkeys(paths) if (ASSETS / path).is_file()]


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)


def _write_data(name: str) -> str:
    """What was done about a bundled file; empty if an identical one is already there."""
    content = (ASSETS / name).read_bytes()
    with writing(Path(name)):
        if not os.path.lexists(name):
            write_bytes(Path(name), content, make_parents=True)
            return f"wrote {name}"
        is_same = Path(name).read_bytes() == content
    return "" if is_same else f"kept {name}, which differs from the file that comes with mt"
