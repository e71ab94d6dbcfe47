"""Which weights become the model: the best checkpoint, an average, a mixture with the base, or the base itself."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from mt.config import AdaptationConfig, Config
from mt.errors import ModelError
from mt.models.transformers_model import TransformersTranslator
from mt.training.averaging import Weights, average, copy_weights, interpolate, load_weights, weights_of
from mt.training.checkpoints import checkpoint_name, find_checkpoint_damage
from mt.training.dev_evaluation import score_sample
from mt.training.encoding import DevSet

logger = logging.getLogger(__name__)

Score = Callable[[DevSet], float]
"""The model's score, 0-100, on the sample of a dev set."""


@dataclass
class WeightChoice:
    """Which weights became the model."""

    updates: list[int]
    """The checkpoints that were averaged, by their updates; a single one was taken unchanged."""
    share: float = 1.0
    """Share of the tuned weights; the rest are the base's. 0: the model is the base."""
    tried: list[dict[str, float]] = field(default_factory=list)
    """For each share that was tried: `share`, its scores `dev` and `general`, and `value`, which is `dev` less the
    price of what was forgotten on `general`."""
    why_base: str = ""
    """A sentence on why the model is the base; empty if it is not."""

    def as_json(self) -> dict[str, Any]:
        """For the manifest."""
        return {
            "averaged_updates": self.updates if self.share else [],
            "tuned_share": self.share,
            "tried_shares": self.tried,
            "model_is_base": not self.share,
        }

    def take_base(self, candidates: str, metric: str, best: float, base: float) -> None:
        """Choose the base, which scores `base`: the best of the `candidates` ("No checkpoint was") scores less."""
        self.share = 0.0
        self.why_base = (
            f"{candidates} as good as the base on the dev split ({metric} {best:.2f}, the base {base:.2f}), so the "
            "model is the base as it was: try a lower training.learning_rate, fewer updates or more pairs."
        )
        logger.warning(self.why_base)


def choose_weights(
    translator: TransformersTranslator,
    checkpoints: Path,
    dev_scores: Mapping[int, float],
    config: Config,
    dev: DevSet,
    general: DevSet | None,
    before: Mapping[str, float] | None = None,
    device: torch.device | None = None,
) -> WeightChoice:
    """Load into `translator`, which holds the base, the weights that `config.adaptation` makes of the checkpoints.

    dev_scores: by update, the score on the dev split, higher is better. before: the metrics of the base there
    (`eval_chrF`, ...); if it was better than everything that was trained, it stays. None: it is no candidate. device:
    where the model translates if something new is to be scored; None: where it is. Weights are merged, averaged and
    mixed where it is now, which takes several copies of them. A
    checkpoint that is damaged or missing is replaced by the next best, with a warning. Raises `ModelError` if none is
    left.
    """
    adaptation = config.adaptation
    updates = choose_updates(checkpoints, dev_scores, adaptation)
    choice = WeightChoice(updates)
    if len(updates) == 1 and adaptation.average > 1:
        logger.warning("there is only one checkpoint, so nothing is averaged; lower training.eval_every_updates")
    if len(updates) == 1 and not adaptation.interpolate and before is not None:
        _compare_with_base(choice, dev_scores[updates[0]], before, config.training.best_metric)
        if choice.why_base:
            return choice
    tuned = average(weights_of(checkpoints / checkpoint_name(update), translator.model) for update in updates)
    if len(updates) > 1:
        logger.info("averaged: the checkpoints of updates %s", ", ".join(map(str, updates)))
    metric = "BLEU" if config.training.best_metric == "BLEU" else "chrF"

    def score(sample: DevSet) -> float:
        translator.model.to(device)
        return score_sample(translator, sample, only_this_process=True)[metric]

    if adaptation.interpolate:
        _take_mixture(
            translator, tuned, choice, adaptation, metric, score, dev, general, is_base_tried=before is not None
        )
    else:
        _take_average(translator, tuned, choice, metric, score, dev, before)
    return choice


