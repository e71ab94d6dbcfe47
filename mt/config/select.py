"""Which pairs of a large general corpus are used: those most like the domain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from mt.config.checks import require

if TYPE_CHECKING:
    from mt.config.data import CorpusConfig


@dataclass(frozen=True, kw_only=True)
class SelectConfig:
    """Selection: of a corpus, only the training pairs most like those of other corpora are used."""

    pairs: Literal["auto"] | int = "auto"
    """How many pairs to take. `auto`: of all the pairs, a half, a quarter and so on, the number on which an n-gram
    model learns most about the dev pairs of `like`: the lowest perplexity there (Moore and Lewis, 2010)."""

    like: list[str] = field(default_factory=list)
    """Names of the corpora to resemble; only their training pairs are compared with. Default: all corpora that select
    nothing and are no glossaries."""

    method: Literal["cross_entropy", "embeddings"] = "cross_entropy"
    """`cross_entropy`: a pair is taken if n-gram models of the domain's two sides find it likelier than models of the
    corpus itself do (cross-entropy difference: Moore and Lewis, 2010; of both sides: Axelrod et al., 2011).
    `embeddings`: if the vectors of its sentences are near those of domain sentences; for a GPU."""

    model: str | None = None
    """embeddings: a sentence encoder, by its name on the hub or its directory. It must know both languages."""

    revision: str = "main"
    """embeddings: branch, tag or commit of the encoder on the hub. The run's manifest records the commit."""

    def __post_init__(self) -> None:
        is_number = self.pairs == "auto" or int(self.pairs) >= 1
        require(is_number, "select.pairs", "be auto or at least 1", self.pairs)
        if self.method == "embeddings":
            require(bool(self.model), "select.model", "name a sentence encoder for method embeddings", self.model)
        else:
            require(self.model is None, "select.model", "be left out with method cross_entropy", self.model)

    @property
    def encoder(self) -> str:
        """The name of the encoder, with its revision on the hub if it is not the default; empty without one."""
        return "" if self.model is None else self.model + ("" if self.revision == "main" else f" at {self.revision}")


def liked_by(name: str, corpora: Mapping[str, CorpusConfig]) -> list[str]:
    """The corpora that the selection from corpus `name` should resemble."""
    select = corpora[name].select
    assert select is not None
    defaults = [other for other, corpus in corpora.items() if corpus.select is None and not corpus.is_glossary]
    return list(dict.fromkeys(select.like)) or defaults


def check_selects(corpora: Mapping[str, CorpusConfig]) -> None:
    """Raise `ConfigError` for a corpus whose selection has nothing to compare with, or nothing to select."""
    for name, corpus in corpora.items():
        if corpus.select is None:
            continue
        key = f"data.corpora.{name}.select"
        require(not corpus.is_glossary, key, "be left out: a glossary holds terms, not sentences", corpus.format)
        is_trained_on = corpus.own_split not in ("dev", "test")
        require(is_trained_on, key, "be left out of a corpus that is not trained on", f"split: {corpus.split}")
        for other in corpus.select.like:
            require(other in corpora, f"{key}.like", "name corpora of data.corpora", other)
            require(other != name, f"{key}.like", "name other corpora than the one that is selected from", other)
            is_fixed = corpora[other].select is None
            require(is_fixed, f"{key}.like", "name corpora that select nothing themselves", other)
            is_domain = corpora[other].own_split not in ("dev", "test")
            require(is_domain, f"{key}.like", "name corpora with training pairs", other)
        has_domain = any(corpora[other].own_split not in ("dev", "test") for other in liked_by(name, corpora))
        require(has_domain, key, "leave a corpus to resemble: at least one without select", "none")
