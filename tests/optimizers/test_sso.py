import pytest
import torch
from torch import nn

from specmup.optimizers.sso import SSO, msign, tangent_sign


def randoms(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def spectral(W):
    return torch.linalg.matrix_norm(W.detach(), 2)


def sphere_problem(shape, seed=0):
    """Directions M and the Θ of random weights, three of each, with ⟨Θ, msign(M)⟩ far from 0."""
    W = randoms(3, *shape, seed=seed)
    u, _, vh = torch.linalg.svd(W, full_matrices=False)
    Theta = u[..., :1] @ vh[..., :1, :]
    return randoms(3, *shape, seed=seed + 1) + shape[0] * Theta, Theta


SHAPES = pytest.mark.parametrize("shape", [(24, 24), (40, 16), (16, 40)])


@SHAPES
def test_msign_is_the_polar_factor(shape):
    U, S, Vh = torch.linalg.svd(randoms(*shape), full_matrices=False)
    M = (U * S.clamp(min=0.5)) @ Vh
    torch.testing.assert_close(msign(M), U @ Vh, rtol=0, atol=0.005)
    assert torch.equal(msign(torch.zeros(shape)), torch.zeros(shape))
    low = U[:, :2] @ Vh[:2]
    torch.testing.assert_close(msign(7 * low), low, rtol=0, atol=0.005)


@SHAPES
def test_the_direction_is_tangent_and_the_steepest_such(shape):
    M, Theta = sphere_problem(shape)
    Phi = tangent_sign(M, Theta, tolerance=1e-6)
    assert (Theta * msign(M)).sum((-2, -1)).min() > 0.5  # without λ it would not be tangent
    assert (Theta * Phi).sum((-2, -1)).abs().max() <= 1e-6
    assert spectral(Phi).max() <= 1.005
    # Duality: ⟨M, Φ⟩ ≤ ‖M + λΘ‖_* for every tangent Φ with ‖Φ‖₂ ≤ 1 and every λ.
    bounds = [torch.linalg.matrix_norm(M + x * Theta, "nuc") for x in torch.linspace(-60, 60, 241)]
    least = torch.stack(bounds).min(0).values
    assert ((M * Phi).sum((-2, -1)) / least).min() > 0.995


def test_a_matrix_does_not_depend_on_its_company():
    M, Theta = sphere_problem((24, 24))
    together = tangent_sign(M, Theta, tolerance=1e-3)
    for i in range(3):
        alone = tangent_sign(M[i : i + 1], Theta[i : i + 1], tolerance=1e-3)
        torch.testing.assert_close(together[i : i + 1], alone, rtol=0, atol=1e-9)


def test_low_rank_and_zero_directions():
    _, Theta = sphere_problem((24, 24))
    M = randoms(3, 24, 1) @ randoms(3, 1, 24, seed=1)
    Phi = tangent_sign(M, Theta, tolerance=1e-3)
    assert (Theta * Phi).sum((-2, -1)).abs().max() <= 1e-3
    assert spectral(Phi) == pytest.approx([1.0] * 3, abs=0.02)
    nothing = torch.zeros_like(M)
    assert torch.equal(tangent_sign(nothing, Theta, tolerance=1e-3), nothing)


def with_gap():
    """A weight whose largest singular value stands apart, so that second order is small."""
    U, S, Vh = torch.linalg.svd(randoms(24, 16), full_matrices=False)
    S[0] = 2 * S[1]
    return nn.Parameter((U * S) @ Vh)


def distance(rate, steps, **options):
    """Largest departure from the sphere after any of the steps, relative to R."""
    w = with_gap()
    radius = options.get("radius") or spectral(w)
    optimizer = SSO([w], lr=rate, tolerance=1e-8, **options)
    worst = 0.0
    for step in range(steps):
        w.grad = randoms(24, 16, seed=100 + step) + w.detach()
        optimizer.step()
        worst = max(worst, abs(float(spectral(w) / radius) - 1))
    return worst


def test_a_step_leaves_the_sphere_to_second_order_only():
    assert distance(0.02, 1) / distance(0.01, 1) == pytest.approx(4, rel=0.2)
    assert distance(0.01, 1) < 2e-3


def test_without_the_tangent_condition_it_leaves_to_first_order(monkeypatch):
    monkeypatch.setattr("specmup.optimizers.sso.tangent_sign", lambda M, Theta, tolerance: msign(M))
    assert distance(0.02, 1) / distance(0.01, 1) == pytest.approx(2, rel=0.2)
    assert distance(0.01, 1) > 2e-3


@pytest.mark.parametrize("radius", [None, 3.0])
def test_retraction_keeps_it_on_the_sphere(radius):
    # Each step departs a little, and every next one begins by going back.
    assert distance(0.02, 60, radius=radius) < 0.02


def test_retraction_is_exact():
    w = with_gap()
    w.grad = torch.zeros_like(w)
    SSO([w], radius=5.0).step()
    assert float(spectral(w)) == pytest.approx(5.0, rel=1e-9)


def test_the_radius_is_the_weight_s_own_when_it_is_first_trained():
    w = nn.Parameter(torch.zeros(24, 16, dtype=torch.float64))
    optimizer = SSO([w], lr=0.1)
    w.data.copy_(with_gap().data)
    start = spectral(w)
    for step in range(3):
        w.grad = randoms(24, 16, seed=100 + step)
        optimizer.step()
    assert float(optimizer.state[w]["radius"]) == pytest.approx(float(start), rel=1e-9)


def test_a_step_has_the_size_of_rate_times_radius():
    w = with_gap()
    before = w.detach().clone()
    w.grad = randoms(24, 16, seed=8)
    SSO([w], lr=0.01).step()
    assert float(spectral(w - before)) == pytest.approx(0.01 * float(spectral(before)), rel=0.01)


def test_a_zero_weight_is_on_no_sphere():
    w = nn.Parameter(torch.zeros(3, 2))
    w.grad = torch.ones(3, 2)
    with pytest.raises(ValueError, match=r"a weight of shape \(3, 2\) is zero.*initialise it"):
        SSO([w]).step()
