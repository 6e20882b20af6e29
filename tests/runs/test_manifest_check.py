"""What a manifest says is believed only where it can be true of the table beside it."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from specmup.runs.manifest_check import ORIGIN, TABLE, faults
from specmup.runs.results import load, save

ROOT = Path(__file__).resolve().parents[2]
FRAME = pd.DataFrame(
    {
        "depth": [2, 4, 2, 4],
        "power": ["1/2", "1/2", "1", "1"],
        "seed": [0, 1, 0, 1],
        "steps": [60] * 4,
        "loss": [0.5, 0.25, 1.0, 2.0],
    }
)
CASES = [
    {"axes": {"depth, power": [[2, "1/2"], [4, "1/2"]]}, "constants": {"seeds": [0, 1]}},
    {"axes": {"depth": [2, 4]}, "constants": {"power": "1", "seeds": [0, 1]}},
]
ROUNDING = {"on": ["depth", "seed"], "slice": {"depth": [2]}, "spread": {"loss": {}}}


@pytest.fixture
def manifest(tmp_path) -> dict:
    told = {"cases": CASES, "settings": {"constants": {"STEPS": 60, "WIDTH": 8}}}
    save(FRAME, "runs", scale="quick", configuration=told, wall_seconds=1, folder=tmp_path)
    return json.loads((tmp_path / "runs.json").read_text()) | {"rounding": ROUNDING}


def told(manifest, **changes) -> str:
    return "; ".join(faults(manifest | changes, "runs", FRAME))


def configured(manifest, **changes) -> str:
    return told(manifest, configuration=manifest["configuration"] | changes)


def test_what_is_saved_is_believed(manifest):
    assert told(manifest) == ""


@pytest.mark.parametrize("key", sorted(TABLE | ORIGIN))
def test_a_field_may_be_missing_only_where_it_is_optional(manifest, key):
    del manifest[key]
    assert bool(told(manifest)) != (TABLE | ORIGIN)[key].optional


LATER = (datetime.now(UTC) + timedelta(days=2)).isoformat()


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("name", ["other", 5, None]),
        ("rows", [3, -4, 4.0, "4", True]),
        ("columns", [{}, [], {"depth": "int32"}]),
        ("sha256", ["", "g" * 64, "0" * 63, 5]),
        ("scale", ["banana", None, ["quick"]]),
        ("configuration", ["quick", None, []]),
        ("date", ["1999-01-01T00:00:00+00:00", "2026-01-01", LATER, "yesterday", 5]),
        ("wall_seconds", [-1, "1", None, float("nan"), float("inf"), True]),
        ("streams", ["one", None]),
        ("commit", ["main", "abc", None]),
        ("machine", [{}, None, {"system": "Linux", "cpu": "x", "cores": 0}, "here"]),
        ("python", [3, "three"]),
        (
            "versions",
            [{}, {"numpy": "2.0"}, {"torch": "new"}, {"torch": 2.1}, {"torch": "1.0"}, None],
        ),
        ("rounding", [{}, [], {**ROUNDING, "on": ["width"]}, {**ROUNDING, "spread": {"x": {}}}]),
        ("rounding", [{**ROUNDING, "slice": {"depth": [8]}}]),
    ],
)
def test_a_field_of_another_value_is_named(manifest, key, values):
    for value in values:
        found = told(manifest, **{key: value})
        assert key in found or (key == "name" and "it is the manifest of" in found), (key, value)


@pytest.mark.parametrize("width", [2, 8])
def test_a_configuration_that_ran_other_points_is_told(manifest, width):
    assert configured(manifest, settings={"constants": {"WIDTH": width}}) == ""  # no such column
    found = configured(manifest, settings={"constants": {"STEPS": 500}})
    assert found == "STEPS is 500, and the table has steps 60"
    fewer = [CASES[0], {"axes": {"depth": [2]}, "constants": {"power": "2/1", "seeds": [0, 1]}}]
    assert configured(manifest, cases=fewer) == (
        "the table has power 1.0, which no case of the configuration runs"
    )
    one = [{**case, "constants": case["constants"] | {"seeds": [0]}} for case in CASES]
    assert "seed 1.0, which no case" in configured(manifest, cases=one)
    assert configured(manifest, cases=[{"widths": [8]}]) == ""  # as it was said once


def test_a_published_table_has_a_source_in_place_of_an_origin(manifest):
    published = {key: manifest[key] for key in TABLE} | {"source": {"key": "someone"}}
    assert told(published) == ""
    assert "rows is missing" in told({k: v for k, v in published.items() if k != "rows"})


def test_a_result_that_cannot_be_believed_is_not_loaded(manifest, tmp_path):
    (tmp_path / "runs.json").write_text(json.dumps(manifest | {"scale": "banana"}))
    with pytest.raises(ValueError, match="cannot be believed: scale is 'banana': it must be one"):
        load("runs", tmp_path)


STORED = [
    path
    for folder in ("results", "replication", "sweeps", "data")
    for path in sorted((ROOT / "book" / folder).glob("*.csv"))
]


@pytest.mark.parametrize("path", STORED, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_stored_manifest_is_believed(path):
    frame, manifest = load(path.stem, path.parent)
    assert len(frame) == manifest["rows"]
