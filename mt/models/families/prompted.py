"""Decoder-only models: the source is in a prompt, and the translation goes on from it.

The prompt's tokens but the last are what a `source` is for all other code, the last one is the token that decoding
starts from, and the translation with its end token is the `target`. So batches, loss and evaluation are those of
encoder-decoder models; only `hidden_states` joins both sides to one row.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from mt.errors import ModelError
from mt.languages import language_named
from mt.models.families.family import MAX_VOCABULARY, Family, LanguageContract, LanguageMark, Sizes

MAX_TOKENS = 1024
"""The longest prompt, and the longest translation. Models of long contexts allow more, but attention takes memory by
the square of the length, and a sentence never needs it."""


class Prompted(Family):
    """What all decoder-only families have in common."""

    is_prompted = True
    # As it is stored: the classes of some families build tokenizer.json anew, and not always the same.
    tokenizer_class = PreTrainedTokenizerFast
    tokenizer_files = (("tokenizer.json",),)
    needed_tokens = ("eos_token",)
    max_sizes: ClassVar[Sizes] = (
        {"vocab_size": MAX_VOCABULARY, "max_position_embeddings": 2**24}
        | dict.fromkeys(("num_hidden_layers", "num_attention_heads", "num_key_value_heads"), 1000)
        | dict.fromkeys(("hidden_size", "intermediate_size"), 2**20)
    )
    min_sizes: ClassVar[Sizes] = {"max_position_embeddings": 64}
    shares = ("attention_dropout",)
    activation = "hidden_act"
    dropout = "attention_dropout"
    fp16_fault = "decoder-only models are made for bf16, and many overflow in float16"
    lora_layers = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
    ctranslate2_loader = ""
    earlier_settings: ClassVar[tuple[str, ...]] = ("rope_theta", "rope_scaling", "partial_rotary_factor")

    def agree_on_languages(self, tokenizer: Any, source: str, target: str) -> LanguageContract:
        """See `Family`. The prompt names the languages, so only those that have a name can be asked for."""
        for code in (source, target):
            language = language_named(code)
            if language is None:
                raise ModelError(
                    f"`{code}` is no language that a prompt could name; give its code, such as `en` or `arb_Arab`"
                )
            if re.split("[_-]", code.lower())[0] not in (language.code, *language.iso3):
                raise ModelError(
                    f"`{code}` is a variety of {language.name} that a prompt would not name; set the language to "
                    f"`{language.code}`, and say which variety in model.prompt"
                )
        return LanguageContract(self.name, source, target, "", None)

    def language_marks(
        self, languages: LanguageContract, tokenizer: Any, source: list[int], target: list[int]
    ) -> list[LanguageMark]:
        """See `Family`. None: the languages are named in words."""
        return []

    def settings_of(self, origin: str, found: Mapping[str, Any]) -> Mapping[str, Any]:
        """See `Family`. Without `pad_token_id` -1, by which some mean none."""
        return {key: value for key, value in found.items() if (key, value) != ("pad_token_id", -1)}

    def settings_in(self, found: Mapping[str, Any]) -> dict[str, Any]:
        """See `Family`. Positions and windows have earlier names, which the classes still read."""
        return {key: found[key] for key in self.earlier_settings if key in found}

    def check_config(self, origin: str, config: Any) -> None:
        """See `Family`."""
        heads, groups = config.num_attention_heads, config.num_key_value_heads
        if heads % groups:
            raise ModelError(f"{origin}: num_attention_heads {heads} is no multiple of num_key_value_heads {groups}")
        if getattr(config, "head_dim", None) is None and config.hidden_size % heads:
            raise ModelError(
                f"{origin}: hidden_size {config.hidden_size} is no multiple of num_attention_heads {heads}"
            )
        if getattr(config, "final_logit_softcapping", None) is not None:
            raise ModelError(f"{origin}: final_logit_softcapping, which changes the logits, is not supported")
        self.check_activation(origin, config)

    def max_tokens(self, config: Any) -> int:
        """`MAX_TOKENS`, or half of the model's positions, which prompt and translation share."""
        return min(MAX_TOKENS, int(config.max_position_embeddings) // 2)

    def is_language(self, token: str) -> bool:
        """None is."""
        return False

    def has_tied_encoder(self, config: Any) -> bool | None:
        """There is no encoder."""
        return None

    def embeddings(self, model: Any) -> dict[str, Tensor]:
        """See `Family`. What it reads and what it writes have one matrix."""
        return {"decoder": model.get_input_embeddings().weight, "output": model.get_output_embeddings().weight}

    def hidden_states(self, model: Any, inputs: Mapping[str, Tensor]) -> Tensor:
        """See `Family`: float (batch, target_tokens, width).

        Each row is the prompt, padded on the left, and then the target shifted right, padded on the right. So the
        targets of a batch begin in one column, and the output layer computes logits for them alone.
            input_ids [[0, 7, 8], [5, 6, 7]], decoder_input_ids [[9, 3], [9, 2]]
            -> rows [[0, 7, 8, 9, 3], [5, 6, 7, 9, 2]], of which the last two columns predict the targets
        """
        joined = inputs if "position_ids" in inputs else _joined(inputs)
        prompt, started = inputs["input_ids"], inputs["decoder_input_ids"]
        hidden: Tensor = model.model(
            input_ids=torch.cat([prompt, started], dim=1),
            attention_mask=joined["attention_mask"],
            position_ids=joined["position_ids"],
            use_cache=False,
        ).last_hidden_state
        return hidden[:, prompt.shape[1] :]

    def own_masks(self, config: Any, inputs: Mapping[str, Tensor]) -> dict[str, Any]:
        """See `Family`. attention_mask: bool (batch, 1, tokens, tokens), by type of layer if rows are longer than what
        some layers attend to; position_ids: int64 (batch, tokens).
        """
        joined = _joined(inputs)
        is_token = joined["attention_mask"].bool()
        tokens = is_token.shape[1]
        causal = torch.ones(tokens, tokens, dtype=torch.bool, device=is_token.device).tril()
        # Padding attends to itself: attention to nothing would be NaN.
        itself = torch.eye(tokens, dtype=torch.bool, device=is_token.device)

        def among(allowed: Tensor) -> Tensor:
            return ((allowed & is_token[:, None, :]) | itself)[:, None]

        window, kinds = getattr(config, "sliding_window", None), getattr(config, "layer_types", None)
        mask: Any = among(causal)
        if window is not None and window < tokens and "sliding_attention" in (kinds or ["sliding_attention"]):
            near = among(causal.triu(1 - window))
            # Without a list of types, all layers are of one.
            mask = {"full_attention": mask, "sliding_attention": near} if kinds else near
        return joined | {"attention_mask": mask}


def _joined(inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The inputs with mask and positions of whole rows, both int64 (batch, tokens).

    Positions count from the first token after the padding; that on the right is seen by no token before it.
    """
    mask = torch.cat([inputs["attention_mask"], torch.ones_like(inputs["decoder_input_ids"])], dim=1)
    positions = (mask.cumsum(dim=1) - 1).clamp(min=0)
    return {**inputs, "attention_mask": mask, "position_ids": positions}
