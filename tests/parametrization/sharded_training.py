"""Train a small planned GPT whole, and again by DDP or FSDP2 in two processes, for the tests.

A module of its own, as the processes find by its name what they shall do.
"""

import json
import sys
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist
from torch.distributed import checkpoint
from torch.distributed.checkpoint import state_dict as by_names
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel
from torch.optim.lr_scheduler import LambdaLR

from specmup.models.gpt import GPT, GPTShape
from specmup.optimizers.registry import ADAPTERS
from specmup.parametrization.plan import make_plan
from specmup.theory.update import LAWS

WORLD, BATCH, STEPS = 2, 8, 5
MIDDLE = 3  # after which a checkpoint is made
SHARDED = [name for name in sorted(LAWS) if not ADAPTERS[name].whole]
EVERY = {"ddp": sorted(LAWS), "fsdp2": SHARDED}  # what is trained, by how
RESUMED = ("adamw", "muon-kimi")
PATIENCE = timedelta(minutes=4)  # with the other process, on a machine that is busy


def gpt(width, depth):
    torch.manual_seed(0)  # a plan takes biases as it finds them in the base
    return GPT(GPTShape(12, 8, width, depth, head_dimension=8, bias=True))


def spread(model, how):
    """The model as the processes share it: ``ddp`` copies it, ``fsdp2`` cuts its parameters."""
    if how == "ddp":
        return DistributedDataParallel(model)
    mesh = init_device_mesh("cpu", (WORLD,))
    for block in model.blocks:
        fully_shard(block, mesh=mesh)
    return fully_shard(model, mesh=mesh)


def losses(optimizer_name, how="whole", *, save=None, load=None):
    """Mean losses over all samples, step by step, and the schedule's last factor.

    Args:
        optimizer_name: What trains.
        how: ``whole`` in one process; ``ddp`` or ``fsdp2`` in all of the group.
        save: Folder for a distributed checkpoint after the step :data:`MIDDLE`.
        load: Folder of one, which is taken up; losses are those of the steps after it.
    """
    inner = model = gpt(32, 2)
    values = {"learning_rate": 0.01, "std": 0.1, "weight_decay": 0.1}
    plan = make_plan(model, base=gpt(16, 1), optimizer=optimizer_name, **values)
    share, first, seen = slice(0, BATCH), 0, []
    if how == "ddp":  # which hands its start round when it is made
        plan.initialise(inner, seed=1)
    if how != "whole":
        size, rank = BATCH // WORLD, dist.get_rank()
        share, model = slice(rank * size, (rank + 1) * size), spread(inner, how)
    plan.initialise(plan.initialise(model, seed=1))  # drawn, then rescaled: both where it is cut
    optimizer = plan.optimizer(model)
    schedule = LambdaLR(optimizer, lambda step: 1 / (1 + step))
    generator = torch.Generator().manual_seed(2)
    if load is not None:
        first = _take_up(load, inner, optimizer, schedule)
    for step in range(STEPS):
        x, y = torch.randint(12, (2, BATCH, 8), generator=generator)
        if step < first:
            continue
        loss = F.cross_entropy(model(x[share]).flatten(0, 1), y[share].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        mean = loss.detach().clone()
        if how != "whole":
            dist.all_reduce(mean)
            mean /= WORLD
        seen.append(mean.item())
        if save is not None and step + 1 == MIDDLE:
            checkpoint.save(_state(inner, optimizer, schedule), checkpoint_id=save)
    return seen, plan.schedule_factor(model, optimizer)


def _state(model, optimizer, schedule):
    weights, states = by_names.get_state_dict(model, optimizer)
    return {"model": weights, "optimizer": states, "schedule": schedule.state_dict()["last_epoch"]}


def _take_up(folder, model, optimizer, schedule):
    """Load a checkpoint; the number of steps that it has behind it."""
    state = _state(model, optimizer, schedule)
    checkpoint.load(state, checkpoint_id=folder)
    by_names.set_state_dict(
        model,
        optimizer,
        model_state_dict=state["model"],
        optim_state_dict=state["optimizer"],
    )
    schedule.last_epoch = state["schedule"]
    return state["schedule"]


def train(rank, store, names):
    """What :func:`losses` gives, by optimizer, whole and sharded, in one of the processes."""
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", init_method=f"file://{store}", rank=rank, world_size=WORLD, timeout=PATIENCE
    )
    found = {name: {"whole": losses(name), "sharded": losses(name, "fsdp2")} for name in names}
    dist.destroy_process_group()
    return found


def main(folder):
    """What ``torchrun`` runs: losses in both ways, a checkpoint made here, and one made whole."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", timeout=PATIENCE)
    found = {how: {name: losses(name, how)[0] for name in EVERY[how]} for how in EVERY}
    for name in RESUMED:
        losses(name, "fsdp2", save=folder / f"sharded-{name}")
    found["taken up"] = {
        name: losses(name, "fsdp2", load=folder / f"whole-{name}")[0] for name in RESUMED
    }
    if dist.get_rank() == 0:
        (folder / "losses.json").write_text(json.dumps(found))
    dist.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
