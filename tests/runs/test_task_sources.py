"""Code that decides stored results does not change unnoticed: their tasks' versions say so."""

import json
from copy import deepcopy

import note_task_sources
import pytest
from note_task_sources import MODULES, NOTED, TASKS, differences, digest, present, rests_on

from experiments.__main__ import names


@pytest.fixture(scope="module")
def now():
    return present()


def test_code_that_decides_results_is_as_it_was_noted(now):
    noted = json.loads(NOTED.read_text(encoding="utf-8"))
    assert not (found := differences(noted, now)), "\n".join(found)


def test_every_experiment_is_a_task_with_a_version():
    assert set(TASKS) == {f"experiments.{name}" for name in names()} | {"language-model"}


def test_a_change_is_told_for_each_task_that_rests_on_it_until_it_is_settled(now):
    changed = deepcopy(now)
    changed["sources"]["experiments.instruments.ablation"] = "another"
    told = differences(now, changed)
    concerned = [f"experiments.{name}" for name in ("depth_parts", "kimi_parts", "width_parts")]
    assert [line.partition(",")[0] for line in told] == concerned
    assert "version 1, rests on code that was changed: experiments.instruments.abla" in told[1]
    assert "raise it in book/experiments/kimi_parts.py. Then, or if they cannot, py" in told[1]
    changed["versions"]["experiments.kimi_parts"] = 2
    told = differences(now, changed)
    assert "has the new version 2: note it by python tools/note_task_sources.py" in told[1]
    assert differences(changed, changed) == []
    assert "experiments.kimi_parts had the version 2, and has 1" in differences(changed, now)[1]


def test_so_is_a_change_of_the_small_gpts_file_but_not_of_its_grids(now, monkeypatch, tmp_path):
    path = note_task_sources.READ["experiments.small_gpt"]
    text, other = path.read_text(encoding="utf-8"), tmp_path / "small.toml"
    monkeypatch.setitem(note_task_sources.READ, "experiments.small_gpt", other)
    other.write_text(text.replace("seeds = [0, 1, 2]", "seeds = [0]"), encoding="utf-8")
    assert differences(now, present()) == []
    other.write_text(text.replace("warm_up = 25", "warm_up = 24"), encoding="utf-8")
    told = {line.partition(",")[0] for line in differences(now, present())}
    concerned = "depth_parts", "gpt_coordinates", "head_alignment", "kimi_parts", "width_parts"
    assert told == {f"experiments.{name}" for name in concerned}


def test_the_model_is_beneath_the_language_model_and_the_engine_is_not():
    found = rests_on("specmup.sweeps.work")
    assert {"specmup.models.gpt", "specmup.sweeps.run", "specmup.streams"} <= found
    assert not any(name.startswith("specmup.runs") for name in found)


def test_only_code_counts():
    source = 'class A:\n    """Say."""\n    def f(self):\n        """Say."""\n        return 1\n'
    for other in (
        source.replace("Say", "Tell"),
        source + "# a word",
        source.replace("():", "() :"),
    ):
        assert digest(other) == digest(source)
    assert digest(source.replace("1", "2")) != digest(source)
    assert digest(source.replace("return 1", "return 'Say.'")) != digest(source)


def test_a_version_is_not_lowered(now, monkeypatch, tmp_path):
    noted = deepcopy(now)
    noted["versions"]["experiments.ridge"] = 3
    monkeypatch.setattr(note_task_sources, "NOTED", tmp_path / "noted.json")
    note_task_sources.NOTED.write_text(json.dumps(noted))
    with pytest.raises(SystemExit, match="ridge had the version 3, and has 1: raise it"):
        note_task_sources.main()
    note_task_sources.NOTED.unlink()
    note_task_sources.main()
    assert json.loads(note_task_sources.NOTED.read_text()) == now
    assert set(now["sources"]) <= set(MODULES)
