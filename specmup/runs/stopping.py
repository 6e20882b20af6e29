"""A command that is stopped says so in one line, and its workers end with it."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Terminated(KeyboardInterrupt):
    """SIGTERM came, by which a shell, a service or a cluster asks a process to end."""


@contextmanager
def stopped_in_one_line(line: str) -> Iterator[None]:
    """Leave by 130 after Ctrl-C and by 143 after SIGTERM, as a shell counts, once all is undone.

    Args:
        line: What is said: what is kept, and what to do.

    Raises:
        SystemExit: If the block was stopped.
    """
    # Python lets the main thread alone say what a signal does.
    heard = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGTERM, _end) if heard else None
    try:
        yield
    except KeyboardInterrupt as stop:
        print(line, file=sys.stderr)
        sys.exit(143 if isinstance(stop, Terminated) else 130)
    finally:
        if heard:
            signal.signal(signal.SIGTERM, before)


def _end(*_: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # what is being ended is not disturbed
    raise Terminated
