"""Anything that translates, by one name: a run, a model directory, a hub name or a file of translations."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import torch

from mt.config import DecodingConfig, ModelConfig
from mt.converted import check_converted, load_converted
from mt.data.formats.columns import named_for
from mt.data.formats.lines import COMPRESSED, read_lines, read_stdin, uncompressed_name
from mt.data.formats.quoting import broken_quoting, unquoted_column
from mt.decoding import translate
from mt.errors import DataError, RunError
from mt.evaluation.fidelity import REFERENCE
from mt.evaluation.metrics import check_lengths
from mt.evaluation.test_set import TestSet
from mt.files import check_distinct, check_name
from mt.model import check_model, is_converted, load_translator
from mt.model_files import shown
from mt.outputs import is_marked
from mt.run_settings import RunSettings, read_run_settings
from mt.runs import TRAINING_RUN, RunDirectory
from mt.terminology import check_terminology
from mt.text import normalise
from mt.translation_cache import CacheKey, cache_key, keep_translations, read_translations
from mt.translator import AnyTranslator

logger = logging.getLogger(__name__)

_TEXT_SUFFIXES = frozenset({".txt", ".tsv", ".csv", ".ar", ".hyp", ".out", *COMPRESSED})


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
        run = RunDirectory(Path(self.path))
        # `os.path`, here and below: what is too long or may not be looked at is nothing, and no error.
        return run if os.path.isfile(run.config) or is_marked(run.root, TRAINING_RUN.name) else None  # noqa: PTH113

    @property
    def is_text(self) -> bool:
        """Whether `path` is a file of translations, or a directory with one for each test set."""
        path = Path(self.path)
        if not _is_directory(self.path):
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

    def model_options(self, given: ModelConfig) -> ModelConfig:
        """`given` for `model`, with the languages that a run was trained for, unless `given` has its own."""
        usual = ModelConfig()
        languages = {
            key: getattr(self.trained, key) or getattr(usual, key)
            for key in ("source_language", "target_language")
            if getattr(given, key) == getattr(usual, key)
        }
        return replace(given.with_name(self.model), **languages)

    def decoding(self, given: DecodingConfig) -> DecodingConfig:
        """`given`, with the tag and the terms that a run was trained to be given, unless `given` has its own."""
        return replace(
            given,
            tag=given.tag or self.trained.tag or "",
            terminology=given.terminology or self.trained.terminology,
        )

    @cached_property
    def trained(self) -> RunSettings:
        """What a run's model expects, read once; nothing for what is no run. Raises `RunError` for a damaged config."""
        return read_run_settings(self.run.config) if self.run else RunSettings()


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
    label, path = _split_label(argument)
    system = System(label or _default_label(path), path)
    if system.run:
        _check_run(system, system.run)
    if system.is_text:
        return system
    # Nothing of the kind is on the hub, and whoever is asked for it would learn the name.
    looks_local = Path(path).suffix in _TEXT_SUFFIXES or (path.count("/") == 1 and _is_directory(Path(path).parent))
    if looks_local and not _is_directory(path):
        raise DataError(f"{shown(path)}: no such file or directory (seen from {Path.cwd()})")
    if is_converted(system.model):
        check_converted(system.model)
    else:
        check_model(system.model)
    return system


def _check_run(system: System, run: RunDirectory) -> None:
    """Raise `RunError` if a run's config is damaged, or if it has no model."""
    _ = system.trained
    if not os.path.lexists(run.model / "config.json"):
        raise RunError(f"{system.path}: the run has no model yet; let it finish by train.py with --resume")


def _is_directory(path: str | Path) -> bool:
    """Whether there is one; what is too long or may not be looked at is none."""
    return os.path.isdir(path)  # noqa: PTH112


def _split_label(argument: str) -> tuple[str, str]:
    """(label, path), the label empty if there is none; either may hold equals signs of its own."""
    places = [-1, *(place for place, character in enumerate(argument) if character == "=")]
    splits = [(argument[: max(0, place)], argument[place + 1 :]) for place in places]
    # Not `Path.exists`, which raises for a label as long as a sentence.
    there = [split for split in splits if os.path.exists(split[1])]  # noqa: PTH110
    return there[0] if there else splits[min(1, len(splits) - 1)]


def _default_label(path: str) -> str:
    if not os.path.isfile(path):  # noqa: PTH113
        return Path(path).name or path
    return Path(uncompressed_name(Path(path))).stem


def open_translator(model: ModelConfig, decoding: DecodingConfig) -> AnyTranslator:
    """Load what `model` names, be it a model of transformers or of CTranslate2. Raises `ModelError`."""
    if is_converted(model.name):
        return load_converted(model)
    translator = load_translator(model, decoding)
    translator.model.to("cuda" if torch.cuda.is_available() else "cpu")
    return translator


def hypotheses_of(
    system: System,
    test_sets: Sequence[TestSet],
    model: ModelConfig,
    decoding: DecodingConfig,
    *,
    use_cache: bool = True,
) -> dict[str, list[str]]:
    """The system's translations by test set: read if it is a text file, else decoded, unless they were before.

    `model` gives languages and revision. A text file must have one line a sentence of every test set. Translations
    are taken from the cache, and kept there, with `use_cache`; the model is loaded only if some are not there.
    """
    if system.is_text:
        return hypotheses_of_text(system, test_sets)
    options, translator = system.model_options(model), None
    given = system.decoding(decoding)
    translations = {}
    for test_set in test_sets:
        own = test_set.search(given)
        key = cache_key(options, own, test_set.sources) if use_cache else None
        kept = _kept(system, test_set, key)
        if kept is None:
            translator = translator or open_translator(options, own)
            kept = translate(translator, test_set.sources, own, f"{system.label} on {test_set.name}")
            # Not if the model's files were changed while it was loaded.
            if key is not None and key == cache_key(options, own, test_set.sources):
                keep_translations(key, kept)
        translations[test_set.name] = kept
    return translations


def _kept(system: System, test_set: TestSet, key: CacheKey | None) -> list[str] | None:
    lines = None if key is None else read_translations(key, len(test_set.sources))
    if lines is not None:
        logger.info("%s on %s: translated before, taken from the cache", system.label, test_set.name)
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
    hypotheses = translate(open_translator(model, decoding), [sources[i] for i in wanted], decoding, "translate")
    translations = [""] * len(lines)
    for index, hypothesis in zip(wanted, hypotheses, strict=True):
        translations[index] = hypothesis
    return translations
