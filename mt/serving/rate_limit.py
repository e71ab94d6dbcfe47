"""How many requests a client may send: as many as a minute allows at once, and then as they become free again."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address

MAX_CLIENTS = 10_000
"""Clients that are remembered; the ones not seen for longest are forgotten first."""


class RateLimit:
    """One bucket of tokens per client."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        """per_minute: 0 for no limit. clock: seconds."""
        self._per_minute, self._clock = per_minute, clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def seconds_to_wait(self, address: str) -> int:
        """0 if the client may send a request now, which is counted; else the whole seconds until it may."""
        if not self._per_minute:
            return 0
        client, now = client_of(address), self._clock()
        left, seen = self._buckets.pop(client, (float(self._per_minute), now))
        left = min(self._per_minute, left + (now - seen) * self._per_minute / 60)
        wait = 0 if left >= 1 else max(1, math.ceil((1 - left) * 60 / self._per_minute - 1e-6))
        self._buckets[client] = (left - 1 if wait == 0 else left, now)
        if len(self._buckets) > MAX_CLIENTS:
            self._buckets.popitem(last=False)
        return wait


def client_of(address: str) -> str:
    """Who sends from an address: of IPv6 the network of 64 bits, as one person has all its addresses."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return address[:100]
    if not isinstance(found, IPv6Address):
        return str(found)
    return str(found.ipv4_mapped or IPv6Address(int(found) >> 64 << 64))
