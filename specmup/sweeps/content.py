"""Which text records were trained on: two texts may have one name, and their runs do not mix."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from specmup.runs.job import Record
from specmup.runs.store import RunError

UNKNOWN = "unknown"  # of a record from before texts were noted


def text_of_records(records: Iterable[Record], now: str | None = None) -> str:
    """The :func:`~specmup.data.fingerprint.fingerprint` of the text that all records share.

    Args:
        records: Of one sweep.
        now: The text that is about to be trained on.

    Returns:
        The fingerprint; ``unknown`` if no record says. Records that do not say are not asked.

    Raises:
        RunError: If they were trained on different texts, or on another one than ``now``.
    """
    counts = Counter(record.origin.get("text", UNKNOWN) for record in records)
    del counts[UNKNOWN]
    if len(counts) > 1:
        told = ", ".join(f"{number} on {text}" for text, number in counts.most_common())
        raise RunError(
            f"the runs were not trained on one text, but {told}: keep those of one text and move "
            "the others into a folder of their own"
        )
    (found,) = counts or (UNKNOWN,)
    if now is not None and found not in (UNKNOWN, now):
        raise RunError(
            f"{counts[found]} runs are kept of the text {found}, and this one is {now}: give that "
            "text, or another --folder"
        )
    return found
