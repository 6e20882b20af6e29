from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_digits

from specmup.data.images import batch_order, digit_sums, digits, task
from specmup.streams import stream


def test_digits_are_all_there_once():
    data = digits()
    images, labels = load_digits(return_X_y=True)
    as_read = task("", torch.from_numpy(images).float(), torch.from_numpy(labels), test=360)
    for part in ("train", "test"):
        assert all(map(torch.equal, data.part(part), as_read.part(part)))
    assert (data.train_x.shape, data.test_x.shape) == ((1437, 64), (360, 64))
    assert (data.classes, data.inputs, data.name) == (10, 64, "digits")
    # Each image keeps its direction, so equal images stay equal and others differ.
    together = torch.cat([data.train_x, data.test_x])
    assert len(together.unique(dim=0)) == len(together)
    assert torch.cat([data.train_y, data.test_y]).bincount().min() > 170


def test_digits_have_rms_one_and_a_mean_near_zero():
    data = digits()
    for x in (data.train_x, data.test_x):
        torch.testing.assert_close(x.square().mean(1), torch.ones(len(x)))
        assert x.mean(0).abs().max() < 0.3


def test_the_split_is_the_seed_s():
    again, other = digits(seed=0), digits(seed=1)
    assert torch.equal(digits().test_x, again.test_x)
    assert not torch.equal(digits().test_x, other.test_x)


def test_sums_hold_two_known_digits_each_and_neither_alone_tells_the_class():
    sums, images = digit_sums(train=3000, test=400), digits()
    assert (sums.inputs, sums.classes) == (128, 10)
    for part in ("train", "test"):
        (x, y), (own_x, own_y) = sums.part(part), images.part(part)
        where = [(h.unsqueeze(1) == own_x).all(-1).int().argmax(1) for h in x.split(64, dim=1)]
        for h, i in zip(x.split(64, dim=1), where, strict=True):
            torch.testing.assert_close(h, own_x[i])
        assert torch.equal((own_y[where[0]] + own_y[where[1]]) % 10, y)
    counts = torch.zeros(10, 10).index_put((own_y[where[0]], y), torch.ones(400), accumulate=True)
    assert counts.sum(1).min() > 20 and (counts > 0).float().mean() > 0.9
    with pytest.raises(ValueError, match="0 training and 5 test pairs"):
        digit_sums(train=0, test=5)


def test_test_samples_have_no_part_in_the_preparation():
    x, y = torch.randn(20, 3), torch.arange(20) % 2
    before = task("toy", x, y, test=5)
    held = torch.randperm(20, generator=stream("split", 0))[:5]
    x[held] = 100 * torch.randn(5, 3)
    assert torch.equal(task("toy", x, y, test=5).train_x, before.train_x)


@given(
    samples=st.integers(1, 30), steps=st.integers(0, 20), seed=st.integers(0, 99), data=st.data()
)
def test_batches_are_whole_passes(samples, steps, seed, data):
    batch = data.draw(st.integers(1, samples))
    order = batch_order(samples, batch, steps, seed)
    assert order.shape == (steps, batch)
    counts = order.flatten().bincount(minlength=samples)
    assert counts.max() - counts.min() <= 1  # every sample once before any twice
    assert torch.equal(batch_order(samples, batch, steps + 3, seed)[:steps], order)


def test_other_seeds_have_other_batches():
    assert not torch.equal(batch_order(100, 10, 5, seed=0), batch_order(100, 10, 5, seed=1))


@pytest.mark.parametrize("batch", [0, 11])
def test_an_impossible_batch_is_refused(batch):
    with pytest.raises(ValueError, match=rf"batch size {batch} of 10 samples: choose 1 to 10"):
        batch_order(10, batch, 1, seed=0)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_value_that_is_not_finite_is_refused(value):
    x = torch.randn(10, 3)
    x[4, 1] = value
    with pytest.raises(ValueError, match="toy: sample 4 holds a value that is not finite"):
        task("toy", x, torch.arange(10) % 2, test=2)


@pytest.mark.parametrize(
    ("x", "y"),
    [
        (torch.ones(10), torch.zeros(10, dtype=torch.long)),
        (torch.ones(10, 3), torch.zeros(9, dtype=torch.long)),
        (torch.ones(0, 3), torch.zeros(0, dtype=torch.long)),
    ],
)
def test_wrong_shapes_are_refused(x, y):
    with pytest.raises(ValueError, match=r"toy: samples .* and labels .*expected \(N, d\)"):
        task("toy", x, y, test=2)


def test_an_impossible_split_is_refused():
    with pytest.raises(ValueError, match="digits: cannot hold out 1797 of 1797 samples"):
        digits(test=1797)


def test_labels_out_of_range_are_refused():
    with pytest.raises(ValueError, match="labels must be integers from 0 to 4"):
        replace(digits(), classes=5)
    with pytest.raises(ValueError, match="labels must be integers"):
        replace(digits(), train_y=digits().train_y.float())


def test_parts_of_unequal_dimension_are_refused():
    data = digits()
    with pytest.raises(ValueError, match="test samples have 63 inputs, training samples 64"):
        replace(data, test_x=data.test_x[:, 1:])


def test_a_sample_without_direction_is_refused():
    with pytest.raises(ValueError, match="equals the mean sample"):
        task("toy", torch.ones(10, 3), torch.arange(10) % 2, test=2)
