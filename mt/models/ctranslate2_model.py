"""Translation with a CTranslate2 directory: `model.bin` and the tokenizer's files beside it.

The language tokens come from the tokenizer, by the rules of `mt.models.languages`, as for a transformers model.
"""

from __future__ import annotations

import json
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from mt.config import DecodingConfig, ModelConfig
from mt.errors import ModelError
from mt.models.ctranslate2_file import check_model_file
from mt.models.families import family_by_tokenizer
from mt.models.families.family import MAX_VOCABULARY
from mt.models.model_files import ModelFiles, check_model_name, files_of, is_index, library_errors, require_ctranslate2
from mt.models.tokenizer import load_tokenizer_files, set_languages
from mt.models.translator import Batch, Translator

_TOKENIZERS = ("source.spm", "tokenizer.json", "sentencepiece.bpe.model")
_TO_COPY = (
    "source.spm, target.spm, vocab.json and tokenizer_config.json of a Marian model, "
    "sentencepiece.bpe.model, tokenizer_config.json and tokenizer.json or vocab.json of another"
)
_MAX_TOKENS = {"marian": 512}  # of models whose tokenizer does not give it
_OTHER_MAX_TOKENS = 1024
# Tokenizer and vocabulary may name a few unused ids differently. If they belong to two models, or are shifted by one,
# nearly all ids differ.
_MAX_DIFFERENT_SHARE = 0.01
_MAX_UNUSED = 100
# Batches per worker that wait for it: enough that none is idle, and few enough that memory stays flat.
_BATCHES_AHEAD = 2


