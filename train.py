"""Fine-tune a translation model and prove what it changed.

python train.py configs/demo.yaml
python train.py configs/conflict_news.yaml --training.learning_rate 3e-5
python train.py configs/demo.yaml --resume
accelerate launch train.py configs/conflict_news.yaml
"""

import signal
import sys

if __name__ == "__main__":
    # Ctrl-C while modules are imported ends the process without a traceback; from then on it is mt.cli's.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from mt.cli import train_main

    sys.exit(train_main())
