"""Which parts `benchmarks/gpu.py` has, and in which order."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import yaml

_TINY_TOKENS = {1024: 64, 4096: 128, 8192: 1024, 32_768: 6144}


@dataclass
class Task:
    """One part: what it measures, and what became of it."""

    section: str
    name: str
    part: str
    arguments: dict[str, Any] = field(default_factory=dict)
    status: str = "not begun"
    why: str = ""
    seconds: float = 0.0
    figures: Any = None


def settings_of(options: argparse.Namespace) -> dict[str, Any]:
    """What `--training` sets."""
    settings = (setting.partition("=") for setting in options.training)
    return {name: yaml.safe_load(value) for name, _, value in settings}


def tasks(options: argparse.Namespace) -> Iterator[Task]:
    """All parts that `options` asks for, the most important ones first."""
    everything = [
        *_train(options, "opus", *((32_768,) if options.tiny else (32_768, 4096))),
        *_compare(options, 4096),
        *_compare(options, 0, sentences=16),
        *_train(options, "big", 32_768),
        *_compiled(options, "big"),
        *_step(options),
        Task("decode", "tiny-en-ar", "decode", {"sentences": 8 if options.tiny else 300}),
        Task("processes", "DDP", "processes", {"mode": "ddp"}),
        Task("processes", "FSDP", "processes", {"mode": "fsdp"}),
        Task("resume", "demo", "resume"),
    ]
    if not options.tiny:
        # The same code again, for other figures.
        asked = [tokens for tokens in options.tokens or () if tokens not in _TINY_TOKENS]
        everything += [*_compiled(options, "opus"), *_train(options, "opus", 8192, *asked)]
        everything += [*_train(options, "big", 4096, 8192, *asked), *_compare(options, 32_768)]
    everything.append(Task("train", "padding", "padding"))
    yield from (task for task in everything if task.section in options.sections)


def _scaled(options: argparse.Namespace, tokens: int) -> int:
    return _TINY_TOKENS.get(tokens, tokens) if options.tiny else tokens


def _with_tokenizer(options: argparse.Namespace) -> list[str]:
    return [kind for kind in options.models if kind != "nllb"]


def _train(options: argparse.Namespace, kind: str, *sizes: int) -> Iterator[Task]:
    for tokens in sizes if kind in _with_tokenizer(options) else ():
        if options.tokens is None or tokens in options.tokens:
            arguments = {"model": kind, "tokens": _scaled(options, tokens)}
            yield Task("train", f"{kind}, {tokens:,} tokens", "train", arguments)


def _compiled(options: argparse.Namespace, kind: str) -> Iterator[Task]:
    # Runs this short are not compiled by themselves; long ones are.
    for task in _train(options, kind, 32_768) if not options.tiny else ():
        more = {"training": {**settings_of(options), "compile": True}, "suffix": "-compiled"}
        yield replace(task, name=f"{task.name}, compiled", arguments=task.arguments | more)


def _compare(options: argparse.Namespace, tokens: int, sentences: int = 0) -> Iterator[Task]:
    for kind in _with_tokenizer(options)[:1]:
        name = f"{kind}, " + (f"{sentences} sentences" if sentences else f"{tokens:,} tokens")
        arguments = {"model": kind, "tokens": _scaled(options, tokens), "sentences": sentences}
        yield Task("compare", name, "compare", arguments)


def _step(options: argparse.Namespace) -> Iterator[Task]:
    sizes = [_scaled(options, tokens) for tokens in _TINY_TOKENS]
    for kind in options.models:
        yield Task("step", kind, "step", {"model": kind, "tokens": sizes})
