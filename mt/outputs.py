"""Output directories: ours by a mark that we wrote, and one process's at a time by a lock."""

from __future__ import annotations

import json
import os
import secrets
import socket
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatch
from glob import escape
from pathlib import Path
from types import TracebackType
from typing import Any

from filelock import FileLock, Timeout

import mt
from mt.errors import RunError
from mt.files import UNFINISHED, printable, put_directory, remove, sweep_unfinished, write_json, writing

MARK = ".mt-output.json"
"""The file that makes a directory ours: what kind of output it is, what we wrote there, and who uses it now."""

LOCK = ".mt-lock"


@dataclass(frozen=True)
class Kind:
    """What lies in a sort of output directory."""

    name: str
    files: tuple[str, ...]
    """Patterns of what is written there at any time; `*` matches slashes, too."""
    directories: tuple[str, ...] = ()
    """Directories whose files are listed one by one in the mark, before each is written."""
    precious: tuple[str, ...] = ()
    """What took time: a directory that holds none of it may be used again without --overwrite."""

    @property
    def places(self) -> frozenset[str]:
        """The names at the top that belong to this kind."""
        return frozenset({pattern.partition("/")[0] for pattern in self.files} | set(self.directories))


class Output:
    """An output directory that is ours; as a context, for as long as it lasts.

    Every write goes through `record` or `put`, so that the mark always lists what is ours, and fails at once when
    the directory has been deleted or replaced meanwhile.
    """

    def __init__(self, root: Path, kind: Kind) -> None:
        self.root, self.kind = root, kind
        self.files: list[str] = list(kind.files)
        self._user = {
            "token": secrets.token_hex(8),
            "host": socket.gethostname(),
            "process": os.getpid(),
            "since": datetime.now(UTC).isoformat(timespec="seconds"),
            "command": [printable(argument) for argument in sys.argv],
        }
        self._lock = FileLock(root / LOCK, timeout=0, thread_local=False)

    def __enter__(self) -> Output:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._lock.release()

    def record(self, *paths: Path) -> None:
        """Add files to the list of what is ours; call it before they are written. Raises `RunError`."""
        self.check_there()
        names = [path.relative_to(self.root).as_posix() for path in paths]
        new = [escape(name) for name in names if not _is_among(name, self.files)]
        if new:
            self.files += new
            self._write_mark()

    def put(self, finished: Path, place: Path) -> None:
        """Rename a directory that is complete to `place`, its files on the list first. Raises `RunError`."""
        files = (file for file in sorted(finished.rglob("*")) if not file.is_dir())
        self.record(*(place / file.relative_to(finished) for file in files))
        with writing(place):
            put_directory(finished, place)

    def check_there(self) -> None:
        """Raise `RunError` if the directory was deleted, or taken by somebody else, since we claimed it."""
        if read_mark(self.root).get("used_by", {}).get("token") != self._user["token"]:
            raise RunError(
                f"{self.root}: the output directory was deleted or replaced while it was being written to; "
                "start again, with another --output_dir if somebody else uses it"
            )

    def has_precious(self) -> bool:
        """Whether anything here took time to make."""
        paths = [self.root / name for name in self.kind.precious]
        return any(any(path.iterdir()) if path.is_dir() else path.exists() for path in paths)

    def clear(self) -> None:
        """Remove what the mark lists. Raises `RunError` if something else lies among it, before anything is removed."""
        refuse_strangers(self.root, self.kind, self.files)
        with writing(self.root):
            for place in sorted(self.kind.places):
                if place not in (MARK, LOCK):
                    remove(self.root / place)
        self.files = list(self.kind.files)
        self._write_mark()

    def _claim(self) -> None:
        """Take the lock, or say who has it."""
        try:
            self._lock.acquire()
        except Timeout as error:
            raise RunError(f"{self.root}: {_in_use(read_mark(self.root))}") from error
        except OSError as error:
            raise RunError(f"{self.root}: cannot be locked ({error.strerror or error}); is it writable?") from error

    def _adopt(self, known: Iterable[str]) -> None:
        """Take over the list of a mark, and sweep what a killed process has left."""
        self.files = list(dict.fromkeys([*self.files, *known]))
        self._write_mark()
        with writing(self.root):
            sweep_unfinished(self.root)

    def _write_mark(self) -> None:
        mark = {"made_by": f"mt {mt.__version__}", "kind": self.kind.name, "files": self.files, "used_by": self._user}
        write_json(self.root / MARK, mark)


def claim(root: Path, kind: Kind, *, overwrite: bool = False, keep: bool = False) -> Output:
    """Make `root` ours: a new or empty directory, or one of this kind that our mark is in.

    overwrite: what was written there before may be removed, which `clear` does once the input is known to be good.
    keep: it stays, to go on with it. With neither, a directory that holds what took time to make is refused. Whatever
    is refused, with a `RunError`, is refused before a byte is written: files that are not ours, another kind, a
    directory that a running process uses.
    """
    mark = refuse_others(root, kind)
    with writing(root):
        root.mkdir(parents=True, exist_ok=True)
    output = Output(root, kind)
    output._claim()
    try:
        mark = refuse_others(root, kind)
        known = mark.get("files", [])
        if output.has_precious() and not (keep or overwrite):
            raise RunError(taken(root, kind))
        refuse_strangers(root, kind, [*kind.files, *known])
        output._adopt(known)
    except BaseException:
        output._lock.release()
        raise
    return output


