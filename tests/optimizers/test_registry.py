import copy
import io
import math
import pickle

import pytest
import torch
from torch import nn

from specmup.norms import rms_operator_norm
from specmup.optimizers.registry import ADAPTERS, idle_steps, make_optimizer
from specmup.theory.layer import Layer
from specmup.theory.order import Number
from specmup.theory.update import LAWS, shampoo, soap

RATE = 0.01
EVERY = pytest.mark.parametrize("name", LAWS)
WITH_EPSILON = [name for name, law in LAWS.items() if law.epsilon is not None]
MATRICES = [name for name, law in LAWS.items() if law.matrices_only]
TINY = 1e-14  # an ε that can be neglected


def group(name, weights, **more):
    numbers = {"params": weights, "lr": RATE, "weight_decay": 0.0}
    return numbers | ({"eps": TINY} if name in WITH_EPSILON else {}) | more


def weight(rows=24, columns=16, seed=0, std=0.5):
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randn(rows, columns, generator=generator, dtype=torch.float64)
    return nn.Parameter(drawn * std)


def gradients(weights, count, seed=0):
    """Some steps' gradients: one common direction, and noise of full rank."""
    generator = torch.Generator().manual_seed(seed)

    def drawn():
        return [torch.randn(w.shape, generator=generator, dtype=w.dtype) for w in weights]

    drift = drawn()
    return [[d + e for d, e in zip(drift, drawn(), strict=True)] for _ in range(count)]


def take_step(optimizer, weights, grads, **more):
    for w, g in zip(weights, grads, strict=True):
        w.grad = g.clone()
    if hasattr(optimizer, "curvature_period"):
        more |= {"curvature": {w: g.square() for w, g in zip(weights, grads, strict=True)}}
    optimizer.step(**more)


def step_size(name, layer, options=None, **numbers):
    """‖ΔW‖_R/η of the first step that moves, on a gradient of rank one as the layer says."""
    rows, columns = int(layer.fan_out.value), int(layer.fan_in.value)
    w = weight(rows, columns, std=layer.init_std.value)
    if name == "sso":  # starts on the sphere of the law's radius, which is then the weight's own
        w.data *= math.sqrt(rows / columns) / torch.linalg.matrix_norm(w.data, 2)
    signs = torch.Generator().manual_seed(1)
    u, v = (torch.randint(2, (k, 1), generator=signs).double() * 2 - 1 for k in (rows, columns))
    gradient = layer.gradient.entry.value * u @ v.mT
    optimizer = make_optimizer(name, [group(name, [w], **numbers)], **options or {})
    for _ in range(idle_steps(name)):
        take_step(optimizer, [w], [gradient])
    before = w.detach().clone()
    take_step(optimizer, [w], [gradient])
    return float(rms_operator_norm(w.detach() - before, tol=1e-4)) / RATE


SHAPES = {
    "square": [(n, n) for n in (32, 64, 128, 256)],
    "tall": [(4 * n, n) for n in (32, 64)],
    "wide": [(n, 4 * n) for n in (32, 64)],
    "only the outputs grow": [(n, 32) for n in (64, 256)],
    "only the inputs grow": [(32, n) for n in (64, 256)],
}


def against_law(name, law, shapes, options=None, **numbers):
    """Measured size of a step over that of the law, shape by shape, relative to the first."""
    quotients = []
    for rows, columns in shapes:
        width = Number(max(rows, columns))
        # How sensitive the loss is, and how large the weight, may depend on the width in any way.
        sensitivity = Number(1e-2) * width ** "-1/2"
        layer = Layer(Number(rows), Number(columns), sensitivity, Number(8.0) * width ** "1/4")
        measured = step_size(name, layer, options, **numbers)
        quotients.append(measured / law.step(layer).rms_operator.value)
    return [q / quotients[0] for q in quotients]


@EVERY
def test_a_step_is_as_large_as_the_law_says(name):
    # All shapes in one list: with one constant for all of them, the law has every exponent right.
    shapes = [shape for family in SHAPES.values() for shape in family]
    assert against_law(name, LAWS[name], shapes) == pytest.approx([1] * len(shapes), rel=0.05)


@pytest.mark.parametrize(("name", "other"), [("muon", "muon-original"), ("lamb", "lamb-clamped")])
def test_the_comparison_tells_laws_apart(name, other):
    with pytest.raises(AssertionError):
        assert against_law(name, LAWS[other], [(32, 32), (128, 32)]) == pytest.approx([1] * 2, 0.2)


BLOCK = Number(16.0)


