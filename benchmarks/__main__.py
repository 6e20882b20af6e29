"""Run every benchmark and print one table: ``python -m benchmarks [name …]``."""

from __future__ import annotations

import argparse
import importlib
import os
import pkgutil

import torch
from tqdm import tqdm

import benchmarks
from benchmarks.harness import Row, table

MODULES = sorted(
    module.name
    for module in pkgutil.iter_modules(benchmarks.__path__)
    if module.name not in ("__main__", "harness")
)


def main() -> None:
    """Run the benchmarks named on the command line, all of them by default."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"of: {', '.join(MODULES)}")
    names = parser.parse_args().names or MODULES
    if unknown := sorted(set(names) - set(MODULES)):
        parser.error(f"no benchmark named {', '.join(unknown)}: there are {', '.join(MODULES)}")

    rows: list[Row] = []
    progress = tqdm(names, desc="benchmarks", unit="file")
    for name in progress:
        progress.set_postfix_str(name)
        rows += importlib.import_module(f"benchmarks.{name}").ratios()
    threads, cores = torch.get_num_threads(), os.cpu_count()
    print(f"\ntorch {torch.__version__}, {threads} threads on {cores} cores; ratios of medians\n")
    print(table(rows))


if __name__ == "__main__":
    main()
