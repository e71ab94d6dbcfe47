"""A training of one update on eight pairs, for the tests of trainer, adaptation and GPU."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mt.config import Config, ModelConfig, TrainingConfig
from mt.models.transformers_model import TransformersTranslator, load_translator
from mt.training.encoded_pairs import EncodedPairs
from mt.training.encoding import DevSet
from mt.training.setup import build_trainer
from mt.training.trainer import TranslationTrainer


def random_lengths(count: int) -> np.ndarray:
    """Source and target tokens as in news."""
    generator = np.random.default_rng(7)
    target = generator.lognormal(2.8, 0.7, count).astype(int) + 2
    return np.stack([np.maximum(2, target + generator.integers(-4, 5, count)), target], axis=1)


def eight_pairs() -> EncodedPairs:
    """Sources of 9 tokens and targets of 2 to 9: micro-batches of 9 tokens hold one pair each."""
    generator = torch.Generator().manual_seed(4)
    ids = torch.randint(3, 290, (2, 8, 9), generator=generator).tolist()
    return EncodedPairs([[2, *row[:7], 0] for row in ids[0]], [[*row[: 1 + i], 0] for i, row in enumerate(ids[1])])


def trainer_for(translator: TransformersTranslator, directory: Path, **options: object) -> TranslationTrainer:
    """A trainer that makes one update of all eight pairs, and does not evaluate."""
    settings = {"max_updates": 1, "tokens_per_update": 44, "learning_rate": 1e-2, "log_every_updates": 1}
    settings |= {"report_to": [], "eval_every_updates": 1000, "max_grad_norm": 1e6}
    config = Config(training=TrainingConfig(**(settings | options)))  # type: ignore[arg-type]
    pairs = eight_pairs()
    trainer = build_trainer(config, translator, pairs, DevSet(pairs, ["The war"], ["الحرب"]), None, directory)
    trainer.evaluate = lambda *_, **__: {"eval_chrF": 0.0}  # type: ignore[method-assign]
    return trainer


def train_once(directory: Path, model: Path, **options: object) -> tuple[float, float, Tensor]:
    """(logged loss, gradient norm, embeddings after one update), without dropout."""
    translator = load_translator(ModelConfig(name=str(model), dropout=0.0))
    trainer = trainer_for(translator, directory, **options)
    trainer.train()
    logged = next(entry for entry in trainer.state.log_history if "grad_norm" in entry)
    return float(logged["loss"]), float(logged["grad_norm"]), translator.model.model.shared.weight.detach().clone()