@pytest.mark.parametrize(
    ("name", "law", "options", "shapes"),
    [
        ("shampoo", shampoo("1/2", "1/2"), {"root": 2}, SHAPES["tall"]),
        ("shampoo", shampoo("1/2", 0), {"root": 2, "side": "left"}, SHAPES["wide"]),
        ("shampoo", shampoo(0, "1/4"), {"root": 4, "side": "right"}, SHAPES["square"]),
        ("shampoo", shampoo(block=BLOCK), {"block_size": 16}, SHAPES["square"]),
        ("shampoo", shampoo("1/2", 0, block=BLOCK), {"root": 2, "side": "left", "block_size": 16},
         SHAPES["tall"]),
        ("shampoo", shampoo(), {"betas": (0.9, 0.95)}, SHAPES["square"]),
        ("soap", soap(left=False), {"max_precondition_dim": 64}, [(128, 32), (256, 64)]),
        ("soap", soap(right=False), {"max_precondition_dim": 64}, [(32, 128), (32, 512)]),
    ],
)  # fmt: skip
def test_exponents_and_blocks_are_options(name, law, options, shapes):
    assert against_law(name, law, shapes, options) == pytest.approx([1] * len(shapes), rel=0.05)


@EVERY
def test_no_factor_but_kimi_s_constant_and_orthogonalisation_s(name):
    """The constant itself: 1, but for what a law leaves open."""
    layer = Layer(Number(64.0), Number(64.0), Number(1e-3), Number(8.0))
    options = {"muon-kimi": {"momentum": 0.0}, "shampoo": {"betas": (0.0, 1.0)}}.get(name, {})
    ratio = step_size(name, layer, options) / LAWS[name].step(layer).rms_operator.value
    newton_schulz = 0.70  # what torch's five steps make of a singular value of one
    constants = {
        "adopt": 0.1,  # an average of normalised gradients that starts at zero
        "lamb-clamped": 10.0,
        "muon": newton_schulz,
        "muon-original": newton_schulz,
        "muon-kimi": 0.2 * newton_schulz,
        "sso": 1.0,
    }
    assert ratio == pytest.approx(constants.get(name, 1.0), rel=0.03)


@EVERY
def test_idle_steps_are_those_that_move_nothing(name):
    w = weight()
    optimizer = make_optimizer(name, [group(name, [w])])
    moved = []
    for grads in gradients([w], 3):
        before = w.detach().clone()
        take_step(optimizer, [w], grads)
        moved.append(not torch.equal(before, w))
    assert moved == [False] * idle_steps(name) + [True] * (3 - idle_steps(name))


def trained(name, steps, seed=0, **more):
    """Two weights and their optimizer after some steps."""
    weights = [weight(seed=1), weight(16, 16, seed=2)]
    optimizer = make_optimizer(name, [group(name, [w], **more) for w in weights])
    for grads in gradients(weights, steps, seed):
        take_step(optimizer, weights, grads)
    return weights, optimizer


@pytest.mark.parametrize("name", [name for name in LAWS if name != "sgd"])
def test_the_decay_of_a_step_is_the_rate_times_the_decay_times_the_weight(name):
    weights, optimizer = trained(name, 3)
    other_weights, other = copy.deepcopy((weights, optimizer))
    before = [w.detach().clone() for w in weights]
    decay = 0.01
    for g in other.param_groups:
        g["weight_decay"] = decay
    (grads,) = gradients(weights, 1, seed=5)
    take_step(optimizer, weights, grads)
    take_step(other, other_weights, grads)
    for w, decayed, start in zip(weights, other_weights, before, strict=True):
        # LAMB's step is in proportion to the weight, SSO retracts it, and SOAP decays after its
        # step: each differs by η of the decay.
        torch.testing.assert_close(w - decayed, RATE * decay * start, rtol=0.1, atol=2e-6)


@EVERY
def test_decay_alone_shrinks_the_weight(name):
    w = weight()
    optimizer = make_optimizer(name, [group(name, [w], weight_decay=0.5)])
    for _ in range(idle_steps(name)):
        take_step(optimizer, [w], [torch.zeros_like(w)])
    before = w.detach().clone()
    take_step(optimizer, [w], [torch.zeros_like(w)])
    torch.testing.assert_close(w.detach(), before * (1 - RATE * 0.5), rtol=1e-12, atol=0)


def test_sgd_s_decay_goes_through_the_momentum():
    w = weight()
    start = w.detach().clone()
    optimizer = make_optimizer("sgd", [group("sgd", [w], weight_decay=0.5)], momentum=0.9)
    for _ in range(2):
        take_step(optimizer, [w], [torch.zeros_like(w)])
    once = 1 - RATE * 0.5
    torch.testing.assert_close(w.detach(), start * (once**2 - 0.9 * RATE * 0.5), rtol=1e-9, atol=0)


