"""A new Marian model: what it knows before any training."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

from mt.config import ModelConfig, ScratchConfig
from mt.models.from_scratch import create_marian
from mt.models.transformers_model import load_translator
from tests.conftest import ROOT

WORDS = ["army", "road", "town", "water", "bread", "river", "clash", "truce", "family", "border", "child", "bridge"]
ARABIC = ["جيش", "طريق", "بلدة", "ماء", "خبز", "نهر", "اشتباك", "هدنة", "عائلة", "حدود", "طفل", "جسر"]
SIZES = ScratchConfig(vocabulary_size=75, d_model=64, encoder_layers=1, decoder_layers=1, attention_heads=2, ffn_dim=8)


def word_pairs() -> tuple[list[str], list[str]]:
    chosen = torch.combinations(torch.arange(len(WORDS)), 3)
    return tuple([" ".join(words[i] for i in row) for row in chosen] for words in (WORDS, ARABIC))  # type: ignore[return-value]


def ranks_of_translations(config: ScratchConfig, directory: Path) -> list[int]:
    """By word: how many of the Arabic words are likelier than its translation as the first of the hypothesis."""
    create_marian(config, *word_pairs(), directory, seed=1)
    translator = load_translator(ModelConfig(name=str(directory)))
    model = translator.model.eval()
    heads = torch.tensor([translator.encode_targets([word])[0][0] for word in ARABIC])
    ranks = []
    for index, word in enumerate(WORDS):
        source = torch.tensor(translator.encode_sources([word]))
        start = torch.tensor([[model.config.decoder_start_token_id]])
        with torch.no_grad():
            scores = model(input_ids=source, decoder_input_ids=start).logits[0, 0, heads]
        ranks.append(int((scores > scores[index]).sum()))
    return ranks


@pytest.mark.slow
def test_a_lexical_start_translates_words_before_training(tmp_path: Path):
    lexical = ranks_of_translations(SIZES, tmp_path / "lexical")
    # A guess would have 5.5 of the 11 other words before the right one.
    assert sum(lexical) / len(lexical) < 2.5
    random = ranks_of_translations(replace(SIZES, lexical_start=False), tmp_path / "random")
    assert sum(random) / len(random) > 4


def test_a_corpus_too_small_to_learn_from_starts_from_random_weights(tmp_path: Path):
    config = replace(SIZES, vocabulary_size=28)
    create_marian(config, ["The army is on the road", "no"], ["الجيش على الطريق", "لا"], tmp_path, seed=1)
    weights = load_translator(ModelConfig(name=str(tmp_path))).model.get_input_embeddings().weight
    assert torch.isfinite(weights).all()
    assert (weights.norm(dim=1)[:-1] > 0).all()


NEW_MODEL = """
import sys
from pathlib import Path
from mt.config import ScratchConfig
from mt.models.from_scratch import create_marian

sizes, sources, targets = eval(sys.stdin.read())
create_marian(ScratchConfig(**sizes), sources, targets, Path(sys.argv[1]), seed=1)
"""


@pytest.mark.slow
def test_the_same_model_from_the_same_seed(tmp_path: Path):
    # The words are equally frequent and fewer than the dimensions: nothing but the arithmetic decides on the vectors.
    task, processes = repr((asdict(SIZES), *word_pairs())), {}
    for threads in ("1", "2"):
        variables = {"PYTHONHASHSEED": threads, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
        command, environment = [sys.executable, "-c", NEW_MODEL, str(tmp_path / threads)], os.environ | variables
        processes[threads] = subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, text=True)
    for process in processes.values():
        process.communicate(task)
        assert process.returncode == 0
    one, two = ({file.name: file.read_bytes() for file in (tmp_path / threads).iterdir()} for threads in processes)
    assert "model.safetensors" in one
    assert one == two
