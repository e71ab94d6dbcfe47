"""Forward and backward passes recorded as CUDA graphs, one per batch shape, and replayed without launching kernels.

A micro-batch of a small model is hundreds of kernels of a few microseconds each, and launching one from Python takes as
long as running it. A recording of all of them is launched at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

Batch = dict[str, Tensor]
ForwardBackward = Callable[[Batch, Tensor], Tensor]
"""Makes a forward and a backward pass of a batch on the device. The second argument, float32 (), divides the loss; the
summed loss, float32 (), is returned, detached."""


_INPUTS = ("input_ids", "attention_mask", "decoder_input_ids", "labels")


class RecordedSteps:
    """A forward and backward pass that is recorded for each batch shape.

    A recording reads and writes the memory that it was made with. So inputs are copied to where it expects them, and
    gradients stay where they are: `zero_gradients` fills them with zeros.
    """

    def __init__(self, model: nn.Module, forward_backward: ForwardBackward) -> None:
        self.model = model
        self.parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self.forward_backward = forward_backward
        self.device = self.parameters[0].device
        self._recordings: dict[tuple[torch.Size, ...], tuple[torch.cuda.CUDAGraph, Batch, Tensor]] = {}
        self._pool: Any = None
        self.missed = 0
        """Batches whose shape was not recorded; their kernels were launched."""
        self._divisor = torch.ones((), device=self.device)
        for parameter in self.parameters:
            parameter.grad = torch.zeros_like(parameter)
        # The trainer calls it after each update; the model's own would free the gradients.
        model.zero_grad = self.zero_gradients  # type: ignore[method-assign]

    def __len__(self) -> int:
        """The number of recordings."""
        return len(self._recordings)

    def record(self, batches: Iterable[Batch]) -> None:
        """Record the shapes of `batches`, on any device; the largest first, so that the others share its memory."""
        with torch.random.fork_rng([self.device]):
            for batch in batches:
                self._recordings[_shapes(batch)] = self._record(batch)
        self.zero_gradients()

    def __call__(self, batch: Batch, divisor: float) -> Tensor:
        """Add the gradients of one micro-batch, of the summed loss divided by `divisor`; the summed loss, float32 ().

        batch: on the host, in pinned memory if the host is not to wait for the copy.
        """
        self._divisor.fill_(divisor)
        recording = self._recordings.get(_shapes(batch))
        if recording is None:
            self.missed += 1
            moved = {name: batch[name].to(self.device, non_blocking=True) for name in _INPUTS}
            return self.forward_backward(moved, self._divisor)
        graph, inputs, loss = recording
        for name, held in inputs.items():
            held.copy_(batch[name], non_blocking=True)
        graph.replay()
        # The next replay overwrites it.
        return loss.clone()

    def zero_gradients(self, set_to_none: bool = False) -> None:
        """Set all gradients to zero, in place whatever `set_to_none` says."""
        torch._foreach_zero_([parameter.grad for parameter in self.parameters if parameter.grad is not None])

    def discard(self) -> None:
        """Free the recordings and the gradients; the model's own `zero_grad` is back."""
        self._recordings.clear()
        del self.model.zero_grad
        self.model.zero_grad(set_to_none=True)

    def _record(self, batch: Batch) -> tuple[torch.cuda.CUDAGraph, Batch, Tensor]:
        """Record one shape. The pass before the recording loads kernels and compiles, which must not be recorded."""
        held = {name: batch[name].to(self.device, copy=True) for name in _INPUTS}
        stream: torch.cuda.Stream = torch.cuda.Stream(self.device)  # type: ignore[no-untyped-call]
        current = torch.cuda.current_stream(self.device)
        stream.wait_stream(current)
        with torch.cuda.stream(stream):
            self.forward_backward(held, self._divisor)
        current.wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.compiler.set_stance("fail_on_recompile"), torch.cuda.graph(graph, pool=self._pool):
            loss = self.forward_backward(held, self._divisor)
        self._pool = self._pool or graph.pool()
        return graph, held, loss


def _shapes(batch: Batch) -> tuple[torch.Size, ...]:
    return tuple(batch[name].shape for name in _INPUTS)