@pytest.mark.parametrize("name", WITH_EPSILON)
def test_epsilon_is_each_group_s_own(name):
    twins = [weight(), weight()]
    groups = [group(name, [w], eps=eps) for w, eps in zip(twins, (TINY, 1.0), strict=True)]
    optimizer = make_optimizer(name, groups)
    assert [g["eps"] for g in optimizer.param_groups] == [TINY, 1.0]
    for grads in gradients(twins[:1], 2 + idle_steps(name)):
        take_step(optimizer, twins, grads * 2)
    assert float((twins[0] - twins[1]).detach().norm()) > 0.01 * RATE


@pytest.mark.parametrize("name", WITH_EPSILON)
def test_epsilon_stands_where_the_law_says(name):
    """Where ε is all that counts, it matters relative to the law's size."""
    steps = {}
    for scale in (1.0, 1e-3):
        layer = Layer(Number(64.0), Number(64.0), Number(1e-3 * scale), Number(8.0))
        eps = 3 * LAWS[name].epsilon(layer).value
        steps[scale] = step_size(name, layer, eps=eps) / LAWS[name].step(layer).rms_operator.value
    assert steps[1.0] == pytest.approx(steps[1e-3], rel=0.02)


@EVERY
def test_gradients_are_left_as_they_are(name):
    weights = [weight()]
    optimizer = make_optimizer(name, [group(name, weights, weight_decay=0.1)])
    for grads in gradients(weights, 3):
        take_step(optimizer, weights, grads)
        assert torch.equal(weights[0].grad, grads[0])


@EVERY
def test_a_saved_and_loaded_optimizer_goes_on_exactly(name):
    weights, optimizer = trained(name, 3, weight_decay=0.1)
    file = io.BytesIO()
    torch.save(optimizer.state_dict(), file)
    file.seek(0)
    others = [nn.Parameter(w.detach().clone()) for w in weights]
    other = make_optimizer(name, [group(name, [w], lr=1.0) for w in others])
    other.load_state_dict(torch.load(file, weights_only=True))
    for grads in gradients(weights, 3, seed=7):
        take_step(optimizer, weights, grads)
        take_step(other, others, grads)
    for w, o in zip(weights, others, strict=True):
        assert torch.equal(w, o)


@EVERY
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))])
def test_a_copy_goes_on_exactly_and_alone(name, copied):
    weights, optimizer = trained(name, 3, weight_decay=0.1)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)  # hangs itself on the step
    others, other = copied((weights, optimizer))
    for grads in gradients(weights, 2, seed=7):
        take_step(other, others, grads)
    assert not torch.equal(weights[0], others[0])
    for grads in gradients(weights, 2, seed=7):
        take_step(optimizer, weights, grads)
    for w, o in zip(weights, others, strict=True):
        assert torch.equal(w, o)
    scheduler.step()
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.9 * RATE)
    assert other.param_groups[0]["lr"] == RATE


@EVERY
def test_a_broken_gradient_breaks_its_weight_only(name):
    weights, optimizer = trained(name, 2)
    others, other = copy.deepcopy((weights, optimizer))
    for grads in gradients(weights, 3, seed=7):
        take_step(other, others, grads)
        take_step(optimizer, weights, [torch.full_like(grads[0], torch.nan), grads[1]])
    if name not in ("lion", "sophia"):  # the sign of NaN is 0 to torch, and stays in the average
        assert not weights[0].isfinite().any()
    torch.testing.assert_close(weights[1], others[1])


@EVERY
def test_a_closure_is_called_once_with_gradients(name):
    w = weight()
    optimizer = make_optimizer(name, [group(name, [w])])
    calls = []

    def closure():
        optimizer.zero_grad()
        loss = w.square().sum()
        loss.backward()
        calls.append(float(loss.detach()))
        return loss

    losses = [float(optimizer.step(closure).detach()) for _ in range(1 + idle_steps(name) * 2)]
    assert losses == calls
    assert float(w.detach().square().sum()) < calls[0]


def test_adapters_are_the_laws():
    assert list(ADAPTERS) == list(LAWS)
    assert [name for name in LAWS if idle_steps(name)] == ["adopt", "soap"]


