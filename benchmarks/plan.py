"""What a plan costs: seconds and memory for a large model, and its groups at every step."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import torch

from benchmarks.harness import Row, median_seconds
from specmup.models.gpt import GPT, GPTShape
from specmup.parametrization.plan import make_plan
from specmup.theory.tables import ROLES

SECONDS, MEGABYTES, OVERHEAD = 2.0, 200.0, 1.05

# In a process of its own, after all imports: both models on the meta device, and the plan.
# Linux: writing 5 to clear_refs forgets the highest memory so far, which VmHWM then gives anew.
GPT2_XL = """
import json, re, time
from pathlib import Path
from transformers import AutoConfig, GPT2LMHeadModel
from specmup.parametrization.plan import make_plan

def memory(key):
    return int(re.search(rf"{key}:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) / 1024

def gpt2(width, depth):
    sizes = {"n_embd": width, "n_layer": depth, "n_head": width // 64}
    return lambda: GPT2LMHeadModel(AutoConfig.for_model("gpt2", **sizes))

Path("/proc/self/clear_refs").write_text("5")
before, start = memory("VmRSS"), time.perf_counter()
plan = make_plan(gpt2(1600, 48), base=gpt2(256, 4), learning_rate=2**-9, std=0.02)
seconds, peak = time.perf_counter() - start, memory("VmHWM") - before
parameters = sum(entry.fan_out * entry.fan_in for entry in plan.values() if entry.role == "hidden")
print(json.dumps({"seconds": seconds, "megabytes": peak, "parameters": parameters}))
"""


def plan_of_gpt2_xl() -> list[Row]:
    """Median seconds and largest memory of three fresh processes, imports left out.

    Raises:
        RuntimeError: If the model is not as large as it should be.
    """
    root = Path(__file__).resolve().parent.parent
    command = [sys.executable, "-c", GPT2_XL]
    runs = [
        json.loads(subprocess.run(command, cwd=root, check=True, capture_output=True).stdout)
        for _ in range(3)
    ]
    if runs[0]["parameters"] < 1.4e9:
        raise RuntimeError(f"the blocks hold {runs[0]['parameters']:.3g} parameters, not 1.47e9")
    seconds = sorted(run["seconds"] for run in runs)[1]
    megabytes = max(run["megabytes"] for run in runs)
    return [
        Row(
            name="plan of GPT-2 XL",
            compared=f"both models on meta and the plan : {SECONDS:g} s",
            ratio=SECONDS / seconds,
            note=f"{seconds:.2f} s, imports left out",
            target=1.0,
        ),
        Row(
            name="plan of GPT-2 XL",
            compared=f"growth of resident memory at its peak : {MEGABYTES:g} MB",
            ratio=MEGABYTES / megabytes,
            note=f"{megabytes:.0f} MB, imports left out",
            target=1.0,
        ),
    ]


def groups_beside_one() -> list[Row]:
    """A step of the plan's optimizer against AdamW with one group, both fused, on one GPT."""

    def gpt(width: int, depth: int) -> GPT:
        return GPT(GPTShape(1024, 128, width, depth, bias=True))

    values = {"learning_rate": 1e-3, "weight_decay": dict.fromkeys(ROLES, 0.1)}
    model = gpt(256, 12)
    planned = make_plan(model, base=gpt(64, 2), **values).optimizer(model)
    one = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.1, fused=True)
    for parameter in model.parameters():
        parameter.grad = torch.randn_like(parameter)
    seconds = median_seconds({"one": one.step, "plan": planned.step}, repeats=61, warm_up=5)
    row = Row(
        name="parameter groups",
        compared="AdamW with the plan's groups : AdamW(fused=True) with one",
        ratio=seconds["one"] / seconds["plan"],
        note=f"{len(planned.param_groups)} groups take {seconds['plan'] / seconds['one']:.3f}× "
        f"the time, {1e3 * seconds['plan']:.2f} ms a step",
        target=1 / OVERHEAD,
    )
    return [row]


PARTS = {"GPT-2 XL": plan_of_gpt2_xl, "its groups at every step": groups_beside_one}
