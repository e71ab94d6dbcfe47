"""Small models of every family, made on the spot; nothing is fetched.

torch and transformers are imported by the fixtures: the process that only hands tests out to others needs neither.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ["HF_HUB_OFFLINE"] = "1"  # before transformers is imported: no test may wait for a network

if "PYTEST_XDIST_WORKER" in os.environ:
    # Several processes share the cores: threads of each on all of them would only wait for each other.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
from hypothesis import HealthCheck, settings

from mt.config import CorpusConfig, ModelConfig, ScratchConfig
from mt.data.readers import read_corpus
from mt.runs import claim_run

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page
    from transformers import MBart50Tokenizer, MBartTokenizer

    from mt.models.transformers_model import TransformersTranslator

ROOT = Path(__file__).parent.parent
SEED = ROOT / "data" / "conflict_news" / "seed_pairs.txt"
STARTER = ROOT / "data" / "conflict_news" / "starter.tsv"

SMALL = ScratchConfig(
    vocabulary_size=300,
    d_model=16,
    encoder_layers=1,
    decoder_layers=1,
    attention_heads=2,
    ffn_dim=32,
    lexical_start=False,
)


_TINY: dict[str, Any] = {
    "d_model": 16,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 32,
    "decoder_ffn_dim": 32,
}


# The same examples on every day, and no verdict on how fast a busy machine makes them; new ones are looked for by
# pytest --hypothesis-profile=default.
settings.register_profile(
    "steady", derandomize=True, database=None, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("steady")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files of slow tests come first, then those with some, so that neither of two processes is left alone at the end.

    The longest tests are in files of slow tests only.
    """
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    mixed = {item.path for item in items if not item.get_closest_marker("slow")}
    items.sort(key=lambda item: (item.path not in slow, item.path in mixed))


def run_with(directory: Path, config_yaml: str) -> Path:
    """A run directory in which nothing has happened yet but that its config was written."""
    with claim_run(directory, {}) as run:
        run.begin(config_yaml)
    return directory


def news_pairs() -> tuple[list[str], list[str]]:
    """(sources, targets) of the starter set."""
    pairs = list(read_corpus("starter", CorpusConfig(path=str(STARTER))))
    return [pair.source for pair in pairs], [pair.target for pair in pairs]


def news_sentences() -> list[str]:
    sources, targets = news_pairs()
    return [*sources, *targets]


