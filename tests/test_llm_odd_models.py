"""Decoder-only models that are laid out unusually: read as transformers reads them, or refused in one sentence."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast
from transformers.utils import chat_template_utils

from mt.config import DecodingConfig, ModelConfig
from mt.errors import ModelError
from mt.models.prompted_model import PromptedTranslator
from mt.models.prompts import INSTRUCTION, make_prompt
from mt.models.run_settings import RunSettings
from mt.models.transformers_model import load_translator
from mt.systems.settings import SettingsRule
from mt.systems.translation_cache import cache_key
from tests.llm_models import CHATML, make_llm

SENTENCES = ["The war in Syria began in 2011.", "Peace.", "بدأت الحرب في سوريا عام 2011.", "سلام."] * 5
MISTRAL = (
    "{{ bos_token }}{% for message in messages %}{% if message.role == 'user' %}{{ '[INST] ' + message.content + "
    "'[/INST]' }}{% else %}{{ ' ' + message.content + eos_token }}{% endif %}{% endfor %}"
)
"""As Mistral has it: a space between prompt and answer."""

Copied = Callable[[str], Path]


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture
def copied(originals: Path, tmp_path: Path) -> Copied:
    """A copy of a model of a kind, to be changed."""

    def copy(kind: str) -> Path:
        if not (originals / kind).exists():
            make_llm(kind, originals / kind, SENTENCES)
        return Path(shutil.copytree(originals / kind, tmp_path / kind))

    return copy


def load(directory: Path, **options: Any) -> PromptedTranslator:
    translator = load_translator(ModelConfig(name=str(directory), **options))
    assert isinstance(translator, PromptedTranslator)
    return translator


def change(file: Path, **settings: Any) -> None:
    """Change a JSON file; a value of None takes the key out."""
    content = json.loads(file.read_text()) | settings
    file.write_text(json.dumps({key: value for key, value in content.items() if value is not None}))


def test_a_template_with_the_date_asks_the_same_every_day(copied: Copied, monkeypatch: pytest.MonkeyPatch):
    directory = copied("qwen3")
    dated = "{% set today = strftime_now('%d %b %Y') %}{{ 'Today: ' + today + strftime_now(', %A %H:%M') + '\n' }}"
    (directory / "chat_template.jinja").write_text(dated + CHATML)
    prompt = load(directory).prompt
    assert prompt.before.startswith("Today: 26 Jul 2024, Friday 12:00\n<|im_start|>user\n")
    assert prompt.after.endswith("<think>\n\n</think>\n\n")


def test_a_clock_of_transformers_is_what_is_replaced():
    """If it had another name, the prompt would silently depend on the day again."""
    compiled = chat_template_utils._compile_jinja_template("{{ strftime_now('%Y') }}")
    assert int(compiled.render()) >= 2026


def test_several_templates(copied: Copied):
    directory = copied("qwen3")
    (directory / "chat_template.jinja").unlink()
    named = [{"name": "rag", "template": "{{ messages }}"}, {"name": "default", "template": CHATML}]
    change(directory / "tokenizer_config.json", chat_template=named)
    assert load(directory).prompt.before.startswith("<|im_start|>user\n")
    change(directory / "tokenizer_config.json", chat_template=named[:1])
    with pytest.raises(ModelError, match="has several chat templates, none of them named `default`; name the one"):
        load(directory)


@pytest.mark.parametrize("how", ["message.content|tojson", "message.content|e"])
def test_a_template_that_escapes(how: str, copied: Copied):
    directory = copied("qwen3")
    (directory / "chat_template.jinja").write_text(CHATML.replace("message.content", f"({how})"))
    with pytest.raises(ModelError, match="its chat template changes quotation marks in the message"):
        load(directory)


def spaced_tokenizer(scheme: str | None, special: list[str]) -> PreTrainedTokenizerFast:
    """BPE with spaces as letters and one before a text (`scheme`), as Mistral has it; None: as Llama 2 has it."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    # Trained word by word, so that no piece has a space inside.
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always", split=True)
    trainer = trainers.BpeTrainer(vocab_size=120, special_tokens=["<unk>", *special], show_progress=False)
    tokenizer.train_from_iterator([f"{s} [INST] {INSTRUCTION} Arabic: [/INST] \n\n" for s in SENTENCES], trainer)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme or "never", split=False)
    if scheme is None:
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    marks = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, clean_up_tokenization_spaces=False, **marks)


@pytest.mark.parametrize("template", [MISTRAL, None], ids=["template", "plain"])
@pytest.mark.parametrize("special", [["<s>", "</s>"], ["<s>", "</s>", "[INST]", "[/INST]"]], ids=["text", "tokens"])
@pytest.mark.parametrize("scheme", ["first", "always", "never", None])
def test_targets_as_in_a_whole_conversation(scheme: str | None, special: list[str], template: str | None):
    tokenizer = spaced_tokenizer(scheme, special)
    tokenizer.chat_template = template
    languages = ModelConfig().languages
    prompt = make_prompt("model", tokenizer, languages.source, languages.target)
    assert prompt.lead == " "
    translator = translator_of(tokenizer, prompt)
    for target in ("سلام.", "في 2011"):
        ids = [*translator.encode_sources(["Peace."])[0], *translator.decoder_prefix]
        ids += translator.encode_targets([target])[0]
        whole = f"{prompt.of('Peace.')} {target}</s>"
        assert tokenizer.convert_ids_to_tokens(ids) == tokenizer.tokenize(whole)
        assert translator.tokenizer.decode(translator.encode_targets([target])[0][:-1]).strip() == target


