"""What every sandbox starts with, made once by the commands themselves: a model, corpora, a config, runs."""

from __future__ import annotations

import json
import os
import shutil
import signal
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from faults.box import Box, succeeded
from faults.command import MODULES, import_what_was_imported
from faults.moments import counting, sending, when_changing

_STARTER = Path(__file__).parent.parent / "data" / "conflict_news" / "starter.tsv"
CONFIG: dict[str, Any] = {
    "name": "small",
    "data": {"corpora": {"news": {"path": "corpus.tsv"}}, "workers": 1},
    "model": {"name": "model", "skip_doctor": True},
    "training": {
        "max_updates": 6,
        "eval_every_updates": 2,
        "tokens_per_update": 600,
        "micro_batch_tokens": 600,
        "log_every_updates": 1,
        "dev_sentences": 4,
        "report_to": [],
    },
    "adaptation": {"average": 1},
    "decoding": {"num_beams": 1, "max_length_ratio": 0.2},
    "evaluation": {"resamples": 100},
}
"""The config of nearly all faults: six updates, a checkpoint after every second."""
LORA = ("--adaptation.lora.rank", "4", "--training.learning_rate", "1e-3")
SCRATCH: dict[str, Any] = {
    "vocabulary_size": 300,
    "d_model": 16,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "attention_heads": 2,
    "ffn_dim": 32,
    "lexical_start": False,
}


def starter_pairs() -> list[tuple[str, str]]:
    """(source, target) of the starter set."""
    rows = _STARTER.read_text(encoding="utf-8").splitlines()[1:]
    return [(source, target) for source, target, *_ in (row.split("\t") for row in rows)]


def as_tsv(pairs: list[tuple[str, str]]) -> str:
    """Pairs as a table with a header."""
    return "".join(f"{source}\t{target}\n" for source, target in [("english", "arabic"), *pairs])


def make_stock(root: Path, *, is_for_sample: bool = False) -> None:
    """Make the stock in `root`, with the runs that the sample needs or all of them."""
    for directory in ("work", "cache", "runs", "moments"):
        (root / directory).mkdir(parents=True)
    _write_texts(root / "work")
    for name, seed in (("model", 1), ("other_model", 2)):
        _in_a_child(partial(_make_model, root / "work" / name, seed))
    _make_finished(root)
    _make_half(root, "half")
    if is_for_sample:
        return
    _make_half(root, "half_lora", *LORA)
    _make_half(root, "half_scratch", "--model.scratch", json.dumps(SCRATCH))
    _make_half(root, "half_sets", config="sets.yaml")
    _make_others(root)


def _write_texts(work: Path) -> None:
    pairs = starter_pairs()
    glossary = _STARTER.with_name("glossary.tsv").read_text(encoding="utf-8").splitlines(keepends=True)
    test = pairs[200:240]
    texts = {
        "corpus.tsv": as_tsv(pairs[:120]),
        "test.tsv": as_tsv(test),
        "small.yaml": json.dumps(CONFIG, indent=1),
        "sets.yaml": json.dumps(with_sets(), indent=1),
        "glossary.tsv": "".join(glossary[:60]),
        "terms.tsv": "".join(glossary[:60]),
        "hypotheses.txt": "".join(f"{target}\n" for _, target in test),
        "worse.txt": "".join(f"{target[::-1]}\n" for _, target in test),
    }
    for name, text in texts.items():
        (work / name).write_text(text, encoding="utf-8")


def with_sets() -> dict[str, Any]:
    """The config with everything that a run reads: a test set, a glossary, a table of terms."""
    return CONFIG | {
        "evaluation": {"resamples": 100, "test_sets": {"held": {"path": "test.tsv"}}, "glossary": "glossary.tsv"},
        "decoding": CONFIG["decoding"] | {"terminology": "terms.tsv"},
        "training": CONFIG["training"] | {"term_share": 0.5},
    }


def _make_model(directory: Path, seed: int) -> None:
    from mt.config import ScratchConfig
    from mt.models.from_scratch import create_marian

    sources, targets = zip(*starter_pairs(), strict=True)
    create_marian(ScratchConfig(**SCRATCH), sources, targets, directory, seed)


def _make_finished(root: Path) -> None:
    """A run that ended, what it has left in the cache, and how many moments and seconds it had."""
    with _box(root) as box:
        modules, moments = root / "modules", root / "moments"
        # Once for the modules and the cache: the second, which is counted and timed, starts with what every box has.
        succeeded(box.train(out="first", variables={MODULES: str(modules)}))
        import_what_was_imported(modules)
        trained = succeeded(box.train(hooks=[counting(moments / "train", box.root)]))
        (moments / "seconds").write_text(str(trained.seconds), encoding="utf-8")
        shutil.copytree(box.out, root / "runs" / "finished")
        shutil.copytree(box.cache, root / "cache", dirs_exist_ok=True)


def _make_half(root: Path, name: str, *options: str, config: str = "small.yaml") -> None:
    """A run that was killed while it wrote its second checkpoint."""
    with _box(root) as box:
        hooks = [when_changing(r"checkpoint-4$", sending(signal.SIGKILL))]
        running = box.start_train(*options, config=config, hooks=hooks)
        running.expect_signal()
        running.wait()
        shutil.copytree(box.out, root / "runs" / name)


def _make_others(root: Path) -> None:
    """A run with everything it can read, a converted model, an evaluation and a data card."""
    with _box(root) as box:
        modules, moments = {MODULES: str(root / "modules")}, root / "moments"
        succeeded(box.train(config="sets.yaml"))
        succeeded(box.mt("export", "model", "converted", "--format", "ctranslate2", writes=["converted"]))
        systems = ["base=model", "text=hypotheses.txt", "--test_set", "news=test.tsv", "--no_cache"]
        hooks = [counting(moments / "evaluate", box.root)]
        succeeded(box.evaluate(*systems, out="evaluation", hooks=hooks))
        succeeded(box.evaluate("run=out", "converted=converted", *systems, out="compared", variables=modules))
        import_what_was_imported(root / "modules")
        shutil.rmtree(box.cache / "mt" / "data")
        hooks = [counting(moments / "data", box.root)]
        succeeded(box.mt("data", "small.yaml", "--output_dir", "data", writes=["data"], hooks=hooks))
        for name, directory in (("sets", "out"), *((name, name) for name in ("converted", "evaluation", "data"))):
            shutil.copytree(box.work / directory, root / "runs" / name)


@contextmanager
def _box(root: Path) -> Iterator[Box]:
    box = Box(root / "box", root)
    try:
        yield box
    finally:
        box.close()


def _in_a_child(work: Callable[[], None]) -> None:
    """Torch may start threads, which no fork would survive; so nothing is computed in this process."""
    pid = os.fork()
    if pid == 0:
        try:
            warnings.simplefilter("ignore")
            work()
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
