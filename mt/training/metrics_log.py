"""Progress of the training on stderr, a log line per evaluation, and every number in `metrics.jsonl`."""

from __future__ import annotations

import json
import logging
import math
import os
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from mt.files import write_text, writing
from mt.manifest import Manifest
from mt.progress import ProgressMeter
from mt.runs import RunDirectory, read_metrics

logger = logging.getLogger(__name__)


class MetricsLog(TrainerCallback):
    """Shows progress, logs each evaluation and appends to `metrics.jsonl`; in the main process only.

    A line of `metrics.jsonl` is an object with `update` (optimizer updates so far) and either `loss` (training, nats
    per target token with label smoothing), `grad_norm` and `learning_rate`, or `eval_loss`, `eval_chrF`, `eval_BLEU`
    and, with a general dev set, `eval_general_loss`, `eval_general_chrF`, `eval_general_BLEU`. Update 0 is the base.
    """

    def __init__(self, run: RunDirectory, manifest: Manifest | None) -> None:
        self.run, self.manifest = run, manifest
        self.meter: ProgressMeter | None = None

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        if state.is_world_process_zero:
            self.meter = ProgressMeter("fine-tune", state.max_steps, "updates", done=state.global_step)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        if self.meter is not None:
            self.meter.advance()

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **_: Any,
    ) -> None:
        if not state.is_world_process_zero or logs is None or "train_runtime" in logs:
            return
        values = {name: float(value) for name, value in logs.items() if name != "epoch"}
        self._write({"update": state.global_step, **values})
        if "eval_chrF" in values:
            logger.info(
                "%s: dev chrF %.2f, BLEU %.2f, perplexity %.1f%s",
                f"update {state.global_step} of {state.max_steps}" if state.global_step else "before training",
                *(values["eval_chrF"], values["eval_BLEU"], math.exp(min(values["eval_loss"], 50))),
                f"; general chrF {values['eval_general_chrF']:.2f}" if "eval_general_chrF" in values else "",
            )
        elif self.meter is not None and "loss" in values:
            self.meter.note(f"loss {values['loss']:.3f}")

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        if self.meter is not None:
            self.meter.close()

    def _write(self, entry: dict[str, float]) -> None:
        self.run.check_there()
        with writing(self.run.metrics), self.run.metrics.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")
            if "eval_chrF" in entry:
                # The checkpoint is saved next, and a run resumed from it relies on the lines up to here.
                file.flush()
                os.fsync(file.fileno())
        if "eval_chrF" in entry and self.manifest is not None:
            self.manifest.update()


def drop_metrics_after(run: RunDirectory, update: int) -> None:
    """Remove the lines after `update`, and torn ones, from `metrics.jsonl`: a resumed run writes them again."""
    if run.metrics.exists():
        kept = [entry for entry in read_metrics(run) if entry["update"] <= update]
        write_text(run.metrics, "".join(json.dumps(entry) + "\n" for entry in kept))
