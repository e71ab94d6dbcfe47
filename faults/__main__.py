"""`python -m faults`: inject the faults, print the table, exit 1 if one ends wrong that is not known to."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import mkdtemp

from faults.command import warm_up
from faults.known import KNOWN
from faults.registry import KINDS, all_faults
from faults.stock import make_stock
from faults.suite import Result, as_table, choose, choose_sample, run_faults


def main() -> int:
    options = _parse()
    if options.list:
        print("\n".join(fault.title for fault in choose(options.kind, options.only)))
        return 0
    started = time.monotonic()
    warm_up()
    all_faults()
    faults = choose_sample() if options.sample else choose(options.kind, options.only)
    root = Path(mkdtemp(prefix="faults-"))
    try:
        make_stock(root / "stock", is_for_sample=options.sample)
        results = []
        for result in run_faults(faults, root / "stock", options.jobs):
            results.append(result)
            if result.verdict != "right" or options.verbose:
                print(_line(result), file=sys.stderr, flush=True)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    if options.json:
        Path(options.json).write_text(json.dumps([asdict(result) for result in results], indent=1), encoding="utf-8")
    print(as_table(results, markdown=options.markdown))
    if not options.markdown:
        print(f"{time.monotonic() - started:.0f} s")
    return 1 if any(result.verdict == "wrong" and not result.is_known for result in results) else 0


def _line(result: Result) -> str:
    known = f" (known: {KNOWN[result.title]})" if result.is_known else ""
    how = result.reason or " | ".join(result.ends)
    return f"{result.verdict:<7} {result.title} {result.seconds:.1f} s: {how}{known}"


def _parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m faults", description="Inject faults into the real commands.")
    parser.add_argument("--kind", choices=list(KINDS), help="only this kind")
    parser.add_argument("--only", metavar="LETTERS", help="only faults whose kind/name holds these letters")
    parser.add_argument("--sample", action="store_true", help="only the few that `make test` injects, too")
    parser.add_argument("--jobs", type=int, default=2, help="faults injected at once")
    parser.add_argument("--json", metavar="FILE", help="write every result there")
    parser.add_argument("--markdown", action="store_true", help="print the table as docs/reliability.md holds it")
    parser.add_argument("--list", action="store_true", help="print the names and inject nothing")
    parser.add_argument("--verbose", action="store_true", help="print a line for each fault, also those that end right")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
