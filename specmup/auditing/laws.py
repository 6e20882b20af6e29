"""Which update law an optimizer follows: by the name of its class and its options."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from torch.optim import Optimizer

from specmup.optimizers.as_run import law_as_run
from specmup.theory.layer import HALF
from specmup.theory.rules import COMPANION
from specmup.theory.update import LAWS, UpdateLaw, unknown_optimizer

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

# Muon with √(n_out/n_in), which makes ‖A‖_R one for every shape.
SPECTRAL_MUON = UpdateLaw(
    "muon-spectral",
    "Muon with √(n_out/n_in)",
    lambda layer: layer.gradient.orthogonalised().scaled((layer.fan_out / layer.fan_in) ** HALF),
    matrices_only=True,
)
# Laws that an audit knows beside those that the package runs, and the one among these in whose
# place each stands: a factor of the shape changes no gauge and no role.
BESIDE = {SPECTRAL_MUON.name: (SPECTRAL_MUON, "muon")}
KNOWN = (*LAWS, *BESIDE)

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
        return COMPANION.name
    name = type(getattr(optimizer, "main", optimizer)).__name__  # of a hybrid, its main part
    plain = name.lower().replace("_", "")
    known = CLASSES.get(max((c for c in CLASSES if plain.startswith(c)), key=len, default=""))
    if told is not None and not (told not in VECTOR_LAWS and known in VECTOR_LAWS):
        return told
    if known is None:
        raise ValueError(
            f"the optimizer {name} is not known: say which law it follows, optimizer=… with one "
            f"of {', '.join(KNOWN)}"
        )
    if known == "muon" and "adjust_lr_fn" in group:
        return MUON_FACTORS.get(group["adjust_lr_fn"], known)
    return known


def checked(told: str | None) -> str | None:
    """The name of a law that was told, in lower case or not.

    Raises:
        ValueError: If there is none; the message lists those that exist.
    """
    name = told.lower() if isinstance(told, str) else told
    if name is not None and name not in KNOWN:
        raise ValueError(unknown_optimizer(told, KNOWN))
    return name


def stand_in(name: str) -> UpdateLaw:
    """A law that the package runs and whose roles and gauges are those of the one named."""
    return LAWS[BESIDE[name][1] if name in BESIDE else name]


def law_of(name: str, *, transposed: bool) -> UpdateLaw:
    """The update law, as :func:`specmup.optimizers.as_run.law_as_run` has it."""
    return BESIDE[name][0] if name in BESIDE else law_as_run(LAWS[name], transposed=transposed)


def main_law(names: Iterable[str]) -> str:
    """Of the laws that train a model, the one that the others are companions of."""
    found = list(dict.fromkeys(names))
    matrices = [name for name in found if name not in VECTOR_LAWS]
    return (matrices or found)[0]
