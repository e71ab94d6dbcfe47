"""Output directories: ours by a mark, one process's at a time, and nothing else in them touched."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from mt.errors import RunError
from mt.files import UNFINISHED
from mt.outputs import LOCK, MARK, Kind, Output, claim, refuse_inputs_inside
from mt.runs import EVALUATION

KIND = Kind("evaluation", ("scores.json", "logs/run-*"), directories=("translations",), precious=("scores.json",))


def tree(root: Path) -> dict[str, str]:
    """Every file below `root` with its content; links with where they point."""
    found = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        found[name] = f"-> {path.readlink()}" if path.is_symlink() else "" if path.is_dir() else path.read_text()
    return found


def write(output: Output, name: str, text: str = "ours") -> None:
    path = output.root / name
    output.record(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_a_new_directory_is_ours_and_says_what_we_wrote(tmp_path: Path):
    with claim(tmp_path / "runs" / "a", KIND, {}) as output:
        write(output, "scores.json")
        write(output, "translations/test/base.txt")
        mark = json.loads((output.root / MARK).read_text())
    assert mark["kind"] == "evaluation"
    assert mark["files"] == ["scores.json", "logs/run-*", "translations/test/base.txt"]
    assert mark["used_by"]["process"] == os.getpid()


@pytest.mark.parametrize(
    "name", ["data/corpus.tsv", "config.yaml", "translations/test/base.txt", "report.md", ".hidden", "notes.txt"]
)
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_directory_with_files_of_the_user_is_refused_untouched(tmp_path: Path, name: str, overwrite: bool):
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text("mine")
    before = tree(tmp_path)
    with pytest.raises(RunError, match=r"holds files that mt did not write, such as '.*', so nothing there is touch"):
        claim(tmp_path, KIND, {}, overwrite=overwrite)
    assert tree(tmp_path) == before


def test_overwrite_removes_what_the_mark_lists_and_nothing_else(tmp_path: Path):
    with claim(tmp_path, KIND, {}) as output:
        for name in ("scores.json", "translations/test/base.txt", "logs/run-1"):
            write(output, name)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(RunError, match="holds an earlier evaluation; replace it with --overwrite, or choose another"):
        claim(tmp_path, KIND, {})
    with claim(tmp_path, KIND, {}, overwrite=True) as output:
        # Not before the input is known to be good.
        assert (tmp_path / "scores.json").exists()
        output.clear()
    assert set(tree(tmp_path)) == {MARK, LOCK, "notes.txt"}


def plant_file(root: Path) -> None:
    (root / "translations" / "test" / "mine.txt").write_text("mine")


def plant_link_to_a_directory(root: Path) -> None:
    shutil.rmtree(root / "translations")
    (root / "translations").symlink_to(root.parent / "precious")


def plant_link_to_a_file(root: Path) -> None:
    (root / "translations" / "test" / "link.txt").symlink_to(root.parent / "precious" / "a.txt")


def plant_directory_of_links(root: Path) -> None:
    (root / "translations" / "more").symlink_to(root.parent / "precious")


@pytest.mark.parametrize(
    "plant", [plant_file, plant_link_to_a_directory, plant_link_to_a_file, plant_directory_of_links]
)
@pytest.mark.parametrize("keep", [False, True])
def test_what_is_not_ours_inside_stops_us(tmp_path: Path, plant: Callable[[Path], None], keep: bool):
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "a.txt").write_text("mine")
    with claim(tmp_path / "out", KIND, {}) as output:
        write(output, "scores.json")
        write(output, "translations/test/base.txt")
    plant(tmp_path / "out")
    before = {name: text for name, text in tree(tmp_path).items() if MARK not in name}
    with pytest.raises(RunError, match="was not written by mt, so nothing there is touched; move it elsewhere"):
        claim(tmp_path / "out", KIND, {}, overwrite=not keep, keep=keep)
    assert {name: text for name, text in tree(tmp_path).items() if MARK not in name} == before


def test_names_with_wildcards_stand_for_themselves_alone(tmp_path: Path):
    with claim(tmp_path, KIND, {}) as output:
        write(output, "translations/[ab]*/base.txt")
        write(output, "scores.json")
    (tmp_path / "translations" / "axx").mkdir()
    (tmp_path / "translations" / "axx" / "base.txt").write_text("mine")
    with pytest.raises(RunError, match=r"translations/axx/base\.txt: was not written by mt"):
        claim(tmp_path, KIND, {}, overwrite=True)
    shutil.rmtree(tmp_path / "translations" / "axx")
    with claim(tmp_path, KIND, {}, overwrite=True):
        pass


def test_another_kind_and_a_damaged_mark_are_refused(tmp_path: Path):
    with claim(tmp_path / "a", KIND, {}):
        pass
    other = Kind("training run", ("config.yaml",))
    with pytest.raises(RunError, match="holds an evaluation; choose another --output_dir for the training run"):
        claim(tmp_path / "a", other, {}, overwrite=True)
    (tmp_path / "a" / MARK).write_text('{"kind": "evalu')
    with pytest.raises(RunError, match="is damaged, so it cannot be told which files there are ours"):
        claim(tmp_path / "a", KIND, {}, overwrite=True)


@pytest.mark.parametrize("place", ["/dev/null", "{tmp}/file"])
def test_what_is_no_directory(tmp_path: Path, place: str):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(RunError, match="is a file; choose another --output_dir"):
        claim(Path(place.format(tmp=tmp_path)), KIND, {}, overwrite=True)
    assert (tmp_path / "file").read_text() == "mine"


def test_inputs_inside_the_output_directory_are_refused(tmp_path: Path):
    (tmp_path / "out" / "in").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "out")
    corpus = tmp_path / "out" / "in" / "news.tsv"
    corpus.write_text("a\tb\n")
    for root in (tmp_path / "out", tmp_path / "link", tmp_path / "out" / "in" / ".."):
        with pytest.raises(RunError, match=r"news\.tsv: the corpus `news` is inside the output directory"):
            refuse_inputs_inside(root, {"the corpus `news`": str(corpus)})
    refuse_inputs_inside(tmp_path / "outer", {"the corpus `news`": str(corpus)})


def hold(root: Path, ready: multiprocessing.synchronize.Event) -> None:
    with claim(root, KIND, {}) as output:
        write(output, "scores.json")
        ready.set()
        signal.pause()


@pytest.fixture
def holder(tmp_path: Path) -> multiprocessing.process.BaseProcess:
    """A process that holds `tmp_path/out`."""
    context = multiprocessing.get_context("fork")
    ready = context.Event()
    process = context.Process(target=hold, args=(tmp_path / "out", ready))
    process.start()
    assert ready.wait(30)
    yield process
    process.kill()
    process.join()


def test_a_second_process_is_refused_at_once(tmp_path: Path, holder: multiprocessing.process.BaseProcess):
    for options in ({}, {"overwrite": True}, {"keep": True}):
        with pytest.raises(RunError, match=rf"another process is writing there \(process {holder.pid} on .*, since 20"):
            claim(tmp_path / "out", KIND, {}, **options)
    assert (tmp_path / "out" / "scores.json").read_text() == "ours"


def test_a_killed_process_leaves_no_lock(tmp_path: Path, holder: multiprocessing.process.BaseProcess):
    (tmp_path / "out" / f"{UNFINISHED}1-scores.json").write_text("torn")
    assert holder.pid
    os.kill(holder.pid, signal.SIGKILL)
    holder.join()
    with claim(tmp_path / "out", KIND, {}, keep=True):
        assert (tmp_path / "out" / "scores.json").read_text() == "ours"
    assert set(tree(tmp_path / "out")) == {MARK, LOCK, "scores.json"}


def test_a_mark_of_another_host_without_a_lock_is_no_obstacle(tmp_path: Path):
    with claim(tmp_path, KIND, {}):
        pass
    mark = json.loads((tmp_path / MARK).read_text())
    mark["used_by"] |= {"host": "elsewhere", "process": 1}
    (tmp_path / MARK).write_text(json.dumps(mark))
    with claim(tmp_path, KIND, {}):
        pass


def test_a_directory_that_vanishes_is_noticed_at_the_next_write(tmp_path: Path):
    with claim(tmp_path / "out", KIND, {}) as output:
        shutil.rmtree(tmp_path / "out")
        with pytest.raises(RunError, match="was deleted or replaced while it was being written to"):
            output.record(tmp_path / "out" / "scores.json")
        with claim(tmp_path / "out", KIND, {}), pytest.raises(RunError, match="was deleted or replaced"):
            output.record(tmp_path / "out" / "scores.json")


def test_a_new_directory_replaces_the_old_one_and_is_listed_first(tmp_path: Path):
    directory = tmp_path / "out" / "translations"
    with claim(tmp_path / "out", EVALUATION, {}) as output:
        for text in ("old", "new"):
            with output.new_directory(directory) as work:
                (work / text).mkdir()
                (work / text / "base.txt").write_text(text)
        mark = json.loads((tmp_path / "out" / MARK).read_text())
    assert {"translations/old/base.txt", "translations/new/base.txt"} < set(mark["files"])
    assert {name: text for name, text in tree(directory).items() if text} == {"new/base.txt": "new"}


def test_a_new_directory_is_dropped_after_an_error(tmp_path: Path):
    directory = tmp_path / "out" / "translations"
    with claim(tmp_path / "out", EVALUATION, {}) as output:
        with output.new_directory(directory) as work:
            (work / "base.txt").write_text("old")
        with (
            pytest.raises(RunError, match=r"translations: cannot be written \(No space"),
            output.new_directory(directory),
        ):
            raise OSError(errno.ENOSPC, "No space left on device")
    assert set(tree(tmp_path / "out")) == {MARK, LOCK, "translations", "translations/base.txt"}
