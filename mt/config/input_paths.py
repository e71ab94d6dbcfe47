"""The paths that a config reads from, with what they are; nothing is opened."""

from __future__ import annotations

from pathlib import Path

from mt.config import Config, CorpusConfig


def corpora_of(config: Config) -> dict[str, CorpusConfig]:
    """Every corpus and held-out set of a config, by a description for messages."""
    corpora = {f"the corpus `{name}`": corpus for name, corpus in config.data.corpora.items()}
    return corpora | {f"the test set `{name}`": corpus for name, corpus in config.held_out_sets.items()}


def tables_of(config: Config) -> dict[str, str]:
    """Tables of terms that a config names, by a description for messages."""
    tables = {"the terminology": config.decoding.terminology, "the glossary": config.evaluation.glossary}
    return {what: path for what, path in tables.items() if path is not None}


def paths_of(config: Config) -> dict[str, str]:
    """Every path that a config reads from, by a description for messages."""
    paths = {what: corpus.path for what, corpus in corpora_of(config).items()}
    paths |= {what: corpus.target_path for what, corpus in corpora_of(config).items() if corpus.target_path}
    paths |= tables_of(config)
    if config.model.scratch is None and Path(config.model.name).exists():
        paths["the base model"] = config.model.name
    return paths
