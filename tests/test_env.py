"""`mt env`: what a bug report needs, and no secret."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

import mt
from mt import manifest
from mt.commands import env
from tests.helpers import only_line, run


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home directory with a cache of 3 files and 1,234 bytes."""
    directory = tmp_path / "home" / "jane"
    translations = directory / ".cache" / "mt" / "translations"
    (translations / "ab").mkdir(parents=True)
    for name, size in (("a", 1000), ("b", 200), ("ab/c", 34)):
        (translations / name).write_bytes(b"x" * size)
    # The hub's cache has a link for each file.
    (translations / "link").symlink_to(translations / "a")
    monkeypatch.setenv("HOME", str(directory))
    for name in (*env.VARIABLES, "HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    return directory


def facts_of(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert run(monkeypatch, "mt", "env", "--json") == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return json.loads(captured.out)


def test_facts(home: Path, monkeypatch, capsys):
    facts = facts_of(monkeypatch, capsys)
    assert facts["mt"]["version"] == mt.__version__
    assert facts["python"]["version"] == platform.python_version()
    # A build may add `+cu130` or the like to one of the two.
    assert facts["packages"]["torch"].partition("+")[0] == torch.__version__.partition("+")[0]
    assert set(facts["packages"]) == set(env.PACKAGES)
    assert facts["cpu"]["cores"] == len(os.sched_getaffinity(0))
    assert 0 < facts["memory"]["available"] <= facts["memory"]["total"]
    caches = facts["caches"]
    assert caches["translations"] == {"path": "~/.cache/mt/translations", "files": 3, "bytes": 1234}
    assert caches["data"] == {"path": "~/.cache/mt/data", "files": None, "bytes": None}
    assert caches["hub"]["path"] == "~/.cache/huggingface/hub"
    assert facts["variables"] == {}


def test_caches_are_where_the_variables_say(home: Path, tmp_path: Path, monkeypatch, capsys):
    monkeypatch.setenv("HF_HOME", "/models")
    monkeypatch.setenv("HF_DATASETS_CACHE", "~/sets")
    facts = facts_of(monkeypatch, capsys)
    assert facts["caches"]["hub"]["path"] == "/models/hub"
    assert facts["caches"]["datasets"]["path"] == "~/sets"
    assert facts["variables"] == {"HF_HOME": "/models", "HF_DATASETS_CACHE": "~/sets"}


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_no_secret_and_no_home_directory(form: list[str], home: Path, monkeypatch, capsys):
    secrets = {"HF_TOKEN": "hf_secretsecret", "WANDB_API_KEY": "wandbsecret", "HTTPS_PROXY": "http://u:pw@proxy"}
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PYTHONPATH", f"/code:{home}/src:{home}")
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    (home / ".cache" / "huggingface").mkdir()
    (home / ".cache" / "huggingface" / "token").write_text("hf_secretsecret")
    assert run(monkeypatch, "mt", "env", *form) == 0
    shown = capsys.readouterr().out
    assert "/code:~/src:~" in shown
    assert "OMP_NUM_THREADS" in shown
    for hidden in (*secrets, *secrets.values(), str(home), "jane"):
        assert hidden not in shown, hidden


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/home/jane", "~"),
        ("/home/jane/a", "~/a"),
        ("/home/janet/a", "/home/janet/a"),
        ("/srv/home/jane/a", "/srv/home/jane/a"),
        ("a\nb", "a\\nb"),
        ("caf\udce9", "caf\\xe9"),
    ],
)
def test_what_is_shown_of_a_text(text: str, shown: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", "/home/jane")
    assert env._with_tilde(text) == shown


def test_root_as_home_hides_nothing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", "/")
    assert env._with_tilde("/opt/mt") == "/opt/mt"


def test_text_for_a_person(home: Path, monkeypatch, capsys):
    monkeypatch.setattr(env, "_gpus", lambda: {**NO_GPU})
    assert run(monkeypatch, "mt", "env") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"mt         {mt.__version__}")
    assert "GPU        none that torch can use" in lines
    assert "torch for  CPU only" in lines
    assert "  translations  ~/.cache/mt/translations, 0.0 MiB in 3 files" in lines
    assert "  data          ~/.cache/mt/data, does not exist" in lines
    assert lines[-2:] == ["variables", "  none that affect mt are set"]


NO_GPU = {"devices": [], "cuda": None, "hip": None, "cudnn": None, "driver": None, "warnings": []}


def test_gpus(home: Path, monkeypatch, capsys):
    card = SimpleNamespace(name="NVIDIA A100", total_memory=80 * 2**30, major=8, minor=0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: card)
    monkeypatch.setattr(torch.version, "cuda", "12.8")
    monkeypatch.setattr(torch.backends.cudnn, "version", lambda: 91002)
    tool = home / "bin" / "nvidia-smi"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\necho 570.86.15\necho 570.86.15\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}:{os.environ['PATH']}")
    assert run(monkeypatch, "mt", "env") == 0
    lines = capsys.readouterr().out.splitlines()
    assert "GPU 1      NVIDIA A100, 80.0 GiB, compute capability 8.0" in lines
    assert "torch for  CUDA 12.8, cuDNN 91002, driver 570.86.15" in lines


def test_a_torch_that_fails_is_told(home: Path, monkeypatch, capsys):
    def fail(_: int) -> None:
        raise RuntimeError("CUDA driver error: system not yet initialized\nand more")

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_properties", fail)
    assert facts_of(monkeypatch, capsys)["gpu"] == {
        "error": "RuntimeError: CUDA driver error: system not yet initialized"
    }
    monkeypatch.setitem(sys.modules, "torch", None)
    assert run(monkeypatch, "mt", "env") == 0
    assert "GPU       unknown, torch failed: ModuleNotFoundError: import of torch halted" in capsys.readouterr().out


def test_unknown_option(monkeypatch, capsys):
    assert run(monkeypatch, "mt", "env", "--yaml") == 2
    assert "unrecognized arguments: --yaml" in only_line(capsys)


@pytest.mark.slow
def test_nothing_but_torch_is_imported_for_it():
    code = "import sys; from mt.commands.env import environment; environment(); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "torch" in loaded
    assert not {"transformers", "datasets", "accelerate", "matplotlib", "scipy", "lxml"} & set(loaded)


def test_commit_is_that_of_the_code_and_of_no_other_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """An environment often lies inside of somebody's repository, which has a commit of its own."""
    package = tmp_path / ".venv" / "mt"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    monkeypatch.setattr(mt, "__file__", str(package / "__init__.py"))
    for name in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))

    def git(*arguments: str) -> str:
        return subprocess.run(["git", "-C", tmp_path, *arguments], capture_output=True, text=True, check=True).stdout

    assert manifest.git_commit() is None
    git("init", "--quiet")
    git("commit", "--quiet", "--allow-empty", "-m", "theirs")
    assert manifest.git_commit() is None
    git("add", "--force", ".venv/mt")
    git("commit", "--quiet", "-m", "ours")
    assert manifest.git_commit() == git("rev-parse", "HEAD").strip()
    (package / "__init__.py").write_text("changed = True\n")
    assert manifest.git_commit() == f"{git('rev-parse', 'HEAD').strip()}+changes"
