"""What several test modules share: sentences and their scores by sacreBLEU's own command, commands, a fake COMET."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mt import cli
from mt.config import CorpusConfig
from mt.data.pair import Pair
from mt.data.readers import read_corpus
from mt.evaluation.comet import comet_root
from tests.conftest import STARTER

REFERENCES = [
    "سقطت المدينة في تموز/يوليو 2014.",
    "قتل خمسة مدنيين في غارة جوية قرب الميادين.",
    "دعا مجلس الأمن إلى وقف القتال في سوريا.",
    "عادت آلاف العائلات إلى قراها.",
    "قال متحدث باسم الأمم المتحدة إن القافلة وصلت؟",
    "انفجر لغم أرضي قرب الحدود.",
]
GOOD = [
    "سقطت المدينة في يوليو 2014.",
    "قتل خمسة مدنيين في غارة قرب الميادين.",
    "دعا مجلس الأمن إلى وقف القتال في سوريا.",
    "عادت آلاف الأسر إلى قراها.",
    "قال متحدث باسم الأمم المتحدة إن القافلة وصلت؟",
    "انفجر لغم قرب الحدود.",
]
BAD = ["سقطت", "خمسة في غارة", "مجلس الأمن", "عادت إلى", "متحدث باسم", "الحدود لغم"]
ENDINGS = {
    "today": "اليوم",
    "tonight": "الليلة",
    "again": "مجددا",
    "there": "هناك",
    "by bus": "بالحافلة",
    "alone": "وحيدا",
}


def cells_of(line: str) -> list[str]:
    """The cells of a line of a Markdown table whose text has no bars of its own."""
    return [cell.strip() for cell in line.strip("|").split("|")]


def varied(lines: list[str], times: int, *, english: bool = False) -> list[str]:
    """`lines` up to six times over, each time with another word at the end, so that no two are the same sentence."""
    endings = list(ENDINGS if english else ENDINGS.values())[:times]
    return [f"{line} {ending}" for ending in endings for line in lines]


def sacrebleu_cli(
    tmp_path: Path, *options: str, good: list[str] = GOOD, references: list[str] = REFERENCES, **environment: str
) -> Any:
    for name, lines in (("references", references), ("good", good), ("bad", BAD)):
        (tmp_path / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    command = [sys.executable, "-m", "sacrebleu", "references", "-w", "6", *options]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True, env=environment or None)
    return json.loads(result.stdout) if "text" not in options else result.stdout


def run(monkeypatch: pytest.MonkeyPatch, entry: str, *argv: str) -> int:
    monkeypatch.setattr(sys, "argv", ["program", *argv])
    return {"train": cli.train_main, "evaluate": cli.evaluate_main, "mt": cli.main}[entry]()


def only_line(capsys: pytest.CaptureFixture[str]) -> str:
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1, captured.err
    return captured.err


def read_pairs(path: Path, content: str | bytes | None = None, **options: Any) -> list[Pair]:
    """The pairs of a corpus file, which is written first if there is `content`; `options` are those of its config."""
    if content is not None:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return list(read_corpus("news", CorpusConfig(path=str(path), **options)))


def texts(pairs: list[Pair]) -> list[tuple[str, str]]:
    return [(pair.source, pair.target) for pair in pairs]


def sources(count: int) -> list[str]:
    return [pair.source for pair in read_corpus("s", CorpusConfig(path=str(STARTER)))][:count]


# The score of a sample is the share of the reference's length.
FAKE = """
import os, sys
assert not any("mt-conflict" in path or path.endswith("mt/evaluation") for path in sys.path)

class _Prediction:
    def __init__(self, scores): self.scores = scores

class _Model:
    def predict(self, samples, batch_size, gpus, progress_bar):
        print("Lightning greets from stdout")
        {behaviour}
        return _Prediction([len(s["mt"]) / len(s["ref"]) for s in samples])

def download_model(name):
    if name != "Unbabel/fake":
        raise KeyError(f"Model '{{name}}' not supported by COMET.")
    return "/hub/models--Unbabel--fake/snapshots/0123456789abcdef/checkpoints/model.ckpt"

def load_from_checkpoint(checkpoint):
    assert checkpoint.endswith("model.ckpt")
    return _Model()
"""


def make_environment(root: Path, behaviour: str = "pass") -> Path:
    """What `venv` and `pip` would leave: a Python, a comet, its torch, and what says its version."""
    packages = root / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    for name in ("comet", "torch", "unbabel_comet-2.2.7.dist-info"):
        (packages / name).mkdir(parents=True)
    (packages / "comet" / "__init__.py").write_text(FAKE.format(behaviour=behaviour))
    (packages / "torch" / "__init__.py").write_text("class cuda:\n    is_available = staticmethod(lambda: False)\n")
    (packages / "unbabel_comet-2.2.7.dist-info" / "METADATA").write_text("Name: unbabel-comet\nVersion: 2.2.7\n")
    (root / "bin").mkdir()
    base = Path(sys._base_executable)  # type: ignore[attr-defined]
    (root / "bin" / "python").symlink_to(base)
    (root / "pyvenv.cfg").write_text(f"home = {base.parent}\ninclude-system-site-packages = false\n")
    return root


def make_setup(behaviour: str = "pass") -> None:
    make_environment(comet_root(), behaviour)
    facts = {"model": "Unbabel/fake", "version": "0123456789", "comet": "2.2.7", "checkpoint": "/hub/model.ckpt"}
    (comet_root() / "comet.json").write_text(json.dumps(facts))
