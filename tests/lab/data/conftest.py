"""A home of their own for these tests, and a server that answers as mirrors do on bad days."""

import contextlib
import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


@pytest.fixture(autouse=True)
def home(request, monkeypatch, tmp_path):
    """The first root is empty and the second does not exist, unless the test is about the real data."""
    if request.node.get_closest_marker("real_data"):
        return None
    monkeypatch.setenv("MYTHS_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "data"


@dataclass
class Mirror:
    """``pages`` maps a path to what happens when it is asked for; ``asked`` is what was."""

    url: str
    pages: dict[str, Callable[[BaseHTTPRequestHandler], None]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def has(self, path: str, body: bytes, status: int = 200, length: int | None = None, delay: float = 0.0, piece: int = 1 << 20) -> str:
        """Serves ``body``, which announces ``length`` bytes, in pieces with a delay before each."""

        def answer(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(status)
            handler.send_header("Content-Length", str(len(body) if length is None else length))
            handler.end_headers()
            for start in range(0, len(body), piece):
                time.sleep(delay)
                handler.wfile.write(body[start : start + piece])

        self.pages[path] = answer
        return f"{self.url}{path}"


@pytest.fixture
def mirror(monkeypatch) -> Iterator[Mirror]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            served.asked.append(self.path)
            with contextlib.suppress(OSError):  # the client gives up on us where the test wants it to
                served.pages.get(self.path, lambda handler: handler.send_error(404))(self)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    served = Mirror(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.02), daemon=True)
    thread.start()
    yield served
    server.shutdown()
    server.server_close()


@pytest.fixture
def sha256():
    return lambda body: "sha256:" + hashlib.sha256(body).hexdigest()
