"""Builds through parts on disk: the same bytes for any number of them, after a kill, damage and a full disk."""

from __future__ import annotations

import hashlib
import os
import resource
import signal
import subprocess
import sys
import textwrap
import threading
import time
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from mt.config import CleaningConfig, CorpusConfig, DataConfig
from mt.data import cache, collecting, decontamination, neighbours, preparing
from mt.data.builder import build_data
from mt.data.cache import cached_build
from mt.data.decontamination import find_overlaps, overlaps_in_parts
from mt.data.engines.local import Local
from mt.data.fingerprints import fingerprint
from mt.data.neighbours import Search, find_clusters
from mt.data.pair import Pair
from mt.data.parts import is_finished, make_part
from mt.data.slips import SlipWatches
from mt.data.store import PairStore, SideColumns
from mt.errors import DataError
from mt.files import UNFINISHED
from tests.conftest import ROOT

WORDS = [f"w{chr(97 + i // 26)}{chr(97 + i % 26)}" for i in range(600)]


def sentences(count: int) -> list[list[int]]:
    """Word numbers; every third sentence is an earlier one with a word changed, every ninth one with its half."""
    rng = np.random.default_rng(3)
    made = [rng.integers(0, len(WORDS), rng.integers(6, 30)).tolist() for _ in range(count)]
    for number in range(3, count, 3):
        made[number] = list(made[int(rng.integers(0, number))])
        made[number][int(rng.integers(0, len(made[number])))] = int(rng.integers(0, len(WORDS)))
        if number % 9 == 0:
            half = len(made[number]) // 2
            made[number][:half] = rng.integers(0, len(WORDS), half).tolist()
    return made


def side_of(numbers: list[list[int]]) -> SideColumns:
    prints = fingerprint([" ".join(WORDS[i] for i in one) for one in numbers], ["x"] * len(numbers), "").source
    counts = prints.words.counts
    return SideColumns(prints.keys, counts, np.cumsum(counts) - counts, prints.words.hashes)


def similarity(one: list[int], other: list[int]) -> float:
    sets = [set(numbers) | set(pairwise(numbers)) for numbers in (one, other)]
    return len(sets[0] & sets[1]) / len(sets[0] | sets[1])


def test_neighbours_are_those_of_all_pairs_compared_whatever_the_partitions(tmp_path: Path):
    made = sentences(400)
    side, levels = side_of(made), np.random.default_rng(1).integers(0, 3, 400).astype(np.int8)
    found = []
    for number, (partitions, threads) in enumerate([(1, 1), (3, 2), (16, 3), (16, 1)]):
        search = Search(tmp_path / str(number), Local(threads), partitions)
        clusters = find_clusters(side, levels, np.ones(400, bool), 0.6, search)
        found.append(clusters.edges.tolist())
        assert len(list(search.directory.glob("candidates-*"))) == partitions
    assert found[0] == found[1] == found[2] == found[3] == sorted(found[0])
    # Chains of alike sentences: the pairs of edges are alike, and whoever is alike across splits has an edge.
    sentence = {int(cluster): number for number, cluster in enumerate(clusters.of_pair)}
    edges = {frozenset((sentence[one], sentence[other])) for one, other in found[0]}
    alike = {frozenset(pair) for pair in combinations(range(400), 2) if similarity(*(made[i] for i in pair)) >= 0.6}
    across = {pair for pair in alike if len({int(levels[i]) for i in pair}) == 2}
    assert edges <= alike
    assert across <= edges
    assert len(across) > 20


def test_equal_triples_are_chained_in_the_order_of_sentences(tmp_path: Path):
    # Forty sentences that share eleven words of fourteen: every one is like every other, so the chain is the order.
    made = [[*range(11), 20 + 3 * i, 21 + 3 * i, 22 + 3 * i] for i in range(40)]
    clusters = find_clusters(
        side_of(made), np.zeros(40, np.int8), np.ones(40, bool), 0.6, Search(tmp_path, Local(2), 4)
    )
    assert clusters.edges.tolist() == [[i, i + 1] for i in range(39)]


def test_shared_words_are_found_in_any_number_of_ranges(tmp_path: Path):
    made = sentences(300)
    side, is_held_out = side_of(made), np.arange(300) % 5 == 0
    whole = find_overlaps(side, ~is_held_out, is_held_out, 5)
    runs = [{tuple(one[i : i + 5]) for i in range(len(one) - 4)} for one in made]
    for number in range(300):
        others = [other for other in range(0, 300, 5) if number % 5 and runs[number] & runs[other]]
        assert (whole[number] in others) if others else whole[number] == -1
    for ranges in (1, 3, 16):
        for threads in (1, 3):
            directory = tmp_path / f"{ranges}-{threads}"
            found = overlaps_in_parts(side, ~is_held_out, is_held_out, 5, directory, Local(threads), ranges)
            assert found.tolist() == whole.tolist()


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    file = tmp_path / "made.tsv"
    made = sentences(1500)
    lines = [
        " ".join(WORDS[i] for i in one).capitalize() + ".\t" + " ".join("كلمة" + ARABIC[i] for i in reversed(one))
        for one in made
    ]
    # Some that rules for single pairs reject, and a place in every twentieth.
    for number in range(0, 1500, 20):
        lines[number] = "Raqqa " + lines[number].replace("\t", "\tالرقة ")
    for number in range(7, 1500, 50):
        lines[number] += " 12"
    file.write_text("\n".join(lines), encoding="utf-8")
    return file


