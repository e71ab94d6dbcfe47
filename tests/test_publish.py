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
from mt.config.config_files import config_as_yaml
from mt.data import cache
from mt.data.pair import Pair, Rejection
from mt.data.report import CorpusReport, DataReport
from mt.errors import ConfigError
from mt.experiment.extension import find_changes
from mt.files import sha256_of
from mt.report.data_card import as_markdown, card_view
from mt.report.data_page import render_data_card
from mt.report.publishing_card import without_paths
from mt.report.publishing_licences import Part, is_noncommercial, licence_chain, licence_of_model
from mt.runs import RunDirectory
from tests.conftest import SEED, STARTER, run_with
from tests.helpers import cells_of, only_line, run
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


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    api = FakeApi()
    monkeypatch.setattr(huggingface_hub, "HfApi", lambda: api)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    return api


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


def test_paths_lose_their_folders():
    news = CorpusConfig(path="/home/me/a_b/news.tsv")
    config = Config(data=DataConfig(corpora={"news": news}), model=ModelConfig(name="/home/me/runs/a/model"))
    text = "/home/me/a_b/news.tsv, /home/me/a\\_b/news.tsv and /home/me/runs/a/model"
    assert without_paths(text, config) == "news.tsv, news.tsv and a/model"


# Licences


@pytest.mark.parametrize(
    ("licence", "forbids"),
    [
        *((name, True) for name in ("cc-by-nc-4.0", "CC BY-NC-SA 3.0", "Non-commercial use only", "research-only")),
        *((name, False) for name in ("apache-2.0", "cc-by-4.0", "ncsa", "mit", None)),
    ],
)
def test_what_forbids_commercial_use(licence: str | None, forbids: bool):
    assert is_noncommercial(licence) is forbids


def part(licence: str | None, is_in_model: bool = True) -> Part:
    return Part("corpus", "news", licence, "the config", is_in_model)


def test_the_licence_of_the_model():
    assert licence_of_model([part("mit"), part("mit")]) == "mit"
    assert licence_of_model([part("mit"), part("cc-by-4.0")]) == "other"
    assert licence_of_model([part("mit"), part(None)]) == "unknown"
    # What was only tested on, the model has not learnt from.
    assert licence_of_model([part("mit"), part("cc-by-nc-4.0", False), part(None, False)]) == "mit"
    assert not part("cc-by-nc-4.0", False).is_noncommercial
    assert licence_of_model([part("mit"), part(None)], "cc-by-4.0") == "cc-by-4.0"
    assert licence_of_model([part("cc-by-nc-4.0")], "cc-by-nc-sa-4.0") == "cc-by-nc-sa-4.0"
    with pytest.raises(
        ConfigError, match=r"--licence mit permits commercial use, but the corpus `news` is cc-by-nc-4\.0"
    ):
        licence_of_model([part("cc-by-nc-4.0")], "mit")


def chain_of(model: str, corpora: dict[str, CorpusConfig], **inputs: str) -> list[tuple[str, str | None, str]]:
    config = Config(data=DataConfig(corpora=corpora), model=ModelConfig(name=model))
    return [(each.what, each.licence, each.origin) for each in licence_chain(config, inputs)]


def test_where_licences_come_from(tmp_path: Path):
    corpora = {
        "desk": CorpusConfig(path="desk.tsv", licence="cc-by-nc-4.0"),
        "seed": CorpusConfig(path="elsewhere/copied.txt"),
        "other": CorpusConfig(path="other.tsv"),
    }
    hashes = {"elsewhere/copied.txt": sha256_of(SEED), "other.tsv": "0" * 64, "starter": sha256_of(STARTER)}
    assert chain_of("facebook/nllb-200-distilled-600M", corpora, **hashes) == [
        ("base model `facebook/nllb-200-distilled-600M`", "cc-by-nc-4.0", "known to mt"),
        ("corpus `desk`", "cc-by-nc-4.0", "the config"),
        ("corpus `seed`", "apache-2.0", "comes with mt"),
        ("corpus `other`", None, "the config names none"),
    ]
    mbart = chain_of("facebook/mbart-large-50-many-to-many-mmt", {})
    assert mbart[0][1:] == (None, "no model card on this machine names one")
    (tmp_path / "README.md").write_text("---\nlicense: other\nlicense_name: desk-terms\n---\n")
    assert chain_of(str(tmp_path), {}) == [(f"base model `{tmp_path.name}`", "desk-terms", "its model card")]
    (tmp_path / "README.md").write_text("---\nlicense: [a: b\n---\n")
    assert chain_of(str(tmp_path), {})[0][1] is None


def test_the_chain_goes_on_below_the_base(tmp_path: Path):
    """A model that was adapted twice: what the first adaptation was made from counts, too."""
    first = made_run(tmp_path / "first", CONFIG.replace("Helsinki-NLP/opus-mt-tc-big-en-ar", "facebook/nllb-200-3.3B"))
    assert chain_of(str(first / "model"), {}) == [
        ("base model `first/model`", None, "no model card on this machine names one"),
        ("base model `facebook/nllb-200-3.3B`", "cc-by-nc-4.0", "known to mt"),
        ("corpus `news of first`", "cc-by-4.0", "the config"),
    ]


