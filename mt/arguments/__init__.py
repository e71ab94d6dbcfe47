"""Command lines and YAML files in, commands and `Config` out; one module for each kind of command."""

from __future__ import annotations

from mt.arguments.evaluation import (
    EvaluateCommand,
    ReviewCommand,
    evaluate_parser,
    parse_evaluate,
    parse_review,
    review_parser,
)
from mt.arguments.models import (
    ExportCommand,
    TranslateCommand,
    parse_comet_setup,
    parse_doctor,
    parse_export,
    parse_translate,
)
from mt.arguments.parsing import UsageError
from mt.arguments.sweeps import SearchRange, SweepCommand, parse_sweep
from mt.arguments.training import (
    InspectCommand,
    TrainCommand,
    config_as_yaml,
    parse_data,
    parse_inspection,
    parse_train,
    train_parser,
)

__all__ = [
    "EvaluateCommand",
    "ExportCommand",
    "InspectCommand",
    "ReviewCommand",
    "SearchRange",
    "SweepCommand",
    "TrainCommand",
    "TranslateCommand",
    "UsageError",
    "config_as_yaml",
    "evaluate_parser",
    "parse_comet_setup",
    "parse_data",
    "parse_doctor",
    "parse_evaluate",
    "parse_export",
    "parse_inspection",
    "parse_review",
    "parse_sweep",
    "parse_train",
    "parse_translate",
    "review_parser",
    "train_parser",
]
