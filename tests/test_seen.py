"""What a run has seen of a test set is found by the builder's own rules; sentences by hand."""

import random
from collections.abc import Sequence

import numpy as np
import pytest
from datasets import Dataset

from mt.data.fingerprints import fingerprint
from mt.data.seen import EXACT, NEAR, NEW, NGRAM, Rules, _WordReader, find_seen
from mt.text.normalise import normalise
from tests.conftest import news_pairs

RULES = Rules(similarity=0.6, words_in_a_row=13)
LONG = "on the third day of the siege the last two bakeries of the old town ran out of flour"
ARABIC = "في اليوم الثالث من الحصار نفد الدقيق من آخر مخبزين في المدينة القديمة"


def split(pairs: Sequence[tuple[str, str]]) -> Dataset:
    sources, targets = zip(*pairs, strict=True)
    return Dataset.from_dict({"source": list(sources), "target": list(targets)})


FILLER = split([(f"Nothing of this is new to reader {n}.", f"لا جديد هنا للقارئ {n}.") for n in range(40)])


@pytest.mark.parametrize(
    ("training", "test", "kind"),
    [
        (("Troops left.", "غادرت القوات."), ("Troops left.", "غادرت القوات."), EXACT),
        # A zero-width character and a vowel sign are no difference to the first, and no more than one to the second.
        (("Troops left.", "غادرت القوات."), ("Troops left.", "\u200bغادرت القوات."), EXACT),
        (("Troops left.", "غادرت القوات."), ("TROOPS left", "غادرت القُوات"), NEAR),
        (("5 people died in 2014.", "مات 5"), ("17 people died in 2016!", "قضى الناس"), NEAR),
        # One side is enough, be it one word.
        (("Yes.", "نعم."), ("Indeed it is so.", "نعم"), NEAR),
        ((LONG, "س"), (f"{LONG} yesterday", "ص"), NEAR),
        (("ب", ARABIC), ("c d", ARABIC.replace("الثالث", "الرابع")), NEAR),
        ((f"Sources in the camp told the agency late on Sunday that {LONG}", "س"),
         (f"{LONG}, while convoys with food waited for days at the last checkpoint before the river crossing", "ص"),
         NGRAM),
        ((LONG, "س"), ("Troops left the old town on the third day.", "ص"), NEW),
        (("?!", "س"), ("?!", "ص"), NEAR),
        (("?!", "س"), ("...", "ص"), NEW),
    ],
)  # fmt: skip
def test_kinds(training: tuple[str, str], test: tuple[str, str], kind: int):
    others = ("This one is far away from all the rest.", "هذه بعيدة عن كل ما عداها.")
    found = find_seen({"train": split([*zip(FILLER["source"], FILLER["target"], strict=True), training])},
                      [others[0], test[0]], [others[1], test[1]], RULES)  # fmt: skip
    assert found.tolist() == [NEW, kind]


def test_dev_counts_but_for_words_in_a_row():
    long = f"Sources in the camp told the agency late on Sunday that {LONG}"
    dev = split([("Troops left.", "غادرت القوات."), (long, "س")])
    other = f"{LONG}, while convoys with food waited for days at the last checkpoint before the river crossing"
    sources, references = ["Troops left.", other], ["غادرت القوات.", "ص"]
    assert find_seen({"train": FILLER, "dev": dev}, sources, references, RULES).tolist() == [EXACT, NEW]
    assert find_seen({"train": dev, "dev": FILLER}, sources, references, RULES).tolist() == [EXACT, NGRAM]


def test_rules_are_the_runs():
    training = split([(LONG, "س")])
    other = [LONG.replace("third", "fourth")]
    assert find_seen({"train": training}, other, ["ص"], Rules(0.6, None)).tolist() == [NEAR]
    assert find_seen({"train": training}, other, ["ص"], Rules(0.9, None)).tolist() == [NEW]


def test_words_are_those_of_the_builder():
    sources, targets = news_pairs()
    texts = [normalise(text) for text in [*sources[:300], *targets[:300], "", "?!", "İstanbul ﬁle", "a-b c_d 1,5 ½"]]
    theirs = fingerprint(texts, texts, "").source.words
    ours = _WordReader().words(Dataset.from_dict({"text": texts}).with_format("arrow")[:]["text"])
    assert np.array_equal(ours.counts, theirs.counts)
    assert np.array_equal(ours.hashes, theirs.hashes)


def test_a_few_among_many():
    generator = random.Random(1)
    sources, targets = news_pairs()
    words = [word for source in sources for word in source.split()]
    training = [(" ".join(generator.choices(words, k=20)), " ".join(generator.choices(targets[0].split(), k=9)))
                for _ in range(3000)]  # fmt: skip
    changed = [" ".join(word for i, word in enumerate(source.split()) if i != 4) for source in sources[:20]]
    long = [i for i in range(20) if len(sources[i].split()) >= 8]
    training[1000:1000] = [(changed[i], "س") for i in long]
    found = find_seen({"train": split(training)}, sources[:40], targets[:40], RULES)
    assert set(np.flatnonzero(found == NEAR)) >= set(long)
    assert (found[20:] == NEW).all()
