"""Text: the book that needs no download, windows, and token files good and bad."""

import numpy as np
import pytest
import torch

from specmup.data import text as text_module
from specmup.data.text import Text, byte_pair_tokenizer, king_james, token_files


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SPECMUP_CACHE", str(tmp_path / "cache"))
    king_james.cache_clear()
    yield tmp_path / "cache"
    king_james.cache_clear()


def test_the_king_james_text_comes_back_from_its_tokens(own_cache):
    text = king_james(512)
    train, val = text_module._king_james_chapters()
    tokenizer = byte_pair_tokenizer(train, 512)
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


def shard(path, tokens, magic, kind, claimed=None):
    header = np.zeros(256, "<i4")
    header[:3] = magic, 1, len(tokens) if claimed is None else claimed
    path.write_bytes(header.tobytes() + np.asarray(tokens, kind).tobytes())
    return path


def test_both_kinds_of_token_files_are_read(tmp_path):
    tokens = np.arange(500) % 300
    plain = tmp_path / "train.bin"
    plain.write_bytes(tokens.astype("<u2").tobytes())
    for magic, kind in ((20240520, "<u2"), (20240801, "<u4")):
        val = shard(tmp_path / f"{magic}.bin", tokens, magic, kind)
        text = token_files(plain, val, vocabulary=300, context=16)
        np.testing.assert_array_equal(text.train, tokens)
        np.testing.assert_array_equal(text.val, tokens)
        assert text.name == tmp_path.name


@pytest.mark.parametrize("kind", ["<u2", "<i2", "<i4", "<u4", "<i8", "<u8"])
@pytest.mark.parametrize("vocabulary", [300, 50257, 65536, 100_000])
def test_a_file_without_a_header_is_read_in_its_own_width(tmp_path, kind, vocabulary):
    """Its tokens come back as they were written, or not at all: never two or four for one."""
    largest = min(vocabulary, np.iinfo(kind).max + 1)
    tokens = np.random.default_rng(0).integers(largest, size=4096)
    tokens[:4] = 0, 0, largest - 1, 0
    path = tmp_path / "train.bin"
    path.write_bytes(tokens.astype(kind).tobytes())
    if kind[1:] in ("u2", "i2") and vocabulary > 65536:
        with pytest.raises(ValueError, match=r"read as uint16.*vocabulary of 100000.*as uint32"):
            token_files(path, path, vocabulary=vocabulary, context=16)
        return
    read = token_files(path, path, vocabulary=vocabulary, context=16)
    np.testing.assert_array_equal(read.train, tokens)


@pytest.mark.parametrize("kind", ["<i4", "<u4", "<i8"])
@pytest.mark.parametrize("beyond", [-100, 70_000])
def test_wider_integers_beyond_the_vocabulary_are_not_read_as_narrower_ones(tmp_path, kind, beyond):
    tokens = np.random.default_rng(0).integers(20_000, size=4096)
    tokens[7] = beyond
    path = tmp_path / "train.bin"
    path.write_bytes(tokens.astype(kind).tobytes())
    with pytest.raises(ValueError, match="beyond a vocabulary of 50257"):
        token_files(path, path, vocabulary=50257, context=16)


def test_wrong_token_files_are_refused(tmp_path):
    def read(content, vocabulary=300, context=16):
        path = tmp_path / "train.bin"
        path.write_bytes(content)
        return token_files(path, path, vocabulary=vocabulary, context=context)

    tokens = (np.arange(500) % 300).astype("<u2").tobytes()
    read(tokens)
    for content, options, message in (
        (tokens[:-1], {}, "999 bytes.*even number"),
        (b"", {}, "0 bytes"),
        (tokens, {"vocabulary": 299}, "id 299, beyond a vocabulary of 299"),
        (tokens, {"context": 500}, "500 tokens.*window of 500"),
    ):
        with pytest.raises(ValueError, match=message):
            read(content, **options)
    cut = shard(tmp_path / "cut.bin", np.zeros(400), 20240520, "<u2", claimed=401)
    with pytest.raises(ValueError, match=r"401 tokens.*1826 bytes.*1824.*cut off"):
        token_files(cut, cut, vocabulary=300, context=16)
    with pytest.raises(FileNotFoundError, match="no token file"):
        token_files(tmp_path / "none.bin", cut, vocabulary=300, context=16)
