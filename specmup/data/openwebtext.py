"""OpenWebText as nanoGPT prepares it, through ``datasets`` and ``tiktoken`` and the network."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path
from typing import Any

from specmup.data.tokenise import Encode, write_tokens
from specmup.extras import load
from specmup.foreign import in_one_line

DATASET = "Skylion007/openwebtext"
DOCUMENTS = 8_013_769  # of the whole dataset
# nanoGPT's: the part of the documents that is held out, and the seed by which they are shuffled.
HELD_OUT, SEED = 0.0005, 2357
VOCABULARY, END = 50257, 50256  # GPT-2's
BYTES = 18e9  # of train.bin and val.bin, rounded up
EXTRA = {"extra": "openwebtext", "use": "specmup text openwebtext"}

# What datasets says, from version 4 on and before, of a dataset that comes with code of its own.
OF_CODE = ("Dataset scripts are no longer supported", "trust_remote_code")


def prepare(
    folder: Path, *, dataset: str = DATASET, revision: str | None = None, threads: int = 8
) -> dict[str, int]:
    """Write ``train.bin`` and ``val.bin``; a stopped call is gone on with by the next one.

    The documents are shuffled and split as nanoGPT does it, so the same documents give the same
    bytes. ``datasets`` keeps what it downloads, and an unpacked copy, in a cache of its own.

    Args:
        folder: Made if there is none.
        dataset: A dataset of the Hub, or a folder of files that ``datasets`` knows, with a column
            ``text``.
        revision: Of the dataset on the Hub; its main branch by default.
        threads: That encode, and processes that unpack.

    Returns:
        Number of tokens by split, and of ``documents``.

    Raises:
        ValueError: If a package is missing, the dataset cannot be loaded or has no texts, other
            files are there already, or there is no room.
    """
    if (there := folder / "train.bin").exists() and not (folder / "train.bin.json").exists():
        raise ValueError(f"{there} is there and not from here: name another folder")
    encode = gpt2_encoder(threads)
    splits = _splits(dataset, revision, threads)
    documents = sum(map(len, splits.values()))
    folder.mkdir(parents=True, exist_ok=True)
    _require_room(folder, documents)
    source = {"dataset": dataset, "revision": revision, "documents": documents, "seed": SEED}
    told = {"documents": documents}
    for name, texts in splits.items():
        told[name] = write_tokens(
            texts,
            folder / f"{name}.bin",
            encode,
            end=END,
            vocabulary=VOCABULARY,
            source={**source, "split": name, "encoder": "gpt2"},
        )
    return told


def gpt2_encoder(threads: int = 8) -> Encode:
    """GPT-2's byte-pair encoding, without special tokens.

    Raises:
        ValueError: If ``tiktoken`` is missing, or cannot fetch the encoding.
    """
    tiktoken = load("tiktoken", **EXTRA)
    try:
        encoding = tiktoken.get_encoding("gpt2")
    except Exception as problem:  # requests' many, when there is no network
        raise ValueError(
            f"tiktoken cannot fetch GPT-2's encoding ({in_one_line(problem)}): it needs the "
            "network once, or the folder that TIKTOKEN_CACHE_DIR names"
        ) from problem
    return partial(encoding.encode_ordinary_batch, num_threads=threads)


class Texts:
    """The texts of a dataset, read as they are asked for.

    Args:
        dataset: With a column ``text``.
    """

    def __init__(self, dataset: Any) -> None:
        """Nothing is read yet."""
        self.dataset = dataset

    def __len__(self) -> int:
        """Number of documents."""
        return len(self.dataset)

    def __getitem__(self, some: slice) -> list[str]:
        """The texts of a slice."""
        return self.dataset[some]["text"]


def _splits(dataset: str, revision: str | None, threads: int) -> dict[str, Texts]:
    datasets = load("datasets", **EXTRA)
    try:
        loaded = datasets.load_dataset(
            dataset, split="train", revision=revision, num_proc=threads if threads > 1 else None
        )
    except Exception as problem:  # of many kinds, its own, the Hub's and the system's
        raise ValueError(_why_not_loaded(dataset, problem)) from problem
    if "text" not in loaded.column_names:
        raise ValueError(
            f"{dataset} has the columns {', '.join(loaded.column_names)}: one must be text"
        )
    split = loaded.train_test_split(test_size=HELD_OUT, seed=SEED, shuffle=True)
    # The small one first: whoever finds train.bin finds val.bin beside it.
    return {"val": Texts(split["test"]), "train": Texts(split["train"])}


def _why_not_loaded(dataset: str, problem: Exception) -> str:
    if any(words in str(problem) for words in OF_CODE):
        return (
            f"{dataset} comes with code of its own there, which this datasets refuses: name a "
            "revision of plain files, such as --revision refs/convert/parquet, or give a folder "
            "of Parquet files as --dataset"
        )
    return f"the dataset {dataset!r} cannot be loaded ({in_one_line(problem)})"


def _require_room(folder: Path, documents: int) -> None:
    needed = BYTES * documents / DOCUMENTS
    there = sum(path.stat().st_size for path in folder.glob("*.bin*"))
    if (free := shutil.disk_usage(folder).free) < needed - there:
        raise ValueError(
            f"{folder} has {free / 1e9:.1f} GB free, and the files of {documents} documents take "
            f"about {needed / 1e9:.1f} GB: free some, or name a folder elsewhere"
        )