@pytest.fixture(scope="session", autouse=True)
def cache_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> None:
    """No test takes a build of data from an earlier day, or leaves one."""
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def few_news(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """400 pairs of the starter set: for runs of a few updates, of which nothing but their course is looked at."""
    file = tmp_path_factory.mktemp("news") / "few.tsv"
    lines = STARTER.read_text(encoding="utf-8").splitlines(keepends=True)
    file.write_text("".join(lines[:401]), encoding="utf-8")
    return file


@pytest.fixture(scope="session")
def marian_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained Marian model laid out as opus-mt-en-ar: `>>ara<<`, no languages in its config, <pad> last."""
    from mt.models.from_scratch import create_marian

    directory = tmp_path_factory.mktemp("marian")
    create_marian(SMALL, *news_pairs(), directory, seed=1)
    return directory


@pytest.fixture
def marian(marian_directory: Path) -> TransformersTranslator:
    from mt.models.transformers_model import load_translator

    return load_translator(ModelConfig(name=str(marian_directory)))


def _characters() -> list[str]:
    return sorted(set("".join(news_sentences())) - {" "})


@pytest.fixture(scope="session")
def nllb_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained model with NLLB's architecture and tokenizer, and a vocabulary of characters."""
    from transformers import NllbTokenizer

    directory = tmp_path_factory.mktemp("nllb")
    pieces = ["<s>", "<pad>", "</s>", "<unk>", "▁", *_characters()]
    tokenizer = NllbTokenizer(vocab={piece: i for i, piece in enumerate(pieces)}, merges=[])
    tokenizer.save_pretrained(directory)
    _save_m2m(directory, len(tokenizer))
    return directory


@pytest.fixture(scope="session")
def m2m_directory(tmp_path_factory: pytest.TempPathFactory, marian_directory: Path) -> Path:
    """An untrained model with M2M-100's architecture and tokenizer."""
    from transformers import M2M100Tokenizer

    directory = tmp_path_factory.mktemp("m2m")
    tokenizer = M2M100Tokenizer(str(marian_directory / "vocab.json"), str(marian_directory / "source.spm"))
    tokenizer.save_pretrained(directory)
    _save_m2m(directory, tokenizer.encoder_size + len(tokenizer.lang_code_to_id) + 8)
    return directory


def _save_m2m(directory: Path, size: int) -> None:
    import torch
    from transformers import M2M100Config, M2M100ForConditionalGeneration

    torch.manual_seed(1)
    config = M2M100Config(
        vocab_size=size,
        **_TINY,
        max_position_embeddings=512,
        decoder_start_token_id=2,
    )
    M2M100ForConditionalGeneration(config).save_pretrained(directory)


@pytest.fixture(scope="session")
def mbart50_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained model with mBART-50's architecture and tokenizer, and a vocabulary of characters."""
    from transformers import MBart50Tokenizer

    return _untrained_mbart(MBart50Tokenizer, tmp_path_factory.mktemp("mbart50"))


@pytest.fixture(scope="session")
def mbart_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Likewise of the first mBART, which starts decoding from the language."""
    from transformers import MBartTokenizer

    return _untrained_mbart(MBartTokenizer, tmp_path_factory.mktemp("mbart"))


def _untrained_mbart(tokenizer_class: type[MBartTokenizer | MBart50Tokenizer], directory: Path) -> Path:
    import torch
    from transformers import MBartConfig, MBartForConditionalGeneration

    pieces = ["<s>", "<pad>", "</s>", "<unk>", "▁", *_characters()]
    tokenizer = tokenizer_class(vocab=[(piece, -1.0) for piece in pieces], src_lang="en_XX", tgt_lang="ar_AR")
    tokenizer.save_pretrained(directory)
    torch.manual_seed(1)
    config = MBartConfig(
        vocab_size=len(tokenizer),
        **_TINY,
        max_position_embeddings=512,
        decoder_start_token_id=2,
    )
    MBartForConditionalGeneration(config).save_pretrained(directory)
    return directory


@pytest.fixture(scope="session")
def t5_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained T5 laid out as madlad400-3b-mt: `<2ar>`, no <pad>, an output layer of its own."""
    return save_t5(tmp_path_factory.mktemp("t5"))


def save_t5(directory: Path, *, is_tied: bool = False, width: int = 16, letters: Sequence[str] = ()) -> Path:
    """Such a T5 with a vocabulary of letters; the input embeddings are stored under the decoder's name only.

    is_tied: with <pad> for a start and one matrix for all embeddings, as the first T5.
    """
    import json

    import torch
    from safetensors.torch import load_file, save_file
    from transformers import T5Config, T5ForConditionalGeneration, T5Tokenizer

    marks = ["<pad>", "</s>", "<unk>"] if is_tied else ["<unk>", "<s>", "</s>"]
    languages = [f"<2{code}>" for code in ("ar", "ar_Latn", "arz", "en", "fr")]
    scores = dict.fromkeys([*marks, *languages], 0.0) | {"▁": -2.0} | dict.fromkeys(letters or _characters(), -3.0)
    tokenizer = T5Tokenizer(
        vocab=list(scores.items()),
        pad_token="<pad>" if is_tied else "<s>",
        extra_ids=0,
        additional_special_tokens=[],
    )
    tokenizer.save_pretrained(directory)
    torch.manual_seed(1)
    config = T5Config(
        vocab_size=len(scores),
        d_model=width,
        d_kv=width // 2,
        d_ff=2 * width,
        num_heads=2,
        num_layers=2,
        num_decoder_layers=2,
        feed_forward_proj="gated-gelu",
        decoder_start_token_id=0,
        pad_token_id=0 if is_tied else 1,
        eos_token_id=1 if is_tied else 2,
        tie_word_embeddings=is_tied,
    )
    T5ForConditionalGeneration(config).save_pretrained(directory)
    if not is_tied:
        weights = load_file(directory / "model.safetensors")
        embeddings = weights["decoder.embed_tokens.weight"] = weights.pop("shared.weight")
        weights["lm_head.weight"] = torch.randn(embeddings.shape) * width**-0.5
        save_file(weights, directory / "model.safetensors", metadata={"format": "pt"})
        settings = json.loads((directory / "config.json").read_text(encoding="utf-8")) | {"tie_word_embeddings": False}
        # As older versions of transformers write it.
        settings.pop("scale_decoder_outputs", None)
        (directory / "config.json").write_text(json.dumps(settings), encoding="utf-8")
    return directory


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    from tests.browser import launched_chromium

    with launched_chromium() as chromium:
        yield chromium


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A blank page in a browser of its own; what it logs as an error or fetches from elsewhere fails the test."""
    from tests.browser import watched_page

    with watched_page(browser) as opened:
        yield opened
