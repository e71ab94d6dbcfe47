"""Word alignment learnt from sentence pairs, and embeddings in which translations of each other are close."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import scipy.sparse
import torch
from numpy.typing import NDArray

from mt.data.word_links import expected_links

_ROUNDS = 5
_TENSION = 4.0
"""How strongly a piece is expected at the same relative position as its translation; 0: not at all."""
_FEWEST_LINKS = 0.1
"""Expected links in the whole corpus below which two pieces are linked by chance."""
_OVERSAMPLING = 64
_POWER_ITERATIONS = 8
"""For the randomised decomposition: enough for 0.5 % accuracy of the 256th singular value on a corpus of news."""
_NOISE = 1e-9
"""Singular values below this share of the largest are rounding errors with arbitrary vectors."""
MAX_CELLS = 30_000_000
"""Largest number of cells (pairs of a source and a target position): about 50,000 newspaper sentences."""


def count_links(
    sources: Sequence[Sequence[int]],
    targets: Sequence[Sequence[int]],
    vocabulary_size: int,
    seed: int = 1,
    max_cells: int = MAX_CELLS,
) -> scipy.sparse.csr_matrix:
    """How often each source piece is expected to be translated by each target piece: float (vocabulary, vocabulary).

    Expectation maximisation of IBM model 1 (`mt.data.word_links.expected_links`) with a fixed preference for the
    diagonal (Dyer et al., 2013, "A Simple, Fast, and Effective Reparameterization of IBM Model 2"). The links of each
    target position sum to 1. If the corpus has more cells than `max_cells`, a random part of it is used.
    """
    order = np.random.default_rng(seed).permutation(len(sources))
    total = np.cumsum([len(sources[i]) * len(targets[i]) for i in order])
    chosen = [i for i in order[: 1 + np.searchsorted(total, max_cells)] if sources[i] and targets[i]]
    pieces, prior, positions = _cells([(sources[i], targets[i]) for i in chosen], vocabulary_size)
    links, which = np.unique(pieces, return_inverse=True)
    source, target = np.divmod(links, vocabulary_size)
    counts = expected_links(which, positions, source, prior=prior, rounds=_ROUNDS)
    return scipy.sparse.csr_matrix((counts, (source, target)), shape=(vocabulary_size, vocabulary_size))


def _cells(
    pairs: list[tuple[Sequence[int], Sequence[int]]], vocabulary_size: int
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
    """For each cell (source * vocabulary_size + target, prior by distance from the diagonal, target position)."""
    pieces, prior, positions = [np.zeros(0, np.int64)], [np.zeros(0)], [np.zeros(0, np.int64)]
    seen = 0
    for source, target in pairs:
        rows, columns = len(source), len(target)
        distance = np.abs(np.arange(rows)[:, None] / rows - np.arange(columns) / columns)
        nearness = np.exp(-_TENSION * distance)
        pieces.append(np.add.outer(np.array(source, np.int64) * vocabulary_size, np.array(target)).ravel())
        prior.append((nearness / nearness.sum(axis=0)).ravel())
        positions.append(np.tile(np.arange(seen, seen + columns), rows))
        seen += columns
    return np.concatenate(pieces), np.concatenate(prior), np.concatenate(positions)


def shared_embeddings(links: scipy.sparse.csr_matrix, width: int) -> NDArray[np.float64]:
    """One vector per piece, close to those of its translations: float (vocabulary, width).

    Rows have length 1, or 0 if a piece has no links. They are the singular vectors of the pointwise mutual
    information of source and target pieces, where it is positive (Levy and Goldberg, 2014, "Neural Word Embedding
    as Implicit Matrix Factorization"; theirs is of words and their contexts). A piece that occurs in both languages has
    the mean of its two vectors, weighted by how often it occurs in each.
    """
    as_source, as_target = (np.asarray(links.sum(axis=axis)).ravel() for axis in (1, 0))
    entries = links.tocoo()
    often = entries.data > _FEWEST_LINKS
    rows, columns = entries.row[often], entries.col[often]
    information = np.log(entries.data[often] / (as_source[rows] * as_target[columns] / links.sum()))
    kept = information > 0
    size = links.shape[0]
    matrix = scipy.sparse.csr_matrix((information[kept], (rows[kept], columns[kept])), shape=links.shape)
    vectors = np.zeros((size, width))
    if matrix.nnz:
        left, values, right = _decompose(matrix, min(width, size))
        sources, targets = (_unit(half * np.sqrt(values)) for half in (left, right))
        vectors[:, : len(values)] = _unit(sources * as_source[:, None] + targets * as_target[:, None])
    return vectors


def _decompose(
    matrix: scipy.sparse.csr_matrix, rank: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """The largest singular values and their vectors: (rows, rank), (rank,), (columns, rank); fewer if fewer exist.

    By randomised projection (Halko et al., 2011, "Finding Structure with Randomness"), which gives the same bits for
    the same matrix. ARPACK, which `scipy.sparse.linalg.svds` calls, does not: if the matrix has a lower rank than asked
    for, it restarts from random vectors that cannot be seeded.
    """
    entries = matrix.tocoo()
    indices = torch.from_numpy(np.stack([entries.row, entries.col]).astype(np.int64))
    sparse = torch.sparse_coo_tensor(indices, torch.from_numpy(entries.data), matrix.shape, check_invariants=False)
    columns = min(rank + _OVERSAMPLING, *matrix.shape)
    with _reproducible():
        found = torch.svd_lowrank(sparse, q=columns, niter=_POWER_ITERATIONS)
    left, values, right = (factor.numpy() for factor in found)
    kept = min(rank, int((values > _NOISE * values[0]).sum()))
    return left[:, :kept], values[:kept], right[:, :kept]


@contextmanager
def _reproducible() -> Iterator[None]:
    """Seeded random numbers, and one thread: the order of a sum, and so its rounding, depends on their number."""
    threads = torch.get_num_threads()
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            torch.set_num_threads(1)
            yield
    finally:
        torch.set_num_threads(threads)


def _unit(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.where(lengths > 1e-6, rows / np.maximum(lengths, 1e-6), 0.0)
