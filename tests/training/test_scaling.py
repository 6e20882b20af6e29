"""Numbers for one model: base values times factors."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specmup.theory.rules import ROLES, parametrization
from specmup.training.scaling import Base, Settings, scale

settings = st.builds(
    Settings,
    std=st.floats(1e-3, 1),
    learning_rate=st.floats(1e-4, 1),
    multiplier=st.floats(0.1, 2),
    weight_decay=st.floats(0, 0.1),
    epsilon=st.floats(1e-12, 1e-6),
)
bases = st.builds(
    Base,
    width=st.sampled_from([32, 64]),
    depth=st.sampled_from([2, 4]),
    settings=st.fixed_dictionaries({role: settings for role in ROLES}),
)
names = st.sampled_from(["sp", "k1", "k2"])


@given(bases, names, st.sampled_from(["sgd", "adamw", "muon-kimi"]))
def test_at_the_base_size_nothing_changes(base, name, optimizer):
    rules = parametrization(name, optimizer)
    assert scale(rules, base, width=base.width, depth=base.depth) == base.settings


@given(bases)
def test_adamw_at_four_times_the_width_and_nine_times_the_depth(base):
    carried = scale(
        parametrization("k2", "adamw"), base, width=4 * base.width, depth=9 * base.depth
    )
    hidden, before = carried["hidden"], base.settings["hidden"]
    assert hidden.multiplier == pytest.approx(before.multiplier / 9)
    assert hidden.std == pytest.approx(before.std / 2)
    assert hidden.learning_rate == pytest.approx(before.learning_rate / 4)
    assert hidden.weight_decay == pytest.approx(before.weight_decay * 4)
    assert hidden.epsilon == pytest.approx(before.epsilon / 36)


@given(bases, st.floats(0.01, 10))
def test_one_learning_rate_moves_all_roles(base, rate):
    tuned = base.at_learning_rate(rate)
    for role, values in tuned.settings.items():
        assert values.learning_rate == base.settings[role].learning_rate * rate


def test_bad_sizes_and_roles_are_refused():
    base = Base(64, 4, {"hidden": Settings(std=0.1, learning_rate=1.0)})
    with pytest.raises(ValueError, match="width 0 and depth 4"):
        scale(parametrization("k2", "adamw"), base, width=0, depth=4)
    with pytest.raises(ValueError, match="unknown role 'embed'"):
        Base(64, 4, {"embed": Settings(std=0.1, learning_rate=1.0)})
