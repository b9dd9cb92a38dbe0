"""Cells of a program -> equations: one representative cell, and its place times the count.

Receptors    R' = kdeg (R0 f - R) - kon c R + koff C;  C' = kon c R - (koff + kint) C, with f < 1
             where a signal represses synthesis; ligand in pM, receptors in molecules per cell.
Signals      x = (basal + sum_i a_i / half_i) / prod_j (1 + d_j / half_j);
             activity x^n / (1 + x^n).
Genes        m' = kdeg (A - m), A = (basal + sum_i s_i h_i) prod_j (1 - s_j h_j), with
             h = x^n / (half^n + x^n); a delay is a chain of three stages.
Products     P' = smax m - k P, released at k P (times the signal that matures a precursor).
"""

from __future__ import annotations

from collections.abc import Mapping

from polycrine.catalogue.entries import Number
from polycrine.model.programs import Induction, Product, Program, Repression, load_cascade
from polycrine.network.builder import Builder
from polycrine.network.network import identifier
from polycrine.units import MOLECULES_PER_PMOL, quantity

LN2 = "0.693147180559945309"
CASCADE_KINDS = (
    "number",
    "rate",
    "second-order rate",
    "intracellular rate",
    "intracellular concentration",
)
DELAY_STAGES = 3


class CellWriter:
    """Writes the equations of the cells of one type in one stirred place."""

    def __init__(
        self, build: Builder, group: str, place: str, program: Program, count: float, volume: float
    ) -> None:
        self.build, self.program = build, program
        self.group, self.place = identifier(group), identifier(place)
        self.path = program.program.replace(" ", "_")
        pmol = count / MOLECULES_PER_PMOL
        self.pmol = build.constant(f"{self.group}.pmol", pmol)
        self.to_place = build.constant(f"{self.group}.to_{self.place}", pmol / volume)
        self.heard: dict[str, str] = {}

    def write(self) -> None:
        """All equations of these cells."""
        for name in self.program.receptors:
            bound = self._bound(name)
            self.heard[name] = f"{self.group}.{identifier(name)}_bound"
            self.build.assignments[self.heard[name]] = bound
        for name, gene in self.program.products.items():
            if gene.secretion is None:
                self.heard[name] = self.build.add(f"{self.group}.{identifier(name)}", "fraction")
        for name, signal in self.program.signals.items():
            own = f"{self.group}.{identifier(name)}"
            self.heard[name] = own
            if signal.half_time is not None:
                self.build.add(own, "fraction")
        for name in self.program.cascades:
            for output in load_cascade(name).outputs:
                self.heard[output] = f"{self.group}.{identifier(output)}"
        for name in self.program.signals:
            self._signal(name)
        for name, driver in self.program.cascades.items():
            self._cascade(name, self.heard[driver])
        for name in self.program.receptors:
            self._receptor(name)
        for name, gene in self.program.products.items():
            if gene.secretion is None or name in self.build.molecules:
                self._gene(name, gene)

    def _ligands(self, receptor: str) -> list[str]:
        binds = self.build.known.receptors[receptor].binds
        return [
            ligand for ligand in binds if f"{self.place}.{identifier(ligand)}" in self.build.species
        ]

    def _bound(self, receptor: str) -> str:
        """The complexes that signal, as an expression."""
        binds = self.build.known.receptors[receptor].binds
        names = []
        for ligand in self._ligands(receptor):
            contents = self.build.known.contents(ligand)
            name = f"{self.group}.{identifier(receptor)}_{identifier(ligand)}"
            self.build.add(name, "molecules/cell", pmol=self.pmol, contents=contents, scale=10.0)
            if binds[ligand].effect == "signal":
                names.append(name)
        return " + ".join(names) or "0"

    def _receptor(self, name: str) -> None:
        build, entry = self.build, self.build.known.receptors[name]
        carried = self.program.receptors[name]
        amount = build.number(
            f"{self.path}.receptors.{name}.per_cell", carried.per_cell, "molecules"
        )
        turnover = build.number(f"{name}.turnover", entry.turnover, "duration")
        free = build.add(
            f"{self.group}.{identifier(name)}", "molecules/cell", build.value(amount), scale=10.0
        )
        openness = receptor_gate(build, name)
        repression = self._repression(f"{self.path}.receptors.{name}", carried.repressed_by)
        loss = f"{LN2}/{turnover}"
        build.react(f"{loss}*{amount}*({repression})", {free: "1"})
        build.react(f"{loss}*{free}", {free: "-1"})
        for ligand in self._ligands(name):
            kd, kon, kint = binding_parameters(build, name, ligand)
            around = f"{self.place}.{identifier(ligand)}"
            bound = f"{free}_{identifier(ligand)}"
            gate = f"{openness}*{molecule_gate(build, ligand)}"
            build.react(
                f"{gate}*{kon}*{around}*{free}",
                {around: f"-{self.to_place}", free: "-1", bound: "1"},
            )
            build.react(f"{kd}*{kon}*{bound}", {around: self.to_place, free: "1", bound: "-1"})
            build.react(f"{kint}*{bound}", {bound: "-1"}, f"taken up by {self.group}")

    def _signal(self, name: str) -> None:
        signal, own = self.program.signals[name], self.heard[name]
        path = f"{self.path}.signals.{name}"
        terms = [f"{amount}/{half}" for amount, half in self._heard(f"{path}.heard", signal.heard)]
        if signal.basal is not None:
            terms.append(self.build.number(f"{path}.basal", signal.basal, "number"))
        x = "(" + " + ".join(terms or ["0"]) + ")"
        for amount, half in self._heard(f"{path}.damped_by", signal.damped_by):
            x += f"/(1 + {amount}/{half})"
        raised = f"({x})**{signal.steepness}"
        if signal.half_time is None:
            self.build.assignments[own] = f"{raised}/(1 + {raised})"
            return
        lag = self.build.number(f"{path}.half_time", signal.half_time, "duration")
        self.build.react(f"{LN2}/{lag}*({raised}/(1 + {raised}) - {own})", {own: "1"})

    def _heard(self, path: str, inputs: Mapping[str, Number]) -> list[tuple[str, str]]:
        pairs = []
        for name, number in inputs.items():
            amount, kind = self._amount(name)
            if amount is not None:
                pairs.append((amount, self.build.number(f"{path}.{name}", number, kind)))
        return pairs

    def _amount(self, name: str) -> tuple[str | None, str]:
        """What a cell hears under a name, as an expression, and the kind of its unit."""
        if name in self.heard:
            if name in self.program.receptors:
                return self.heard[name], "molecules"
            own = self.build.species.get(self.heard[name])
            kind = "intracellular concentration" if own and own.unit == "uM" else "number"
            return self.heard[name], kind
        around = f"{self.place}.{identifier(name)}"
        if around not in self.build.species:
            return None, "concentration"
        unbound = self.build.known.molecules[name].unbound_fraction
        if unbound is None:
            return around, "concentration"
        share = self.build.number(f"{name}.unbound_fraction", unbound, "number")
        return f"({share}*{around})", "concentration"

    def _cascade(self, name: str, driver: str) -> None:
        cascade = load_cascade(name)
        names = {cascade.input: driver}
        for species, number in cascade.species.items():
            initial = number.read("intracellular concentration")
            own = f"{self.group}.{identifier(species)}"
            names[species] = self.build.add(own, "uM", initial, scale=0.01)
        for constant, number in cascade.constants.items():
            kind = next(k for k in CASCADE_KINDS if _fits(number, k))
            names[constant] = self.build.number(f"{name}.constants.{constant}", number, kind)
        for step in cascade.reactions:
            changes = {names[s]: _rename(factor, names) for s, factor in step.changes.items()}
            self.build.react(_rename(step.rate, names), changes)

    def _gene(self, name: str, gene: Product) -> None:
        build, path = self.build, f"{self.path}.products.{name}"
        own = f"{self.group}.{identifier(name)}"
        target = self._transcription(path, gene)
        if gene.delay is not None:
            delay = build.number(f"{path}.delay", gene.delay, "duration")
            for stage in range(1, DELAY_STAGES + 1):
                waiting = build.add(f"{own}_delay{stage}", "fraction")
                build.react(f"{DELAY_STAGES}/{delay}*({target} - {waiting})", {waiting: "1"})
                target = waiting
        mrna = build.add(f"{own}_mRNA", "fraction")
        life = build.number(f"{path}.mRNA_half-life", gene.mrna_half_life, "duration")
        build.react(f"{LN2}/{life}*({target} - {mrna})", {mrna: "1"})
        if gene.secretion is None:
            assert gene.half_life is not None
            protein = build.number(f"{path}.half-life", gene.half_life, "duration")
            build.react(f"{LN2}/{protein}*({mrna} - {own})", {own: "1"})
        else:
            self._product(path, name, gene, mrna)

    def _product(self, path: str, name: str, gene: Product, mrna: str) -> None:
        assert gene.secretion is not None
        assert gene.transit is not None
        build, around = self.build, f"{self.place}.{identifier(name)}"
        full = build.number(f"{path}.secretion", gene.secretion, "secretion")
        transit = build.number(f"{path}.transit", gene.transit, "duration")
        pool = build.add(
            f"{self.group}.{identifier(name)}_inside",
            "molecules/cell",
            pmol=self.pmol,
            contents={name: 1},
            scale=100.0,
        )
        build.react(f"{gene_gate(build, name)}*{full}*{mrna}", {pool: "1"}, f"made by {self.group}")
        ripe = f"*{self.heard[gene.matured_by]}" if gene.matured_by else ""
        release = f"{LN2}/{transit}*{pool}{ripe}"
        build.react(release, {pool: "-1", around: self.to_place})
        build.assignments[f"{self.group}.{identifier(name)}_secretion"] = release
        if gene.half_life is not None:
            life = build.number(f"{path}.half-life", gene.half_life, "duration")
            build.react(f"{LN2}/{life}*{pool}", {pool: "-1"}, f"lost inside {self.group}")

    def _transcription(self, path: str, gene: Product) -> str:
        terms = []
        if gene.basal is not None:
            terms.append(self.build.number(f"{path}.basal", gene.basal, "number"))
        for name, induction in gene.induced_by.items():
            part = self._hill(f"{path}.induced_by.{name}", name, induction)
            if part:
                terms.append(part)
        made = "(" + " + ".join(terms or ["0"]) + ")"
        return f"({made}*{self._repression(path, gene.repressed_by)})"

    def _repression(self, path: str, repressions: Mapping[str, Repression]) -> str:
        parts = [
            self._hill(f"{path}.repressed_by.{name}", name, repression)
            for name, repression in repressions.items()
        ]
        return "*".join(f"(1 - {part})" for part in parts if part) or "1"

    def _hill(self, path: str, name: str, law: Induction | Repression) -> str:
        amount, kind = self._amount(name)
        if amount is None:
            return ""
        half = self.build.number(f"{path}.half", law.half, kind)
        raised = f"({amount}/{half})**{law.steepness}"
        share = f"{raised}/(1 + {raised})"
        if law.strength is None:
            return share
        return f"{self.build.number(f'{path}.strength', law.strength, 'number')}*{share}"


