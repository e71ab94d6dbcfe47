"""The decoder-only families: Llama, Mistral, Qwen 2 and 3, Hunyuan (HY-MT) and Gemma (TranslateGemma).

A further one takes its classes in transformers, a name, and one line in `mt.models.families`, as long as its logits are
those of its output layer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from transformers import (
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    GemmaConfig,
    GemmaForCausalLM,
    HunYuanDenseV1Config,
    HunYuanDenseV1ForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from mt.errors import ModelError
from mt.models.families.family import Weights
from mt.models.families.prompted import Prompted

_TEXT_PREFIXES = ("language_model.model.", "model.language_model.", "language_model.")
_OUTPUT = "lm_head.weight"
_BESIDE_TEXT = ("eos_token_id", "pad_token_id", "bos_token_id", "tie_word_embeddings")


class Llama(Prompted):
    """See the module."""

    name = model_type = "llama"
    title = "Llama"
    config_class = LlamaConfig
    model_class = LlamaForCausalLM


class Mistral(Prompted):
    """See the module."""

    name = model_type = "mistral"
    title = "Mistral"
    config_class = MistralConfig
    model_class = MistralForCausalLM


class Qwen2(Prompted):
    """See the module."""

    name = model_type = "qwen2"
    title = "Qwen 2"
    config_class = Qwen2Config
    model_class = Qwen2ForCausalLM


class Qwen3(Prompted):
    """See the module."""

    name = model_type = "qwen3"
    title = "Qwen 3"
    config_class = Qwen3Config
    model_class = Qwen3ForCausalLM


class HunYuan(Prompted):
    """HY-MT."""

    name = model_type = "hunyuan_v1_dense"
    title = "Hunyuan (HY-MT)"
    config_class = HunYuanDenseV1Config
    model_class = HunYuanDenseV1ForCausalLM


class Gemma(Prompted):
    """The first Gemma."""

    name = model_type = "gemma"
    title = "Gemma"
    config_class = GemmaConfig
    model_class = GemmaForCausalLM


class Gemma3Text(Prompted):
    """Gemma 3 without images."""

    name = model_type = "gemma3_text"
    title = "Gemma 3 (TranslateGemma)"
    config_class = Gemma3TextConfig
    model_class = Gemma3ForCausalLM
    activation = "hidden_activation"
    earlier_settings = (*Prompted.earlier_settings, "rope_local_base_freq", "sliding_window_pattern")

    def arranged(self, name: str, weights: Weights, config: Any) -> Weights:
        """See `Family`. Of a model that also sees images, the weights of the text part, by its own names for them."""
        if not any(key.startswith(_TEXT_PREFIXES) for key in weights):
            return weights
        found: Weights = {}
        for key, weight in weights.items():
            prefix = next((prefix for prefix in _TEXT_PREFIXES if key.startswith(prefix)), None)
            if key.endswith(_OUTPUT):
                found[_OUTPUT] = weight
            elif prefix is not None:
                found[f"model.{key.removeprefix(prefix)}"] = weight
        return found


class Gemma3(Gemma3Text):
    """Gemma 3 as it is published, with a part that sees images: only its text part is loaded, trained and saved."""

    name = model_type = "gemma3"

    def settings_of(self, origin: str, found: Mapping[str, Any]) -> Mapping[str, Any]:
        """See `Family`. Those of the text part, and the ids of tokens, which are beside it."""
        text = found.get("text_config")
        if not isinstance(text, dict):
            raise ModelError(f"{origin}: no text_config with the settings of its text part")
        return super().settings_of(origin, {key: found[key] for key in _BESIDE_TEXT if key in found} | text)
