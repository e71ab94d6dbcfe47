"""What a person gets for a mistake: one sentence, exit status 1, nothing else on the screen."""

import io
import sys
from pathlib import Path

import pytest

from tests.conftest import SEED, STARTER, run_with
from tests.helpers import only_line, run

GOOD_LINES = "".join(f"Word {letter}.\tكلمة {letter}\n" for letter in "abcdefghijklmnopqrst")


def train(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *options: str, config: str = "name: a\n") -> int:
    (tmp_path / "config.yaml").write_text(config, encoding="utf-8")
    output = ["--output_dir", str(tmp_path / "run")] if "--output_dir" not in options else []
    return run(monkeypatch, "train", str(tmp_path / "config.yaml"), *output, *options)


BAD_CORPORA = [
    ("none.tsv", None, "none.tsv: corpus `news` does not exist"),
    ("empty.tsv", b"", "empty.tsv: no sentence pairs in the file"),
    ("no_arabic.txt", b"The city fell.\n", "no_arabic.txt:1: no border between English and Arabic"),
    ("ragged.tsv", b"a\tb\nc\td\te\n", "ragged.tsv:2: expected 2 tab-separated fields"),
    ("latin1.tsv", "café\tb\n".encode("latin-1"), "latin1.tsv:1: byte 0xe9 at position 4 is not UTF-8"),
]


@pytest.mark.parametrize(("name", "content", "message"), BAD_CORPORA, ids=[name for name, *_ in BAD_CORPORA])
def test_bad_corpus(
    name: str,
    content: bytes | None,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    assert train(monkeypatch, tmp_path, "--data.corpora.news", str(tmp_path / name)) == 1
    assert message in only_line(capsys)


def test_misspelt_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    assert train(monkeypatch, tmp_path, config="training: {learnin_rate: 1}\n") == 1
    assert "did you mean learning_rate?" in only_line(capsys)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("./none", "./none: no such model directory"),
        ("someone/none", "neither a directory here nor a model that could be fetched"),
    ],
)
def test_missing_model(
    name: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "news.tsv").write_text(GOOD_LINES, encoding="utf-8")
    options = ["--data.corpora.news", str(tmp_path / "news.tsv"), "--model.name", name]
    assert train(monkeypatch, tmp_path, *options) == 1
    assert message in only_line(capsys)
    # What failed before training is no run: the next try needs no --overwrite.
    assert train(monkeypatch, tmp_path, *options) == 1
    assert message in only_line(capsys)


def test_taken_output_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    run_with(tmp_path / "run", "name: a\n")
    (tmp_path / "run" / "metrics.jsonl").write_text('{"update": 0}\n')
    assert train(monkeypatch, tmp_path, "--data.corpora.seed", str(SEED)) == 1
    assert "holds an earlier training run; continue it with --resume, replace it with --overwrite" in only_line(capsys)


def test_nothing_to_test_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    assert train(monkeypatch, tmp_path, "--data.corpora.seed", str(SEED), "--data.test_share", "0") == 1
    assert "nothing to test on" in only_line(capsys)


