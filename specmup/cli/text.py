"""``specmup text`` prepares and checks files of tokens to train on.

``openwebtext FOLDER`` writes train.bin and val.bin as nanoGPT prepares them: GPT-2's tokens of
OpenWebText, 9 billion to train on and 4 million to validate on. It needs the network, once: 13 GB
or more to download, 54 GB in the cache of Hugging Face's datasets, and 18 GB in FOLDER. It takes
some hours, most of them the tokens, fewer with more threads. Stopped, it goes on where it was when
the same command is given again. ``check FOLDER`` reads such files and says what they hold.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

STOPPED = "stopped: the same command goes on where it was"
HELP = "prepare OpenWebText as files of tokens; check such files"


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declare the options."""
    actions = command.add_subparsers(dest="action", required=True)
    about = "write train.bin and val.bin; 18 GB, hours, and the network"
    web = actions.add_parser("openwebtext", help=about, description=__doc__)
    web.add_argument("folder", type=Path, metavar="FOLDER", help="where to write them")
    add = web.add_argument
    add("--dataset", help="on the Hub, or a folder of files with a column text; default: the Hub's")
    add("--revision", help="of the dataset on the Hub; default: its main branch")
    add("--threads", type=int, default=os.cpu_count(), help="default: one a core")
    check = actions.add_parser("check", help="read train.bin and val.bin, and say what they hold")
    check.add_argument("folder", type=Path, metavar="FOLDER")
    check.add_argument("--vocabulary", type=int, default=50257, help="default: 50257, GPT-2's")
    check.add_argument("--context", type=int, default=1024, help="length of windows; default: 1024")


def run(args: argparse.Namespace) -> int:
    """Do what is asked; returns 0."""
    return ACTIONS[args.action](args)


def _openwebtext(args: argparse.Namespace) -> int:
    from specmup.data.openwebtext import DATASET, DOCUMENTS, prepare

    if args.threads < 1:
        raise ValueError(f"threads is {args.threads}: give at least 1")
    dataset = args.dataset or DATASET
    told = prepare(args.folder, dataset=dataset, revision=args.revision, threads=args.threads)
    print(f"{args.folder}: {told['train']:,} tokens to train on, {told['val']:,} to validate on")
    if dataset == DATASET and told["documents"] != DOCUMENTS:
        print(f"from {told['documents']:,} documents; the whole dataset has {DOCUMENTS:,}")
    return 0


def _check(args: argparse.Namespace) -> int:
    from specmup.data.fingerprint import fingerprint
    from specmup.data.token_files import token_files

    for name, least in (("vocabulary", 1), ("context", 1)):
        if (given := getattr(args, name)) < least:
            raise ValueError(f"--{name} is {given}: give at least {least}")
    files = args.folder / "train.bin", args.folder / "val.bin"
    try:
        text = token_files(*files, vocabulary=args.vocabulary, context=args.context)
    except FileNotFoundError as problem:
        raise ValueError(str(problem)) from problem
    print(f"{len(text.train):,} tokens to train on, {len(text.val):,} to validate on")
    print(f"all ids are below {args.vocabulary}; the text is {fingerprint(text)}")
    return 0


ACTIONS = {"openwebtext": _openwebtext, "check": _check}
