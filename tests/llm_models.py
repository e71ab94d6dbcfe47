"""Small decoder-only models with random weights, and tokenizers made on the spot, laid out as the published ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>' + '\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}"
    "{% if enable_thinking is defined and enable_thinking is false %}{{ '<think>\n\n</think>\n\n' }}{% endif %}"
    "{% endif %}"
)
"""As Qwen 3 has it."""

LLAMA = (
    "{{ bos_token }}{% for message in messages %}"
    "{{ '<|start_header_id|>' + message.role + '<|end_header_id|>\n\n' + message.content | trim + '<|eot_id|>' }}"
    "{% endfor %}{% if add_generation_prompt %}"
    "{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)
"""As Llama 3 has it."""

TRANSLATE_GEMMA = (
    "{{ bos_token }}{% for message in messages %}{% if message.role == 'user' %}{% set item = message.content[0] %}"
    "{% if item.source_lang_code not in ['en', 'ar', 'fr'] %}{{ raise_exception('unknown source') }}{% endif %}"
    "{{ '<start_of_turn>user\nTranslate from ' + item.source_lang_code + ' to ' + item.target_lang_code + ':\n\n\n' }}"
    "{{ item.text | trim + '<end_of_turn>\n' }}"
    "{% else %}{{ '<start_of_turn>model\n' + message.content | trim + '<end_of_turn>\n' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)
"""As TranslateGemma has it, but for the wording: one item of content, with the codes of the languages."""

_SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 1024,
    "attention_dropout": 0.0,
}


def byte_level_tokenizer(sentences: list[str], special: list[str], size: int = 400) -> Tokenizer:
    """Byte-level BPE, as Qwen and Llama 3 have it."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(sentences, trainer)
    return tokenizer


def sentencepiece_tokenizer(sentences: list[str], special: list[str], size: int = 400) -> Tokenizer:
    """BPE with spaces as letters, as Gemma has it."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.Fuse()])
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=[*special, "<unk>"], show_progress=False)
    tokenizer.train_from_iterator([f"{sentence}\n" for sentence in sentences], trainer)
    return tokenizer


def make_llm(kind: str, directory: Path, sentences: list[str]) -> Path:
    """One of `KINDS` with random weights, saved to `directory`."""
    import torch
    from transformers import PreTrainedTokenizerFast

    config_class, model_class, make, special, template, marks, more = KINDS[kind]()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=make(sentences, special), clean_up_tokenization_spaces=False, **marks
    )
    tokenizer.chat_template = template
    tokenizer.save_pretrained(directory)
    torch.manual_seed(1)
    ids = {name: tokenizer.convert_tokens_to_ids(marks[name.removesuffix("_id")]) for name in ("eos_token_id",)}
    # As published models have it, more rows than tokens.
    config = config_class(vocab_size=len(tokenizer) + 7, **_SIZES, **more, **ids)
    model_class(config).save_pretrained(directory)
    return directory


def _qwen3() -> tuple[Any, ...]:
    from transformers import Qwen3Config, Qwen3ForCausalLM

    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    marks = {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}
    return Qwen3Config, Qwen3ForCausalLM, byte_level_tokenizer, special, CHATML, marks, {"tie_word_embeddings": True}


def _qwen2() -> tuple[Any, ...]:
    from transformers import Qwen2Config, Qwen2ForCausalLM

    return Qwen2Config, Qwen2ForCausalLM, *_qwen3()[2:]


def _hunyuan() -> tuple[Any, ...]:
    from transformers import HunYuanDenseV1Config, HunYuanDenseV1ForCausalLM

    return HunYuanDenseV1Config, HunYuanDenseV1ForCausalLM, *_qwen3()[2:]


def _llama() -> tuple[Any, ...]:
    from transformers import LlamaConfig, LlamaForCausalLM

    special = ["<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]
    marks = {"bos_token": "<|begin_of_text|>", "eos_token": "<|end_of_text|>"}
    return LlamaConfig, LlamaForCausalLM, byte_level_tokenizer, special, LLAMA, marks, {"tie_word_embeddings": False}


def _plain() -> tuple[Any, ...]:
    """A base model that has seen no conversation."""
    config, model, make, special, _, marks, more = _llama()
    return config, model, make, special, None, marks, more


def _mistral() -> tuple[Any, ...]:
    from transformers import MistralConfig, MistralForCausalLM

    return MistralConfig, MistralForCausalLM, *_plain()[2:-1], {"tie_word_embeddings": False, "sliding_window": 16}


def _gemma() -> tuple[Any, ...]:
    from transformers import GemmaConfig, GemmaForCausalLM

    return GemmaConfig, GemmaForCausalLM, *_gemma3()[2:-1], {}


def _gemma3() -> tuple[Any, ...]:
    from transformers import Gemma3ForCausalLM, Gemma3TextConfig

    special = ["<pad>", "<eos>", "<bos>", "<start_of_turn>", "<end_of_turn>"]
    marks = {"bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>", "unk_token": "<unk>"}
    more = {"sliding_window": 16, "layer_types": ["sliding_attention", "full_attention"], "query_pre_attn_scalar": 8}
    return Gemma3TextConfig, Gemma3ForCausalLM, sentencepiece_tokenizer, special, TRANSLATE_GEMMA, marks, more


KINDS = {
    "qwen3": _qwen3,
    "qwen2": _qwen2,
    "hunyuan": _hunyuan,
    "llama": _llama,
    "plain": _plain,
    "mistral": _mistral,
    "gemma": _gemma,
    "gemma3": _gemma3,
}
"""Families by name; `plain` and `mistral` have no chat template."""
