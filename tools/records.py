"""The kept results of pages that passed, where the book builder looks for them.

They lie in a folder named by a fingerprint of everything that a result depends on besides the
page's own cells, so an edit to the package, the data or the pins leaves none that counts.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from outcomes import Outcome
from pages import Page

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "book" / "_ext"))

from fresh_execution import records_name


class Records:
    """Results that were computed with one state of code, data and pins.

    Args:
        folder: Where the results of every state are kept, each in its own folder.
        root: The book's folder, whose present state counts.
    """

    def __init__(self, folder: Path, root: Path) -> None:
        """Open, or begin, the results of the present state."""
        self.folder = folder
        self.root = root
        self.name = records_name(root)
        self._cache = get_cache(folder / self.name)
        self._times = folder / "seconds.json"

    def are_current(self) -> bool:
        """Whether code, data and pins are still those that these results belong to."""
        return records_name(self.root) == self.name

    def find(self, page: Page) -> Outcome | None:
        """The kept result of a page as it reads now, or None."""
        try:
            record = self._cache.match_cache_notebook(page.notebook)
            _, notebook = self._cache.merge_match_into_notebook(page.notebook)
        except KeyError:
            return None
        seconds = record.data["execution_seconds"]
        return Outcome(page, seconds, notebook, failure=None, ran=False)

    def keep(self, outcome: Outcome) -> None:
        """Keep the result of a page that passed, unless what it depends on was edited meanwhile."""
        if outcome.passed and self.are_current():
            data = {"execution_seconds": outcome.seconds}
            bundle = CacheBundleIn(outcome.notebook, str(outcome.page.path), data=data)
            self._cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)

    def seconds(self) -> dict[str, float]:
        """How long each page took when it last ran to its end, in whatever state."""
        return json.loads(self._times.read_text()) if self._times.exists() else {}

    def note_seconds(self, outcomes: Iterable[Outcome]) -> None:
        """Remember how long pages took that ran to their end."""
        new = {o.page.name: round(o.seconds, 1) for o in outcomes if o.passed}
        self._times.write_text(json.dumps(self.seconds() | new, indent=1, sort_keys=True))

    def drop_others(self) -> None:
        """Delete the results of other states."""
        for other in self.folder.iterdir():
            if other.is_dir() and other.name != self.name:
                shutil.rmtree(other)
