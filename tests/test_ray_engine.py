"""Builds by Ray: the bytes of the local engine, whatever dies meanwhile; each mistake is one sentence.

The builds run in processes of their own: `SCRIPT` is what such a process does. On the cluster, the script sends the
nodes functions that kill their own process the first time they run.
"""

from __future__ import annotations

import functools
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
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import psutil
import pytest
import yaml

from mt.config import CleaningConfig, CorpusConfig, DataConfig, SelectConfig
from mt.data.cache import cached_build
from mt.data.engines import ray_cluster
from mt.data.engines.local import Local
from mt.data.engines.ray_nodes import LIBRARIES, Facts, Place, code_hash, fault_of_files, fault_of_node
from mt.data.parts import make_parts
from mt.errors import ConfigError
from tests.conftest import ROOT
from tests.test_partitions import ARABIC, SMALL, WORDS, contents, sentences

pytestmark = [pytest.mark.slow, pytest.mark.skipif(find_spec("ray") is None, reason="needs the extra `ray`")]


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
        cleaning=CleaningConfig(language=False, near_duplicates="neighbours", unrelated="alignment"),
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

    def run(
        self, cache: Path, extra: str = "", engine: str = "ray", **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """`extra` is put before the build."""
        script = f"{SCRIPT}\n{extra}\nif __name__ == '__main__':\n    main(sys.argv[1], {engine!r})\n"
        file = self.notes / "script.py"
        file.write_text(script, encoding="utf-8")
        own = {"PYTHONPATH": str(ROOT), "RAY_TMPDIR": str(self.temporary), "RAY_ADDRESS": self.address}
        # Ray keeps a token in the home directory.
        own["HOME"] = str(self.temporary)
        command = [sys.executable, str(file), str(cache), str(self.notes), self.head]
        return subprocess.run(
            command,
            cwd=self.corpora,
            env={**os.environ, **own, **environment},
            capture_output=True,
            text=True,
            timeout=300,
        )


def processes_of(temporary: Path) -> list[psutil.Process]:
    """The processes of Ray that were started with this directory."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            # Not this process, nor what Python starts for it.
            is_ours = process.pid == os.getpid() or "multiprocessing" in " ".join(process.cmdline())
            if process.environ().get("RAY_TMPDIR") == str(temporary) and not is_ours:
                found.append(process)
    return found


@pytest.fixture(scope="module")
def temporary() -> Iterator[Path]:
    """Ray's own directory; short, because the names of sockets are in it. Whatever is left of Ray ends with it."""
    directory = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_TMPDIR", str(directory))
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


@contextmanager
def two_nodes() -> Iterator[tuple[str, str]]:
    """(address, head node) of a cluster of two nodes with a CPU each on this machine."""
    from ray.cluster_utils import Cluster

    health = {"health_check_period_ms": 1000, "health_check_failure_threshold": 10}
    common = {"num_cpus": 1, "object_store_memory": 200 << 20, "include_dashboard": False}
    nodes = Cluster()
    try:
        head = nodes.add_node(**common, _system_config=health)
        nodes.add_node(**common)
        yield nodes.address, head.node_id
    finally:
        nodes.shutdown()


@pytest.fixture(scope="module")
def cluster(temporary: Path) -> Iterator[tuple[str, str]]:
    """A cluster in the directory `temporary`, for all tests that do not end nodes."""
    with two_nodes() as nodes:
        yield nodes


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
    searches = {"_counted", "_rare", "_write_candidates", "_write_alike", "_compare"}
    assert killed == {"read", "read on", "prepare", *searches, "_of_window"}
    # Parts of the killed ones are gone, too.
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [Path(result.stdout.strip()).name]


def test_a_node_that_dies_takes_nothing_with_it(alone: Runner, expected: dict[str, str], tmp_path: Path):
    with two_nodes() as (address, head):
        alone.address, alone.head = address, head
        result = alone.run(tmp_path / "cache", "EVENT = lambda name: name == 'prepare' and die_with_node(name)")
    assert finished(result) == expected
    assert (alone.notes / "prepare").exists()


def test_a_killed_driver_goes_on_with_either_engine(joined: Runner, expected: dict[str, str], tmp_path: Path):
    cache = tmp_path / "cache"
    kill = """
from mt.data.collecting import Collection
account, counted = Collection._account, []
def killing(*arguments):
    counted.append(arguments)
    if len(counted) > 21:
        os.kill(os.getpid(), signal.SIGKILL)
    return account(*arguments)
Collection._account = killing
"""
    assert joined.run(cache, kill).returncode == -signal.SIGKILL
    # Again by Ray, up to the third partition of one side.
    kill = """
from mt.data import parts
wait_for, waited = parts._wait_for, []
def killing(part):
    waited.append(part)
    if len(waited) > 2:
        os.kill(os.getpid(), signal.SIGKILL)
    wait_for(part)
parts._wait_for = killing
"""
    second = joined.run(cache, kill)
    assert second.returncode == -signal.SIGKILL, second.stderr
    assert "an interrupted build goes on: 1000 pairs were read before" in second.stderr
    last = joined.run(cache, engine="local")
    assert "partitions of the search for neighbours were finished before and are used again" in last.stderr
    assert finished(last) == expected


def test_a_build_of_the_local_engine_goes_on_by_ray(joined: Runner, expected: dict[str, str], tmp_path: Path):
    kill = """
from mt.data import collecting
account, counted = collecting.Collection._account, []
def killing(*arguments):
    counted.append(arguments)
    if len(counted) > 5:
        os.kill(os.getpid(), signal.SIGKILL)
    return account(*arguments)
collecting.Collection._account = killing
"""
    assert joined.run(tmp_path / "cache", kill, engine="local").returncode == -signal.SIGKILL
    result = joined.run(tmp_path / "cache")
    assert "an interrupted build goes on: 800 pairs were read before" in result.stderr
    assert finished(result) == expected


def sentence(result: subprocess.CompletedProcess[str]) -> str:
    """The only thing that the command says about a mistake."""
    assert result.returncode == 1, result.stderr
    said = [line for line in result.stderr.splitlines() if not line.startswith("INFO:")]
    assert len(said) == 1, result.stderr
    return said[0]


def test_a_task_that_ends_all_its_processes_is_given_up(joined: Runner, expected: dict[str, str], tmp_path: Path):
    deadly = "EVENT = lambda name: name == '_compare' and os.kill(os.getpid(), signal.SIGKILL)"
    said = sentence(joined.run(tmp_path / "cache", f"ray_engine._RETRIES = 1\n{deadly}"))
    assert said.startswith("mt: data.engine ray: the cluster has failed (WorkerCrashedError: ")
    assert said.endswith("; what is finished is kept: start the same command again")
    last = joined.run(tmp_path / "cache", engine="local")
    # All of them: 900, 300, 6 times 30, 1,020, and 123 of the test set.
    assert "an interrupted build goes on: 2523 pairs were read before" in last.stderr, last.stderr
    assert finished(last) == expected


def test_what_is_wrong_with_a_corpus_is_said_as_by_the_local_engine(joined: Runner, tmp_path: Path):
    corpora = tmp_path / "corpora"
    shutil.copytree(joined.corpora, corpora)
    joined.corpora = corpora
    with (corpora / "general.jsonl").open("a", encoding="utf-8") as file:
        file.write("\n{no json")
    local, by_ray = (sentence(joined.run(tmp_path / engine, engine=engine)) for engine in ("local", "ray"))
    assert local == by_ray
    assert "general.jsonl:1021: " in local


def test_a_node_that_does_not_see_what_it_needs(joined: Runner, tmp_path: Path):
    blind = """
def elsewhere(place, facts):
    return ray_nodes.fault_of_node(place, facts._replace(file=f"/else{facts.file}") if is_second() else facts)
ray_cluster.fault_of_node = elsewhere
"""
    said = sentence(joined.run(tmp_path / "cache", blind))
    assert said.startswith("mt: data.engine ray: node ")
    assert " does not see /else" in said
    assert said.endswith("set data.cache_dir to a directory on storage that all nodes see at the same path")
    blind = """
def elsewhere(place, files):
    return ray_nodes.fault_of_files(place, [("else/" + path, size) for path, size in files] if is_second() else files)
ray_cluster.fault_of_files = elsewhere
"""
    said = sentence(joined.run(tmp_path / "cache", blind))
    assert " does not have the file else/made.tsv of this machine (does not exist); put the corpora on storage" in said


def test_what_a_node_says_of_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from importlib.metadata import version

    place, libraries = Place.here(), {name: version(name) for name in LIBRARIES}
    (tmp_path / "token").write_text("abc", encoding="utf-8")
    facts = Facts(sys.version.split()[0], libraries, code_hash(), str(tmp_path / "token"), "abc")
    assert fault_of_node(place, facts) is None
    assert [path.name for path in tmp_path.iterdir()] == ["token"]
    for other, fault in (
        (facts._replace(token="of another disk"), f"does not see {tmp_path}, where this build is made; set data.cache"),
        (facts._replace(file=str(tmp_path / "no" / "token")), f"does not see {tmp_path / 'no'}, where"),
        (facts._replace(code="another"), f"takes another version of this project from {ROOT / 'mt'}; install the same"),
        (facts._replace(python="3.1.4"), "and this process 3.1.4; install the same on all nodes"),
        (facts._replace(libraries={"ftfy": "6.0.0"}), "and this process 6.0.0; install the same on all nodes"),
    ):
        assert fault in (fault_of_node(place, other) or "")
    file = tmp_path / "token"
    assert fault_of_files(place, [(str(file), 3)]) is None
    assert "(has another size there); put" in (fault_of_files(place, [(str(file), 4)]) or "")
    assert "(does not exist); put" in (fault_of_files(place, [(str(tmp_path / "no.tsv"), 4)]) or "")
    monkeypatch.chdir("/")
    # Relative paths are those of the place where the command was started.
    assert fault_of_files(Place(str(tmp_path)), [("token", 3)]) is None


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("127.0.0.1:1", r"RAY_ADDRESS is `127.0.0.1:1`, and nothing answers there \(.*refused\); start Ray there, "),
        ("ray://127.0.0.1:10001", "RAY_ADDRESS is `ray://127.0.0.1:10001`, and data.engine ray needs HOST:PORT"),
        ("nonsense", "RAY_ADDRESS is `nonsense`, and data.engine ray needs HOST:PORT of the cluster, or auto"),
        ("127.0.0.1:99999", "RAY_ADDRESS is `127.0.0.1:99999`, and nothing answers there"),
    ],
)
def test_addresses_that_are_no_cluster(address: str, message: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(ConfigError, match=message), ray_cluster.connected(None):
        pass


def test_auto_without_a_cluster(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RAY_ADDRESS", "auto")
    monkeypatch.setattr("ray._private.services.find_gcs_addresses", functools.cache(set))
    monkeypatch.setattr("ray._private.services.find_bootstrap_address", lambda _: None)
    message = "the cluster at auto cannot be joined .*; start Ray there, correct RAY_ADDRESS, or unset it"
    with pytest.raises(ConfigError, match=message), ray_cluster.connected(None):
        pass


def test_without_ray(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ray_cluster, "find_spec", lambda _: None)
    message = r"data.engine ray needs the extra `ray`: pip install 'mt-conflict-news\[ray\]'"
    with pytest.raises(ConfigError, match=message), ray_cluster.connected(None):
        pass


def test_another_version_of_ray():
    class Ray:
        __version__ = "2.60.0"

        @staticmethod
        def init(**_: object) -> None:
            raise RuntimeError(
                "Version mismatch: The cluster was started with:\n    Ray: 2.9.0\n    Python: 3.8.1\nThis process ..."
            )

    message = "RAY_ADDRESS: the cluster has other versions than this process with Ray 2.60.0 .*Ray: 2.9.0; Python: 3.8"
    with pytest.raises(ConfigError, match=message):
        ray_cluster._init(Ray, "10.0.0.1:6379", {})


def write_number(shared: int, number: int, directory: Path) -> None:
    (directory / "number").write_text(str(shared + number), encoding="utf-8")


def test_parts_by_any_engine_are_finished_once(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    parts = [(tmp_path / f"part-{number}", number) for number in range(3)]
    make_parts(write_number, 10, parts[:2], Local(2), "parts")
    with caplog.at_level(logging.INFO):
        make_parts(write_number, 10, parts, Local(2), "parts")
    assert "2 of 3 parts were finished before and are used again" in caplog.text
    assert [(part / "number").read_text(encoding="utf-8") for part, _ in parts] == ["10", "11", "12"]
    assert list(Local(3).in_order(np.add, 5, range(4))) == [5, 6, 7, 8]


def test_the_job_for_kubernetes():
    job = yaml.safe_load((ROOT / "configs" / "kubernetes" / "data.yaml").read_text(encoding="utf-8"))
    cluster = job["spec"]["rayClusterSpec"]
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    assert f"ray=={cluster['rayVersion']}" in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pods = [group["template"]["spec"] for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"])]
    assert len(pods) == 2
    # All see the same volume at the same path, and the command writes nowhere else.
    for pod in pods:
        (container,), (volume,) = pod["containers"], pod["volumes"]
        assert container["image"] == pods[0]["containers"][0]["image"]
        assert container["volumeMounts"] == [{"name": "shared", "mountPath": "/shared"}]
        assert volume == {"name": "shared", "persistentVolumeClaim": {"claimName": "shared"}}
    words = job["spec"]["entrypoint"].split()
    assert words[:2] == ["mt", "data"]
    assert words[words.index("--data.engine") + 1] == "ray"
    assert all(word.startswith("/shared/") for word in words if word.startswith("/"))
