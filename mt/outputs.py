"""Output directories. A mark file says that a directory is ours and what we wrote there; a lock admits one process.

`check_output` is the early check that writes nothing; `claim` makes the same checks again and takes the directory.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
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
from mt.files import UNFINISHED, new_directory, printable, remove, sweep_unfinished, write_json, writing

MARK = ".mt-output.json"
"""The file that makes a directory ours. It lists the kind of output, what we wrote there, and who is using it now."""

LOCK = ".mt-lock"


@dataclass(frozen=True)
class Kind:
    """The names that one kind of output directory may hold."""

    name: str
    files: tuple[str, ...]
    """Patterns of files that may be written at any time; `*` also matches slashes."""
    directories: tuple[str, ...] = ()
    """Directories whose files are listed in the mark one by one, each before it is written."""
    precious: tuple[str, ...] = ()
    """What took time to make. A directory that holds none of it may be used again without --overwrite."""

    @property
    def top_names(self) -> frozenset[str]:
        """The names directly inside the directory that belong to this kind."""
        return frozenset({pattern.partition("/")[0] for pattern in self.files} | set(self.directories))


class Output:
    """An output directory that is ours, until the end of its context.

    Before anything is written, `record` or `new_directory` adds it to the mark, which so always lists all that is
    ours. Both fail at once if the directory was deleted or replaced meanwhile.
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
        """List files in the mark; call it before they are written. Raises `RunError`."""
        self.check_there()
        names = [path.relative_to(self.root).as_posix() for path in paths]
        new = [escape(name) for name in names if not _is_among(name, self.files)]
        if new:
            self.files += new
            self._write_mark()

    @contextmanager
    def new_directory(self, directory: Path) -> Iterator[Path]:
        """An empty directory to fill, which replaces `directory` when the context ends without an error.

        Its files are listed in the mark first. Raises `RunError`, also for a disk that fails inside the context.
        """
        self.check_there()
        with writing(directory), new_directory(directory, replace_if=lambda: True) as work:
            yield work
            files = (file for file in sorted(work.rglob("*")) if not file.is_dir())
            self.record(*(directory / file.relative_to(work) for file in files))

    def check_there(self) -> None:
        """Raise `RunError` if the directory was deleted, or taken by another process, since we claimed it."""
        if read_mark(self.root).get("used_by", {}).get("token") != self._user["token"]:
            raise RunError(
                f"{self.root}: the output directory was deleted or replaced while it was being written to; "
                "start again, with another --output_dir if somebody else uses it"
            )

    def has_precious(self) -> bool:
        """Whether the directory holds anything that took time to make."""
        paths = [self.root / name for name in self.kind.precious]
        return any(any(path.iterdir()) if path.is_dir() else path.exists() for path in paths)

    def clear(self) -> None:
        """Remove what the mark lists. Raises `RunError`, and removes nothing, if other files are among it."""
        refuse_strangers(self.root, self.kind, self.files)
        with writing(self.root):
            for name in sorted(self.kind.top_names):
                if name not in (MARK, LOCK):
                    remove(self.root / name)
        self.files = list(self.kind.files)
        self._write_mark()

    def _claim(self) -> None:
        """Take the lock, or name the process that has it."""
        try:
            self._lock.acquire()
        except Timeout as error:
            raise RunError(f"{self.root}: {_in_use(read_mark(self.root))}") from error
        except OSError as error:
            raise RunError(f"{self.root}: cannot be locked ({error.strerror or error}); is it writable?") from error

    def _adopt(self, known: Iterable[str]) -> None:
        """Take over the list of an earlier mark, and remove what a killed process has left."""
        self.files = list(dict.fromkeys([*self.files, *known]))
        self._write_mark()
        with writing(self.root):
            sweep_unfinished(self.root)

    def _write_mark(self) -> None:
        mark = {"made_by": f"mt {mt.__version__}", "kind": self.kind.name, "files": self.files, "used_by": self._user}
        write_json(self.root / MARK, mark)


def claim(root: Path, kind: Kind, inputs: Mapping[str, str], *, overwrite: bool = False, keep: bool = False) -> Output:
    """Take `root` as output directory: a new or empty directory, or one of this kind with our mark in it.

    inputs: paths that must not be inside it, by their description; see `refuse_inputs_inside`.
    overwrite: what was written there before may be removed; `clear` does so once the input is known to be good.
    keep: what was written there before stays, to be continued.

    Raises `RunError`, before a byte is written, for files that are not ours, another kind of output, a directory that
    a running process uses, and, with neither `overwrite` nor `keep`, one that holds what took time to make.
    """
    refuse_inputs_inside(root, inputs)
    refuse_others(root, kind)
    with writing(root):
        root.mkdir(parents=True, exist_ok=True)
    output = Output(root, kind)
    output._claim()
    try:
        # Again, now that nobody else can change it.
        known = refuse_others(root, kind).get("files", [])
        if output.has_precious() and not (keep or overwrite):
            raise _taken(root, kind)
        refuse_strangers(root, kind, [*kind.files, *known])
        output._adopt(known)
    except BaseException:
        output._lock.release()
        raise
    return output


