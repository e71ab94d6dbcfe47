"""The JSON endpoint: what it answers, what it refuses in one sentence, and what keeps other web pages away."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Thread
from typing import Any, TypeVar

import pytest

pytest.importorskip("uvicorn")

from starlette.responses import JSONResponse
from starlette.testclient import TestClient

from mt.config.serving import ServingConfig
from mt.errors import ConfigError
from mt.languages import ENGLISH_TO_ARABIC, pair_named
from mt.serving import texts as serving_texts
from mt.serving.app import send_in_parts
from mt.serving.protection import AllowedHosts
from mt.serving.rate_limit import MAX_CLIENTS, RateLimit, client_of
from mt.serving.server import config_of
from mt.systems.streaming import Translation
from mt.text.glossary import Glossary, fold_for_terms
from tests.serving_cases import GLOSSARY, Fake, Served, serving

Result = TypeVar("Result")
BASE = "http://127.0.0.1:8000"


def client_for(served: Served) -> TestClient:
    return TestClient(served.app, base_url=BASE, raise_server_exceptions=False)


@pytest.fixture
def served() -> Iterator[Served]:
    with serving() as found:
        yield found


@pytest.fixture
def client(served: Served) -> TestClient:
    return client_for(served)


def test_systems_side_by_side(client: TestClient):
    text = "The army entered Aleppo. They left.\n\n- An air strike hit 5 houses.\n"
    response = client.post("/translate", json={"text": text})
    assert response.status_code == 200
    base, tuned = response.json()["translations"]
    assert (base["system"], tuned["system"]) == ("base", "tuned")
    assert base["text"] == "دخل الجيش حلب. غادروا.\n\n- أصابت غارة جوية 5 منازل.\n"
    first, second, third = base["sentences"]
    assert first["source"] == "The army entered Aleppo."
    assert first["translation"] == "دخل الجيش حلب."
    assert first["confidence"] == {"expected_chrf": None, "low": None, "high": None, "mean_log_probability": -0.24}
    assert [each["paragraph"] for each in base["sentences"]] == [1, 1, 3]
    assert second["terms"] == []
    assert first["terms"] == [
        {
            "term": "Aleppo",
            "expected": ["حلب"],
            "kind": "place",
            "found": True,
            "start": 17,
            "end": 23,
            "translation_start": 10,
            "translation_end": 13,
        }
    ]
    # What the model saw had no bullet; positions are those of the sentence with it.
    assert third["source"] == "- An air strike hit 5 houses."
    assert third["source"][third["terms"][0]["start"] : third["terms"][0]["end"]] == "air strike"
    assert third["translation"][slice(8, 17)] == "غارة جوية"
    assert (third["terms"][0]["translation_start"], third["terms"][0]["translation_end"]) == (8, 17)
    assert {check["check"]: check["passed"] for check in third["checks"]} == {
        **dict.fromkeys(("numbers", "negation", "untranslated", "repetition", "length"), True),
        **dict.fromkeys(("characters", "quotes", "punctuation", "terms"), True),
    }
    # Of three sentences the one with the least confidence, the longest.
    assert [each["least_sure"] for each in base["sentences"]] == [False, False, True]
    assert tuned["sentences"][0]["confidence"]["expected_chrf"] == 50.0


def test_what_is_wrong_with_a_translation(client: TestClient):
    (found,) = client.post("/translate", json={"text": "Nobody saw 12 men in Aleppo.", "systems": ["base"]}).json()[
        "translations"
    ]
    (sentence,) = found["sentences"]
    failed = {check["check"]: check["message"] for check in sentence["checks"] if not check["passed"]}
    assert failed["names"] == "not named: Aleppo (حلب)"
    assert failed["numbers"] == "12 of the source is missing"
    assert "negat" in failed["negation"]
    assert sentence["terms"][0]["found"] is False
    assert sentence["terms"][0]["translation_start"] is None
    assert sentence["least_sure"] is False  # there is no other to read later


def test_addresses_survive(client: TestClient):
    text = "See https://example.org/x now. https://example.org/y"
    (found,) = client.post("/translate", json={"text": text, "systems": ["base"]}).json()["translations"]
    assert found["text"] == "ترجمة ترجمة https://example.org/x https://example.org/y".replace("/x ", "/x. ", 0)
    first = found["sentences"][0]
    assert {"check": "addresses", "passed": False, "message": "address put back at the end"} in first["checks"]
    # The model saw `See now.`, whose confidence it is.
    assert first["confidence"]["mean_log_probability"] == -0.08
    assert found["sentences"][-1]["confidence"] is None


def test_a_confidence_that_is_no_number(client: TestClient):
    (found, _) = client.post("/translate", json={"text": "Nothing. They left."}).json()["translations"]
    assert [sentence["confidence"] is None for sentence in found["sentences"]] == [True, False]


def test_only_the_systems_that_are_asked_for_translate(client: TestClient, served: Served):
    response = client.post("/translate", json={"text": "They left.", "systems": ["tuned", "tuned"]})
    assert [each["system"] for each in response.json()["translations"]] == ["tuned"]
    assert served.fakes["base"].turns == []


def test_systems_and_health(client: TestClient):
    arabic = {"code": "ar", "name": "Arabic", "direction": "rtl"}
    english = {"code": "en", "name": "English", "direction": "ltr"}
    languages = {"source_language": english, "target_language": arabic, "engine": "an engine"}
    assert client.get("/systems").json() == {
        "systems": [
            {"name": "base", **languages, "calibrated": False},
            {"name": "tuned", **languages, "calibrated": True},
        ],
        "max_characters": 10_000,
    }
    assert client.get("/health").json() == {"status": "ok", "requests": 0, "queue_size": 64}


def test_health_says_that_nothing_is_translated_any_more(client: TestClient, served: Served):
    served.queue.is_broken = True
    response = client.get("/health")
    assert (response.status_code, response.json()["status"]) == (503, "failed")
    response = client.post("/translate", json={"text": "They left."})
    error = "the server translates no more and must be restarted; its log says why"
    assert (response.status_code, response.json()) == (500, {"error": error})


DEEP = b'{"text": ' + b"[" * 60_000 + b"]" * 60_000 + b"}"
UNREADABLE = "the request is nested too deeply, or has a number that is too long"
BAD = [
    (b"", 400, "the request is not JSON (line 1, column 1)"),
    (b'{"text": "a"', 400, "the request is not JSON (line 1, column 13)"),
    (b'{"text": "\xff"}', 400, "the request is not UTF-8 (byte 11)"),
    (b"[1]", 400, 'the request must be a JSON object, as {"text": "..."}'),
    (b"{}", 400, "`text` must be a string"),
    (b'{"text": 5}', 400, "`text` must be a string"),
    (b'{"text": ""}', 400, "`text` is empty"),
    (b'{"text": " \\n\\n "}', 400, "`text` is empty"),
    (b'{"text": "a\\u0000b"}', 400, "`text` holds a NUL character, which no text has"),
    (b'{"text": "a\\ud800b"}', 400, "`text` holds half a character (a lone surrogate)"),
    (b'{"text": "a", "txt": 1}', 400, 'unknown key "txt"; there are `text` and `systems`'),
    (b'{"text": "a", "systems": "base"}', 400, "`systems` must be a list of names, or be left out for all systems"),
    (b'{"text": "a", "systems": []}', 400, "`systems` must be a list of names, or be left out for all systems"),
    (b'{"text": "a", "systems": [{}]}', 400, "`systems` must be a list of names, or be left out for all systems"),
    (b'{"text": "a", "systems": ["other"]}', 400, 'no system "other"; there are base, tuned'),
    (b'{"text": "a", "systems": ["\\ud800"]}', 400, 'no system "\\ud800"; there are base, tuned'),
    (b'{"text": "a", "n": ' + b"9" * 5000 + b"}", 400, UNREADABLE),
    (DEEP[:100_000], 400, UNREADABLE),
    (b'{"text": "' + b"a" * 10_001 + b'"}', 413, "the text is longer than 10,000 characters; send it in parts"),
    (b'{"text": "' + b"a" * 10_000_000 + b'"}', 413, "the text is longer than 10,000 characters; send it in parts"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "status", "error"), BAD, ids=range(len(BAD)))
def test_bad_requests_are_refused_in_one_sentence(
    body: bytes, status: int, error: str, client: TestClient, served: Served
):
    response = client.post("/translate", content=body, headers={"Content-Type": "application/json"})
    assert (response.status_code, response.json()) == (status, {"error": error})
    assert served.fakes["base"].turns == []


def test_hundreds_of_equal_addresses_take_no_seconds():
    text = "the army ](a@b." * 660
    began = time.process_time()
    pasted = serving_texts.PastedText(text, ENGLISH_TO_ARABIC)
    found = pasted.translated({each: Translation(each, None) for each in pasted.texts()}, GLOSSARY)
    assert time.process_time() - began < 2
    assert found["text"] == text


def test_a_byte_order_mark_is_no_fault(client: TestClient):
    body = b'\xef\xbb\xbf{"text": "They left.", "systems": ["base"]}'
    response = client.post("/translate", content=body, headers={"Content-Type": "application/json"})
    assert (response.status_code, response.json()["translations"][0]["text"]) == (200, "غادروا.")


def test_the_longest_text_is_taken_however_it_is_escaped(client: TestClient):
    text = "😀 word " * 1250
    assert len(text) == 8750
    body = json.dumps({"text": text + "😀" * 1250})  # escaped: 12 bytes each
    response = client.post("/translate", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 200


@pytest.mark.parametrize(
    "text", ["\n" * 9000 + "They left.", "They left.\r\n\r\n\tThey left.", "a" * 10_000, "\ufeffThey left."]
)
def test_odd_texts_keep_their_form(text: str, client: TestClient):
    (found,) = client.post("/translate", json={"text": text, "systems": ["base"]}).json()["translations"]
    expected = text.removeprefix("\ufeff").replace("They left.", "غادروا.").replace("a" * 10_000, "ترجمة")
    assert found["text"] == expected


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "", "multipart/form-data"])
def test_other_content_types_are_refused(kind: str, client: TestClient):
    response = client.post("/translate", content=b'{"text": "a"}', headers={"Content-Type": kind})
    assert response.status_code == 415
    assert response.json() == {"error": "the request must have the content type application/json"}


def test_other_addresses_and_methods(client: TestClient):
    assert client.get("/lost").json() == {"error": "there is nothing at this address"}
    response = client.get("/translate")
    assert (response.status_code, response.json()) == (405, {"error": "GET is not allowed here"})
    # A browser asks so before it sends JSON from another site's page.
    response = client.options("/translate", headers={"Access-Control-Request-Method": "POST"})
    assert response.status_code == 405
    assert not any(name.lower().startswith("access-control") for name in response.headers)


# Other web pages


@pytest.mark.parametrize(
    ("host", "is_allowed"),
    [
        ("127.0.0.1:8000", True),
        ("localhost:8000", True),
        ("LOCALHOST", True),
        ("[::1]:8000", True),
        ("desk.example:443", True),
        ("evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("192.168.1.7:8000", False),
        ("localhost@evil.example", False),
        ("[::1", False),
        ("", False),
    ],
)
def test_hosts_of_a_local_server(host: str, is_allowed: bool):
    with serving(hosts=AllowedHosts(["desk.example"], is_local=True)) as served:
        response = client_for(served).get("/health", headers={"Host": host})
    assert response.status_code == (200 if is_allowed else 403)
    if not is_allowed:
        assert response.json()["error"].startswith("this server has not the name `")


def test_on_a_network_addresses_are_allowed_and_foreign_names_are_not():
    hosts = AllowedHosts(["desk.example"], is_local=False)
    assert hosts.allow("192.168.1.7:8000")
    assert hosts.allow("[fe80::1]:8000")
    assert hosts.allow("desk.example")
    assert not hosts.allow("evil.example")


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (BASE, 200),
        ("https://desk.example", 200),
        ("https://evil.example", 403),
        ("http://127.0.0.1:3000", 403),
        ("null", 403),
    ],
)
def test_origins(origin: str, status: int):
    with serving(hosts=AllowedHosts(["desk.example"], is_local=True)) as served:
        response = client_for(served).post("/translate", json={"text": "They left."}, headers={"Origin": origin})
    assert response.status_code == status


@pytest.mark.parametrize("path", ["/", "/serve.js", "/serve.css", "/systems", "/lost"])
def test_headers_of_every_answer(path: str, client: TestClient):
    headers = client.get(path).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "no-referrer"


# Limits


def scope_of(headers: dict[str, str]) -> dict[str, Any]:
    """That of a `POST /translate`, as ASGI has it."""
    given = {"host": "127.0.0.1", "content-type": "application/json"} | headers
    return {
        "type": "http",
        "method": "POST",
        "path": "/translate",
        "raw_path": b"/translate",
        "root_path": "",
        "query_string": b"",
        "http_version": "1.1",
        "scheme": "http",
        "headers": [(name.encode(), value.encode()) for name, value in given.items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8000),
    }


async def call(app: Any, receive: Any, headers: dict[str, str] | None = None) -> tuple[int, Any]:
    """(status, content) of one request, whose body `receive` gives."""
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app(scope_of(headers or {}), receive, send)
    body = b"".join(message.get("body", b"") for message in sent[1:])
    return sent[0]["status"], json.loads(body) if body else None


def test_an_endless_body_is_refused_while_it_comes():
    read = 0

    async def receive() -> dict[str, Any]:
        nonlocal read
        read += 1000
        return {"type": "http.request", "body": b"a" * 1000, "more_body": True}

    with serving(ServingConfig(max_characters=1000)) as served:
        status, content = in_loop(call(served.app, receive))
        assert (status, content) == (413, {"error": "the text is longer than 1,000 characters; send it in parts"})
        # 12 bytes per character, 8,192 for the rest.
        assert read == 21_000
        read = 0
        assert in_loop(call(served.app, receive, {"content-length": "9" * 30}))[0] == 413
        assert read == 0


def test_a_body_that_does_not_come_is_given_up(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("mt.serving.refusals.BODY_SECONDS", 0.01)

    async def receive() -> dict[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError

    with serving() as served:
        assert in_loop(call(served.app, receive)) == (
            408,
            {"error": "the request did not arrive within 0.01 seconds"},
        )


def body_of(text: str, *, then: asyncio.Event) -> Any:
    """Gives a request for the system `base`; its client goes away when `then` is set."""
    bodies = [json.dumps({"text": text, "systems": ["base"]}).encode()]

    async def receive() -> dict[str, Any]:
        if bodies:
            return {"type": "http.request", "body": bodies.pop(), "more_body": False}
        await then.wait()
        return {"type": "http.disconnect"}

    return receive


def in_loop(coroutine: Coroutine[Any, Any, Result]) -> Result:
    """The result of a coroutine, in a thread of its own: Playwright has an event loop in that of the tests."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, coroutine).result()


