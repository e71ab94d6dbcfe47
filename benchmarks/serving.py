"""Load on `mt serve`: many clients at once beside one client at a time, against a server that this program starts.

    python benchmarks/serving.py [SYSTEM ...] --clients 32 --requests 1000 --json serving.json

Each request is one text of one or two sentences, taken from the project's own news; no sentence is sent twice, so that
no answer is kept from before. A client sends its next request when it has the answer to the last one, on the same
connection. The server has no limit per client here; its queue has its default size, and a client that gets the answer
"busy" waits for as long as `Retry-After` says and sends the request again.

The figures: requests and sentences per second, the latency of answered requests (what was waited for a busy server
counts), and how many answers of each status there were. `ratio` is how many times as many requests per second many
clients get answered, which is what translating their sentences together is worth.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection
from itertools import islice
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import numpy as np

ROOT = Path(__file__).parent.parent
CORPUS = ROOT / "data" / "conflict_news" / "starter.tsv"
TIMEOUT = 600


def main() -> None:
    """Start the server, load it both ways, print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("systems", nargs="*", default=["tiny-en-ar"])
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--alone", type=int, default=100, help="requests of the one client at a time")
    parser.add_argument("--engine", default="auto", help="decoding.engine of the systems")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    options = parser.parse_args()
    texts = make_texts(options.requests + options.alone)
    with started([*options.systems, "--decoding.engine", options.engine]) as (address, engines):
        alone = load(address, texts[: options.alone], clients=1)
        many = load(address, texts[options.alone :], clients=options.clients)
    ratio = round(many["requests_per_second"] / alone["requests_per_second"], 2)
    figures = {"engines": engines, "one client": alone, f"{options.clients} clients": many, "ratio": ratio}
    text = json.dumps(figures, indent=2)
    print(text)
    if options.json:
        options.json.write_text(text + "\n", encoding="utf-8")


def make_texts(count: int) -> list[str]:
    """Texts of one and two sentences in turn, no sentence twice, evenly from the whole corpus."""
    from mt.config import CorpusConfig
    from mt.data.readers import read_corpus

    sentences = list(dict.fromkeys(pair.source for pair in read_corpus("news", CorpusConfig(path=str(CORPUS)))))
    wanted = [number % 2 + 1 for number in range(count)]
    total = sum(wanted)
    if total > len(sentences):
        sys.exit(f"{CORPUS}: has {len(sentences)} different sentences, and {count} requests need {total}")
    chosen = iter(sentences[number * len(sentences) // total] for number in range(total))
    return [" ".join(islice(chosen, size)) for size in wanted]


@contextmanager
def started(options: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """(the address of a server, what its systems are decoded by)."""
    argv = [sys.executable, "-m", "mt.cli", "serve", *options, "--port", "0", "--requests_per_minute", "0"]
    process = subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        address = process.stdout.readline().split(" ")[0]
        if not address.startswith("http"):
            sys.exit("the server did not start")
        connection = HTTPConnection(urlsplit(address).netloc, timeout=TIMEOUT)
        connection.request("GET", "/systems")
        systems = json.load(connection.getresponse())["systems"]
        connection.close()
        yield address, [system["engine"] for system in systems]
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(TIMEOUT)


def load(address: str, texts: Sequence[str], clients: int) -> dict[str, Any]:
    """The figures of clients that share these texts."""
    waiting: SimpleQueue[str] = SimpleQueue()
    for text in texts:
        waiting.put(text)
    latencies: list[float] = []
    statuses: Counter[int] = Counter()
    sentences: list[int] = []
    workers = [Thread(target=_client, args=(address, waiting, latencies, statuses, sentences)) for _ in range(clients)]
    start = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    seconds = time.perf_counter() - start
    percentiles = {f"p{p}_seconds": round(float(np.percentile(latencies, p)), 3) for p in (50, 95, 99)}
    return {
        "requests": len(latencies),
        "requests_per_second": round(len(latencies) / seconds, 2),
        "sentences_per_second": round(sum(sentences) / seconds, 2),
        **percentiles,
        "statuses": {str(status): count for status, count in sorted(statuses.items())},
    }


def _client(
    address: str,
    waiting: SimpleQueue[str],
    latencies: list[float],
    statuses: Counter[int],
    sentences: list[int],
) -> None:
    """Send texts until there are none left."""
    connection = HTTPConnection(urlsplit(address).netloc, timeout=TIMEOUT)
    while True:
        try:
            text = waiting.get_nowait()
        except Empty:
            break
        start = time.perf_counter()
        while True:
            connection.request("POST", "/translate", json.dumps({"text": text}), {"Content-Type": "application/json"})
            response = connection.getresponse()
            content = json.load(response)
            statuses[response.status] += 1
            if response.status != 503:
                break
            time.sleep(float(response.headers["Retry-After"]))
        if response.status == 200:
            latencies.append(time.perf_counter() - start)
            sentences.append(sum(len(each["sentences"]) for each in content["translations"]))
    connection.close()


if __name__ == "__main__":
    main()