def check_output(root: Path, kind: Kind, inputs: Mapping[str, str], *, overwrite: bool = False) -> None:
    """Raise the `RunError` that `claim` would raise, as far as a glance at `root` can tell; nothing is written."""
    refuse_inputs_inside(root, inputs)
    mark = refuse_others(root, kind)
    if mark and not overwrite and Output(root, kind).has_precious():
        raise _taken(root, kind)


def _taken(root: Path, kind: Kind) -> RunError:
    resume = "continue it with --resume, " if kind.name == "training run" else ""
    return RunError(
        f"{root}: holds an earlier {kind.name}; {resume}replace it with --overwrite, or choose another --output_dir"
    )


def refuse_others(root: Path, kind: Kind) -> dict[str, Any]:
    """The mark of a directory that may become ours; empty for a new or empty directory. Nothing is written.

    Raises `RunError` for a file, for another kind of output, and for a directory with files that are not ours.
    """
    try:
        names = sorted(path.name for path in root.iterdir()) if os.path.lexists(root) else []
    except NotADirectoryError as error:
        raise RunError(f"{root}: the output directory is a file; choose another --output_dir") from error
    except OSError as error:
        raise RunError(f"{root}: cannot be used as the output directory ({error.strerror or error})") from error
    mark = read_mark(root)
    if mark and mark["kind"] != kind.name:
        article = "an" if mark["kind"][0] in "aeiou" else "a"
        raise RunError(f"{root}: holds {article} {mark['kind']}; choose another --output_dir for the {kind.name}")
    if MARK in names and not mark:
        raise RunError(
            f"{root / MARK}: is damaged, so it cannot be told which files there are ours; choose another --output_dir"
        )
    strangers = [name for name in names if name != LOCK and not name.startswith(UNFINISHED)]
    if strangers and not mark:
        raise RunError(
            f"{root}: holds files that mt did not write, such as {strangers[0]!r}, so nothing there is touched; "
            "choose a new or empty directory as --output_dir"
        )
    return mark


def refuse_strangers(root: Path, kind: Kind, known: Iterable[str]) -> None:
    """Raise `RunError` if a file that we did not write is at one of our names or inside a directory of ours."""
    patterns = list(known)
    for name in _names_below(root, kind.top_names):
        if not _is_among(name, patterns):
            raise RunError(
                f"{root / name}: was not written by mt, so nothing there is touched; move it elsewhere first"
            )


def _is_among(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)


def _names_below(root: Path, top_names: Iterable[str]) -> Iterator[str]:
    """All files and links at or below `top_names`, relative to `root`; links are not followed."""
    for name in sorted(top_names):
        path = root / name
        if path.is_symlink() or path.is_file():
            yield name
        for directory, links, files in os.walk(path):
            inside = Path(directory)
            # What a killed process has left is ours, and is removed once the directory is claimed.
            found = [file for file in files if not file.startswith(UNFINISHED)]
            found += [link for link in links if (inside / link).is_symlink()]
            yield from ((inside / each).relative_to(root).as_posix() for each in found)


def refuse_inputs_inside(root: Path, inputs: Mapping[str, str]) -> None:
    """Raise `RunError` for an input inside the output directory, which might be overwritten there.

    inputs: paths by their description for the message, such as "the corpus `news`".
    """
    directory = root.resolve()
    for what, path in inputs.items():
        if Path(path).resolve().is_relative_to(directory):
            raise RunError(f"{path}: {what} is inside the output directory {root}; choose another --output_dir")


def read_mark(root: Path) -> dict[str, Any]:
    """The content of a directory's mark; empty if there is none or it is damaged."""
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
    """Whether a directory has the mark of this kind of output."""
    return bool(read_mark(root).get("kind") == kind)


def _in_use(mark: Mapping[str, Any]) -> str:
    user = mark.get("used_by") or {}
    who = f"process {user.get('process', '?')} on {user.get('host', '?')}, since {user.get('since', '?')}"
    return f"another process is writing there ({who}); wait for it, stop it, or choose another --output_dir"
