"""`mt comet-setup`: COMET, a learned metric, in an environment of its own."""

from __future__ import annotations

from collections.abc import Sequence

from mt.commands.environment import quiet_libraries
from mt.config.parsing import QuietParser, parse_or_help


def run(argv: Sequence[str], prog: str) -> int:
    """Install COMET and print where. Raises `UserError`s."""
    model, overwrite = parse_comet_setup(argv, prog)
    quiet_libraries()
    from mt.evaluation.comet import comet_root
    from mt.evaluation.comet_setup import set_up_comet

    setup = set_up_comet(model, overwrite)
    print(f"COMET: {setup.signature}\nenvironment: {comet_root()}")
    return 0


def parse_comet_setup(argv: Sequence[str], prog: str) -> tuple[str, bool]:
    """(COMET's model, whether to overwrite) for `mt comet-setup`. Raises `UsageError`."""
    description = "Install COMET in an environment of its own, where `mt evaluate` finds it."
    usage = "%(prog)s [--model NAME] [--overwrite]"
    parser = QuietParser(prog=prog, usage=usage, description=description)
    parser.add_argument("--model", type=str, default="Unbabel/wmt22-comet-da", help="hub name of a COMET model")
    parser.add_argument("--overwrite", action="store_true", help="replace the environment that is there")
    options = parse_or_help(parser, argv)
    return options.model, options.overwrite
