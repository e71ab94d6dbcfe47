"""Several processes train as one: on one machine, on two, and with the model sharded over them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import yaml
from safetensors.torch import load_file
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM

from mt.commands import train
from mt.config import ModelConfig
from mt.models.doctor import check_ties
from mt.models.transformers_model import TransformersTranslator, load_translator
from mt.processes import _parameter_groups, prepare_for_sharding, whole_weights
from tests import process_cases
from tests.conftest import ROOT, STARTER, news_sentences
from tests.llm_models import make_llm

pytestmark = pytest.mark.slow

OPTIONS = {"max_updates": 4, "eval_every_updates": 2, "tokens_per_update": 1000, "micro_batch_tokens": 500}
PAIRS = 1000
"""Of the starter set; more would only be waited for."""


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory, marian_directory: Path) -> Path:
    return write_config(tmp_path_factory.mktemp("processes"), marian_directory)


def write_config(directory: Path, model: Path, **training: int) -> Path:
    corpus = directory / "starter.tsv"
    corpus.write_text("".join(STARTER.read_text("utf-8").splitlines(keepends=True)[:PAIRS]), encoding="utf-8")
    options = {
        "name": "small",
        "data": {"corpora": {"starter": {"path": str(corpus)}}},
        "model": {"name": str(model), "skip_doctor": True, "dropout": 0.0},
        "training": {**OPTIONS, **training, "log_every_updates": 1, "report_to": []},
        "decoding": {"num_beams": 1, "max_length_ratio": 0.5},
        "evaluation": {"resamples": 100},
    }
    path = directory / "small.yaml"
    path.write_text(json.dumps(options), encoding="utf-8")
    return path


def run_all(commands: list[list[str]], directory: Path, **variables: str) -> str:
    """Start all of them at once and wait until each has ended well; returns what they said."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)} | variables
    # Files, not pipes: nobody reads the second one's while the first is waited for.
    files = [directory / f"said-{number}.txt" for number in range(len(commands))]
    processes = []
    for command, file in zip(commands, files, strict=True):
        with file.open("w") as output:
            processes.append(
                subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT)
            )
    deadline = time.monotonic() + 120
    try:
        while any(process.poll() is None for process in processes) and not any(process.poll() for process in processes):
            assert time.monotonic() < deadline, "\n".join(file.read_text() for file in files)
            time.sleep(0.1)
    finally:
        for process in processes:
            process.terminate()
            process.wait()
    said = "\n".join(file.read_text() for file in files)
    assert [process.returncode for process in processes] == [0] * len(processes), said
    return said


@pytest.fixture(scope="module")
def alone(config: Path) -> Path:
    """The run of one process."""
    return train_alone(config)


def train_alone(config: Path) -> Path:
    run = config.parent / "alone"
    ends = process_cases.in_processes(1, train.run, config.parent, [str(config), "--output_dir", str(run)])
    assert [status for status, _ in ends] == [0], ends
    return run


def losses(run: Path) -> list[float]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [line["loss"] for line in lines if "loss" in line]


def assert_same(run: Path, alone: Path, processes: int) -> None:
    assert losses(run) == pytest.approx(losses(alone), abs=1e-4)
    ours, theirs = (json.loads((path / "manifest.json").read_text()) for path in (run, alone))
    assert (ours["processes"], theirs["processes"]) == (processes, 1)
    assert ours["tokens_seen"] == theirs["tokens_seen"]
    assert (run / "scores.json").is_file()
    base, other = ((path / "translations" / "test" / "base.txt").read_text() for path in (run, alone))
    assert base == other


def two_processes(case: Callable[[], None], directory: Path) -> tuple[tuple[int | None, str], ...]:
    return tuple(process_cases.in_processes(2, partial(process_cases.simply, case), directory))


@pytest.mark.parametrize(
    ("case", "statuses", "said"),
    [
        (process_cases.slow_main, (0, 0), ("", "")),
        (process_cases.shared_values, (0, 0), ("", "")),
        (process_cases.second_try, (0, 0), ("", "")),
        (process_cases.main_fails, (1, 1), ("train.py: the main process has no data\n", "")),
        (process_cases.other_fails, (1, 1), ("", "train.py: the other process has no data\n")),
        (process_cases.other_is_stopped, (0, 0), ("", "train.py: stopped by a signal\n")),
    ],
)
def test_one_end_for_all(
    case: Callable[[], None], statuses: tuple[int, int], said: tuple[str, str], tmp_path: Path
) -> None:
    main, other = two_processes(case, tmp_path)
    assert (main[1], other[1]) == said
    assert (main[0], other[0]) == statuses


def test_of_two_that_fail_alike_one_speaks(tmp_path: Path):
    ends = two_processes(process_cases.all_fail, tmp_path)
    assert [status for status, _ in ends] == [1, 1]
    assert sorted(said for _, said in ends) == ["", "train.py: nobody has data\n"]


def test_a_bug_in_one_process_has_one_traceback(tmp_path: Path):
    main, other = two_processes(process_cases.main_has_a_bug, tmp_path)
    assert main[1].startswith("Traceback")
    assert main[1].endswith("ZeroDivisionError: division by zero\n")
    assert (main[0], other) == (1, (1, ""))


