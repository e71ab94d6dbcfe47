"""The learning rate of a resumed run whose schedule has become longer."""

from __future__ import annotations

import logging
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

logger = logging.getLogger(__name__)


class FollowSchedule(TrainerCallback):
    """Sets the learning rate of the first update after a checkpoint to what today's schedule says for it.

    The checkpoint stores the rate of its own schedule. A run of 100 updates that is extended to 200 has stored 0, the
    end of the linear decay, and its 101st update would change nothing; the new schedule says half the peak there. In a
    run that was not extended both are the same number.
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
        scheduler = getattr(lr_scheduler, "scheduler", lr_scheduler)  # unwrapped from accelerate's
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
                "the learning rate is now %.3g, as the schedule of %d updates says after %d; the checkpoint had %.3g",
                *(rates[0], state.max_steps, state.global_step, before),
            )
