"""Ways to damage a model's directory, and to hide code in it that leaves a marker when it is run."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

Spoil = Callable[[Path], None]
MARKER = "was-run"


def spoilt_json(file: str, **changes: Any) -> Spoil:
    def spoil(directory: Path) -> None:
        content = json.loads((directory / file).read_text(encoding="utf-8"))
        (directory / file).write_text(json.dumps(content | changes), encoding="utf-8")

    return spoil


def config(**changes: Any) -> Spoil:
    return spoilt_json("config.json", **changes)


def written(file: str, content: str | bytes) -> Spoil:
    def spoil(directory: Path) -> None:
        (directory / file).unlink(missing_ok=True)
        (directory / file).write_bytes(content.encode() if isinstance(content, str) else content)

    return spoil


def truncated(file: str, share: float = 0.5) -> Spoil:
    def spoil(directory: Path) -> None:
        content = (directory / file).read_bytes()
        written(file, content[: int(len(content) * share)])(directory)

    return spoil


def removed(*files: str) -> Spoil:
    def spoil(directory: Path) -> None:
        for file in files:
            (directory / file).unlink()

    return spoil


def replaced_by(file: str, make: Callable[[Path], None]) -> Spoil:
    def spoil(directory: Path) -> None:
        (directory / file).unlink(missing_ok=True)
        make(directory / file)

    return spoil


def sparse(megabytes: int) -> Callable[[Path], None]:
    def make(file: Path) -> None:
        file.touch()
        os.truncate(file, megabytes * 2**20)

    return make


class Evil:
    """Pickled, it runs a command when it is loaded."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return os.system, (f"touch '{self.marker}'",)


def evil_pickle(directory: Path) -> None:
    (directory / "model.safetensors").unlink()
    with (directory / "pytorch_model.bin").open("wb") as file:
        pickle.dump({"model.shared.weight": Evil(directory / MARKER)}, file)


def evil_zip(directory: Path) -> None:
    (directory / "model.safetensors").unlink()
    torch.save({"model.shared.weight": Evil(directory / MARKER)}, directory / "pytorch_model.bin")


def evil_distributed(directory: Path) -> None:
    """The layout of torch's distributed checkpoints, whose metadata is a pickle."""
    (directory / "model.safetensors").unlink()
    with (directory / ".metadata").open("wb") as file:
        pickle.dump(Evil(directory / MARKER), file)
    (directory / "__0_0.distcp").write_bytes(b"")


def evil_code(directory: Path) -> None:
    marker = directory / MARKER
    for module in ("configuration_evil", "modeling_evil", "tokenization_evil"):
        (directory / f"{module}.py").write_text(f"open({str(marker)!r}, 'w').close()\nEvil = Config = Model = None\n")
    (directory / "custom_generate").mkdir()
    (directory / "custom_generate" / "generate.py").write_text(
        f"open({str(marker)!r}, 'w').close()\ndef generate(model, **options): return None\n"
    )


AUTO_MAP = {"AutoConfig": "configuration_evil.Config", "AutoModelForSeq2SeqLM": "modeling_evil.Model"}


def auto_map(**changes: Any) -> Spoil:
    def spoil(directory: Path) -> None:
        evil_code(directory)
        config(auto_map=AUTO_MAP, **changes)(directory)

    return spoil


def tokenizer_auto_map(name: str) -> Spoil:
    def spoil(directory: Path) -> None:
        evil_code(directory)
        changes = {"auto_map": {"AutoTokenizer": ["tokenization_evil.Evil", None]}, "tokenizer_class": name}
        spoilt_json("tokenizer_config.json", **changes)(directory)

    return spoil


def vocabulary(change: Callable[[dict[str, Any]], Any]) -> Spoil:
    def spoil(directory: Path) -> None:
        tokens = json.loads((directory / "vocab.json").read_text(encoding="utf-8"))
        change(tokens)
        (directory / "vocab.json").write_text(json.dumps(tokens), encoding="utf-8")

    return spoil
