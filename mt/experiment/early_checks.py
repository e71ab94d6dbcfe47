"""Checks of the first second, before torch and transformers are imported.

They find missing files, and models and systems that do not exist, and raise a `UserError`. The commands check again
whatever may have changed since.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from mt.config import Config, CorpusConfig, DataConfig
from mt.config.input_paths import tables_of
from mt.data.readers import check_corpus
from mt.errors import ConfigError
from mt.languages import ENGLISH_TO_ARABIC, LanguagePair
from mt.models.model_files import check_model_name, require_ctranslate2
from mt.text.glossary import Glossary, check_glossary


def check_config(config: Config) -> None:
    """Everything that a config names exists, and there is something to train on and something to test on."""
    languages = config.model.languages
    check_data(config.data, languages)
    check_corpora(config.held_out_sets, languages)
    check_tables(tables_of(config).values(), languages)
    check_held_out(config)
    if config.decoding.asks_for_ctranslate2:
        require_ctranslate2(config.decoding.asks_for_ctranslate2)
    if config.model.scratch is None:
        check_model_name(config.model.name)


def check_held_out(config: Config) -> None:
    """Raise `ConfigError` if there would be no dev pairs, or no test pairs: neither a corpus with that split, nor a
    share of one that is divided."""
    splits = {corpus.own_split for corpus in config.data.corpora.values()}
    remedy = "add your own sentences, as in --data.corpora.news news.tsv, or change `split`"
    names = " and ".join(f"`{name}`" for name in config.data.corpora)
    if not splits & {None, "dev"}:
        raise ConfigError(
            f"{names} have a split of their own, so no sentence is left to choose a checkpoint by: {remedy}"
        )
    if "dev" not in splits and config.data.dev_share == 0:
        raise ConfigError("data.dev_share is 0, so no checkpoint could be chosen; raise it")
    if config.evaluation.named_sets:
        return
    if not splits & {None, "test"}:
        raise ConfigError(f"{names} have a split of their own, so no sentence is left to test on: {remedy}")
    if "test" not in splits and config.data.test_share == 0:
        raise ConfigError("nothing to test on: raise data.test_share above 0 or name a file in evaluation.test_sets")


def check_data_files(config: Config) -> None:
    """The corpora and the test sets that `mt data` reads exist, and a model that judges pairs."""
    if config.data.cleaning.unrelated == "model":
        check_model_name(config.model.name)
    check_data(config.data, config.model.languages)
    check_corpora(config.evaluation.named_sets, config.model.languages)


def check_data(config: DataConfig, languages: LanguagePair = ENGLISH_TO_ARABIC) -> None:
    """Refuse data that cannot be built: no corpus, a missing file, an unknown format, terms of another pair."""
    if not config.corpora:
        raise ConfigError("data.corpora is empty; name at least one corpus, as in --data.corpora.news news.tsv")
    check_corpora(config.corpora, languages)


def check_corpora(corpora: Mapping[str, CorpusConfig], languages: LanguagePair = ENGLISH_TO_ARABIC) -> None:
    """Their files exist, in formats that are known, and that are for these languages."""
    for name, corpus in corpora.items():
        check_corpus(name, corpus, languages)
        if corpus.is_glossary:
            check_glossary(corpus.path, languages)


def check_tables(paths: Iterable[str | None], languages: LanguagePair = ENGLISH_TO_ARABIC) -> None:
    """The tables of terms at these paths can be read, and are for these languages."""
    for path in paths:
        check_glossary(path, languages)
        if path is not None:
            Glossary.read(Path(path))
