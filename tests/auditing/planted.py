"""Training code under a plan of ours, with one fault planted where a test asks for it."""

from specmup.models.gpt import GPT, GPTShape
from specmup.optimizers.registry import make_optimizer
from specmup.parametrization.plan import make_plan
from specmup.theory.order import Order
from specmup.theory.tables import ROLES

WIDTHS, DEPTHS = (16, 32, 64), (1, 2, 4)
BASE = WIDTHS[0], DEPTHS[0]
# Biases start at zero, as nearly everybody's do.
STDS = {role: 0.02 for role in ("input", "hidden", "output")}


def gpt(width: int, depth: int, **options) -> GPT:
    return GPT(GPTShape(32, 8, width, depth, head_dimension=8, **options))


def planned(
    optimizer="adamw",
    *,
    gauge="forward",
    block_depth=2,
    fault: tuple[str, str, Order] | None = None,
    **options,
):
    """A function from (width, depth) to a model and its optimizer.

    Args:
        optimizer: Name of its law.
        gauge: Of the plan.
        block_depth: Of the rule; the network has two maps in a branch.
        fault: A parameter's name with * for the block, or a multiplier's role; the number that is
            wrong; by which power of the sizes.
        options: Of the network.
    """

    def build(width, depth):
        model = gpt(width, depth, **options)
        plan = make_plan(
            model,
            base=lambda: gpt(*BASE, **options),
            optimizer=optimizer,
            learning_rate=0.01,
            std=STDS,
            weight_decay=dict.fromkeys(ROLES, 0.1),
            gauge=gauge,
            block_depth=block_depth,
            verify=False,  # it is what is tried here that looks at the forward pass
        )
        plan.initialise(model, seed=width * depth)
        names = {id(p): plan[name].pattern for name, p in model.named_parameters()}
        groups = [
            {**group, "params": [parameter], "name": names[id(parameter)]}
            for group in plan.groups(model)
            for parameter in group["params"]
        ]
        if fault is not None:
            _plant(model, groups, *fault, width / BASE[0], depth / BASE[1])
        for group in groups:
            del group["name"]
        return model, make_optimizer(optimizer, groups)

    return build


def _plant(model, groups, where, number, order, r_n, r_L):
    factor = order.evaluate(r_n, r_L)
    if number == "multiplier":
        model.multipliers[where] *= factor
        return
    found = [group for group in groups if group["name"] == where]
    assert found, where
    for group in found:
        if number == "start":
            group["params"][0].data.mul_(factor)
        else:
            group[{"learning_rate": "lr", "epsilon": "eps"}.get(number, number)] *= factor