async def begun(fake: Fake) -> None:
    assert await asyncio.to_thread(fake.has_begun.wait, 60)


def test_what_nobody_waits_for_is_not_translated():
    async def two_clients(served: Served) -> None:
        fake = served.fakes["base"]
        fake.may_go_on.clear()
        first = asyncio.create_task(call(served.app, body_of("First.", then=asyncio.Event())))
        await begun(fake)
        gone = asyncio.Event()
        gone.set()
        submit, futures = served.queue.submit, []
        served.queue.submit = lambda texts: futures.append(submit(texts)) or futures[-1]  # type: ignore[method-assign]
        await call(served.app, body_of("Second.", then=gone))
        assert futures[0].cancelled()
        fake.may_go_on.set()
        assert (await first)[0] == 200
        assert fake.turns == [["First."]]

    with serving() as served:
        in_loop(two_clients(served))
        assert client_for(served).get("/health").json()["requests"] == 0


def test_busy():
    config = ServingConfig(queue_size=1, requests_per_minute=0)
    with serving(config) as served:
        fake = served.fakes["base"]
        fake.may_go_on.clear()
        client, answers = client_for(served), []
        first = Thread(target=lambda: answers.append(client.post("/translate", json={"text": "A first text."})))
        first.start()
        assert fake.has_begun.wait(60)
        response = client.post("/translate", json={"text": "A second one."})
        assert response.status_code == 503
        assert response.headers["Retry-After"] == "5"
        assert response.json() == {"error": "busy with 1 other request; try again in a few seconds"}
        fake.may_go_on.set()
        first.join(60)
        assert answers[0].status_code == 200
        assert client.post("/translate", json={"text": "A third one."}).status_code == 200


