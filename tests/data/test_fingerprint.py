"""A text's fingerprint: of its content, and cheap for a file of any size."""

from dataclasses import replace

import numpy as np
import pytest

from specmup.data import fingerprint as module
from specmup.data.fingerprint import fingerprint
from specmup.data.text import Text
from specmup.data.token_files import token_files


@pytest.fixture
def text():
    tokens = np.random.default_rng(0).integers(300, size=5000).astype("<u2")
    return Text("random", tokens[:4000], tokens[4000:], 300)


def changed(tokens, place):
    tokens = tokens.copy()
    tokens[place] ^= 1
    return tokens


def test_it_tells_texts_apart_and_not_where_they_are_kept(text, tmp_path):
    own = fingerprint(text)
    assert len(own) == 16 and int(own, 16)
    assert fingerprint(replace(text, name="other", train=text.train.astype(np.uint32))) == own
    text.train.tofile(tmp_path / "train.bin")
    text.val.tofile(tmp_path / "val.bin")
    files = tmp_path / "train.bin", tmp_path / "val.bin"
    assert fingerprint(token_files(*files, vocabulary=300, context=16)) == own
    others = [
        replace(text, train=changed(text.train, 1234)),
        replace(text, val=changed(text.val, 0)),
        replace(text, train=text.train[:-1]),
        replace(text, train=text.train[::-1]),
        replace(text, train=text.val, val=text.train),
        replace(text, vocabulary=301),
    ]
    assert len({own, *map(fingerprint, others)}) == 7


def test_a_long_text_is_read_in_blocks(text, monkeypatch):
    monkeypatch.setattr(module, "BLOCKS", 4)
    monkeypatch.setattr(module, "BLOCK", 100)
    read = []

    class Watched(np.ndarray):
        def __getitem__(self, some):
            read.append(some.stop - some.start)
            return super().__getitem__(some)

    watched = replace(text, train=text.train.view(Watched), val=text.val[:50])
    own = fingerprint(watched)
    assert read == [100] * 4
    for place in (0, 99, 3999):
        assert fingerprint(replace(watched, train=changed(text.train, place))) != own
    between = replace(watched, train=changed(text.train, 700))
    assert fingerprint(between) == own  # as its description says
