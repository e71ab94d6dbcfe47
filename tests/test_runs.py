"""The run directory: who may write where."""

import json
from pathlib import Path

import pytest

from mt.errors import RunError
from mt.runs import open_run, sha256_of, start_manifest, write_json, write_lines


def test_a_new_run_and_its_config(tmp_path: Path):
    run = open_run(tmp_path / "runs" / "a", "name: a\n")
    assert run.config.read_text() == "name: a\n"


def test_a_taken_directory_is_refused(tmp_path: Path):
    run = open_run(tmp_path / "a", "name: a\n")
    open_run(tmp_path / "a", "name: b\n")  # it failed before it had anything to lose
    write_json(run.manifest, {})
    with pytest.raises(RunError, match="holds another run; go on with it by --resume, replace it by --overwrite"):
        open_run(tmp_path / "a", "name: a\n")


def test_overwrite_removes_the_old_run_and_nothing_else(tmp_path: Path):
    run = open_run(tmp_path / "a", "name: a\n")
    write_json(run.scores, {})
    write_lines(run.translations("test", "base"), ["x"])
    (run.root / "notes.txt").write_text("mine")
    open_run(tmp_path / "a", "name: b\n", overwrite=True)
    assert not run.scores.exists()
    assert not (run.root / "translations").exists()
    assert (run.root / "notes.txt").read_text() == "mine"


def test_a_directory_with_other_files_is_left_alone(tmp_path: Path):
    (tmp_path / "thesis.tex").write_text("x")
    for overwrite in (False, True):
        with pytest.raises(RunError, match=r"holds files that are no run's, such as thesis\.tex"):
            open_run(tmp_path, "name: a\n", overwrite=overwrite)


def test_output_directory_that_is_a_file(tmp_path: Path):
    (tmp_path / "a").write_text("x")
    with pytest.raises(RunError, match="the output directory is a file"):
        open_run(tmp_path / "a", "name: a\n")


def test_resume_needs_a_run_with_the_same_config(tmp_path: Path):
    with pytest.raises(RunError, match="no run to resume here"):
        open_run(tmp_path / "a", "name: a\n", resume=True)
    open_run(tmp_path / "a", "name: a\nseed: 1\n")
    open_run(tmp_path / "a", "name: a\nseed: 1\n", resume=True)
    with pytest.raises(RunError, match=r"had another config .*`seed: 2`"):
        open_run(tmp_path / "a", "name: a\nseed: 2\n", resume=True)


def test_a_line_a_sentence(tmp_path: Path):
    write_lines(tmp_path / "t" / "x.txt", ["one", "two\nlines", "", "a\u2028b"])
    assert (tmp_path / "t" / "x.txt").read_text(encoding="utf-8") == "one\ntwo lines\n\na b\n"


def test_manifest_names_versions_and_inputs(tmp_path: Path):
    (tmp_path / "in.txt").write_bytes(b"abc")
    # SHA-256 of "abc", from FIPS 180-2, appendix B.1.
    abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    manifest = start_manifest("demo", 5, {str(tmp_path / "in.txt"): abc})
    assert manifest["inputs"] == {str(tmp_path / "in.txt"): abc}
    assert sha256_of(tmp_path / "in.txt") == abc
    assert manifest["seed"] == 5
    assert {"torch", "transformers", "sacrebleu", "python"} <= set(manifest["versions"])
    json.dumps(manifest)
