"""`mt doctor`: whether a model translates at all."""

from __future__ import annotations

from collections.abc import Sequence

from mt.commands.environment import quiet_libraries
from mt.commands.options import ModelCommand, model_parser
from mt.config.parsing import parse_or_help, typed_options
from mt.systems.names import check_model_argument


def run(argv: Sequence[str], prog: str) -> int:
    """Print every finding and what was translated. Returns 1 if the model is not healthy. Raises `UserError`s."""
    command = parse_doctor(argv, prog)
    check_model_argument(command.name)
    quiet_libraries()
    from mt.models.doctor import examine
    from mt.models.transformers_model import load_translator
    from mt.systems.system import resolve_model

    diagnosis = examine(load_translator(resolve_model(command.name, command.model, {}).model))
    for finding in diagnosis.findings:
        print(f"{'ok  ' if finding.passed else 'FAIL'}  {finding.check:<16}  {finding.detail}")
    for source, hypothesis in diagnosis.translations:
        print(f"\n{source}\n{hypothesis}")
    return 0 if diagnosis.is_healthy else 1


def parse_doctor(argv: Sequence[str], prog: str) -> ModelCommand:
    """The model that `mt doctor` is asked about. Raises `UsageError` or `ConfigError`."""
    parser = model_parser(prog, "%(prog)s MODEL [--model.key VALUE ...]", "Check that a model translates at all.")
    options = parse_or_help(parser, argv)
    return ModelCommand(options.name, typed_options(parser, argv, "model"), {})
