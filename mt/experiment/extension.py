"""Resuming a run with other options: allowed if they change nothing that the run has already done."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from mt.config import Config
from mt.config.config_files import config_as_yaml
from mt.config.parsing import read_config
from mt.errors import RunError, UserError
from mt.manifest import Manifest
from mt.runs import RunDirectory
from mt.wording import counted, shorten

logger = logging.getLogger(__name__)

EXTENDABLE = (
    *("training.epochs", "training.max_updates", "training.patience", "training.eval_every_updates"),
    *("training.dev_sentences", "training.keep_checkpoints", "training.report_to", "training.log_every_updates"),
    *("adaptation.average", "adaptation.average_of", "adaptation.interpolate", "adaptation.forgetting_price"),
    *(
        "decoding.num_beams",
        "decoding.length_penalty",
        "decoding.batch_tokens",
        "decoding.engine",
        "decoding.precision",
    ),
    "decoding.mbr",
    "evaluation.*",
    "data.corpora.*.licence",
    *("data.workers", "data.cache_dir", "model.skip_doctor", "training.compile", "training.cuda_graphs"),
)
"""Options, or patterns of them, that `--resume` may change."""

_IGNORED = ("output_dir",)  # the run may have been moved
_ABSENT = "nothing"
_MAX_NAMED = 3


class Change(NamedTuple):
    """An option whose value differs from that of the run's last start."""

    key: str
    before: Any
    now: Any

    def __str__(self) -> str:
        return f"{self.key} was {shorten(str(self.before))} and is now {shorten(str(self.now))}"


def find_changes(run: RunDirectory, config: Config) -> list[Change]:
    """The options in which `config` differs from the run's own config, all of them extendable.

    An option that an earlier version did not have counts as its default. Raises `RunError`, naming both values, if
    an option differs that would change what the run has done.
    """
    try:
        before = read_config(run.config)
    except UserError as error:
        raise RunError(f"{error}; restore the config, or start again with --overwrite") from error
    changes = [c for c in _differences(_plain(before), _plain(config)) if c.key not in _IGNORED]
    refused = [c for c in changes if not any(fnmatch(c.key, pattern) for pattern in EXTENDABLE)]
    if refused:
        more = f" (and {len(refused) - _MAX_NAMED} more)" if len(refused) > _MAX_NAMED else ""
        raise RunError(
            f"{run.root}: {'; '.join(map(str, refused[:_MAX_NAMED]))}{more}, which would change what the run has done: "
            "resume with the old value, start again with --overwrite or another --output_dir, or train another run "
            f"from its model by --model.name {run.model}"
        )
    return changes


def _plain(config: Config) -> dict[str, Any]:
    plain: dict[str, Any] = yaml.safe_load(config_as_yaml(config))
    return plain


def _differences(before: Any, now: Any, key: str = "") -> Iterator[Change]:
    if isinstance(before, dict) and isinstance(now, dict):
        for name in [*before, *(name for name in now if name not in before)]:
            yield from _differences(before.get(name, _ABSENT), now.get(name, _ABSENT), f"{key}.{name}".lstrip("."))
    elif before != now:
        yield Change(key, _short(before), _short(now))


def _short(value: Any) -> Any:
    """`value`, or the path of a corpus."""
    return value["path"] if isinstance(value, dict) and "path" in value else value


def record_extension(config: Config, run: RunDirectory, updates: int, manifest: Manifest | None) -> None:
    """Give a resumed run the options of `config`, which make `updates` updates in all, and note what has changed.

    Raises `RunError`, before anything is changed, if the run has made more updates.
    """
    # Not at the top: it imports transformers, and mistakes on a command line are answered before that.
    from mt.training.checkpoints import list_checkpoints, update_of

    refuse_fewer_updates(run, config, updates, max(map(update_of, list_checkpoints(run.checkpoints)), default=0))
    if manifest is None or not run.config.is_file():
        return
    changes = find_changes(run, config)
    if changes:
        log_changes(run, changes)
        run.go_on(config_as_yaml(config))
        manifest.facts["starts"][-1]["extended"] = {
            change.key: {"before": change.before, "now": change.now} for change in changes
        }
        manifest.update()


def log_changes(run: RunDirectory, changes: Sequence[Change]) -> None:
    """Log the new values, and warn of those that come too late to have their full effect."""
    for change in changes:
        logger.info("extended: %s", change)
    keys = {change.key for change in changes}
    if "training.dev_sentences" in keys:
        logger.warning(
            "training.dev_sentences: earlier dev scores are of another sample than the ones to come, so a small "
            "difference between them means nothing"
        )
    new = [c.key for c in changes if c.before == _ABSENT and c.key.startswith("evaluation.")]
    if new and run.data.is_dir():
        logger.warning(
            "%s: was not held out when the splits were made; the report says which of its sentences were trained on",
            ", ".join(new),
        )


def refuse_fewer_updates(run: RunDirectory, config: Config, updates: int, done: int) -> None:
    """Raise `RunError` if the options ask for fewer updates than the `done` ones."""
    if updates < done:
        training = config.training
        limit = f" and training.max_updates {training.max_updates}" if training.max_updates is not None else ""
        raise RunError(
            f"{run.root}: {counted(done, 'update')} done, and training.epochs {training.epochs:g}{limit} "
            f"make {updates}; ask for at least as many, or start again with another --output_dir"
        )


def dropped_inputs(inputs: Mapping[str, str], changes: Sequence[Change]) -> set[str]:
    """The paths among a manifest's `inputs` that belong to test sets, or a glossary, that are no longer named."""
    gone = [str(change.before) for change in changes if change.key.startswith("evaluation.") and change.before]
    return {path for path in inputs if any(path == name or Path(name) in Path(path).parents for name in gone)}
