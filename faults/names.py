"""Names that become paths: none leads out of the output directory, wherever it is given."""

from __future__ import annotations

import json
from typing import Any

from faults.box import ESCAPED, Box
from faults.registry import fault
from faults.stock import CONFIG

_NAMES = {
    "up and out": "../../escaped",
    "parent": "..",
    "here": ".",
    "absolute": str(ESCAPED),
    "below": "a/b",
    "hidden parent": "x/../../../escaped",
    "null": "a\0b",
    "long": "x" * 300,
    "line end": "a\nb",
    "backslash": "..\\..\\escaped",
    "home": "~/escaped",
    "surrogate": "\udc80",
}


def config_with(box: Box, **sections: Any) -> str:
    """Write a config with these sections in place of the usual ones; returns its name."""
    box.write("odd.yaml", json.dumps(CONFIG | sections))
    return "odd.yaml"


@fault({name: value for name, value in _NAMES.items() if name != "below"})
def run_name(box: Box, name: str) -> None:
    config = config_with(box, name=name)
    box.start("train.py", config, writes=["runs"]).wait()
    box.start("mt", "data", config, writes=["runs"]).wait()


@fault(_NAMES)
def test_set_name_in_the_config(box: Box, name: str) -> None:
    sets = {name: {"path": "test.tsv"}}
    box.train(config=config_with(box, evaluation={"resamples": 100, "test_sets": sets}))


@fault(["up and out", "parent", "absolute", "null"])
def general_set_name_in_the_config(box: Box, name: str) -> None:
    sets = {_NAMES[name]: {"path": "test.tsv"}}
    box.train(config=config_with(box, evaluation={"resamples": 100, "general": sets}))


@fault(["up and out", "parent", "absolute", "null", "line end"])
def corpus_name_in_the_config(box: Box, name: str) -> None:
    corpora = {_NAMES[name]: {"path": "corpus.tsv"}}
    box.mt("data", config_with(box, data={"corpora": corpora, "workers": 1}), "--output_dir", "out", writes=["out"])


@fault(["up and out", "parent", "absolute", "here", "hidden parent"])
def names_on_the_command_line(box: Box, name: str) -> None:
    value = _NAMES[name]
    box.train(f"--evaluation.test_sets.{value}.path", "test.tsv")
    box.start("train.py", "small.yaml", "--name", value, writes=["runs"]).wait()


@fault({name: value for name, value in _NAMES.items() if name != "null"})
def test_set_name_of_an_evaluation(box: Box, name: str) -> None:
    box.evaluate("hypotheses.txt", "worse.txt", "--test_set", f"{name}=test.tsv")


@fault({name: value for name, value in _NAMES.items() if name != "null"})
def label_of_a_system(box: Box, label: str) -> None:
    box.evaluate(f"{label}=hypotheses.txt", "worse.txt", "--test_set", "news=test.tsv")


@fault(["up and out", "parent", "absolute"])
def general_name_of_an_evaluation(box: Box, name: str) -> None:
    options = ["--test_set", "news=test.tsv", "--general", f"{_NAMES[name]}=test.tsv"]
    box.evaluate("hypotheses.txt", *options)
