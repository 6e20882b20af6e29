"""A command that is stopped says so in one line, and its workers end with it."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def stopped_in_one_line(line: str) -> Iterator[None]:
    """Leave by 130 after Ctrl-C and by 143 after SIGTERM, as a shell counts, once all is undone.

    Args:
        line: What is said: what is kept, and what to do.

    Raises:
        SystemExit: If the block was stopped.
    """
    status = 130

    def end(*_: object) -> None:
        nonlocal status
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # what is being ended is not disturbed
        status = 143  # kept here: Ray raises an error of its own in place of what a signal raises
        raise KeyboardInterrupt

    # Python lets the main thread alone say what a signal does.
    heard = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGTERM, end) if heard else None
    try:
        yield
    except KeyboardInterrupt:
        print(line, file=sys.stderr)
        sys.exit(status)
    finally:
        if heard:
            signal.signal(signal.SIGTERM, before)
