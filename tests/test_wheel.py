"""The wheel holds all that it needs: installed without the checkout, it writes a recipe and trains with it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.slow

# Python runs it before anything else. Files of the checkout that are opened are noted; the environment of this very
# test may lie in the checkout and is none of it.
WATCH = """
import os, sys
def note(event, arguments):
    if event in ("open", "os.listdir", "os.scandir") and isinstance(arguments[0], (str, bytes, os.PathLike)):
        path = os.path.abspath(os.fsdecode(arguments[0]))
        if path.startswith({checkout!r}) and not path.startswith({environment!r}):
            with os.fdopen(os.open({log!r}, os.O_WRONLY | os.O_APPEND | os.O_CREAT), "w") as log:
                log.write(path + "\\n")
sys.addaudithook(note)
"""


def pip(*arguments: str | Path) -> None:
    """pip without network, cache and settings of this machine."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    environment |= {"PIP_CONFIG_FILE": os.devnull, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_CACHE_DIR": "1"}
    subprocess.run([sys.executable, "-m", "pip", "--quiet", *arguments, "--no-index"], env=environment, check=True)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, for building leaves its traces where it is done."""
    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for name in ("mt", "configs", "data"):
        shutil.copytree(ROOT / name, source / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    wheels = tmp_path_factory.mktemp("wheels")
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", wheels, source)
    (built,) = wheels.iterdir()
    return built


def test_wheel_holds_recipes_and_data_once(wheel: Path):
    with zipfile.ZipFile(wheel) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    (info,) = {name.partition("/")[0] for name in contents} - {"mt"}
    assert info.endswith(".dist-info")
    for kind in ("configs", "data"):
        for file in (ROOT / kind).rglob("*"):
            if file.is_file():
                assert contents[f"mt/assets/{file.relative_to(ROOT).as_posix()}"] == file.read_bytes()
    assert contents[f"{info}/licenses/LICENSE"] == (ROOT / "LICENSE").read_bytes()
    copies = Counter(hashlib.sha256(content).hexdigest() for content in contents.values() if content)
    # Marian wants its one vocabulary under two names.
    assert [count for count in copies.values() if count > 1] == [2]
    assert contents["mt/assets/tiny-en-ar/source.spm"] == contents["mt/assets/tiny-en-ar/target.spm"]


def test_recipe_trains_without_the_checkout(wheel: Path, tmp_path: Path):
    packages, watch, here = (tmp_path / name for name in ("packages", "watch", "here"))
    watch.mkdir()
    here.mkdir()
    pip("install", "--no-deps", "--no-compile", "--target", packages, wheel)
    log = tmp_path / "opened.txt"
    places = {"checkout": f"{ROOT}/", "environment": f"{sys.prefix}/", "log": str(log)}
    (watch / "sitecustomize.py").write_text(WATCH.format(**places), encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (watch, packages))), "HF_HUB_OFFLINE": "1"}

    def python(*arguments: str) -> str:
        command = [sys.executable, *arguments]
        done = subprocess.run(command, cwd=here, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert Path(python("-c", "import mt; print(mt.__file__)").strip()) == packages / "mt" / "__init__.py"
    python("-m", "mt.cli", "configs", "demo")
    options = ["--training.max_updates", "2", "--training.eval_every_updates", "1", "--training.dev_sentences", "8"]
    options += ["--training.report_to", "[]", "--data.max_test_pairs", "10", "--evaluation.resamples", "100"]
    options += ["--decoding.num_beams", "1", "--decoding.max_length_ratio", "0.5"]
    assert "report: runs/demo/report.html" in python("-m", "mt.cli", "train", "demo.yaml", *options)
    manifest = json.loads((here / "runs" / "demo" / "manifest.json").read_text(encoding="utf-8"))
    names = ("seed_pairs.txt", "starter.tsv", "glossary.tsv")
    assert set(manifest["inputs"]) == {f"data/conflict_news/{name}" for name in names}
    assert manifest["updates"] == 2
    scores = json.loads((here / "runs" / "demo" / "scores.json").read_text(encoding="utf-8"))["scores"]
    assert {score["system"] for score in scores} == {"base", "finetuned"}
    assert not log.exists(), log.read_text(encoding="utf-8")
