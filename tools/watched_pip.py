"""pip, watched: its hundreds of lines become one that says what is happening and how far it is.

Standard library only, as the tool that uses it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from threading import Thread
from typing import TextIO

FOUND = re.compile(r"(?:Collecting|Requirement already satisfied:) ([\w.-]+)")
FETCHED = re.compile(
    r"(?:Downloading|Using cached) (\S+?)-\d\S*\.(?:whl|zip|tar\.gz)(?: \((.+)\))?$"
)
INSTALLING = "Installing collected packages: "
LOOK = 0.2  # seconds between two looks at how far pip is
TAIL = 25  # of pip's lines, shown if it fails


class Progress:
    """How far pip is, by its lines and by the folder that it fills.

    Args:
        packages: The environment's ``site-packages``.
    """

    def __init__(self, packages: Path) -> None:
        """Nothing has happened yet."""
        self.packages = packages
        self.before = self._there()
        self.found: set[str] = set()
        self.fetched = 0
        self.last = ""  # that was fetched or is on its way
        self.to_install = 0
        self.phase = "asking the index"

    def read(self, line: str) -> None:
        """Take in one of pip's lines."""
        line = line.strip()
        if match := FOUND.match(line):
            self.found.add(match[1].lower())
            self.phase = "finding"
        elif match := FETCHED.match(line):
            self.fetched += 1
            self.last = f"{match[1]} ({match[2] or 'cached'})"
            self.phase = "fetching"
        elif line.startswith(INSTALLING):
            self.to_install = line.count(",") + 1
            self.phase = "installing"

    def __str__(self) -> str:
        """What is happening, and how far it is."""
        if self.phase == "installing":
            done = min(len(self._there() - self.before), self.to_install)
            return f"installing, {done} of {self.to_install} packages in place"
        if self.phase == "fetching":
            found = max(self.fetched, len(self.found))
            return f"fetching {self.last}, {self.fetched} of {found} found so far"
        if self.phase == "finding":
            return f"finding what is needed, {len(self.found)} packages so far"
        return self.phase

    def _there(self) -> set[str]:
        return {path.name for path in self.packages.glob("*.dist-info")}


def watch(
    command: Sequence[str | Path], packages: Path, *, out: TextIO | None = None, every: float = 60.0
) -> None:
    """Run pip and say how far it is: in one line on a terminal, else in a line now and then.

    Args:
        command: That runs pip.
        packages: The environment's ``site-packages``.
        out: Where to say it; the standard output by default.
        every: Seconds between two lines of one phase where there is no terminal.

    Raises:
        subprocess.CalledProcessError: If pip fails; its last lines have been shown.
    """
    out = out or sys.stdout
    progress, lines = Progress(packages), []
    process = subprocess.Popen(
        [*command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )

    def read() -> None:
        for line in process.stdout:
            lines.append(line)
            progress.read(line)

    reader = Thread(target=read)
    with process:
        reader.start()
        _tell(progress, reader, out, every)
    if process.returncode:
        print("".join(lines[-TAIL:]), end="", file=sys.stderr, flush=True)
        raise subprocess.CalledProcessError(process.returncode, command)


def _tell(progress: Progress, reader: Thread, out: TextIO, every: float) -> None:
    """Say how far it is until pip's lines end."""
    begun = time.monotonic()
    told, told_at = set(), begun  # pip goes back and forth between finding and fetching
    while reader.is_alive():
        reader.join(LOOK)
        now = time.monotonic()
        minutes, seconds = divmod(round(now - begun), 60)
        text = f"  {minutes}:{seconds:02} {progress}"
        if out.isatty():
            columns = shutil.get_terminal_size().columns - 1
            print("\r" + text[:columns].ljust(columns), end="", file=out, flush=True)
        elif progress.phase not in told or now - told_at >= every:
            print(text, file=out, flush=True)
            told.add(progress.phase)
            told_at = now
    if out.isatty():
        print(file=out)
