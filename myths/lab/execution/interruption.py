"""Interruptions by the user. One that a library swallows in the middle of a trial is answered before the next trial starts.

Extensions in C may clear an exception that a signal raises while they look up an attribute. The command would then run to its end.
"""

from __future__ import annotations

import signal
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_received: list[int] = []


def install() -> None:
    """Raise KeyboardInterrupt at SIGINT and at SIGTERM, as `kill`, `timeout` and job schedulers send it, and remember them."""
    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # a shell lets programs in the background ignore SIGINT
            signal.signal(number, _interrupt)


def check() -> None:
    """Raise KeyboardInterrupt if a signal has arrived since ``install``."""
    if _received:
        raise KeyboardInterrupt


def _interrupt(number: int, frame: FrameType | None) -> None:
    _received.append(number)
    raise KeyboardInterrupt
