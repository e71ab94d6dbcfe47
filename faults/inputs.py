"""Untrusted corpora, options and configs: refused in one sentence, or read, in bounded time and memory."""

from __future__ import annotations

import gzip
import json
import lzma
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from faults.box import Box, refused
from faults.models import ALIAS_BOMB
from faults.registry import fault
from faults.stock import CONFIG

Write = Callable[[Path], object]
_TEST = ("--test_set", "news=test.tsv")
_DOCTYPE = '<?xml version="1.0"?><!DOCTYPE tmx [{}]>'
_UNIT = (
    '<tmx version="1.4"><header/><body><tu><tuv xml:lang="en"><seg>{}</seg></tuv>'
    '<tuv xml:lang="ar"><seg>كلمة</seg></tuv></tu></body></tmx>'
)
_LAUGHS = '<!ENTITY a0 "lol">' + "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 10))


def text(content: str) -> Write:
    return lambda path: path.write_text(content, encoding="utf-8")


def binary(content: bytes) -> Write:
    return lambda path: path.write_bytes(content)


def packed(piece: bytes, times: int, start: bytes = b"", end: bytes = b"") -> Write:
    """A file that grows a thousandfold when it is unpacked: the same packed piece again and again."""

    def write(path: Path) -> None:
        pack = lzma.compress if path.suffix == ".xz" else partial(gzip.compress, compresslevel=9)
        one = pack(piece)
        with path.open("wb") as file:
            file.writelines([pack(start), *[one] * times, pack(end)])

    return write


def to_device(device: str) -> Write:
    return lambda path: path.symlink_to(device)


_MIB = b"a" * 2**20
_CORPORA: dict[str, tuple[str, Write]] = {
    "a line of 1 GiB, packed": ("bomb.txt.gz", packed(_MIB, 1024)),
    "a row of 1 GiB, packed": ("bomb.tsv.gz", packed(_MIB, 1024)),
    "a field of 1 GiB, packed": ("bomb.csv.gz", packed(_MIB, 1024, b'english,arabic\n"')),
    "an object of 1 GiB, packed": ("bomb.jsonl.gz", packed(_MIB, 1024, b'{"english": "')),
    "a line of 512 MiB, packed by xz": ("bomb.tsv.xz", packed(_MIB, 512)),
    "zeros, packed": ("zeros.tsv.gz", packed(b"\0" * 2**20, 512)),
    "an element of 512 MiB, packed": ("bomb.tmx.gz", packed(_MIB, 512, b"<tmx><body><tu><tuv><seg>")),
    "an attribute of 256 MiB, packed": ("bomb.tmx.gz", packed(_MIB, 256, b"<tmx><body a='")),
    "deep elements, packed": ("deep.tmx.gz", packed(b"<a>" * 1000, 2000)),
    "entities in entities": ("laughs.tmx", text(_DOCTYPE.format(_LAUGHS) + _UNIT.format("&a9;"))),
    "entity of a file": (
        "file.tmx",
        text(_DOCTYPE.format('<!ENTITY f SYSTEM "file:///etc/passwd">') + _UNIT.format("&f;")),
    ),
    "entity of the network": (
        "net.xlf",
        text(_DOCTYPE.format('<!ENTITY f SYSTEM "http://192.0.2.1/">') + _UNIT.format("&f;")),
    ),
    "external document type": ("dtd.tmx", text('<!DOCTYPE tmx SYSTEM "file:///etc/hostname">' + _UNIT.format("word"))),
    "memory that is no XML": ("none.tmx", text("not XML")),
    "memory that breaks off": ("torn.tmx", text(_UNIT.format("word")[:90])),
    "packed file that breaks off": ("torn.tsv.gz", lambda path: path.write_bytes(gzip.compress(b"a\tb\n" * 99)[:-9])),
    "packed file that is none": ("none.tsv.gz", text("a\tb\n")),
    "xz that is none": ("none.tsv.xz", binary(b"\xfd7zXZ\x00evil")),
    "zst that is none": ("none.tsv.zst", binary(b"\x28\xb5\x2f\xfdevil")),
    "endless device": ("zero.tsv", to_device("/dev/zero")),
    "empty device": ("null.tsv", to_device("/dev/null")),
    "pipe": ("pipe.tsv", lambda path: os.mkfifo(path)),
    "loop of links": ("loop.tsv", to_device("loop.tsv")),
    "directory": ("directory.tsv", lambda path: path.mkdir()),
    "no text": ("latin.tsv", binary(b"caf\xe9\t\xe9\n")),
    "UTF-16": ("wide.tsv", binary("english\tarabic\nword\tكلمة\n".encode("utf-16"))),
    "nulls": ("nulls.tsv", binary(b"a\0b\t\0\n" * 40)),
    "lone surrogates": ("surrogates.jsonl", text('{"english": "\\ud800 word", "arabic": "كلمة \\udfff"}\n' * 40)),
    "deep JSON": ("deep.jsonl", text("[" * 100_000 + "\n")),
    "numbers of 5000 digits": ("digits.jsonl", text('{"english": ' + "9" * 5000 + ', "arabic": 1}\n')),
    "numbers in words of 400 digits": ("digits.tsv", text(f"{'9' * 400} men\t{'٩' * 400} رجال\n" * 40)),
    "JSON that is no object": ("list.jsonl", text('[1, 2]\n"x"\nnull\n')),
    "sides that are objects": ("objects.jsonl", text('{"english": {"a": 1}, "arabic": ["b"]}\n')),
    "a quote that never ends": ("quote.csv", text('english,arabic\n"a,b\n' + "c,d\n" * 1000)),
}


