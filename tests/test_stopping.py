"""When training ends for want of anything better, and that it has ended when it is resumed."""

from __future__ import annotations

from pathlib import Path

import pytest
from transformers import TrainerControl, TrainerState, TrainingArguments

from mt.config import TrainingConfig
from mt.training.stopping import Patience, best_update, evaluations_since_best, state_if_ended


@pytest.mark.parametrize(
    ("dev_scores", "best", "since"),
    [
        ({2: 10.0}, 2, 0),
        ({2: 10.0, 4: 11.0, 6: 10.5, 8: 10.9}, 4, 2),
        ({2: 10.0, 4: 10.0, 6: 10.0}, 2, 2),  # as good is not better
        ({2: -3.0, 4: -2.5, 6: -2.4}, 6, 0),
    ],
)
def test_how_long_ago_the_best_was(dev_scores: dict[int, float], best: int, since: int):
    assert (best_update(dev_scores), evaluations_since_best(dev_scores)) == (best, since)


def test_patience_is_counted_from_the_log(tmp_path: Path):
    """A process that begins with two evaluations behind it needs one more, as one that made all three."""
    dev_scores = {2: 10.0, 4: 9.0}
    control, patience = TrainerControl(), Patience(lambda: dev_scores, 2)
    arguments = TrainingArguments(output_dir=str(tmp_path), report_to=[])
    patience.on_evaluate(arguments, TrainerState(), control)
    assert not control.should_training_stop
    dev_scores[6] = 10.0
    patience.on_evaluate(arguments, TrainerState(), control)
    assert control.should_training_stop


@pytest.mark.parametrize(
    ("training", "is_over"),
    [
        (TrainingConfig(patience=2), True),
        (TrainingConfig(patience=3), False),  # more of it: training goes on
        (TrainingConfig(), False),
        (TrainingConfig(patience=2, best_metric="loss"), False),
    ],
)
def test_a_run_that_had_ended_is_not_trained_further(training: TrainingConfig, is_over: bool, tmp_path: Path):
    history = [{"step": 2 * n, "eval_chrF": 30.0 - n, "eval_loss": 3.0 - n / 10} for n in (1, 2, 3)]
    state = TrainerState(global_step=6, max_steps=40, log_history=history)  # type: ignore[arg-type]
    state.save_to_json(str(tmp_path / "trainer_state.json"))
    found = state_if_ended(tmp_path, training)
    assert (found is not None) == is_over
    if found is not None:
        assert (found.global_step, found.max_steps, found.log_history) == (6, 40, history)
