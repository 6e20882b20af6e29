"""Muon on many matrices at once, against the library's, one after the other."""

import math

import pytest
import torch

from specmup.optimizers import muon

SHAPES = [(12, 12), (12, 20), (20, 12), (12, 12), (12, 20), (1, 5)]


def matrices(dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    return [torch.nn.Parameter(torch.randn(s, generator=generator, dtype=dtype)) for s in SHAPES]


def give_gradients(step, *sets):
    generator = torch.Generator().manual_seed(step + 1)
    for i, shape in enumerate(SHAPES):
        gradient = torch.randn(shape, generator=generator, dtype=torch.float64)
        for each in sets:
            each[i].grad = gradient.clone()


@pytest.mark.parametrize("options", [{}, {"nesterov": False, "momentum": 0.7}, {"ns_steps": 3}])
@pytest.mark.parametrize("factor", ["original", "match_rms_adamw"])
def test_it_moves_matrices_as_the_library_does(monkeypatch, factor, options):
    monkeypatch.setattr(muon, "STACKED", 300)  # parts of one and of two matrices
    ours, theirs = matrices(), matrices()
    options = {"lr": 0.1, "weight_decay": 0.3, "adjust_lr_fn": factor} | options
    mine, library = muon.Muon(ours, **options), torch.optim.Muon(theirs, **options)
    for step in range(4):
        give_gradients(step, ours, theirs)
        before = [p.detach().clone() for p in theirs]
        mine.step()
        library.step()
        for a, b, start in zip(ours, theirs, before, strict=True):
            assert (a - b).norm() <= 0.02 * (b - start).norm()  # bfloat16 has three digits
        for a, b in zip(ours, theirs, strict=True):
            a.data.copy_(b.data)
    for a, b in zip(ours, theirs, strict=True):
        kept, expected = (o.state[p]["momentum_buffer"] for o, p in ((mine, a), (library, b)))
        assert torch.equal(kept, expected)
    assert mine.state_dict()["param_groups"] == library.state_dict()["param_groups"]


def test_without_a_factor_the_step_has_the_size_of_an_orthogonal_matrix():
    ours = matrices()
    optimizer = muon.UnscaledMuon(ours, lr=1.0, weight_decay=0.0, momentum=0.0, nesterov=False)
    give_gradients(0, ours)
    before = [p.detach().clone() for p in ours]
    optimizer.step()
    for p, start in zip(ours, before, strict=True):
        values = torch.linalg.svdvals(p.detach() - start)
        assert 0.5 < values.min() <= values.max() < 1.5


@pytest.mark.parametrize("kind", [muon.Muon, muon.UnscaledMuon])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"momentum": 1.0}, r"momentum is 1.0: it must be in \[0, 1\)"),
        ({"momentum": 1.5}, "momentum is 1.5"),
        ({"ns_steps": 0}, "ns_steps is 0: it must be one of 1 to 99"),
        ({"ns_steps": -1}, "ns_steps is -1"),
        ({"ns_steps": 100}, "ns_steps is 100"),
        ({"ns_steps": 2.5}, "ns_steps is 2.5"),
    ],
)
def test_what_the_library_never_looks_at_is_refused(kind, options, message):
    with pytest.raises(ValueError, match=message):
        kind(matrices(), lr=0.1, **options)


def test_a_matrix_without_a_gradient_stays_and_one_without_numbers_is_lost_alone():
    ours = matrices()
    give_gradients(0, ours)
    ours[0].grad, still = None, ours[0].detach().clone()
    ours[1].grad[0, 0] = math.nan
    loss = muon.Muon(ours, lr=0.1).step(lambda: torch.tensor(3.0))
    assert loss == 3.0
    assert torch.equal(ours[0], still)
    assert ours[1].isnan().all()
    assert all(p.isfinite().all() for p in ours[2:])


@pytest.mark.parametrize("shape", [(3, 16, 16), (2, 16, 40), (2, 40, 16)])
def test_products_in_float32_are_those_in_bfloat16_but_for_the_last_digit(monkeypatch, shape):
    """Whichever this processor would take."""
    given = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    found = []
    for kind in (torch.float32, torch.bfloat16):
        monkeypatch.setattr(muon, "product_type", lambda device, kind=kind: kind)
        found.append(muon.orthogonalised(given, (3.4445, -4.7750, 2.0315), 1, 1e-7).double())
    digit = torch.finfo(torch.bfloat16).eps * found[1].abs()
    assert ((found[0] - found[1]).abs() <= 1.01 * digit).all()
    assert (found[0] == found[1]).double().mean() > 0.98
