"""Processes that end with their parent, however the parent ends."""

from __future__ import annotations

import os
import threading
import time


def exit_with_parent() -> None:
    """End this process within a second after its parent has ended, even if it is busy.

    A killed parent cannot end its children. A forked child keeps every open pipe of its parent, so that a reader of such a pipe would wait
    forever.
    """
    threading.Thread(target=_watch, args=(os.getppid(),), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)
