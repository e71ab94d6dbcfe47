"""Failures in the log without what a client has sent."""

from __future__ import annotations

import logging
import traceback


def log_failure(logger: logging.Logger, what: str, error: BaseException) -> None:
    """Log what failed, and where in the code. The error's message is left out, as it may quote a text."""
    places = [f"{place.name} in {place.filename}:{place.lineno}" for place in traceback.extract_tb(error.__traceback__)]
    logger.error("%s: %s in %s", what, type(error).__name__, "; ".join(places))