def test_a_noncommercial_base_is_said_loudly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    text = CONFIG.replace("Helsinki-NLP/opus-mt-tc-big-en-ar", "facebook/nllb-200-distilled-600M")
    made_run(tmp_path / "run", text.replace(", licence: cc-by-4.0", ""))
    assert run(monkeypatch, "mt", "publish", "run", "desk/en-ar", "--dry_run", "out") == 0
    base = "base model `facebook/nllb-200-distilled-600M` (cc-by-nc-4.0)"
    said = f"NOT FOR COMMERCIAL USE, because of the licence of {base}."
    unknown = "The licence is unknown of corpus `news`: find it out before the model is used."
    assert capsys.readouterr().err.splitlines()[:2] == [f"mt publish: {said}", f"mt publish: {unknown}"]
    card = ModelCard.load(Path("out/README.md"))
    assert card.text.strip().splitlines()[2].startswith("> **NOT FOR COMMERCIAL USE")
    assert (card.data.license, "non-commercial" in card.data.tags) == ("unknown", True)
    assert "find it out before the model is used" in card.text
    assert "Licences: news unknown." in Path("out/data_card.md").read_text(encoding="utf-8")
    assert run(monkeypatch, "mt", "publish", "run", "desk/en-ar", "--dry_run", "more", "--licence", "mit") == 1
    assert "--licence mit permits commercial use" in only_line(capsys)
    assert not Path("more").exists()


def test_a_licence_that_the_hub_does_not_know(finished: Path, monkeypatch: pytest.MonkeyPatch):
    assert run(monkeypatch, "mt", "publish", "run", "a/b", "--dry_run", "out", "--licence", "Desk Terms 2") == 0
    data = ModelCard.load(Path("out/README.md")).data
    assert (data.license, data.license_name, data.license_link) == (
        *("other", "desk-terms-2", "https://huggingface.co/a/b#licences"),
    )


# Checks before the first byte


