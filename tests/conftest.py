"""Shapes and types are checked at run time in every test; outside the tests they cost nothing."""

import atexit
import os
import shutil
import signal
import tempfile

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell starts jobs in the background so, and tests interrupt processes
    signal.signal(signal.SIGINT, signal.default_int_handler)
if "PYTEST_XDIST_WORKER" in os.environ:  # one process a core: threads of one would wait for those of the other
    os.environ.setdefault("OMP_NUM_THREADS", "1")
if "TORCHINDUCTOR_CACHE_DIR" not in os.environ:  # kernels that another run left, of another instruction set or cut off, are not ours
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = tempfile.mkdtemp(prefix="myths-compiled-")
    atexit.register(shutil.rmtree, os.environ["TORCHINDUCTOR_CACHE_DIR"], ignore_errors=True)

from hypothesis import settings

from tests import checked
from tests.scheduling import pytest_collection_modifyitems, pytest_xdist_make_scheduler
from tests.seconds import pytest_addoption, pytest_terminal_summary

checked.install("myths")

# The same examples in every run, so that a change is judged by what it changed; `--hypothesis-profile=search` looks for others.
settings.register_profile("fixed", deadline=None, derandomize=True)
settings.register_profile("search", deadline=None, max_examples=1000)
settings.load_profile("fixed")

__all__ = ["pytest_addoption", "pytest_collection_modifyitems", "pytest_terminal_summary", "pytest_xdist_make_scheduler"]
