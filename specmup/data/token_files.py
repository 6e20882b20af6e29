"""Token files that users already have: nanoGPT's, and shards of llm.c."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from specmup.data.text import Text

# llm.c's files begin with 256 int32: a magic number that tells the type, a version, a count.
SHARD_TYPES: dict[int, np.dtype] = {20240520: np.dtype("<u2"), 20240801: np.dtype("<u4")}
SHARD_HEADER = 256 * 4
# Files without a header are of one of these: the widest that fits a file is meant.
HEADERLESS = tuple(np.dtype(name) for name in ("<u8", "<u4", "<u2"))
SCANNED = 1 << 24  # tokens read at a time when a file's ids are checked


def token_files(
    train: str | Path, val: str | Path, *, vocabulary: int, context: int, name: str | None = None
) -> Text:
    """Text from token files: nanoGPT's ``train.bin`` and ``val.bin``, or shards of llm.c.

    Args:
        train: File of training tokens.
        val: File of validation tokens.
        vocabulary: Number of tokens of the tokenizer that made them; 50257 for GPT-2's.
        context: Length of the windows that will be drawn.
        name: For result rows; the folder's name by default.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If one is damaged, too short, or holds ids beyond the vocabulary.
    """
    seen, held = (_token_file(Path(path), vocabulary, context) for path in (train, val))
    return Text(name or Path(train).resolve().parent.name, seen, held, vocabulary)


def _token_file(path: Path, vocabulary: int, context: int) -> np.ndarray:
    if not path.is_file():
        raise FileNotFoundError(f"no token file {path}: prepare it first or give another path")
    kind, offset, count = _layout(path, vocabulary)
    tokens = np.memmap(path, dtype=kind, mode="r", offset=offset, shape=(count,))
    if count <= context:
        raise ValueError(
            f"{path} holds {count} tokens: a window of {context} needs one more than that; "
            "give a longer file or a shorter context"
        )
    largest = max(int(part.max()) for part in _parts(tokens))
    if largest >= vocabulary:
        raise ValueError(
            f"{path} holds the id {largest}, beyond a vocabulary of {vocabulary}: it was made by "
            "another tokenizer, or it is no token file"
        )
    return tokens


def _layout(path: Path, vocabulary: int) -> tuple[np.dtype, int, int]:
    """Type of a token, bytes before the first, number of tokens."""
    size = path.stat().st_size
    head = np.fromfile(path, dtype="<i4", count=3)
    if len(head) == 3 and int(head[0]) in SHARD_TYPES:
        kind, count = SHARD_TYPES[int(head[0])], max(0, int(head[2]))
        expected = SHARD_HEADER + count * kind.itemsize
        if size != expected:
            raise ValueError(
                f"{path} is a shard of {count} tokens and should have {expected} bytes, "
                f"but has {size}: it was cut off or is damaged"
            )
        return kind, SHARD_HEADER, count
    kind = _headerless(path, size, vocabulary)
    return kind, 0, size // kind.itemsize


def _headerless(path: Path, size: int, vocabulary: int) -> np.dtype:
    """The type of the tokens in a file that does not tell it: the widest in which all ids exist.

    Read as a narrower one, such a file would hold a zero beside each token; read as a wider one,
    nearly every id is far beyond the vocabulary.

    Raises:
        ValueError: If the size fits no type, or only one that cannot hold the vocabulary.
    """
    fitting = [kind for kind in HEADERLESS if size and size % kind.itemsize == 0]
    if not fitting:
        raise ValueError(
            f"{path} has {size} bytes: a headerless file of uint16 tokens has an even number, "
            "and a shard begins with one of " + ", ".join(map(str, SHARD_TYPES))
        )
    for kind in fitting:
        begin = np.fromfile(path, dtype=kind, count=SCANNED // 16)
        if int(begin.max()) < vocabulary and begin.any():
            break
    if kind.itemsize == 2 and _every_second_is_alike(begin):
        raise ValueError(
            f"{path} has no header, and every second uint16 in it is nearly alike, as in a file of "
            f"wider integers; but read so, it holds ids beyond a vocabulary of {vocabulary}"
        )
    if vocabulary > np.iinfo(kind).max + 1:
        raise ValueError(
            f"{path} can only be read as {kind} tokens, which cannot hold a vocabulary of "
            f"{vocabulary}: give the vocabulary of the tokenizer that made the file, or write its "
            "tokens as uint32"
        )
    return kind


def _every_second_is_alike(halves: np.ndarray) -> bool:
    """Whether these are halves of wider integers, of which the upper ones hardly differ."""
    lower, upper = (len(np.unique(halves[start::2])) for start in (0, 1))
    return upper * 8 < lower


def _parts(tokens: np.ndarray) -> Iterator[np.ndarray]:
    return (tokens[i : i + SCANNED] for i in range(0, len(tokens), SCANNED))