def translator_of(tokenizer: PreTrainedTokenizerFast, prompt: Any) -> PromptedTranslator:
    known: Any = {"model": None, "languages": None, "name": "model", "location": "model"}
    return PromptedTranslator(tokenizer=tokenizer, prompt=prompt, **known)


@pytest.mark.parametrize("method", ["gptq", "awq", "fp8", "bitsandbytes", "compressed-tensors"])
def test_quantised_models_are_refused(method: str, copied: Copied):
    directory = copied("qwen3")
    change(directory / "config.json", quantization_config={"quant_method": method, "bits": 4})
    with pytest.raises(
        ModelError, match=rf"config.json: a quantised model \({method}\), .*; use the model that it was"
    ):
        load(directory)


EARLIER: dict[str, tuple[str, dict[str, Any]]] = {
    "local base": ("gemma3", {"rope_parameters": None, "rope_local_base_freq": 500.0, "rope_theta": 1e6}),
    "pattern": ("gemma3", {"layer_types": None, "sliding_window_pattern": 2}),
    "linear": ("gemma3", {"rope_parameters": None, "rope_scaling": {"factor": 8.0, "rope_type": "linear"}}),
    "dynamic": ("llama", {"rope_parameters": None, "rope_scaling": {"factor": 4.0, "type": "dynamic"}}),
    "yarn": ("qwen3", {"rope_parameters": None, "rope_scaling": {"factor": 4.0, "rope_type": "yarn"}}),
    "no padding": ("llama", {"pad_token_id": -1}),
}


@pytest.mark.parametrize("case", EARLIER)
def test_settings_by_earlier_names_are_read_as_transformers_does(case: str, copied: Copied, tmp_path: Path):
    kind, settings = EARLIER[case]
    directory = copied(kind)
    change(directory / "config.json", **settings)
    translator = load(directory)
    ids = torch.arange(5, 80)[None]
    translator.save(tmp_path / "saved")
    with torch.no_grad():
        expected = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32).eval()(ids).logits
        again = AutoModelForCausalLM.from_pretrained(tmp_path / "saved").eval()(ids).logits
        found = translator.model.eval()(ids).logits
    assert torch.equal(found, expected)
    assert torch.equal(found, again)


def test_a_token_for_images_beyond_the_vocabulary(copied: Copied):
    """As Gemma 3 with 1 billion weights has it."""
    directory = copied("qwen3")
    file = directory / "tokenizer.json"
    tokenizer = Tokenizer.from_file(str(file))
    size = json.loads((directory / "config.json").read_text())["vocab_size"]
    tokenizer.add_special_tokens([f"<image {index}>" for index in range(size)])
    last = str(tokenizer.id_to_token(size))
    tokenizer.save(str(file))
    translator = load(directory)
    text = f"{last} and another"
    assert max(translator.encode_sources([text])[0]) < size
    assert max(translator.encode_targets([text])[0]) < size
    (directory / "chat_template.jinja").write_text(f"{last}{CHATML}")
    with pytest.raises(ModelError, match=f"prompts have the id {size}, and the model's vocabulary ends at {size - 1}"):
        load(directory)


def test_words_beyond_the_vocabulary(copied: Copied):
    file = copied("qwen3") / "tokenizer.json"
    tokenizer = Tokenizer.from_file(str(file))
    tokenizer.add_tokens([f"word{index}" for index in range(8)])
    tokenizer.save(str(file))
    with pytest.raises(ModelError, match=r"the tokenizer has the id .*, and the model's vocabulary ends at"):
        load(file.parent)


def test_a_prompt_without_room_for_a_source(copied: Copied):
    with pytest.raises(ModelError, match=r"its prompt has \d+ tokens without a source, and only 512 .*shorten model"):
        load(copied("qwen3"), prompt="word " * 600 + "{source}")


def test_the_usual_instruction_stays_with_the_model_too(
    copied: Copied, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    before = {kind: load(copied(kind)) for kind in ("qwen3", "plain", "gemma3")}
    monkeypatch.setattr("mt.models.prompts.INSTRUCTION", "Another one: {source}")
    for kind, translator in before.items():
        translator.save(tmp_path / f"{kind}_saved")
        assert load(tmp_path / f"{kind}_saved").prompt == translator.prompt
    config = json.loads((tmp_path / "gemma3_saved" / "config.json").read_text())
    assert "translation_prompt" not in config


def test_translations_of_another_template_are_not_reused(copied: Copied):
    model = ModelConfig(name=str(copied("qwen3")))
    before = cache_key(model, DecodingConfig(), ["Peace."])
    (Path(model.name) / "chat_template.jinja").write_text(CHATML.replace("assistant", "translator"))
    after = cache_key(model, DecodingConfig(), ["Peace."])
    assert before is not None
    assert after is not None
    assert before.name != after.name


def test_the_base_by_another_name_is_asked_as_in_its_run(copied: Copied, tmp_path: Path):
    base = copied("qwen3")
    link = tmp_path / "link"
    link.symlink_to(base)
    run = RunSettings(base=str(base), revision="v1", prompt="Now: {source}")
    found = SettingsRule({tmp_path / "run": run}).settings_of(str(link), None)
    assert (found.model.prompt, found.model.revision) == ("Now: {source}", "main")
