"""Untrusted models, runs and converted models: refused in one sentence, or used; no code of theirs is run."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

from faults import edits
from faults.box import Box, must
from faults.hostile import CONFIGS, TOKENIZERS, WEIGHTS, Spoil, file_edit, set_in
from faults.registry import fault

_TEST = ("--test_set", "news=test.tsv")
ALIAS_BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@fault(CONFIGS | WEIGHTS | TOKENIZERS)
def evaluate_a_model(box: Box, spoil: Spoil) -> None:
    spoil(box.work / "model")
    box.start_evaluate("model", *_TEST, limit=45).wait()


@fault(
    {
        name: (CONFIGS | WEIGHTS | TOKENIZERS)[name]
        for name in (
            *(
                "config is a list",
                "vocabulary of 10^12",
                "no heads",
                "start outside the vocabulary",
                "weights truncated",
            ),
            *("weights are no numbers", "pickle that runs code", "code of its own", "adapter for itself"),
            *("vocabulary with words for ids", "pieces flipped", "unknown class"),
        )
    }
)
def train_a_model(box: Box, spoil: Spoil) -> None:
    spoil(box.work / "model")
    box.start_train(limit=45).wait()


@fault(
    {name: (CONFIGS | WEIGHTS | TOKENIZERS)[name] for name in ("config is null", "weights emptied", "pieces are text")}
)
def other_commands_on_a_model(box: Box, spoil: Spoil) -> None:
    spoil(box.work / "model")
    box.mt("doctor", "model")
    box.mt("translate", "model", "hypotheses.txt", "--decoding.num_beams", "1")
    box.mt("export", "model", "exported", writes=["exported"])


_RUN_CONFIGS: dict[str, Callable[[Path], object]] = {
    "gone": edits.remove,
    "emptied": edits.empty,
    "no text": edits.be_binary,
    "a list": edits.be("- a\n"),
    "sections that are lists": edits.be("model: [1]\ndecoding: [2]\n"),
    "sections that are words": edits.be("model: evil\ndecoding: evil\n"),
    "values of other types": edits.be("model: {target_language: [1]}\ndecoding: {tag: {a: 1}, terminology: 7}\n"),
    "terms from the system's files": edits.be("decoding: {terminology: /etc/passwd}\n"),
    "terms that are not there": edits.be("decoding: {terminology: ../../none.tsv}\n"),
    "an unknown language": edits.be("model: {target_language: tlh}\n"),
    "code": edits.be("!!python/object/apply:os.system ['touch canary']\n"),
    "a bomb of aliases": edits.be(ALIAS_BOMB),
    "a deep one": edits.be("[" * 20_000),
    "a date for a name": edits.be("name: 2026-11-26\n"),
}


@fault(_RUN_CONFIGS)
def evaluate_a_run_whose_config_is(box: Box, edit: Callable[[Path], object]) -> None:
    edit(box.put("finished", "run") / "config.yaml")
    box.start_evaluate("run", *_TEST, limit=45).wait()


def _each(pattern: str, edit: Callable[[Path], object]) -> Spoil:
    """All files of these names, changed."""

    def spoil(directory: Path) -> None:
        for file in directory.glob(pattern):
            edit(file)

    return spoil


_RUNS: dict[str, Spoil] = {
    "no model": lambda run: shutil.rmtree(run / "model"),
    "an empty model": _each("model/*", edits.remove),
    "weights truncated": lambda run: edits.truncate(run / "model" / "model.safetensors"),
    "no data": lambda run: shutil.rmtree(run / "data"),
    "empty splits": _each("data/*/*.arrow", edits.empty),
    "splits of other bytes": _each("data/*/*.arrow", edits.be_binary),
    "splits of unknown type": _each("data/*/dataset_info.json", edits.be('{"features": {"a": {"_type": "Evil"}}}')),
    "state that names other files": _each(
        "data/*/state.json", edits.be('{"_data_files": [{"filename": "../../../../../etc/passwd"}], "_split": "test"}')
    ),
    "list of splits that are paths": _each("data/dataset_dict.json", edits.be('{"splits": ["../../../work", "test"]}')),
    "list of splits that is a number": _each("data/dataset_dict.json", edits.be('{"splits": 7}')),
    "damaged manifest": lambda run: edits.be_binary(run / "manifest.json"),
    "damaged mark": lambda run: edits.be_binary(run / ".mt-output.json"),
}


@fault(_RUNS)
def evaluate_a_run_with(box: Box, spoil: Spoil) -> None:
    spoil(box.put("finished", "run"))
    box.evaluate("run")


_MARKS: dict[str, str] = {
    "a list": "[]",
    "null": "null",
    "no JSON": "{",
    "files that are no list": '{"kind": "training run", "files": 7}',
    "files above": '{"kind": "training run", "files": ["../corpus.tsv", "../model/*", "/etc/passwd"]}',
    "everything": '{"kind": "training run", "files": ["*", "**/*", "../*"]}',
    "numbers for files": '{"kind": "training run", "files": [1, null, {}]}',
    "a kind that is a list": '{"kind": [], "files": []}',
    "a user that is a number": '{"kind": "training run", "files": [], "used_by": 7}',
    "deep": "[" * 50_000,
}


@fault(_MARKS)
def mark_of_an_output_directory_says(box: Box, content: str) -> None:
    """A mark that we did not write must not make us remove what we did not write."""
    box.put("finished")
    (box.out / ".mt-output.json").write_text(content, encoding="utf-8")
    box.write("out/mine.txt", "mine")
    box.train("--overwrite")
    box.train("--resume")


_CONVERTED: dict[str, Spoil] = {
    "weights gone": file_edit("model.bin", edits.remove),
    "weights emptied": file_edit("model.bin", edits.empty),
    "weights truncated": file_edit("model.bin", edits.truncate),
    "weights are text": file_edit("model.bin", edits.be("not a model " * 100)),
    "weights flipped": file_edit("model.bin", edits.flip_a_bit),
    "weights of another version": file_edit(
        "model.bin", lambda f: f.write_bytes(b"\xff\xff\xff\x7f" + f.read_bytes()[4:])
    ),
    "config gone": file_edit("config.json", edits.remove),
    "config is a list": file_edit("config.json", edits.be("[]")),
    "config is no text": file_edit("config.json", edits.be_binary),
    "settings with numbers for tokens": set_in("config.json", bos_token=1, eos_token=[2], unk_token={}),
    "vocabulary is a word": _each("*vocabulary*", edits.be('"x"')),
    "vocabulary shorter": _each("*vocabulary*", edits.be('["a", "b"]')),
    "vocabulary gone": _each("*vocabulary*", edits.remove),
    "tokenizer gone": _each("*.spm", edits.remove),
    "tokenizer flipped": _each("*.spm", edits.truncate),
    "our own facts damaged": _each("mt*.json", edits.be("[]")),
}


@fault(_CONVERTED)
def evaluate_a_converted_model(box: Box, spoil: Spoil) -> None:
    shutil.copytree(box.stock / "runs" / "converted", box.work / "converted")
    spoil(box.work / "converted")
    box.evaluate("converted", *_TEST)


@fault()
def model_name_that_is_an_option(box: Box) -> None:
    box.evaluate("--trust_remote_code", *_TEST)


@fault(
    ["../model", "/etc", "~/model", "model/../../..", "a/b/c", "https://example.org/model", "model\n", "model@main", ""]
)
def model_called(box: Box, name: str) -> None:
    box.evaluate(f"system={name}", *_TEST)
    box.train("--model.name", name)


@fault()
def config_json_of_a_run_asks_for_code(box: Box) -> None:
    run = box.put("finished", "run")
    content = json.loads((run / "model" / "config.json").read_text(encoding="utf-8"))
    content["auto_map"] = {"AutoModelForSeq2SeqLM": "evil.Evil"}
    (run / "model" / "config.json").write_text(json.dumps(content), encoding="utf-8")
    (run / "model" / "evil.py").write_text("open('canary', 'w')\n", encoding="utf-8")
    box.evaluate("run", *_TEST)
    must(not (box.work / "canary").exists(), "code of the model was run")