@fault(_CORPORA)
def corpus_with(box: Box, case: tuple[str, Write]) -> None:
    name, write = case
    write(box.work / name)
    options = ["--data.corpora.news.path", name, "--output_dir", "out"]
    box.mt("data", "small.yaml", *options, writes=["out"], limit=60)


@fault({name: _CORPORA[name] for name in ("a line of 1 GiB, packed", "entities in entities", "endless device", "pipe",
        "lone surrogates", "numbers in words of 400 digits")})  # fmt: skip
def test_set_with(box: Box, case: tuple[str, Write]) -> None:
    name, write = case
    write(box.work / name)
    box.start_evaluate("hypotheses.txt", "--test_set", f"news={name}", limit=60).wait()


@fault({"of 1 GiB, packed": ("h.txt.gz", packed(_MIB, 1024)), "endless": ("h.txt", to_device("/dev/zero")),
        "a pipe": ("h.txt", os.mkfifo), "no text": ("h.txt", binary(b"\xff\n" * 40)),
        "nulls": ("h.txt", binary(b"\0\n" * 40))})  # fmt: skip
def translations_that_are(box: Box, case: tuple[str, Write]) -> None:
    name, write = case
    write(box.work / name)
    box.start_evaluate(name, *_TEST, limit=60).wait()


def _changed(**sections: Any) -> Write:
    return text(json.dumps(CONFIG | sections))


def _corpus(**options: Any) -> Write:
    return _changed(data={"workers": 1, "corpora": {"news": {"path": "corpus.tsv"} | options}})


