"""T5 as MADLAD-400 uses it: `<2ar>` before the source, relative positions, an output layer of its own."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import Any, ClassVar

from tokenizers import Tokenizer
from torch import Tensor
from transformers import T5Config, T5ForConditionalGeneration, T5Tokenizer

from mt.errors import ModelError
from mt.models.families.family import MAX_VOCABULARY, Family, LanguageContract, LanguageMark, Sizes, Weights

MAX_TOKENS = 1024
"""The longest source and target. Positions are relative and have no limit, but attention takes memory by the square of
the length, and T5 was trained on 512 tokens."""

_TOKEN = re.compile(r"<2([A-Za-z][\w-]*)>")
_MARKUP = re.compile(r"<[^<>\s]+>")
_INPUTS = ("shared.weight", "decoder.embed_tokens.weight", "encoder.embed_tokens.weight")
_OUTPUT = "lm_head.weight"
# Old checkpoints contain it; cross-attention has no positions.
_UNUSED = "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"


class T5(Family):
    """See the module."""

    name = "t5"
    title = "T5 (MADLAD-400)"
    model_type = "t5"
    config_class = T5Config
    model_class = T5ForConditionalGeneration
    tokenizer_class = T5Tokenizer
    tokenizer_files = (("tokenizer.json", "spiece.model"),)
    max_sizes: ClassVar[Sizes] = (
        {"vocab_size": MAX_VOCABULARY, "relative_attention_num_buckets": 2**12}
        | dict.fromkeys(("num_layers", "num_decoder_layers", "num_heads"), 1000)
        | dict.fromkeys(("d_model", "d_kv", "d_ff", "relative_attention_max_distance"), 2**20)
    )
    # With fewer there would be no bucket for distant tokens.
    min_sizes: ClassVar[Sizes] = {"relative_attention_num_buckets": 4}
    shares = ("dropout_rate",)
    activation = "dense_act_fn"
    dropout = "dropout_rate"
    lora_layers = ("q", "k", "v", "o", "wi_0", "wi_1", "wo")
    fp16_fault = "T5 models overflow in float16: losses become NaN, and translations nonsense"
    # It adds its bias for distances to a mask, in older versions of transformers also to a bool one.
    takes_own_masks = False
    ctranslate2_loader = "T5Loader"

    def agree_on_languages(self, tokenizer: Any, source: str, target: str) -> LanguageContract:
        """See `Family`. Only the target is marked."""
        known = {token[1] for token in map(_TOKEN.fullmatch, tokenizer.get_vocab()) if token}
        if target in known:
            return LanguageContract(self.name, source, target, f"<2{target}> ", None)
        near = sorted({code for code in known if code[:2] == target[:2]} | set(get_close_matches(target, known)))
        shown = ", ".join(f"<2{code}>" for code in near or sorted(known))[:200]
        none = "none for any other; use a translation model such as google/madlad400-3b-mt"
        raise ModelError(f"the tokenizer has no token `<2{target}>` for the target language; it has {shown or none}")

    def language_marks(
        self, languages: LanguageContract, tokenizer: Any, source: list[int], target: list[int]
    ) -> list[LanguageMark]:
        """See `Family`. The tokenizer puts an empty word before a token that is a piece of its vocabulary."""
        found = source[int(source[0] == tokenizer.convert_tokens_to_ids("▁"))]
        return [LanguageMark(languages.source_prefix.strip(), "source", found)]

    def settings_in(self, found: Mapping[str, Any]) -> dict[str, Any]:
        """Whether the output layer is tied, which transformers 5 writes under another name."""
        tied = found.get("scale_decoder_outputs", found.get("tie_word_embeddings", True))
        return {"tie_word_embeddings": tied is not False}

    def check_config(self, origin: str, config: Any) -> None:
        """See `Family`."""
        self.check_activation(origin, config)
        distance, buckets = config.relative_attention_max_distance, config.relative_attention_num_buckets
        if distance <= buckets:
            raise ModelError(f"{origin}: relative_attention_max_distance must exceed the {buckets} buckets: {distance}")

    def max_tokens(self, config: Any) -> int:
        """`MAX_TOKENS`."""
        return MAX_TOKENS

    def repaired_tokenizer(self, tokenizer: Any, stored: Mapping[str, Any]) -> Any:
        """See `Family`. Unknown letters become the unknown token, or bytes where the vocabulary has them.

        transformers 5 takes id 2 for the unknown token. In MADLAD-400 that is `</s>`, which would end the sentence.
        """
        content = json.loads(tokenizer.backend_tokenizer.to_str())
        has_bytes = bool((stored.get("model") or {}).get("byte_fallback"))
        model = content["model"] | {"unk_id": tokenizer.unk_token_id, "byte_fallback": has_bytes}
        if content["model"] != model:
            content["model"] = model
            if has_bytes:
                content["decoder"] = {"type": "Sequence", "decoders": [{"type": "ByteFallback"}, content["decoder"]]}
            tokenizer._tokenizer = Tokenizer.from_str(json.dumps(content))
        return tokenizer

    def is_language(self, token: str) -> bool:
        """Sentinels. Language tokens count as words: they are recognised before a source, added to it or not."""
        return token.startswith("<extra_id_")

    def escaped(self, text: str, tokenizer: Any, words: Collection[str]) -> str:
        """`text` with a space inside each literal token (`< 2fr>`): to the tokenizer they are pieces as all others."""

        def apart(found: re.Match[str]) -> str:
            token = found[0]
            is_word = token in words and not _TOKEN.fullmatch(token)
            is_known = tokenizer.convert_tokens_to_ids(token) != tokenizer.unk_token_id or token == tokenizer.unk_token
            return f"< {token[1:]}" if is_known and not is_word else token

        return _MARKUP.sub(apart, text)

    def arranged(self, name: str, weights: Weights, config: Any) -> Weights:
        """See `Family`. The one matrix of input embeddings gets its own name: madlad400-3b-mt calls it the decoder's.

        Without that, transformers 5.15 loads the output layer as the encoder's embeddings (transformers#48154).
        """
        weights.pop(_UNUSED, None)
        stored = next((key for key in _INPUTS if key in weights), None)
        if stored is None or (_OUTPUT not in weights and not self.has_tied_output(config)):
            lacks = _INPUTS[0] if stored is None else f"{_OUTPUT}, although its config.json says that it is not tied"
            raise ModelError(f"{name}: the checkpoint lacks {lacks}; it is damaged, or made for another architecture")
        return {_INPUTS[0]: weights.pop(stored)} | weights

    def finished(self, model: Any) -> Any:
        """See `Family`. transformers 5 says of every T5 that its output layer is tied, and may then tie it."""
        model.config.tie_word_embeddings = self.has_tied_output(model.config)
        return model

    def has_tied_output(self, config: Any) -> bool:
        """See `Family`. transformers 5 keeps it under the name of the scaling that goes with it."""
        return bool(getattr(config, "scale_decoder_outputs", config.tie_word_embeddings))

    def has_tied_encoder(self, config: Any) -> bool:
        """Always, whatever the output layer is."""
        return True

    def hidden_states(self, model: Any, inputs: Mapping[str, Tensor]) -> Tensor:
        """See `Family`. Scaled where the output layer is tied."""
        mask = inputs["attention_mask"]
        encoded = model.encoder(input_ids=inputs["input_ids"], attention_mask=mask)[0]
        options = {"encoder_hidden_states": encoded, "encoder_attention_mask": mask, "use_cache": False}
        hidden: Tensor = model.decoder(input_ids=inputs["decoder_input_ids"], **options)[0]
        return hidden * model.config.d_model**-0.5 if self.has_tied_output(model.config) else hidden
