"""Words for error messages: what a directory that is no model contains instead, and where to get what is missing."""

from __future__ import annotations

import json
from pathlib import Path

from mt.errors import ModelError

_WEIGHTS = ("model*.safetensors", "pytorch_model*.bin", "*.safetensors")
_TRAINER_STATE = ("optimizer.pt", "trainer_state.json", "scheduler.pt", "rng_state*.pth", "training_args.bin")
_OTHER_KINDS = {
    "*.npz": "a model in Marian's own format, which transformers' convert_marian_to_pytorch.py converts",
    "tf_model.h5": "a TensorFlow model, which is not supported",
    "*.gguf": "a GGUF model, which is not supported",
    "*.onnx": "an ONNX model, which is not supported",
}
_TOKENIZERS = ("source.spm", "sentencepiece.bpe.model", "tokenizer.json")
# The files by which a model, an adapter, a run and a CTranslate2 model are recognised.
_MARKS = ("config.json", "adapter_config.json", "config.yaml", "model.bin")
_MAX_NAMED = 4
_MAX_LENGTH = 150


def instead_of_model(directory: Path) -> str:
    """What a directory without a `config.json` contains, and the remedy; empty if that is not known."""
    try:
        names = sorted(directory.iterdir())
        models = sorted((path for path in names if any((path / file).is_file() for file in _MARKS)), key=_last_number)
    except OSError:
        return ""
    if not names:
        return "it is empty"
    if (directory / "config.yaml").is_file():
        return _of_run(directory)
    if models:
        some = [str(path) for path in models[-_MAX_NAMED:]]
        return f"name one of the models in it: {', '.join(some)}"
    return _of_files(directory)


def refuse_stand_in(file: Path) -> None:
    """Raise `ModelError` for what a failed download leaves in place of a file, `OSError` if it cannot be read.

    A clone without Git LFS contains pointers; a page that asks for a login, or reports an error, is HTML.
    """
    with file.open("rb") as stream:
        start = stream.read(64).lstrip().lower()
    if start.startswith(b"version https://git-lfs"):
        raise ModelError(f"{file}: a pointer of Git LFS, not the file itself; fetch it with `git lfs pull`")
    if start.startswith((b"<!doctype html", b"<html")):
        raise ModelError(f"{file}: a web page, not the model's file; download it again with `hf download`")


def origin_of(directory: Path) -> str:
    """Where the tokenizer of the model in `directory` may be copied from: a directory or a hub name, or a description.

    That is the directory above a checkpoint, if it has a tokenizer, else what config.json says it was made from.
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
    return "it is a run that has no model yet: finish it with train.py --resume"


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
    """A sort key by which checkpoint-1000 comes after checkpoint-500."""
    digits = path.name.rpartition("-")[2]
    return int(digits) if digits.isdecimal() else 0, path.name