def _values() -> Iterator[tuple[str, Write]]:
    """A config for each value that its type allows and sense does not."""
    huge, many = 10**400, 10**30
    value: Any
    for name, value in {"updates 10^30": many, "updates of 400 digits": huge, "updates NaN": float("nan")}.items():
        yield name, _changed(training=CONFIG["training"] | {"max_updates": value})
    for number in ("nan", "inf", "-1", "1e400"):
        yield f"rate {number}", _changed(training=CONFIG["training"] | {"learning_rate": float(number)})
        yield f"weight {number}", _corpus(weight=float(number))
    for value in (huge, -1, 1.5, "one", None):
        yield f"seed {str(value)[:20]}", _changed(seed=value)
    for value in (many, huge, float("nan")):
        yield f"resamples {str(value)[:20]}", _changed(evaluation={"resamples": value})
    for value in ("²", "١", "0", "-1", "9" * 400, "1\n", "\0"):
        yield f"column {value[:9]!r}", _corpus(source_column=value)
    for value in ("", 7, None, ["corpus.tsv"], "/proc/self/mem", "\0", "x" * 5000):
        yield f"path {str(value)[:20]!r}", _corpus(path=value)
    for value in ("2026-11-26", "null", "true", "[a]", "{a: b}", "''", ".nan"):
        yield (
            f"name {value}",
            text(f"name: {value}\ndata: {{corpora: {{news: corpus.tsv}}, workers: 1}}\nmodel: {{name: none}}\n"),
        )


_CONFIGS: dict[str, Write] = {
    "empty": text(""),
    "a list": text("- a\n"),
    "a bomb of aliases": text(ALIAS_BOMB),
    "an alias of itself": text("data: &a {corpora: *a}\n"),
    "code": text("!!python/object/apply:os.system ['touch canary']\n"),
    "deep": text("[" * 20_000),
    "deep and closed": text("a: " + "[" * 5000 + "]" * 5000),
    "no text": binary(b"\xff\xfe\x00"),
    "nulls": binary(b"name: a\0b\n"),
    "keys twice": text("name: a\nname: b\n"),
    "keys that are lists": text("? [a]\n: b\n"),
    "keys that are numbers": text("1: 2\n"),
    "a tab": text("data:\n\tcorpora: {}\n"),
    "corpora as a list": _changed(data={"corpora": ["corpus.tsv"]}),
    "corpora as a word": _changed(data={"corpora": "corpus.tsv"}),
    "a corpus as a number": _changed(data={"corpora": {"news": 7}}),
    "a section as null": _changed(data=None),
    "an unknown section": _changed(evil={"a": 1}),
    "another class": _changed(model={"class_path": "os.system", "init_args": {"command": "touch canary"}}),
    **dict(_values()),
}


@fault(_CONFIGS)
def config_with(box: Box, write: Write) -> None:
    write(box.work / "odd.yaml")
    # A longer training than this is no fault of the config.
    options = ["--model.name", "./none"]
    box.start("train.py", "odd.yaml", "--output_dir", "out", *options, writes=["out"], limit=45).wait()
    box.mt("data", "odd.yaml", "--output_dir", "data", writes=["data"], limit=45)


@fault({"pipe": os.mkfifo, "endless": to_device("/dev/zero"), "directory": lambda path: path.mkdir()})
def config_that_is_a(box: Box, make: Write) -> None:
    make(box.work / "odd.yaml")
    box.start("train.py", "odd.yaml", "--output_dir", "out", limit=45).wait()


_OPTIONS: dict[str, tuple[str, ...]] = {
    "short for overwrite": ("--overwr",),
    "short for resume": ("--res",),
    "short for a section": ("--train.learning_rate", "1e-4"),
    "short for an option": ("--training.learn", "1e-4"),
    "short for the output": ("--output", "elsewhere"),
    "no such option": ("--evil", "1"),
    "both ways": ("--resume", "--overwrite"),
    "no value": ("--seed",),
    "empty value": ("--seed=",),
    "number of 400 digits": ("--seed", "9" * 400),
    "rate of 400 digits": ("--training.learning_rate", "9" * 400),
    "a section as a word": ("--training", "evil"),
    "a class": ("--model.class_path", "os.system"),
    "a surrogate": ("--name", "\udcff"),
    "JSON": ("--data.corpora", '{"news": {"path": 7}}'),
    "deep JSON": ("--data.corpora", "[" * 30_000),
}


@fault(_OPTIONS)
def train_with_option(box: Box, options: tuple[str, ...]) -> None:
    refused(box.start_train(*options, limit=45).wait())


