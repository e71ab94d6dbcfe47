"""Half precision while decoding: the same function, rounded, and the weights back to the bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from mt.config import DecodingConfig, ModelConfig
from mt.models import gpu_decoding
from mt.models.gpu_decoding import fast_decoding, use_precompiled_attention
from mt.models.transformers_model import load_translator


@pytest.mark.parametrize("family", ["marian_directory", "nllb_directory", "mbart50_directory"])
def test_weights_are_exchanged_and_come_back(
    family: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
):
    translator = load_translator(ModelConfig(name=str(request.getfixturevalue(family))))
    model = translator.model.eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    ids = torch.tensor([[5, 6, 7, 2]])
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "decoder_input_ids": torch.tensor([[2, 9]])}
    pointer = model.get_input_embeddings().weight.data_ptr()
    with torch.inference_mode():
        exact = model(**inputs).logits
    monkeypatch.setattr(gpu_decoding, "decoding_dtype", lambda _: torch.bfloat16)
    with fast_decoding(model), torch.inference_mode():
        assert model.get_input_embeddings().weight.dtype == torch.bfloat16
        rounded = model(**inputs).logits
    # The added logits are cut off.
    assert rounded.shape == exact.shape
    assert 0 < (rounded.float() - exact).abs().max() < 0.05 * exact.abs().max()
    assert model.get_input_embeddings().weight.data_ptr() == pointer
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    with torch.inference_mode():
        assert torch.equal(model(**inputs).logits, exact)


def test_translator_decodes_in_it(marian_directory: Path, monkeypatch: pytest.MonkeyPatch):
    translator = load_translator(ModelConfig(name=str(marian_directory)))
    seen = []
    monkeypatch.setattr(gpu_decoding, "decoding_dtype", lambda _: torch.bfloat16)
    forward = translator.model.forward
    translator.model.forward = lambda **inputs: seen.append(translator.model.lm_head.weight.dtype) or forward(**inputs)
    assert len(translator.generate([[5, 6, 0]], [6], DecodingConfig(num_beams=2))) == 1
    assert set(seen) == {torch.bfloat16}
    assert translator.model.lm_head.weight.dtype == torch.float32


def test_an_overflow_is_decoded_again(
    marian_directory: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    config = DecodingConfig(num_beams=2)
    translator = load_translator(ModelConfig(name=str(marian_directory)))
    with torch.no_grad():
        # Finite in float32 and bf16, infinite in float16.
        translator.model.lm_head.weight[7] *= 1e7
    expected = translator.generate([[5, 6, 0]], [6], config)
    monkeypatch.setattr(gpu_decoding, "decoding_dtype", lambda _: torch.float16)
    assert translator.generate([[5, 6, 0]], [6], config) == expected
    assert "float16 overflows, so it is decoded in float32" in caplog.text
    caplog.clear()
    assert translator.generate([[5, 6, 0]], [6], config) == expected
    assert not caplog.text


def test_a_batch_that_is_too_large_is_halved(marian_directory: Path, monkeypatch: pytest.MonkeyPatch):
    translator = load_translator(ModelConfig(name=str(marian_directory)))
    sources, limits, config = [[5, 6, 0], [7, 0], [8, 9, 0], [5, 0], [6, 0]], [6] * 5, DecodingConfig(num_beams=1)
    expected = [translator.generate([ids], [6], config)[0] for ids in sources]
    sizes, decode = [], translator._generate

    def with_little_memory(sources: Any, *others: Any) -> Any:
        sizes.append(len(sources))
        if len(sources) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return decode(sources, *others)

    monkeypatch.setattr(translator, "_generate", with_little_memory)
    found = translator.generate(sources, limits, config)
    assert [ids[: len(other)] for ids, other in zip(found, expected, strict=True)] == expected
    assert sizes == [5, 2, 3, 1, 2]


def test_batches_by_free_memory(marian_directory: Path, monkeypatch: pytest.MonkeyPatch):
    model = load_translator(ModelConfig(name=str(marian_directory))).model
    model.config.vocab_size, model.config.decoder_layers, model.config.d_model = 64_000, 6, 512
    # A token: 64,000 * 14 / 16 = 56,000 bytes of logits and 6 * 512 * 12 = 36,864 of keys and values.
    for free, tokens in ((92_864 * 2 * 10_000, 10_000), (10**6, 4096), (10**15, 262_144)):
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _, free=free: (free, free))
        assert gpu_decoding.batch_tokens(model, num_beams=4) == tokens


def test_an_error_brings_the_weights_back(marian_directory: Path, monkeypatch: pytest.MonkeyPatch):
    model = load_translator(ModelConfig(name=str(marian_directory))).model
    monkeypatch.setattr(gpu_decoding, "decoding_dtype", lambda _: torch.float16)
    with pytest.raises(RuntimeError, match="out of memory"), fast_decoding(model):
        raise RuntimeError("out of memory")
    assert {tensor.dtype for tensor in model.parameters()} == {torch.float32}


def test_cudnn_computes_no_attention():
    torch.backends.cuda.enable_cudnn_sdp(True)
    use_precompiled_attention()
    assert not torch.backends.cuda.cudnn_sdp_enabled()
