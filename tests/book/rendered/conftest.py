"""The built book, for the tests that look at its pages."""

from pathlib import Path

import pytest

BUILT = Path(__file__).resolve().parents[3] / "_build" / "html"


@pytest.fixture(scope="session")
def html() -> Path:
    if not (BUILT / "index.html").exists():
        pytest.fail("there is no built book: run `make book` first")
    return BUILT