@pytest.mark.parametrize("name", ["muon", "sgd", "lion", "sso"])
def test_an_epsilon_where_there_is_none_is_refused(name):
    with pytest.raises(ValueError, match=r"has no ε, but eps is 1e-08: leave eps out"):
        make_optimizer(name, [group(name, [weight()], eps=1e-8)])
    with pytest.raises(ValueError, match="has no ε"):
        make_optimizer(name, [group(name, [weight()])], eps=1e-8)


@pytest.mark.parametrize("name", MATRICES)
def test_vectors_need_a_companion(name):
    vector = nn.Parameter(torch.zeros(3))
    with pytest.raises(ValueError, match=r"not a parameter of shape \(3,\).*AdamW"):
        make_optimizer(name, [group(name, [vector])])


@pytest.mark.parametrize(
    ("name", "change", "options", "message"),
    [
        ("adam", {}, {}, "unknown optimizer 'adam'"),
        ("adopt", {}, {"weight_decouple": False}, "adopt with weight_decouple=False.*η·λ·W"),
        ("lamb", {"weight_decouple": False}, {}, "lamb with weight_decouple=False"),
        ("lion", {}, {"fixed_decay": True}, "lion with fixed_decay=True"),
        ("shampoo", {}, {"decoupled_weight_decay": False}, "decoupled_weight_decay=False"),
        ("muon", {}, {"adjust_lr_fn": "original"}, "would not be muon"),
        ("lion", {}, {"beta": (0.9, 0.9)}, "lion has no option 'beta': choose among betas"),
        ("shampoo", {}, {"side": "top"}, "unknown side 'top'"),
        ("shampoo", {}, {"root": 0.25}, "root is 0.25"),
        ("shampoo", {}, {"betas": (0.9, 0.0)}, r"the second must be in \(0, 1\]"),
        ("sso", {}, {"momentum": 1.0}, "momentum is 1.0"),
        ("sgd", {"lr": -1.0}, {}, "lr is -1.0"),
        ("adamw", {"eps": math.inf}, {}, "eps is inf"),
        ("adamw", {"companion": True}, {}, "adamw trains every parameter"),
        ("adamw", {}, {"companion": {"betas": (0.9, 0.9)}}, "adamw trains every parameter"),
    ],
)  # fmt: skip
def test_bad_arguments_are_refused(name, change, options, message):
    with pytest.raises(ValueError, match=message):
        make_optimizer(name, [group(name, [weight()]) | change], **options)


def test_groups_must_be_whole():
    with pytest.raises(ValueError, match="no parameter groups for sgd"):
        make_optimizer("sgd", [])
    with pytest.raises(ValueError, match="keys weight_decay, params: give params and lr"):
        make_optimizer("sgd", [{"params": [weight()]}])
    says = r"adamw is given a {} as a group of parameters: give \[\{{'params': …, 'lr': …"
    for given, kind in (
        (nn.Linear(2, 2).parameters(), "Parameter"),  # as torch's own take them
        (nn.Linear(2, 2), "Linear"),
        ([[weight()]], "list"),
    ):
        with pytest.raises(ValueError, match=says.format(kind)):
            make_optimizer("adamw", given, lr=0.1)


def test_the_given_groups_are_not_changed_and_decay_is_zero_unless_given():
    given = {"params": [weight()], "lr": 0.1}
    optimizer = make_optimizer("adamw", [given])
    assert set(given) == {"params", "lr"}
    assert optimizer.param_groups[0]["weight_decay"] == 0.0


def test_decoupled_decay_may_be_asked_for():
    made = make_optimizer("adopt", [group("adopt", [weight()])], weight_decouple=True)
    assert made.param_groups[0]["weight_decouple"] is True


@pytest.mark.parametrize("name", ["adamw", "sgd", "muon"])
def test_another_implementation_may_be_asked_for(name):
    """The fused one is a default that nobody set."""
    layer = torch.nn.Linear(4, 4)
    groups = [{"params": [layer.bias], "lr": 0.1}]
    told = {"companion": {"foreach": True}} if name == "muon" else {"foreach": True}
    if name == "muon":
        groups = [{"params": [layer.weight], "lr": 0.1}, groups[0] | {"companion": True}]
    made = make_optimizer(name, groups, **told)
    assert made.param_groups[-1]["foreach"] and not made.param_groups[-1]["fused"]


@EVERY
def test_the_adapter_states_the_epsilon_of_the_library_where_the_law_has_one(name):
    made = make_optimizer(name, [{"params": [nn.Parameter(torch.ones(2, 2))], "lr": RATE}])
    stated = ADAPTERS[name].epsilon
    assert (stated is not None) == (name in WITH_EPSILON)
    assert stated is None or made.param_groups[0]["eps"] == stated
