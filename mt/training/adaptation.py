"""What of a model is trained, and what is made of its checkpoints: LoRA, freezing, averaging, interpolation."""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import PreTrainedModel

from mt.config import AdaptationConfig, Config, LoraConfig
from mt.errors import ModelError
from mt.models.adapters import merge_adapter
from mt.models.model_files import ModelFiles
from mt.models.transformers_model import TransformersTranslator
from mt.training.checkpoints import find_checkpoint_damage, name_of
from mt.training.dev_evaluation import score_sample
from mt.training.encoding import DevSet
from mt.training.loss import return_loss

logger = logging.getLogger(__name__)

Weights = dict[str, Tensor]

_ADAPTER = "adapter_model.safetensors"


def prepare_model(model: PreTrainedModel, config: AdaptationConfig) -> Any:
    """The model with what `config` freezes frozen and its forward returning the loss, inside LoRA if that is asked for.

    Raises `ModelError` if there are no layers of the names that LoRA is to change.
    """
    return_loss(model)
    for part in config.freeze:
        for module in _modules(model, part):
            module.requires_grad_(False)
    if "embeddings" not in config.freeze:
        # Embeddings lie inside the encoder and the decoder, too.
        for module in _modules(model, "embeddings"):
            module.requires_grad_(True)
    return model if config.lora is None else _with_lora(model, config.lora, config.freeze)


def _modules(model: Any, part: str) -> list[nn.Module]:
    if part == "embeddings":
        return [model.get_input_embeddings(), model.get_output_embeddings()]
    return [model.get_encoder() if part == "encoder" else model.get_decoder()]


def _with_lora(model: PreTrainedModel, config: LoraConfig, frozen: Sequence[str]) -> Any:
    import peft

    options = peft.LoraConfig(
        r=config.rank, lora_alpha=config.alpha, lora_dropout=config.dropout, target_modules=list(config.layers)
    )
    try:
        wrapped = peft.get_peft_model(model, options)
    except ValueError as error:
        linear = {name.rpartition(".")[2] for name, module in model.named_modules() if isinstance(module, nn.Linear)}
        raise ModelError(
            f"adaptation.lora.layers: the model has no layer {' or '.join(config.layers)}; "
            f"it has {', '.join(sorted(linear))}"
        ) from error
    # Its matrices are new and know nothing of what was frozen before.
    for part in frozen:
        for parameter in (p for module in _modules(model, part) for p in module.parameters()):
            parameter.requires_grad_(False)
    return wrapped


@dataclass
class Choice:
    """Which weights became the model."""

    updates: list[int]
    """The checkpoints that were averaged, by their updates; one is taken as it is."""
    share: float = 1.0
    """Share of the tuned weights; the rest are the base's. 0: the model is the base."""
    tried: list[dict[str, float]] = field(default_factory=list)
    """What each share scored: `share`, `dev`, `general` and, weighed by the price of forgetting, `value`."""
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

    def take_base(self, what: str, metric: str, score: float, base: float) -> None:
        """Let it be the base, which scores `base`; the best of the others, "`what` as good as the base", `score`."""
        self.share = 0.0
        self.why_base = (
            f"{what} as good as the base on the dev split ({metric} {score:.2f}, the base {base:.2f}), so the model is "
            "the base as it was: try a lower training.learning_rate, fewer updates or more pairs."
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
) -> Choice:
    """Load into `translator`, the base, the weights that `config.adaptation` makes of the checkpoints.

    dev_scores: by update, how good the model was on the dev split, more being better. before: the metrics of the base
    there (`eval_chrF`, ...); if it was better than all that was made of it, it stays. None: it is no candidate. A
    checkpoint that is damaged or gone is replaced by the next best, with a warning. Raises `ModelError` if none is
    left.
    """
    adaptation = config.adaptation
    updates = chosen_updates(checkpoints, dev_scores, adaptation)
    choice = Choice(updates)
    if len(updates) == 1 and adaptation.average > 1:
        logger.warning("there is one checkpoint, so none is averaged; lower training.eval_every_updates")
    if len(updates) == 1 and not adaptation.interpolate and before is not None:
        _compare_with_base(choice, dev_scores[updates[0]], before, config.training.best_metric)
        if choice.why_base:
            return choice
    tuned = average(weights_of(checkpoints / name_of(update), translator.model) for update in updates)
    if len(updates) > 1:
        logger.info("averaged: the checkpoints of updates %s", ", ".join(map(str, updates)))
    metric = "BLEU" if config.training.best_metric == "BLEU" else "chrF"
    if adaptation.interpolate:
        _interpolate(translator, tuned, choice, adaptation, metric, dev, general, is_base_tried=before is not None)
    else:
        _take_average(translator, tuned, choice, metric, dev, before)
    return choice


def _take_average(
    translator: TransformersTranslator,
    tuned: Weights,
    choice: Choice,
    metric: str,
    dev: DevSet,
    before: Mapping[str, float] | None,
) -> None:
    """Load the mean of the checkpoints, if it is one of several and the base is no better."""
    base = {name: translator.model.state_dict()[name].clone() for name in tuned}
    load_weights(translator.model, tuned)
    if len(choice.updates) > 1 and before is not None:
        # No evaluation during training has seen the mean.
        score = score_sample(translator, dev, is_alone=True)[metric]
        logger.info("the average: dev %s %.2f (base %.2f)", metric, score, before[f"eval_{metric}"])
        _compare_with_base(choice, score, before, metric)
        if choice.why_base:
            load_weights(translator.model, base)


