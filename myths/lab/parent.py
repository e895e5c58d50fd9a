"""Processes that end with the one that made them, however that one ends."""

from __future__ import annotations

import os
import threading
import time


def exit_with_parent() -> None:
    """End this process within a second after its parent has ended, also in the middle of its work.

    A parent that is killed cannot end its children. A child that was forked keeps every open pipe of its parent, so whoever reads
    from such a pipe would wait for ever.
    """
    threading.Thread(target=_watch, args=(os.getppid(),), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)
