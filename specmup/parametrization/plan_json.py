"""A plan as JSON: parameter by parameter, null where a number is not known or not there."""

from __future__ import annotations

import json
import reprlib
import sys
from collections.abc import Mapping
from dataclasses import asdict
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from specmup.inspection.model_pair import ScaledDim
from specmup.parametrization.attention import AttentionScale
from specmup.parametrization.factors import Factors
from specmup.parametrization.parameter_plan import ParameterPlan

SIZES = ("width", "depth")
MOST = sys.float_info.max  # of a number
T = TypeVar("T")


def written(fields: Mapping[str, Any]) -> str:
    """The fields of a plan as JSON."""
    told = {name: value for name, value in fields.items() if name != "entries"}
    told |= {name: asdict(fields[name]) for name in SIZES}
    told["multipliers"] = dict(fields["multipliers"])
    told["attention"] = [asdict(scale) for scale in fields["attention"]]
    told["parameters"] = {entry.name: _written_entry(entry) for entry in fields["entries"]}
    return json.dumps(told, indent=2, ensure_ascii=False)


def read(text: str) -> dict[str, Any]:
    """The fields of the plan that :func:`written` wrote.

    Raises:
        ValueError: If the text is no JSON, or a value is not of its kind.
        KeyError, TypeError, AttributeError, RecursionError: If it is JSON, and no plan.
    """
    told = json.loads(text)
    entries = [_entry(name, numbers) for name, numbers in told.pop("parameters").items()]
    sizes = {name: _checked(ScaledDim, told[name]) for name in SIZES}
    if any(size.base <= 0 or size.target <= 0 for size in sizes.values()):
        raise ValueError("a size is not above 0")
    scales = tuple(_checked(AttentionScale, one) for one in told.get("attention", ()))
    lists = {"entries": tuple(entries), "notes": tuple(told["notes"]), "attention": scales}
    return told | sizes | lists


def refuse_other_kinds(plan: Any) -> None:
    """Let a dataclass hold what its annotations say, and finite numbers.

    Raises:
        ValueError: If a field holds anything else; the message names it.
    """
    for name, kind in get_type_hints(type(plan)).items():
        if not _is(value := getattr(plan, name), kind):
            raise ValueError(f"{name} is {reprlib.repr(value)}")


def _checked(kind: type[T], told: Mapping[str, Any]) -> T:
    made = kind(**told)
    refuse_other_kinds(made)
    return made


def _is(value: Any, kind: Any) -> bool:
    """Whether a value is of a kind that the fields of plans have."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin is UnionType:
        return any(_is(value, one) for one in inner)
    if origin is tuple:
        return isinstance(value, tuple) and all(_is(one, inner[0]) for one in value)
    if origin is Mapping:
        return isinstance(value, dict) and all(
            _is(key, inner[0]) and _is(one, inner[1]) for key, one in value.items()
        )
    if kind in (int, float):
        numbers = (int, float) if kind is float else int
        is_number = isinstance(value, numbers) and not isinstance(value, bool)
        return is_number and abs(value) <= MOST  # so no nan
    return isinstance(value, kind)


def _written_entry(entry: ParameterPlan) -> dict:
    told = asdict(entry)
    del told["name"]
    return told


def _entry(name: str, numbers: Mapping) -> ParameterPlan:
    lists = {key: tuple(numbers[key]) for key in ("shape", "tied", "zero_rows")}
    factors = _checked(Factors, numbers["factors"])
    return _checked(ParameterPlan, {**numbers, **lists, "name": name, "factors": factors})
