"""What a decoder-only model takes on this GPU: memory, and seconds per update, for each way to train it.

    python benchmarks/llm_memory.py --json llm.json

Models with random weights in the shapes of HY-MT1.5-1.8B and TranslateGemma 4B are trained on random pairs as long as
news (prompts of 60 tokens, targets of 40, on average), 8,192 target tokens per update, with gradient checkpointing as
in the recipes: all weights in float32, LoRA beside weights in bf16, and LoRA beside weights in 4 bits. Memory is
torch's peak in the updates: weights, gradients, optimizer and micro-batch together. Without a GPU use `--tiny`, which
tries that everything runs; weights in 4 bits are then left out.
"""

from __future__ import annotations

import argparse
import gc
import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gpu_ways import GIB, Clock, only_train
from tabulate import tabulate
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    GenerationConfig,
    HunYuanDenseV1Config,
    HunYuanDenseV1ForCausalLM,
    PreTrainedTokenizerFast,
)

from mt.config import AdaptationConfig, Config, LoraConfig, TrainingConfig
from mt.languages import ENGLISH_TO_ARABIC
from mt.models.families import family_of_model
from mt.models.gpu_decoding import use_precompiled_attention
from mt.models.prompted_model import PromptedTranslator
from mt.models.prompts import make_prompt
from mt.training.encoded_pairs import EncodedPairs
from mt.training.encoding import DevSet
from mt.training.setup import build_trainer

SHAPES: dict[str, tuple[Any, Any, dict[str, int]]] = {
    "1.8B": (
        HunYuanDenseV1Config,
        HunYuanDenseV1ForCausalLM,
        {
            "vocab_size": 120_832,
            "hidden_size": 2048,
            "intermediate_size": 6144,
            "num_hidden_layers": 32,
            "num_attention_heads": 16,
            "num_key_value_heads": 4,
            "head_dim": 128,
        },
    ),
    "4B": (
        Gemma3TextConfig,
        Gemma3ForCausalLM,
        {
            "vocab_size": 262_208,
            "hidden_size": 2560,
            "intermediate_size": 10_240,
            "num_hidden_layers": 34,
            "num_attention_heads": 8,
            "num_key_value_heads": 4,
            "head_dim": 256,
        },
    ),
}
TINY = {"vocab_size": 1000, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "head_dim": 8}
WAYS: dict[str, LoraConfig | None] = {
    "full": None,
    "LoRA": LoraConfig(base_precision="bf16"),
    "QLoRA": LoraConfig(base_precision="4bit"),
}
_SKIPPED, _TIMED = 2, 4


def main() -> None:
    """Measure every model in every way, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=SHAPES, default=list(SHAPES))
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--tokens", type=int, default=8192, help="target tokens per update")
    parser.add_argument("--json", type=Path, help="write all figures here, after each of them")
    parser.add_argument("--tiny", action="store_true", help="models too small to measure anything")
    options = parser.parse_args()
    if not torch.cuda.is_available() and not options.tiny:
        parser.error("needs a GPU; --tiny tries that everything runs")
    use_precompiled_attention()
    ways = [way for way in options.ways if torch.cuda.is_available() or way != "QLoRA"]
    figures: list[dict[str, Any]] = []
    for model in options.models:
        for way in ways:
            try:
                found = measured(model, WAYS[way], options.tokens, tiny=options.tiny)
            except torch.OutOfMemoryError as error:
                found = {"failed": str(error).splitlines()[0]}
            figures.append({"model": model, "way": way, **found})
            if options.json is not None:
                options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
            print(figures[-1], flush=True)
            gc.collect()
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
    print(tabulate(figures, headers="keys", tablefmt="github"))


def measured(kind: str, lora: LoraConfig | None, tokens: int, *, tiny: bool) -> dict[str, Any]:
    """Gigabytes and seconds of one way to train one model."""
    translator = random_translator(kind, torch.float32 if lora is None else torch.bfloat16, tiny=tiny)
    pairs = news_like(translator, 64 if tiny else 2000, 100 if tiny else 100_000)
    clock = Clock(lambda updates, _: updates == _SKIPPED + _TIMED, _SKIPPED)
    training = TrainingConfig(
        tokens_per_update=200 if tiny else tokens,
        epochs=1000,
        max_updates=_SKIPPED + _TIMED,
        gradient_checkpointing=True,
        label_smoothing=0.0,
        report_to=[],
        log_every_updates=1_000_000,
    )
    config = Config(training=training, adaptation=AdaptationConfig(lora=lora))
    with tempfile.TemporaryDirectory() as directory:
        few = DevSet(EncodedPairs([[5]], [[5]]), ["a"], ["a"])
        trainer = build_trainer(config, translator, pairs, few, None, Path(directory), callbacks=[clock])
        only_train(trainer)
        held = _gib(torch.cuda.memory_allocated()) if torch.cuda.is_available() else None
        started = time.perf_counter()
        trainer.train()
    seconds = (clock.ended - clock.warm) / _TIMED
    target = trainer.sampler.tokens_per_update()
    return {
        "weights_gib": held,
        "peak_gib": _gib(torch.cuda.max_memory_allocated()) if torch.cuda.is_available() else None,
        "reserved_gib": _gib(torch.cuda.max_memory_reserved()) if torch.cuda.is_available() else None,
        "seconds_per_update": round(seconds, 2),
        "target_tokens_per_second": round(target / seconds),
        "micro_batch_tokens": trainer.sampler.max_tokens,
        "micro_batches": trainer.sampler.plan.accumulation,
        "all_seconds": round(time.perf_counter() - started, 1),
    }


def _gib(count: int) -> float:
    return round(count / GIB, 2)


@contextmanager
def _in(dtype: torch.dtype) -> Iterator[None]:
    """New tensors are of this type, and on the GPU if there is one, where random numbers are made in no time."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
            yield
    finally:
        torch.set_default_dtype(before)


def random_translator(kind: str, dtype: torch.dtype, *, tiny: bool) -> PromptedTranslator:
    """A model of this shape, on the CPU as if it was loaded, with a tokenizer of bytes."""
    config_class, model_class, sizes = SHAPES[kind]
    with _in(dtype):
        model = model_class(config_class(**(sizes | TINY if tiny else sizes), tie_word_embeddings=True))
    model.to("cpu")
    tokenizer = byte_tokenizer()
    prompt = make_prompt(kind, tokenizer, ENGLISH_TO_ARABIC.source, ENGLISH_TO_ARABIC.target)
    end = tokenizer.eos_token_id
    model.generation_config = GenerationConfig(pad_token_id=end, eos_token_id=[end])
    languages = family_of_model(model).agree_on_languages(tokenizer, "en", "ar")
    return PromptedTranslator(
        model=model, tokenizer=tokenizer, languages=languages, name=kind, location=kind, prompt=prompt
    )


def byte_tokenizer() -> PreTrainedTokenizerFast:
    """A token per byte, and an end token."""
    vocabulary = {letter: index for index, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    tokenizer = Tokenizer(models.BPE(vocabulary, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<end>")


def news_like(translator: PromptedTranslator, count: int, vocabulary: int) -> EncodedPairs:
    """Pairs of random ids: prompts of 60 tokens and targets of 40, on average, a third of them by chance."""
    generator = np.random.default_rng(1)
    sources, targets = (
        [generator.integers(10, vocabulary, length).tolist() for length in generator.integers(low, high, count)]
        for low, high in ((40, 81), (20, 61))
    )
    return EncodedPairs(sources, targets)


if __name__ == "__main__":
    main()
