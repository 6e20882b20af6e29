"""What became of mutants and of claims: which were killed, which claims fell, which never do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mutants import KINDS, Mutant


@dataclass(frozen=True)
class Found:
    """What one page made of one mutant.

    Attributes:
        verdicts: Of each claim that was reached, by name.
        failed: What failed, in words; empty where every cell ran.
    """

    verdicts: Mapping[str, str]
    failed: str

    @property
    def fallen(self) -> set[str]:
        """Claims that do not hold."""
        return {name for name, verdict in self.verdicts.items() if verdict != "held"}


@dataclass(frozen=True)
class Report:
    """What became of all mutants.

    Attributes:
        held: The claims of the executed pages as they are without a mutant, by name.
        found: By mutant and page.
    """

    held: Mapping[str, Mapping[str, str]]
    found: Mapping[Mutant, Mapping[str, Found]]

    def fallen(self, mutant: Mutant) -> set[str]:
        """The claims that a mutant fells."""
        return set().union(*(found.fallen for found in self.found[mutant].values()))

    def killed(self, mutant: Mutant) -> bool:
        """Whether a claim fell, or a cell failed."""
        return bool(self.fallen(mutant)) or any(f.failed for f in self.found[mutant].values())

    def unmoved(self, mutant: Mutant) -> list[str]:
        """Claims that the mutant says it fells, were executed, and still hold."""
        reached = set().union(*(found.verdicts for found in self.found[mutant].values()))
        told = {n for n in reached if mutant.fells and mutant.fells in self.held[n]["criterion"]}
        return sorted(told - self.fallen(mutant))

    def never(self) -> list[str]:
        """Claims of pages that met a fault which no fault fells.

        A criterion that is turned round fells every claim that has it, whatever the claim rests
        on, so mutants of words do not count.
        """
        faults = [mutant for mutant in self.found if mutant.kind != "word"]
        felled = set().union(*map(self.fallen, faults))
        met = set().union(*(self.found[mutant].keys() for mutant in faults))
        return sorted(
            n for n, claim in self.held.items() if claim["page"] in met and n not in felled
        )

    def lines(self) -> Iterator[str]:
        """The rate of kills by kind, and the claims that survive everything."""
        yield f"{'kind':<12} {'mutants':>8} {'killed':>7} {'by claims':>10}"
        for kind in (*KINDS, "all"):
            some = [mutant for mutant in self.found if kind in (mutant.kind, "all")]
            if some:
                killed, by_claims = (
                    sum(map(self.killed, some)),
                    sum(1 for m in some if self.fallen(m)),
                )
                yield f"{kind:<12} {len(some):>8} {killed:>7} {by_claims:>10}"
        rate = sum(map(self.killed, self.found)) / len(self.found)
        yield f"kill rate: {100 * rate:.0f} %"
        never = self.never()
        yield f"{len(never)} of {len(self.held)} claims were felled by none of these faults"
        yield from (f"  {name}: {self.held[name]['sentence']}" for name in never)


def told(mutant: Mutant, report: Report) -> str:
    """One line on what became of a mutant."""
    fallen, found = sorted(report.fallen(mutant)), report.found[mutant]
    outcome = "killed" if report.killed(mutant) else "SURVIVED"
    failed = sum(bool(one.failed) for one in found.values())
    some = ", ".join(fallen[:4]) + ", …" * (len(fallen) > 4)
    return (
        f"{outcome}: {mutant.kind} {mutant.name}: {len(fallen)} claims fell in {len(found)} "
        f"pages, cells failed in {failed}" + f" ({some})" * bool(some)
    )
