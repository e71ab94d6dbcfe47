"""Writing that survives kills and power cuts: files and directories appear complete or not at all.

Whatever is written here is written under another name beside its own, synced to the disk, and then renamed:
`write_bytes` and its relatives for a file, `new_directory` for a directory. Also here: names that may become file
names, checksums of a directory's files, and the cache directory.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import secrets
import shutil
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, BinaryIO

import xxhash
from filelock import FileLock, Timeout

from mt.errors import RunError

UNFINISHED = ".mt-unfinished-"
"""Prefix of the names of files and directories that are being written. The next process removes what a killed one
leaves behind."""

CHECKSUMS = "checksums.json"
"""The file of a directory that lists the checksums of all its other files."""

_MAX_NAME_BYTES = 100
_FAILED_WRITE = re.compile(r"No space left|os error \d|PytorchStreamWriter|file write failed|unexpected pos")
_RESERVED_NAMES = frozenset({"con", "prn", "aux", "nul", *(f"{kind}{n}" for kind in ("com", "lpt") for n in range(10))})


def check_name(name: str, what: str) -> str:
    """Return `name` if it is safe as the name of a file or directory. Raises `RunError` if it is not.

    what: whose name it is, for the message, such as "the test set" or "the label of a system".
    """
    fault = _fault_of(name)
    if fault is not None:
        raise RunError(f"{what} {name[:40]!r} {fault}, and files are named after it; choose a short plain name")
    return name


def _fault_of(name: str) -> str | None:
    checks = {
        "is empty": not name.strip(),
        "begins with a dot or a space": name[:1] in (".", " "),
        "ends with a dot or a space": name[-1:] in (".", " "),
        "holds a slash or a backslash": "/" in name or "\\" in name,
        "holds control or invisible characters": any(
            unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp") for character in name
        ),
        "is a device's name on Windows": name.partition(".")[0].casefold() in _RESERVED_NAMES,
        f"is longer than {_MAX_NAME_BYTES} bytes": len(name.encode("utf-8", "surrogatepass")) > _MAX_NAME_BYTES,
    }
    return next((fault for fault, holds in checks.items() if holds), None)


def check_distinct(names: Iterable[str], what: str) -> None:
    """Raise `RunError` for two names that differ only in case or Unicode form: some file systems confuse them.

    what: whose names they are, for the message.
    """
    seen: dict[str, str] = {}
    for name in names:
        key = unicodedata.normalize("NFC", name).casefold()
        if seen.setdefault(key, name) != name:
            raise RunError(
                f"{what} {seen[key]!r} and {name!r} would be the same file on some disks; rename one of them"
            )


def write_text(path: Path, text: str, *, make_parents: bool = False) -> None:
    """Write a UTF-8 file as `write_bytes` does; a lone surrogate, as of a file name, is written as `?`."""
    write_bytes(path, text.encode("utf-8", "replace"), make_parents=make_parents)


def write_bytes(path: Path, content: bytes, *, make_parents: bool = False) -> None:
    """Write a file completely or not at all; a link at its name is replaced, not followed.

    make_parents: create missing directories above it. Without it, an output directory that was deleted meanwhile is
    an error instead of coming back half empty. Raises `RunError` if the disk is full or cannot be written.
    """
    with new_file(path, make_parents=make_parents) as stream:
        stream.write(content)


@contextmanager
def new_file(path: Path, *, make_parents: bool = False) -> Iterator[BinaryIO]:
    """A file to write, which gets its name when the context ends without an error; see `write_bytes`.

    Raises `RunError`, also for the name of a pipe or a device.
    """
    refuse_device(path)
    with writing(path):
        if make_parents:
            path.parent.mkdir(parents=True, exist_ok=True)
        temporary = _unfinished_name(path)
        try:
            # Mode "x": nothing that is already there is written through or over.
            with temporary.open("xb") as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        sync(path.parent)


def refuse_device(path: Path, remedy: str = "name another file") -> None:
    """Raise `RunError` if this is the name of a pipe or a device, which a new file would replace: also `/dev/null`."""
    with writing(path):
        is_device = path.exists() and not path.is_file() and not path.is_dir()
    if is_device:
        raise RunError(f"{printable(path)}: is a pipe or a device, which a file would replace; {remedy}")


def write_json(path: Path, value: Any, *, make_parents: bool = False) -> None:
    """Write `value` as indented JSON, completely or not at all. Raises `RunError`."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=2) + "\n", make_parents=make_parents)


def write_lines(path: Path, lines: Iterable[str], *, make_parents: bool = False) -> None:
    """Write one item per line. Line breaks inside an item become spaces, so that line n belongs to sentence n."""
    write_text(path, "".join(" ".join(line.splitlines()) + "\n" for line in lines), make_parents=make_parents)


def _unfinished_name(path: Path) -> Path:
    """A new name beside `path`, for what will be renamed to it."""
    return path.with_name(f"{UNFINISHED}{secrets.token_hex(6)}-{path.name[:100]}")