def test_an_answer_that_nobody_reads_is_given_up(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("mt.serving.app.READ_SECONDS", 0.05)
    monkeypatch.setattr("mt.serving.app._PART_BYTES", 100)
    sizes: list[int] = []

    async def send(message: Any) -> None:
        if len(sizes) == 3:
            await asyncio.Event().wait()
        sizes.append(len(message.get("body", b"")))

    with pytest.raises(TimeoutError):
        in_loop(send_in_parts(JSONResponse("a" * 1000), send))
    assert sizes == [0, 100, 100]


def test_an_answer_has_its_place_until_it_is_read():
    async def one_client(served: Served) -> None:
        reads, health = asyncio.Event(), client_for(served)
        app, before = served.app, []

        async def receive_and_send() -> None:
            async def send(message: Any) -> None:
                if message["type"] == "http.response.body":
                    before.append(len(message["body"]))
                    await reads.wait()

            receive = body_of("They left.", then=asyncio.Event())
            await app(scope_of({}), receive, send)

        client = asyncio.create_task(receive_and_send())
        while not before:
            await asyncio.sleep(0)
        assert (await asyncio.to_thread(health.get, "/health")).json()["requests"] == 1
        reads.set()
        await client
        assert (await asyncio.to_thread(health.get, "/health")).json()["requests"] == 0

    with serving() as served:
        in_loop(one_client(served))


def test_a_stopping_server_says_so(served: Served, client: TestClient):
    served.queue.close()
    response = client.post("/translate", json={"text": "They left."})
    assert response.status_code == 503
    assert response.json() == {"error": "the server is stopping; try again when it is back"}


def test_too_many_requests():
    with serving(ServingConfig(requests_per_minute=2)) as served:
        client = client_for(served)
        statuses = [client.post("/translate", json={"text": "They left."}).status_code for _ in range(3)]
        assert statuses == [200, 200, 429]
        response = client.post("/translate", content=b"x")
        assert response.status_code == 429
        assert 1 <= int(response.headers["Retry-After"]) <= 30
        assert response.json()["error"].startswith("too many requests: 2 texts per minute are allowed; wait ")
        assert client.get("/health").status_code == 200


@pytest.mark.parametrize(
    ("trusted", "sender", "statuses"),
    [
        ("127.0.0.1", "127.0.0.1", [200, 200, 429]),
        ("127.0.0.1", "10.0.0.9", [200, 429, 429]),
        (None, "127.0.0.1", [200, 429, 429]),
    ],
)
def test_clients_behind_a_proxy(trusted: str | None, sender: str, statuses: list[int]):
    with serving(ServingConfig(requests_per_minute=1)) as served:
        config = config_of(served.app, trusted)
        config.load()
        client = TestClient(config.loaded_app, base_url=BASE, client=(sender, 5))
        senders = ("10.0.0.1", "10.0.0.2", "10.0.0.1")
        found = [client.post("/translate", json={"text": "Hi."}, headers={"X-Forwarded-For": each}) for each in senders]
    assert [response.status_code for response in found] == statuses


def test_requests_become_free_again():
    now = 0.0
    limit = RateLimit(2, lambda: now)
    assert [limit.seconds_to_wait("10.0.0.1") for _ in range(3)] == [0, 0, 30]
    assert limit.seconds_to_wait("10.0.0.2") == 0
    now = 10.0
    assert limit.seconds_to_wait("10.0.0.1") == 20
    now = 30.0
    assert [limit.seconds_to_wait("10.0.0.1") for _ in range(2)] == [0, 30]
    now = 10_000.0
    assert [limit.seconds_to_wait("10.0.0.1") for _ in range(3)] == [0, 0, 30]
    assert [RateLimit(0).seconds_to_wait("10.0.0.1") for _ in range(100)] == [0] * 100


def test_clients():
    assert client_of("10.0.0.1") == "10.0.0.1"
    assert client_of("2001:db8:1:2:3:4:5:6") == client_of("2001:db8:1:2::1") == "2001:db8:1:2::"
    assert client_of("::ffff:10.0.0.1") == "10.0.0.1"
    assert client_of("fe80::1%eth0") == "fe80::"
    assert client_of("testclient") == "testclient"


def test_clients_are_forgotten():
    limit = RateLimit(1, lambda: 0.0)
    for number in range(MAX_CLIENTS + 1):
        limit.seconds_to_wait(str(number))
    assert limit.seconds_to_wait("2") == 60
    assert limit.seconds_to_wait("0") == 0


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"max_characters": 0}, "max_characters must be greater than 0, got 0"),
        ({"queue_size": -1}, "queue_size must be greater than 0, got -1"),
        ({"requests_per_minute": -1}, "requests_per_minute must be at least 0, got -1"),
        ({"max_characters": 10_000_000}, "max_characters must be at most 1000000"),
    ],
)
def test_limits_that_cannot_be(options: dict[str, int], error: str):
    with pytest.raises(ConfigError, match=error):
        ServingConfig(**options)


