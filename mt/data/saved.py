"""The splits of a run on disk: copied from a finished build, and read back only if they are undamaged."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mt.data.rejects import REJECTED
from mt.data.splitting import SPLITS
from mt.errors import RunError
from mt.files import CHECKSUMS, find_damage, write_bytes, write_checksums
from mt.languages import ENGLISH_TO_ARABIC, LanguagePair
from mt.manifest import read_manifest
from mt.runs import RunDirectory, sha256_of_rows

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

REQUIRED = (
    "dataset_dict.json",
    *(f"{split}/*.arrow" for split in SPLITS),
    *(f"{split}/state.json" for split in SPLITS),
)
"""Files that the checksums of saved splits must list."""

_COLUMNS = ("source", "target", "corpus", "group")


def take_build(
    build: Path, run: RunDirectory, languages: LanguagePair = ENGLISH_TO_ARABIC, *, as_tsv: bool = False
) -> None:
    """Copy the splits and the rejected pairs of a finished build into a run; `data/` appears last, complete.

    as_tsv: also write each split as a table, `data/train.tsv` and so on; see `write_tables`.
    Raises `RunError` on a full disk.
    """
    with run.new_directory(run.data) as work:
        write_bytes(run.rejected, (build / REJECTED).read_bytes())
        shutil.copytree(build / "data", work, dirs_exist_ok=True)
        if as_tsv:
            write_tables(work, languages)
        write_checksums(work)


def write_tables(data: Path, languages: LanguagePair = ENGLISH_TO_ARABIC) -> None:
    """Write each split of `data` as tab-separated UTF-8 beside its Arrow files: `train.tsv`, `dev.tsv`, `test.tsv`.

    The first line names the columns: the two languages, as in `english` and `arabic`, then corpus and group. Nothing
    is quoted: a tab or a line end inside a cell becomes a space. The table of an empty split is its header.
    """
    from datasets import load_from_disk

    splits = load_from_disk(str(data))
    header = _row([languages.source.name.lower(), languages.target.name.lower(), *_COLUMNS[2:]])
    for split in SPLITS:
        rows = (_row(row[column] for column in _COLUMNS) for row in splits[split])
        (data / f"{split}.tsv").write_text("".join([header, *rows]), encoding="utf-8")


def _row(cells: Iterable[str]) -> str:
    return "\t".join(" ".join(cell.replace("\t", " ").splitlines()) for cell in cells) + "\n"


def find_split_damage(run: RunDirectory) -> str | None:
    """What is wrong with a run's splits, as a clause; None if they are complete and unchanged."""
    return find_damage(run.data, REQUIRED)


def load_splits(run: RunDirectory) -> DatasetDict:
    """The splits of a run. Raises `RunError` if they are missing, damaged, or not those that the run was made with.

    Files that this process has verified, and that have not been touched since, are not verified again.
    """
    if not run.data.is_dir():
        raise RunError(f"{run.data}: the run's splits are missing; give --test_set NAME=FILE, or train again")
    files = sorted(file for file in (*run.data.rglob("*"), run.manifest) if file.is_file())
    stats = [(str(file), file.stat()) for file in files]
    return _load(run.root, tuple((name, stat.st_size, stat.st_mtime_ns, stat.st_ino) for name, stat in stats))


@lru_cache(maxsize=16)
def _load(root: Path, _state: tuple[tuple[str, int, int, int], ...]) -> DatasetDict:
    """The splits of a run; cached until the state of its files changes."""
    from datasets import DatasetDict, load_from_disk

    run = RunDirectory(root)
    is_sealed = (run.data / CHECKSUMS).is_file()
    damage = find_split_damage(run) if is_sealed else None
    if damage is not None:
        raise _damaged(run, damage)
    try:
        splits = load_from_disk(str(run.data))
        columns = {split: set(splits[split].column_names) for split in SPLITS}
    except Exception as error:  # the library passes on whatever the reader of the format raises
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise _damaged(run, f"it cannot be read: {reason[:200]}") from error
    if any(not {"source", "target", "corpus", "group"} <= names for names in columns.values()):
        raise _damaged(run, "a split lacks one of the columns source, target, corpus and group")
    assert isinstance(splits, DatasetDict)
    if not is_sealed:
        refuse_other_splits(run, describe_splits(splits), read_manifest(run.manifest))
    return splits


def describe_splits(splits: Mapping[str, Dataset]) -> dict[str, dict[str, Any]]:
    """Number of pairs and SHA-256 of each split, for the manifest."""
    return {split: {"pairs": len(splits[split]), "sha256": sha256_of_rows(splits[split])} for split in SPLITS}


def refuse_other_splits(run: RunDirectory, found: Mapping[str, Any], manifest: Mapping[str, Any]) -> None:
    """Raise `RunError` if the manifest says that the run had other splits."""
    known = manifest.get("splits") or {}
    for split in SPLITS:
        if split in known and known[split] != found[split]:
            raise _damaged(run, f"its {split} split is not the one that the run was made with")


def _damaged(run: RunDirectory, damage: str) -> RunError:
    return RunError(f"{run.data}: {damage}; restore it, or train again with --overwrite")
