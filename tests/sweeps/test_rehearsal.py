"""Every kind of run is tried on a tiny model, whatever shares its keys."""

import tomllib

import pytest
from sweep_file import FILE

from specmup.sweeps.configuration import sweep_from
from specmup.sweeps.rehearsal import rehearse


@pytest.mark.parametrize("model", [{}, {"kind": "llama"}, {"kind": "llama", "group": 2}])
def test_a_sweep_that_can_be_run_passes(model):
    told = tomllib.loads(FILE)
    rehearse(sweep_from({**told, "model": {**told["model"], **model}}))


def test_what_would_fail_in_every_run_is_named():
    told = tomllib.loads(FILE)
    told["optimizers"]["adamw"] = {"betas": [2.0, 0.95]}
    with pytest.raises(ValueError, match=r"optimizers, adamw, betas is \[2.0, 0.95\]"):
        rehearse(sweep_from(told))