# Failures, privacy, memory


def test_a_failure_is_one_sentence_and_nothing_of_the_text_is_logged(
    client: TestClient, caplog: pytest.LogCaptureFixture
):
    with caplog.at_level(logging.DEBUG):
        response = client.post("/translate", json={"text": "This is poison."})
        client.post("/translate", json={"text": "This is not."})
        client.post("/translate", content=b'{"text": "secret', headers={"Content-Type": "application/json"})
    assert response.status_code == 500
    assert response.json() == {"error": "the server failed at this request; its log says where"}
    assert "base: a translation failed: RuntimeError in " in caplog.text
    assert "poison" not in caplog.text
    assert "This is" not in caplog.text
    assert "secret" not in caplog.text


def test_the_checks_do_not_remember_texts_for_long(client: TestClient, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(serving_texts, "_REMEMBERED", 2)
    for number in range(4):
        client.post("/translate", json={"text": f"Aleppo {number}."})
        assert fold_for_terms.cache_info().currsize <= 2


def test_another_pair_of_languages():
    with serving(languages=pair_named("ar", "fr"), glossary=Glossary([])) as served:
        client = client_for(served)
        (found, _) = client.post("/translate", json={"text": "غادروا في 5 أيار."}).json()["translations"]
        page = client.get("/").text
    assert found["sentences"][0]["terms"] == []
    # No words of both languages are known, but digits are.
    assert {"check": "numbers", "passed": False, "message": "other numbers or dates"} in found["sentences"][0]["checks"]
    assert '<textarea id="text" lang="ar" dir="rtl"' in page
    assert 'data-target-lang="fr" data-target-dir="ltr"' in page
