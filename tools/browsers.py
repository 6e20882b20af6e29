"""The browser that opens the built pages: whichever of Chromium's names is on the path."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the names are asked for where no browser will run
    from playwright.sync_api import Browser, Page

NAMES = ("chromium", "chromium-browser", "google-chrome")
SWITCHES = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)

SHOWN = """() => document.fonts.status === "loaded"
    && !document.querySelector("details[open] > noscript")
    && [...document.images].every(image => image.complete || image.loading === "lazy")"""


@contextmanager
def running_browser() -> Iterator[Browser]:
    """A browser without a window, closed at the end.

    Raises:
        FileNotFoundError: If none is installed.
    """
    from playwright.sync_api import sync_playwright

    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        raise FileNotFoundError(f"no browser: install one of {', '.join(NAMES)}")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(SWITCHES))
        yield browser
        browser.close()


def wait_until_shown(page: Page) -> None:
    """Wait until an opened page has its fonts, its open folds and what figures do not wait.

    Raises:
        playwright.sync_api.TimeoutError: If it has not within the page's time-out.
    """
    page.wait_for_function(SHOWN)
