"""What was translated before is not translated again, unless anything that matters has changed."""

import json
import logging
import os
import shutil
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from safetensors.torch import load_file, save_file

from mt.commands.evaluate import parse_evaluate
from mt.config import DecodingConfig, ModelConfig
from mt.evaluation.test_set import TestSet
from mt.models import identity
from mt.models.identity import model_identity, remembered_sha256
from mt.models.run_settings import TranslationSettings
from mt.systems import translating, translation_cache
from mt.systems.system import System
from mt.systems.translating import translate_systems
from mt.systems.translation_cache import cache_key, cache_root, keep_translations, read_translations

GREEDY = DecodingConfig(num_beams=1)
SOURCES = ["The war.", "The city fell.", "Two people."]


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def model(marian_directory: Path, tmp_path: Path) -> Path:
    """A model to change."""
    return shutil.copytree(marian_directory, tmp_path / "model")


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The sources of every decoding, which here is writing backwards."""
    calls: list[list[str]] = []

    def translate(translator: object, sources: list[str], config: DecodingConfig, progress: str) -> list[str]:
        calls.append(list(sources))
        return [source[::-1] for source in sources]

    monkeypatch.setattr(translating, "translate_shared", translate)
    monkeypatch.setattr(translating, "open_translator", lambda model, decoding: SimpleNamespace(overflows=False))
    return calls


def translations(
    model: Path,
    sources: list[str] = SOURCES,
    decoding: DecodingConfig = GREEDY,
    options: ModelConfig | None = None,
    use_cache: bool = True,
) -> list[str]:
    test_set = TestSet("news", sources, sources)
    settings = TranslationSettings(model=(options or ModelConfig()).with_name(str(model)), decoding=decoding)
    return translate_systems([System("mine", str(model), None, settings, use_cache)], [test_set])["news"]["mine"]


def test_second_time_the_model_is_not_even_loaded(
    model: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    first = translations(model)

    def refuse(*_: object) -> None:
        raise AssertionError("loaded")

    monkeypatch.setattr(translating, "open_translator", refuse)
    with caplog.at_level(logging.INFO):
        assert translations(model) == first
    assert caplog.messages == ["mine on news: translated before, taken from the cache"]
    # Elsewhere, it is the same model.
    assert translations(model.rename(model.with_name("moved"))) == first


def test_only_the_new_test_set_is_translated(model: Path, decoded: list[list[str]]):
    translations(model)
    old, new = TestSet("old", SOURCES, SOURCES), TestSet("new", ["Peace."], ["Peace."])
    settings = TranslationSettings(model=ModelConfig(name=str(model)), decoding=GREEDY)
    written: list[tuple[str, str, list[str], int]] = []
    found = translate_systems(
        [System("mine", str(model), None, settings)],
        [old, new],
        lambda *what: written.append((*what, len(decoded))),
    )
    backwards = [source[::-1] for source in SOURCES]
    assert found == {"old": {"mine": backwards}, "new": {"mine": [".ecaeP"]}}
    # Each as soon as it exists: the first before the second is decoded.
    assert written == [("old", "mine", backwards, 1), ("new", "mine", [".ecaeP"], 2)]
    assert decoded == [SOURCES, ["Peace."]]


def test_whatever_changes_the_translations_translates_again(model: Path, decoded: list[list[str]]):
    translations(model)
    translations(model, decoding=replace(GREEDY, num_beams=2))
    translations(model, decoding=replace(GREEDY, tag="<news>"))
    translations(model, sources=[*SOURCES[:2], "Two persons."])
    translations(model, sources=SOURCES[::-1])
    translations(model, options=ModelConfig(target_language="ara"))
    assert len(decoded) == 6
    weights = load_file(model / "model.safetensors")
    weights["model.shared.weight"][5, 5] += 1e-3
    save_file(weights, model / "model.safetensors", metadata={"format": "pt"})
    translations(model)
    assert len(decoded) == 7
    settings = json.loads((model / "generation_config.json").read_text())
    (model / "generation_config.json").write_text(json.dumps(settings | {"num_beams": 9}))
    translations(model)
    assert len(decoded) == 8
    (model / "README.md").write_text("A card.")
    (model / "optimizer.pt").write_text("State of training.")
    translations(model)
    assert len(decoded) == 8


def test_other_versions_translate_again(model: Path, decoded: list[list[str]], monkeypatch: pytest.MonkeyPatch):
    translations(model)
    monkeypatch.setattr(translation_cache, "version", lambda package: "2.14.0")
    translations(model)
    monkeypatch.setattr(translation_cache, "version", lambda package: "2.14.1+cpu")
    translations(model)
    monkeypatch.setattr(translation_cache, "_FORMAT", 99)
    translations(model)
    assert len(decoded) == 3


def test_no_cache(model: Path, decoded: list[list[str]]):
    assert parse_evaluate(["a", "--no_cache"], "evaluate.py").no_cache
    assert not parse_evaluate(["a"], "evaluate.py").no_cache
    translations(model, use_cache=False)
    translations(model)
    translations(model, use_cache=False)
    assert len(decoded) == 3


@pytest.mark.parametrize("spoil", [lambda text: text[: len(text) // 2], lambda text: text.replace("raw", "war"), str])
def test_damaged_file_is_translated_anew(
    spoil: object, model: Path, decoded: list[list[str]], caplog: pytest.LogCaptureFixture
):
    first = translations(model)
    [file] = cache_root().glob("*.json")
    text = file.read_text(encoding="utf-8")
    file.write_text("[]" if spoil is str else spoil(text), encoding="utf-8")  # type: ignore[operator]
    assert translations(model) == first
    assert len(decoded) == 2
    assert "translating anew" in caplog.text
    assert translations(model) == first
    assert len(decoded) == 2


def test_short_file_is_translated_anew(model: Path, caplog: pytest.LogCaptureFixture):
    key = cache_key(ModelConfig(name=str(model)), GREEDY, SOURCES)
    assert key is not None
    keep_translations(key, ["a", "b"])
    assert read_translations(key, 2) == ["a", "b"]
    assert read_translations(key, 3) is None
    assert "are damaged; translating anew" in caplog.text


def test_unwritable_cache_is_a_warning(
    model: Path, tmp_path: Path, decoded: list[list[str]], caplog: pytest.LogCaptureFixture
):
    (tmp_path / "cache").write_text("a file")
    assert translations(model) == [source[::-1] for source in SOURCES]
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "translations cannot be kept there" in caplog.text


def test_two_at_once_leave_one_whole_file(model: Path):
    key = cache_key(ModelConfig(name=str(model)), GREEDY, SOURCES)
    assert key is not None
    lines = ["كلمة " * 1000] * 3
    writers = [threading.Thread(target=keep_translations, args=(key, lines)) for _ in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [file.name for file in cache_root().iterdir()] == [key.name]
    assert read_translations(key, 3) == lines


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are hashed; none is too small to be remembered, none too young."""
    names: list[str] = []
    sha256_of = identity.sha256_of
    monkeypatch.setattr(identity, "_REMEMBERED_BYTES", 1)
    monkeypatch.setattr(identity, "_SETTLED_SECONDS", -60)
    monkeypatch.setattr(identity, "sha256_of", lambda file: names.append(file.name) or sha256_of(file))
    return names


