"""pip's lines become one that says how far it is; its last ones are shown if it fails."""

import io
import subprocess
import sys

import pytest
import watched_pip
from watched_pip import TAIL, Progress, watch

LINES = """\
Collecting torch==2.13.0 (from -r requirements.txt (line 2))
  Downloading torch-2.13.0-cp311-none-linux_x86_64.whl.metadata (29 kB)
Collecting numpy==2.4.6 (from -r requirements.txt (line 3))
  Using cached numpy-2.4.6-cp311-cp311-manylinux.whl.metadata (60 kB)
Requirement already satisfied: filelock in ./.venv/lib (from torch==2.13.0) (4.3.1)
Requirement already satisfied: filelock in ./.venv/lib (from numpy==2.4.6) (4.3.1)
Downloading torch-2.13.0-cp311-none-linux_x86_64.whl (170.4 MB)
Using cached numpy-2.4.6-cp311-cp311-manylinux.whl (16 MB)
Installing collected packages: numpy, torch
"""


def test_each_phase_says_how_far_it_is(tmp_path):
    (tmp_path / "filelock-4.3.1.dist-info").mkdir()
    progress, said = Progress(tmp_path), []
    for line in LINES.splitlines():
        progress.read(line)
        said.append(str(progress))
    assert said[0] == "finding what is needed, 1 packages so far"
    assert said[5] == "finding what is needed, 3 packages so far"  # each counts once
    assert said[6] == "fetching torch (170.4 MB), 1 of 3 found so far"
    assert said[7] == "fetching numpy (16 MB), 2 of 3 found so far"
    assert said[8] == "installing, 0 of 2 packages in place"
    (tmp_path / "numpy-2.4.6.dist-info").mkdir()
    assert str(progress) == "installing, 1 of 2 packages in place"


PIP = """
import sys, time
from pathlib import Path
for line in {lines!r}.splitlines():
    print(line)
    time.sleep({pause})
for name in ("numpy-2", "torch-2"):
    Path({folder!r}, name + ".dist-info").mkdir()
    time.sleep(0.5)
{end}
"""


def pip(folder, end="", lines=LINES):
    """A stand-in for pip, which says and does what pip would."""
    return [
        sys.executable,
        "-c",
        PIP.format(lines=lines, pause=0.1 if lines == LINES else 0, folder=str(folder), end=end),
    ]


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_without_a_terminal_there_is_a_line_a_phase(tmp_path):
    out = io.StringIO()
    watch(pip(tmp_path), tmp_path, out=out)
    lines = out.getvalue().splitlines()
    assert len(lines) <= 4  # of nine that pip said
    assert "installing, " in lines[-1] and " of 2 packages in place" in lines[-1]


def test_and_a_phase_that_takes_long_gives_signs_of_life(tmp_path, monkeypatch):
    monkeypatch.setattr(watched_pip, "LOOK", 0.02)
    out = io.StringIO()
    watch(pip(tmp_path), tmp_path, out=out, every=0.0)
    assert "installing, 1 of 2" in out.getvalue()
    assert "installing, 2 of 2" in out.getvalue()


def test_on_a_terminal_one_line_changes(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    out = Terminal()
    watch(pip(tmp_path), tmp_path, out=out)
    assert out.getvalue().count("\n") == 1
    shown = out.getvalue().strip("\n").split("\r")[1:]
    assert {len(text) for text in shown} == {59}  # each covers the one before it
    assert shown[-1].rstrip().endswith("2 of 2 packages in place")


def test_if_pip_fails_its_last_lines_are_shown(tmp_path, capfd):
    many = "".join(f"Collecting package{i}\n" for i in range(3)) + "noise\n" * TAIL
    command = pip(tmp_path, end="sys.exit('ERROR: no matching distribution')", lines=many)
    with pytest.raises(subprocess.CalledProcessError) as failed:
        watch(command, tmp_path, out=io.StringIO())
    assert failed.value.returncode == 1 and failed.value.cmd == command
    error = capfd.readouterr().err
    assert error.endswith("ERROR: no matching distribution\n")
    assert error.count("\n") == TAIL
