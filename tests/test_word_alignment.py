"""Word alignment and embeddings, on corpora small enough to know the answer."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mt.models.word_alignment import count_links, shared_embeddings

HOUSE, BOOK, THE, DAS, HAUS, BUCH = range(6)


def test_expectation_maximisation_finds_the_textbook_alignment():
    # The corpus of Knight's and of Koehn's introductions to IBM model 1: the words that always go together are found.
    pairs = [([THE, HOUSE], [DAS, HAUS]), ([THE, BOOK], [DAS, BUCH]), ([BOOK], [BUCH])] * 3
    links = count_links([s for s, _ in pairs], [t for _, t in pairs], 6).toarray()
    assert links.sum() == pytest.approx(15)  # every target word has one link
    assert links[BOOK, BUCH] > 5.5
    assert links[THE, DAS] > 5.5
    assert links[HOUSE, HAUS] > 2.5
    assert links[THE, BUCH] < 0.5


def test_one_round_by_hand(monkeypatch: pytest.MonkeyPatch):
    # Two words each: on the diagonal exp(0), beside it exp(-4 / 2); the prior is normalised over the source.
    monkeypatch.setattr("mt.models.word_alignment._ROUNDS", 1)
    links = count_links([[0, 1]], [[2, 3]], 4).toarray()
    beside = np.exp(-2) / (1 + np.exp(-2))
    assert links[0, 2] == pytest.approx(1 - beside)
    assert links[0, 3] == pytest.approx(beside)


def test_of_a_large_corpus_a_part_is_looked_at():
    sources, targets = [[0, 1]] * 50, [[2, 3]] * 50
    assert count_links(sources, targets, 4).sum() == pytest.approx(100)
    # Four cells a pair: three pairs pass 10 cells, with two target words each.
    assert count_links(sources, targets, 4, max_cells=10).sum() == pytest.approx(6)


def test_empty_sides_and_no_pairs_link_nothing():
    assert count_links([[], [0]], [[1], []], 3).nnz == 0
    assert not shared_embeddings(count_links([], [], 3), 2).any()


def test_translations_are_embedded_alike():
    rng = np.random.default_rng(0)
    sources = [list(rng.choice(20, 4, replace=False)) for _ in range(400)]
    targets = [[piece + 20 for piece in source] for source in sources]  # piece 7 is piece 27 in translation
    vectors = shared_embeddings(count_links(sources, targets, 45), 24)
    assert vectors.shape == (45, 24)
    assert np.linalg.norm(vectors[:40], axis=1) == pytest.approx(np.ones(40))
    assert not vectors[40:].any()  # never seen
    nearest = (vectors[:20] @ vectors[20:40].T).argmax(axis=1)
    assert nearest.tolist() == list(range(20))


def test_a_width_above_the_rank_is_filled_with_zeros():
    vectors = shared_embeddings(count_links([[0], [1]] * 9, [[2], [3]] * 9, 4), 8)
    assert vectors.shape == (4, 8)
    assert not vectors[:, 3:].any()
    assert vectors[0] @ vectors[2] == pytest.approx(1)


def test_embeddings_are_the_same_each_time_and_disturb_no_random_numbers():
    # Of rank 2: what is asked for beyond it is noise, which must not come out as embeddings.
    links = count_links([[0], [1]] * 9, [[2], [3]] * 9, 4)
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first, threads = shared_embeddings(links, 4), torch.get_num_threads()
    torch.testing.assert_close(torch.rand(3), expected, rtol=0, atol=0)
    assert torch.get_num_threads() == threads
    assert not first[:, 2:].any()
    assert np.array_equal(first, shared_embeddings(links, 4))