def test_large_weights_are_hashed_once(model: Path, hashed: list[str]):
    found = model_identity(str(model), "main")
    assert model_identity(str(model), "main") == found
    assert sorted(hashed) == sorted(found)
    file = model / "model.safetensors"
    os.utime(file, ns=(0, file.stat().st_mtime_ns + 1))
    assert model_identity(str(model), "main") == found
    assert hashed[len(found) :] == ["model.safetensors"]


def overwrite(file: Path, content: bytes) -> None:
    file.write_bytes(content)


def replace_by_a_copy(file: Path, content: bytes) -> None:
    other = file.with_name("other")
    other.write_bytes(content)
    other.replace(file)


@pytest.mark.parametrize("write", [overwrite, replace_by_a_copy])
def test_other_content_of_the_same_size_and_time_is_noticed(write: object, tmp_path: Path, hashed: list[str]):
    """`cp -p`, `rsync -t` and `touch -r` keep the time."""
    file = tmp_path / "weights.bin"
    file.write_bytes(b"a" * 5_000_000)
    before, first = file.stat(), remembered_sha256(file)
    write(file, b"a" * 2_345_678 + b"b" + b"a" * 2_654_321)  # type: ignore[operator]
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert file.stat().st_size == before.st_size
    assert file.stat().st_mtime_ns == before.st_mtime_ns
    assert remembered_sha256(file) != first
    assert hashed == ["weights.bin"] * 2


@pytest.mark.parametrize("place", [0, 50_000, 99_999])
def test_sampled_blocks_tell_files_apart_where_times_lie(place: int, tmp_path: Path):
    file = tmp_path / "weights.bin"
    file.write_bytes(b"a" * 100_000)
    status, first = file.stat(), identity._state(file, file.stat())
    content = bytearray(file.read_bytes())
    content[place] += 1
    file.write_bytes(content)
    assert identity._state(file, status) != first


def test_hash_of_a_file_that_was_just_written_is_not_kept(
    tmp_path: Path, hashed: list[str], monkeypatch: pytest.MonkeyPatch
):
    """It may be written again within one step of its time stamps."""
    monkeypatch.setattr(identity, "_SETTLED_SECONDS", 60)
    file = tmp_path / "weights.bin"
    file.write_bytes(b"a" * 10_000)
    remembered_sha256(file)
    remembered_sha256(file)
    assert hashed == ["weights.bin"] * 2
    assert not (cache_root() / "sha256").exists()


