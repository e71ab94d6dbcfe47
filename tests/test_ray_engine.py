"""Builds by Ray: the bytes of the local engine, whatever dies meanwhile; each mistake is one sentence.

The builds run in processes of their own: `SCRIPT` is what such a process does. On the cluster, the script sends the
nodes functions that kill their own process the first time they run.
"""

from __future__ import annotations

import gzip
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import pytest

from mt.config import CleaningConfig, CorpusConfig, DataConfig, SelectConfig
from mt.data.cache import cached_build
from mt.data.engines import ray_cluster
from mt.data.engines.local import Local
from mt.data.engines.ray_nodes import LIBRARIES, Facts, Place, fault_of_files, fault_of_node
from mt.data.parts import make_parts
from mt.errors import ConfigError, DataError
from tests.conftest import ROOT
from tests.test_partitions import ARABIC, SMALL, WORDS, contents, sentences

pytestmark = pytest.mark.slow


def line(numbers: list[int], separator: str = "\t") -> str:
    source = " ".join(WORDS[i] for i in numbers).capitalize()
    return f"{source}.{separator}" + " ".join("كلمة" + ARABIC[i] for i in reversed(numbers))


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with corpora of several formats: documents, duplicates, rejects, a test set that leaks."""
    root = tmp_path_factory.mktemp("corpora")
    made = sentences(2600)
    lines = [line(one) for one in made]
    for number in range(0, 2600, 20):
        lines[number] = "Raqqa " + lines[number].replace("\t", "\tالرقة ")
    for number in range(7, 2600, 50):
        lines[number] = f"12 {lines[number]} 31"
    (root / "made.tsv").write_text("english\tarabic\n" + "\n".join(lines[:900]), encoding="utf-8")
    (root / "desk").mkdir()
    with gzip.open(root / "desk" / "a.txt.gz", "wt", encoding="utf-8") as file:
        file.write("\n".join(text.replace("\t", " ") + "\n" * (i % 15 == 0) for i, text in enumerate(lines[900:1200])))
    for number in range(6):
        rows = lines[1200 + 30 * number : 1230 + 30 * number]
        (root / "desk" / f"b{number}.tsv").write_text("\n".join(rows), encoding="utf-8")
    rows = [{"en": text.split("\t")[0], "ar": text.split("\t")[1], "document": i // 9} for i, text in enumerate(lines)]
    (root / "general.jsonl").write_text("\n".join(map(json.dumps, rows[1380:2400])), encoding="utf-8")
    leaks = [lines[i] for i in range(5, 900, 40)]
    (root / "test.tsv").write_text("\n".join([*lines[2400:2500], *leaks]), encoding="utf-8")
    return root


def options(cache: Path, engine: str) -> DataConfig:
    """The same for every build of this file; paths are relative."""
    return DataConfig(
        corpora={
            "made": CorpusConfig(path="made.tsv"),
            "desk": CorpusConfig(path="desk"),
            "general": CorpusConfig(path="general.jsonl", split="train", select=SelectConfig(pairs=300)),
        },
        cleaning=CleaningConfig(language=False, near_duplicates="neighbours", slipped_lines=True),
        decontaminate_words=6,
        workers=2,
        cache_dir=str(cache),
        engine=engine,  # type: ignore[arg-type]
    )


TEST_SETS = {"desk": CorpusConfig(path="test.tsv")}


@pytest.fixture(scope="module")
def expected(corpora: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The build of the local engine, as SHA-256 of each file, without small parts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(corpora)
        finished = cached_build(options(tmp_path_factory.mktemp("expected"), "local"), TEST_SETS)
    report = json.loads((finished / "data_report.json").read_text(encoding="utf-8"))
    dropped = {rule for corpus in report["corpora"].values() for rule in corpus["dropped"]}
    # The corpora exercise what they are for.
    assert dropped >= {"numbers", "like a held-out pair", "words of a held-out pair", "near duplicate"}
    assert report["corpora"]["general"]["selected"] is not None
    return contents(finished)


SCRIPT = (
    """
import json, logging, os, signal, sys
from pathlib import Path
import psutil
logging.basicConfig(level="INFO")
logging.getLogger("jsonargparse").setLevel("ERROR")
from mt.data.engines import ray_cluster, ray_engine, ray_nodes
"""
    + SMALL
    + """
from mt.errors import UserError
from tests.test_ray_engine import TEST_SETS, options

ray_engine._BYTES_PER_TASK = 10_000
NOTES = Path(sys.argv[2])
HEAD = sys.argv[3]

