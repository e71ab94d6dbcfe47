"""Sentence encoders, small and random, of the classes that are on the hub; and what is selected by them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    BertConfig,
    BertModel,
    PreTrainedTokenizerFast,
    XLMRobertaConfig,
    XLMRobertaModel,
)

from mt.config import Config, ModelConfig, SelectConfig
from mt.data import embedding_likeness, sentence_encoder
from mt.data.cache import cached_build, encoder_identities
from mt.data.sentence_encoder import SentenceEncoder
from mt.errors import ConfigError, DataError
from mt.experiment.inputs import identify
from mt.files import sha256_of
from mt.report.data_card import as_markdown
from tests.test_domain_selection import ALIKE, build, config, domain_pairs, kitchen_pairs

TEXTS = ["shells hit the town", "soup", "I would like more bread with soup please", "على بلدة"]


def make(directory: Path, kind: str) -> Path:
    """A random encoder that knows the words of the tests."""
    words = {word for pair in domain_pairs() + kitchen_pairs() + ALIKE for text in pair for word in text.split()}
    vocabulary = {word: index for index, word in enumerate(["<s>", "<pad>", "</s>", "<unk>", *sorted(words)])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    special = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special).save_pretrained(directory)
    torch.manual_seed(1)
    size = {"vocab_size": len(vocabulary), "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    size |= {"intermediate_size": 32, "max_position_embeddings": 40, "pad_token_id": 1}
    model = BertModel(BertConfig(**size)) if kind == "bert" else XLMRobertaModel(XLMRobertaConfig(**size))
    model.save_pretrained(directory)
    return directory


@pytest.fixture(scope="module", params=["bert", "xlm-roberta"])
def directory(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp(request.param), request.param)


def test_vectors_are_means_of_the_last_states(directory: Path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    encoder = SentenceEncoder(str(directory), "main")
    found = encoder.encode(TEXTS)
    for text, vector in zip(TEXTS, found, strict=True):
        alone = encoder._tokenizer(text, return_tensors="pt")
        states = encoder._model(**alone).last_hidden_state[0]
        mean = states.mean(dim=0).detach()
        assert torch.allclose(vector, mean / mean.norm(), atol=1e-5)
    assert torch.allclose(found.norm(dim=1), torch.ones(len(TEXTS)))
    # In other batches, the same vectors.
    monkeypatch.setitem(sentence_encoder._BATCH_TOKENS, "cpu", 12)
    assert torch.allclose(encoder.encode(TEXTS), found, atol=1e-5)


def test_the_first_token_if_the_encoder_says_so(directory: Path, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    shutil.copytree(directory, tmp_path / "first")
    pooling = tmp_path / "first" / "1_Pooling" / "config.json"
    pooling.parent.mkdir()
    pooling.write_text(json.dumps({"word_embedding_dimension": 16, "pooling_mode_cls_token": True}))
    encoder = SentenceEncoder(str(tmp_path / "first"), "main")
    states = encoder._model(**encoder._tokenizer(TEXTS[0], return_tensors="pt")).last_hidden_state[0, 0].detach()
    assert torch.allclose(encoder.encode(TEXTS)[0], states / states.norm(), atol=1e-5)
    pooling.write_text(json.dumps({"pooling_mode_max_tokens": True}))
    with pytest.raises(DataError, match="pools by pooling_mode_max_tokens; name an encoder that takes the mean"):
        SentenceEncoder(str(tmp_path / "first"), "main")


def test_what_is_too_long_is_cut(directory: Path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    encoder = SentenceEncoder(str(directory), "main")
    # 40 positions, of which RoBERTa's kind leaves those up to the id of padding, 1, unused.
    assert encoder.max_tokens == (40 if encoder._model.config.model_type == "bert" else 38)
    assert encoder.encode(["soup " * 500]).shape == (1, 16)


def test_layers_behind_the_pooling_are_refused(directory: Path, tmp_path: Path):
    shutil.copytree(directory, tmp_path / "dense")
    modules = [{"type": f"sentence_transformers.models.{kind}"} for kind in ("Transformer", "Pooling", "Dense")]
    (tmp_path / "dense" / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(DataError, match=r"has layers behind its transformer .* \(Dense\)"):
        SentenceEncoder(str(tmp_path / "dense"), "main")


def test_no_encoder(tmp_path: Path):
    with pytest.raises(DataError, match="cannot be loaded as a sentence encoder"):
        SentenceEncoder(str(tmp_path), "main")


def test_pickled_weights_are_not_read(directory: Path, tmp_path: Path):
    shutil.copytree(directory, tmp_path / "pickled")
    (tmp_path / "pickled" / "model.safetensors").unlink()
    torch.save({}, tmp_path / "pickled" / "pytorch_model.bin")
    with pytest.raises(DataError, match="name one whose weights are safetensors"):
        SentenceEncoder(str(tmp_path / "pickled"), "main")


def test_pairs_near_the_domain_are_taken(directory: Path, tmp_path: Path):
    select = SelectConfig(pairs=3, method="embeddings", model=str(directory))
    taken, report = build(tmp_path, kitchen_pairs() + ALIKE, select)
    assert {*taken} == {source for source, _ in ALIKE}
    selected = report.corpora["general"].selected
    assert selected is not None
    assert 0 < selected.threshold < 2
    assert f"by embeddings of {directory}".replace("_", "\\_") in as_markdown(report)


def test_distance_to_the_nearest_by_hand(directory: Path, tmp_path: Path, monkeypatch):
    """Vectors in a plane: the general sentence at 0 degrees, the domain's at 0, 60 and 90."""
    from mt.data.embedding_likeness import EmbeddingDistance
    from tests.test_domain_selection import store_of

    angles = {"a": 0, "b": 60, "c": 90}

    class Plane:
        device = torch.device("cpu")

        def encode(self, texts: list[str]) -> torch.Tensor:
            turned = torch.tensor([np.deg2rad(angles[text]) for text in texts])
            return torch.stack([turned.cos(), turned.sin()], dim=1)

    with store_of(tmp_path, [("a", "c"), ("b", "b"), ("c", "a"), ("a", "a")]) as store:
        keys = store.column("pairs", np.uint64)
        for nearest, expected in ((1, 0.0), (2, 0.25), (3, 0.5), (4, 0.5)):
            # Of the cosines 1, 0.5 and 0 the mean of the highest, the same on both sides.
            monkeypatch.setattr(embedding_likeness, "NEAREST", nearest)
            distance = EmbeddingDistance(store, np.arange(3), keys, Plane())  # type: ignore[arg-type]
            assert distance.scores(np.array([3])).tolist() == pytest.approx([expected], abs=1e-6)


