"""Install COMET into its own environment: a venv in the cache directory, the package, a model, and a trial run."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from mt.errors import RunError
from mt.evaluation.comet import SETUP, CometFailure, CometSetup, comet_root, read_setup, run_quietly, run_script
from mt.files import new_directory, write_json

COMET_VERSION = "2.2.7"
_SAMPLE = {"src": "The war is over.", "mt": "انتهت الحرب.", "ref": "لقد انتهت الحرب."}


def set_up_comet(model: str, overwrite: bool = False) -> CometSetup:
    """Create the environment and score a sentence in it; an earlier environment stays until the new one works.

    Raises `RunError` without a network, for an unknown model, and, unless `overwrite`, if there is an environment.
    """
    root, earlier = comet_root(), read_setup()
    if earlier and not overwrite:
        raise RunError(f"{root}: COMET is already set up, with {earlier.model}; to set it up again, add --overwrite")
    try:
        # A venv may be moved: only the commands in its bin/ would notice, and none of them is used.
        with new_directory(root, replace_if=lambda: True) as work:
            _install(work)
            setup = _fetch(work, model)
            write_json(work / SETUP, asdict(setup))
    except OSError as error:
        raise RunError(
            f"{root}: cannot be written ({error.strerror}); set XDG_CACHE_HOME to another directory"
        ) from error
    return setup


def _install(work: Path) -> None:
    # The torch version that is known to run on this machine. setuptools up to version 80 has pkg_resources, without
    # which COMET reads the settings of some models wrongly.
    packages = [f"unbabel-comet=={COMET_VERSION}", f"torch=={version('torch').split('+')[0]}", "setuptools<81"]
    steps = [
        ([sys.executable, "-m", "venv", str(work)], "no environment can be created", "on Debian, install python3-venv"),
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
            raise RunError(f"COMET: {failed} ({failure}); {remedy}, nothing was kept") from failure


def _fetch(work: Path, model: str) -> CometSetup:
    """Download the model by scoring a sentence with it."""
    request = {"model": model, "checkpoint": None, "samples": [_SAMPLE]}
    try:
        response = run_script(work, request, None, offline=False)
    except CometFailure as failure:
        raise RunError(
            f"COMET: the model {model} cannot be downloaded or does not run ({failure}); check its name and the "
            "network, nothing was kept"
        ) from failure
    checkpoint = str(response["checkpoint"])
    commit = re.search(r"/snapshots/([0-9a-f]{10})", checkpoint)
    return CometSetup(model, commit[1] if commit else "unknown", str(response["comet"]), checkpoint)
