"""The array job that ``specmup sweep slurm`` writes, run here by a stub of ``sbatch``."""

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sweep_file import FILE, STEPS

from specmup.__main__ import main
from specmup.runs.results import load
from specmup.runs.store import Store
from specmup.sweeps.configuration import read_sweep
from specmup.sweeps.run import Run
from specmup.sweeps.slurm import array_script

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the script is for a POSIX shell")
ROOT = Path(__file__).resolve().parents[2]

# Runs the tasks of an array one after the other, as Slurm would side by side, on this machine.
SBATCH = """#!{python}
import os, re, subprocess, sys

script = sys.stdin.read()
first, last = map(int, re.search(r"^#SBATCH --array=(\\d+)-(\\d+)$", script, re.M).groups())
bad = 0
for number in range(first, last + 1):
    task = {{**os.environ, "SLURM_ARRAY_TASK_ID": str(number)}}
    started = subprocess.Popen(["sh", "-c", script], env=task)
    open("task", "w").write(f"{{number}} {{started.pid}}")
    bad += started.wait() != 0
sys.exit(bad)
"""


@pytest.fixture
def cluster(tmp_path, counting_text, monkeypatch):
    """Where ``sbatch`` is the stub, a folder whose name a shell would obey holds the sweep."""
    tools, place = tmp_path / "tools", tmp_path / 'it\'s $(touch obeyed); "here" `touch obeyed`'
    tools.mkdir(), place.mkdir()
    (tools / "sbatch").write_text(SBATCH.format(python=sys.executable))
    (tools / "sbatch").chmod(0o755)
    monkeypatch.setenv("PATH", str(tools), prepend=os.pathsep)
    monkeypatch.setenv("PYTHONPATH", str(ROOT), prepend=os.pathsep)
    monkeypatch.chdir(place)
    text = FILE.replace(STEPS, "steps = 60").replace("seeds = [0]", "seeds = [0, 1]")
    (place / "-tiny $HOME.toml").write_text(text)
    return place


def script(capsys, text, tasks=2):
    options = [f"--tasks={tasks}", f"--text-folder={text}", "--workers=1"]
    assert (
        main(["sweep", "slurm", *options, "--sbatch=--time=1:00:00", "--", "-tiny $HOME.toml"]) == 0
    )
    return capsys.readouterr().out


def wait_until(condition, seconds=120):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.01)


def test_an_array_one_task_of_which_is_killed_is_submitted_again(cluster, counting_text, capsys):
    text = script(capsys, counting_text)
    assert "#SBATCH --time=1:00:00\n" in text
    store = Store(cluster / "_build" / "sweeps" / "tiny", Run)
    first = subprocess.Popen(["sbatch"], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    first.stdin.write(text)
    first.stdin.close()
    runs = store.folder / "parts" / "0-of-2" / "runs"
    wait_until(lambda: list(runs.glob("*.json")) or first.poll() is not None)
    number, task = map(int, Path("task").read_text().split())
    assert number == 0
    os.kill(task, signal.SIGKILL)
    assert first.wait() == 1, first.stderr.read()  # the other task went on
    first.stderr.close()
    before = {path: path.stat().st_mtime_ns for path in store.folder.glob("parts/*/runs/*.json")}
    assert 7 <= len(before) < 12
    subprocess.run(["sbatch"], input=text, text=True, check=True)
    after = {path: path.stat().st_mtime_ns for path in store.folder.glob("parts/*/runs/*.json")}
    assert len(after) == len({path.name for path in after}) == 12
    assert {path: after[path] for path in before} == before  # none was run again
    name = ["--", "-tiny $HOME.toml"]
    main(["sweep", "status", *name])
    assert "parts hold 12 runs more: specmup sweep gather takes them in" in capsys.readouterr().out
    main(["sweep", "gather", *name])
    assert capsys.readouterr().out == "12 runs were gathered, 0 were there\n"
    main(["sweep", "collect", "--results=results", *name])
    main(["sweep", "run", f"--text-folder={counting_text}", "--folder=alone", "--workers=1", *name])
    main(["sweep", "collect", "--folder=alone", "--results=alone", *name])
    frame, alone = (load("tiny", cluster / folder)[0] for folder in ("results", "alone"))
    assert frame.equals(alone)
    assert not (cluster / "obeyed").exists()


def test_every_word_of_the_script_is_one_word(cluster):
    sweep, file = read_sweep("-tiny $HOME.toml"), Path("-tiny $HOME.toml")
    odd = ["--folder=a b", "--text-folder='", '--x=$(y)`z`;|&><*?~#\\!"']
    text = array_script(sweep, file, 12, options=odd, directives=["--comment=a b; c"])
    lines = text.splitlines()
    (command,) = (line for line in lines if line.startswith("exec "))
    words = shlex.split(command)
    assert words[1:7] == [sys.executable, "-m", "specmup", "sweep", "run", odd[0]]
    assert words[6:9] == odd and words[-1] == str(file)
    assert words[9:11] == ["--part", "$SLURM_ARRAY_TASK_ID/12"]
    assert "#SBATCH '--comment=a b; c'" in lines
    done = subprocess.run(["sh", "-nc", text], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--tasks=0"], "tasks is 0: give 1 to 12, as many as the sweep has runs"),
        (["--tasks=13"], "tasks is 13: give 1 to 12"),
        (["--tasks=2", "--sbatch=gpu"], "'gpu' is no option of sbatch: write --NAME=VALUE"),
        (["--tasks=2", "--sbatch=--x\nrm -rf"], "has characters that cannot be printed"),
        (["--tasks=2", "--folder=a\nb"], "has characters that cannot be printed"),
    ],
)
def test_what_makes_no_script_is_told_in_one_line(cluster, capsys, options, message):
    with pytest.raises(SystemExit) as stopped:
        main(["sweep", "slurm", *options, "--", "-tiny $HOME.toml"])
    out, error = capsys.readouterr()
    assert stopped.value.code == 2 and out == ""
    assert message in error and error.count("\n") == 1


@pytest.mark.parametrize("part", ["3", "a/b", "-1/2", "2/2"])
def test_a_part_that_is_none_is_told_in_one_line(cluster, capsys, part):
    with pytest.raises(SystemExit) as stopped:
        main(["sweep", "run", f"--part={part}", "--", "-tiny $HOME.toml"])
    error = capsys.readouterr().err
    assert stopped.value.code == 2 and error.count("\n") == 1
    assert re.search("is no part: write I/N, such as 0/8|part 2 of 2: the parts count", error)
