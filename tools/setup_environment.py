"""Make .venv and install the pinned requirements and the package into it.

Runs under the system's Python, before anything is installed, so it uses the standard library only.
A second run sees the stamp of the first and does nothing.
"""

from __future__ import annotations

import hashlib
import platform
import subprocess
import sys
from pathlib import Path

from cores import cores
from watched_pip import watch

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = VENV / "installed.sha256"
OLDEST = (3, 11)
HOW_LONG = "3 to 15 minutes, by the network and the disk"
# Another project's μP, to compare with. It asks for torchvision, which it never imports and which
# breaks transformers beside a CPU build of torch; the rest of what it needs is there anyway.
WITHOUT_DEPENDENCIES = ("mup==1.0.0",)
# What nothing here imports, a quarter of all: packages' own tests, and parts of Ray and torch.
NOT_COMPILED = r"/tests?/|/ray/(rllib|tune|serve|train|data|llm)/|/torch/(testing/_internal|onnx)/"


def wanted() -> str:
    """Hash of everything that decides what must be installed, and where."""
    fixed = (platform.python_version(), str(VENV), *WITHOUT_DEPENDENCIES)
    digest = hashlib.sha256("\n".join(fixed).encode())
    for name in ("requirements.txt", "pyproject.toml", "book/pyproject.toml"):
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def python() -> Path:
    """The environment's interpreter."""
    return VENV / "bin" / "python"


def is_installed() -> bool:
    """Whether .venv holds what is wanted."""
    return python().exists() and STAMP.exists() and STAMP.read_text() == wanted()


def has_other_version() -> bool:
    """Whether .venv exists but belongs to another Python, or does not start."""
    if not VENV.exists():
        return False
    show = "import platform; print(platform.python_version())"
    try:
        answer = subprocess.run([python(), "-c", show], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return True
    return answer.stdout.strip() != platform.python_version()


def install() -> None:
    """Create the environment and install into it, saying each step."""
    STAMP.unlink(missing_ok=True)
    if has_other_version() or not VENV.exists():
        print(f"Environment: making {VENV} with Python {platform.python_version()}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", VENV], check=True)
    (packages,) = VENV.glob("lib/python*/site-packages")
    pip = [python(), "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    pip += ["--no-compile"]  # which it does on one core
    print(
        f"Environment: installing requirements.txt; the first time this takes {HOW_LONG}",
        flush=True,
    )
    watch([*pip, "-r", ROOT / "requirements.txt"], packages)
    print(f"Environment: installing {', '.join(WITHOUT_DEPENDENCIES)} and this folder", flush=True)
    watch([*pip, "--no-deps", *WITHOUT_DEPENDENCIES], packages)
    watch([*pip, "--no-deps", "--editable", ROOT, "--editable", ROOT / "book"], packages)
    print("Environment: compiling what was installed, on every core", flush=True)
    compile_all(packages)
    # The first import lists the system's fonts. Where that is slow it says so, into a page's cell.
    subprocess.run([python(), "-c", "import matplotlib.font_manager"], check=True)
    STAMP.write_text(wanted())


def compile_all(packages: Path) -> None:
    """Compile what is installed, silently: packages ship templates and tests that are no Python."""
    command = [python(), "-m", "compileall", "-q", "-j", str(cores()), "-x", NOT_COMPILED]
    command.append(packages)
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def main() -> int:
    """Bring .venv up to date; return the exit status."""
    if sys.version_info < OLDEST:
        found, needed = platform.python_version(), ".".join(map(str, OLDEST))
        print(
            f"Python {found} at {sys.executable} is too old: {needed} or newer is needed. "
            "Name one that you have, for example: make book PYTHON=python3.12",
            file=sys.stderr,
        )
        return 1
    if is_installed():
        return 0
    try:
        install()
    except subprocess.CalledProcessError as error:
        step = " ".join(map(str, error.cmd))
        print(f"Environment: this step failed: {step}", file=sys.stderr)
        if "venv" in error.cmd:
            print(
                "Python's venv module is missing or broken (on Debian: install python3-venv).",
                file=sys.stderr,
            )
        return 1
    print("Environment: ready")
    return 0


if __name__ == "__main__":
    sys.exit(main())
