"""Decoding keeps order, equals the library's generate, and leaves the model as it was."""

import math
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from mt.config import DecodingConfig, ModelConfig
from mt.models.decoding import encode_within_limits, translate
from mt.models.transformers_model import TransformersTranslator, load_translator
from tests.helpers import sources


@pytest.mark.parametrize("beams", [1, 3])
def test_batches_change_nothing(beams: int, marian: TransformersTranslator):
    """Each sentence alone, through the library's own generate, gives the same text."""
    texts = sources(6)
    together = translate(marian, texts, DecodingConfig(num_beams=beams, batch_tokens=9999, max_length_ratio=0.2))
    marian.model.eval()
    encoded = marian.encode_sources(texts)
    limits = [math.ceil(0.2 * len(ids)) + 10 for ids in encoded]
    for ids, limit, ours in zip(encoded, limits, together, strict=True):
        # An untrained model never ends by itself, and where a search ends decides between its beams.
        end = {"max_length": max(limits), "early_stopping": beams > 1}
        output = marian.model.generate(input_ids=torch.tensor([ids]), num_beams=beams, **end)
        assert ours == marian.tokenizer.decode(output[0][:limit], skip_special_tokens=True).strip()


def test_order_is_kept(marian: TransformersTranslator, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(TransformersTranslator, "generate", lambda self, sources, limits, config: sources)
    monkeypatch.setattr(TransformersTranslator, "decode", lambda self, rows: [str(len(row)) for row in rows])
    texts = sources(30)
    expected = [str(len(ids)) for ids in marian.encode_sources(texts)]
    assert translate(marian, texts, DecodingConfig(batch_tokens=200)) == expected


def test_mode_is_left_as_it_was(marian: TransformersTranslator):
    marian.model.train()
    translate(marian, ["The war"], DecodingConfig(num_beams=1))
    assert marian.model.training
    marian.model.eval()
    translate(marian, ["The war"], DecodingConfig(num_beams=1))
    assert not marian.model.training
    assert translate(marian, [], DecodingConfig(num_beams=1)) == []


def test_sources_beyond_the_positions_are_cut_with_a_word(
    marian: TransformersTranslator, caplog: pytest.LogCaptureFixture
):
    text = "war " * 900
    length = len(marian.encode_sources([text])[0])
    assert length > 512
    search = DecodingConfig(num_beams=1, max_length_ratio=0.01)

    def warnings() -> list[str]:
        """Ours; the tokenizer has one of its own."""
        return [record.getMessage() for record in caplog.records if record.name == "mt.models.decoding"]

    translate(marian, [text, "war"], search)
    assert warnings() == [
        "1 source is longer than the model's limit of 512 tokens and cut: split long sources into sentences"
    ]
    caplog.clear()
    translate(marian, ["war", *[text] * 7], search, "base on test")
    cut = f"has {length} tokens and is cut to the 512 that the model can read; split it into sentences"
    assert warnings() == [
        *(f"base on test: sentence {number} {cut}" for number in range(2, 7)),
        "base on test: 2 more are cut, too",
    ]
    ids, _ = encode_within_limits(marian, [text], search)
    assert (len(ids[0]), ids[0][-1]) == (512, marian.tokenizer.eos_token_id)


def test_hypotheses_stop_at_the_ratio(marian: TransformersTranslator):
    # An untrained model never ends by itself: 0.5 × source tokens + 10 is where it stops, start token included.
    ids = marian.encode_sources(["The war"])[0]
    monitor: list[int] = []
    generate = marian.model.generate

    def spy(**kwargs: object) -> torch.Tensor:
        output: torch.Tensor = generate(**kwargs)
        monitor.append(output.shape[1])
        return output

    marian.model.generate = spy  # type: ignore[method-assign]
    translate(marian, ["The war"], DecodingConfig(num_beams=1, max_length_ratio=0.5))
    assert len(ids) == 7
    assert monitor == [4 + 10]


def test_language_token_is_not_in_the_text(m2m_directory: Path):
    """M2M-100's tokenizer does not skip it."""
    translator = load_translator(ModelConfig(name=str(m2m_directory)))
    token = translator.tokenizer.convert_ids_to_tokens(translator.languages.forced_bos_token_id)
    assert token == "__ar__"
    hypothesis = translate(translator, ["The war"], DecodingConfig(num_beams=1))[0]
    assert hypothesis
    assert not hypothesis.startswith((token, ">>ara<<"))  # the latter has the id of the start token here


def test_embedded_model_writes_arabic():
    from mt.models.doctor import SENTENCES
    from mt.text.normalise import arabic_share

    translator = load_translator(ModelConfig(name="tiny-en-ar"))
    output = translate(translator, [SENTENCES[2]], DecodingConfig(num_beams=1))[0]
    assert arabic_share(output) > 0.9
    assert "مجلس" in output


def test_embedded_model_is_small():
    from mt.models.model_files import EMBEDDED_MODELS

    size = sum(file.stat().st_size for file in Path(EMBEDDED_MODELS / "tiny-en-ar").iterdir())
    assert size <= 20 * 2**20


def test_no_phrase_comes_twice(marian: TransformersTranslator):
    def repeated(size: int) -> int:
        config = DecodingConfig(num_beams=1, no_repeat_ngram_size=size)
        (ids,) = marian.generate(marian.encode_sources(["The war in the city"]), [40], config)
        pairs = list(pairwise(ids))
        return len(pairs) - len(set(pairs))

    # An untrained model repeats itself.
    assert repeated(0) > 10
    assert repeated(2) == 0