def test_a_long_job_without_a_gpu_is_announced(directory: Path, tmp_path: Path, monkeypatch, caplog):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(embedding_likeness, "_SLOW_SECONDS", 0)
    build(tmp_path, kitchen_pairs() + ALIKE, SelectConfig(pairs=3, method="embeddings", model=str(directory)))
    assert "encoding 67 pairs without a GPU takes about 0 minutes" in caplog.text


def test_another_encoder_is_another_build(directory: Path, tmp_path: Path):
    copied = Path(shutil.copytree(directory, tmp_path / "encoder"))
    select = SelectConfig(pairs=3, method="embeddings", model=str(copied))
    options = config(tmp_path, kitchen_pairs() + ALIKE, select, cache_dir=str(tmp_path / "cache"))
    identity = encoder_identities(options.corpora)["general"]
    assert {"name", "config.json", "model.safetensors"} <= {*identity}
    first = cached_build(options, {})
    assert cached_build(options, {}) == first
    (copied / "config.json").write_text((copied / "config.json").read_text() + "\n")
    assert cached_build(options, {}) != first


def test_the_manifest_names_the_encoder(directory: Path, tmp_path: Path):
    select = SelectConfig(pairs=3, method="embeddings", model=str(directory))
    options = Config(data=config(tmp_path, ALIKE, select), model=ModelConfig(name="tiny-en-ar"))
    known = identify(options)["encoders"]["general"]
    assert known["name"] == str(directory)
    assert known["model.safetensors"] == sha256_of(directory / "model.safetensors")
    assert "encoders" not in identify(Config(data=config(tmp_path, ALIKE, None), model=options.model))


def test_mistakes():
    with pytest.raises(ConfigError, match=r"select\.model must name a sentence encoder for method embeddings"):
        SelectConfig(method="embeddings")
    with pytest.raises(ConfigError, match=r"select\.model must be left out with method cross_entropy, got 'x'"):
        SelectConfig(model="x")
