"""How many CPU cores there are to work with."""

from __future__ import annotations

import os


def usable_cores() -> int:
    """Cores that this process may use, which a container or `taskset` makes fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