@pytest.mark.parametrize("memo", ["", "x" * 64, "A" * 64, "0" * 63, "0" * 65, "\ud83d", "0" * 64 + "\n"])
def test_memo_that_is_no_hash_is_not_believed(memo: str, tmp_path: Path, hashed: list[str]):
    file = tmp_path / "weights.bin"
    file.write_bytes(b"a" * 10_000)
    first = remembered_sha256(file)
    [kept] = (cache_root() / "sha256").iterdir()
    kept.write_text(memo, encoding="utf-8", errors="surrogatepass")
    assert remembered_sha256(file) == first
    assert hashed == ["weights.bin"] * 2


@pytest.mark.parametrize(
    "make", [Path.mkdir, lambda path: path.symlink_to(path.name), lambda path: path.write_text("")]
)
def test_cache_that_cannot_be_used_changes_nothing(make: object, model: Path, decoded: list[list[str]]):
    cache_root().parent.mkdir(parents=True)
    make(cache_root())  # type: ignore[operator]
    assert translations(model) == [source[::-1] for source in SOURCES]
    assert translations(model) == [source[::-1] for source in SOURCES]


@pytest.mark.parametrize("said", ["", "relative", "./here", "~/.cache2"])
def test_cache_home_that_is_relative_is_ignored(said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", said)
    assert cache_root() == tmp_path / ".cache" / "mt" / "translations"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_root() == tmp_path / ".cache" / "mt" / "translations"


def test_cache_may_be_a_link(model: Path, tmp_path: Path, decoded: list[list[str]]):
    (tmp_path / "elsewhere").mkdir()
    cache_root().parent.mkdir(parents=True)
    cache_root().symlink_to(tmp_path / "elsewhere")
    translations(model)
    translations(model)
    assert len(decoded) == 1
    assert len(list((tmp_path / "elsewhere").glob("*.json"))) == 1


@pytest.mark.parametrize(
    "kept",
    [
        "null",
        "[" * 100_000,
        '{"translations": "abc", "sha256": "x"}',
        '{"translations": [1, 2, 3], "sha256": "x"}',
        '{"translations": null}',
    ],
)
def test_kept_translations_that_are_none_are_translated_anew(kept: str, model: Path, caplog: pytest.LogCaptureFixture):
    key = cache_key(ModelConfig(name=str(model)), GREEDY, SOURCES)
    assert key is not None
    keep_translations(key, SOURCES)
    (cache_root() / key.name).write_text(kept, encoding="utf-8")
    assert read_translations(key, 3) is None
    assert "translating anew" in caplog.text


@pytest.mark.parametrize(
    "other",
    [
        ["b", "a", "a"],
        ["a", "b", "b"],
        ["a", "a"],
        ["a", "ab"],
        ["aa", "b"],
        ["a", "a", "b", ""],
        ["A", "a", "b"],
        ["a ", "a", "b"],
    ],
)
def test_order_duplicates_and_borders_of_sources_count(other: list[str], model: Path):
    options = ModelConfig(name=str(model))
    assert cache_key(options, GREEDY, other) != cache_key(options, GREEDY, ["a", "a", "b"])


def test_forms_of_unicode_count(model: Path):
    options = ModelConfig(name=str(model))
    assert cache_key(options, GREEDY, ["caf\u00e9"]) != cache_key(options, GREEDY, ["cafe\u0301"])


def test_model_that_changes_while_it_translates_is_not_kept(
    model: Path, decoded: list[list[str]], monkeypatch: pytest.MonkeyPatch
):
    opened = translating.open_translator

    def change(options: ModelConfig, decoding: DecodingConfig) -> object:
        (model / "generation_config.json").write_text("{}")
        return opened(options, decoding)

    monkeypatch.setattr(translating, "open_translator", change)
    translations(model)
    assert not list(cache_root().glob("*.json"))


def test_terms_that_are_gone_are_no_key(model: Path):
    gone = replace(GREEDY, terminology="gone.tsv")
    assert cache_key(ModelConfig(name=str(model)), gone, SOURCES) is None


def test_lora_adapter_counts_with_its_base(model: Path, tmp_path: Path):
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    settings = {"base_model_name_or_path": str(model)}
    (adapter / "adapter_config.json").write_text(json.dumps(settings))
    (adapter / "config.json").write_text("{}")
    before = model_identity(str(adapter), "main")
    (model / "config.json").write_text("{}")
    assert model_identity(str(adapter), "main") != before


def test_hub_model_counts_by_its_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def cached_file(name: str, file: str, revision: str, **_: object) -> str | None:
        if file == "adapter_config.json":
            return None
        return f"/hub/models--{name.replace('/', '--')}/snapshots/{'a' if revision == 'main' else 'b'}1c0/{file}"

    monkeypatch.setattr("transformers.utils.cached_file", cached_file)
    assert model_identity("owner/name", "main") == {"hub": "owner/name", "commit": "a1c0"}
    assert model_identity("owner/name", "v2") == {"hub": "owner/name", "commit": "b1c0"}


def test_unreachable_hub_is_no_key():
    assert cache_key(ModelConfig(name="someone/no-such-model"), GREEDY, SOURCES) is None
