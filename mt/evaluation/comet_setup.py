"""Put COMET into an environment of its own: a venv in the cache directory, the package, a model, and proof."""

from __future__ import annotations

import os
import re
import shutil
import sys
import time
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from tempfile import mkdtemp

from mt.errors import RunError
from mt.evaluation.comet import SETUP, CometFailure, CometSetup, comet_root, read_setup, run_quietly, run_script
from mt.files import write_json

COMET_VERSION = "2.2.7"
_UNFINISHED = "comet-unfinished-"
_LEFTOVER_SECONDS = 24 * 3600
_SAMPLE = {"src": "The war is over.", "mt": "انتهت الحرب.", "ref": "لقد انتهت الحرب."}


def set_up_comet(model: str, overwrite: bool = False) -> CometSetup:
    """Make the environment and score a sentence in it; an earlier one stays until the new one works.

    Raises `RunError`: there is one and `overwrite` is not given, no network, no such model.
    """
    root, earlier = comet_root(), read_setup()
    if earlier and not overwrite:
        raise RunError(f"{root}: COMET is set up, with {earlier.model}; to set it up anew say --overwrite")
    try:
        root.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(root.parent)
        work = Path(mkdtemp(prefix=_UNFINISHED, dir=root.parent))
        try:
            _install(work)
            setup = _fetch(work, model)
            write_json(work / SETUP, asdict(setup))
            _take_place(work, root)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    except OSError as error:
        raise RunError(f"{root}: cannot be written ({error.strerror}); set XDG_CACHE_HOME elsewhere") from error
    return setup


def _install(work: Path) -> None:
    # The torch that is known to run on this machine; setuptools has pkg_resources, without which COMET reads the
    # settings of some models wrongly, up to version 80.
    packages = [f"unbabel-comet=={COMET_VERSION}", f"torch=={version('torch').split('+')[0]}", "setuptools<81"]
    steps = [
        ([sys.executable, "-m", "venv", str(work)], "no environment can be made", "Debian's python3-venv is needed"),
        (
            [str(work / "bin" / "python"), "-m", "pip", "install", "--quiet", *packages],
            f"unbabel-comet {COMET_VERSION} cannot be installed",
            "check the network",
        ),
    ]
    for command, failed, remedy in steps:
        try:
            run_quietly(command, None, os.environ)
        except CometFailure as failure:
            raise RunError(f"COMET: {failed} ({failure}); {remedy}, nothing was left behind") from failure


def _fetch(work: Path, model: str) -> CometSetup:
    """Fetch the model, by scoring with it."""
    request = {"model": model, "checkpoint": None, "samples": [_SAMPLE]}
    try:
        response = run_script(work, request, None, offline=False)
    except CometFailure as failure:
        raise RunError(
            f"COMET: the model {model} cannot be fetched or does not run ({failure}); check its name and the "
            "network, nothing was left behind"
        ) from failure
    checkpoint = str(response["checkpoint"])
    commit = re.search(r"/snapshots/([0-9a-f]{10})", checkpoint)
    return CometSetup(model, commit[1] if commit else "unknown", str(response["comet"]), checkpoint)


def _take_place(work: Path, root: Path) -> None:
    """Rename `work` to `root`. A venv may be moved: only the commands in its bin/ would notice, and none is used."""
    work.chmod(0o755)
    if root.exists():
        earlier = Path(mkdtemp(prefix=_UNFINISHED, dir=root.parent))
        root.rename(earlier)  # an empty directory gives way
        work.rename(root)
        shutil.rmtree(earlier, ignore_errors=True)
    else:
        work.rename(root)


def _remove_leftovers(directory: Path) -> None:
    """What a killed setup has left."""
    for leftover in directory.glob(f"{_UNFINISHED}*"):
        if time.time() - leftover.stat().st_mtime > _LEFTOVER_SECONDS:
            shutil.rmtree(leftover, ignore_errors=True)
