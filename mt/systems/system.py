"""Anything that translates, by one name: a run, a model directory, a hub name or a file of translations."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import torch

from mt.config import DecodingConfig, ModelConfig
from mt.data.formats.columns import named_for
from mt.data.formats.quoting import broken_quoting, unquoted_column
from mt.errors import DataError, RunError
from mt.evaluation.fidelity import REFERENCE
from mt.evaluation.metrics import (
    check_lengths,
)
from mt.evaluation.test_set import TestSet
from mt.files import check_distinct, check_name
from mt.input_files import is_directory
from mt.models.ctranslate2_model import check_converted, load_converted
from mt.models.decoding import translate
from mt.models.model_files import shown
from mt.models.run_settings import TranslationSettings, read_run_settings, run_that_is
from mt.models.terminology import check_terminology
from mt.models.transformers_model import check_model, is_converted, load_translator
from mt.models.translator import Translator
from mt.runs import RunDirectory
from mt.systems.names import default_label, refuse_missing_file, split_label
from mt.systems.translation_cache import CacheKey, cache_key, keep_translations, read_translations
from mt.text.lines import read_lines, read_stdin, uncompressed_name
from mt.text.normalise import normalise

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class System:
    """One system to evaluate."""

    label: str
    """Its name in scores and report; unique in one evaluation."""
    path: str
    """As the user gave it, without the label."""

    @property
    def run(self) -> RunDirectory | None:
        """The run directory that `path` is, if it is one."""
        return run_that_is(self.path)

    @property
    def is_text(self) -> bool:
        """Whether `path` is a file of translations, or a directory with one for each test set."""
        path = Path(self.path)
        if not is_directory(self.path):
            # `os.path`, here and below: what is too long or may not be looked at is nothing, and no error.
            return os.path.isfile(path)  # noqa: PTH113
        holds_model = self.run is not None or (path / "config.json").is_file() or is_converted(path)
        return not holds_model and any(path.glob("*.txt"))

    def text_file(self, test_set: str) -> Path:
        """The file of the system's translations of a test set, if it is a text."""
        path = Path(self.path)
        return path if path.is_file() else path / f"{test_set}.txt"

    @property
    def model(self) -> str:
        """The model to load: a run's chosen one, else `path` itself."""
        return str(self.run.model) if self.run else self.path


def parse_systems(arguments: Sequence[str]) -> list[System]:
    """Systems from `SYSTEM` or `label=SYSTEM`, checked as far as is cheap. Raises `UserError`s."""
    systems = [_parse_system(argument) for argument in arguments]
    for system in systems:
        if system.label == REFERENCE:
            raise DataError(
                f"the label `{system.label}` is taken by the test set's own translations; choose another, as in "
                f"better={shown(system.path)}"
            )
        check_name(system.label, "the label")
        namesakes = [other.path for other in systems if other.label == system.label]
        if len(namesakes) > 1:
            raise DataError(
                f"{' and '.join(namesakes)} share the label `{system.label}`; name them, as in better={namesakes[1]}"
            )
    check_distinct([REFERENCE, *(system.label for system in systems)], "the labels")
    return systems


def _parse_system(argument: str) -> System:
    label, path = split_label(argument)
    system = System(label or default_label(path), path)
    if system.run:
        check_run(system.path, system.run)
    if system.is_text:
        return system
    refuse_missing_file(path)
    if is_converted(system.model):
        check_converted(system.model)
    else:
        check_model(system.model)
    return system


def check_run(name: str, run: RunDirectory) -> None:
    """Raise `RunError` if a run's config is damaged, or if it has no model."""
    read_run_settings(run.config)
    if not os.path.lexists(run.model / "config.json"):
        raise RunError(f"{name}: the run has no model yet; let it finish by train.py with --resume")


def open_translator(model: ModelConfig, decoding: DecodingConfig) -> Translator:
    """Load what `model` names, be it a model of transformers or of CTranslate2. Raises `ModelError`."""
    logger.info("loading %s", model.name)
    if is_converted(model.name):
        return load_converted(model)
    translator = load_translator(model, decoding)
    translator.model.to("cuda" if torch.cuda.is_available() else "cpu")
    return translator


def hypotheses_of(
    system: System, test_sets: Sequence[TestSet], settings: TranslationSettings | None, *, use_cache: bool = True
) -> dict[str, list[str]]:
    """The system's translations by test set: read if it is a text file, else decoded, unless they were before.

    `settings` are None for a text file, which must have one line a sentence of every test set. Translations are taken
    from the cache, and kept there, with `use_cache`; the model is loaded only if some are not there.
    """
    if settings is None:
        return hypotheses_of_text(system, test_sets)
    options = settings.model
    opened = cache(partial(open_translator, options, settings.decoding))
    return {
        test_set.name: translate_once(options, test_set, settings.decoding, opened, system.label, use_cache=use_cache)
        for test_set in test_sets
    }