@dataclass(kw_only=True)
class CTranslate2Translator(Translator):
    """A CTranslate2 model. Token ids are the tokenizer's; CTranslate2 itself takes and returns tokens."""

    engine: Any
    vocabulary: list[str]
    """Tokens by id."""
    adds_end_token: bool
    """Whether the engine itself appends `</s>` to the source, as after a conversion from Marian's own format."""

    def __post_init__(self) -> None:
        self._ids = {token: index for index, token in enumerate(self.vocabulary)}

    @property
    def max_tokens(self) -> int:
        """The longest source or target, in tokens, that the model's positions allow."""
        stated = self.tokenizer.model_max_length  # astronomical if the tokenizer's files do not give it
        if is_index(stated) and 1 < stated < 10**6:
            return int(stated)
        return _MAX_TOKENS.get(self.languages.family, _OTHER_MAX_TOKENS)

    @property
    def target_prefix(self) -> list[str]:
        """The tokens that every hypothesis starts with: the target language, unless the source contains it."""
        first = (self.languages.decoder_start_token_id, self.languages.forced_bos_token_id)
        return [self.vocabulary[index] for index in first if index is not None]

    @property
    def _repeated(self) -> int:
        """The number of prefix tokens that CTranslate2 repeats in its hypotheses; not the first mBART's start token."""
        return int(self.languages.forced_bos_token_id is not None)

    def search_limit(self, limit: int) -> int:
        """See `Translator`: rounded up, 33 to 48 and 100 to 128, by less than a half.

        CTranslate2 has one limit per batch, and it can decide which hypothesis of a beam search wins. A translation
        must not depend on the sentences beside it, so it cannot be that of the longest. Batches of exactly equal
        limits would be so small that most of the time would go into reading the weights.
        """
        step = 1 << max(0, limit.bit_length() - 2)
        return -(-limit // step) * step

    def generate(self, sources: Sequence[list[int]], limits: Sequence[int], config: DecodingConfig) -> list[list[int]]:
        """See `Translator`. The result has no end tokens."""
        groups: dict[int, list[int]] = defaultdict(list)
        for index, limit in enumerate(limits):
            groups[self.search_limit(limit)].append(index)
        batches = [([sources[i] for i in group], [limits[i] for i in group]) for group in groups.values()]
        hypotheses: list[list[int]] = [[]] * len(sources)
        for group, found in zip(groups.values(), self.generate_each(batches, config), strict=True):
            for index, ids in zip(group, found, strict=True):
                hypotheses[index] = ids
        return hypotheses

    def generate_each(self, batches: Iterable[Batch], config: DecodingConfig) -> Iterator[list[list[int]]]:
        """See `Translator`. Every core works on a batch of its own, which is twice as fast as all on the same one."""
        waiting: deque[tuple[list[Any], Sequence[int]]] = deque()
        with library_errors(f"{self.name}: CTranslate2 cannot translate with this model; convert it again"):
            for sources, limits in batches:
                (limit,) = set(map(self.search_limit, limits))
                waiting.append((self._submit(sources, limit, config), limits))
                if len(waiting) > _BATCHES_AHEAD * self.engine.num_translators:
                    yield self._ids_of(*waiting.popleft())
            while waiting:
                yield self._ids_of(*waiting.popleft())

    def _submit(self, sources: Sequence[list[int]], limit: int, config: DecodingConfig) -> list[Any]:
        """Have a batch translated; the results are there when they are asked for."""
        prefix = self.target_prefix
        end = -1 if self.adds_end_token else None
        results: list[Any] = self.engine.translate_batch(
            [[self.vocabulary[index] for index in ids[:end]] for ids in sources],
            target_prefix=[prefix] * len(sources) if prefix else None,
            beam_size=config.num_beams,
            length_penalty=config.length_penalty,
            no_repeat_ngram_size=config.no_repeat_ngram_size,
            # The start token counts towards the limit, but not here.
            max_decoding_length=max(1, min(limit, self.max_tokens) - 1),
            min_decoding_length=0,  # an empty hypothesis is allowed, as in transformers
            max_input_length=0,
            asynchronous=True,
        )
        return results

    def _ids_of(self, results: list[Any], limits: Sequence[int]) -> list[list[int]]:
        start = self._repeated
        # The start token counts towards the limit, and CTranslate2 does not return it.
        found = [
            each.result().hypotheses[0][start : max(start, limit - 1)]
            for each, limit in zip(results, limits, strict=True)
        ]
        return [[self._ids[token] for token in tokens] for tokens in found]


def check_ctranslate2(name: str) -> None:
    """Raise `ModelError` for a CTranslate2 directory that cannot be used, as far as that shows without loading it."""
    require_ctranslate2(name)
    check_model_name(name)
    if not any((Path(name) / file).is_file() for file in _TOKENIZERS):
        raise ModelError(
            f"{name}: a CTranslate2 model without its tokenizer; copy {_TO_COPY} there, as "
            "`ct2-transformers-converter --copy_files ...` and `mt export --format ctranslate2` do"
        )


def load_ctranslate2(config: ModelConfig) -> CTranslate2Translator:
    """Load the CTranslate2 directory that `config` names, on a GPU if there is one.

    Raises `ModelError` if files are missing or damaged, the tokenizer is another model's, or the model does not know a
    language.
    """
    check_ctranslate2(config.name)
    import ctranslate2

    files = files_of(config.name, config.revision)
    files.find("model.bin")  # raises if it is no such file
    vocabulary = _load_vocabulary(files)
    tokenizer = load_tokenizer_files(files, "", MAX_VOCABULARY)
    _refuse_foreign_tokenizer(config.name, tokenizer, vocabulary)
    # CTranslate2's own converter drops <pad> from Marian's vocabulary, and a few unused tokens from others.
    size = len(vocabulary) + _MAX_UNUSED
    languages = set_languages(files, tokenizer, family_by_tokenizer(tokenizer).name, config, size)
    check_model_file(Path(config.name) / "model.bin", len(vocabulary))
    settings = files.read_json("config.json") or {}
    with library_errors(f"{config.name}: the CTranslate2 model cannot be loaded; convert it again"):
        engine = ctranslate2.Translator(
            config.name, device="auto", inter_threads=torch.get_num_threads(), intra_threads=1
        )
    return CTranslate2Translator(
        tokenizer=tokenizer,
        languages=languages,
        name=config.name,
        location=config.name,
        engine=engine,
        vocabulary=vocabulary,
        adds_end_token=bool(settings.get("add_source_eos")),
    )


def _load_vocabulary(files: ModelFiles) -> list[str]:
    """Tokens by id. Raises `ModelError`."""
    file = files.find("shared_vocabulary.json") or files.find("shared_vocabulary.txt")  # .txt: up to CTranslate2 3
    if file is None:
        raise ModelError(
            f"{files.name}: no shared_vocabulary.json; CTranslate2 models with separate vocabularies for source and "
            "target are not supported; use the model that this one was made from"
        )
    try:
        text = file.read_text(encoding="utf-8")
        tokens = json.loads(text) if file.suffix == ".json" else text.removesuffix("\n").split("\n")
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{file}: the vocabulary cannot be read ({error!s:.200}); convert the model again") from error
    if not isinstance(tokens, list) or not tokens or not all(isinstance(token, str) for token in tokens):
        raise ModelError(f"{file}: the vocabulary is not a list of tokens; convert the model again")
    if len(set(tokens)) < len(tokens):
        raise ModelError(f"{file}: the vocabulary contains a token twice; convert the model again")
    return tokens


def _refuse_foreign_tokenizer(name: str, tokenizer: Any, vocabulary: list[str]) -> None:
    with library_errors(f"{name}: the tokenizer cannot be used; fetch it again"):
        tokens = tokenizer.convert_ids_to_tokens(list(range(min(len(vocabulary), len(tokenizer)))))
    different = [i for i, token in enumerate(tokens) if token not in (vocabulary[i], tokenizer.unk_token, None)]
    if len(different) > _MAX_DIFFERENT_SHARE * len(tokens) or len(tokens) < len(vocabulary) / 2:
        first = different[0] if different else len(tokens)
        raise ModelError(
            f"{name}: the tokenizer beside the CTranslate2 model is another model's (id {first} is "
            f"`{vocabulary[first]}` in the model's vocabulary); copy the files of the one that was converted"
        )
