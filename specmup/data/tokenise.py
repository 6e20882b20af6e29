"""Documents to a file of tokens, as nanoGPT keeps them: stopped at any moment, it is gone on with.

NAME            the whole file: uint16, little-endian, no header
NAME.partial    a file being written
NAME.json       how many documents and tokens are in it, and what they come from
NAME.lock       held while the file is being written
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np
from filelock import FileLock, Timeout

from specmup.runs.files import FULL, UNREADABLE, content_of, opened, replacing
from specmup.runs.progress import progress_bar

KIND = np.dtype("<u2")
AT_ONCE = 4096  # documents that are read, encoded and written together

Encode = Callable[[Sequence[str]], Sequence[Sequence[int]]]


class Documents(Protocol):
    """Anything with a length whose slices give texts."""

    def __len__(self) -> int:
        """Number of documents."""

    def __getitem__(self, some: slice, /) -> Sequence[str]:
        """The texts of a slice."""


def write_tokens(
    documents: Documents,
    path: Path,
    encode: Encode,
    *,
    end: int,
    vocabulary: int,
    source: Mapping[str, Any],
    at_once: int = AT_ONCE,
) -> int:
    """Write the tokens of all documents, the token ``end`` after each.

    No more than ``at_once`` documents are in memory. What a stopped call has written is gone on
    with by the next one, to the same bytes; a file that is whole is left as it is.

    Args:
        documents: The texts.
        path: Of the file, in a folder that exists.
        encode: Token ids of each of some texts.
        end: The id that ends a document.
        vocabulary: Number of tokens of the encoder; ids are below it. At most 65,536.
        source: What the documents and the encoder are, in values that JSON knows: a file of another
            source is not gone on with.
        at_once: Documents between two notes of how far the file is.

    Returns:
        The number of tokens in the file.

    Raises:
        ValueError: If the file, or a part of it, is there from elsewhere or is damaged, another
            process is writing it, there are no documents, an id is beyond the vocabulary, or the
            disk is full.
    """
    if vocabulary > np.iinfo(KIND).max + 1:
        raise ValueError(f"a vocabulary of {vocabulary} does not fit tokens of two bytes")
    if not len(documents):
        raise ValueError(f"there are no documents for {path}")
    note, partial = (path.with_name(path.name + suffix) for suffix in (".json", ".partial"))
    with _explaining_a_full_disk(path), _locked(path):
        kept = _noted(note, dict(source))
        if path.exists():
            if kept["documents"] != len(documents) or path.stat().st_size != _bytes(kept):
                raise ValueError(f"{path} is there and not from here: name another folder")
            return kept["tokens"]
        bar = progress_bar(total=len(documents), initial=kept["documents"], desc=path.name)
        with opened(partial, "ab") as file, bar:
            _truncate_to_note(file, kept)
            for start in range(kept["documents"], len(documents), at_once):
                texts = documents[start : start + at_once]
                tokens = _joined(encode(texts), end, vocabulary, path)
                file.write(tokens.tobytes())
                file.flush()
                os.fsync(file.fileno())  # the note must never be ahead of the file
                kept["documents"] += len(texts)
                kept["tokens"] += len(tokens)
                with replacing(note) as told:
                    told.write((json.dumps(kept, indent=1) + "\n").encode())
                bar.update(len(texts))
        partial.replace(path)
    return kept["tokens"]


def _joined(encoded: Sequence[Sequence[int]], end: int, vocabulary: int, path: Path) -> np.ndarray:
    """One array of all documents' tokens, each followed by the end."""
    tokens = np.concatenate([np.asarray([*ids, end], dtype=np.int64) for ids in encoded])
    if tokens.min() < 0 or tokens.max() >= vocabulary:
        raise ValueError(
            f"{path}: the encoder gave the id {tokens.max()}, beyond a vocabulary of {vocabulary}: "
            "say how many tokens it has"
        )
    return tokens.astype(KIND)


def _noted(path: Path, source: dict[str, Any]) -> dict[str, Any]:
    """How far the file is good: nowhere, if there is no note."""
    if not os.path.lexists(path):
        return {"source": source, "documents": 0, "tokens": 0}
    try:
        kept = json.loads(content_of(path))
        kept = {"source": kept["source"], **{k: int(kept[k]) for k in ("documents", "tokens")}}
    except UNREADABLE as problem:
        raise ValueError(f"{path} is damaged: delete it to begin anew") from problem
    if kept["source"] != json.loads(json.dumps(source)):
        raise ValueError(
            f"{path} is of another source, {kept['source']}: name another folder, or delete it to "
            "begin anew"
        )
    return kept


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """The file is written by its holder alone, until that ends in any way."""
    lock = path.with_name(path.name + ".lock")
    opened(lock, "ab").close()  # FileLock would make a folder that is missing, and follow a link
    try:
        with FileLock(lock, timeout=0):
            yield
    except Timeout:
        raise ValueError(f"another process is writing {path}: wait for it") from None
    if path.exists():  # whole: nobody needs a lock any more
        with suppress(OSError):
            lock.unlink()


def _truncate_to_note(file: BinaryIO, kept: Mapping[str, Any]) -> None:
    """Drop what was written after the last note."""
    if (size := os.fstat(file.fileno()).st_size) < _bytes(kept):
        raise ValueError(
            f"{file.name} has {size} bytes, fewer than the {_bytes(kept)} that were written: "
            "delete the .json beside it to begin anew"
        )
    file.truncate(_bytes(kept))


def _bytes(kept: Mapping[str, Any]) -> int:
    return kept["tokens"] * KIND.itemsize


@contextmanager
def _explaining_a_full_disk(path: Path) -> Iterator[None]:
    """Say it plainly if the disk is full."""
    try:
        yield
    except OSError as problem:
        if problem.errno not in FULL:
            raise
        raise ValueError(
            f"no space left for {path}: free some and give the same command again; it goes on "
            "where it was"
        ) from problem
