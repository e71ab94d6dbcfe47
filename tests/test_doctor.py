"""Each check of the doctor, passing and failing."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from mt.config import ModelConfig
from mt.errors import ModelError
from mt.models.doctor import (
    SENTENCES,
    check_language_tokens,
    check_lengths,
    check_loops,
    check_script,
    check_ties,
    check_unknown_share,
    check_variety,
    examine,
    refuse_unhealthy,
)
from mt.models.transformers_model import TransformersTranslator, load_translator

GOOD = [
    "تقع المدينة في شمال البلاد.",
    "قتل طفلان وأصيب خمسة أشخاص في الهجوم.",
    "دعا مجلس الأمن إلى وقف فوري للقتال في سوريا.",
    "غادر آلاف الناس منازلهم بسبب الحرب.",
    "قالت الحكومة يوم الاثنين إن المحادثات ستستمر.",
]


def test_good_translations_pass():
    findings = [check_script(GOOD), check_loops(GOOD), check_lengths(SENTENCES, GOOD), check_variety(GOOD)]
    assert [finding.passed for finding in findings] == [True] * 4


def test_another_language_fails():
    finding = check_script(["La ville est au nord."] * 4 + GOOD[:1])
    assert not finding.passed
    # 22 Arabic letters, and 4 times 16 others.
    assert finding.detail == "26% of the letters are Arabic"


@pytest.mark.parametrize(
    "loop",
    [
        "في في في في في",
        "قال إن الحرب قال إن الحرب قال إن الحرب قال إن الحرب",
        "هجوم" + "ت" * 12,
        "قتل الرئيس " * 4,
    ],
)
def test_loops_fail(loop: str):
    assert check_loops([loop, *GOOD[:4]]).passed  # one may be chance
    assert not check_loops([loop, loop, *GOOD[:3]]).passed


def test_short_and_long_fail():
    assert not check_lengths(SENTENCES, ["لا", "لا", *GOOD[2:]]).passed
    assert not check_lengths(SENTENCES, [GOOD[0] * 9, GOOD[1] * 9, *GOOD[2:]]).passed
    assert not check_lengths(SENTENCES, [""] * 5).passed


def test_the_same_answer_to_everything_fails():
    assert not check_variety([GOOD[0]] * 5).passed


def test_untrained_model_is_refused(marian: TransformersTranslator):
    with pytest.raises(ModelError, match="the model does not translate properly"):
        refuse_unhealthy(marian)


def test_embedded_model_is_healthy():
    translator = load_translator(ModelConfig(name="tiny-en-ar"))
    assert [finding for finding in examine(translator).findings if not finding.passed] == []


def test_ties_as_the_config_says(marian: TransformersTranslator):
    assert check_ties(marian).passed
    head = marian.model.lm_head
    head.weight = torch.nn.Parameter(head.weight.detach().clone())
    finding = check_ties(marian)
    assert not finding.passed
    assert finding.detail == "the config says tied, but output layer and decoder embeddings are separate"


def test_untied_checkpoint_that_was_tied(marian: TransformersTranslator):
    marian.model.config.tie_word_embeddings = False
    assert check_ties(marian).detail == "the config says separate, but output layer and decoder embeddings are tied"


def test_output_layer_that_overwrote_the_embeddings(marian_directory: Path, tmp_path: Path):
    """What transformers#26216 and #48154 report: one of two different matrices in the file is lost."""
    directory = tmp_path / "model"
    shutil.copytree(marian_directory, directory)
    weights = load_file(directory / "model.safetensors")
    weights["lm_head.weight"] = torch.randn_like(weights["model.shared.weight"])
    save_file(weights, directory / "model.safetensors", metadata={"format": "pt"})
    finding = check_ties(load_translator(ModelConfig(name=str(directory))))
    assert not finding.passed
    # transformers 5 loads both, as they are; before, one took the other's place.
    assert finding.detail == "the config says tied, but output layer and decoder embeddings are separate"


def test_embeddings_that_are_not_the_checkpoints(marian: TransformersTranslator):
    with torch.no_grad():
        marian.model.model.shared.weight[5] += 1
    finding = check_ties(marian)
    assert not finding.passed
    assert finding.detail == "the loaded weights differ from the checkpoint's model.shared.weight"


def test_token_that_does_not_arrive(marian: TransformersTranslator, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(TransformersTranslator, "encode_sources", lambda self, sources: [[7, 0] for _ in sources])
    finding = check_language_tokens(marian)
    assert not finding.passed
    assert finding.detail == "the source is marked by id 7, not by 2 of >>ara<<"


def test_vocabulary_that_does_not_fit(marian_directory: Path, tmp_path: Path):
    directory = tmp_path / "model"
    shutil.copytree(marian_directory, directory)
    vocabulary = json.loads((directory / "vocab.json").read_text(encoding="utf-8"))
    foreign = {piece if i < 3 or piece == "<pad>" else f"x{i}": i for piece, i in vocabulary.items()}
    (directory / "vocab.json").write_text(json.dumps(foreign), encoding="utf-8")
    translator = load_translator(ModelConfig(name=str(directory)))
    # Of each sentence only the language and the end token are known.
    pieces = sum(map(len, translator.encode_sources(list(SENTENCES))))
    finding = check_unknown_share(translator)
    assert not finding.passed
    assert finding.detail == f"{(pieces - 10) / pieces:.0%} of the source's pieces"
    assert pieces > 100


def test_the_models_own_vocabulary_fits(marian: TransformersTranslator):
    assert check_unknown_share(marian).passed
