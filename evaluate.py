"""Compare translation systems: runs, model directories, hub models, files of translations.

    python evaluate.py runs/demo
    python evaluate.py base=tiny-en-ar tuned=runs/demo/model --test_set news=news.tsv
    python evaluate.py runs/a other.txt --test_set news=news.tsv --fail_if_worse chrF

This file shares its name with a Hugging Face package; that package is never imported here.
"""

import signal
import sys

if __name__ == "__main__":
    # Ctrl-C while modules are imported ends the process without a traceback; from then on it is mt.cli's.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from mt.cli import evaluate_main

    sys.exit(evaluate_main())
