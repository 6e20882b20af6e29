"""The built book, its server and a browser, for the tests that look at its pages."""

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from browsers import running_browser
from playwright.sync_api import Browser

BUILT = Path(__file__).resolve().parents[3] / "_build" / "html"


@pytest.fixture(scope="session")
def html() -> Path:
    if not (BUILT / "index.html").exists():
        pytest.fail("there is no built book: run `make book` first")
    return BUILT


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="session")
def site(html: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=html))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser for the tests of one file: while it is there, nothing else here can use asyncio."""
    with running_browser() as running:
        yield running
