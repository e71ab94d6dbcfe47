"""What every sandbox starts with, made once by the commands themselves: a model, corpora, a config, runs."""

from __future__ import annotations

import json
import os
import shutil
import signal
import warnings
from collections.abc import Callable
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


def make_stock(root: Path) -> None:
    """Make the stock in `root`, forked commands and all."""
    for directory in ("work", "cache", "runs"):
        (root / directory).mkdir(parents=True)
    pairs = starter_pairs()
    work = root / "work"
    (work / "corpus.tsv").write_text(as_tsv(pairs[:120]), encoding="utf-8")
    (work / "test.tsv").write_text(as_tsv(pairs[200:240]), encoding="utf-8")
    glossary = _STARTER.with_name("glossary.tsv").read_text(encoding="utf-8").splitlines(keepends=True)
    for name in ("glossary.tsv", "terms.tsv"):
        (work / name).write_text("".join(glossary[:60]), encoding="utf-8")
    (work / "sets.yaml").write_text(json.dumps(with_sets(), indent=1), encoding="utf-8")
    (work / "small.yaml").write_text(json.dumps(CONFIG, indent=1), encoding="utf-8")
    (work / "hypotheses.txt").write_text("".join(f"{target}\n" for _, target in pairs[200:240]), encoding="utf-8")
    (work / "worse.txt").write_text("".join(f"{target[::-1]}\n" for _, target in pairs[200:240]), encoding="utf-8")
    for name, seed in (("model", 1), ("other_model", 2)):
        _in_a_child(lambda name=name, seed=seed: _make_model(work / name, seed))
    _make_runs(root)


def with_sets() -> dict[str, Any]:
    """The config with everything that a run reads: a test set, a glossary, a table of terms."""
    return CONFIG | {
        "evaluation": {"resamples": 100, "test_sets": {"held": {"path": "test.tsv"}}, "glossary": "glossary.tsv"},
        "decoding": CONFIG["decoding"] | {"terminology": "terms.tsv"},
        "training": CONFIG["training"] | {"term_share": 0.5},
    }


def _make_model(directory: Path, seed: int) -> None:
    from mt.config import ScratchConfig
    from mt.scratch import create_marian

    sources, targets = zip(*starter_pairs(), strict=True)
    create_marian(ScratchConfig(**SCRATCH), sources, targets, directory, seed)


def _make_runs(root: Path) -> None:
    scratch = json.dumps(SCRATCH)
    for name, config, options in (
        ("finished", "small.yaml", ()),
        ("half", "small.yaml", ()),
        ("half_lora", "small.yaml", LORA),
        ("half_scratch", "small.yaml", ("--model.scratch", scratch)),
        ("sets", "sets.yaml", ()),
        ("half_sets", "sets.yaml", ()),
    ):
        box = Box(root / f"box-{name}", root)
        hook = when_changing(r"checkpoint-4$", sending(signal.SIGKILL))
        variables = {MODULES: str(root / "modules")}
        running = box.start_train(*options, config=config, variables=variables, hooks=[hook] if "half" in name else [])
        if "half" in name:
            running.expect_signal()
            running.wait()
        else:
            succeeded(running.wait())
            import_what_was_imported(root / "modules")
        shutil.copytree(box.out, root / "runs" / name)
        shutil.rmtree(root / "cache")
        shutil.copytree(box.cache, root / "cache")
        box.close()
    _make_others(root)


def _make_others(root: Path) -> None:
    """A converted model, an evaluation, a data card, and how many moments each command has."""
    box = Box(root / "box", root)
    (root / "moments").mkdir()
    log = {name: root / "moments" / name for name in ("train", "evaluate", "data")}
    hooks = {name: [counting(file, box.root)] for name, file in log.items()}
    succeeded(box.mt("export", "model", "converted", "--format", "ctranslate2", writes=["converted"]))
    trained = succeeded(box.train(out="run", hooks=hooks["train"]))
    (root / "moments" / "seconds").write_text(str(trained.seconds), encoding="utf-8")
    systems = ["base=model", "text=hypotheses.txt", "--test_set", "news=test.tsv"]
    succeeded(box.evaluate(*systems, "--no_cache", out="evaluation", hooks=hooks["evaluate"]))
    modules = {MODULES: str(root / "modules")}
    succeeded(box.evaluate("run=run", "converted=converted", *systems, out="compared", variables=modules))
    import_what_was_imported(root / "modules")
    data = ["data", "small.yaml", "--output_dir", "card"]
    succeeded(box.mt(*data, writes=["card"], hooks=hooks["data"]))
    for name in ("converted", "evaluation"):
        shutil.copytree(box.work / name, root / "runs" / name)
    shutil.copytree(box.work / "card", root / "runs" / "data")
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
