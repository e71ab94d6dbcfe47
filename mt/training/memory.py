"""The largest micro-batch that fits on a device, from two small trials and the memory that is free."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import torch
from torch import Tensor, nn

from mt.models.families import family_of_model
from mt.processes import process_state
from mt.training.loss import LossOptions

logger = logging.getLogger(__name__)

# Padded tokens of the larger of the two trial micro-batches, and the length of their sentences.
_TRIED = 2048
_LENGTH = 64
# Share of the free memory; the rest is for fragmentation, the longest sentences and other programs.
_USABLE = 0.8
# Gradient and AdamW's two moments, in float32.
_BYTES_PER_TRAINED_WEIGHT = 3 * 4
# The backward pass needs more for a moment than what the forward pass has kept for it.
_CPU_OVERHEAD = 1.5
_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")
_CGROUP_USED = Path("/sys/fs/cgroup/memory.current")


def largest_micro_batch(measure: Callable[[int], int], free: int, limit: int) -> int:
    """The largest micro-batch, up to `limit` padded tokens, that fits into `free` bytes.

    measure: the bytes that a micro-batch of this many tokens needs. They grow linearly, so two trials give the line:
        1,024 tokens need 1,034 kB and 2,048 need 2,058 kB: 1 kB per token, and 10 kB besides.
        Of 5,000 kB free, 80 % are used: (4,000 - 10) / 1 = 3,990 tokens.
    """
    if limit <= 2 * _LENGTH:
        return limit
    # No trial may be larger than the micro-batches of the training.
    tokens = min(_TRIED, limit) // (2 * _LENGTH) * _LENGTH
    small, large = measure(tokens), measure(2 * tokens)
    bytes_per_token = max(1.0, (large - small) / tokens)
    fits = tokens + (_USABLE * free - small) / bytes_per_token
    return max(_LENGTH, min(limit, int(fits)))


def find_micro_batch(model: nn.Module, loss: LossOptions, limit: int, *, uses_bf16: bool, uses_fp16: bool) -> int:
    """`largest_micro_batch` for this model on its device; with several processes the smallest of their results."""
    device = next(model.parameters()).device
    with _trials(model, uses_bf16, uses_fp16) as trial:
        if device.type == "cuda":
            # The first pass also allocates what stays, such as the workspace of matrix products.
            trial(model, loss, _LENGTH)
        found = largest_micro_batch(lambda tokens: trial(model, loss, tokens), free_bytes(model), limit)
    if process_state().num_processes > 1:
        smallest = torch.tensor(found, device=device)
        torch.distributed.all_reduce(smallest, torch.distributed.ReduceOp.MIN)
        found = int(smallest.item())
    logger.info("micro-batch: %d padded tokens, which fit into the free memory", found)
    return found


def bytes_of_micro_batch(model: nn.Module, loss: LossOptions, tokens: int, *, uses_bf16: bool, uses_fp16: bool) -> int:
    """What a forward and backward pass of so many padded tokens need, beside weights, gradients and optimizer."""
    with _trials(model, uses_bf16, uses_fp16) as trial:
        return trial(model, loss, tokens)


@contextmanager
def _trials(
    model: nn.Module, uses_bf16: bool, uses_fp16: bool
) -> Iterator[Callable[[nn.Module, LossOptions, int], int]]:
    """The way to measure a micro-batch on the model's device; the model is left as it was."""
    device = next(model.parameters()).device
    dtype = torch.bfloat16 if uses_bf16 else torch.float16
    was_training = model.training
    model.train()
    devices = [device] if device.type == "cuda" else []
    try:
        # The trials draw dropout masks; training must draw the same ones as without them.
        with torch.random.fork_rng(devices), torch.autocast(device.type, dtype, enabled=uses_bf16 or uses_fp16):
            yield _cuda_peak if device.type == "cuda" else _saved_bytes
    finally:
        model.train(was_training)
        model.zero_grad(set_to_none=True)
        if device.type == "cuda":
            torch.cuda.empty_cache()


def free_bytes(model: nn.Module) -> int:
    """Bytes left for micro-batches on the model's device once gradients and optimizer are allocated."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    reserved = _BYTES_PER_TRAINED_WEIGHT * sum(parameter.numel() for parameter in parameters)
    device = next(model.parameters()).device
    if device.type == "cuda":
        free = torch.cuda.mem_get_info(device)[0]
    else:
        processes_here = max(1, process_state().num_processes)
        free = _free_host_bytes() // processes_here
    return max(0, int(free) - reserved)


def _free_host_bytes() -> int:
    free = int(psutil.virtual_memory().available)
    try:
        # In a container the limit of its control group counts, not the machine's memory.
        limit, used = _CGROUP_LIMIT.read_text().strip(), int(_CGROUP_USED.read_text())
        return free if limit == "max" else min(free, int(limit) - used)
    except (OSError, ValueError):
        return free


def trial_batch(model: Any, tokens: int) -> dict[str, Tensor]:
    """A micro-batch of `tokens` padded tokens, in sentences of average length, with labels; int64 (sentences, 64).

    For a decoder-only model, whose micro-batches are counted in tokens of both sides, int64 (sentences, 32).
    """
    device = next(model.parameters()).device
    rows = max(1, tokens // _LENGTH)
    ids = torch.full((rows, _LENGTH // 2 if family_of_model(model).is_prompted else _LENGTH), 5, device=device)
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "decoder_input_ids": ids, "labels": ids}


def _cuda_peak(model: nn.Module, loss: LossOptions, tokens: int) -> int:
    """Bytes that a forward and backward pass need at their peak, gradients not counted."""
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    model(**trial_batch(model, tokens), loss=loss).backward()
    peak = torch.cuda.max_memory_allocated() - before
    # Gradients are allocated once, not per micro-batch, and `free_bytes` has counted them already.
    model.zero_grad(set_to_none=True)
    trained = sum(p.numel() * p.element_size() for p in model.parameters() if p.requires_grad)
    return max(0, peak - trained)


def _saved_bytes(model: nn.Module, loss: LossOptions, tokens: int) -> int:
    """Bytes that a forward pass keeps for the backward pass, half as much again added: a CPU reports no peak.

    Several saved tensors may share one storage, so storages are counted, by their address; those of the weights are
    there anyway.
    """
    storages: dict[int, int] = {}
    weights = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}

    def count(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            storages[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        kept = model(**trial_batch(model, tokens), loss=loss)
    total = sum(storages.values())
    del kept
    return int(_CPU_OVERHEAD * total)
