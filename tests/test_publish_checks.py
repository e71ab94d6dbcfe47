"""What `mt publish` checks before the first byte, and what failures say."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import huggingface_hub
import pytest

from tests.helpers import only_line, run
from tests.test_publish import FakeApi, fake_hub, made_run


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    return fake_hub(monkeypatch)


@pytest.fixture
def finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return made_run(tmp_path / "run")


def spoil(root: Path, file: str, content: bytes | None) -> None:
    path = root / file
    path.unlink() if content is None else path.write_bytes(content)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("scores.json", None, "run: the run is unfinished; let it finish with --resume, then publish it"),
        ("scores.json", b"{", "run: the run is damaged: scores.json is not readable; let it finish"),
        ("scores.json", b'{"scores": [], "fidelity": [5]}', "scores.json: is of another version (AttributeError"),
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
