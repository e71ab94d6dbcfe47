"""Scores with COMET. Run by the Python of COMET's environment, which has no other module of this project.

    python -I comet_script.py REQUEST RESPONSE

REQUEST, a JSON file: {"model": hub name, "checkpoint": its file once it is downloaded, or null,
                       "samples": [{"src": ..., "mt": ..., "ref": ...}]}
RESPONSE, JSON, too:   {"scores": one per sample, "checkpoint": its file, "comet": version}
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path

import comet
import torch  # which comet brings along

_BATCH_SIZE = 16


def main(request_file: str, response_file: str) -> None:
    """Score the samples of the request."""
    request = json.loads(Path(request_file).read_text(encoding="utf-8"))
    checkpoint = request["checkpoint"] or comet.download_model(request["model"])
    model = comet.load_from_checkpoint(checkpoint)
    gpus = int(torch.cuda.is_available())
    prediction = model.predict(request["samples"], batch_size=_BATCH_SIZE, gpus=gpus, progress_bar=False)
    response = {
        "scores": [float(score) for score in prediction.scores],
        "checkpoint": str(checkpoint),
        "comet": version("unbabel-comet"),
    }
    Path(response_file).write_text(json.dumps(response), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