def translate_once(
    model: ModelConfig,
    test_set: TestSet,
    decoding: DecodingConfig,
    open_model: Callable[[], Translator],
    label: str,
    *,
    use_cache: bool = True,
) -> list[str]:
    """A model's translations of a test set: from the cache if it has them, else decoded and kept there.

    open_model: loads `model`, and is called only if it must translate. label: names the system in log and progress.
    """
    own = test_set.search(decoding)
    key = cache_key(model, own, test_set.sources) if use_cache else None
    kept = _kept(label, test_set, key)
    if kept is None:
        logger.info("%s on %s: translating %d sentences", label, test_set.name, len(test_set.sources))
        kept = translate(open_model(), test_set.sources, own, f"{label} on {test_set.name}")
        # Not if the model's files were changed while it was loaded.
        if key is not None and key == cache_key(model, own, test_set.sources):
            keep_translations(key, kept)
    return kept


def _kept(label: str, test_set: TestSet, key: CacheKey | None) -> list[str] | None:
    lines = None if key is None else read_translations(key, len(test_set.sources))
    if lines is not None:
        logger.info("%s on %s: translated before, taken from the cache", label, test_set.name)
    return lines


def hypotheses_of_text(system: System, test_sets: Sequence[TestSet]) -> dict[str, list[str]]:
    """The lines of a system's files of translations, by test set.

    Raises `DataError` for one file and several test sets, for a missing file, a table, and for as many lines as are
    not the test set's.
    """
    if len(test_sets) > 1 and Path(system.path).is_file():
        names = " and ".join(f"{test_set.name}.txt" for test_set in test_sets)
        raise DataError(
            f"{system.path}: a file holds the translations of one test set, and there are {len(test_sets)}; "
            f"give a directory with {names}"
        )
    hypotheses = {}
    for test_set in test_sets:
        file = system.text_file(test_set.name)
        if not file.is_file():
            raise DataError(f"{file}: no such file; {system.label} needs one translation a line of `{test_set.name}`")
        lines = _translations_in(file, len(test_set.references))
        check_lengths(system.label, test_set.name, lines, test_set.references)
        if sum("\t" in line for line in lines) * 2 > len(lines):
            raise DataError(f"{file}: most lines hold tabs, as a table's do; keep the translations alone, one a line")
        hypotheses[test_set.name] = lines
    return hypotheses


def _translations_in(file: Path, count: int) -> list[str]:
    """The lines of a file of `count` translations; the cells, if it is a CSV file of one column.

    Raises `DataError` for one that is quoted in part.
    """
    lines = [line for _, line in read_lines(file)]
    if len(lines) == count + 1 and named_for("target", [lines[0]]) is not None:
        logger.info("%s: its first line, `%s`, is read as the name of a column", file, lines[0])
        lines = lines[1:]
    is_csv = Path(uncompressed_name(file)).suffix.lower() in (".csv", ".tsv")
    cells = unquoted_column(lines, count, is_csv=is_csv)
    if cells is not None:
        logger.info("%s: its lines are quoted as in `format csv`, and read without these quotation marks", file)
        return cells
    broken = broken_quoting(lines)
    if broken is not None:
        raise DataError(
            f"{file}:{broken + 1}: most lines are quoted as in `format csv`, with their quotation marks doubled, but "
            "this one is not; save the translations as plain text, one a line"
        )
    return lines


def translate_file(model: ModelConfig, decoding: DecodingConfig, file: str) -> list[str]:
    """One translation a line of `file` (`-`: stdin), in order; an empty line stays empty."""
    check_terminology(decoding)
    if file == "-":
        lines = [line for _, line in read_stdin()]
    elif os.path.isfile(file):  # noqa: PTH113
        lines = [line for _, line in read_lines(Path(file))]
    else:
        raise DataError(f"{shown(file)}: no such text file (seen from {Path.cwd()})")
    sources = [normalise(line) for line in lines]
    wanted = [index for index, source in enumerate(sources) if source]
    translator, places = open_translator(model, decoding), [f"line {i + 1}" for i in wanted]
    hypotheses = translate(translator, [sources[i] for i in wanted], decoding, "translate", places)
    translations = [""] * len(lines)
    for index, hypothesis in zip(wanted, hypotheses, strict=True):
        translations[index] = hypothesis
    return translations


def check_texts(systems: Sequence[System], test_sets: Sequence[TestSet]) -> None:
    """Refuse files of translations that cannot be those of a test set, before anything is decoded."""
    for system in systems:
        if system.is_text:
            hypotheses_of_text(system, test_sets)
