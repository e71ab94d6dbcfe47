"""Sentences as vectors, by an encoder from the hub: its last states, averaged or of the first token, normalised.

This is what the library sentence-transformers does, without its dependencies: a transformer, then pooling. The files
are read with the library transformers, as safetensors, and code that comes with a model is never run.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mt.errors import DataError
from mt.files import sha256_of

if TYPE_CHECKING:
    import torch

logger = logging.getLogger(__name__)

_FILES = ("*.json", "*.txt", "*.model", "*.safetensors", "1_Pooling/*")
_MODULES = frozenset({"Transformer", "Pooling", "Normalize"})
_MOST_TOKENS = 512
# Padded tokens per batch: enough to keep a GPU busy, little enough for a CPU's memory.
_BATCH_TOKENS = {"cuda": 65_536, "cpu": 4096}


def fetch_encoder(name: str, revision: str) -> Path:
    """The directory with an encoder's files: `name` itself, or a snapshot from the hub. Raises `DataError`."""
    if Path(name).is_dir():
        return Path(name)
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, revision=revision, allow_patterns=list(_FILES)))
    except Exception as error:  # no network, no such name: the user can mend both
        raise DataError(
            f"{name}: neither a directory here nor an encoder that could be fetched from the hub at revision "
            f"`{revision}`; check the name, the revision and the network"
        ) from error


def encoder_identity(name: str, revision: str) -> dict[str, str]:
    """What an encoder is, whatever its name means later: the commit on the hub, or the SHA-256 of each file."""
    directory = fetch_encoder(name, revision)
    if directory != Path(name):
        # .../snapshots/<commit>
        return {"name": name, "commit": directory.name}
    files = sorted(file for pattern in _FILES for file in directory.glob(pattern) if file.is_file())
    return {"name": name, **{str(file.relative_to(directory)): sha256_of(file) for file in files}}


class SentenceEncoder:
    """An encoder on the fastest device here."""

    def __init__(self, name: str, revision: str) -> None:
        """Raises `DataError` if the files are no encoder, or one that needs more than its states and pooling."""
        import torch
        from transformers import AutoModel, AutoTokenizer

        directory = fetch_encoder(name, revision)
        self._takes_first = _takes_first(name, directory)
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        try:
            self._tokenizer = AutoTokenizer.from_pretrained(str(directory), trust_remote_code=False)
            model = AutoModel.from_pretrained(str(directory), trust_remote_code=False, use_safetensors=True)
        except Exception as error:  # the library passes on whatever reading the files raises
            reason = str(error).strip().partition("\n")[0] or type(error).__name__
            raise DataError(
                f"{name}: cannot be loaded as a sentence encoder ({reason[:200]}); name one whose weights are "
                "safetensors and that needs no code of its own"
            ) from error
        if getattr(model.config, "is_encoder_decoder", False):
            raise DataError(f"{name}: translates or generates; name a sentence encoder, such as those for similarity")
        self._model: Any = model.to(self.device).eval()
        self.max_tokens = _max_tokens(directory, self._tokenizer, model.config)

    def encode(self, texts: Sequence[str]) -> torch.Tensor:
        """float32 (texts, width) on the encoder's device, each of length 1; what is too long is cut at the end."""
        import torch

        ids = self._tokenizer(list(texts), truncation=True, max_length=self.max_tokens)["input_ids"]
        order = sorted(range(len(ids)), key=lambda index: (len(ids[index]), index))
        vectors, parts = [], _batches([len(ids[index]) for index in order], _BATCH_TOKENS[self.device.type])
        with torch.inference_mode():
            for start, stop in parts:
                batch = self._tokenizer.pad(
                    {"input_ids": [ids[index] for index in order[start:stop]]}, return_tensors="pt"
                )
                vectors.append(self._pooled(batch.to(self.device)))
        joined = torch.cat(vectors)
        found = torch.empty_like(joined)
        found[torch.tensor(order, device=self.device)] = joined
        return found

    def _pooled(self, batch: Any) -> torch.Tensor:
        import torch

        # Half precision is as good for comparing, and twice as fast.
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.device.type == "cuda"):
            states = self._model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).last_hidden_state
        states = states.float()
        if self._takes_first:
            pooled = states[:, 0]
        else:
            mask = batch["attention_mask"].unsqueeze(-1).float()
            pooled = (states * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1)
        return torch.nn.functional.normalize(pooled, dim=-1)


def _batches(lengths: Sequence[int], most_tokens: int) -> list[tuple[int, int]]:
    """(first, behind the last) of each batch of sentences in ascending order of length."""
    parts, start = [], 0
    for index, length in enumerate(lengths):
        if index > start and (index - start + 1) * length > most_tokens:
            parts.append((start, index))
            start = index
    return [*parts, (start, len(lengths))] if lengths else []


def _read(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None
    except (OSError, ValueError) as error:
        raise DataError(f"{file}: cannot be read; fetch the encoder again") from error


def _takes_first(name: str, directory: Path) -> bool:
    """Whether the vector of a sentence is that of its first token; otherwise it is the mean of all."""
    modules = _read(directory / "modules.json") or []
    kinds = {str(module.get("type", "")).rpartition(".")[2] for module in modules}
    if not kinds <= _MODULES:
        raise DataError(
            f"{name}: has layers behind its transformer that only sentence-transformers knows "
            f"({', '.join(sorted(kinds - _MODULES))}); name an encoder with pooling alone"
        )
    pooling = _read(directory / "1_Pooling" / "config.json") or {}
    modes = {mode for mode, is_on in pooling.items() if mode.startswith("pooling_mode_") and is_on is True}
    if modes <= {"pooling_mode_mean_tokens"}:
        return False
    if modes == {"pooling_mode_cls_token"}:
        return True
    raise DataError(
        f"{name}: pools by {', '.join(sorted(modes))}; name an encoder that takes the mean or the first token"
    )


def _max_tokens(directory: Path, tokenizer: Any, config: Any) -> int:
    limits = [_MOST_TOKENS, tokenizer.model_max_length]
    limits += [(_read(directory / "sentence_bert_config.json") or {}).get("max_seq_length") or _MOST_TOKENS]
    positions = getattr(config, "max_position_embeddings", None)
    if positions:
        # Models of RoBERTa's kind count positions from behind the id of padding.
        limits.append(positions - ((config.pad_token_id or 0) + 1 if "roberta" in config.model_type else 0))
    return int(min(limits))
