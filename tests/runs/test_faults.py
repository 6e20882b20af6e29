"""Faults at file-system calls, and any sequence of what can happen to a folder of runs.

These are parts of what ``tools/try_faults.py`` and ``tools/drive_engine.py`` try.
"""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("words", [["try_faults", "--part=80"], ["drive_engine", "--examples=8"]])
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
