"""Fine-tune a translation model and prove what it changed.

python train.py configs/demo.yaml
python train.py configs/conflict_news.yaml --training.learning_rate 3e-5
python train.py configs/demo.yaml --resume
accelerate launch train.py configs/conflict_news.yaml
"""

import sys

from mt.cli import train_main

if __name__ == "__main__":
    sys.exit(train_main())