def test_a_main_process_that_is_killed_is_noticed(tmp_path: Path):
    main, other = two_processes(process_cases.main_is_killed, tmp_path)
    assert (main[0], other[0]) == (-9, 1)
    assert other[1].endswith("the main process has died, so the others end, too\n")


def test_two_processes_of_which_the_main_one_is_slow(config: Path, alone: Path, tmp_path: Path):
    run = tmp_path / "run"
    ends = process_cases.in_processes(2, process_cases.train_slowly, tmp_path, [str(config), "--output_dir", str(run)])
    assert [status for status, _ in ends] == [0, 0], ends
    assert_same(run, alone, 2)


@pytest.mark.parametrize("engine", ["torch", "ctranslate2"])
def test_two_processes_share_the_translations_of_a_comparison(engine: str, marian_directory: Path, tmp_path: Path):
    lines = STARTER.read_text("utf-8").splitlines(keepends=True)[:42]
    (tmp_path / "news.tsv").write_text("".join(lines), encoding="utf-8")
    argv = [f"a={marian_directory}", "--test_set", f"news={tmp_path / 'news.tsv'}", "--resamples", "100", "--no_cache"]
    argv += ["--decoding.max_length_ratio", "0.3", "--decoding.engine", engine]
    said: dict[int, list[list[str]]] = {}
    for size in (1, 2):
        output = tmp_path / str(size)
        output.mkdir()
        command = [*argv, "--output_dir", str(output / "out")]
        ends = process_cases.in_processes(size, process_cases.evaluate_reporting, output, command)
        assert [status for status, _ in ends] == [0] * size, ends
        said[size] = [[line for line in text.splitlines() if line.startswith("decoded")] for _, text in ends]
    assert said == {1: [["decoded: a on news 41"]], 2: [["decoded: a on news 21"], ["decoded: a on news 20"]]}
    alone, shared = (tmp_path / size / "out" / "translations" / "news" / "a.txt" for size in ("1", "2"))
    assert len(set(alone.read_text().splitlines())) > 10
    assert shared.read_text() == alone.read_text()


def test_a_comparison_fails_once(tmp_path: Path, marian_directory: Path):
    argv = [str(marian_directory), "--test_set", f"news={tmp_path / 'gone.tsv'}", "--output_dir", str(tmp_path / "out")]
    ends = process_cases.in_processes(2, process_cases.evaluate_reporting, tmp_path, argv)
    assert [status for status, _ in ends] == [1, 1]
    (sentence,) = [said for _, said in ends if said]
    assert "gone.tsv" in sentence
    assert sentence.count("\n") == 1


@pytest.fixture
def two_machines() -> Iterator[tuple[str, str]]:
    """Two network namespaces with a cable between them; skipped where one may not make any."""
    if shutil.which("ip") is None or os.geteuid() != 0:
        pytest.skip("network namespaces need root and iproute2")
    # Names of our own: the tests of another checkout may be running.
    first, second = names = (f"mt{os.getpid()}-1", f"mt{os.getpid()}-2")
    plan = [f"netns add {name}" for name in names]
    plan += [f"link add {first} netns {first} type veth peer name {second} netns {second}"]
    for number, name in enumerate(names, start=1):
        plan += [f"-n {name} addr add 10.77.0.{number}/24 dev {name}"]
        plan += [f"-n {name} link set {name} up", f"-n {name} link set lo up"]
    try:
        for step in plan:
            made = subprocess.run(["ip", *step.split()], capture_output=True, text=True, check=False)
            if made.returncode:
                pytest.skip(f"ip {step}: {made.stderr.strip()}")
        yield names
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


def test_two_machines(two_machines: tuple[str, str], config: Path, alone: Path, tmp_path: Path):
    commands = []
    for rank, name in enumerate(two_machines):
        # What `accelerate launch` starts on machines with GPUs.
        options = ["--nnodes", "2", "--nproc_per_node", "1", "--node_rank", str(rank)]
        options += ["--master_addr", "10.77.0.1", "--master_port", "29511"]
        command = ["ip", "netns", "exec", name, "env", f"GLOO_SOCKET_IFNAME={name}", sys.executable]
        command += ["-m", "torch.distributed.run", *options]
        commands.append([*command, "train.py", str(config), "--output_dir", str(tmp_path / "run")])
    run_all(commands, tmp_path)
    assert_same(tmp_path / "run", alone, 2)


def test_a_dry_run_of_two_processes(config: Path, tmp_path: Path):
    before = set(Path(tempfile.gettempdir()).glob("mt-dry-run-*"))
    ends = process_cases.in_processes(2, train.run, tmp_path, [str(config), "--dry_run"])
    assert [status for status, _ in ends] == [0, 0], ends
    assert set(Path(tempfile.gettempdir()).glob("mt-dry-run-*")) <= before


@pytest.mark.parametrize(("processes", "loss"), [(1, "plain"), (2, "plain"), (2, "chunked")])
def test_a_sharded_model_is_trained_and_saved_whole(
    processes: int, loss: str, config: Path, alone: Path, tmp_path: Path
):
    train_sharded(processes, loss, "Marian", config, alone, tmp_path)


