"""Every purpose draws random numbers of its own, and no two seeds are one."""

import ast
from pathlib import Path

import numpy as np
import pytest
import torch

import specmup
from specmup.streams import PURPOSES, SEPARATE, SHARED, VARIABLE, drawn_from, stream, version

PACKAGE = Path(specmup.__file__).parent


def first_numbers(generator: torch.Generator) -> tuple[int, ...]:
    return tuple(torch.randint(2**62, (2,), generator=generator).tolist())


def test_no_two_purposes_and_no_two_seeds_share_numbers():
    drawn = [first_numbers(stream(p, seed)) for p in PURPOSES for seed in range(1000)]
    assert len(set(drawn)) == len(drawn)


def test_no_step_shares_numbers_with_another_or_with_no_step():
    drawn = [
        first_numbers(stream("labels", *key)) for key in ((0,), (0, 0), (0, 1), (1, 0), (1, 1))
    ]
    assert len(set(drawn)) == 5


def test_torch_drops_all_but_the_low_32_bits_of_a_seed():
    """Why offsets do not keep purposes apart; if this fails, torch has changed."""
    low, high = (torch.Generator().manual_seed(5 + offset) for offset in (0, 1 << 33))
    assert first_numbers(low) == first_numbers(high)


def test_a_stream_repeats_itself_and_is_the_same_for_every_kind_of_integer():
    assert first_numbers(stream("weights", 3)) == first_numbers(stream("weights", np.int64(3)))


@pytest.mark.parametrize("seed", [-1, 2**32, 2**63 - 1, 0.5, "0", True, None])
def test_a_seed_that_would_be_another_is_refused(seed):
    with pytest.raises(ValueError, match=r"give an integer from 0 to 4294967295"):
        stream("weights", seed)


def test_an_unknown_purpose_is_an_error():
    with pytest.raises(KeyError, match="biases"):
        stream("biases", 0)


def test_the_numbers_of_purposes_are_their_own_and_stay():
    """Another number means other results under the same name."""
    assert len(set(PURPOSES.values())) == len(PURPOSES)
    assert first_numbers(stream("weights", 0)) == FIRST


FIRST = (656692032850886226, 1253731126039564057)


def test_the_shared_streams_of_old_results_can_be_had_again(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    old = first_numbers(torch.Generator().manual_seed(7))
    with drawn_from(SHARED):
        assert {first_numbers(stream(p, 7)) for p in PURPOSES} == {old}
        at_step = first_numbers(torch.Generator().manual_seed(7 * 1_000_003 + 2))
        assert first_numbers(stream("labels", 7, 2)) == at_step
        with drawn_from(SEPARATE):
            assert first_numbers(stream("weights", 7)) != old
        assert version() == SHARED
    assert version() == SEPARATE
    with (
        pytest.raises(ValueError, match="'other': it may be separate or shared"),
        drawn_from("other"),
    ):
        pass
    assert version() == SEPARATE


def seeded_by_hand(path: Path) -> list[str]:
    """Calls of ``manual_seed`` with anything but a constant."""
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    named = [c for c in calls if getattr(c.func, "attr", "") in ("manual_seed", "default_rng")]
    return [ast.unparse(c) for c in named if not ast.unparse(c.args[0]).isupper()]


def test_nothing_in_the_package_seeds_a_generator_by_itself():
    found = {path.name: seeded_by_hand(path) for path in PACKAGE.rglob("*.py")}
    # The noise that moves starts by a millionth follows from the draw that it moves.
    assert {name for name, calls in found.items() if calls} == {"streams.py", "perturbed.py"}
