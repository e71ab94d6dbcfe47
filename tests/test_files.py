"""Files that appear whole, names that are no paths."""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path

import pytest

from mt import files
from mt.errors import RunError
from mt.files import UNFINISHED, new_directory, write_text


@pytest.mark.parametrize("name", ["news", "flores-200", "تجربة", "a.b", "opus mt", "x" * 100])
def test_plain_names_are_taken(name: str):
    assert files.check_name(name, "the test set") == name


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("", "is empty"),
        ("..", "begins with a dot"),
        (".hidden", "begins with a dot"),
        ("../../x", "begins with a dot"),
        ("/abs/x", "holds a slash"),
        ("a/b", "holds a slash"),
        ("a\\b", "holds a slash or a backslash"),
        ("a\x00b", "holds control or invisible"),
        ("a\nb", "holds control or invisible"),
        ("a\u202eb", "holds control or invisible"),
        ("a\udce9", "holds control or invisible"),
        ("name.", "ends with a dot"),
        ("NUL.txt", "is a device's name"),
        ("x" * 101, "is longer than 100 bytes"),
        ("ش" * 51, "is longer than 100 bytes"),
    ],
)
def test_names_that_are_more_than_names(name: str, fault: str):
    with pytest.raises(RunError, match=rf"^the test set .* {fault}"):
        files.check_name(name, "the test set")


def test_names_that_are_one_file_on_some_disks():
    files.check_distinct(["a", "b", "a"], "the labels")
    with pytest.raises(RunError, match="the labels 'News' and 'news' would be the same file"):
        files.check_distinct(["News", "x", "news"], "the labels")
    with pytest.raises(RunError, match="would be the same file"):
        files.check_distinct(["caf\u00e9", "cafe\u0301"], "the labels")


def test_a_file_is_written_whole(tmp_path: Path):
    files.write_text(tmp_path / "a.txt", "one\n")
    assert (tmp_path / "a.txt").read_bytes() == b"one\n"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_a_link_at_the_final_name_is_replaced_and_not_followed(tmp_path: Path):
    (tmp_path / "precious.txt").write_text("mine")
    (tmp_path / "scores.json").symlink_to(tmp_path / "precious.txt")
    files.write_json(tmp_path / "scores.json", {"a": 1})
    assert (tmp_path / "precious.txt").read_text() == "mine"
    assert not (tmp_path / "scores.json").is_symlink()
    assert json.loads((tmp_path / "scores.json").read_text()) == {"a": 1}


