"""On what `benchmarks/bench.py` measures: machine, versions and settings."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil

PACKAGES = ("torch", "transformers", "ctranslate2", "datasets", "sacrebleu", "numpy")


def gpu_names() -> list[str]:
    """The GPUs that torch sees; none if it sees none or cannot be imported.

    In a process of its own: the one that starts the benchmarks must hold no memory of a GPU.
    """
    code = "import json, torch; n = torch.cuda.device_count(); "
    code += "print(json.dumps([torch.cuda.get_device_name(i) for i in range(n)]))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    return list(json.loads(result.stdout.splitlines()[-1])) if result.returncode == 0 else []


def setup_of(options: argparse.Namespace, gpus: list[str]) -> dict[str, Any]:
    """Machine, versions, and the options that change what is measured."""
    from mt.manifest import git_commit, installed_version

    return {
        "cpu": cpu_name(),
        "cores_of_machine": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "gpus": gpus,
        "system": platform.system(),
        "versions": {"python": platform.python_version(), **{name: installed_version(name) for name in PACKAGES}},
        "commit": git_commit(),
        "cores": options.cores,
        "rounds": options.rounds,
        "corpus": "the project's own" if options.corpus is None else Path(options.corpus).name,
        "scale": options.scale,
        "quick": options.quick,
    }


def cpu_name(info: Path = Path("/proc/cpuinfo")) -> str:
    """What the processor calls itself, or at least its architecture."""
    try:
        named = [line for line in info.read_text(encoding="utf-8").splitlines() if line.startswith("model name")]
    except OSError:
        named = []
    return named[0].partition(":")[2].strip() if named else platform.processor() or platform.machine()