def test_a_sharded_t5_keeps_its_output_layer(t5_directory: Path, tmp_path: Path):
    # 4 micro-batches of long sentences, for a letter is a token; 2 for each of two processes.
    config = write_config(tmp_path, t5_directory, tokens_per_update=1400)
    train_sharded(2, "plain", "T5", config, train_alone(config), tmp_path)
    model = load_translator(ModelConfig(name=str(tmp_path / "run" / "model")))
    assert check_ties(model).detail == "separate"


def test_a_sharded_decoder_only_model(tmp_path: Path):
    model = make_llm("qwen3", tmp_path / "model", news_sentences())
    # 4 micro-batches, counted with the prompts; 2 for each of two processes.
    config = write_config(tmp_path, model, tokens_per_update=1400, micro_batch_tokens=1200)
    train_sharded(2, "chunked", "Qwen3", config, train_alone(config), tmp_path)


def train_sharded(processes: int, loss: str, family: str, config: Path, alone: Path, tmp_path: Path) -> None:
    """Train under FSDP and compare with the run of one process."""
    run = tmp_path / "run"
    settings = yaml.safe_load((ROOT / "configs" / "accelerate" / "fsdp.yaml").read_text())["fsdp_config"]
    variables = {
        name.upper(): str(value).lower() if value in (True, False) else str(value) for name, value in settings.items()
    }
    argv = [str(config), "--output_dir", str(run), "--training.loss", loss]
    command = process_cases.train_sharded
    ends = process_cases.in_processes(processes, command, tmp_path, argv, ACCELERATE_USE_FSDP="true", **variables)
    # Two evaluations, between updates and after them, of the loss and of a decoded sample each.
    evaluated = f"evaluated: FSDP{family}"
    assert [(status, said.count(evaluated)) for status, said in ends] == [(0, 4)] * processes, ends
    assert_same(run, alone, processes)
    theirs = load_file(alone / "model" / "model.safetensors")
    auto_class = AutoModelForCausalLM if family == "Qwen3" else AutoModelForSeq2SeqLM
    model = auto_class.from_pretrained(run / "model")
    for name, weight in theirs.items():
        torch.testing.assert_close(model.state_dict()[name], weight, rtol=1e-4, atol=1e-4)


@pytest.fixture
def one_process() -> Iterator[None]:
    """A process group of this process alone."""
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield
    dist.destroy_process_group()


def shard(translator: TransformersTranslator) -> None:
    """As accelerate does."""
    model, mesh = translator.model, init_device_mesh("cpu", (1,))
    for layer in [module for module in model.modules() if type(module).__name__ in model._no_split_modules]:
        fully_shard(layer, mesh=mesh, reshard_after_forward=True)
    fully_shard([model.get_input_embeddings(), model.get_output_embeddings()], mesh=mesh, reshard_after_forward=False)
    fully_shard(model, mesh=mesh)


def update(translator: TransformersTranslator) -> None:
    ids = torch.tensor([[2, 5, 6, 0]])
    translator.model(input_ids=ids, decoder_input_ids=ids, use_cache=False).logits.square().mean().backward()
    assert all(isinstance(p.grad, DTensor) for p in translator.model.parameters() if p.requires_grad)
    translator.model.zero_grad()


@pytest.mark.usefixtures("one_process")
@pytest.mark.parametrize("family", ["marian", "nllb", "mbart50", "t5"])
def test_an_evaluation_leaves_a_sharded_model_as_it_was(family: str, request: pytest.FixtureRequest):
    directory = request.getfixturevalue(f"{family}_directory")
    translator = load_translator(ModelConfig(name=str(directory)))
    prepare_for_sharding(translator.model)
    shard(translator)
    update(translator)
    model = translator.model
    groups = [group for part in model.modules() if isinstance(part, FSDPModule) for group in _parameter_groups(part)]
    before = [group.post_forward_mesh_info for group in groups]
    assert before.count(None) < len(before)
    with whole_weights(model):
        assert not any(isinstance(parameter, DTensor) for parameter in model.parameters())
        with torch.inference_mode():
            model.generate(input_ids=torch.tensor([[5, 6, 0]]), max_length=6)
            # The output layer has not been called as often as the embeddings.
            model.get_encoder()(torch.tensor([[5, 6, 0]]))
    assert all(isinstance(parameter, DTensor) for parameter in model.parameters())
    assert [group.post_forward_mesh_info for group in groups] == before
    update(translator)


def test_tied_embeddings_are_one_module_for_fsdp(marian: TransformersTranslator):
    model = marian.model
    tied = [model.model.shared, model.model.encoder.embed_tokens, model.model.decoder.embed_tokens]
    assert len({id(module) for module in tied}) == 3
    positions = model.model.encoder.embed_positions
    prepare_for_sharding(model)
    assert model.model.encoder.embed_tokens is model.model.shared
    assert model.model.decoder.embed_tokens is model.model.shared
    assert model.model.encoder.embed_positions is positions
    assert model._no_split_modules == ["MarianDecoderLayer", "MarianEncoderLayer"]
