"""Token files, good and bad."""

import numpy as np
import pytest

from specmup.data.token_files import token_files


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
