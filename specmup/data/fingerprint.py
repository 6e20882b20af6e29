"""A text's name by its content, so that results of two texts of one name are not mixed."""

from __future__ import annotations

import hashlib

import numpy as np

from specmup.data.text import Text

BLOCKS, BLOCK = 256, 4096  # tokens read of a split: all of a short one, evenly spread of a long one


def fingerprint(text: Text) -> str:
    """Sixteen hexadecimal digits that depend on a text's tokens and not on where they are kept.

    Hashed are the vocabulary and, of each split, its length and its tokens: all of them up to
    ``BLOCKS * BLOCK``, else that many in evenly spread blocks, the first and the last among them.
    So a file of any size is read in a moment, and another text, order or length shows. A change
    that lies between two blocks does not.
    """
    digest = hashlib.sha256(str(text.vocabulary).encode())
    for tokens in (text.train, text.val):
        digest.update(f" {len(tokens)} ".encode())
        for block in _blocks(tokens):
            digest.update(np.ascontiguousarray(block, dtype="<u4").tobytes())
    return digest.hexdigest()[:16]


def _blocks(tokens: np.ndarray) -> list[np.ndarray]:
    if len(tokens) <= BLOCKS * BLOCK:
        return [tokens]
    starts = np.linspace(0, len(tokens) - BLOCK, BLOCKS).astype(np.int64)
    return [tokens[start : start + BLOCK] for start in starts.tolist()]