def once(name):
    # Whether this is the first time, on all nodes.
    try:
        os.close(os.open(NOTES / name, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True

def die(name):
    if once(name):
        os.kill(os.getpid(), signal.SIGKILL)

def is_second():
    import ray
    return HEAD not in ("", ray.get_runtime_context().get_node_id())

def die_with_node(name):
    # The parent of a worker is its node's manager; with it go all processes of the node, and what they have made.
    if is_second() and once(name):
        manager = next(one for one in psutil.Process().parents() if "raylet" in one.name())
        manager.kill()
        manager.wait()
        os.kill(os.getpid(), signal.SIGKILL)

def small_chunks():
    from mt.data import preparing
    preparing._CHUNK_PAIRS = 50

EVENT = lambda name: None

def reading(tasks, place, languages):
    small_chunks()
    EVENT("read")
    for number, rows in enumerate(ray_nodes.read_tasks(tasks, place, languages)):
        yield rows
        if number == 1:
            EVENT("read on")

def preparing_chunks(chunks, preparation):
    EVENT("prepare")
    return ray_nodes.prepare_chunks(chunks, preparation)

def running(place, function, shared, item):
    inner = getattr(function, "args", [function])[0]
    result = ray_nodes.run(place, function, shared, item) if inner.__name__ == "_write_alike" else None
    # In one stage after the work is done, in all others before.
    EVENT(inner.__name__)
    return result if result is not None else ray_nodes.run(place, function, shared, item)

ray_engine.read_tasks, ray_engine.prepare_chunks, ray_engine.run = reading, preparing_chunks, running

def main(cache, engine):
    from mt.data.cache import cached_build
    try:
        print(cached_build(options(Path(cache), engine), TEST_SETS))
    except UserError as error:
        sys.exit(f"mt: {error}")

"""
)


@dataclass
class Runner:
    """Runs builds in processes of their own."""

    corpora: Path
    notes: Path
    temporary: Path
    address: str = ""
    head: str = ""

    def run(self, cache: Path, extra: str = "", engine: str = "ray", **environment: str) -> subprocess.CompletedProcess[str]:
        """`extra` is put before the build."""
        script = f"{SCRIPT}\n{extra}\nif __name__ == '__main__':\n    main(sys.argv[1], {engine!r})\n"
        file = self.notes / "script.py"
        file.write_text(script, encoding="utf-8")
        own = {"PYTHONPATH": str(ROOT), "RAY_TMPDIR": str(self.temporary), "RAY_ADDRESS": self.address}
        command = [sys.executable, str(file), str(cache), str(self.notes), self.head]
        return subprocess.run(
            command,
            cwd=self.corpora,
            env={**os.environ, **own, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            timeout=300,
        )


def processes_of(temporary: Path) -> list[psutil.Process]:
    """The processes of Ray whose files are in this directory."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if any(str(temporary) in word for word in process.info["cmdline"] or []):
            found.append(process)
    return found


@pytest.fixture(scope="module")
def temporary() -> Iterator[Path]:
    """Ray's own directory; short, because the names of sockets are in it. Whatever is left of Ray ends with it."""
    pytest.importorskip("ray")
    directory = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))
    try:
        yield directory
    finally:
        left = processes_of(directory)
        for process in left:
            process.kill()
        psutil.wait_procs(left, timeout=30)
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def alone(corpora: Path, temporary: Path, tmp_path: Path) -> Runner:
    """Without a cluster."""
    (tmp_path / "notes").mkdir()
    return Runner(corpora, tmp_path / "notes", temporary)


@pytest.fixture(scope="module")
def cluster(temporary: Path) -> Iterator[tuple[str, str]]:
    """(address, head node) of two nodes with a CPU each on this machine."""
    from ray.cluster_utils import Cluster

    health = {"health_check_period_ms": 1000, "health_check_failure_threshold": 10}
    common = {"num_cpus": 1, "object_store_memory": 200 << 20, "include_dashboard": False, "temp_dir": str(temporary)}
    nodes = Cluster()
    try:
        head = nodes.add_node(**common, _system_config=health)
        nodes.add_node(**common)
        yield nodes.address, head.node_id
    finally:
        nodes.shutdown()


@pytest.fixture
def joined(alone: Runner, cluster: tuple[str, str]) -> Runner:
    """With the cluster of two nodes."""
    alone.address, alone.head = cluster
    return alone


def finished(result: subprocess.CompletedProcess[str]) -> dict[str, str]:
    assert result.returncode == 0, result.stderr
    return contents(Path(result.stdout.strip().splitlines()[-1]))


def test_one_machine_without_a_cluster(alone: Runner, expected: dict[str, str], tmp_path: Path):
    result = alone.run(tmp_path / "cache")
    assert finished(result) == expected
    assert "Ray: 2 CPUs on this machine alone, because RAY_ADDRESS is not set" in result.stderr
    # Ray itself says nothing.
    foreign = [line for line in result.stderr.splitlines() if "ray" in line.lower() and "INFO:mt." not in line]
    assert foreign == []
    left = processes_of(alone.temporary)
    assert psutil.wait_procs(left, timeout=30)[1] == []


def test_a_cluster_of_two_nodes_with_a_worker_killed_in_each_stage(
    joined: Runner, expected: dict[str, str], tmp_path: Path
):
    result = joined.run(tmp_path / "cache", "EVENT = die")
    assert finished(result) == expected
    assert f"Ray: 2 CPUs on the cluster at {joined.address}" in result.stderr
    killed = {path.name for path in joined.notes.iterdir()} - {"script.py"}
    stages = {"read", "read on", "prepare", "_counted", "_rare", "_write_candidates", "_write_alike", "_compare"}
    assert killed == stages
    # Parts of the killed ones are gone, too.
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [Path(result.stdout.strip()).name]