@pytest.mark.slow
def test_untrained_model_is_refused_before_training(
    tmp_path: Path, marian_directory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    options = ["--data.corpora.starter", str(STARTER), "--model.name", str(marian_directory)]
    assert train(monkeypatch, tmp_path, *options) == 1
    error = only_line(capsys)
    assert "the model does not translate properly (" in error
    assert "--model.skip_doctor true" in error
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_usage_exits_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    assert train(monkeypatch, tmp_path, "--nonsense") == 2
    assert "--help" in only_line(capsys)
    assert run(monkeypatch, "evaluate") == 2
    assert "required" in only_line(capsys)
    assert run(monkeypatch, "mt", "nonsense") == 2
    assert "usage: mt COMMAND" in capsys.readouterr().err


@pytest.mark.parametrize("argv", [["--help"], ["train", "--help"], ["evaluate", "--help"], ["doctor", "--help"]])
def test_help(argv: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    if argv == ["--help"]:
        assert run(monkeypatch, "mt", *argv) == 0
    else:
        with pytest.raises(SystemExit, match="0"):
            run(monkeypatch, "mt", *argv)
    captured = capsys.readouterr()
    assert "usage: mt " in captured.out
    assert captured.err == ""


def news_file(tmp_path: Path) -> str:
    file = tmp_path / "news.tsv"
    file.write_text(GOOD_LINES, encoding="utf-8")
    return str(file)


@pytest.mark.parametrize(
    ("systems", "message"),
    [
        (["none.txt"], "none.txt: no such file or directory"),
        (["{tmp}/short.txt"], "short: 2 translations for the 20 sentences of test set `news`"),
        (["{tmp}/a/x.txt", "{tmp}/b/x.txt"], "share the label `x`; name them"),
        (["{tmp}"], "news.txt: no such file; "),
    ],
)
def test_bad_systems(
    systems: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    (tmp_path / "short.txt").write_text("a\nb\n")
    for folder in "ab":
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.txt").write_text("a\n")
    monkeypatch.chdir(tmp_path)
    paths = [system.format(tmp=tmp_path) for system in systems]
    options = ["--test_set", f"news={news_file(tmp_path)}", "--output_dir", str(tmp_path / "out")]
    assert run(monkeypatch, "evaluate", *paths, *options) == 1
    assert message in only_line(capsys)


def test_no_test_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "x.txt").write_text("a\n")
    assert run(monkeypatch, "evaluate", str(tmp_path / "x.txt"), "--output_dir", str(tmp_path / "out")) == 1
    assert "no test set: none of the systems is a run" in only_line(capsys)


@pytest.mark.slow
def test_text_files_compared_and_exit_3(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    # Fewer than thirty different lines would have no verdict.
    words = [first + second for first in "abcdefgh" for second in "klmno"]
    (tmp_path / "good.txt").write_text("".join(f"كلمة {word}\n" for word in words), encoding="utf-8")
    (tmp_path / "bad.txt").write_text("لا\n" * 40, encoding="utf-8")
    (tmp_path / "forty.tsv").write_text("".join(f"Word {word}.\tكلمة {word}\n" for word in words), encoding="utf-8")
    options = ["--test_set", f"news={tmp_path / 'forty.tsv'}", "--output_dir", str(tmp_path / "out")]
    argv = [str(tmp_path / "good.txt"), f"worse={tmp_path / 'bad.txt'}", *options]
    assert run(monkeypatch, "evaluate", *argv) == 0
    assert "On news, worse is " in capsys.readouterr().out
    assert run(monkeypatch, "evaluate", *argv) == 1
    assert "holds an earlier evaluation" in only_line(capsys)
    assert run(monkeypatch, "evaluate", *argv, "--overwrite", "--fail_if_worse", "chrF") == 3
    assert "chrF worse than good" in capsys.readouterr().err


def test_importing_evaluate_does_nothing(capsys: pytest.CaptureFixture[str]):
    import evaluate  # ours: it stands at the root, where Hugging Face's package of this name would be shadowed

    assert evaluate.__doc__ is not None
    assert evaluate.__doc__.startswith("Compare translation systems")
    assert capsys.readouterr() == ("", "")


def test_bytes_on_stdin_that_are_no_text(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("Aid.\ncafé\n".encode("latin-1"))))
    assert run(monkeypatch, "mt", "translate", "tiny-en-ar") == 1
    assert "standard input:2: byte 0xe9 at position 4 is not UTF-8" in only_line(capsys)


def test_export_takes_only_what_a_model_is_saved_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    assert run(monkeypatch, "mt", "export", "tiny-en-ar", str(tmp_path / "out"), "--decoding.tag", "<news>") == 2
    assert "decoding.tag" in only_line(capsys)
