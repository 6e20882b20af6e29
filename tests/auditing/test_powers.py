"""Exponents out of values: exact ones exact, drawn ones within their error, others told apart."""

from fractions import Fraction

import pytest
import torch

from specmup.auditing.powers import fit_power

SIZES = [16, 32, 64, 128]


@pytest.mark.parametrize("exponent", ["-3/2", "-1", "-1/2", "-1/4", "0", "1/3", "1/2", "1", "2"])
def test_powers_that_code_sets_are_exact(exponent):
    power = fit_power(SIZES, [0.02 * n ** float(Fraction(exponent)) for n in SIZES])
    assert power.exponent == Fraction(exponent) and power.holds and power.resolved


@pytest.mark.parametrize("exponent", ["-1", "-1/2", "0", "1/2"])
@pytest.mark.parametrize("seed", range(5))
def test_powers_of_drawn_starts_are_found_within_their_error(exponent, seed):
    generator = torch.Generator().manual_seed(0)
    for _ in range(seed):
        torch.randn(1000, generator=generator)
    draws = [torch.randn(4 * n, generator=generator) for n in SIZES]
    sizes = [d.square().mean().sqrt().item() for d in draws]
    errors = [(2 * len(d)) ** -0.5 for d in draws]
    scales = [n ** float(Fraction(exponent)) for n in SIZES]
    power = fit_power(SIZES, [a * b for a, b in zip(sizes, scales, strict=True)], errors)
    assert power.exponent == Fraction(exponent) and power.holds


def test_too_few_draws_are_not_resolved():
    assert not fit_power(SIZES, [1.0, 1.2, 0.8, 1.1], [0.3] * 4).resolved


def test_what_is_no_power_does_not_hold():
    assert not fit_power(SIZES, [1 / (16 + n) for n in SIZES]).holds


def test_an_odd_exponent_is_told_in_decimals():
    assert fit_power(SIZES, [n**-0.43 for n in SIZES]).exponent == Fraction("-0.43")


def test_zero_fits_no_power():
    with pytest.raises(ValueError, match="positive"):
        fit_power(SIZES, [1.0, 0.0, 1.0, 1.0])
