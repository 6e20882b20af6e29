"""Text: the book that needs no download, and windows."""

from functools import cache

import numpy as np
import pytest
import torch

from specmup.data import text as text_module
from specmup.data.text import Text, byte_pair_tokenizer, king_james


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SPECMUP_CACHE", str(tmp_path / "cache"))
    king_james.cache_clear()
    yield tmp_path / "cache"
    king_james.cache_clear()


def test_the_king_james_text_comes_back_from_its_tokens(own_cache, monkeypatch):
    once = cache(byte_pair_tokenizer)  # it takes seconds
    monkeypatch.setattr(text_module, "byte_pair_tokenizer", once)
    text = king_james(512)
    train, val = text_module._king_james_chapters()
    tokenizer = once(train, 512)
    assert once.cache_info().hits == 1
    assert tokenizer.decode(text.val.tolist()) == val
    assert int(text.train.max()) < 512
    # The five books of Moses and the Gospels alone hold more; a tenth is held out.
    assert 4_000_000 < len(train) + len(val) < 4_400_000
    assert 0.08 < len(val) / (len(train) + len(val)) < 0.12


def test_prepared_tokens_are_kept_and_a_damaged_file_is_made_anew(own_cache, monkeypatch):
    train, val = text_module._king_james_chapters()
    monkeypatch.setattr(text_module, "_king_james_chapters", lambda: (train[:100_000], val[:9000]))
    first = king_james(300)
    (kept,) = own_cache.iterdir()
    king_james.cache_clear()
    with monkeypatch.context() as patched:
        patched.setattr(text_module, "byte_pair_tokenizer", None)  # calling it would fail
        np.testing.assert_array_equal(king_james(300).train, first.train)
    king_james.cache_clear()
    kept.write_bytes(kept.read_bytes()[:-1000])
    np.testing.assert_array_equal(king_james(300).train, first.train)
    assert list(own_cache.iterdir()) == [kept]


def test_another_text_is_refused(own_cache, monkeypatch):
    monkeypatch.setattr(text_module, "KING_JAMES_SHA256", "0" * 64)
    with pytest.raises(ValueError, match=r"sha256 51a4.*install that version"):
        king_james(300)
    with pytest.raises(ValueError, match="vocabulary 255"):
        king_james(255)


def counting(train=1000, val=200):
    return Text("counting", np.arange(train) % 64, np.arange(val) % 64, 64)


def test_windows_pair_each_token_with_the_next():
    x, y = counting().windows("train", torch.tensor([0, 70, 990]), 9)
    assert x.shape == y.shape == (3, 9)
    assert torch.equal((x + 1) % 64, y)
    assert x[1, 0] == 6
    with pytest.raises(ValueError, match="at 991 into the 1000 tokens of train"):
        counting().windows("train", torch.tensor([991]), 9)


def test_training_windows_depend_on_the_seed_and_reach_the_end():
    text = counting(train=12)
    starts = text.training_windows(8, batch_size=50, steps=4, seed=3)
    assert starts.shape == (4, 50)
    assert set(starts.flatten().tolist()) == {0, 1, 2, 3}
    assert torch.equal(starts, text.training_windows(8, 50, 4, 3))
    assert not torch.equal(starts, text.training_windows(8, 50, 4, 4))
    text.windows("train", starts[0], 8)
    with pytest.raises(ValueError, match="12 tokens of train are fewer than one window of 12"):
        text.training_windows(12, 1, 1, 0)


def test_validation_windows_are_fixed_and_spread():
    starts = counting().fixed_windows(context=19, count=10)
    assert (int(starts[0]), int(starts[-1])) == (0, 180)
    assert torch.all(starts.diff() == 20)
    with pytest.raises(ValueError, match="200 tokens of val are fewer"):
        counting().fixed_windows(200, 1)
