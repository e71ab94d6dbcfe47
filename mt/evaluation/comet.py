"""COMET, a learned metric, run in the separate environment that `mt comet-setup` creates.

COMET cannot be installed beside transformers 5, so it runs as another process that reads and writes JSON. If it fails,
the evaluation goes on without it.
"""

from __future__ import annotations

import json
import logging
import math
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import Any

from mt.caches import cache_directory

logger = logging.getLogger(__name__)

SETUP = "comet.json"
_SCRIPT = Path(__file__).with_name("comet_script.py")
# A large encoder takes about one second per segment on two slow cores.
_SECONDS_TO_START, _SECONDS_PER_SEGMENT = 900, 5


class CometFailure(Exception):  # noqa: N818 - users see a warning, or a `RunError` from the setup
    """The COMET process returned no scores. The message is one line."""


@dataclass(frozen=True)
class CometResult:
    """COMET's scores of every system, on COMET's own scale: about 0 to 1, higher is better."""

    signature: str
    """COMET|model:<name>|version:<the model's commit>|comet:<the package's version>"""
    segments: dict[str, list[float]]
    """By system: one score per sentence, in order."""

    def score(self, system: str) -> float:
        """The system's score: for COMET, the mean over segments."""
        return fmean(self.segments[system])


@dataclass(frozen=True)
class CometSetup:
    """The content of `comet.json`, which `mt comet-setup` writes."""

    model: str
    version: str
    """The first ten digits of the model's commit on the hub; `unknown` if it is not from the hub."""
    comet: str
    checkpoint: str
    """The model's file."""

    @property
    def signature(self) -> str:
        """The signature to publish with a score."""
        return f"COMET|model:{self.model}|version:{self.version}|comet:{self.comet}"


def comet_root() -> Path:
    """The environment's directory, whether or not it exists."""
    return cache_directory("comet")


def read_setup() -> CometSetup | None:
    """The setup; None if there is none, or if it is damaged, with a warning."""
    try:
        facts = json.loads((comet_root() / SETUP).read_text(encoding="utf-8"))
        return CometSetup(**{name: str(facts[name]) for name in CometSetup.__dataclass_fields__})
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        logger.warning(
            "%s cannot be read (%s); mt comet-setup --overwrite creates it again", comet_root() / SETUP, error
        )
        return None


def comet_scores(
    sources: Sequence[str],
    hypotheses: Mapping[str, Sequence[str]],
    references: Sequence[str],
    timeout_seconds: float | None = None,
) -> CometResult | None:
    """Scores of every system; None if COMET is not set up, or if it fails, with a warning.

    All sequences are parallel. timeout_seconds: by default 15 minutes plus 5 seconds per segment.
    """
    setup = read_setup()
    if setup is None:
        logger.debug("no COMET scores: mt comet-setup installs COMET")
        return None
    logger.info("scoring with COMET, %d translations", sum(map(len, hypotheses.values())))
    samples = [
        {"src": source, "mt": hypothesis, "ref": reference}
        for lines in hypotheses.values()
        for source, hypothesis, reference in zip(sources, lines, references, strict=True)
    ]
    timeout = timeout_seconds or _SECONDS_TO_START + _SECONDS_PER_SEGMENT * len(samples)
    request = {"model": setup.model, "checkpoint": setup.checkpoint, "samples": samples}
    try:
        scores = run_script(comet_root(), request, timeout, offline=True)["scores"]
    except CometFailure as failure:
        logger.warning("no COMET scores (%s); mt comet-setup --overwrite creates its environment again", failure)
        return None
    size = len(references)
    return CometResult(
        setup.signature,
        {system: scores[i * size : (i + 1) * size] for i, system in enumerate(hypotheses)},
    )


def run_script(root: Path, request: Mapping[str, Any], timeout: float | None, *, offline: bool) -> dict[str, Any]:
    """The response of `comet_script.py`, run by the environment in `root`: one finite score per sample.

    Raises `CometFailure`.
    """
    environment = os.environ | {"TOKENIZERS_PARALLELISM": "false"}
    if offline:  # the setup has downloaded everything, and no update may change what a score means
        environment |= {"HF_HUB_OFFLINE": "1"}
    with TemporaryDirectory(prefix="mt-comet-") as directory:
        files = [Path(directory) / name for name in ("request.json", "response.json")]
        files[0].write_text(json.dumps(request), encoding="utf-8")
        # -I: neither PYTHONPATH nor our modules beside the script, whose names might hide other packages.
        command = [str(root / "bin" / "python"), "-I", str(_SCRIPT), *map(str, files)]
        run_quietly(command, timeout, environment)
        try:
            response: dict[str, Any] = json.loads(files[1].read_text(encoding="utf-8"))
            scores = response["scores"]
            is_complete = len(scores) == len(request["samples"]) and all(map(math.isfinite, scores))
        except (OSError, ValueError, KeyError, TypeError, RecursionError, OverflowError) as error:
            raise CometFailure(f"its answer cannot be read: {error}") from error
    if not is_complete:
        raise CometFailure(f"{len(scores)} scores for {len(request['samples'])} segments, or some are not finite")
    return response


def run_quietly(command: Sequence[str], timeout: float | None, environment: Mapping[str, str]) -> None:
    """Run a command; on timeout or Ctrl-C, stop all its processes. Raises `CometFailure` with its last error line."""
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env=dict(environment),
            start_new_session=True,
        )
    except OSError as error:
        raise CometFailure(f"{command[0]} cannot be run: {error.strerror}") from error
    try:
        _, complaint = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired as error:
        raise CometFailure(f"not finished after {timeout:g} seconds") from error
    finally:
        if process.returncode is None:  # also on Ctrl-C
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    if process.returncode != 0:
        lines = [line.strip() for line in complaint.splitlines() if line.strip()]
        raise CometFailure(lines[-1][:300] if lines else f"it exited with status {process.returncode}")