def spoil(root: Path, file: str, content: bytes | None) -> None:
    path = root / file
    path.unlink() if content is None else path.write_bytes(content)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("scores.json", None, "run: the run is unfinished; let it finish with --resume, then publish it"),
        ("scores.json", b"{", "run: the run is damaged: scores.json is not readable; let it finish"),
        ("manifest.json", b"{", "run: the run is damaged: manifest.json is not readable"),
        ("model/model.safetensors", None, "model: holds no weights in safetensors; resume the run"),
        ("model/model.safetensors", b"\x80" * 40, "model.safetensors: is not whole (Error while deserializing header"),
        ("model/config.json", b'{"auto_map": {}}', "config.json: names code to run when the model is loaded"),
        ("model/tokenizer_config.json", b'{"auto_map": {}}', "tokenizer_config.json: names code to run"),
        ("model/config.json", b"{}", "config.json: names no model_type; resume the run"),
        ("model/config.json", None, "config.json: cannot be read"),
        ("model/model.safetensors.index.json", b'{"weight_map": {"a": "model-2.safetensors"}}',
         "model-2.safetensors: is missing, though model.safetensors.index.json lists it"),
        ("model/README.md", None, "README.md: the model card cannot be read"),
        ("model/README.md", b"---\nlanguage: [\n---\n", "README.md: the model card cannot be read"),
        ("data_report.json", b"[]", "data_report.json: the report of the data cannot be read"),
    ],
)  # fmt: skip
def test_a_run_that_cannot_be_published(
    file: str,
    content: bytes | None,
    message: str,
    finished: Path,
    hub: FakeApi,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    (finished / "model" / "modeling_own.py").unlink()
    (finished / "model" / "optimizer.pt").unlink()
    spoil(finished, file, content)
    assert run(monkeypatch, "mt", "publish", "run", "desk/en-ar") == 1
    line = only_line(capsys)
    assert line.startswith("mt publish: ")
    assert message in line
    assert hub.calls == []
    assert run(monkeypatch, "mt", "publish", "run", "desk/en-ar", "--dry_run", "out") == 1
    assert not Path("out").exists()


@pytest.mark.usefixtures("finished")
@pytest.mark.parametrize(
    ("argv", "status", "message"),
    [
        (["lost", "desk/en-ar"], 1, "lost: no such directory; name a finished run"),
        (["run/model", "desk/en-ar"], 1, "run/model: is no training run; name the directory that `train.py`"),
        (["run", "en-ar"], 2, "en-ar: lacks its owner; the form is OWNER/NAME"),
        (["run", "desk/en--ar"], 2, "desk/en--ar: is no name of a repository (Cannot have -- or .. in repo_id"),
        (["run", "a/b/c"], 2, "a/b/c: is no name of a repository"),
        (["run", "desk/en-ar", "--licence", " "], 2, "--licence takes the name of a licence"),
        (["run", "desk/en-ar", "--dry_run", "run"], 1, "run: exists; name a new or empty directory with --dry_run"),
        (["run", "desk/en-ar", "--token", "hf_x"], 2, "--token"),
    ],
)  # fmt: skip
def test_mistakes_in_one_sentence(
    argv: list[str],
    status: int,
    message: str,
    hub: FakeApi,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    assert run(monkeypatch, "mt", "publish", *argv) == status
    assert message in only_line(capsys)
    assert hub.calls == []


@pytest.mark.usefixtures("finished")
def test_no_token(hub: FakeApi, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: None)
    assert run(monkeypatch, "mt", "publish", "run", "desk/en-ar") == 1
    assert "there is no token for the hub; set HF_TOKEN, or run `hf auth login` once" in only_line(capsys)
    assert hub.calls == []


class RefusedError(Exception):
    """As the client raises it: with the hub's response."""

    def __init__(self, status: int) -> None:
        super().__init__(f"status {status}\nmore lines")
        self.response = SimpleNamespace(status_code=status)


class OfflineModeIsEnabled(ConnectionError):  # noqa: N818 - the client's name
    """As the client raises it."""


@pytest.mark.parametrize(
    ("failure", "message"),
    [
        (RefusedError(401), "the hub does not accept the token; make a new one with write access"),
        (RefusedError(403), "the token may not write there; check the owner's name"),
        (RefusedError(404), "the token may not write there; check the owner's name"),
        (RefusedError(503), "the hub refused the upload (status 503, RefusedError: status 503); run the same"),
        (ConnectionError("no route"), "the upload broke off (ConnectionError: no route); check the network, then run"),
        (OfflineModeIsEnabled("x"), "HF_HUB_OFFLINE is set, so nothing can be uploaded; unset it"),
    ],
)  # fmt: skip
def test_a_failing_upload_says_what_to_do(
    failure: Exception,
    message: str,
    finished: Path,
    hub: FakeApi,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    for name in ("modeling_own.py", "optimizer.pt"):
        (finished / "model" / name).unlink()
    hub.failure = failure
    assert run(monkeypatch, "mt", "publish", "run", "desk/en-ar") == 1
    assert f"mt publish: desk/en-ar: {message}" in only_line(capsys)


@pytest.mark.usefixtures("finished")
def test_the_real_client_offline(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    assert huggingface_hub.constants.HF_HUB_OFFLINE
    assert run(monkeypatch, "mt", "publish", "run", "desk/en-ar") == 1
    error = capsys.readouterr().err
    assert "desk/en-ar: HF_HUB_OFFLINE is set, so nothing can be uploaded; unset it" in error
    assert "hf_secret" not in error


# The option `licence` of a corpus


def with_licence(licence: str | None) -> Config:
    return Config(data=DataConfig(corpora={"news": CorpusConfig(path="news.tsv", licence=licence)}))


def test_the_data_cards_name_licences():
    report = DataReport({"news": CorpusReport(9), "desk": CorpusReport(3)})
    licences = {"news": "cc-by-4.0", "desk": None}
    assert "\nLicences: news cc-by-4.0; desk unknown.\n" in as_markdown(report, licences=licences)
    page = render_data_card("Data", card_view(report, licences=licences))
    assert "<p>Licences: news cc-by-4.0; desk unknown.</p>" in page
    for none in (None, {"news": None, "desk": None}):
        assert "Licences" not in as_markdown(report, licences=none)
        assert "Licences" not in render_data_card("Data", card_view(report, licences=none))


@pytest.mark.slow
def test_mt_data_hands_the_licence_on(few_news: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    Path("small.yaml").write_text(f"data: {{corpora: {{news: {{path: {few_news}, licence: cc-by-4.0}}}}}}\n")
    assert run(monkeypatch, "mt", "data", "small.yaml", "--output_dir", "out") == 0
    for name in ("data_card.md", "data_card.html"):
        assert "Licences: news cc-by-4.0." in Path("out", name).read_text(encoding="utf-8")


def test_a_licence_changes_nothing_that_is_built_or_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    Path("news.tsv").write_text("One.\tواحد.\n", encoding="utf-8")
    configs = [with_licence(licence) for licence in (None, "mit")]
    assert len({cache._key(each.data, each.data.corpora, each.model.languages) for each in configs}) == 1
    before = run_with(tmp_path / "run", config_as_yaml(with_licence(None)))
    changes = find_changes(RunDirectory(before), with_licence("mit"))
    assert [str(change) for change in changes] == ["data.corpora.news.licence was None and is now mit"]


def test_an_empty_licence_is_a_mistake():
    with pytest.raises(ConfigError, match="licence of a corpus must not be empty; leave it out if it is unknown"):
        CorpusConfig(path="news.tsv", licence=" ")
