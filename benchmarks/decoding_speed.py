"""Decoding speed: the library's `generate` in file order beside this project by torch and by CTranslate2, in one run.

    python benchmarks/decoding_speed.py [CORPUS] --json decoding_speed.json

Sentences are taken evenly from the whole corpus (by default the project's own news), so that they are of all lengths,
and are decoded by the recipes' search, beam 4. The ways take turns, a part of the sentences each, so that whatever else
the machine does slows all of them down. `generate` gets 16 sentences a batch, in file order, and the same limit on the
length of hypotheses as the others: without one it decodes each that does not end up to the model's last position.

The figures: sentences per second, chrF against the references, the share of translations that are the same as torch's
with each sentence alone, and what conversion and check cost before the first sentence.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

ROOT = Path(__file__).parent.parent
BATCH = 16


def main() -> None:
    """Decode in all ways and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", nargs="?", default=str(ROOT / "data" / "conflict_news" / "starter.tsv"))
    parser.add_argument("--model", default="tiny-en-ar")
    parser.add_argument("--sentences", type=int, default=1000)
    parser.add_argument("--turns", type=int, default=4, help="parts of the sentences that each way decodes in turn")
    parser.add_argument("--alone", type=int, default=200, help="sentences that torch decodes one by one, to compare")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    options = parser.parse_args()
    sources, references = read_pairs(options.corpus, options.sentences)
    with tempfile.TemporaryDirectory() as directory:
        os.environ["XDG_CACHE_HOME"] = directory
        text = json.dumps(measure(options, sources, references, Path(directory)), indent=2)
    print(text)
    if options.json:
        options.json.write_text(text + "\n", encoding="utf-8")


def read_pairs(path: str, count: int) -> tuple[list[str], list[str]]:
    """(sources, references), taken evenly from the whole corpus."""
    from mt.config import CorpusConfig
    from mt.data.readers import read_corpus

    pairs = list(read_corpus("corpus", CorpusConfig(path=path)))
    chosen = [pairs[number * len(pairs) // count] for number in range(min(count, len(pairs)))]
    return [pair.source for pair in chosen], [pair.target for pair in chosen]


def measure(
    options: argparse.Namespace, sources: list[str], references: list[str], directory: Path
) -> dict[str, dict[str, Any]]:
    """The figures of each way."""
    from sacrebleu import corpus_chrf

    from mt.config import DecodingConfig, ModelConfig
    from mt.cores import usable_cores
    from mt.models.ctranslate2_export import convert
    from mt.models.ctranslate2_model import load_ctranslate2
    from mt.models.decoding import translate
    from mt.models.transformers_model import load_translator
    from mt.systems.conversions import Conversion

    model, search = ModelConfig(name=options.model), DecodingConfig()
    torch_model = load_translator(model)
    start = time.perf_counter()
    converted = Conversion(model).open(search, sources)
    conversion_seconds = time.perf_counter() - start
    convert(load_translator(model), directory / "int8", "int8")
    int8 = load_ctranslate2(model.with_name(str(directory / "int8")))
    ways: dict[str, Callable[[list[str]], list[str]]] = {
        "generate in file order": lambda part: generate(torch_model, part, search),
        "mt by torch": lambda part: translate(torch_model, part, search),
        "mt by CTranslate2": lambda part: translate(converted, part, search),
        "mt by CTranslate2, int8": lambda part: translate(int8, part, search),
    }
    found, seconds = take_turns(ways, sources, options.turns)
    alone = [translate(torch_model, [source], search)[0] for source in sources[: options.alone]]
    table = {
        way: {
            "sentences_per_second": round(len(sources) / seconds[way], 1),
            "times generate": round(seconds["generate in file order"] / seconds[way], 2),
            "chrF": round(corpus_chrf(lines, [references]).score, 2),
            "same_as_torch": round(share_of_same(lines, found["mt by torch"]), 4),
            "same_as_alone": round(share_of_same(lines, alone), 4),
        }
        for way, lines in found.items()
    }
    facts = {"cores": usable_cores(), "sentences": len(sources), "words": sum(len(s.split()) for s in sources)}
    return {"facts": facts | {"conversion_and_check_seconds": round(conversion_seconds, 1)}, **table}


def take_turns(
    ways: dict[str, Callable[[list[str]], list[str]]], sources: list[str], turns: int
) -> tuple[dict[str, list[str]], dict[str, float]]:
    """(translations, seconds) of each way; every way decodes the first part, then every way the second, and so on."""
    found: dict[str, list[str]] = {way: [] for way in ways}
    seconds = dict.fromkeys(ways, 0.0)
    size = -(-len(sources) // turns)
    for first in range(0, len(sources), size):
        for way, decode in ways.items():
            start = time.perf_counter()
            found[way] += decode(sources[first : first + size])
            seconds[way] += time.perf_counter() - start
    return found, seconds


def share_of_same(lines: list[str], others: list[str]) -> float:
    """The share of the translations that are the same; of `lines` only as many as there are others count."""
    return sum(a == b for a, b in zip(lines, others, strict=False)) / max(1, len(others))


def generate(translator: Any, sources: list[str], search: Any) -> list[str]:
    """What one writes without this project: 16 sentences a batch, in file order."""
    import torch

    from mt.models.decoding import encode_within_limits

    model, tokenizer, lines = translator.model.eval(), translator.tokenizer, []
    for first in range(0, len(sources), BATCH):
        encoded, limits = encode_within_limits(translator, sources[first : first + BATCH], search)
        batch = tokenizer.pad({"input_ids": encoded}, return_tensors="pt")
        with torch.inference_mode():
            output = model.generate(
                input_ids=batch["input_ids"],
                attention_mask=batch["attention_mask"],
                num_beams=search.num_beams,
                early_stopping=True,
                max_length=min(max(limits), translator.max_tokens),
            )
        lines += [text.strip() for text in tokenizer.batch_decode(output, skip_special_tokens=True)]
    return lines


if __name__ == "__main__":
    main()
