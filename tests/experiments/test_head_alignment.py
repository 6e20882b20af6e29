"""Chapter 16's cosines of queries and keys: what is measured, and over which pairs."""

import pytest
import torch

from experiments import head_alignment
from experiments.head_alignment import (
    TERMS,
    cosine_and_size,
    queries_and_keys,
    terms,
    train_and_take_apart,
)
from experiments.instruments import gpt_steps
from experiments.small_gpt import shape
from specmup.models.gpt import GPT
from specmup.probes.followed import followed


def tokens(seed=0):
    return torch.randint(1024, (2, 16), generator=torch.Generator().manual_seed(seed))


def vectors(*size, seed=0):
    return torch.randn(*size, generator=torch.Generator().manual_seed(seed)).double()


def test_queries_and_keys_make_the_logits_that_attention_uses():
    model = GPT(shape(32, 3))
    with torch.no_grad():
        q, k = queries_and_keys(model, tokens())
        expected = followed(model, tokens())["attention"]
    torch.testing.assert_close(q @ k.mT * q.shape[-1] ** -0.5, expected)


def test_the_terms_add_up():
    q0, k0, dq, dk = vectors(4, 2, 3, 5, 8)
    whole = (q0 + dq) @ (k0 + dk).mT
    torch.testing.assert_close(q0 @ k0.mT + dq @ k0.mT + q0 @ dk.mT + dq @ dk.mT, whole)
    rows = {row["term"]: row for row in terms((q0, k0), (q0 + dq, k0 + dk), step=1)}
    assert list(rows) == list(TERMS)
    for name, pair in {
        "start": (q0, k0),
        "query moved": (dq, k0),
        "key moved": (q0, dk),
        "both moved": (dq, dk),
        "all": (q0 + dq, k0 + dk),
    }.items():
        cosine, size = cosine_and_size(*pair)
        assert rows[name]["cosine"] == pytest.approx(cosine)
        assert rows[name]["size"] == pytest.approx(size / 8)  # logits are scaled by 1/d


def test_cosines_of_equal_orthogonal_and_independent_vectors():
    one = vectors(1, 1, 1, 16).expand(2, 3, 7, 16)
    assert cosine_and_size(one, one)[0] == pytest.approx(1)
    left, right = torch.zeros(2, 1, 1, 5, 4)
    left[..., 0], right[..., 1] = 1, 1
    assert cosine_and_size(left, right)[0] == 0
    independent, _ = cosine_and_size(vectors(4, 4, 40, 64), vectors(4, 4, 40, 64, seed=1))
    assert independent == pytest.approx(1 / 8, rel=0.05)


def test_pairs_that_the_mask_hides_do_not_count():
    q, k = vectors(2, 1, 1, 3, 4)
    kept = [(q[0, 0, t] @ k[0, 0, s]).square() for t in range(3) for s in range(t + 1)]
    _, size = cosine_and_size(q, k)
    assert size == pytest.approx(float(torch.stack(kept).mean().sqrt()))


def test_rows_of_a_run(monkeypatch):
    monkeypatch.setattr(gpt_steps, "STEPS", 1)
    monkeypatch.setattr(head_alignment, "WIDTH", 64)
    frame = train_and_take_apart(optimizer="adamw", head_dimension=32, seed=0)
    assert set(frame[frame.step == 0].term) == {"start", "all"}
    assert set(frame[frame.step == 1].term) == set(TERMS)
    assert frame.cosine.between(0, 1).all()
    start = frame[frame.term == "start"].cosine
    assert start.nunique() == 1
