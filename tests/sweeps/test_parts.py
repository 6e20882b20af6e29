"""A sweep in parts: every run in one of them, gathered once; two results of one run are refused."""

import json
from dataclasses import replace

import pytest

from specmup.runs.job import Record
from specmup.runs.store import RunError, Store
from specmup.sweeps.growth import requested_runs
from specmup.sweeps.parts import Part, gather, ungathered
from specmup.sweeps.run import Run
from specmup.sweeps.runner import run_sweep


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store", Run)


@pytest.fixture
def go(sweeps, store, counting_text):
    """Run a part of a sweep, or all of it, in this process."""

    def run(sweep, part=None, store=store):
        options = {"workers": 2, "text_folder": counting_text, "make_pool": sweeps.Inline}
        return run_sweep(sweep, store, part=part, **options)

    return run


def results(store):
    """What came of each run, but for the time it took."""
    return {name: {**record.result, "seconds": 0} for name, record in store.read().records.items()}


@pytest.mark.parametrize("of", [1, 2, 5, 12])
def test_every_run_is_in_one_part(sweeps, of):
    sweep = sweeps.make()
    runs = requested_runs(sweep, {})
    parts = [list(filter(Part(number, of).owner(sweep), runs)) for number in range(of)]
    assert sorted(run.identity for part in parts for run in part) == sorted(
        run.identity for run in runs
    )
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_gathered_parts_are_what_one_machine_makes(sweeps, store, go, tmp_path):
    sweep, whole = sweeps.make(), Store(tmp_path / "whole", Run)
    made = [go(sweep, Part(number, 3)).finished for number in range(3)]
    assert made == [4, 4, 4] and ungathered(store) == 12
    told = gather(sweep, store)
    assert (told.taken, told.found, told.corrupt) == (12, 0, [])
    assert ungathered(store) == 0
    go(sweep, store=whole)
    assert results(store) == results(whole)
    again = gather(sweep, store)
    assert (again.taken, again.found) == (0, 12)


def test_what_the_whole_or_another_part_has_is_not_made_again(sweeps, store, go):
    sweep = sweeps.make()
    assert go(sweep, Part(0, 2)).finished == 6
    assert go(sweep, Part(0, 4)).finished == 0  # another number of parts finds them too
    assert go(sweep, Part(1, 4)).finished == 3
    gather(sweep, store)
    assert go(sweep).finished == 3


def test_a_grid_that_grows_by_what_is_found_is_dealt_out_to_its_end(sweeps, store, go, tmp_path):
    sweep = sweeps.make(log2_lr=[-30.0, -28.0, -26.0], extend=2, widths=[8], rules=["sp"])
    while sum(go(sweep, Part(number, 3)).finished for number in range(3)):
        gather(sweep, store)
    whole = Store(tmp_path / "whole", Run)
    go(sweep, store=whole)
    assert len(results(whole)) == 5  # it grew by two rates
    assert results(store) == results(whole)


def test_two_results_of_one_run_are_refused_and_nothing_is_gathered(sweeps, store, go):
    sweep = sweeps.make()
    go(sweep, Part(0, 2))
    mine = Part(0, 2).store(store)
    other = Part(1, 3).store(store)
    name, record = next(iter(mine.read().records.items()))
    with other.locked():
        other.write(replace(record, result={**record.result, "seconds": 77.0}))
    assert gather(sweep, store).taken == 6  # another machine takes another time
    for path in store.runs.glob("*.json"):
        path.unlink()
    with other.locked():
        other.write(Record(record.job, {**record.result, "loss": 1e-3}, record.origin))
    with pytest.raises(RunError, match=f"{name}.json differs in .*0-of-2 and in .*1-of-3"):
        gather(sweep, store)
    assert results(store) == {}


def test_a_damaged_record_of_a_part_is_left_to_it(sweeps, store, go):
    sweep = sweeps.make()
    go(sweep, Part(0, 2))
    part = Part(0, 2).store(store)
    path = next(part.runs.glob("*.json"))
    path.write_text(json.dumps({"run": "half"}))
    told = gather(sweep, store)
    assert (told.taken, told.corrupt) == (5, [path])
    assert go(sweep, Part(0, 2)).finished == 1
    assert gather(sweep, store).taken == 1


def test_parts_of_different_texts_are_refused(sweeps, store, go):
    sweep = sweeps.make()
    go(sweep, Part(0, 2))
    other = Part(1, 2).store(store)
    run = next(filter(Part(1, 2).owner(sweep), requested_runs(sweep, {})))
    record = next(iter(Part(0, 2).store(store).read().records.values()))
    with other.locked():
        other.write(Record(run, record.result, {**record.origin, "text": "another"}))
    with pytest.raises(RunError, match="the runs were not trained on one text"):
        gather(sweep, store)
    assert results(store) == {}


def test_no_link_in_place_of_the_parts_is_followed(sweeps, store, go, tmp_path):
    sweep = sweeps.make()
    go(sweep, Part(0, 2))
    (store.folder / "parts").rename(tmp_path / "elsewhere")
    (store.folder / "parts").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RunError, match="parts is a link"):
        gather(sweep, store)


@pytest.mark.parametrize(("number", "of"), [(3, 3), (0, 0), (-1, 2)])
def test_there_is_no_part_beyond_the_last(number, of):
    with pytest.raises(ValueError, match=f"part {number} of {of}: the parts count from 0 on"):
        Part(number, of)
