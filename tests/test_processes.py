"""Several processes train as one: on one machine, on two, and with the model spread over them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file
from transformers import AutoModelForSeq2SeqLM

from tests.conftest import ROOT, STARTER

pytestmark = pytest.mark.slow

OPTIONS = {"max_updates": 4, "eval_every_updates": 2, "tokens_per_update": 1000, "micro_batch_tokens": 500}


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory, marian_directory: Path) -> Path:
    options = {
        "name": "small",
        "data": {"corpora": {"starter": {"path": str(STARTER)}}},
        "model": {"name": str(marian_directory), "skip_doctor": True, "dropout": 0.0},
        "training": {**OPTIONS, "log_every_updates": 1, "report_to": []},
        "decoding": {"num_beams": 1, "max_length_ratio": 0.5},
        "evaluation": {"resamples": 100},
    }
    path = tmp_path_factory.mktemp("processes") / "small.yaml"
    path.write_text(json.dumps(options), encoding="utf-8")
    return path


def launch(*argv: str, **variables: str) -> subprocess.Popen[str]:
    environment = os.environ | {"OMP_NUM_THREADS": "1"} | variables
    return subprocess.Popen(
        argv, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def finished(process: subprocess.Popen[str]) -> str:
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    return output


@pytest.fixture(scope="module")
def alone(config: Path) -> Path:
    """The run of one process."""
    run = config.parent / "alone"
    finished(launch(sys.executable, "train.py", str(config), "--output_dir", str(run)))
    return run


def losses(run: Path) -> list[float]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [line["loss"] for line in lines if "loss" in line]


def assert_same(run: Path, alone: Path, processes: int) -> None:
    assert losses(run) == pytest.approx(losses(alone), abs=1e-4)
    ours, theirs = (json.loads((path / "manifest.json").read_text()) for path in (run, alone))
    assert (ours["processes"], theirs["processes"]) == (processes, 1)
    assert ours["tokens_seen"] == theirs["tokens_seen"]


def test_two_processes(config: Path, alone: Path, tmp_path: Path):
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    finished(launch(*launcher, "train.py", str(config), "--output_dir", str(tmp_path / "run")))
    assert_same(tmp_path / "run", alone, 2)


NAMESPACES = ("mt-one", "mt-two")


@pytest.fixture
def two_machines() -> Iterator[tuple[str, str]]:
    """Two network namespaces with a cable between them; skipped where one may not make any."""
    if shutil.which("ip") is None or os.geteuid() != 0:
        pytest.skip("network namespaces need root and iproute2")
    plan = [f"netns add {name}" for name in NAMESPACES]
    plan += ["link add mt-cable-1 netns mt-one type veth peer name mt-cable-2 netns mt-two"]
    for number, name in enumerate(NAMESPACES, start=1):
        plan += [f"-n {name} addr add 10.77.0.{number}/24 dev mt-cable-{number}"]
        plan += [f"-n {name} link set mt-cable-{number} up", f"-n {name} link set lo up"]
    try:
        for step in plan:
            made = subprocess.run(["ip", *step.split()], capture_output=True, text=True, check=False)
            if made.returncode:
                pytest.skip(f"ip {step}: {made.stderr.strip()}")
        yield NAMESPACES
    finally:
        for name in NAMESPACES:
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


def test_two_machines(two_machines: tuple[str, str], config: Path, alone: Path, tmp_path: Path):
    processes = []
    for rank, name in enumerate(two_machines):
        # What `accelerate launch` starts on machines with GPUs.
        options = ["--nnodes", "2", "--nproc_per_node", "1", "--node_rank", str(rank)]
        options += ["--master_addr", "10.77.0.1", "--master_port", "29511"]
        command = [sys.executable, "-m", "torch.distributed.run", *options]
        command += ["train.py", str(config), "--output_dir", str(tmp_path / "run")]
        interface = f"mt-cable-{rank + 1}"
        processes.append(launch("ip", "netns", "exec", name, *command, GLOO_SOCKET_IFNAME=interface))
    for process in processes:
        finished(process)
    assert_same(tmp_path / "run", alone, 2)


# accelerate takes FSDP for GPUs only, although torch has it for processes on a CPU, too: told that these were GPUs,
# it does all that it does there.
SHARDED = """
import sys
from accelerate.utils import DistributedType
from mt.cli import train_main
from mt.processes import process_state

process_state()._shared_state["distributed_type"] = DistributedType.MULTI_GPU
sys.exit(train_main())
"""


def test_a_model_spread_over_processes_is_saved_whole(config: Path, alone: Path, tmp_path: Path):
    script, run = tmp_path / "sharded.py", tmp_path / "run"
    script.write_text(SHARDED, encoding="utf-8")
    settings = yaml.safe_load((ROOT / "configs" / "accelerate" / "fsdp.yaml").read_text())["fsdp_config"]
    variables = {
        name.upper(): str(value).lower() if value in (True, False) else str(value) for name, value in settings.items()
    }
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    command = [*launcher, str(script), str(config), "--output_dir", str(run)]
    finished(launch(*command, ACCELERATE_USE_FSDP="true", PYTHONPATH=str(ROOT), **variables))
    assert_same(run, alone, 2)
    theirs = load_file(alone / "model" / "model.safetensors")
    model = AutoModelForSeq2SeqLM.from_pretrained(run / "model")
    for name, weight in theirs.items():
        torch.testing.assert_close(model.state_dict()[name], weight, rtol=1e-4, atol=1e-4)
