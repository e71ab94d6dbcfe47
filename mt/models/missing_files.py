"""What a directory lacks to be a model that can be loaded, and where to take it from, in words for a message."""

from __future__ import annotations

import json
from pathlib import Path

from mt.errors import ModelError

_WEIGHTS = ("model*.safetensors", "pytorch_model*.bin", "*.safetensors")
_TRAINER_STATE = ("optimizer.pt", "trainer_state.json", "scheduler.pt", "rng_state*.pth", "training_args.bin")
_OTHER_KINDS = {
    "*.npz": "a model of Marian's own, which transformers' convert_marian_to_pytorch.py converts",
    "tf_model.h5": "a model of TensorFlow, for which there is no use here",
    "*.gguf": "a GGUF model, for which there is no use here",
    "*.onnx": "an ONNX model, for which there is no use here",
}
_TOKENIZERS = ("source.spm", "sentencepiece.bpe.model", "tokenizer.json")
# Of a model, an adapter, a run and a model of CTranslate2.
_MAKES = ("config.json", "adapter_config.json", "config.yaml", "model.bin")
_MAX_NAMED = 4
_MAX_LENGTH = 150


def instead_of_model(directory: Path) -> str:
    """What lies in a directory without a `config.json`, and the remedy; empty if that is not known."""
    try:
        names = sorted(directory.iterdir())
        models = sorted((path for path in names if any((path / file).is_file() for file in _MAKES)), key=_last_number)
    except OSError:
        return ""
    if not names:
        return "it is empty"
    if (directory / "config.yaml").is_file():
        return _of_run(directory)
    if models:
        some = [str(path) for path in models[-_MAX_NAMED:]]
        return f"name the one that is meant: {', '.join(some)}"
    return _of_files(directory)


def refuse_stand_in(file: Path) -> None:
    """Raise `ModelError` for what a download leaves in place of a model's file, `OSError` for what cannot be read.

    A clone without Git LFS has pointers; a login that was asked for, or an error, is a web page.
    """
    with file.open("rb") as stream:
        start = stream.read(64).lstrip().lower()
    if start.startswith(b"version https://git-lfs"):
        raise ModelError(f"{file}: a pointer of Git LFS, not the file itself; fetch it by `git lfs pull`")
    if start.startswith((b"<!doctype html", b"<html")):
        raise ModelError(f"{file}: a web page, not the model's file; download it again, by `hf download`")


def origin_of(directory: Path) -> str:
    """Where the tokenizer of the model in `directory` may be copied from: a directory or a hub name, or a description.

    Told by the directory above a checkpoint, then by what config.json says that the model was made from.
    """
    above = directory.absolute().parent
    if any((above / file).is_file() for file in _TOKENIZERS):
        return str(above)[:_MAX_LENGTH]
    try:
        named = json.loads((directory / "config.json").read_text(encoding="utf-8")).get("_name_or_path")
    except (OSError, ValueError, RecursionError, AttributeError):
        named = None
    is_name = isinstance(named, str) and 0 < len(named) < _MAX_LENGTH and named.isprintable()
    unnamed = "the model that this one was made from"
    return f"{unnamed}, {named}" if is_name and Path(named).absolute() != directory.absolute() else unnamed


def _of_run(run: Path) -> str:
    if (run / "model" / "config.json").is_file():
        return f"it is a run: name its model, {run}/model"
    return "it is a run that has no model yet: let it finish by train.py with --resume"


def _of_files(directory: Path) -> str:
    def first(patterns: tuple[str, ...]) -> str | None:
        return next((file.name for pattern in patterns for file in sorted(directory.glob(pattern))), None)

    weights, state, tokenizer = first(_WEIGHTS), first(_TRAINER_STATE), first(_TOKENIZERS)
    if weights is not None:
        return f"it has weights, {weights}: copy config.json there from the model that this one was made from"
    other = next((f"it has {what}" for pattern, what in _OTHER_KINDS.items() if first((pattern,))), "")
    if other:
        return other
    if state is not None:
        return f"it has a trainer's state, {state}: name the directory that the model itself was saved to"
    return f"it has a tokenizer, {tokenizer}, and no weights: fetch the whole model again" if tokenizer else ""


def _last_number(path: Path) -> tuple[int, str]:
    """checkpoint-1000 comes behind checkpoint-500."""
    digits = path.name.rpartition("-")[2]
    return int(digits) if digits.isdecimal() else 0, path.name
