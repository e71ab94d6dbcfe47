"""Checkpoints are whole, or passed over."""

from pathlib import Path

import pytest

from mt.training.checkpoints import damage, newest_whole, rotate, seal


def checkpoint(directory: Path, update: int) -> Path:
    path = directory / f"checkpoint-{update}"
    (path / "inside").mkdir(parents=True)
    (path / "model.safetensors").write_bytes(b"weights" * update)
    (path / "inside" / "rng.pth").write_bytes(b"state")
    seal(path)
    return path


def test_a_changed_byte_and_a_missing_file_are_noticed(tmp_path: Path):
    whole = checkpoint(tmp_path, 5)
    assert damage(whole) is None
    (whole / "model.safetensors").write_bytes(b"weightS" * 5)
    assert damage(whole) == "model.safetensors is not as it was written"
    missing = checkpoint(tmp_path, 6)
    (missing / "inside" / "rng.pth").unlink()
    assert damage(missing) == "rng.pth is missing"
    unsealed = tmp_path / "checkpoint-7"
    unsealed.mkdir()
    assert damage(unsealed) == "checksums.json is missing"
    (unsealed / "checksums.json").write_text("{broken")
    assert "it cannot be read" in str(damage(unsealed))
    assert damage(tmp_path / "checkpoint-8") == "checksums.json is missing"


def test_the_newest_whole_one_is_found(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    for update in (9, 10, 100):
        checkpoint(tmp_path, update)
    (tmp_path / "unfinished").mkdir()
    (tmp_path / "checkpoint-best").mkdir()
    assert newest_whole(tmp_path) == tmp_path / "checkpoint-100"
    with (tmp_path / "checkpoint-100" / "model.safetensors").open("r+b") as file:
        file.truncate(10)
    assert newest_whole(tmp_path) == tmp_path / "checkpoint-10"
    assert "checkpoint-100: passed over, model.safetensors is not as it was written" in caplog.text
    assert newest_whole(tmp_path / "none") is None


def test_rotation_spares_the_newest_and_the_best(tmp_path: Path):
    for update in (2, 4, 6, 8, 10):
        checkpoint(tmp_path, update)
    rotate(tmp_path, 2, [4])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint-10", "checkpoint-4", "checkpoint-8"]
