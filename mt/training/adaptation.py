"""Which weights of a model are trained: all, some parts frozen, or LoRA matrices beside them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn
from transformers import PreTrainedModel

from mt.config import AdaptationConfig, LoraConfig
from mt.errors import ModelError
from mt.models.families import family_of_model
from mt.training.four_bit import quantize
from mt.training.loss import return_loss


def prepare_model(model: PreTrainedModel, config: AdaptationConfig) -> Any:
    """`model` with its forward returning the loss, the parts in `config.freeze` frozen, and LoRA if asked for.

    Raises `ModelError` if the model has no layers of the names that LoRA is to change.
    """
    if config.lora is not None and config.lora.base_precision == "4bit":
        quantize(model)
    return_loss(model)
    for part in config.freeze:
        for module in _modules(model, part):
            module.requires_grad_(False)
    if "embeddings" not in config.freeze:
        # The encoder and the decoder contain the embeddings, so freezing either has frozen those as well.
        for module in _modules(model, "embeddings"):
            module.requires_grad_(True)
    return model if config.lora is None else _with_lora(model, config.lora, config.freeze)


def _modules(model: Any, part: str) -> list[nn.Module]:
    if part == "embeddings":
        return [model.get_input_embeddings(), model.get_output_embeddings()]
    if family_of_model(model).is_prompted:
        raise ModelError(
            f"adaptation.freeze: a decoder-only model has no separate {part}; freeze embeddings, or nothing"
        )
    return [model.get_encoder() if part == "encoder" else model.get_decoder()]


def _with_lora(model: PreTrainedModel, config: LoraConfig, frozen: Sequence[str]) -> Any:
    """Hu et al., 2022, "LoRA: Low-Rank Adaptation of Large Language Models"."""
    import peft

    layers = config.layers or family_of_model(model).lora_layers
    options = peft.LoraConfig(
        r=config.rank, lora_alpha=config.alpha, lora_dropout=config.dropout, target_modules=list(layers)
    )
    try:
        wrapped = peft.get_peft_model(model, options)
    except ValueError as error:
        linear = {name.rpartition(".")[2] for name, module in model.named_modules() if isinstance(module, nn.Linear)}
        raise ModelError(
            f"adaptation.lora.layers: the model has no layer {' or '.join(layers)}; it has {', '.join(sorted(linear))}"
        ) from error
    # The matrices are new modules inside the frozen parts, and trainable until they are frozen too.
    for part in frozen:
        for parameter in (p for module in _modules(model, part) for p in module.parameters()):
            parameter.requires_grad_(False)
    return wrapped
