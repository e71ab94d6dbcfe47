"""`mt publish`: what is uploaded and what never is, licences, checks before the first byte, and what failures say."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import numpy as np
import pytest
from huggingface_hub import ModelCard
from huggingface_hub.repocard_data import eval_results_to_model_index, model_index_to_eval_results
from safetensors.numpy import save_file

from mt.config import Config, CorpusConfig, DataConfig, ModelConfig
from mt.data.pair import Pair, Rejection
from mt.data.report import CorpusReport, DataReport
from mt.report.publishing_card import without_paths
from tests.helpers import cells_of, run
from tests.test_leaderboard import make_run, score, scores_of

SECRET = "The envoy met the commanders in secret."
ARABIC = "التقى المبعوث القادة سرا."
HOME = "/home/reporter/sources"
CONFIG = f"""
name: desk
data: {{corpora: {{news: {{path: {HOME}/news.tsv, licence: cc-by-4.0}}}}}}
model: {{name: Helsinki-NLP/opus-mt-tc-big-en-ar}}
decoding: {{terminology: {HOME}/terms.tsv}}
"""
CARD = f"""---
language: [en, ar]
library_name: transformers
base_model: Helsinki-NLP/opus-mt-tc-big-en-ar
pipeline_tag: translation
model-index:
- name: desk
  results:
  - task: {{type: translation}}
    dataset: {{name: test, type: test}}
    metrics:
    - {{type: chrf, value: 40.0, name: chrF, config: "nrefs:1"}}
---

# desk

- corpora: news ({HOME}/news.tsv)

## Scores
"""


def made_run(root: Path, config: str = CONFIG, **manifest: Any) -> Path:
    """A finished run with a model of one weight, whose reports hold a sentence that must stay at home."""
    facts = {"system": "finetuned", "test_set": "test", "check": "numbers", "passed": 189, "total": 232}
    secrets = {
        "ngrams": [{"ngram": ARABIC}],
        "fidelity_failures": [{"detail": SECRET}],
        "notes": [SECRET],
        "overlap": [{"rows": [SECRET]}],
    }
    scores = scores_of(score("base", 30.0), score("finetuned", 40.0), fidelity=[facts], **secrets)
    scores |= {"verdicts": [{"text": "On test, finetuned is 10.0 chrF better than base."}], "advice": "Take finetuned."}
    scores |= {"decoding": {"finetuned": {"terminology": f"{HOME}/terms.tsv"}}}
    make_run(root, config=config, scores=scores, base_model={"source_prefix": ">>ara<< "}, **manifest)
    model = root / "model"
    model.mkdir()
    save_file({"weight": np.zeros(3, np.float32)}, model / "model.safetensors")
    (model / "config.json").write_text('{"model_type": "marian"}')
    (model / "tokenizer_config.json").write_text(f'{{"name_or_path": "{HOME}/base", "model_max_length": 512}}')
    (model / "vocab.json").write_text("{}")
    (model / "source.spm").write_bytes(b"spm")
    (model / "modeling_own.py").write_text("raise SystemExit")
    (model / "optimizer.pt").write_bytes(b"pickle")
    (model / "README.md").write_text(CARD)
    pair = Pair(SECRET, ARABIC, f"{HOME}/news.tsv:1", fault=Rejection("numbers", "7"))
    corpus = CorpusReport(9, Counter({"numbers": 1}), examples={"numbers": [pair]}, samples=[pair])
    (root / "data_report.json").write_text(json.dumps(DataReport({"news": corpus}).as_json()))
    (root / "report.html").write_text(SECRET)
    (root / "report.md").write_text(SECRET)
    for name in ("data/train.arrow", "translations/test/finetuned.txt"):
        (root / name).parent.mkdir(parents=True)
        (root / name).write_text(ARABIC)
    return root


class FakeApi:
    """A hub that notes what it was asked, and what was in the folder at that moment."""

    there: Any = None
    """What `model_info` says; None: there is no such repository."""
    failure: Exception | None = None

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.files: dict[str, bytes] = {}

    def _note(self, name: str, *arguments: Any, **options: Any) -> None:
        self.calls.append((name, {"repo": arguments[0] if arguments else options.pop("repo_id"), **options}))

    def repo_exists(self, repo: str) -> bool:
        if self.failure is not None:
            raise self.failure
        return self.there is not None

    def model_info(self, repo: str) -> Any:
        return self.there

    def create_repo(self, repo: str, **options: Any) -> None:
        self._note("create_repo", repo, **options)

    def create_branch(self, repo: str, **options: Any) -> None:
        self._note("create_branch", repo, **options)

    def upload_folder(self, **options: Any) -> Any:
        self.files = {path.name: path.read_bytes() for path in Path(options.pop("folder_path")).iterdir()}
        self._note("upload_folder", **options)
        return SimpleNamespace(commit_url="https://huggingface.co/desk/en-ar/commit/1")


def fake_hub(monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    """Put a fake in the client's place, and a token where the client looks for it."""
    api = FakeApi()
    monkeypatch.setattr(huggingface_hub, "HfApi", lambda: api)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    return api


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    return fake_hub(monkeypatch)


