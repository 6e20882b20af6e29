"""Finished runs made again: equal ones agree, changed ones do not, and rounding is told apart."""

import math
import tomllib

import pytest
from sweep_file import FILE

from specmup.__main__ import main
from specmup.runs.job import Record
from specmup.runs.pool import SerialPool
from specmup.runs.store import RunError, Store
from specmup.sweeps import verify, work
from specmup.sweeps.configuration import sweep_from
from specmup.sweeps.run import Run
from specmup.sweeps.runner import run_sweep
from specmup.sweeps.verify import RunAgain, chosen, made_again
from specmup.sweeps.work import Executor
from specmup.training.perturbed import perturbed


@pytest.fixture(scope="module")
def finished(tmp_path_factory, counting_text):
    """A sweep and the store of all its runs."""
    sweep, store = sweep_from(tomllib.loads(FILE)), Store(tmp_path_factory.mktemp("kept"), Run)
    run_sweep(sweep, store, workers=1, text_folder=counting_text, make_pool=SerialPool)
    return sweep, store


def test_runs_of_this_machine_agree_to_the_last_bit(finished, counting_text):
    sweep, store = finished
    records = chosen(sweep, store.read(), 4, seed=1)
    made = list(made_again(records, Executor("cpu", counting_text)))
    assert [one.run for one in made] == [record.job for record in records]
    assert all(one.now == one.then and one.verdict == "agrees" for one in made)
    assert all(one.now.keys() == {"loss", "train_loss"} for one in made)
    assert all(one.moved == () for one in made)


def test_every_run_has_its_turn_and_a_seed_repeats_it(finished):
    sweep, store = finished
    contents = store.read()
    names = [[r.job.identity for r in chosen(sweep, contents, 2, seed)] for seed in range(40)]
    assert {name for some in names for name in some} == contents.records.keys()
    assert names[3] == [r.job.identity for r in chosen(sweep, contents, 2, 3)]
    assert len(chosen(sweep, contents, 1000, 0)) == len(contents.records)


@pytest.mark.parametrize("name", ["loss", "train_loss"])
@pytest.mark.parametrize("loss", [1.0, math.inf])
def test_a_loss_that_was_changed_disagrees_and_was_tried_from_moved_starts(
    finished, counting_text, name, loss, monkeypatch
):
    sweep, store = finished
    seeds = []
    monkeypatch.setattr(verify, "perturbed", lambda seed: seeds.append(seed) or perturbed(seed))
    (record,) = chosen(sweep, store.read(), 1, seed=0)
    forged = Record(record.job, {**record.result, name: loss}, record.origin)
    (made,) = made_again([forged], Executor("cpu", counting_text))
    assert made.verdict == "DISAGREES"
    gaps = [abs(one[name] - made.now[name]) for one in made.moved]
    assert len(gaps) == 2 and all(gap < 1e-3 for gap in gaps)
    assert seeds == [*verify.SEEDS]  # so small a network may round the millionth away
    about = ": train_loss " if name == "train_loss" else ": "
    assert f"{about}{loss:.6g} then, {made.now[name]:.6g} now: DISAGREES" in str(made)


@pytest.mark.parametrize(
    ("then", "now", "moved", "verdict"),
    [
        (2.0, 2.00019, (), "agrees"),
        (2.0, 2.00021, (), "DISAGREES"),
        (2.0, 2.1, (2.111, 2.1), "hangs on rounding"),
        (2.0, 2.1, (2.109, 2.1), "DISAGREES"),
        (2.0, 2.1, (math.inf, 2.1), "hangs on rounding"),
        (math.inf, math.inf, (), "agrees"),
        (math.inf, 2.1, (2.2, 2.3), "DISAGREES"),
        (math.inf, 2.1, (math.inf, 2.3), "hangs on rounding"),
        (2.0, math.inf, (2.1, 2.3), "hangs on rounding"),
        (2.0, math.inf, (math.inf, math.inf), "DISAGREES"),
    ],
)
def test_what_is_said_of_two_losses(finished, then, now, moved, verdict):
    sweep, store = finished
    (record,) = chosen(sweep, store.read(), 1, seed=0)
    both = [{"loss": 1.0, "train_loss": loss} for loss in (then, now, *moved)]
    assert RunAgain(record.job, both[0], both[1], tuple(both[2:])).verdict == verdict
    swapped = [{"loss": one["train_loss"], "train_loss": 1.0} for one in both]
    assert RunAgain(record.job, swapped[0], swapped[1], tuple(swapped[2:])).verdict == verdict


def test_another_text_is_refused(finished, tmp_path, counting_text):
    sweep, store = finished
    for name in ("train.bin", "val.bin"):
        content = bytearray((counting_text / name).read_bytes())
        content[:2] = bytes([15 - content[0], 0])
        (tmp_path / name).write_bytes(content)
    with pytest.raises(RunError, match="and this one is"):
        list(made_again(chosen(sweep, store.read(), 1, 0), Executor("cpu", tmp_path)))


def test_nothing_finished_is_told(finished, tmp_path):
    sweep, store = finished
    with pytest.raises(RunError, match="no run of tiny is finished: there is nothing to verify"):
        chosen(sweep, Store(tmp_path, Run).read(), 3, 0)
    with pytest.raises(ValueError, match="runs is 0: give at least 1"):
        chosen(sweep, store.read(), 0, 0)


def test_the_command_says_what_became_of_each(tmp_path, monkeypatch, capsys, counting_text):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.toml").write_text(FILE)
    words = ["tiny.toml", f"--text-folder={counting_text}"]
    assert main(["sweep", "run", *words, "--workers=1"]) == 0
    capsys.readouterr()
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert main(["sweep", "verify", *words, "--runs=2", "--seed=7"]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head == "seed 7: 2 runs"
    assert len(lines) == 2 and all(line.endswith(": agrees") for line in lines)
    assert lines[0].startswith("k2 adamw, width ")
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    first = next((tmp_path / "_build" / "sweeps" / "tiny" / "runs").iterdir())
    first.rename(first.with_stem("\x1b[31m"))
    assert main(["sweep", "verify", *words, "--runs=1"]) == 1
    told = capsys.readouterr()
    assert told.out.endswith(": agrees\n") and told.err.count("\n") == 1
    assert told.err.startswith(r"\x1b[31m.json cannot be read (ValueError: the name does not fit)")
    first.with_stem("\x1b[31m").rename(first)
    execute = work.execute

    def otherwise(run, **options):
        made = execute(run, **options)
        return {**made, "loss": made["loss"] + 0.1}

    monkeypatch.setattr(work, "execute", otherwise)
    assert main(["sweep", "verify", *words, "--runs=1"]) == 1
    assert capsys.readouterr().out.splitlines()[1].endswith(": DISAGREES")
