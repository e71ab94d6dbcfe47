"""A table that grows for hours: written under another name, window by window, and renamed when it is complete.

Beside it a state file says how many of its bytes count, and how they were made. It is written after the bytes are on
the disk, so whenever the process is killed, the next one cuts off what does not count and goes on.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from filelock import FileLock, Timeout

from mt.errors import ModelError, RunError
from mt.files import printable, remove, sync, write_json, writing
from mt.models.model_files import read_object

ANEW = "give --overwrite to begin anew"
_CHUNK = 1 << 20


class BegunOtherwise(RunError):  # noqa: N818 - it is a state of the table
    """An unfinished table is damaged, or was begun in another way than it would go on."""

    def __init__(self, message: str, *, has_read_pipe: bool = False) -> None:
        super().__init__(message)
        self.has_read_pipe = has_read_pipe
        """Whether there is no way to begin anew, because what a pipe has given is lost."""


class UnfinishedTable:
    """The file that will be `path`, as long as it grows. A context that closes the file and removes nothing."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.unfinished = path.with_name(f"{path.name}.unfinished")
        self.state_file = path.with_name(f"{path.name}.unfinished.json")
        self._stream: BinaryIO | None = None
        self._digest, self._size = hashlib.sha256(), 0

    def __enter__(self) -> UnfinishedTable:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._stream is not None:
            self._stream.close()

    @property
    def is_empty(self) -> bool:
        """Whether nothing was added yet, by this process or an earlier one whose `state` was read."""
        return self._size == 0

    @property
    def sha256(self) -> str:
        """Of everything that was added."""
        return self._digest.hexdigest()

    def state(self) -> dict[str, Any] | None:
        """The state that the last `add` left; None if there is no unfinished table.

        Raises `BegunOtherwise` for a file at one of our names that we did not write, and for a damaged one.
        """
        if not os.path.lexists(self.state_file):
            if os.path.lexists(self.unfinished):
                raise BegunOtherwise(f"{self.unfinished}: is without its {self.state_file.name}; {ANEW}")
            return None
        try:
            state = read_object(self.state_file)
        except ModelError as error:
            raise BegunOtherwise(f"{self.state_file}: cannot be read; {ANEW}") from error
        self._check(state)
        return None if self.is_empty else state

    def _check(self, state: Mapping[str, Any]) -> None:
        """Hash the bytes that count. Raises `BegunOtherwise` if they are not those that were written."""
        size = state.get("bytes")
        self._digest, self._size = hashlib.sha256(), 0
        if isinstance(size, int) and size and self.unfinished.is_file():
            with writing(self.unfinished), self.unfinished.open("rb") as stream:
                while chunk := stream.read(min(_CHUNK, size - self._size)):
                    self._digest.update(chunk)
                    self._size += len(chunk)
        if self._size != size or self.sha256 != state.get("sha256"):
            raise BegunOtherwise(f"{self.unfinished}: was changed or has lost rows since it was written; {ANEW}")

    def discard(self) -> None:
        """Remove the unfinished table."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None
        for file in (self.unfinished, self.state_file):
            remove(file)
        self._digest, self._size = hashlib.sha256(), 0

    def add(self, content: bytes, state: Mapping[str, Any]) -> None:
        """Append bytes, and note the state with them; both are on the disk then. Raises `RunError`."""
        if self._stream is None:
            # The state first: an unfinished table without one is somebody else's file.
            if self.is_empty:
                self._write_state({})
            with writing(self.unfinished):
                self._stream = self.unfinished.open("r+b" if self._size else "wb")
                self._stream.truncate(self._size)
                self._stream.seek(self._size)
        with writing(self.unfinished):
            self._stream.write(content)
            self._stream.flush()
            os.fsync(self._stream.fileno())
        self._digest.update(content)
        self._size += len(content)
        self._write_state(state)

    def _write_state(self, state: Mapping[str, Any]) -> None:
        write_json(self.state_file, {**state, "bytes": self._size, "sha256": self.sha256})

    def finish(self, beside: Path, facts: Mapping[str, Any]) -> None:
        """Give the table its name, after writing `facts` to the file `beside`. Raises `RunError`."""
        if self._stream is not None:
            self._stream.close()
        write_json(beside, facts)
        with writing(self.path):
            self.unfinished.replace(self.path)
            sync(self.path.parent)
            self.state_file.unlink()


@contextmanager
def claimed(path: Path) -> Iterator[UnfinishedTable]:
    """The table that will be `path`, for this process alone. Raises `RunError` if another process writes it."""
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    # A hidden name: the files of a directory may be a corpus.
    lock = FileLock(path.with_name(f".{path.name}.lock"), timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise RunError(
            f"{printable(path)}: another process is writing it; wait for that, or choose another --output"
        ) from error
    except OSError as error:
        raise RunError(f"{printable(path)}: cannot be locked ({error.strerror or error}); is it writable?") from error
    try:
        with UnfinishedTable(path) as table:
            yield table
    finally:
        remove(Path(lock.lock_file))
        lock.release()
