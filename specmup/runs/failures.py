"""Why jobs could not be carried out, kept until they can: one line a job."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from specmup.foreign import in_one_line
from specmup.runs.files import UNREADABLE, content_of, write_whole
from specmup.runs.job import Identified

LONGEST = 300  # letters of a reason, also of one that others wrote there


class Failures:
    """The reasons, by identity of the job. None is needed, so what cannot be written is let go.

    Args:
        folder: Of the store; made in it when something is first written.
    """

    def __init__(self, folder: Path) -> None:
        """Nothing is read or written yet."""
        self.folder = folder / "failed"

    def note(self, job: Identified, problem: Exception) -> None:
        """Keep why a job failed, in place of an older reason."""
        with suppress(OSError):
            self.folder.mkdir(exist_ok=True)
            write_whole(self._path(job), in_one_line(problem).encode())

    def forget(self, job: Identified) -> None:
        """A job has been carried out after all."""
        with suppress(OSError):
            self._path(job).unlink(missing_ok=True)

    def read(self) -> Mapping[str, str]:
        """All that are kept and can be read."""
        found: dict[str, str] = {}
        for path in sorted(self.folder.glob("*.txt")):
            with suppress(OSError, *UNREADABLE):
                found[path.stem] = content_of(path).decode()[:LONGEST]
        return found

    def _path(self, job: Identified) -> Path:
        return self.folder / f"{job.identity}.txt"
