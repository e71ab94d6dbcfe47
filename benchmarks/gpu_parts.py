"""The parts of `benchmarks/gpu.py`, each in a process of its own:

    python benchmarks/gpu_parts.py PART JSON_ARGUMENTS FILE

FILE gets the figures of the part as soon as there are any, so that a part that is stopped loses only what it has not
finished.
"""

from __future__ import annotations

import gc
import json
import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import sacrebleu
import torch
from datasets import load_from_disk
from gpu_data import Part, cached_data, prepare
from gpu_models import shape_of, training_flops
from gpu_runs import RUN_PARTS
from gpu_ways import GIB, SAMPLING, Clock, only_train, train_library, train_mt, wait
from transformers import set_seed
from transformers.utils import logging as library_logging

from mt.commands.environment import quiet_libraries
from mt.config import Config, DecodingConfig, ModelConfig, TrainingConfig
from mt.models.decoding import translate
from mt.models.transformers_model import TransformersTranslator, load_translator
from mt.training.encoded_pairs import EncodedPairs
from mt.training.encoding import DevSet
from mt.training.setup import build_trainer


def step(part: Part) -> None:
    """Updates on sentences of one length, by the target tokens of an update."""
    figures: list[dict[str, Any]] = []
    for tokens in part.arguments["tokens"]:
        try:
            found = timed_updates(part, tokens)
        except RuntimeError as error:
            found = {"tokens": tokens, "failed": f"{type(error).__name__}: {error}"[:300]}
        figures.append(found)
        part.tell(figures)
        free_memory()