def refuse_taken(root: Path, kind: Kind, inputs: Mapping[str, str], *, overwrite: bool = False) -> None:
    """Raise the `RunError` that `claim` would raise for what lies in `root`, if it can be told at once; writes nothing.

    inputs: see `refuse_inputs_inside`.
    """
    refuse_inputs_inside(root, inputs)
    mark = refuse_others(root, kind)
    if mark and not overwrite and Output(root, kind).has_precious():
        raise RunError(taken(root, kind))


def taken(root: Path, kind: Kind) -> str:
    """That a directory holds what an earlier command has made, and what to do."""
    resume = "go on with it by --resume, " if kind.name == "training run" else ""
    return f"{root}: holds an earlier {kind.name}; {resume}replace it by --overwrite, or choose another --output_dir"


def refuse_others(root: Path, kind: Kind) -> dict[str, Any]:
    """The mark of a directory that may become ours, empty for a new or empty one; nothing is written.

    Raises `RunError` for a file, another kind of output, and a directory that holds what is not ours.
    """
    try:
        names = sorted(path.name for path in root.iterdir()) if os.path.lexists(root) else []
    except NotADirectoryError as error:
        raise RunError(f"{root}: the output directory is a file; choose another --output_dir") from error
    except OSError as error:
        raise RunError(f"{root}: cannot be used as output directory ({error.strerror or error})") from error
    mark = read_mark(root)
    if mark and mark["kind"] != kind.name:
        article = "an" if mark["kind"][0] in "aeiou" else "a"
        raise RunError(f"{root}: holds {article} {mark['kind']}; choose another --output_dir for the {kind.name}")
    if MARK in names and not mark:
        raise RunError(f"{root / MARK}: is damaged, so nobody can tell what is ours there; choose another --output_dir")
    strangers = [name for name in names if name != LOCK and not name.startswith(UNFINISHED)]
    if strangers and not mark:
        raise RunError(
            f"{root}: holds files that we did not write, such as {strangers[0]!r}, and nothing there is touched; "
            "choose a new or empty directory as --output_dir"
        )
    return mark


def refuse_strangers(root: Path, kind: Kind, known: Iterable[str]) -> None:
    """Raise `RunError` if something that we did not write lies at a name of ours or inside a directory of ours."""
    patterns = list(known)
    for name in _names_below(root, kind.places):
        if not _is_among(name, patterns):
            raise RunError(f"{root / name}: we did not write it, so nothing there is touched; move it elsewhere first")


def _is_among(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)


def _names_below(root: Path, places: Iterable[str]) -> Iterator[str]:
    """All files and links at or below the names in `places`, seen from `root`; no link is followed."""
    for place in sorted(places):
        path = root / place
        if path.is_symlink() or path.is_file():
            yield place
        for directory, links, files in os.walk(path):
            inside = Path(directory)
            # What a killed process has left is ours, and is swept once the directory is.
            ended = (name for name in files if not name.startswith(UNFINISHED))
            yield from ((inside / name).relative_to(root).as_posix() for name in ended)
            yield from ((inside / name).relative_to(root).as_posix() for name in links if (inside / name).is_symlink())


def refuse_inputs_inside(root: Path, inputs: Mapping[str, str]) -> None:
    """Raise `RunError` for an input that lies in the output directory, and so might be replaced by it.

    inputs: paths by what they are, for the message, as "the corpus `news`".
    """
    place = root.resolve()
    for what, path in inputs.items():
        if Path(path).resolve().is_relative_to(place):
            raise RunError(f"{path}: {what} lies in the output directory {root}; choose another --output_dir")


def read_mark(root: Path) -> dict[str, Any]:
    """The mark of a directory; empty where there is none of ours."""
    try:
        mark = json.loads((root / MARK).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return mark if _is_mark(mark) else {}


def _is_mark(mark: Any) -> bool:
    if not isinstance(mark, dict) or not isinstance(mark.get("used_by", {}), dict):
        return False
    files = mark.get("files")
    is_list = isinstance(files, list) and all(isinstance(name, str) for name in files)
    return is_list and isinstance(mark.get("kind"), str)


def is_marked(root: Path, kind: str) -> bool:
    """Whether a directory is an output of this kind."""
    return bool(read_mark(root).get("kind") == kind)


def _in_use(mark: Mapping[str, Any]) -> str:
    user = mark.get("used_by") or {}
    who = f"process {user.get('process', '?')} on {user.get('host', '?')}, since {user.get('since', '?')}"
    return f"another process is writing there ({who}); wait for it, stop it, or choose another --output_dir"