ARABIC = ["".join("ابتثجحخدذرزسشصضطظعغفقكلمنهوي"[int(digit)] for digit in f"{i:03}") for i in range(600)]


def options(corpus: Path, **others: object) -> DataConfig:
    cleaning = CleaningConfig(language=False, near_duplicates="neighbours")
    values = {"cleaning": cleaning, "workers": 1, "decontaminate_words": 6, "blocks": "off"} | others
    return DataConfig(corpora={"made": CorpusConfig(path=str(corpus))}, **values)  # type: ignore[arg-type]


SIZES = [
    (preparing, "_CHUNK_PAIRS", 200),
    (collecting, "_CHUNKS_PER_SEGMENT", 2),
    (neighbours, "_TRIPLES_PER_PARTITION", 4000),
    (neighbours, "_CODES_PER_RANGE", 300),
    (decontamination, "_NGRAMS_PER_RANGE", 700),
]
"""Parts so small that a test corpus has several of each kind."""

SMALL = "from mt.data import collecting, decontamination, neighbours, preparing\n" + "".join(
    f"{module.__name__.rpartition('.')[2]}.{name} = {size}\n" for module, name, size in SIZES
)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch):
    for module, name, size in SIZES:
        monkeypatch.setattr(module, name, size)


def contents(directory: Path) -> dict[str, str]:
    """SHA-256 of each file, by its name in the directory; without the list of checksums."""
    files = sorted(path for path in directory.rglob("*") if path.is_file() and path.name != "checksums.json")
    return {path.relative_to(directory).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def rows_hash(directory: Path) -> str:
    """A hash of all rows of the splits, in order."""
    from datasets import load_from_disk

    data = load_from_disk(str(directory / "data"))
    rows = [(split, *row.values()) for split in ("train", "dev", "test") for row in data[split].to_list()]
    return hashlib.sha256(repr(rows).encode()).hexdigest()[:16]


def built(config: DataConfig, directory: Path) -> dict[str, str]:
    directory.mkdir()
    build_data(config, directory)
    return contents(directory)


def test_splits_are_those_of_former_versions(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    made = built(options(Path("made.tsv")), tmp_path / "one")
    assert rows_hash(tmp_path / "one") == "ba16567cfeea2a4e"
    assert made["rejected.tsv"][:16] == "6fa6eedd10e2ae58"
    built(options(Path("made.tsv"), similarity=0.5, test_share=0.2, max_dev_pairs=60), tmp_path / "two")
    assert rows_hash(tmp_path / "two") == "afe763f3ae30dfba"


def test_parts_of_any_size_give_the_same_bytes(corpus: Path, tmp_path: Path, request: pytest.FixtureRequest):
    plain = built(options(corpus), tmp_path / "plain")
    request.getfixturevalue("small")
    for workers in (1, 3):
        assert built(options(corpus, workers=workers), tmp_path / str(workers)) == plain


def test_equal_counts_of_places_are_in_the_order_of_the_corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(preparing, "_CHUNK_PAIRS", 3)
    monkeypatch.setattr(collecting, "_CHUNKS_PER_SEGMENT", 1)
    file = tmp_path / "places.tsv"
    # In the first segment Homs is named more often, but later.
    lines = ["A road to Raqqa", "Water in Homs", "Talks near Homs", "A camp in Raqqa", "No place"]
    file.write_text("".join(f"{line}.\tجملة {i}\n" for i, line in zip("أبتثج", lines, strict=True)), encoding="utf-8")
    config = DataConfig(corpora={"made": CorpusConfig(path=str(file), clean=False)}, dev_share=0.0, test_share=0.0)
    _, report = build_data(config, tmp_path)
    assert list(report.as_json()["corpora"]["made"]["places"].items()) == [("Raqqa", 2), ("Homs", 2)]


KILLED = (
    SMALL
    + """
import os, signal, sys
from pathlib import Path
from mt.config import CleaningConfig, CorpusConfig, DataConfig
from mt.data.cache import cached_build

def kill_at(function, count):
    calls = []
    def killing(*arguments):
        calls.append(arguments)
        if len(calls) > count:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments)
    return killing

{kill}
cleaning = CleaningConfig(language=False, near_duplicates="neighbours")
corpora = {{"made": CorpusConfig(path={corpus!r})}}
cached_build(DataConfig(corpora=corpora, cleaning=cleaning, workers=1, decontaminate_words=6, blocks="off",
                        cache_dir={cache!r}), {{}})
"""
)


def interrupt(corpus: Path, cache_directory: Path, kill: str) -> Path:
    """Start a build in another process that kills itself; returns what it leaves."""
    script = KILLED.format(kill=kill, corpus=str(corpus), cache=str(cache_directory))
    ended = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    (left,) = [
        path.parent for path in cache_directory.glob(f"{UNFINISHED}*/lock") if (path.parent / "pairs-00000").is_dir()
    ]
    return left


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    ("kill", "read", "messages", "searched"),
    [
        ("collecting.Collection._account = kill_at(collecting.Collection._account, 5)", 800, [], [0, 1, 2, 3, 4]),
        (
            "neighbours._write_candidates = kill_at(neighbours._write_candidates, 2)",
            1500,
            ["2 of 5 partitions of the search for neighbours were finished before"],
            [2, 3, 4],
        ),
        (
            "neighbours.only_alike = kill_at(neighbours.only_alike, 2)",
            1500,
            ["5 of 5 partitions of the search", "2 of 7 parts of the comparison of sentences were finished before"],
            [],
        ),
        (
            "decontamination._known = kill_at(decontamination._known, 1)",
            1500,
            ["1 of 5 ranges of the search for words of held-out pairs were finished before"],
            [],
        ),
    ],
)
def test_a_killed_build_goes_on(
    kill: str,
    read: int,
    messages: list[str],
    searched: list[int],
    corpus: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
):
    clean = cached_build(options(corpus, cache_dir=str(tmp_path / "clean")), {})
    interrupt(corpus, tmp_path / "cache", kill)
    numbers, search = [], neighbours._write_candidates

    def noted(shared: tuple[Path, float], number: int, directory: Path) -> None:
        numbers.append((shared[0].parent.name, number))
        search(shared, number, directory)

    monkeypatch.setattr(neighbours, "_write_candidates", noted)
    with caplog.at_level("INFO"):
        finished = cached_build(options(corpus, cache_dir=str(tmp_path / "cache")), {})
    assert f"an interrupted build goes on: {read} pairs were read before" in caplog.text
    for message in messages:
        assert message in caplog.text
    assert [number for side, number in numbers if side == "source"] == searched
    assert contents(finished) == contents(clean)
    assert list((tmp_path / "cache").iterdir()) == [finished]


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    ("name", "message"),
    [("source/candidates-0001/codes", "1 of 5 partitions"), ("pairs-00001/texts.arrow", "400 pairs were read before")],
)
def test_a_damaged_part_is_made_again(
    name: str, message: str, corpus: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    clean = cached_build(options(corpus, cache_dir=str(tmp_path / "clean")), {})
    kill = "neighbours._write_candidates = kill_at(neighbours._write_candidates, 2)"
    left = interrupt(corpus, tmp_path / "cache", kill)
    content = bytearray((left / name).read_bytes())
    content[len(content) // 2] ^= 1
    (left / name).write_bytes(content)
    with caplog.at_level("INFO"):
        finished = cached_build(options(corpus, cache_dir=str(tmp_path / "cache")), {})
    file = Path(name)
    assert (
        f"{left / file.parent}: this part of the build is damaged ({file.name} is not as it was written)" in caplog.text
    )
    assert message in caplog.text
    assert contents(finished) == contents(clean)


@pytest.mark.usefixtures("small")
def test_parts_of_another_input_are_not_used(corpus: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture):
    kill = "neighbours._write_candidates = kill_at(neighbours._write_candidates, 2)"
    left = interrupt(corpus, tmp_path / "cache", kill)
    corpus.write_text(corpus.read_text(encoding="utf-8").replace("Raqqa", "Hama"), encoding="utf-8")
    with caplog.at_level("INFO"):
        finished = cached_build(options(corpus, cache_dir=str(tmp_path / "cache")), {})
    assert "before" not in caplog.text
    assert contents(finished) == contents(cached_build(options(corpus, cache_dir=str(tmp_path / "clean")), {}))
    # For a week, somebody may go on with the other one.
    assert left.is_dir()
    os.utime(left, (0, 0))
    corpus.write_text(corpus.read_text(encoding="utf-8").replace("Hama", "Homs"), encoding="utf-8")
    cached_build(options(corpus, cache_dir=str(tmp_path / "cache")), {})
    assert not left.is_dir()


@pytest.mark.usefixtures("small")
def test_a_full_disk_keeps_what_is_finished(
    corpus: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    config = options(corpus, cache_dir=str(tmp_path / "cache"))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    # Segments fit; the splits are larger.
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, limits[1]))
    try:
        with pytest.raises(
            DataError, match=r"the build cannot be written \(.*File too large\); what is finished is kept in"
        ):
            cached_build(config, {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    with monkeypatch.context() as patch:
        patch.setattr(cache, "_BYTES_PER_TEXT_BYTE", 10**12)
        with pytest.raises(DataError, match="the build needs about"):
            cached_build(config, {})
    with caplog.at_level("INFO"):
        finished = cached_build(config, {})
    assert "1500 pairs were read before" in caplog.text
    assert contents(finished) == contents(cached_build(options(corpus, cache_dir=str(tmp_path / "clean")), {}))


def test_a_disk_without_enough_space_is_refused_before_anything_is_read(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    corpus.write_bytes(b"A war.\t\n" * 2**17)
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 2**20}))
    message = r"cache: the build needs about 4 MiB there, and 1 MiB are free: free space, or set data\.cache_dir"
    with pytest.raises(DataError, match=message):
        cached_build(options(corpus, cache_dir=str(tmp_path / "cache")), {})
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_second_process_waits_for_the_first(corpus: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture):
    config = options(corpus, cache_dir=str(tmp_path / "cache"))
    work = tmp_path / "cache" / f"{UNFINISHED}{cache._key(config, {}, cache.ENGLISH_TO_ARABIC)}"
    work.mkdir(parents=True)
    done: list[Path] = []
    thread = threading.Thread(target=lambda: done.append(cached_build(config, {})))
    with caplog.at_level("INFO"), FileLock(work / "lock"):
        thread.start()
        deadline = time.monotonic() + 60
        while "another process is making the same build" not in caplog.text and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not done
    thread.join()
    assert list((tmp_path / "cache").iterdir()) == done


@pytest.mark.slow
def test_two_builds_at_once_make_one(corpus: Path, tmp_path: Path):
    script = KILLED.format(kill="", corpus=str(corpus), cache=str(tmp_path / "cache"))
    script = "import logging; logging.basicConfig(level='INFO')\n" + script
    both = [
        subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stderr=subprocess.PIPE, text=True) for _ in range(2)
    ]
    logs = [process.communicate()[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], logs
    assert sum("dividing them into splits" in log for log in logs) == 1
    assert len(list((tmp_path / "cache").iterdir())) == 1


@pytest.mark.slow
def test_workers_end_with_a_killed_build(corpus: Path, tmp_path: Path):
    kill = "collecting.Collection._account = kill_at(collecting.Collection._account, 3)"
    script = KILLED.format(kill=kill, corpus=str(corpus), cache=str(tmp_path)).replace("workers=1", "workers=2")
    head, cleaning, rest = script.partition("cleaning = ")
    script = head + "if __name__ == '__main__':\n" + textwrap.indent(cleaning + rest, "    ")
    file = tmp_path / "build.py"
    file.write_text(script, encoding="utf-8")
    # The pipe is closed when the last process that may write to it has ended.
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run([sys.executable, str(file)], env=environment, capture_output=True, timeout=120)
    assert ended.returncode == -signal.SIGKILL, ended.stderr


def test_watches_for_slipped_lines_go_on_where_they_were(tmp_path: Path):
    made = sentences(1700)
    texts = [" ".join(WORDS[i] for i in one) for one in made]
    whole, resumed = SlipWatches([0]), SlipWatches([0])
    with PairStore(tmp_path) as store:
        segment = store.begin()
        for start in range(0, 1700, 170):
            chunk = [Pair(text, text, str(start + i)) for i, text in enumerate(texts[start : start + 170])]
            prints = fingerprint([pair.source for pair in chunk], [pair.target for pair in chunk], "")
            whole.add(chunk, prints)
            segment.append(chunk, prints, len(chunk))
        store.finish()
        resumed.resume(store)
    one, other = whole._watches[0], resumed._watches[0]
    # 1,700 pairs: windows of 512 have been looked at up to 1,024.
    assert one._waiting.origins == other._waiting.origins == [str(i) for i in range(1024, 1700)]
    assert one._before.origins == other._before.origins == [str(i) for i in range(512, 1024)]
    assert one._waiting.sources.hashes.tolist() == other._waiting.sources.hashes.tolist()


def test_a_part_that_failed_is_no_part(tmp_path: Path):
    def fail(directory: Path) -> None:
        (directory / "half").write_text("half", encoding="utf-8")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        make_part(tmp_path / "part", fail)
    assert not is_finished(tmp_path / "part")
    assert not make_part(tmp_path / "part", lambda directory: (directory / "all").write_text("all") and None)
    assert [path.name for path in tmp_path.iterdir()] == ["part"]
    assert is_finished(tmp_path / "part")
    assert make_part(tmp_path / "part", fail)
