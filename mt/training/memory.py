"""How many tokens a device takes at once, found from what a few need and what is free."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import torch
from torch import Tensor, nn

from mt.processes import process_state
from mt.training.loss import LossOptions

logger = logging.getLogger(__name__)

# Padded tokens of the larger of two micro-batches that are tried, and the length of their sentences.
_TRIED = 2048
_LENGTH = 64
# Of what is free; the rest is for fragments, the longest sentences and what else runs.
_USABLE = 0.8
# Gradient and AdamW's two moments, in float32.
_BYTES_PER_TRAINED_WEIGHT = 3 * 4
# What a backward pass holds for a moment, beside what the forward pass has kept for it.
_CPU_OVERHEAD = 1.5
_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")
_CGROUP_USED = Path("/sys/fs/cgroup/memory.current")


def micro_batch_tokens(measure: Callable[[int], int], free: int, most: int) -> int:
    """The largest micro-batch, up to `most` padded tokens, that `free` bytes hold.

    measure: the bytes that a micro-batch of so many tokens needs; they grow in proportion to the tokens.
    """
    if most <= 2 * _LENGTH:
        return most
    # No trial takes more than training itself may.
    tokens = min(_TRIED, most) // (2 * _LENGTH) * _LENGTH
    small, large = measure(tokens), measure(2 * tokens)
    slope = max(1.0, (large - small) / tokens)
    fits = tokens + (_USABLE * free - small) / slope
    return max(_LENGTH, min(most, int(fits)))


def find_micro_batch(model: nn.Module, loss: LossOptions, most: int, *, uses_bf16: bool, uses_fp16: bool) -> int:
    """`micro_batch_tokens` for this model on its device; the least of all processes' findings."""
    device = next(model.parameters()).device
    dtype = torch.bfloat16 if uses_bf16 else torch.float16
    was_training = model.training
    model.train()
    devices = [device] if device.type == "cuda" else []
    try:
        # What is tried here must not change what is drawn in training.
        with torch.random.fork_rng(devices), torch.autocast(device.type, dtype, enabled=uses_bf16 or uses_fp16):
            trial = _cuda_peak if device.type == "cuda" else _saved_bytes
            found = micro_batch_tokens(lambda tokens: trial(model, loss, tokens), free_bytes(model), most)
    finally:
        model.train(was_training)
        model.zero_grad(set_to_none=True)
        if device.type == "cuda":
            torch.cuda.empty_cache()
    if process_state().num_processes > 1:
        everyone = torch.tensor(found, device=device)
        torch.distributed.all_reduce(everyone, torch.distributed.ReduceOp.MIN)
        found = int(everyone.item())
    logger.info("micro-batch: %d padded tokens, found from the memory that is free", found)
    return found


def free_bytes(model: nn.Module) -> int:
    """Memory for micro-batches on the model's device, once gradients and optimizer have theirs."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    owed = _BYTES_PER_TRAINED_WEIGHT * sum(parameter.numel() for parameter in parameters)
    device = next(model.parameters()).device
    if device.type == "cuda":
        free = torch.cuda.mem_get_info(device)[0]
    else:
        processes_here = max(1, process_state().num_processes)
        free = _free_host_bytes() // processes_here
    return max(0, int(free) - owed)


def _free_host_bytes() -> int:
    free = int(psutil.virtual_memory().available)
    try:
        # In a container the machine's figure says nothing.
        limit, used = _CGROUP_LIMIT.read_text().strip(), int(_CGROUP_USED.read_text())
        return free if limit == "max" else min(free, int(limit) - used)
    except (OSError, ValueError):
        return free


def trial_batch(model: Any, tokens: int) -> dict[str, Tensor]:
    """A micro-batch of so many tokens, of middling sentences, with labels."""
    device = next(model.parameters()).device
    ids = torch.full((max(1, tokens // _LENGTH), _LENGTH), 5, device=device)
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "decoder_input_ids": ids, "labels": ids}


def _cuda_peak(model: nn.Module, loss: LossOptions, tokens: int) -> int:
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    model(**trial_batch(model, tokens), loss=loss).backward()
    peak = torch.cuda.max_memory_allocated() - before
    # Gradients are owed once, not for each micro-batch.
    model.zero_grad(set_to_none=True)
    trained = sum(p.numel() * p.element_size() for p in model.parameters() if p.requires_grad)
    return max(0, peak - trained)


def _saved_bytes(model: nn.Module, loss: LossOptions, tokens: int) -> int:
    """Bytes kept for the backward pass; the CPU's allocator tells no peak."""
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