@contextmanager
def new_directory(directory: Path, *, replace_if: Callable[[], bool] | None = None) -> Iterator[Path]:
    """An empty directory to fill, which is renamed to `directory` when the context ends without an error.

    replace_if: asked at the end if `directory` exists by then; if true, the new one replaces it, otherwise the new
    one is dropped. Without it, `directory` must be new or empty, and anything else is an `OSError`.

    Beside `directory`, what killed processes have left is removed, and nothing that a running process writes. Raises
    `OSError`.
    """
    if replace_if is None:
        directory = directory.resolve()  # a link to an empty directory: the target is filled, and the link stays
    directory.parent.mkdir(parents=True, exist_ok=True)
    _sweep_beside(directory)
    work = _unfinished_name(directory)
    # `content` exists only while the lock is held, so `_sweep_beside` never takes what is just being set up.
    with FileLock(work / "lock", timeout=0):
        try:
            content = work / "content"
            content.mkdir()
            yield content
            if replace_if is None:
                sync_tree(content)
                content.rename(directory)
                sync(directory.parent)
            elif not os.path.lexists(directory) or replace_if():
                replace_directory(content, directory, work / "former")
        finally:
            shutil.rmtree(work, ignore_errors=True)


def replace_directory(finished: Path, directory: Path, aside: Path | None = None) -> None:
    """Sync the files of `finished` and rename it to `directory`, whatever is there. Raises `OSError`.

    What is there is renamed to `aside` first and removed last, so that nothing slow happens between old and new.
    """
    aside = aside or _unfinished_name(directory)
    sync_tree(finished)
    if os.path.lexists(directory):
        directory.rename(aside)
    finished.rename(directory)
    sync(directory.parent)
    remove(aside)


def _sweep_beside(directory: Path) -> None:
    for leftover in directory.parent.glob(f"{UNFINISHED}*/content"):
        try:
            with FileLock(leftover.parent / "lock", timeout=0):
                remove(leftover.parent)
        except (Timeout, OSError):
            continue  # another process is writing there, or has just removed it


def sweep_unfinished(directory: Path) -> None:
    """Remove what killed processes have left anywhere in `directory`, whose lock the caller must hold."""
    for leftover in list(directory.rglob(f"{UNFINISHED}*")):
        remove(leftover)


def remove(path: Path) -> None:
    """Remove a file, a link (not its target) or a directory; a missing one is no error."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Flush a file, or the list of names in a directory, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network file systems cannot sync a directory.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def sync_tree(directory: Path) -> None:
    """Flush `directory` and everything below it to the disk."""
    for path in [*directory.rglob("*"), directory]:
        if not path.is_symlink():
            sync(path)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn any failure of the disk inside into a `RunError` that names `path`, the reason and the remedy."""
    try:
        yield
    except Exception as error:  # safetensors and torch raise their own types when the disk is full
        if isinstance(error, OSError) or _FAILED_WRITE.search(str(error)):
            raise cannot_write(path, error) from error
        raise


def cannot_write(path: Path, error: BaseException) -> RunError:
    """The error for a file or directory that cannot be written, with its remedy."""
    if isinstance(error, shutil.Error):
        error = _first_of(error)
    reason = getattr(error, "strerror", None) or str(error).strip().partition("\n")[0][:200] or type(error).__name__
    # torch does not say why it could not write; a full disk is the likeliest reason.
    is_full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or not isinstance(error, OSError)
    remedy = "free space there" if is_full else "check that the directory exists and is writable"
    return RunError(f"{printable(path)}: cannot be written ({reason}); what was finished before is kept: {remedy}")


def _first_of(error: shutil.Error) -> OSError:
    """The first error of copying a tree, which `shutil` lists as (source, copy, text of the error)."""
    listed = error.args[0] if error.args else ""
    text = str(listed[0][-1] if isinstance(listed, list) and listed else listed)
    number = re.match(r"\[Errno (\d+)\]", text)
    return OSError(int(number[1]), os.strerror(int(number[1]))) if number else OSError(text)


def printable(path: Path | str) -> str:
    """A path as text that can always be printed: bytes that are not UTF-8 become escapes such as `\\xe9`."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def sha256_of(path: Path) -> str:
    """Hex SHA-256 of a file. Raises `OSError`."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of_json(value: Any) -> str:
    """Hex SHA-256 of a JSON value; the order of keys makes no difference."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def write_checksums(directory: Path) -> None:
    """List the checksum of every file below `directory` in its `checksums.json`.

    Call it just before `replace_directory` or the end of `new_directory`, which sync the files to the disk.
    """
    files = (file for file in sorted(directory.rglob("*")) if file.is_file() and file.name != CHECKSUMS)
    sums = {file.relative_to(directory).as_posix(): _checksum(file) for file in files}
    (directory / CHECKSUMS).write_text(json.dumps(sums, indent=2) + "\n", encoding="utf-8")


def find_damage(directory: Path, required: Sequence[str] = ()) -> str | None:
    """What differs from the `checksums.json` of a directory, in words; None if the directory is intact.

    required: patterns, each of which must match a listed file; "a|b" matches either.
    """
    try:
        sums = json.loads((directory / CHECKSUMS).read_text(encoding="utf-8"))
        for pattern in required:
            if not any(fnmatch(name, one) for name in sums for one in pattern.split("|")):
                return f"its {CHECKSUMS} lists no {pattern.replace('|', ' or ')}"
        for name, expected in sums.items():
            if _checksum(directory / name) != expected:
                return f"{name} is not as it was written"
    except FileNotFoundError as error:
        return f"{Path(error.filename).name} is missing"
    except (OSError, ValueError, AttributeError, TypeError, RecursionError) as error:
        return f"it cannot be read ({error})"
    return None


def _checksum(file: Path) -> str:
    digest = xxhash.xxh3_128()
    with file.open("rb") as stream:
        while chunk := stream.read(1 << 22):
            digest.update(chunk)
    return digest.hexdigest()
