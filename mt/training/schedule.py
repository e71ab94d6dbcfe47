"""The learning rate of a run that goes on, by the schedule that it has now."""

from __future__ import annotations

import logging
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

logger = logging.getLogger(__name__)


class FollowSchedule(TrainerCallback):
    """Sets the first learning rate after a checkpoint to what the schedule says there.

    The checkpoint holds that of its own schedule, which ends at 0; in a run that was extended the first new update
    would be lost. In any other run both are the same number.
    """

    def on_train_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        optimizer: Optimizer | None = None,
        lr_scheduler: Any = None,
        **_: Any,
    ) -> None:
        scheduler = getattr(lr_scheduler, "scheduler", lr_scheduler)  # inside accelerate's
        if not state.global_step or optimizer is None or not isinstance(scheduler, LambdaLR):
            return
        rates = [
            rate * factor(scheduler.last_epoch)
            for rate, factor in zip(scheduler.base_lrs, scheduler.lr_lambdas, strict=True)
        ]
        before = optimizer.param_groups[0]["lr"]
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate
        scheduler._last_lr = rates
        if rates[0] != before and state.is_world_process_zero:
            logger.warning(
                "the learning rate goes on at %.3g, where the schedule of %d updates is after %d; it was %.3g there",
                *(rates[0], state.max_steps, state.global_step, before),
            )