def test_a_full_disk_is_one_sentence_and_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    files.write_text(tmp_path / "a.txt", "old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunError, match=r"a\.txt: cannot be written \(No space left on device\); .* free space there$"):
        files.write_text(tmp_path / "a.txt", "new")
    assert (tmp_path / "a.txt").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_a_directory_that_is_gone_is_not_made_again(tmp_path: Path):
    with pytest.raises(RunError, match=r"check that the directory exists"):
        files.write_text(tmp_path / "gone" / "a.txt", "x")


def test_file_and_directory_are_synced_before_and_after_the_renaming(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    order: list[str] = []
    fsync, replace = os.fsync, Path.replace
    monkeypatch.setattr(
        os, "fsync", lambda fd: (order.append(str(Path(f"/proc/self/fd/{fd}").readlink())), fsync(fd))[1]
    )
    monkeypatch.setattr(Path, "replace", lambda self, to: (order.append("rename"), replace(self, to))[1])
    files.write_text(tmp_path / "a.txt", "x")
    assert order[1:] == ["rename", str(tmp_path)]
    assert Path(order[0]).name.startswith(files.UNFINISHED)


def test_names_that_are_no_utf8_can_be_printed():
    assert files.printable(Path(os.fsdecode(b"caf\xe9.tsv"))) == "caf\\xe9.tsv"


def test_leftovers_are_swept(tmp_path: Path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / f"{files.UNFINISHED}1-a").write_text("x")
    (tmp_path / f"{files.UNFINISHED}2-b").mkdir()
    (tmp_path / "kept").write_text("x")
    files.sweep_unfinished(tmp_path)
    assert {path.name for path in tmp_path.rglob("*")} == {"sub", "kept"}


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    directory = tmp_path / "d"
    (directory / "test").mkdir(parents=True)
    (directory / "test" / "a.arrow").write_bytes(b"abc")
    (directory / "state.json").write_bytes(b"{}")
    files.write_checksums(directory)
    return directory


def test_checksums_are_those_of_xxhash(sealed: Path):
    sums = json.loads((sealed / "checksums.json").read_text())
    assert list(sums) == ["state.json", "test/a.arrow"]
    # XXH3_128bits of "abc", as `xxhsum -H128` prints it.
    assert sums["test/a.arrow"] == "06b05ab6733a618578af5f94892f3950"


def test_an_intact_directory(sealed: Path):
    assert files.find_damage(sealed, ["state.json", "*.arrow"]) is None


def test_what_is_damaged_is_named(sealed: Path):
    (sealed / "test" / "a.arrow").write_bytes(b"abd")
    assert files.find_damage(sealed) == "test/a.arrow is not as it was written"
    (sealed / "test" / "a.arrow").unlink()
    assert files.find_damage(sealed) == "a.arrow is missing"


@pytest.mark.parametrize("content", ["{}", "[]", "null", "3", '{"other.txt": "0"}'])
def test_a_list_that_lacks_what_must_be_there(sealed: Path, content: str):
    (sealed / "checksums.json").write_text(content)
    assert files.find_damage(sealed, ["state.json|other.json"])


def test_a_list_that_is_torn_or_gone(sealed: Path):
    (sealed / "checksums.json").write_text('{"state.json": "5f')
    assert "cannot be read" in (files.find_damage(sealed) or "")
    (sealed / "checksums.json").unlink()
    assert files.find_damage(sealed) == "checksums.json is missing"


def test_new_directory_appears_whole_and_sweeps_what_killed_processes_left(tmp_path: Path):
    for name in ("export", "other"):
        dead = tmp_path / f"{UNFINISHED}0123456789ab-{name}"
        (dead / "content").mkdir(parents=True)
        (dead / "content" / "half").write_text("x")
    starting = tmp_path / f"{UNFINISHED}0123456789ac-other"  # not locked yet
    starting.mkdir()
    file = tmp_path / f"{UNFINISHED}0123456789ad-a.txt"
    file.write_text("being written")
    with new_directory(tmp_path / "export") as work:
        (work / "whole").write_text("x")
        assert not (tmp_path / "export").exists()
        with new_directory(tmp_path / "export") as second:  # of another process, which leaves ours alone
            (second / "whole").write_text("second")
            assert (work / "whole").exists()
        (tmp_path / "export" / "whole").unlink()
    assert {path.name for path in tmp_path.iterdir()} == {"export", starting.name, file.name}
    assert (tmp_path / "export" / "whole").read_text() == "x"


@pytest.mark.parametrize(("is_replaced", "kept"), [(True, "new"), (False, "old")])
def test_new_directory_replaces_another_one_if_it_may(tmp_path: Path, is_replaced: bool, kept: str):
    (tmp_path / "build").mkdir()
    (tmp_path / "build" / "old").write_text("x")
    with new_directory(tmp_path / "build", replace_if=lambda: is_replaced) as work:
        (work / "new").write_text("x")
    assert [path.name for path in tmp_path.rglob("*")] == ["build", kept]


def test_new_directory_fills_the_target_of_a_link_and_replaces_the_link_if_it_may(tmp_path: Path):
    (tmp_path / "target").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "target")
    with new_directory(tmp_path / "link") as work:
        (work / "a").write_text("x")
    assert (tmp_path / "target" / "a").exists()
    assert (tmp_path / "link").is_symlink()
    with new_directory(tmp_path / "link", replace_if=lambda: True) as work:
        (work / "b").write_text("x")
    assert not (tmp_path / "link").is_symlink()
    assert sorted(path.name for path in (tmp_path / "target").iterdir()) == ["a"]


def test_new_directory_is_nothing_after_an_error_and_never_replaces_what_came_meanwhile(tmp_path: Path):
    def fill(place: Path, error: Exception | None) -> None:
        with new_directory(place) as work:
            (work / "file").write_text("ours")
            if error is not None:
                raise error
            place.mkdir()
            (place / "mine").write_text("mine")

    with pytest.raises(ValueError, match="no"):
        fill(tmp_path / "export", ValueError("no"))
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(OSError, match="not empty"):
        fill(tmp_path / "export", None)
    assert [path.name for path in tmp_path.rglob("*")] == ["export", "mine"]


def test_a_copied_tree_that_fails_is_told_by_its_first_error(tmp_path: Path):
    listed = [("a", "b", "[Errno 27] File too large: 'b'"), ("c", "d", "[Errno 28] No space left on device: 'd'")]
    assert str(files.cannot_write(tmp_path, shutil.Error(listed))) == (
        f"{tmp_path}: cannot be written (File too large); what was finished before is kept: check that the directory "
        "exists and is writable"
    )
    assert "(No space left on device); what was finished before is kept: free space there" in str(
        files.cannot_write(tmp_path, shutil.Error(listed[1:]))
    )


def test_a_pipe_is_not_replaced_by_a_file(tmp_path: Path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(RunError, match="pipe: is a pipe or a device, which a file would replace; name another file"):
        write_text(pipe, "words")
    assert pipe.is_fifo()
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]
