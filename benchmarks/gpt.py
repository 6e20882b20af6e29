"""Training a GPT: the laboratory's loop and model against Hugging Face's GPT-2 in a plain loop."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch.nn import functional as F

from benchmarks.harness import Row, median_seconds, threads
from specmup.data.text import Text
from specmup.models.gpt import GPT, GPTShape
from specmup.parametrization.plan import make_plan
from specmup.training.language import train_language_model
from specmup.training.recipe import Recipe

WIDTHS, DEPTH, HEAD = (128, 256, 512), 4, 64
VOCABULARY, CONTEXT, BATCH, STEPS = 1024, 128, 16, 2
RATE, BETAS = 1e-3, (0.9, 0.95)
# The loop's own validation, of which a run needs some, is kept to one window.
RECIPE = Recipe(steps=STEPS, batch_size=BATCH, floor=1.0, clip=1.0, validation_windows=1)


def at_width(width: int) -> list[Row]:
    """Both loops at one size: as many parameters, the same tokens, AdamW, clipping, one thread.

    Raises:
        RuntimeError: If the models are not equally large.
    """
    tokens = np.random.default_rng(0).integers(VOCABULARY, size=100_000).astype(np.uint16)
    text = Text("random", tokens, tokens[:1000], VOCABULARY)
    with threads(1):
        loops = {"ours": our_loop(width, text), "theirs": plain_loop(width, text)}
        seconds = median_seconds(loops, repeats=3)
    a_step = {name: 1e3 * of_run / STEPS for name, of_run in seconds.items()}
    row = Row(
        name=f"training a GPT, n = {width}",
        compared="the laboratory's loop : plain loop over GPT2LMHeadModel",
        ratio=seconds["theirs"] / seconds["ours"],
        note=f"{a_step['ours']:.0f} : {a_step['theirs']:.0f} ms a step, one thread",
        target=1.0,
    )
    return [row]


def our_loop(width: int, text: Text) -> Callable[[], object]:
    """Some steps under a plan."""
    shape = GPTShape(VOCABULARY, CONTEXT, width, DEPTH, HEAD, bias=True)
    model = GPT(shape)
    plan = make_plan(model, base=GPT(shape), learning_rate=RATE, std=0.02)
    plan.initialise(model, seed=0)
    optimizer = plan.optimizer(model, betas=BETAS)
    return lambda: train_language_model(
        model, optimizer, text, RECIPE, context=CONTEXT, seed=0, progress=False
    )


def plain_loop(width: int, text: Text) -> Callable[[], object]:
    """As many steps, written as one would by hand."""
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(
        vocab_size=VOCABULARY,
        bos_token_id=0,
        eos_token_id=0,
        n_positions=CONTEXT,
        n_embd=width,
        n_layer=DEPTH,
        n_head=width // HEAD,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        tie_word_embeddings=False,
    )
    model = GPT2LMHeadModel(config)
    shape = GPTShape(VOCABULARY, CONTEXT, width, DEPTH, HEAD, bias=True)
    sizes = [sum(p.numel() for p in m.parameters()) for m in (model, GPT(shape))]
    if sizes[0] != sizes[1]:
        raise RuntimeError(f"GPT2LMHeadModel has {sizes[0]} parameters, ours {sizes[1]}")
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=RATE, betas=BETAS, weight_decay=0.0, fused=True
    )
    starts = text.training_windows(CONTEXT, BATCH, STEPS, seed=0)

    def steps() -> None:
        for batch in starts:
            x, y = text.windows("train", batch, CONTEXT)
            optimizer.zero_grad()
            logits = model(x, use_cache=False).logits
            F.cross_entropy(logits.flatten(0, 1), y.flatten()).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()

    return steps


PARTS = {f"width {width}": partial(at_width, width) for width in WIDTHS}
