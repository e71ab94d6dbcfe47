"""How much a server takes on."""

from __future__ import annotations

from dataclasses import dataclass

from mt.config.checks import require, require_at_most


@dataclass(frozen=True, kw_only=True)
class ServingConfig:
    """What `mt serve` refuses, so that no client can fill its memory or keep it from the others."""

    max_characters: int = 10_000
    """Characters of one text; a longer one is refused (413). About 1,600 English words."""

    queue_size: int = 64
    """Requests that are translated or wait for it; a further one is refused as busy (503)."""

    requests_per_minute: int = 60
    """Texts that one client may send per minute; a further one is refused (429). A client is an IPv4 address or an IPv6
    network of 64 bits. 0: no limit."""

    def __post_init__(self) -> None:
        for name in ("max_characters", "queue_size"):
            value = getattr(self, name)
            require(value > 0, name, "be greater than 0", value)
        require_at_most("max_characters", self.max_characters, 1_000_000)
        require_at_most("queue_size", self.queue_size, 10_000)
        require(self.requests_per_minute >= 0, "requests_per_minute", "be at least 0", self.requests_per_minute)
        require_at_most("requests_per_minute", self.requests_per_minute, 1_000_000)
