"""Decoder-only models: sources in prompts, left-padded generation that stops at the end of the answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from transformers import GenerationConfig, PreTrainedConfig

from mt.config import DecodingConfig, ModelConfig
from mt.config.model import is_instruction
from mt.errors import ModelError
from mt.languages import language_named
from mt.models.model_config import check_stop_ids, vocabulary_size
from mt.models.model_files import ModelFiles
from mt.models.prompts import KEY, Prompt, control_tokens, make_prompt
from mt.models.transformers_model import TransformersTranslator
from mt.models.translator import without_inline_marks

_THOUGHTS = re.compile(r"(?s)^.*</think>|<think>.*$")
# Sentences that end differently, to see that a prompt ends the same after each.
_TRIALS = ("War", "حرب.", '"No!"', "5 %")


@dataclass(kw_only=True)
class PromptedTranslator(TransformersTranslator):
    """A decoder-only model, to train and to decode with; see `mt.models.families.prompted` for what a source is."""

    prompt: Prompt

    def encode_sources(self, sources: list[str]) -> list[list[int]]:
        """The tokens of each prompt but the last, which is `decoder_prefix`.

        Text like `<|im_end|>` stays text. An inline term is a word like any other.
        """
        return [ids[:-1] for ids in self._prompts(sources)]

    def _prompts(self, sources: Sequence[str]) -> list[list[int]]:
        texts = [self.prompt.of(self._as_plain_text(without_inline_marks(source)).strip()) for source in sources]
        return self._ids(texts)

    def encode_targets(self, targets: list[str]) -> list[list[int]]:
        """Label ids with the end token, one list per sentence, as in a conversation that the tokenizer reads whole.

        After the end of the prompt, because some tokenizers put a space before what begins a text. Where that end would
        be cut differently, alone.
        """
        texts = [self.prompt.lead + self._as_plain_text(target) for target in targets]
        start = [*self._after, *self.decoder_prefix]
        whole = self._ids([self.prompt.after + text for text in texts])
        alone = [index for index, ids in enumerate(whole) if ids[: len(start)] != start]
        rows = [ids[len(start) :] for ids in whole]
        for index, ids in zip(alone, self._ids([texts[index] for index in alone]), strict=True):
            rows[index] = ids
        return [[*row, self._end] for row in rows]

    def _ids(self, texts: list[str]) -> list[list[int]]:
        return list(self.tokenizer(texts, add_special_tokens=False)["input_ids"]) if texts else []

    def decode(self, token_ids: list[list[int]]) -> list[str]:
        """Text of each list of ids up to the end of the answer, without special tokens and without thoughts."""
        stops = set(self.model.generation_config.eos_token_id)
        kept = [row[: next((i for i, index in enumerate(row) if index in stops), len(row))] for row in token_ids]
        return [_THOUGHTS.sub("", text).strip() for text in super().decode(kept)]

    def text_tokens(self, source: list[int]) -> int:
        """See `Translator`: without those of the prompt around it."""
        return max(1, len(source) - self.overhead)

    def within_limit(self, source: list[int]) -> list[int]:
        """See `Translator`. The text is cut, not the end of the prompt."""
        surplus = len(source) - self.max_tokens
        end = len(source) - len(self._after)
        return source if surplus <= 0 else [*source[: max(0, end - surplus)], *source[end:]]

    @property
    def padding_id(self) -> int:
        """See `TransformersTranslator`."""
        padding: int = self.model.generation_config.pad_token_id
        return padding

    @cached_property
    def decoder_prefix(self) -> list[int]:
        """The last token of every prompt. Raises `ModelError` if prompts end differently."""
        ends = {ids[-1] for ids in self._prompts(_TRIALS)}
        if len(ends) > 1:
            raise ModelError(
                f"{self.name}: the last token of its prompt depends on the source; end model.prompt with a word or a "
                "line break after {source}"
            )
        return [*ends]

    @cached_property
    def _end(self) -> int:
        end: int = self.tokenizer.convert_tokens_to_ids(self.prompt.end)
        return end

    @cached_property
    def overhead(self) -> int:
        """Tokens of a prompt around its source, the last one not counted."""
        return len(self._prompts([""])[0]) - 1

    @cached_property
    def _after(self) -> list[int]:
        """The tokens of a prompt after its source but the last."""
        return self._ids([self.prompt.after])[0][:-1]

    @cached_property
    def _controls(self) -> re.Pattern[str]:
        return re.compile("|".join(map(re.escape, control_tokens(self.tokenizer))) or r"(?!)")

    def _as_plain_text(self, text: str) -> str:
        """`text` with a space inside each control token (`< |im_end|>`), which the tokenizer would recognise."""
        return self._controls.sub(lambda found: f"{found[0][0]} {found[0][1:]}", text)

    def search(self, sources: Sequence[list[int]], longest: int, **options: Any) -> list[list[int]]:
        """See `TransformersTranslator`. Prompts are padded on the left, so that all answers begin in one column.

        A search goes on until no longer answer can be better. Ending it with the fourth answer, as it suits models that
        spread their probability, would let a sure model's own answer lose to four short ones.
        """
        options["early_stopping"] = False
        prompts = [[*source, *self.decoder_prefix] for source in sources]
        width = max(map(len, prompts))
        rows = [[self.padding_id] * (width - len(ids)) + ids for ids in prompts]
        mask = [[0] * (width - len(ids)) + [1] * len(ids) for ids in prompts]
        device = self.model.device
        output: Tensor = self.model.generate(
            input_ids=torch.tensor(rows, device=device),
            attention_mask=torch.tensor(mask, device=device),
            max_length=width + max(1, min(longest, self.max_tokens) - len(self.decoder_prefix)),
            **options,
        )
        answers: list[list[int]] = output[:, width:].tolist()
        return answers


def load_prompted(
    files: ModelFiles,
    model_config: PreTrainedConfig,
    options: ModelConfig,
    decoding: DecodingConfig,
    load: Callable[[GenerationConfig], Any],
    known: dict[str, Any],
) -> PromptedTranslator:
    """A decoder-only model with the prompt of `options`, of its own config.json, or the usual one, in this order.

    load: makes the model, given its settings for decoding. known: the other fields of the translator. The instruction
    is kept in the model's config, so that a fine-tuned model is always given the prompt that it was trained with.
    """
    tokenizer, languages = known["tokenizer"], known["languages"]
    own = (files.read_json("config.json") or {}).get(KEY)
    instruction = options.prompt or (own if is_instruction(own) else None)
    source, target = language_named(languages.source_code), language_named(languages.target_code)
    assert source is not None
    assert target is not None
    prompt = make_prompt(options.name, tokenizer, source, target, instruction)
    model = load(_generation_config(files, model_config, tokenizer, prompt, decoding))
    if prompt.instruction is not None:
        # The usual one, too: it could be another in a later version.
        setattr(model.config, KEY, prompt.instruction)
    translator = PromptedTranslator(model=model, prompt=prompt, **known)
    _check_prompt(translator, vocabulary_size(model_config))
    return translator


def _check_prompt(translator: PromptedTranslator, size: int) -> None:
    """Raise `ModelError` for prompts that end differently, leave no room, or hold ids beyond the vocabulary's `size`.

    Tokens beyond it are allowed where nothing writes them: Gemma 3 with 1 billion weights has one for images.
    """
    prefix, overhead, limit = translator.decoder_prefix, translator.overhead, translator.max_tokens
    if overhead >= limit:
        raise ModelError(
            f"{translator.name}: its prompt has {overhead} tokens without a source, and only {limit} are allowed with "
            "one; shorten model.prompt"
        )
    rows = [*translator.encode_sources(list(_TRIALS)), *translator.encode_targets(list(_TRIALS)), prefix]
    largest = max([translator.padding_id, *(index for row in rows for index in row)])
    if largest >= size:
        raise ModelError(
            f"{translator.name}: its prompts have the id {largest}, and the model's vocabulary ends at {size - 1}; the "
            "tokenizer or its chat template is another model's"
        )


def _generation_config(
    files: ModelFiles, config: PreTrainedConfig, tokenizer: Any, prompt: Prompt, decoding: DecodingConfig
) -> GenerationConfig:
    """The settings a decoder-only model decodes with and is saved with: our search, and every token that may end it.

    Padding is never attended to, so any token will do where the tokenizer has none for it. Raises `ModelError` for ids
    beyond the vocabulary.
    """
    own = files.read_json("generation_config.json") or {}
    size = vocabulary_size(config)
    stops = check_stop_ids(f"{files.path}/generation_config.json", own.get("eos_token_id"), size)
    stops += check_stop_ids(f"{files.path}/config.json", getattr(config, "eos_token_id", None), size)
    end = tokenizer.convert_tokens_to_ids(prompt.end)
    padding = tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id
    settings = GenerationConfig(
        pad_token_id=padding,
        eos_token_id=list(dict.fromkeys([end, tokenizer.eos_token_id, *stops])),
        bos_token_id=tokenizer.bos_token_id,
        no_repeat_ngram_size=decoding.no_repeat_ngram_size,
        num_beams=decoding.num_beams,
        length_penalty=decoding.length_penalty if decoding.num_beams > 1 else None,
        early_stopping=False,
        do_sample=False,
    )
    settings.validate(strict=True)
    return settings
