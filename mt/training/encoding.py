"""The splits as token ids: the training pairs, and the dev sets for evaluating during training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from datasets import Dataset

from mt.config import Config, DecodingConfig
from mt.data.mixing import EpochMix, mixing_weights
from mt.errors import DataError
from mt.evaluation.test_set import TestSet
from mt.models.decoding import prepared
from mt.models.terminology import with_translated_terms
from mt.models.transformers_model import TransformersTranslator
from mt.training.encoded_pairs import EncodedPairs


@dataclass(frozen=True)
class DevSet:
    """A set of pairs for evaluating the model while it trains."""

    encoded: EncodedPairs
    """The whole set, for the loss."""
    sources: Sequence[str]
    """The sample that is translated; tag and terms are already in the text."""
    references: Sequence[str]
    name: str = "the dev split"
    """Its name in messages."""
    decoding: DecodingConfig = field(default_factory=lambda: DecodingConfig(num_beams=1))
    """How the sample is decoded: greedily, otherwise as for the final scores."""


def encode_training(translator: TransformersTranslator, train: Dataset, config: Config) -> tuple[EncodedPairs, int]:
    """(the training split, the number of its pairs that are left out because a side has too many tokens).

    Raises `DataError` if no pair is left.
    """
    max_source = min(config.data.max_source_tokens, translator.max_tokens)
    max_target = min(config.data.max_target_tokens, translator.max_tokens)
    corpora = list(train["corpus"])
    tags = [config.data.corpora[corpus].training_tag for corpus in corpora]
    plain, targets_text = list(train["source"]), list(train["target"])
    share, glossary = config.training.term_share, config.decoding.terminology
    annotated = with_translated_terms(plain, targets_text, glossary, share, config.seed)
    texts = [f"{tag} {text}" if tag else text for tag, text in zip(tags, annotated, strict=True)]
    sources, targets = translator.encode_sources(texts), translator.encode_targets(targets_text)
    fits = [
        translator.text_tokens(s) <= max_source and len(s) <= translator.max_tokens and len(t) <= max_target
        for s, t in zip(sources, targets, strict=True)
    ]
    kept = np.flatnonzero(fits)
    if not len(kept):
        raise DataError(f"no training pair has at most {max_source} source and {max_target} target tokens")
    names = [corpora[i] for i in kept]
    weights = mixing_weights(config.data, Counter(corpora))
    mix = None if set(weights.values()) == {1.0} else EpochMix(names, weights, config.seed)
    general = np.isin(names, config.adaptation.kl_corpora)
    return (
        EncodedPairs([sources[i] for i in kept], [targets[i] for i in kept], mix, rows=kept, is_general=general),
        len(fits) - len(kept),
    )


def encode_dev(translator: TransformersTranslator, dev: Dataset, config: Config) -> DevSet:
    """The dev split, for evaluating with the domain's tag and terms."""
    return _dev_set(translator, prepared(list(dev["source"]), config.decoding), list(dev["target"]), config)


def encode_general(translator: TransformersTranslator, general: TestSet, config: Config) -> DevSet:
    """The general dev set, for evaluating without a tag and terms."""
    return _dev_set(translator, list(general.sources), list(general.references), config, "the general dev set")


def _dev_set(
    translator: TransformersTranslator,
    sources: list[str],
    targets: list[str],
    config: Config,
    name: str = "the dev split",
) -> DevSet:
    limit = translator.max_tokens
    # Long pairs are cut, not left out: the dev loss is that of the same pairs in every run.
    encoded = EncodedPairs(
        [translator.within_limit(ids) for ids in translator.encode_sources(sources)],
        [ids[:limit] for ids in translator.encode_targets(targets)],
    )
    size = min(config.training.dev_sentences, len(sources))
    greedy = replace(config.decoding.without_domain(), num_beams=1, mbr=0)
    # Always the same sentences, whatever the config's seed: dev scores of different runs can be compared.
    sample = np.sort(np.random.default_rng(0).permutation(len(sources))[:size])
    return DevSet(encoded, [sources[i] for i in sample], [targets[i] for i in sample], name, greedy)
