"""Minimum Bayes risk decoding: samples that can be repeated, and the choice among them."""

from dataclasses import replace

import pytest
import torch
from sacrebleu.metrics import CHRF

from mt.config import DecodingConfig, ModelConfig
from mt.errors import ConfigError, ModelError
from mt.evaluation.searches import search_in_words
from mt.models.decoding import translate
from mt.models.engines import Engine
from mt.models.mbr import _chrf, _ngrams, choose, draw_samples
from mt.models.transformers_model import TransformersTranslator
from mt.systems import engine_choice
from mt.systems.engine_choice import plan_engine
from tests.helpers import BAD, GOOD, REFERENCES, sources

SEARCH = DecodingConfig(mbr=4, max_length_ratio=0.2)


@pytest.mark.parametrize(
    ("ours", "theirs"), [*zip(GOOD + BAD, REFERENCES * 2, strict=True), ("abc", "abcd"), ("", "a")]
)
def test_utility_is_sacrebleus(ours: str, theirs: str):
    assert 100 * _chrf(_ngrams(ours), _ngrams(theirs)) == pytest.approx(CHRF().sentence_score(ours, [theirs]).score)


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        (["aaaa", "abcd", "abce"], "abcd"),
        # What was drawn twice is likelier.
        (["xyz", "abc", "abc"], "abc"),
        (["abc", "xyz"], "abc"),
        (["", "abc", "abc"], "abc"),
    ],
)
def test_the_most_usual_sample_is_chosen(samples: list[str], expected: str):
    assert choose(samples) == expected


def test_samples_can_be_repeated_and_leave_no_trace(marian: TransformersTranslator):
    encoded = marian.encode_sources(sources(3))
    state = torch.random.get_rng_state()
    first = draw_samples(marian, encoded, [12, 9, 6], SEARCH)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert draw_samples(marian, encoded, [12, 9, 6], SEARCH) == first
    assert [len(samples) for samples in first] == [4, 4, 4]
    # The start token counts.
    assert [max(map(len, samples)) for samples in first] == [11, 8, 5]
    assert all(len(set(map(tuple, samples))) > 1 for samples in first)
    # Neither the batch nor its order matters, only the sentence.
    assert draw_samples(marian, encoded[:1], [12], SEARCH) == first[:1]
    assert draw_samples(marian, encoded[::-1], [6, 9, 12], SEARCH) == first[::-1]
    assert translate(marian, sources(3), replace(SEARCH, batch_tokens=1)) == translate(marian, sources(3), SEARCH)


def test_translate_takes_the_chosen_sample(marian: TransformersTranslator):
    text = sources(1)[0]
    (ids,) = marian.encode_sources([text])
    (samples,) = draw_samples(marian, [ids], [-(-len(ids) // 5) + 10], SEARCH)
    assert translate(marian, [text], SEARCH) == [choose(marian.decode(samples))]


def test_options(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(ConfigError, match=r"decoding\.mbr must be 0 or at least 2, got 1"):
        DecodingConfig(mbr=1)
    assert search_in_words(SEARCH).startswith("the most usual of 4 samples by chrF, at most 0.2 target")
    with pytest.raises(ModelError, match=r"ctranslate2: the samples of decoding\.mbr are drawn by torch; set"):
        plan_engine(ModelConfig(), DecodingConfig(mbr=4, engine="ctranslate2"), 1000)
    with monkeypatch.context() as patch:
        patch.setattr(engine_choice, "engine_of", lambda name: Engine("torch", "2.13.0", "float16"))
        assert plan_engine(ModelConfig(), SEARCH, 1000) == Engine("torch", "2.13.0", "float32")
    monkeypatch.setattr(engine_choice, "engine_of", lambda name: Engine("ctranslate2", "4.8.5", "int8"))
    with pytest.raises(ModelError, match=r"a: decoding\.mbr draws samples by torch; use the model that this one was"):
        plan_engine(ModelConfig(name="a"), SEARCH, 1000)