def choose_updates(checkpoints: Path, dev_scores: Mapping[int, float], config: AdaptationConfig) -> list[int]:
    """The updates whose checkpoints are averaged, in order of time; the next best replaces a damaged one."""
    taken: list[int] = []
    for rank, update in enumerate(rank_updates(dev_scores, config)):
        damage = find_checkpoint_damage(checkpoints / checkpoint_name(update))
        if damage is None:
            taken.append(update)
        elif rank < config.average:
            logger.warning("the checkpoint of update %d cannot be used, %s; the next best is taken", update, damage)
        if len(taken) == config.average:
            break
    if not taken:
        raise ModelError(f"{checkpoints}: no checkpoint is left to make a model of; train again with --overwrite")
    return sorted(taken)


def rank_updates(dev_scores: Mapping[int, float], config: AdaptationConfig) -> list[int]:
    """Updates in the order in which their checkpoints are wanted; of two equally good ones the earlier first."""
    if config.average_of == "last" and config.average > 1:
        return sorted(dev_scores, reverse=True)
    return sorted(dev_scores, key=lambda update: (-dev_scores[update], update))


def _take_average(
    translator: TransformersTranslator,
    tuned: Weights,
    choice: WeightChoice,
    metric: str,
    score: Score,
    dev: DevSet,
    before: Mapping[str, float] | None,
) -> None:
    """Load the average of the checkpoints, unless it is one of several and the base is better."""
    if len(choice.updates) == 1 or before is None:
        load_weights(translator.model, tuned)
        return
    base = copy_weights(translator.model, tuned)
    load_weights(translator.model, tuned)
    # The average of several checkpoints is a new model, which no evaluation during training has scored.
    found = score(dev)
    logger.info("the average: dev %s %.2f (base %.2f)", metric, found, before[f"eval_{metric}"])
    _compare_with_base(choice, found, before, metric)
    if choice.why_base:
        load_weights(translator.model, base)


def _compare_with_base(choice: WeightChoice, score: float, before: Mapping[str, float], metric: str) -> None:
    """Choose the base if it was better than `score` (higher is better); the tuned model wins a tie."""
    base = before[f"eval_{metric}"]
    if score < (-base if metric == "loss" else base):
        candidates = "No checkpoint was" if len(choice.updates) == 1 else "The average of the checkpoints was not"
        choice.take_base(candidates, metric, abs(score), base)


def _take_mixture(
    translator: TransformersTranslator,
    tuned: Weights,
    choice: WeightChoice,
    config: AdaptationConfig,
    metric: str,
    score: Score,
    dev: DevSet,
    general: DevSet | None,
    *,
    is_base_tried: bool,
) -> None:
    """Load the mixture of base and tuned weights with the highest value, and note in `choice` the value of each.

    With `forgetting_price` 1 and a base that scores 50 on general text:
        share 0.5: dev 30, general 48 -> value 30 - 1 * (50 - 48) = 28
        share 1.0: dev 31, general 42 -> value 31 - 1 * (50 - 42) = 23, so 0.5 is taken.
    """
    base = copy_weights(translator.model, tuned)
    general_before = None if general is None else score(general)
    for share in sorted({*config.interpolate, 1.0} | ({0.0} if is_base_tried else set())):
        load_weights(translator.model, interpolate(base, tuned, share))
        tried = {"share": share, "dev": score(dev)}
        tried["value"] = tried["dev"]
        if general is not None and general_before is not None:
            tried["general"] = score(general)
            tried["value"] -= config.forgetting_price * max(0.0, general_before - tried["general"])
        choice.tried.append(tried)
        logger.info(
            "%.2f tuned: dev %s %.2f%s",
            *(share, metric, tried["dev"]),
            f", general {tried['general']:.2f} (base {general_before:.2f})" if general is not None else "",
        )
    # Of two equal values the one with the larger tuned share.
    best, second, *_ = sorted(choice.tried, key=lambda tried: (tried["value"], tried["share"]), reverse=True)
    choice.share = best["share"]
    logger.info("taken: %.2f tuned", choice.share)
    if not choice.share:
        less = "" if general is None else ", less the price of what is forgotten,"
        choice.take_base(f"No share of the tuned weights was{less}", metric, second["value"], best["value"])
    load_weights(translator.model, interpolate(base, tuned, choice.share))