@fault({"short for overwrite": ("--overwr",), "short for a test set": ("--test", "news=test.tsv"),
        "resamples of 400 digits": ("--resamples", "9" * 400), "a test set without a name": ("--test_set", "test.tsv"),
        "a metric that is none": ("--fail_if_worse", "evil"), "a label of 300 letters": ("x" * 300 + "=worse.txt",),
        "an empty label": ("=worse.txt",)})  # fmt: skip
def evaluate_with_option(box: Box, options: tuple[str, ...]) -> None:
    command = ["hypotheses.txt", *options] if "worse" in options[0] else ["hypotheses.txt", *_TEST, *options]
    outcome = box.start("evaluate.py", *command, "--output_dir", "out", writes=["out"], limit=45).wait()
    if "=worse.txt" not in options:
        refused(outcome)


_BYTES = os.fsdecode(b"caf\xe9")


@fault(["corpus", "test set", "translations", "output directory", "config", "directory"])
def file_name_that_is_no_text(box: Box, what: str) -> None:
    """Names are bytes on Linux: those that are no UTF-8 work, or are refused, everywhere."""
    for name, ending in (("corpus.tsv", ".tsv"), ("hypotheses.txt", ".txt"), ("small.yaml", ".yaml")):
        os.link(box.work / name, box.work / (_BYTES + ending))
    if what == "corpus":
        box.train("--data.corpora.news.path", f"{_BYTES}.tsv")
    elif what == "output directory":
        box.train(out=_BYTES)
    elif what == "config":
        box.train(config=f"{_BYTES}.yaml")
    elif what == "test set":
        (box.work / f"{_BYTES}.tsv").unlink()
        os.link(box.work / "test.tsv", box.work / f"{_BYTES}.tsv")
        box.evaluate("hypotheses.txt", "--test_set", f"news={_BYTES}.tsv")
    elif what == "translations":
        box.evaluate(f"{_BYTES}.txt", *_TEST)
    else:
        (box.work / _BYTES).mkdir()
        box.start("train.py", "../small.yaml", "--output_dir", "out", writes=["out"], cwd=_BYTES).wait()


_RATINGS: dict[str, str] = {
    "no JSON": "{",
    "a list": "[]",
    "null": "null",
    "deep": "[" * 50_000,
    "lone surrogates": '{"reviewer": "\\ud800", "test_set": "news", "choices": []}',
    "numbers for names": '{"reviewer": 7, "test_set": [1], "systems": {}, "choices": 9}',
    "numbers of 5000 digits": '{"reviewer": ' + "9" * 5000 + "}",
    "not a number": '{"reviewer": "a", "seed": NaN}',
}


@fault(_RATINGS)
def ratings_that_are(box: Box, content: str) -> None:
    box.write("ratings.json", content)
    refused(box.evaluate("hypotheses.txt", "worse.txt", *_TEST, "--ratings", "ratings.json"), "ratings.json")


_GLOSSARIES: dict[str, Write] = {
    "empty": text(""),
    "one column": text("english\nword\n"),
    "no text": binary(b"\xff\xfe\n"),
    "nulls": binary(b"english\tarabic\tkind\na\0b\t\0\tplace\n"),
    "endless": to_device("/dev/zero"),
    "a pipe": os.mkfifo,
    "patterns": text("english\tarabic\tkind\n(a+)+$|[\t((ا+)+)+[\tplace\n"),
}


@fault(_GLOSSARIES)
def glossary_that_is(box: Box, write: Write) -> None:
    write(box.work / "odd.tsv")
    box.start_evaluate("hypotheses.txt", *_TEST, "--glossary", "odd.tsv", limit=45).wait()


@fault({"no text": b"caf\xe9\n", "nulls": b"a\0b\n", "a line of 10 MB": b"a" * 10**7, "nothing": b""})
def translate_from_a_pipe(box: Box, stdin: bytes) -> None:
    box.mt("translate", "model", "-", "--decoding.num_beams", "1", stdin=stdin, limit=60)
