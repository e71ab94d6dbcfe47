"""What all parts of `benchmarks/gpu.py` have: the machine's figures, the corpus as token ids, models."""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from datasets import load_from_disk
from gpu_models import make_model, make_tokenizer, shape_of, training_flops
from gpu_ways import GIB, wait

from mt.config import Config, CorpusConfig, DataConfig, ModelConfig
from mt.data.cache import cached_build
from mt.data.readers import read_corpus
from mt.manifest import git_commit
from mt.models.transformers_model import load_translator
from mt.training.encoded_pairs import EncodedPairs
from mt.training.encoding import encode_training


@dataclass
class Part:
    """What a part is to do, and where its figures go."""

    work: Path
    tiny: bool
    arguments: dict[str, Any]
    file: Path

    def tell(self, figures: Any) -> None:
        """Write all figures so far."""
        new = self.file.with_suffix(".new")
        new.write_text(json.dumps(figures, ensure_ascii=False), encoding="utf-8")
        new.replace(self.file)

    def model(self, kind: str) -> Path:
        """The directory of a model, made if it is not there."""
        return make_model(kind, self.work / kind, self.work / "tokenizer", self.tiny)

    def encoded(self) -> EncodedPairs:
        """The training pairs as token ids of `opus` and `big`, whose tokenizers differ only in pieces never used."""
        found = json.loads((self.work / "encoded.json").read_text("utf-8"))
        return EncodedPairs(found["sources"], found["targets"])


def card(part: Part) -> dict[str, Any]:
    """The machine, and the rate of one large matrix product: bf16 on a GPU, float32 on a CPU."""
    device, has_gpu = ("cuda", True) if torch.cuda.is_available() else ("cpu", False)
    size, dtype = (8192, torch.bfloat16) if has_gpu else (512, torch.float32)
    left, right = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    seconds = []
    for _ in range(6):
        wait()
        begun = time.perf_counter()
        for _ in range(5):
            left @ right
        wait()
        seconds.append((time.perf_counter() - begun) / 5)
    packages = ("torch", "transformers", "accelerate", "tokenizers", "numpy")
    return {
        "device": torch.cuda.get_device_name() if has_gpu else "CPU",
        "memory_gib": round(torch.cuda.get_device_properties(0).total_memory / GIB, 1) if has_gpu else None,
        "cores": len(os.sched_getaffinity(0)),
        "product": f"{size} x {size} x {size}, {str(dtype).removeprefix('torch.')}",
        "flops_per_second": 2 * size**3 / sorted(seconds)[len(seconds) // 2],
        "versions": {"python": sys.version.split()[0], **{name: version(name) for name in packages}},
        "cuda": torch.version.cuda,
        "commit": git_commit(),
    }


def prepare(part: Part) -> None:
    """The machine's figures, then corpus, data build, tokenizer and token ids, for all other parts."""
    figures: dict[str, Any] = {"card": card(part)}
    part.tell(figures)
    paths, kinds = part.arguments["corpora"], [kind for kind in part.arguments["models"] if kind != "nllb"] or ["opus"]
    pairs = [pair for path in paths for pair in read_corpus("corpus", CorpusConfig(path=path))]
    rows = [f"{pair.source}\t{pair.target}" for pair in pairs[: part.arguments["pairs"]]]
    text = "\n".join(["english\tarabic", *rows, ""])
    corpus = part.work / "corpus.tsv"
    if not (corpus.exists() and corpus.read_text("utf-8") == text and (part.work / "encoded.json").exists()):
        corpus.write_text(text, encoding="utf-8")
        train = load_from_disk(str(cached_data(part) / "data"))["train"]
        make_tokenizer(part.work / "tokenizer", train["source"], train["target"], part.tiny)
        encode(part, train)
    encoded = part.encoded()
    source_tokens, target_tokens = encoded.lengths.sum(axis=0).tolist()
    figures["corpus"] = {
        "pairs_read": len(rows),
        "training_pairs": len(encoded),
        "source_tokens": source_tokens,
        "target_tokens": target_tokens,
        "flops": {
            kind: sum(training_flops(shape_of(kind, part.tiny), *pair) for pair in encoded.lengths.tolist())
            for kind in kinds
        },
    }
    part.tell(figures)


def encode(part: Part, train: Any) -> None:
    """Write the token ids of the training pairs that a run of `train` will use."""
    translator = load_translator(ModelConfig(name=str(part.work / "tokenizer"), skip_doctor=True))
    encoded, _ = encode_training(translator, train, Config(data=data_of(part)))
    tokens = {"sources": [pair.source for pair in encoded.pairs], "targets": [pair.target for pair in encoded.pairs]}
    (part.work / "encoded.json").write_text(json.dumps(tokens), encoding="utf-8")


def data_of(part: Part) -> DataConfig:
    """The section `data` of every run."""
    corpus = CorpusConfig(path=str(part.work / "corpus.tsv"))
    return DataConfig(**{**data_options(part.work, part.tiny), "corpora": {"corpus": corpus}})


def cached_data(part: Part) -> Path:
    """The data build, made unless it is there."""
    return cached_build(data_of(part), {})


def data_options(work: Path, tiny: bool) -> dict[str, Any]:
    """The section `data` of every run but `corpora`: held-out sets so small that they hardly take time."""
    return {
        "dev_share": 0.1 if tiny else 0.02,
        "test_share": 0.1 if tiny else 0.02,
        "max_dev_pairs": 100,
        "max_test_pairs": 10,
        "cache_dir": str(work / "data"),
    }