def _compare_with_base(choice: Choice, value: float, before: Mapping[str, float], metric: str) -> None:
    """Let the base be the choice if it was better than `value`, more being better; of equals the tuned one is taken."""
    base = before[f"eval_{metric}"]
    if value < (-base if metric == "loss" else base):
        what = "No checkpoint was" if len(choice.updates) == 1 else "The average of the checkpoints was not"
        choice.take_base(what, metric, abs(value), base)


def chosen_updates(checkpoints: Path, dev_scores: Mapping[int, float], config: AdaptationConfig) -> list[int]:
    """The updates whose checkpoints are averaged, in order of time; the next best stands in for one that is gone."""
    taken: list[int] = []
    for place, update in enumerate(ranked(dev_scores, config)):
        trouble = find_checkpoint_damage(checkpoints / name_of(update))
        if trouble is None:
            taken.append(update)
        elif place < config.average:
            logger.warning("the checkpoint of update %d cannot be taken, %s; the next best stands in", update, trouble)
        if len(taken) == config.average:
            break
    if not taken:
        raise ModelError(f"{checkpoints}: no checkpoint is left to make a model of; train again with --overwrite")
    return sorted(taken)


def ranked(dev_scores: Mapping[int, float], config: AdaptationConfig) -> list[int]:
    """Updates in the order in which their checkpoints are wanted; of equally good ones the earlier."""
    if config.average_of == "last" and config.average > 1:
        return sorted(dev_scores, reverse=True)
    return sorted(dev_scores, key=lambda update: (-dev_scores[update], update))


def weights_of(checkpoint: Path, base: PreTrainedModel) -> Weights:
    """All weights of a checkpoint, by name; LoRA matrices are merged into those of `base`."""
    if not (checkpoint / _ADAPTER).is_file():
        weights: Weights = load_file(checkpoint / "model.safetensors")
        return weights
    merged = merge_adapter(copy.deepcopy(base), ModelFiles(str(checkpoint), str(checkpoint)))
    return {name: weight.detach() for name, weight in merged.state_dict().items()}


def average(models: Iterable[Weights]) -> Weights:
    """The mean of each weight over models of one shape."""
    total: Weights = {}
    count = 0
    for weights in models:
        count += 1
        for name, weight in weights.items():
            total[name] = weight.double() + total[name] if name in total else weight.double()
    return {name: (weight / count).float() for name, weight in total.items()}


def interpolate(base: Weights, tuned: Weights, share: float) -> Weights:
    """`share` of the tuned weights and the rest of the base's."""
    return {name: torch.lerp(base[name].to(weight), weight, share) for name, weight in tuned.items()}


def load_weights(model: PreTrainedModel, weights: Weights) -> None:
    """Put `weights` into `model`; those that are tied to others may be left out."""
    result = model.load_state_dict(weights, strict=False)
    assert not result.unexpected_keys, result.unexpected_keys
    # Otherwise the output would keep what the input embeddings were.
    model.tie_weights()


def _interpolate(
    translator: TransformersTranslator,
    tuned: Weights,
    choice: Choice,
    config: AdaptationConfig,
    metric: str,
    dev: DevSet,
    general: DevSet | None,
    *,
    is_base_tried: bool,
) -> None:
    """Load the mixture of base and tuned weights that is worth most, and note in `choice` what each was worth."""
    base = {name: translator.model.state_dict()[name].clone() for name in tuned}
    unforgetting = None if general is None else score_sample(translator, general, is_alone=True)[metric]
    for share in sorted({*config.interpolate, 1.0} | ({0.0} if is_base_tried else set())):
        load_weights(translator.model, interpolate(base, tuned, share))
        tried = {"share": share, "dev": score_sample(translator, dev, is_alone=True)[metric]}
        tried["value"] = tried["dev"]
        if general is not None and unforgetting is not None:
            tried["general"] = score_sample(translator, general, is_alone=True)[metric]
            tried["value"] -= config.forgetting_price * max(0.0, unforgetting - tried["general"])
        choice.tried.append(tried)
        logger.info(
            "%.2f tuned: dev %s %.2f%s",
            *(share, metric, tried["dev"]),
            f", general {tried['general']:.2f} (base {unforgetting:.2f})" if general is not None else "",
        )
    # Of equals the one with more of the tuning.
    ordered = sorted(choice.tried, key=lambda tried: (tried["value"], tried["share"]), reverse=True)
    choice.share = ordered[0]["share"]
    logger.info("taken: %.2f tuned", choice.share)
    if not choice.share:
        less = "" if general is None else ", less the price of what is forgotten,"
        choice.take_base(f"No share of the tuned weights was{less}", metric, ordered[1]["value"], ordered[0]["value"])
    load_weights(translator.model, interpolate(base, tuned, choice.share))


def better_is_more(dev_scores: Sequence[Mapping[str, float]], metric: str) -> dict[int, float]:
    """By update, the metric of each look at the dev split, its sign such that more is better."""
    sign = -1.0 if metric == "loss" else 1.0
    return {int(entry["step"]): sign * entry[f"eval_{metric}"] for entry in dev_scores if f"eval_{metric}" in entry}
