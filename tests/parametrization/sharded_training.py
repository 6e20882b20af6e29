"""Train a small planned GPT whole, and again with FSDP2 in two processes, for ``test_survival.py``.

A module of its own, as the processes find by its name what they shall do.
"""

from datetime import timedelta

import torch
import torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.nn import functional as F
from torch.optim.lr_scheduler import LambdaLR

from specmup.models.gpt import GPT, GPTShape
from specmup.parametrization.plan import make_plan

WORLD, BATCH, STEPS = 2, 8, 5
PATIENCE = timedelta(minutes=4)  # with the other process, on a machine that is busy


def gpt(width, depth):
    torch.manual_seed(0)  # a plan takes biases as it finds them in the base
    return GPT(GPTShape(12, 8, width, depth, head_dimension=8, bias=True))


def losses(optimizer_name, rank=None):
    """Mean losses over all samples, step by step, and the schedule's last factor.

    Sharded if a rank is given.
    """
    model = gpt(32, 2)
    values = {"learning_rate": 0.01, "std": 0.1, "weight_decay": 0.1}
    plan = make_plan(model, base=gpt(16, 1), optimizer=optimizer_name, **values)
    share = slice(0, BATCH)
    if rank is not None:
        share = slice(rank * BATCH // WORLD, (rank + 1) * BATCH // WORLD)
        mesh = init_device_mesh("cpu", (WORLD,))
        for block in model.blocks:
            fully_shard(block, mesh=mesh)
        fully_shard(model, mesh=mesh)
    plan.initialise(plan.initialise(model, seed=1))  # drawn, then rescaled: both where it is cut
    optimizer = plan.optimizer(model)
    schedule = LambdaLR(optimizer, lambda step: 1 / (1 + step))
    generator, seen = torch.Generator().manual_seed(2), []
    for _ in range(STEPS):
        x, y = torch.randint(12, (2, BATCH, 8), generator=generator)
        loss = F.cross_entropy(model(x[share]).flatten(0, 1), y[share].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        mean = loss.detach().clone()
        if rank is not None:
            dist.all_reduce(mean)
            mean /= WORLD
        seen.append(mean.item())
    return seen, plan.schedule_factor(model, optimizer)


def train(rank, store, names):
    """What :func:`losses` gives, by optimizer, whole and sharded, in one of the processes."""
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", init_method=f"file://{store}", rank=rank, world_size=WORLD, timeout=PATIENCE
    )
    found = {name: {"whole": losses(name), "sharded": losses(name, rank)} for name in names}
    dist.destroy_process_group()
    return found
