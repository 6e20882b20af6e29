"""Print what a plan says to every causal language model of the installed transformers.

Each type is built on the meta device at its default configuration's width and at twice that, with
four and eight blocks, as ``specmup plan --model hf:TYPE`` does it, and planned without a
declaration.

    .venv/bin/python tools/table_models.py [TYPE …] [--seconds 120]

The verdicts: *planned*; *asks* for a declaration, which the message proposes; *refused*, with the
cause; *not built* by transformers, at its default configuration either; *traceback*, our fault.
"""

from __future__ import annotations

import argparse
import signal
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from transformers import AutoConfig, AutoModelForCausalLM, logging
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from specmup.cli.command import factory
from specmup.inspection.questions import Undeclared
from specmup.parametrization.followers import NAMES
from specmup.parametrization.plan import make_plan

DEPTHS = {"target": 8, "base": 4}


def main() -> None:
    """Print a row a type and the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("types", nargs="*", metavar="TYPE", help="default: all")
    parser.add_argument("--seconds", type=int, default=120, help="for one type; default: 120")
    asked = parser.parse_args()
    logging.set_verbosity_error()
    warnings.simplefilter("ignore")
    count: Counter[str] = Counter()
    print("| type | verdict | said |\n|---|---|---|")
    for model_type in asked.types or sorted(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES):
        verdict, said = _verdict(model_type, asked.seconds)
        count[verdict] += 1
        print(f"| {model_type} | {verdict} | {' '.join(said.split())[:400]} |", flush=True)
    print("\n" + ", ".join(f"{verdict} {number}" for verdict, number in count.most_common()))


def _verdict(model_type: str, seconds: int) -> tuple[str, str]:
    try:
        with _at_most(seconds):
            sizes = _sizes(model_type)
            build = factory(f"hf:{model_type}")
            plan = make_plan(lambda: build(sizes["target"]), base=lambda: build(sizes["base"]))
    except ValueError as problem:
        if not _builds(model_type):
            return "not built", str(problem)
        return ("asks" if isinstance(problem, Undeclared) else "refused"), str(problem)
    except Exception as problem:  # of any kind: that is what is looked for
        if not _builds(model_type):
            return "not built", f"{type(problem).__name__}: {problem}"
        return "traceback", f"{type(problem).__name__}: {problem}"
    return "planned", plan._title()


def _sizes(model_type: str) -> dict[str, dict[str, int]]:
    """Width and depth of the target and the base, as multiples that the heads divide."""
    config = AutoConfig.for_model(model_type).get_text_config(decoder=True)
    names = [*config.attribute_map, *config.to_dict()]
    width = next((getattr(config, n) for n in NAMES["width"] if n in names), 0)
    return {
        name: {"width": width * (2 if name == "target" else 1), "depth": depth}
        for name, depth in DEPTHS.items()
    }


def _builds(model_type: str) -> bool:
    try:
        with torch.device("meta"):
            AutoModelForCausalLM.from_config(AutoConfig.for_model(model_type))
    except Exception:  # of any kind: the code is not ours
        return False
    return True


@contextmanager
def _at_most(seconds: int) -> Iterator[None]:
    def late(*_: object) -> None:
        raise TimeoutError(f"not ready after {seconds} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


if __name__ == "__main__":
    main()
