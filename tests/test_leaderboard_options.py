"""Which options of runs differ, and how a run was adapted, in words."""

from __future__ import annotations

from typing import Any

from mt.report.leaderboard_options import differing, with_defaults


def differences(*runs: tuple[dict[str, Any], dict[str, str]]) -> dict[str, list[str]]:
    found = differing([(with_defaults(config), {"inputs": inputs}) for config, inputs in runs])
    return {key: [value.text for value in values] for key, values in found.items()}


def test_options_that_differ_without_noise():
    a = {"name": "a", "output_dir": "x", "seed": 1, "data": {"workers": 4}, "training": {"epochs": 4.0}}
    b = {"name": "b", "seed": 2, "data": {"cache_dir": "/y"}, "training": {"epochs": 4, "report_to": ["wandb"]}}
    assert differences((a, {}), (b, {})) == {"seed": ["1", "2"]}
    # A version that lacked the option had its default.
    assert differences(({"adaptation": {"average": 3}}, {}), ({}, {})) == {"adaptation.average": ["3", "1"]}


def test_files_count_by_their_content():
    def corpus(path: str, **more: Any) -> dict[str, Any]:
        return {"data": {"corpora": {"news": {"path": path, **more}}}}

    a, b = corpus("/home/a/news.tsv"), corpus("b/news.tsv")
    assert differences((a, {"/home/a/news.tsv": "1" * 64}), (b, {"b/news.tsv": "1" * 64})) == {}
    assert differences((a, {"/home/a/news.tsv": "1" * 64}), (b, {"b/news.tsv": "2" * 64})) == {
        "data.corpora.news.path": ["news.tsv (111111)", "news.tsv (222222)"]
    }
    # Of a damaged manifest nothing is known, so nothing is claimed.
    assert differences((a, {"/home/a/news.tsv": "1" * 64}), (b, {})) == {}
    assert differences((corpus("n.tsv", weight=3), {}), (corpus("n.tsv"), {})) == {
        "data.corpora.news.weight": ["3", "1"]
    }


def test_a_corpus_or_section_that_one_lacks_is_one_option():
    a = {"data": {"corpora": {"news": {"path": "n.tsv"}, "general": {"path": "un.tsv", "weight": 0.1}}}}
    b = {"data": {"corpora": {"news": {"path": "n.tsv"}}}, "adaptation": {"lora": {"rank": 8, "alpha": 16}}}
    assert differences((a, {}), (b, {})) == {
        "data.corpora.general": ["un.tsv", "—"],
        "adaptation.lora": ["none", "rank 8, alpha 16"],
    }
