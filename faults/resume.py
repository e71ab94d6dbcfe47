"""A run is what it says: what it was made of has changed before it goes on, or before it is used."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

from faults import edits
from faults.box import Box, must, refused, succeeded
from faults.registry import fault
from faults.same import ends_the_same, ends_the_same_or_is_refused, go_on, manifest
from faults.stock import LORA, SCRATCH
from faults.trees import snapshot

Edit = Callable[[Path], None]

_INPUTS: dict[str, tuple[str, Edit]] = {
    "test set reordered": ("test.tsv", edits.reorder),
    "test set edited": ("test.tsv", edits.change_a_reference),
    "test set longer": ("test.tsv", edits.add_a_line),
    "test set halved": ("test.tsv", edits.halve),
    "test set gone": ("test.tsv", edits.remove),
    "corpus halved": ("corpus.tsv", edits.halve),
    "corpus reordered": ("corpus.tsv", edits.reorder),
    "corpus edited at the same size": ("corpus.tsv", edits.same_size_edit),
    "corpus longer": ("corpus.tsv", edits.add_a_line),
    "corpus gone": ("corpus.tsv", edits.remove),
    "glossary edited": ("glossary.tsv", edits.replace_text("دمشق", "حلب")),
    "glossary halved": ("glossary.tsv", edits.halve),
    "terms edited": ("terms.tsv", edits.replace_text("دمشق", "حلب")),
    "terms halved": ("terms.tsv", edits.halve),
}


@fault(_INPUTS)
def input_changed(box: Box, case: tuple[str, Edit]) -> None:
    name, edit = case
    box.put("half_sets")
    edit(box.work / name)
    refused(box.train("--resume", config="sets.yaml"), name)


@fault(["corpus.tsv", "test.tsv", "glossary.tsv", "terms.tsv", "model/model.safetensors"])
def input_written_anew_but_the_same(box: Box, name: str) -> None:
    box.put("half_sets")
    edits.touch(box.work / name)
    succeeded(box.train("--resume", config="sets.yaml"))
    ends_the_same(box, "sets")


@fault(["test.tsv", "corpus.tsv", "glossary.tsv"])
def input_changed_and_put_back(box: Box, name: str) -> None:
    box.put("half_sets")
    before = (box.work / name).read_bytes()
    edits.halve(box.work / name)
    refused(box.train("--resume", config="sets.yaml"), name)
    (box.work / name).write_bytes(before)
    succeeded(box.train("--resume", config="sets.yaml"))
    ends_the_same(box, "sets")


def _other_model(box: Box) -> None:
    shutil.rmtree(box.work / "model")
    shutil.copytree(box.work / "other_model", box.work / "model")


def _edit_model(name: str, edit: Edit) -> Callable[[Box], None]:
    return lambda box: edit(box.work / "model" / name)


_MODEL_CHANGES: dict[str, Callable[[Box], None]] = {
    "another model": _other_model,
    "one weight": _edit_model("model.safetensors", edits.flip_a_bit),
    "vocabulary": _edit_model("vocab.json", edits.replace_text('"</s>"', '"</t>"')),
    "tokenizer": _edit_model("source.spm", edits.flip_a_bit),
    "config": _edit_model(
        "config.json", edits.replace_text('"activation_function": "swish"', '"activation_function": "relu"')
    ),
    "gone": lambda box: shutil.rmtree(box.work / "model"),
}


@fault(_MODEL_CHANGES)
def base_model_changed(box: Box, change: Callable[[Box], None]) -> None:
    box.put("half")
    change(box)
    refused(box.train("--resume"), "model")


@fault(_MODEL_CHANGES)
def base_model_of_an_adapter_changed(box: Box, change: Callable[[Box], None]) -> None:
    box.put("half_lora")
    change(box)
    refused(box.train("--resume", *LORA), "model")


@fault({"one weight": ("model.safetensors", edits.flip_a_bit), "weights gone": ("model.safetensors", edits.remove),
        "vocabulary": ("vocab.json", edits.truncate)})  # fmt: skip
def base_made_from_scratch_changed(box: Box, case: tuple[str, Edit]) -> None:
    name, edit = case
    box.put("half_scratch")
    before = snapshot(box.out / "base")
    edit(box.out / "base" / name)
    # It is made again from the data and the seed, to the byte.
    succeeded(box.train("--resume", "--model.scratch", json.dumps(SCRATCH)))
    must(snapshot(box.out / "base") == before, "the base was not made again as it was")


@fault(["base.txt", "both"])
def base_translations_changed(box: Box, which: str) -> None:
    box.put("half")
    for file in (box.out / "translations" / "test").glob("*.txt"):
        file.write_text("".join("ترجمة\n" for _ in file.read_text(encoding="utf-8").splitlines()), encoding="utf-8")
    if which == "both":
        shutil.rmtree(box.cache / "mt" / "translations", ignore_errors=True)
    ends_the_same_or_is_refused(box, box.train("--resume"))


_DATA_CHANGES: dict[str, tuple[str, Edit]] = {
    "train flipped": ("train/*.arrow", edits.flip_a_bit),
    "train edited": ("train/*.arrow", edits.same_size_edit),
    "train truncated": ("train/*.arrow", edits.truncate),
    "dev edited": ("dev/*.arrow", edits.same_size_edit),
    "test edited": ("test/*.arrow", edits.same_size_edit),
    "test emptied": ("test/*.arrow", edits.empty),
    "test gone": ("test/*.arrow", edits.remove),
    "state damaged": ("test/state.json", edits.truncate),
    "columns damaged": ("train/dataset_info.json", edits.be("{}")),
    "list of splits emptied": ("dataset_dict.json", edits.empty),
    "list of splits shortened": ("dataset_dict.json", edits.be('{"splits": ["train", "dev"]}')),
}


@fault(_DATA_CHANGES)
def split_changed(box: Box, case: tuple[str, Edit]) -> None:
    pattern, edit = case
    box.put("half")
    edit(next((box.out / "data").glob(pattern)))
    ends_the_same_or_is_refused(box, box.train("--resume"))


@fault({"test by train": ("test", "train"),
        "dev by test": ("dev", "test"), "train by dev": ("train", "dev")})  # fmt: skip
def split_replaced(box: Box, case: tuple[str, str]) -> None:
    split, by = case
    box.put("half")
    shutil.rmtree(box.out / "data" / split)
    shutil.copytree(box.out / "data" / by, box.out / "data" / split)
    ends_the_same_or_is_refused(box, box.train("--resume"))


@fault(["test", "dev"])
def split_of_a_finished_run_replaced(box: Box, split: str) -> None:
    """The training split in its place would be a test set that the model has learnt by heart."""
    box.put("finished", "run")
    shutil.rmtree(box.work / "run" / "data" / split)
    shutil.copytree(box.work / "run" / "data" / "train", box.work / "run" / "data" / split)
    outcome = box.evaluate("run")
    must(split == "dev" or outcome.status == 1, "sentences that were trained on are scored as a test set")


_RECORDS: dict[str, tuple[str, Edit]] = {
    "report of the data gone": ("data_report.json", edits.remove),
    "report of the data damaged": ("data_report.json", edits.truncate),
    "report of the data is no report": ("data_report.json", edits.be("[1]")),
    "data card gone": ("data_card.md", edits.remove),
    "manifest gone": ("manifest.json", edits.remove),
    "manifest emptied": ("manifest.json", edits.empty),
    "manifest truncated": ("manifest.json", edits.truncate),
    "manifest is a list": ("manifest.json", edits.be("[]")),
    "manifest is null": ("manifest.json", edits.be("null")),
    "manifest is no text": ("manifest.json", edits.be_binary),
    "manifest says nothing": ("manifest.json", edits.be("{}")),
    "config emptied": ("config.yaml", edits.empty),
    "config gone": ("config.yaml", edits.remove),
    "config is no text": ("config.yaml", edits.be_binary),
    "config is no YAML": ("config.yaml", edits.be("a: [")),
    "config with another seed": ("config.yaml", edits.replace_text("seed: 1", "seed: 2")),
    "config with another rate": ("config.yaml", edits.replace_text("learning_rate: 2.0e-05", "learning_rate: 3.0e-05")),
    "config is a list": ("config.yaml", edits.be("- a\n- b\n")),
    "rejected pairs gone": ("rejected.tsv", edits.remove),
}


@fault(_RECORDS)
def record_of_a_half_run_changed(box: Box, case: tuple[str, Edit]) -> None:
    name, edit = case
    box.put("half")
    edit(box.out / name)
    ends_the_same_or_is_refused(box, box.train("--resume"))


@fault({"seed": ("--seed", "2"), "rate": ("--training.learning_rate", "1"), "model": ("--model.name", "other_model"),
        "tag": ("--decoding.tag", "<news>"), "corpus": ("--data.corpora.more.path", "test.tsv")})  # fmt: skip
def options_changed(box: Box, options: tuple[str, str]) -> None:
    box.put("half")
    refused(box.train("--resume", *options))


@fault({"beam": ("--decoding.num_beams", "2"), "updates": ("--training.max_updates", "8"),
        "patience": ("--training.patience", "5")})  # fmt: skip
def options_that_change_nothing_done(box: Box, options: tuple[str, str]) -> None:
    box.put("half")
    succeeded(box.train("--resume", *options))
    extended = [start.get("extended") for start in manifest(box)["starts"]]  # type: ignore[attr-defined]
    must(any(extended), "the manifest does not say what was changed")


@fault(["scores.json", "report.html", "model", "translations"])
def finished_run_has_lost(box: Box, name: str) -> None:
    box.put("finished")
    path = box.out / name
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    go_on(box)
    ends_the_same(box)


_BUILD_CHANGES: dict[str, tuple[str, Edit]] = {
    "train edited": ("data/train/*.arrow", edits.same_size_edit),
    "train truncated": ("data/train/*.arrow", edits.truncate),
    "test emptied": ("data/test/*.arrow", edits.empty),
    "test gone": ("data/test/*.arrow", edits.remove),
    "list of splits damaged": ("data/dataset_dict.json", edits.be("{}")),
    "report truncated": ("data_report.json", edits.truncate),
    "report emptied": ("data_report.json", edits.empty),
    "report is a list": ("data_report.json", edits.be("[]")),
    "rejected gone": ("rejected.tsv", edits.remove),
}


@fault(_BUILD_CHANGES)
def kept_build_changed(box: Box, case: tuple[str, Edit]) -> None:
    pattern, edit = case
    for build in (box.cache / "mt" / "data").iterdir():
        for file in build.glob(pattern):
            edit(file)
    succeeded(box.train())
    ends_the_same(box)


@fault({"edited": edits.same_size_edit, "truncated": edits.truncate, "emptied": edits.empty, "no text": edits.be_binary,
        "a list": edits.be("[]"), "null": edits.be("null")})  # fmt: skip
def kept_translations_changed(box: Box, edit: Edit) -> None:
    outcomes = []
    for out in ("first", "second"):
        succeeded(box.evaluate("model", "--test_set", "news=test.tsv", out=out))
        outcomes.append((box.work / out / "scores.json").read_bytes())
        for file in (box.cache / "mt" / "translations").glob("*.json"):
            _edit_if_possible(edit, file)
    must(outcomes[0] == outcomes[1], "the second evaluation took translations that were changed")


def _edit_if_possible(edit: Edit, file: Path) -> None:
    try:
        edit(file)
    except AssertionError:
        edits.truncate(file)


@fault()
def started_stays_and_seconds_add_up(box: Box) -> None:
    box.put("finished")
    before = manifest(box)
    (box.out / "scores.json").unlink()
    succeeded(box.train("--resume"))
    after = manifest(box)
    must(after["started"] == before["started"], "`started` is that of the last resume")
    must(float(str(after["wall_seconds"])) > float(str(before["wall_seconds"])), "wall_seconds forgets the first part")


@fault()
def half_run_keeps_its_start(box: Box) -> None:
    box.put("half")
    before = manifest(box)
    succeeded(box.train("--resume"))
    must(manifest(box)["started"] == before["started"], "`started` is that of the resume")
