"""Links that somebody has planted where a command writes: no write goes through one to a file of the user's."""

from __future__ import annotations

import shutil
from pathlib import Path

from faults.box import Box, must
from faults.files import TEXTS
from faults.registry import fault

_FINAL_FILES = ("manifest.json", "metrics.jsonl", "scores.json", "report.html", "report.md", "data_report.json")
_FINAL_DIRECTORIES = ("model", "checkpoints", "translations", "tensorboard", "data")
_TEMPORARY = (
    *("config.yaml.tmp", "manifest.json.tmp", "scores.json.tmp", "report.html.tmp", "metrics.jsonl.tmp"),
    *("data.unfinished", "model.unfinished", "checkpoints/unfinished", "base.unfinished"),
    *(".mt-unfinished-000000000000-scores.json", "checkpoints/.mt-unfinished-000000000000-checkpoint-4"),
)


def lure(box: Box, link: str) -> Path:
    """Plant a link to a file of the user's, or to a directory of theirs where a directory is expected."""
    precious = box.write("precious/file.txt", "years of work\n")
    box.write("precious/directory/config.json", "mine")
    box.write("precious/directory/model.safetensors", "mine")
    is_directory = "." not in Path(link).name or "unfinished" in link
    path = box.out / link
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    box.plant(f"out/{link}", box.work / "precious" / "directory" if is_directory else precious)
    return path


@fault(
    [*_FINAL_FILES, *_FINAL_DIRECTORIES, "translations/test", "model/config.json", "translations/test/finetuned.txt"]
)
def resumed_run_finds_a_link(box: Box, link: str) -> None:
    box.put("half")
    lure(box, link)
    box.train("--resume")


@fault(_TEMPORARY)
def resumed_run_finds_a_temporary_link(box: Box, link: str) -> None:
    box.put("half")
    lure(box, link)
    box.train("--resume")


@fault(["config.yaml", "manifest.json", "scores.json", "data", "model", "checkpoints"])
def new_run_finds_a_link(box: Box, link: str) -> None:
    lure(box, link)
    box.train()


@fault(["config.yaml.tmp", "manifest.json.tmp", "data.unfinished", "checkpoints/unfinished"])
def new_run_finds_a_temporary_link(box: Box, link: str) -> None:
    lure(box, link)
    box.train()


@fault(["data", "model", "checkpoints", "translations", "scores.json", "metrics.jsonl"])
def overwritten_run_holds_a_link(box: Box, link: str) -> None:
    box.put("finished")
    lure(box, link)
    box.train("--overwrite")


@fault(["scores.json", "report.html", "report.md", "translations", "scores.json.tmp", "report.html.tmp"])
def evaluation_finds_a_link(box: Box, link: str) -> None:
    lure(box, link)
    box.evaluate(*TEXTS)
    box.evaluate(*TEXTS, "--overwrite")


@fault(["data", "data.unfinished", "data_card.html", "rejected.tsv", "data_report.json.tmp"])
def data_finds_a_link(box: Box, link: str) -> None:
    lure(box, link)
    box.mt("data", "small.yaml", "--output_dir", "out", writes=["out"])


@fault(["translations", "data"])
def cache_holds_a_link(box: Box, name: str) -> None:
    """A cache directory may be a link to a larger disk; what lies there beside ours stays."""
    precious = box.write("precious/file.txt", "years of work\n")
    cache = box.cache / "mt" / name
    if cache.exists():
        shutil.rmtree(cache)
    cache.symlink_to(precious.parent)
    box.start("evaluate.py", "model", *TEXTS[2:], "--output_dir", "out", writes=["out", "precious"]).wait()
    must(precious.read_text(encoding="utf-8") == "years of work\n", "the user's file was changed")
