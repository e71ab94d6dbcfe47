"""Checkpoints are whole, or passed over."""

import json
import shutil
from pathlib import Path

import pytest

from mt.files import write_checksums
from mt.training.checkpoints import find_checkpoint_damage, latest_intact, put_checkpoint, rotate

OTHERS = ("config.json", "trainer_state.json", "optimizer.pt", "scheduler.pt")


def checkpoint(directory: Path, update: int) -> Path:
    path = directory / "unfinished" / f"checkpoint-{update}"
    path.mkdir(parents=True)
    (path / "model.safetensors").write_bytes(b"weights" * update)
    for name in (*OTHERS, "rng_state.pth"):
        (path / name).write_text(json.dumps({"global_step": update}))
    put_checkpoint(path, directory)
    path.parent.rmdir()
    return directory / path.name


def test_a_changed_byte_and_a_missing_file_are_noticed(tmp_path: Path):
    intact = checkpoint(tmp_path, 5)
    assert find_checkpoint_damage(intact) is None
    (intact / "model.safetensors").write_bytes(b"weightS" * 5)
    assert find_checkpoint_damage(intact) == "model.safetensors is not as it was written"
    missing = checkpoint(tmp_path, 6)
    (missing / "rng_state.pth").unlink()
    assert find_checkpoint_damage(missing) == "rng_state.pth is missing"
    assert find_checkpoint_damage(tmp_path / "checkpoint-8") == "checksums.json is missing"


@pytest.mark.parametrize("name", ["model.safetensors", "rng_state.pth", *OTHERS])
def test_a_checkpoint_whose_checksums_lack_a_part_is_not_intact(tmp_path: Path, name: str):
    torn = checkpoint(tmp_path, 5)
    (torn / name).unlink()
    write_checksums(torn)
    assert str(find_checkpoint_damage(torn)).startswith("its checksums.json lists no ")
    (torn / "checksums.json").write_text("{}")
    assert find_checkpoint_damage(torn) == (
        "its checksums.json lists no model*.safetensors or adapter_model.safetensors"
    )


def test_a_checkpoint_that_was_renamed_is_not_what_it_is_called(tmp_path: Path):
    renamed = shutil.copytree(checkpoint(tmp_path, 5), tmp_path / "checkpoint-7")
    assert find_checkpoint_damage(renamed) == "it is the state after 5 updates"


@pytest.mark.parametrize("name", ["checkpoint-٤", "checkpoint--4", "checkpoint-²", "checkpoint-04", "checkpoint-best"])
def test_what_is_called_otherwise_is_no_checkpoint_and_stays(tmp_path: Path, name: str):
    (tmp_path / name).mkdir()
    checkpoint(tmp_path, 5)
    assert latest_intact(tmp_path) == tmp_path / "checkpoint-5"
    rotate(tmp_path, 1, [])
    assert (tmp_path / name).is_dir()


def test_one_that_was_damaged_is_replaced(tmp_path: Path):
    (checkpoint(tmp_path, 5) / "model.safetensors").write_bytes(b"")
    assert find_checkpoint_damage(checkpoint(tmp_path, 5)) is None


def test_the_latest_intact_one_is_found(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    for update in (9, 10, 100):
        checkpoint(tmp_path, update)
    (tmp_path / "unfinished").mkdir()
    (tmp_path / "checkpoint-best").mkdir()
    assert latest_intact(tmp_path) == tmp_path / "checkpoint-100"
    with (tmp_path / "checkpoint-100" / "model.safetensors").open("r+b") as file:
        file.truncate(10)
    assert latest_intact(tmp_path) == tmp_path / "checkpoint-10"
    assert "checkpoint-100: skipped, model.safetensors is not as it was written" in caplog.text
    assert latest_intact(tmp_path / "none") is None


def test_rotation_spares_the_newest_and_the_best(tmp_path: Path):
    for update in (2, 4, 6, 8, 10):
        checkpoint(tmp_path, update)
    rotate(tmp_path, 2, [4])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint-10", "checkpoint-4", "checkpoint-8"]
