"""Which update law an optimizer follows: by the name of its class and its options."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from torch.optim import Optimizer

from specmup.theory.rules import COMPANION
from specmup.theory.update import LAWS, update_law

# Beginnings of class names, in lower case without underscores; the longest that fits counts.
CLASSES = {
    "sgd": "sgd",
    "adam": "adamw",
    "fusedadam": "adamw",
    "lion": "lion",
    "sophia": "sophia",
    "adopt": "adopt",
    "lamb": "lamb",
    "clampedlamb": "lamb-clamped",
    "muon": "muon",
    "unscaledmuon": "muon",
    "shampoo": "shampoo",
    "soap": "soap",
    "sso": "sso",
}
# torch's names of Muon's factors of the shape; None is its default.
MUON_FACTORS = {
    None: "muon-original",
    "original": "muon-original",
    "match_rms_adamw": "muon-kimi",
    "none": "muon",
}

VECTOR_LAWS = tuple(name for name, law in LAWS.items() if not law.matrices_only)


def law_name(optimizer: Optimizer, group: Mapping, told: str | None = None) -> str:
    """The name in :data:`specmup.theory.update.LAWS` of what trains a parameter group.

    Args:
        optimizer: That holds the group.
        group: Of parameters. One that is marked as a companion's, by this package or by
            ``use_muon=False``, is AdamW's.
        told: The law that was named for the model. One that is made for matrices is not meant for
            an optimizer beside it that is known to be another.

    Raises:
        ValueError: If the class is not known and no law was told.
    """
    if group.get("companion") or group.get("use_muon") is False:
        return COMPANION
    name = type(getattr(optimizer, "main", optimizer)).__name__  # of a hybrid, its main part
    plain = name.lower().replace("_", "")
    known = CLASSES.get(max((c for c in CLASSES if plain.startswith(c)), key=len, default=""))
    if told is not None and not (update_law(told).matrices_only and known in VECTOR_LAWS):
        return told
    if known is None:
        raise ValueError(
            f"the optimizer {name} is not known: say which law it follows, optimizer=… with one "
            f"of {', '.join(LAWS)}"
        )
    if known == "muon" and "adjust_lr_fn" in group:
        return MUON_FACTORS.get(group["adjust_lr_fn"], known)
    return known


def main_law(names: Iterable[str]) -> str:
    """Of the laws that train a model, the one that the others are companions of."""
    found = list(dict.fromkeys(names))
    matrices = [name for name in found if LAWS[name].matrices_only]
    return (matrices or found)[0]