def binding_parameters(build: Builder, receptor: str, ligand: str) -> tuple[str, str, str]:
    """The parameters Kd (pM), kon (1/(pM min)) and kint (1/min) of a ligand at a receptor."""
    binding = build.known.receptors[receptor].binds[ligand]
    path = f"{receptor}.binds.{ligand.replace(' ', '_')}"
    return (
        build.number(f"{path}.Kd", binding.kd, "concentration"),
        build.number(f"{path}.kon", binding.kon, "association rate"),
        build.number(f"{path}.internalisation", binding.internalisation, "rate"),
    )


def receptor_gate(build: Builder, receptor: str) -> str:
    """1 while the receptor is open to its ligands, 0 once it is blocked."""
    return build.constant(f"{identifier(receptor)}.open", 1.0)


def molecule_gate(build: Builder, molecule: str) -> str:
    """1 while the molecule can bind, 0 once it is blocked; a complex is gated by its parts."""
    parts = build.known.contents(molecule)
    return "*".join(build.constant(f"{identifier(part)}.unblocked", 1.0) for part in parts)


def gene_gate(build: Builder, molecule: str) -> str:
    """1 where the gene is present, 0 where it is knocked out."""
    return build.constant(f"{identifier(molecule)}.gene", 1.0)


def _fits(number: Number, kind: str) -> bool:
    try:
        quantity(number.text, kind)
    except ValueError:
        return False
    return True


def _rename(text: str, names: Mapping[str, str]) -> str:
    import re

    return re.sub(r"[A-Za-z_]\w*", lambda match: names.get(match[0], match[0]), text)
