"""A fault at every kind of file-system call: a part of what ``tools/try_faults.py`` tries."""

import os
import random
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PART = 100


def test_the_next_run_makes_up_for_any_fault():
    seed = 0 if os.environ.get("CI") else random.randrange(1000)
    paths = ROOT, ROOT / "book"
    told = subprocess.run(
        [sys.executable, ROOT / "tools" / "try_faults.py", f"--part={PART}", f"--seed={seed}"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))},
        capture_output=True,
        text=True,
    )
    print(told.stdout, told.stderr)  # with the seed, and what was not survived
    assert told.returncode == 0
    assert f"seed {seed}: {PART} cases" in told.stdout