def timed_updates(part: Part, tokens: int) -> dict[str, Any]:
    """Milliseconds of an update of `tokens` random ids per side, without evaluations and checkpoints."""
    kind, length = part.arguments["model"], 8 if part.tiny else 64
    translator = load_translator(ModelConfig(name=str(part.model(kind)), dropout=0.1, skip_doctor=True))
    sentences, shape = tokens // length, shape_of(kind, part.tiny)
    ids = np.random.default_rng(1).integers(10, shape.vocabulary // 2, (2, 4 * sentences, length))
    pairs = EncodedPairs(ids[0].tolist(), ids[1].tolist())
    skipped, timed = (1, 2) if part.tiny else (6, 10)
    clock = Clock(lambda updates, _: updates == skipped + timed, skipped)
    # As in a run of 100 updates, for which recording pays, but not compiling.
    fixed = {"tokens_per_update": tokens, "epochs": 100, "max_updates": 100}
    fixed |= {"report_to": [], "log_every_updates": 1_000_000}
    training = TrainingConfig(**{"label_smoothing": 0.1, **fixed, **part.arguments["training"]})
    directory = part.work / "step"
    config = Config(training=training)
    trainer = build_trainer(config, translator, pairs, few(pairs), None, directory, callbacks=[clock])
    only_train(trainer)
    trainer.train()
    seconds = (clock.ended - clock.warm) / timed
    real = sum(trainer.sampler.tokens_seen(clock.updates).values()) / clock.updates
    flops = training_flops(shape, length, length) * real / (2 * length)
    return {
        "tokens": tokens,
        "ms": round(1e3 * seconds, 2),
        "tokens_per_second": round(real / seconds),
        "share": flops / seconds / part.arguments["card"],
        "micro_batches": trainer.sampler.plan.accumulation,
        "setup_seconds": round(clock.begun - clock.created, 2),
        "peak_gib": round(torch.cuda.max_memory_reserved() / GIB, 2) if torch.cuda.is_available() else None,
    }


def few(pairs: EncodedPairs) -> DevSet:
    """A dev set that is never used."""
    first = pairs.pairs[:2]
    return DevSet(EncodedPairs([pair.source for pair in first], [pair.target for pair in first]), ["a"], ["a"])


def free_memory() -> None:
    """Give back what the last model has used."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def compare(part: Part) -> None:
    """The same model trained by the library's trainer, plain and grouped by length, and by this project."""
    train = part.encoded()
    mean = float(train.lengths[:, 1].mean())
    sentences = part.arguments["sentences"] or max(1, round(part.arguments["tokens"] / mean))
    tokens = round(sentences * mean)
    figures: dict[str, Any] = {"sentences": sentences, "tokens_per_update": tokens, "ways": {}}
    for way in (*SAMPLING, "mt"):
        figures["ways"][way] = one_way(part, way, train, sentences, tokens)
        part.tell(figures)
        free_memory()
    speeds = {way: found.get("tokens_per_second", 0.0) for way, found in figures["ways"].items()}
    later = {way: found.get("tokens_per_second_later", 0.0) for way, found in figures["ways"].items()}
    for key, found in (("times", speeds), ("times_later", later)):
        figures[key] = {way: round(found["mt"] / found[way], 2) for way in SAMPLING if found[way] and found["mt"]}
    part.tell(figures)


def one_way(part: Part, way: str, train: EncodedPairs, sentences: int, tokens: int) -> dict[str, Any]:
    """The figures of one way; the library's batches are divided until they fit into memory."""
    skipped, most, seconds = (2, 4, 5.0) if part.tiny else (10, 400, part.arguments["seconds"])

    def enough(updates: int, so_far: float, _tokens: int) -> bool:
        return updates >= most or (so_far > seconds and updates >= skipped + 3)

    accumulation = 1
    while True:
        set_seed(1)
        name = str(part.model(part.arguments["model"]))
        translator = load_translator(ModelConfig(name=name, dropout=0.1, skip_doctor=True))
        directory = part.work / "compare"
        try:
            if way == "mt":
                kept = {"tokens_per_update": tokens, "enough": enough, "skipped": skipped}
                # As in a run of the usual length: whether compiling pays depends on it.
                kept["options"] = {"epochs": 10, **part.arguments["training"]}
                return train_mt(translator, train, few(train), directory, **kept)
            kept = {"sentences": sentences, "enough": enough, "skipped": skipped, "accumulation": accumulation}
            return {**train_library(way, translator, train, directory, **kept), "accumulation": accumulation}
        except RuntimeError as error:
            if way == "mt" or accumulation >= 64 or not isinstance(error, torch.OutOfMemoryError):
                return {"failed": f"{type(error).__name__}: {error}"[:300]}
        accumulation *= 2
        del translator
        free_memory()


def decode(part: Part) -> None:
    """Beam 4 with the model that comes with the project: `translate` beside `generate` in file order."""
    splits = load_from_disk(str(cached_data(part) / "data"))
    rows = [*splits["test"], *splits["dev"], *splits["train"]][: part.arguments["sentences"]]
    sources, references = [row["source"] for row in rows], [row["target"] for row in rows]
    config = DecodingConfig(num_beams=4)
    translator = load_translator(ModelConfig(), config)
    translator.model.to("cuda" if torch.cuda.is_available() else "cpu").eval()
    ways: dict[str, Callable[[list[str]], list[str]]] = {
        "generate, file order, batch 16": lambda texts: in_file_order(translator, texts, config),
        "translate": lambda texts: translate(translator, texts, config),
    }
    figures: dict[str, Any] = {"sentences": len(rows), "ways": {}}
    for way, run in ways.items():
        run(sources[:16])
        wait()
        begun = time.perf_counter()
        hypotheses = run(sources)
        wait()
        seconds = time.perf_counter() - begun
        tokens = sum(map(len, translator.encode_targets(hypotheses)))
        figures["ways"][way] = {
            "seconds": round(seconds, 2),
            "sentences_per_second": round(len(rows) / seconds, 1),
            "tokens_per_second": round(tokens / seconds),
            "chrF": round(sacrebleu.corpus_chrf(hypotheses, [references]).score, 2),
        }
        part.tell(figures)


def in_file_order(translator: TransformersTranslator, sources: list[str], config: DecodingConfig) -> list[str]:
    """As a script around the library would do it: 16 sentences at a time, as they come."""
    found: list[str] = []
    encoded = translator.encode_sources(sources)
    for start in range(0, len(encoded), 16):
        batch = encoded[start : start + 16]
        width = max(map(len, batch))
        padding = translator.model.generation_config.pad_token_id
        ids = torch.tensor([row + [padding] * (width - len(row)) for row in batch], device=translator.model.device)
        mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in batch], device=ids.device)
        with torch.inference_mode():
            limit = min(2 * width + 10, translator.max_tokens)
            output = translator.model.generate(
                input_ids=ids, attention_mask=mask, num_beams=config.num_beams, max_length=limit
            )
        found += translator.tokenizer.batch_decode(output, skip_special_tokens=True)
    return found


PARTS: dict[str, Callable[[Part], Any]] = {
    "prepare": prepare,
    "step": step,
    "compare": compare,
    "decode": decode,
    **RUN_PARTS,
}


def main() -> None:
    """Do the part that the command line names."""
    name, arguments, file = sys.argv[1:]
    given = json.loads(arguments)
    quiet_libraries()
    library_logging.disable_progress_bar()
    logging.getLogger().setLevel(logging.INFO)
    PARTS[name](Part(Path(given.pop("work")), given.pop("tiny"), given, Path(file)))


if __name__ == "__main__":
    main()
