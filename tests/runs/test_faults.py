"""Faults at file-system calls, and any sequence of what can happen to a folder of runs.

These are parts of what ``tools/try_faults.py`` and ``tools/drive_engine.py`` try.
"""

import os
import random
import subprocess
import sys
from contextlib import contextmanager, nullcontext
from pathlib import Path
from unittest.mock import patch

import file_faults
import pytest
import squares
from file_faults import Watch
from try_faults import Case, Trial

from experiments import __main__ as command
from specmup.runs import files, manifest, store

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("words", [["try_faults", "--part=60"], ["drive_engine", "--examples=8"]])
def test_the_next_run_makes_up_for_whatever_happened(words):
    seed = 0 if os.environ.get("CI") else random.randrange(1000)
    name, *options = words
    told = subprocess.run(
        [sys.executable, ROOT / "tools" / f"{name}.py", *options, f"--seed={seed}"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "book")])},
        capture_output=True,
        text=True,
    )
    print(told.stdout, told.stderr)  # with the seed, and what was not survived
    assert told.returncode == 0
    assert told.stdout.startswith(f"seed {seed}: ")


@pytest.fixture
def prepared(monkeypatch):
    """This process has children that make squares, and is then as it was."""
    for module, names in ((manifest, ("commit", "package_version")), (command, ("names",))):
        for name in names:
            monkeypatch.setattr(module, name, getattr(module, name))
    monkeypatch.setitem(sys.modules, "experiments.squares", squares)
    squares.prepare()


def in_place(path, content):
    with open(path, "wb") as file:
        file.write(content)


@contextmanager
def unsynced(path):
    with open(partial := path.with_name(".partial"), "wb") as file:
        yield file
    partial.replace(path)


def shouting(self, message):
    raise RuntimeError(message)


BROKEN = {
    "a part can be read": (store, "write_whole", in_place, "killed before write", "left behind"),
    "content is not synced": (
        *(files, "replacing", unsynced),
        *("power cut, names kept replace", "left behind"),
    ),
    "names are not synced": (files, "_sync_names", print, "power cut mkdir", "made again"),
    "what is left stays": (store, "left_behind", lambda *_: [], "killed before replace", "left"),
    "an error is a traceback": (
        *(command.OneLineParser, "error", shouting),
        *("input/output flock", "status 1"),
    ),
    "a signal is not told": (command, "stopped_in_one_line", nullcontext, "SIGTERM fsync", "-15"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_an_engine_that_does_not_survive_is_noticed(prepared, tmp_path, name):
    module, attribute, broken, what, says = BROKEN[name]
    kind, _, call = what.rpartition(" ")
    with patch.object(module, attribute, broken):
        trial = Trial("begun", tmp_path)
        cases = [Case("begun", kind, at, call) for at, c in enumerate(trial.calls) if c == call]
        assert any(says in line for case in cases[::-1] for line in trial.wrong(case))


class Unwatched(Watch):
    def begin(self):
        pass


def test_no_call_is_missed(prepared, tmp_path):
    """Python tells an audit of what is done by a path; each comes from where calls are counted."""
    (home := tmp_path / "home").mkdir()

    def audited():
        def missed(event, told):
            if event.startswith(("open", "os.")) and told and "_build" in str(told[0]):
                frame, files = sys._getframe(), set()
                while frame := frame.f_back:
                    files.add(frame.f_code.co_filename)
                if file_faults.__file__ not in files:
                    print(event, told, file=sys.stderr)

        sys.addaudithook(missed)
        squares.make()

    assert squares.run(home, Watch(home), audited) == squares.Answer(0, "")
    (other := tmp_path / "other").mkdir()
    unwatched = squares.run(other, Unwatched(other), audited)
    assert all(f"os.{name}" in unwatched.said for name in ("mkdir", "rename", "remove"))
