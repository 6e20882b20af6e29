"""The stage that rounds as other processors do: it perturbs, it rotates, and it can fail."""

import os
import subprocess
import sys
from collections import Counter
from itertools import product
from pathlib import Path

import check_machines
import pytest
import run_checks
import torch
from check_machines import PARTS, STARTUP, check, chosen_by, ways
from pages import Settings, read_page
from processors import OF_CHAPTERS, PERTURBED, WAYS

TOOLS = Path(check_machines.__file__).parent
DRAWS = """
import torch
from processors import perturb_starts
def draws():
    torch.manual_seed(0)
    g = torch.Generator().manual_seed(0)
    return torch.randn(1000, generator=g), torch.empty(1000).normal_(), torch.empty(1000).uniform_()
before = draws()
perturb_starts()
for a, b in zip(before, draws()):
    print(float((b / a - 1).abs().max()), float((b / a - 1).abs().mean()))
with torch.device("meta"):
    torch.nn.Linear(2, 2)
"""


def drawn(code: str = DRAWS, **variables: str) -> list[list[float]]:
    """Largest and mean relative change of draws when starts are perturbed, in another process."""
    path = os.pathsep.join(map(str, (TOOLS, TOOLS.parent, TOOLS.parent / "book")))
    environment = {**os.environ, "PYTHONPATH": path, **variables}
    told = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    return [[float(word) for word in line.split()] for line in told.stdout.splitlines()]


def test_starts_are_perturbed_by_a_millionth_if_they_are_to_be():
    for largest, mean in drawn(**{PERTURBED: "1"}):
        assert 5e-7 < mean < 1.2e-6
        assert largest < 1e-5
    assert all(change == [0, 0] for change in drawn())


SAME = """
import torch
from processors import perturb_starts
perturb_starts()
def start(std, seed=0):
    g = torch.Generator().manual_seed(seed)
    return std * torch.randn(50, 60, generator=g), torch.empty(30, 40).normal_(0, std, generator=g)
one, again, smaller, other = start(1.0), start(1.0), start(0.3), start(1.0, seed=1)
for a, b, c in zip(one, again, smaller):
    print(float((a - b).abs().max()), float((c / 0.3 / a - 1).abs().max()))
print(float((one[0] - other[0]).abs().max() < 1e-3), 0)
"""


def test_a_start_that_is_drawn_twice_or_in_another_gauge_is_perturbed_alike():
    (same, scaled), (same_too, scaled_too), (other, _) = drawn(SAME, **{PERTURBED: "1"})
    assert same == same_too == other == 0
    assert max(scaled, scaled_too) < 3e-7


@pytest.mark.parametrize(
    ("own", "left_out"),
    [("AVX512", set()), ("AVX2", {"AVX2"}), ("DEFAULT", {"AVX2", "no AVX"})],
)
def test_a_processor_takes_every_way_but_those_that_it_goes_anyway(monkeypatch, own, left_out):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: own)
    assert set(ways()) == set(OF_CHAPTERS) - left_out


def test_at_least_three_ways_and_a_perturbed_start():
    assert len([way for way in OF_CHAPTERS if "perturbed" not in way]) >= 3
    assert any("perturbed" in way for way in OF_CHAPTERS)
    assert len({tuple(settings.items()) for settings in WAYS.values()}) == len(WAYS)


def test_commits_take_turns_through_every_chapter_in_every_way():
    names, paths = ["a", "b", "c"], [Path(f"{i}.md") for i in range(17)]
    seen = Counter()
    for number in range(len(names) * PARTS):
        way, some = chosen_by(10_000 + number, names, paths)
        assert len(some) <= 5
        seen.update((way, path) for path in some)
    assert seen == Counter(product(names, paths))


PAGE = """\
---
jupytext:
  text_representation: {extension: .md, format_name: myst}
kernelspec: {display_name: Python 3, language: python, name: python3}
---

# A page

## A claim

```{code-cell} ipython3
import os
assert os.environ.get("MKL_CBWR") != "COMPATIBLE", "too close to call"
```
"""


def test_a_claim_that_only_one_way_breaks_is_named_with_its_way(tmp_path, monkeypatch, capsys):
    for name in {name for way in WAYS.values() for name in way}:  # the caller may play one as well
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "_config.yml").write_text("title: Small\n")
    (tmp_path / "chapters").mkdir()
    path = tmp_path / "chapters" / "01-page.md"
    path.write_text(PAGE)
    monkeypatch.setattr(check_machines, "ROOT", tmp_path)
    monkeypatch.setattr(check_machines, "KEPT", tmp_path / "kept")
    page = read_page(path, tmp_path, Settings.of(tmp_path))
    monkeypatch.setattr(check_machines, "differences", lambda outcomes: [])  # it has no notebook
    (failure,) = check("MKL compatible", WAYS["MKL compatible"], [page], tmp_path)
    assert "“A page”, section “A claim”, cell 1" in failure
    assert "too close to call" in failure
    assert check("no AVX", WAYS["no AVX"], [page], tmp_path) == []


def test_kernels_of_a_profile_perturb_their_starts(tmp_path):
    startup = tmp_path / "profile_default" / "startup" / "perturb.py"
    startup.parent.mkdir(parents=True)
    startup.write_text(STARTUP.format(tools=str(TOOLS)))
    shown = "import torch; print(torch.randn.__module__)"
    told = subprocess.run(
        [sys.executable, "-m", "IPython", "-c", shown],
        env={**os.environ, "IPYTHONDIR": str(tmp_path), PERTURBED: "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "perturbed" in told.stdout


def test_the_whole_runs_when_asked_for_and_a_part_of_it_in_ci(monkeypatch):
    monkeypatch.delenv("CI", raising=False)
    assert "machines" not in [stage.name for stage in run_checks.chosen([])]
    monkeypatch.setenv("CI", "true")
    assert [stage for stage in run_checks.chosen([]) if stage not in run_checks.STAGES] == [
        run_checks.ROWS,
        run_checks.PART,
    ]
    assert run_checks.chosen(["machines"]) == [run_checks.WHOLE]
