"""A plan as JSON: parameter by parameter, null where a number is not known or not there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from specmup.parametrization.factors import Factors
from specmup.parametrization.model_pair import ScaledDim
from specmup.parametrization.parameter_plan import ParameterPlan

SIZES = ("width", "depth")


def written(fields: Mapping[str, Any]) -> str:
    """The fields of a plan as JSON."""
    told = {name: value for name, value in fields.items() if name != "entries"}
    told |= {name: asdict(fields[name]) for name in SIZES}
    told["multipliers"] = dict(fields["multipliers"])
    told["parameters"] = {entry.name: _told(entry) for entry in fields["entries"]}
    return json.dumps(told, indent=2, ensure_ascii=False)


def read(text: str) -> dict[str, Any]:
    """The fields of the plan that :func:`written` wrote.

    Raises:
        ValueError: If the text is no JSON.
        KeyError, TypeError, AttributeError: If it is, and no plan.
    """
    told = json.loads(text)
    entries = [_entry(name, numbers) for name, numbers in told.pop("parameters").items()]
    sizes = {name: ScaledDim(**told[name]) for name in SIZES}
    return told | sizes | {"entries": tuple(entries), "notes": tuple(told["notes"])}


def _told(entry: ParameterPlan) -> dict:
    told = asdict(entry)
    del told["name"]
    return told


def _entry(name: str, numbers: Mapping) -> ParameterPlan:
    lists = {key: tuple(numbers[key]) for key in ("shape", "tied", "zero_rows")}
    return ParameterPlan(name, **{**numbers, **lists, "factors": Factors(**numbers["factors"])})