@pytest.fixture
def finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return made_run(tmp_path / "run")


PUBLISHED = [
    *("README.md", "config.json", "data_card.md", "model.safetensors", "scores.json", "source.spm"),
    *("tokenizer_config.json", "vocab.json"),
]


def assert_nothing_leaks(files: dict[str, bytes]) -> None:
    for name, content in files.items():
        for secret in (SECRET, ARABIC, HOME, "reporter", "hf_secret"):
            assert secret.encode() not in content, (name, secret)
            assert json.dumps(secret)[1:-1].encode() not in content, (name, secret)


# What is uploaded


def test_the_upload(finished: Path, hub: FakeApi, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    assert run(monkeypatch, "mt", "publish", "run", "desk/en-ar") == 0
    assert sorted(hub.files) == PUBLISHED
    assert_nothing_leaks(hub.files)
    assert json.loads(hub.files["tokenizer_config.json"]) == {"model_max_length": 512}
    assert hub.files["model.safetensors"] == (finished / "model" / "model.safetensors").read_bytes()
    assert hub.calls == [
        ("create_repo", {"repo": "desk/en-ar", "private": True}),
        (
            "upload_folder",
            {
                "repo": "desk/en-ar",
                "revision": None,
                "commit_message": "run, published with mt",
                "delete_patterns": ["report.html", "report.md", "model*.safetensors", "model.safetensors.index.json"],
            },
        ),
    ]
    captured = capsys.readouterr()
    assert captured.out.splitlines() == [
        "published: https://huggingface.co/desk/en-ar/commit/1",
        "licence: cc-by-4.0",
        "left out: data, translations, checkpoints, the report (it shows test sentences; --with_report adds it)",
    ]
    assert captured.err == "not part of the model, left out: modeling_own.py, optimizer.pt\n"


@pytest.mark.usefixtures("finished")
def test_visibility_and_branch(hub: FakeApi, monkeypatch: pytest.MonkeyPatch):
    options = ("--private", "false", "--revision", "v2")
    assert run(monkeypatch, "mt", "publish", "run", "desk/en-ar", *options) == 0
    assert [name for name, _ in hub.calls] == ["create_repo", "create_branch", "upload_folder"]
    assert hub.calls[0][1]["private"] is False
    assert hub.calls[1][1] == {"repo": "desk/en-ar", "branch": "v2", "exist_ok": True}
    assert hub.calls[2][1]["revision"] == "v2"


@pytest.mark.usefixtures("finished")
def test_a_public_repository_gets_nothing_unasked(
    hub: FakeApi, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    hub.there = SimpleNamespace(private=False)
    assert run(monkeypatch, "mt", "publish", "run", "desk/en-ar") == 1
    assert "desk/en-ar: exists and is public, and nothing was uploaded; say --private false" in capsys.readouterr().err
    assert hub.calls == []
    assert run(monkeypatch, "mt", "publish", "run", "desk/en-ar", "--private", "false") == 0
    assert [name for name, _ in hub.calls] == ["upload_folder"]
    hub.there = SimpleNamespace(private=True)
    assert run(monkeypatch, "mt", "publish", "run", "desk/en-ar") == 0


def test_dry_run_writes_the_same_files_and_needs_no_token(
    finished: Path, hub: FakeApi, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    assert run(monkeypatch, "mt", "publish", "run", "desk/en-ar") == 0
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: None)
    hub.calls.clear()
    capsys.readouterr()
    assert run(monkeypatch, "mt", "publish", "run", "desk/en-ar", "--dry_run", "out") == 0
    assert hub.calls == []
    assert {path.name: path.read_bytes() for path in Path("out").iterdir()} == hub.files
    assert not any(path.is_symlink() for path in Path("out").iterdir())
    assert "folder: out, for desk/en-ar; nothing was uploaded" in capsys.readouterr().out


@pytest.mark.usefixtures("finished")
def test_the_report_only_when_asked_for(
    hub: FakeApi, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    assert run(monkeypatch, "mt", "publish", "run", "desk/en-ar", "--with_report") == 0
    assert sorted(hub.files) == sorted([*PUBLISHED, "report.html", "report.md"])
    assert "mt publish: the report shows test sentences, training samples and paths" in capsys.readouterr().err
    assert b"with test sentences and their translations" in hub.files["README.md"]


# The card


@pytest.mark.usefixtures("finished")
def test_the_card_is_what_the_hub_reads(monkeypatch: pytest.MonkeyPatch):
    assert run(monkeypatch, "mt", "publish", "run", "desk/en-ar", "--dry_run", "out") == 0
    card = ModelCard.load(Path("out/README.md"))
    data = card.data.to_dict()
    assert (data["license"], data["base_model"], data["base_model_relation"]) == (
        *("cc-by-4.0", "Helsinki-NLP/opus-mt-tc-big-en-ar", "finetune"),
    )
    name, results = model_index_to_eval_results(data["model-index"])
    assert (name, len(results)) == ("desk", 1)
    assert (results[0].metric_type, results[0].metric_value, results[0].metric_config) == ("chrf", 40.0, "nrefs:1")
    assert eval_results_to_model_index(name, results) == data["model-index"]
    headings = [line for line in card.text.splitlines() if line.startswith("#")]
    assert headings == [
        *("# desk", "## Scores", "## What fine-tuning changed", "## How to use it", "## Intended use and limits"),
        *("## Licences", "## How it was adapted", "## Files"),
    ]
    for said in (
        "- corpora: news (news.tsv)",
        "On test, finetuned is 10.0 chrF better than base.",
        'AutoTokenizer.from_pretrained("desk/en-ar")',
        'tokenizer([">>ara<< ..."], return_tensors="pt")',
        "189 of 232",
        "Adapted with 4612 pairs",
        "What it has forgotten of other text was not measured.",
    ):
        assert said in card.text
    rows = [cells_of(line) for line in card.text.splitlines() if line.startswith("|")]
    assert ["corpus news", "cc-by-4.0", "the config", "yes"] in rows
    assert ["`decoding.terminology`", "terms.tsv"] in rows
    data_card = Path("out/data_card.md").read_text(encoding="utf-8")
    assert "Licences: news cc-by-4.0." in data_card
    assert "| news | 9 | 1 numbers |" in data_card


@pytest.mark.usefixtures("hub")
def test_a_language_model_needs_its_prompt(finished: Path, monkeypatch: pytest.MonkeyPatch):
    settings = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "translation_prompt": "Say {source}"}
    (finished / "model" / "config.json").write_text(json.dumps(settings))
    (finished / "model" / "chat_template.jinja").write_text("{{ messages }}")
    assert run(monkeypatch, "mt", "publish", "run", "desk/en-ar", "--dry_run", "out") == 0
    text = ModelCard.load(Path("out/README.md")).text
    assert "mt translate desk/en-ar english.txt" in text
    assert "`translation_prompt` in `config.json` is its instruction." in text
    assert "AutoModelForSeq2SeqLM" not in text
    assert Path("out/chat_template.jinja").is_file()


def test_paths_lose_their_folders():
    news = CorpusConfig(path="/home/me/a_b/news.tsv")
    config = Config(data=DataConfig(corpora={"news": news}), model=ModelConfig(name="/home/me/runs/a/model"))
    text = "/home/me/a_b/news.tsv, /home/me/a\\_b/news.tsv and /home/me/runs/a/model"
    assert without_paths(text, config) == "news.tsv, news.tsv and a/model"
