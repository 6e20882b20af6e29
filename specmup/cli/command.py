"""What the commands share: one-line errors, sizes and models named on the command line."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from specmup.foreign import in_one_line, named_sizes, printable, refusing

if TYPE_CHECKING:  # torch is slow to import: only where it is needed
    from torch import nn

    from specmup.runs.ray_pool import RayCluster

FIGURES = (".svg", ".png", ".pdf")


class OneLineParser(argparse.ArgumentParser):
    """A parser whose errors are one line and exit status 2, without the usage text."""

    def error(self, message: str):
        """Print the message on one line and leave."""
        self.exit(2, f"{self.prog}: {printable(' '.join(message.split()))}\n")


def refused_by_the_system(problem: OSError) -> str:
    """What the system refuses, and of what; its own words where it names nothing."""
    if not (problem.strerror and problem.filename):
        return str(problem)
    return f"{os.fsdecode(problem.filename)} cannot be used: {problem.strerror}"


def sizes(text: str) -> dict[str, int]:
    """The sizes in ``n_embd=256,n_layer=4``.

    Raises:
        argparse.ArgumentTypeError: If it is not of that form.
    """
    found = {}
    for piece in text.split(","):
        name, equals, value = (part.strip() for part in piece.partition("="))
        if not (equals and name.isidentifier() and value.isdigit()):
            raise argparse.ArgumentTypeError(
                f"{piece!r} is no size: write name=integer, such as n_embd=256,n_layer=4"
            )
        found[name] = int(value)
    return found


def place(text: str) -> tuple[str, str]:
    """A name pattern and its place in ``pooler=head``.

    Raises:
        argparse.ArgumentTypeError: If it is not of that form.
    """
    pattern, equals, name = text.rpartition("=")
    if not (pattern and equals and name):
        raise argparse.ArgumentTypeError(f"{text!r} gives no place: write NAME=PLACE")
    return pattern, name


def figure(text: str) -> Path:
    """A file to draw to, refused before anything is computed for it.

    Raises:
        argparse.ArgumentTypeError: If its folder is not there, or its kind is none of FIGURES.
    """
    path = Path(text)
    if path.suffix not in FIGURES:
        raise argparse.ArgumentTypeError(f"{text!r} is no figure: end it in {', '.join(FIGURES)}")
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(
            f"{text!r}: there is no folder {path.parent}: make it first"
        )
    return path


def add_declarations(command: argparse.ArgumentParser) -> None:
    """The options that tell an unfamiliar architecture; :func:`declared` reads them."""
    command.add_argument("--block-depth", type=int, help="maps in a branch, where not known")
    command.add_argument(
        "--branch-ends", nargs="+", default=(), help="names that end a branch, where not known"
    )
    command.add_argument(
        "--places",
        nargs="+",
        type=place,
        default=(),
        help="NAME=PLACE, for what nothing else tells",
    )


def declared(args: argparse.Namespace) -> dict[str, Any]:
    """What :func:`specmup.parametrization.plan.make_plan` is told of the architecture."""
    return {
        "block_depth": args.block_depth,
        "branch_ends": args.branch_ends,
        "places": dict(args.places),
    }


def add_engine(command: argparse.ArgumentParser) -> None:
    """The options that say who carries out jobs; :func:`engine` reads them."""
    about = "who carries out jobs; default: processes of this machine"
    command.add_argument("--engine", choices=("local", "ray"), default="local", help=about)
    about = "of a Ray cluster, HOST:PORT or auto; default: one of this machine alone"
    command.add_argument("--address", help=about)


def engine(args: argparse.Namespace) -> AbstractContextManager[RayCluster | None]:
    """The cluster that carries out jobs in the block; None for this machine's own processes.

    Raises:
        RunError: If an address is given that nobody asks, or no cluster answers.
        MissingExtra: If Ray is not installed.
    """
    from specmup.runs.refusals import RunError  # runs need the laboratory, other commands do not

    if args.engine == "local":
        if args.address is not None:
            raise RunError(f"--address is {args.address}: it is for --engine ray")
        return nullcontext()
    from specmup.runs.ray_pool import connected

    return connected(args.address)


def number_or_mapping(text: str) -> float | dict[str, float]:
    """A number, or numbers by role or name pattern: ``0.02`` or ``hidden=0.02,*=0.002``.

    Raises:
        argparse.ArgumentTypeError: If it is neither.
    """
    try:
        if "=" not in text:
            return float(text)
        pairs = (piece.rpartition("=") for piece in text.split(","))
        return {key.strip(): float(value) for key, _, value in pairs}
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is neither a number nor of the form hidden=0.02,*=0.002"
        ) from None


def factory(name: str) -> Callable[[Mapping[str, int]], nn.Module]:
    """What makes the model called ``name`` at given sizes.

    Args:
        name: ``hf:TYPE`` for a causal language model of Hugging Face by its model type, or
            ``module:function`` for a function that takes the sizes as keyword arguments.

    Raises:
        ValueError: If there is no such model, or ``transformers`` is not installed.
    """
    kind, colon, rest = name.partition(":")
    if not (colon and rest):
        raise ValueError(f"unknown model {name!r}: write hf:gpt2, or module:function for your own")
    return _hugging_face(rest) if kind == "hf" else _builder_of(kind, rest)


def _hugging_face(model_type: str) -> Callable[[Mapping[str, int]], nn.Module]:
    from specmup.extras import load
    from specmup.parametrization.resize import resized_config

    transformers = load("transformers", extra="hugging-face", use=f"hf:{model_type}")
    transformers.logging.set_verbosity_error()
    try:
        config = transformers.AutoConfig.for_model(model_type)
    except Exception as problem:  # a few types are there, and have no configuration by default
        raise ValueError(
            f"transformers has no configuration for the model type {model_type!r}: it takes gpt2, "
            "llama, mistral, gpt_neox and others"
        ) from problem

    def build(sizes: Mapping[str, int]) -> nn.Module:
        wanted = resized_config(config, sizes)
        with refusing(
            f"transformers makes no language model hf:{model_type} of {named_sizes(sizes)}"
        ):
            return transformers.AutoModelForCausalLM.from_config(wanted)

    return build


def _builder_of(module: str, name: str) -> Callable[[Mapping[str, int]], nn.Module]:
    make = function(f"{module}:{name}")

    def build(sizes: Mapping[str, int]) -> nn.Module:
        from torch import nn  # torch is slow to import: only where it is needed

        try:
            with refusing(
                f"{module}:{name} makes no model of {named_sizes(sizes)}", passing=(TypeError,)
            ):
                made = make(**sizes)
        except TypeError as problem:
            raise ValueError(
                f"{module}:{name} does not take the sizes {', '.join(sizes)}: {problem}"
            ) from problem
        if not isinstance(made, nn.Module):
            raise ValueError(
                f"{module}:{name} made a {type(made).__name__}: it must return a module"
            )
        return made

    return build


def function(name: str) -> Callable:
    """A function of the user's own, by ``module:function``.

    Raises:
        ValueError: If it cannot be found, or its module cannot be imported.
    """
    module, _, attribute = name.partition(":")
    if not all(part.isidentifier() for part in (*module.split("."), attribute)):
        raise ValueError(f"{name!r} names no function: write module:function")
    # An installed command, unlike python -m, does not look in the folder where it is called.
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        found = getattr(_imported(module), attribute)
    except (ImportError, AttributeError) as problem:
        raise ValueError(
            f"{name} cannot be found ({problem}): call this in the folder of "
            f"{module.split('.')[0]}.py, or put that folder into PYTHONPATH"
        ) from problem
    if not callable(found):
        raise ValueError(f"{name} is {type(found).__name__}, no function: name one")
    return found


def _imported(module: str) -> ModuleType:
    """A module of the user's own.

    Raises:
        ImportError: If it is not there.
        ValueError: If it is there, and what it does when it is imported fails.
    """
    try:
        return importlib.import_module(module)
    except Exception as problem:  # of any kind: the code is not ours
        lacking = problem.name if isinstance(problem, ModuleNotFoundError) else None
        if f"{module}.".startswith(f"{lacking}."):
            raise
        raise ValueError(f"{module} cannot be imported ({in_one_line(problem)})") from problem
