"""Training on a GPU: where tensors are, what is copied how, and that losses are a CPU's.

Where there is no GPU, simulated ones compute with a processor's numbers (tests/shared).
"""

import pytest
import torch
from on_gpus import RECIPE, SIMULATED, carried_out

from specmup.runs.pool import Pool
from specmup.theory.update import LAWS

pytestmark = pytest.mark.gpu
# Of losses. Newton–Schulz steps are made in bfloat16, and so small a model is not robust to them.
VARIANTS = {"lamb-clamped", "muon", "muon-original"}
EXACT = {"rtol": 0, "atol": 0} if SIMULATED else {"rtol": 1e-3, "atol": 0}
IN_BFLOAT16 = {"rtol": 1e-3 if SIMULATED else 2e-2, "atol": 0}


@pytest.fixture(scope="module")
def elsewhere():
    """Carries out a function of ``on_gpus`` in a process that ends with these tests."""
    with Pool(carried_out, 1) as pool:

        def call(name, *args, **options):
            pool.submit((name, args, options))
            (back,) = pool.next()
            if back.error is not None:
                raise back.error
            return back.value

        yield call


@pytest.mark.parametrize("optimizer", sorted(LAWS.keys() - VARIANTS))
def test_losses_on_a_gpu_are_those_on_a_cpu(elsewhere, optimizer):
    here, there = elsewhere("on_both", optimizer)
    near = IN_BFLOAT16 if optimizer.startswith("muon") else EXACT
    torch.testing.assert_close(there.losses, here.losses, **near)
    assert list(there.validation) == list(here.validation) == [2, 3]
    assert there.loss == pytest.approx(here.loss, rel=near["rtol"])
    assert there.losses.device.type == "cpu"
    assert here.losses[0] - here.losses[-1] > 0.01  # it has learned, so that steps were compared


def test_another_rate_is_told_from_rounding(elsewhere):
    here, _ = elsewhere("on_both")
    _, there = elsewhere("on_both", rate=2.0**-5)
    assert not torch.allclose(there.losses, here.losses, rtol=EXACT["rtol"], atol=0)


@pytest.mark.parametrize("optimizer", ["adamw", "muon-kimi", "shampoo"])
def test_a_run_on_a_gpu_is_taken_up(elsewhere, optimizer, tmp_path):
    whole, resumed = elsewhere("taken_up", optimizer, tmp_path)
    torch.testing.assert_close(resumed.losses, whole.losses, **EXACT)
    assert resumed.loss == pytest.approx(whole.loss, rel=EXACT["rtol"])


def test_a_run_that_diverges_on_a_gpu_ends(elsewhere):
    _, there = elsewhere("on_both", "sgd", 1e30)
    assert 0 < there.diverged_at < RECIPE.steps
    assert there.losses[there.diverged_at :].isinf().all()


def test_every_window_is_copied_out_of_pinned_memory(elsewhere):
    parts = RECIPE.steps * RECIPE.accumulation
    judged = 2 * -(-RECIPE.validation_windows // (RECIPE.batch_size // RECIPE.accumulation))
    expected = 2 * (parts + judged)  # inputs and next tokens
    assert elsewhere("copied") == (expected, 0)
    assert elsewhere("copied", pinned=False) == (0, expected)


def test_what_is_left_on_the_cpu_is_refused(elsewhere):
    with pytest.raises(RuntimeError, match="Expected all tensors to be on the same device"):
        elsewhere("with_something_left_behind")


def test_what_does_not_fit_says_so_and_leaves_the_gpu_to_the_next(elsewhere):
    with pytest.raises(torch.OutOfMemoryError, match=r"CUDA out of memory\. Tried to allocate"):
        elsewhere("without_room")
    assert elsewhere("copied")[1] == 0
