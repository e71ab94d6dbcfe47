"""`mt env`: versions, hardware, caches and settings, as a bug report needs them."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import stat
import subprocess
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

import mt
from mt.caches import cache_directory
from mt.config.parsing import QuietParser, parse_or_help
from mt.cores import usable_cores
from mt.evaluation.comet import comet_root
from mt.files import printable
from mt.manifest import git_commit, installed_version

PACKAGES = (
    *("torch", "transformers", "tokenizers", "accelerate", "datasets", "huggingface-hub", "safetensors"),
    *("sentencepiece", "sacrebleu", "jsonargparse", "numpy", "pyarrow", "peft", "ctranslate2", "optuna"),
)
"""Packages whose versions explain most differences between machines."""

VARIABLES = (
    *("CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "TOKENIZERS_PARALLELISM"),
    *("PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF", "NCCL_DEBUG", "NCCL_SOCKET_IFNAME"),
    *("WORLD_SIZE", "LOCAL_WORLD_SIZE", "RANK", "LOCAL_RANK", "ACCELERATE_USE_FSDP", "SLURM_NNODES"),
    *("HF_HOME", "HF_HUB_CACHE", "HF_DATASETS_CACHE", "HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"),
    *("XDG_CACHE_HOME", "SACREBLEU", "PYTHONPATH"),
)
"""Settings that change what mt does. None of them holds a secret; the rest of the environment is never shown."""

_SECONDS_FOR_DRIVER = 10
# cgroup 2: what a container may use, which is less than the machine has.
_MEMORY_LIMIT = Path("/sys/fs/cgroup/memory.max")


def run(argv: Sequence[str], prog: str) -> int:
    """Print the environment, as text or as JSON. Raises `UsageError`."""
    parser = QuietParser(
        prog=prog,
        usage="%(prog)s [--json]",
        description="Show versions, hardware, caches and settings, for a bug report. No tokens, no whole environment; "
        "the home directory is shown as ~.",
    )
    parser.add_argument("--json", action="store_true", help="as JSON, sizes in bytes")
    options = parse_or_help(parser, argv)
    facts = environment()
    print(json.dumps(facts, indent=2, ensure_ascii=False) if options.json else as_text(facts))
    return 0


def environment() -> dict[str, Any]:
    """What `mt env` shows, ready for JSON: sizes in bytes, the home directory as ~."""
    facts = {
        "mt": {"version": mt.__version__, "directory": str(Path(mt.__file__).parent), "commit": git_commit()},
        "python": {"version": platform.python_version(), "executable": sys.executable},
        "platform": platform.platform(),
        "cpu": {"cores": usable_cores(), "cores_of_machine": os.cpu_count()},
        "memory": _memory(),
        "gpu": _gpus(),
        "packages": {name: installed_version(name) for name in PACKAGES},
        "caches": {name: _directory(path) for name, path in _caches().items()},
        "variables": {name: os.environ[name] for name in VARIABLES if name in os.environ},
    }
    return dict(_shown(facts))


def as_text(facts: dict[str, Any]) -> str:
    """The facts of `environment` for a person."""
    code, python, cpu, memory = (facts[key] for key in ("mt", "python", "cpu", "memory"))
    commit = f", commit {code['commit']}" if code["commit"] else ""
    packages = {name: found or "not installed" for name, found in facts["packages"].items()}
    caches = {name: f"{each['path']}, {_in_words(each)}" for name, each in facts["caches"].items()}
    sections = [
        _table(
            {
                "mt": f"{code['version']}{commit}, in {code['directory']}",
                "Python": f"{python['version']}, {python['executable']}",
                "platform": facts["platform"],
                "CPU": f"{cpu['cores']} of {cpu['cores_of_machine']} cores",
                "memory": f"{_gib(memory['total'])}, {_gib(memory['available'])} available",
                **_gpus_in_words(facts["gpu"]),
            }
        ),
        f"packages\n{_table(packages, indent='  ')}",
        f"caches\n{_table(caches, indent='  ')}",
        "variables\n" + (_table(facts["variables"], indent="  ") or "  none that affect mt are set"),
    ]
    return "\n\n".join(sections)


def _memory() -> dict[str, int]:
    found = psutil.virtual_memory()
    try:
        limit = int(_MEMORY_LIMIT.read_text(encoding="ascii"))
    except (OSError, ValueError):  # no such limit, or "max"
        limit = found.total
    return {"total": min(limit, found.total), "available": min(limit, found.available)}


def _gpus() -> dict[str, Any]:
    """The GPUs that torch sees, or its error: a broken torch may be what the bug report is about."""
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            import torch

            devices = [torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count())]
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}".partition("\n")[0]}
    return {
        "devices": [
            {"name": one.name, "memory": one.total_memory, "capability": f"{one.major}.{one.minor}"} for one in devices
        ],
        "cuda": torch.version.cuda,
        "hip": torch.version.hip,
        "cudnn": torch.backends.cudnn.version(),  # type: ignore[no-untyped-call]
        "driver": _driver(),
        "warnings": [str(warning.message).partition("\n")[0] for warning in caught if "CUDA" in str(warning.message)],
    }


def _driver() -> str | None:
    """The version of NVIDIA's driver; None without its tool."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return None
    command = [tool, "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS_FOR_DRIVER, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return next(iter(told.split()), None)


def _gpus_in_words(gpu: dict[str, Any]) -> dict[str, str]:
    if "error" in gpu:
        return {"GPU": f"unknown, torch failed: {gpu['error']}"}
    built = {"CUDA": gpu["cuda"], "ROCm": gpu["hip"], "cuDNN": gpu["cudnn"], "driver": gpu["driver"]}
    known = ", ".join(f"{name} {found}" for name, found in built.items() if found)
    lines = {
        f"GPU {number}": f"{one['name']}, {_gib(one['memory'])}, compute capability {one['capability']}"
        for number, one in enumerate(gpu["devices"])
    }
    lines = lines or {"GPU": "none that torch can use"}
    warning = {"warning": "; ".join(gpu["warnings"])} if gpu["warnings"] else {}
    return lines | {"torch for": known or "CPU only"} | warning


def _caches() -> dict[str, Path]:
    cache = cache_directory("data").parent.parent
    home = Path(os.environ.get("HF_HOME") or cache / "huggingface").expanduser()
    return {
        "data": cache_directory("data"),
        "translations": cache_directory("translations"),
        "COMET": comet_root(),
        "hub": Path(os.environ.get("HF_HUB_CACHE") or home / "hub").expanduser(),
        "datasets": Path(os.environ.get("HF_DATASETS_CACHE") or home / "datasets").expanduser(),
    }


def _directory(path: Path) -> dict[str, Any]:
    """The path, how many files it holds, and their bytes; None for both if it does not exist. Links are not counted."""
    if not path.is_dir():
        return {"path": str(path), "files": None, "bytes": None}
    sizes = [
        size for root, _, names in os.walk(path) for name in names if (size := _size(Path(root, name))) is not None
    ]
    return {"path": str(path), "files": len(sizes), "bytes": sum(sizes)}


def _size(path: Path) -> int | None:
    """Bytes of a file; None for a link, and for a file that another process has just removed."""
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None


def _in_words(directory: dict[str, Any]) -> str:
    if directory["files"] is None:
        return "does not exist"
    size = directory["bytes"]
    return f"{_gib(size) if size >= 2**30 else f'{size / 2**20:.1f} MiB'} in {directory['files']} files"


def _gib(size: int) -> str:
    return f"{size / 2**30:.1f} GiB"


def _table(rows: dict[str, str], indent: str = "") -> str:
    width = max((len(name) for name in rows), default=0)
    return "\n".join(f"{indent}{name:<{width}}  {value}" for name, value in rows.items())


def _shown(value: Any) -> Any:
    """`value` with every string in one printable line and the home directory as ~."""
    if isinstance(value, dict):
        return {name: _shown(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_shown(item) for item in value]
    return _with_tilde(value) if isinstance(value, str) else value


def _with_tilde(text: str) -> str:
    line = printable(text)
    line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
    home = os.path.expanduser("~")  # noqa: PTH111 - `Path.home` raises where there is none
    # The home directory may be a link; in a container it may be /, which gives nothing away.
    for directory in sorted({home, os.path.realpath(home)} - {"/", "~"}, key=len, reverse=True):
        line = re.sub(rf"(?<![\w.~-]){re.escape(directory)}(?![\w.-])", "~", line)
    return line
