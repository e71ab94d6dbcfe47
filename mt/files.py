"""Files and directories that appear whole or not at all and outlast a power cut; names that may become paths."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import secrets
import shutil
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatch
from glob import escape
from pathlib import Path
from typing import Any

import xxhash
from filelock import FileLock, Timeout

from mt.errors import RunError

UNFINISHED = ".mt-unfinished-"
"""How the names of files begin that are being written; what a killed process leaves is swept by the next."""

CHECKSUMS = "checksums.json"
"""The file of a directory that says what all its other files hold."""

_MAX_NAME_BYTES = 100
_FAILED_WRITE = re.compile(r"No space left|os error \d|PytorchStreamWriter|file write failed|unexpected pos")
_RESERVED_NAMES = frozenset({"con", "prn", "aux", "nul", *(f"{kind}{n}" for kind in ("com", "lpt") for n in range(10))})


def check_name(name: str, what: str) -> str:
    """`name`, which a file or directory is to be called after. Raises `RunError` for one that is more than a name.

    what: whose name it is, for the message, as "the test set" or "the label of a system".
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
    """Raise `RunError` for two names that some disks take for one: they differ in case or in Unicode's form alone."""
    seen: dict[str, str] = {}
    for name in names:
        key = unicodedata.normalize("NFC", name).casefold()
        if seen.setdefault(key, name) != name:
            raise RunError(f"{what} {seen[key]!r} and {name!r} would be one file on some disks; rename one of them")


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all. Raises `RunError` if the disk is full or cannot be written.

    What half of a character is in `text` (a lone surrogate, as of a file name that is not UTF-8) is written as `?`.
    """
    write_bytes(path, text.encode("utf-8", "replace"))


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole or not at all; a link at its name is replaced, not followed. Raises `RunError`."""
    with writing(path):
        temporary = unfinished_name(path)
        try:
            # Exclusively, so that nothing that lies there is written through or over.
            with temporary.open("xb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        sync(path.parent)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as readable JSON, whole or not at all. Raises `RunError`."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write one item per line. Line ends inside an item become spaces: line n belongs to sentence n."""
    write_text(path, "".join(" ".join(line.splitlines()) + "\n" for line in lines))


def unfinished_name(path: Path) -> Path:
    """A new name beside `path`, for what will be renamed to it."""
    return path.with_name(f"{UNFINISHED}{secrets.token_hex(6)}-{path.name[:100]}")


def put_directory(finished: Path, place: Path) -> None:
    """Sync the files of `finished` and rename it to `place`, whatever is there. Raises `OSError`.

    What was there is moved aside first and removed last, so that nothing slow lies between the old and the new.
    """
    sync_tree(finished)
    aside = unfinished_name(place)
    if os.path.lexists(place):
        place.rename(aside)
    finished.rename(place)
    sync(place.parent)
    remove(aside)


@contextmanager
def new_directory(place: Path) -> Iterator[Path]:
    """An empty directory to fill, which becomes `place`, new or empty, when the context ends without an error.

    What killed processes have left beside `place` on their way to it is removed, and nothing of running ones. Raises
    `OSError`, also if somebody has written to `place` meanwhile.
    """
    place = place.resolve()
    place.parent.mkdir(parents=True, exist_ok=True)
    _sweep_beside(place)
    work = unfinished_name(place)
    (work / "content").mkdir(parents=True)
    lock = FileLock(work / "lock", timeout=0)
    try:
        with lock:
            yield work / "content"
            sync_tree(work / "content")
            (work / "content").rename(place)
            sync(place.parent)
    finally:
        remove(work)


def _sweep_beside(place: Path) -> None:
    for leftover in place.parent.glob(f"{UNFINISHED}*-{escape(place.name[:100])}"):
        try:
            with FileLock(leftover / "lock", timeout=0):
                remove(leftover)
        except (Timeout, OSError):
            continue  # somebody is writing there, or has just removed it


def sweep_unfinished(directory: Path) -> None:
    """Remove what killed processes have left anywhere in `directory`; call it with the directory's lock."""
    for leftover in list(directory.rglob(f"{UNFINISHED}*")):
        remove(leftover)


def remove(path: Path) -> None:
    """Remove a file, a link (not what it points to) or a directory; nothing there is no error."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Have the disk take a file, or the names in a directory."""
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
    """Have the disk take all files and names below `directory`, and its own."""
    for path in [*directory.rglob("*"), directory]:
        if not path.is_symlink():
            sync(path)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Whatever goes wrong with the disk inside becomes a `RunError` that names `path`, the reason and the remedy."""
    try:
        yield
    except Exception as error:  # safetensors and torch have exceptions of their own for a full disk
        if isinstance(error, OSError) or _FAILED_WRITE.search(str(error)):
            raise cannot_write(path, error) from error
        raise


def cannot_write(path: Path, error: BaseException) -> RunError:
    """What to tell the user of a file or directory that cannot be written."""
    reason = getattr(error, "strerror", None) or str(error).strip().partition("\n")[0][:200] or type(error).__name__
    # torch says only that it could not write.
    is_full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or not isinstance(error, OSError)
    remedy = "free space there" if is_full else "check that the directory is there and may be written to"
    return RunError(f"{printable(path)}: cannot be written ({reason}); what was finished before is kept: {remedy}")


def printable(path: Path | str) -> str:
    """A path that every terminal and file takes: what is no UTF-8 in it appears as a backslash and its number."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def sha256_of(path: Path) -> str:
    """Hex SHA-256 of a file. Raises `OSError`."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of_json(value: Any) -> str:
    """Hex SHA-256 of a JSON value, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def write_checksums(directory: Path) -> None:
    """Note the checksum of every file below `directory` in its `checksums.json`, and have the disk take them all."""
    files = (file for file in sorted(directory.rglob("*")) if file.is_file() and file.name != CHECKSUMS)
    sums = {file.relative_to(directory).as_posix(): _checksum(file) for file in files}
    (directory / CHECKSUMS).write_text(json.dumps(sums, indent=2) + "\n", encoding="utf-8")
    sync_tree(directory)


def find_damage(directory: Path, required: Sequence[str] = ()) -> str | None:
    """What is wrong with a directory that `write_checksums` has sealed, in words; None if all is as it was written.

    required: patterns; for each at least one file must be listed. "a|b" takes either.
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
