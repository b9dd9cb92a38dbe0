"""Cells of a program -> equations: one representative cell, and what surrounds it.

In a stirred place the surroundings are its fluid, which each cell changes by its share; in a tissue
they are ports: parameters for the concentrations at the cell's surface, and for each molecule a
species that counts what the cell gives (and takes, when it falls).

Receptors    of ligands in the fluid; those of touching cells are in `network/touch.py`:
             R' = kdeg (R0 f - R) - kon c R + koff C;  C' = kon c R - (koff + kint) C, with f < 1
             where a signal represses synthesis; ligand in pM, receptors in molecules per cell.
Signals      x = (basal + sum_i a_i / half_i) / prod_j (1 + d_j / half_j);
             activity x^n / (1 + x^n).
Genes        m' = kdeg (A - m), A = (basal + sum_i s_i h_i) prod_j (1 - s_j h_j), with
             h = x^n / (half^n + x^n); a delay is a chain of three stages.
Products     P' = smax m - k P, released at k P (times the signal that matures a precursor).
"""

from collections.abc import Mapping

from polycrine.catalogue.entries import Number
from polycrine.model.programs import Induction, Product, Program, Repression, load_cascade
from polycrine.network.assembly import assemblies_of, write_assembly, write_chains
from polycrine.network.builder import LN2, Builder
from polycrine.network.equations import write_equations
from polycrine.network.expressions import renamed
from polycrine.network.network import identifier
from polycrine.network.surroundings import Surroundings
from polycrine.units import KINDS, same_dimension

CASCADE_KINDS = (
    *("number", "rate", "second-order rate", "intracellular rate"),
    "intracellular concentration",
)
DELAY_STAGES = 3


class CellWriter:
    """Writes the equations of the cells of one type in their surroundings."""

    def __init__(
        self, build: Builder, group: str, program: Program, surroundings: Surroundings
    ) -> None:
        self.build, self.program, self.around = build, program, surroundings
        self.group = identifier(group)
        self.path = program.program.replace(" ", "_")
        self.heard: dict[str, str] = {}
        self.assemblies = assemblies_of(build.known, program, surroundings.levels)

    def write(self) -> None:
        """All equations of these cells."""
        for name in self.program.receptors:
            self.heard[name] = f"{self._own(name)}_bound"
            self.build.assignments[self.heard[name]] = self._bound(name)
        for name, product in self.program.products.items():
            if product.secretion is None:
                self.heard[name] = self.build.add(self._own(name), "fraction")
        for name, signal in self.program.signals.items():
            self.heard[name] = self._own(name)
            if signal.half_time is not None:
                self.build.add(self._own(name), "fraction")
        for name in self.program.cascades:
            self.heard |= {out: self._own(out) for out in load_cascade(name).outputs}
        write_chains(self.build, self.group, self.program)
        for key, assembly in self.assemblies.items():
            self.heard[key] = f"{self._own(key)}_bound"
            gate = molecule_gate(self.build, assembly.ligand)
            place = self.build, self.group, self.program, key, assembly, self.around, gate
            self.build.assignments[self.heard[key]] = write_assembly(*place)
        for ligand, number in self.program.presents.items():
            self.build.number(f"{self.path}.presents.{ligand}", number, "molecules")
        if self.program.equations is not None:
            self.heard |= write_equations(self.build, self.group, self.program, self.around)
        for name in self.program.signals:
            self._signal(name)
        for name, driver in self.program.cascades.items():
            self._cascade(name, self.heard[driver])
        for name in self.program.receptors:
            self._receptor(name)
        for name, product in self.program.products.items():
            if product.secretion is None or name in self.around.stocks:
                self._make(name, product)

    def _own(self, name: str) -> str:
        return f"{self.group}.{identifier(name)}"

    def _ligands(self, receptor: str) -> list[str]:
        binds = self.build.known.receptors[receptor].binds
        return [ligand for ligand in binds if ligand in self.around.levels]

    def _touching(self, receptor: str) -> list[str]:
        binds = self.build.known.receptors[receptor].binds
        return [ligand for ligand in binds if ligand in self.around.touch]

    def _bound(self, receptor: str) -> str:
        """The complexes that signal, as an expression."""
        known, names = self.build.known, []
        for ligand in self._ligands(receptor):
            name = f"{self._own(receptor)}_{identifier(ligand)}"
            held = known.contents(ligand)
            self.build.add(name, "molecules/cell", pmol=self.around.pmol, contents=held, scale=10.0)
            if known.receptors[receptor].binds[ligand].effect == "signal":
                names.append(name)
        for ligand in self._touching(receptor):
            bound = f"{self._own(receptor)}_{identifier(ligand)}_touch"
            names.append(self.build.add(bound, "molecules/cell", scale=10.0))
        return " + ".join(names) or "0"

    def _receptor(self, name: str) -> None:
        build, carried = self.build, self.program.receptors[name]
        path = f"{self.path}.receptors.{name}"
        amount = build.number(f"{path}.per_cell", carried.per_cell, "molecules")
        turnover = build.known.receptors[name].turnover
        loss = self._loss(f"{name}.turnover", turnover)
        free = build.add(self._own(name), "molecules/cell", build.value(amount), scale=10.0)
        opening = build.constant(f"{identifier(name)}.open", 1.0)
        made = self._repression(path, carried.repressed_by)
        build.react(f"{loss}*{amount}*({made})", {free: "1"})
        build.react(f"{loss}*{free}", {free: "-1"})
        for ligand in self._ligands(name):
            kd, kon, kint = binding_parameters(build, name, ligand)
            level, stock = self.around.levels[ligand], self.around.stocks[ligand]
            bound, amount = f"{free}_{identifier(ligand)}", self.around.raised_by[ligand]
            gate = f"{opening}*{molecule_gate(build, ligand)}"
            binding = {stock: f"-{amount}", free: "-1", bound: "1"}
            build.react(f"{gate}*{kon}*{level}*{free}", binding)
            build.react(f"{kd}*{kon}*{bound}", {stock: amount, free: "1", bound: "-1"})
            build.react(f"{kint}*{bound}", {bound: "-1"}, f"taken up by {self.group}")
        for ligand in self._touching(name):
            kd, kon, kint = binding_parameters(build, name, ligand)
            bound, touch = f"{free}_{identifier(ligand)}_touch", self.around.touch[ligand]
            gate = f"{opening}*{molecule_gate(build, ligand)}"
            heard = f"({touch.level} - {touch.each}*{bound})"
            build.react(f"{gate}*{kon}*{heard}*{free}", {free: "-1", bound: "1"})
            build.react(f"{kd}*{kon}*{bound}", {free: "1", bound: "-1"})
            taken = build.add(f"{bound}_taken", "molecules/cell", scale=0.0)
            build.react(f"{kint}*{bound}", {bound: "-1", taken: "1"})

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
        lag = self._loss(f"{path}.half_time", signal.half_time)
        self.build.react(f"{lag}*({raised}/(1 + {raised}) - {own})", {own: "1"})

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
            if name in self.program.receptors or name in self.assemblies:
                return self.heard[name], "molecules"
            own = self.build.species.get(self.heard[name])
            kind = "intracellular concentration" if own and own.unit == "uM" else "number"
            return self.heard[name], kind
        level = self.around.levels.get(name)
        if level is None:
            return None, "concentration"
        if name not in self.build.known.molecules:
            return level, "number"
        unbound = self.build.known.molecules[name].unbound_fraction
        if unbound is None:
            return level, "concentration"
        share = self.build.number(f"{name}.unbound_fraction", unbound, "number")
        return f"({share}*{level})", "concentration"

    def _cascade(self, name: str, driver: str) -> None:
        cascade = load_cascade(name)
        names = {cascade.input: driver}
        for species, number in cascade.species.items():
            initial = number.read("intracellular concentration")
            names[species] = self.build.add(self._own(species), "uM", initial, scale=0.01)
        for constant, number in cascade.constants.items():
            fitting = (k for k in CASCADE_KINDS if not same_dimension(number.text, KINDS[k][0]))
            kind = next(fitting)
            names[constant] = self.build.number(f"{name}.constants.{constant}", number, kind)
        for step in cascade.reactions:
            changes = {names[s]: renamed(factor, names) for s, factor in step.changes.items()}
            self.build.react(renamed(step.rate, names), changes)
        for shown, entry in cascade.shows.items():
            self.build.assignments[self._own(shown)] = renamed(entry.formula, names)

    def _loss(self, path: str, half_life: Number) -> str:
        """The rate constant of a half-life."""
        return f"{LN2}/{self.build.number(path, half_life, 'duration')}"

    def _make(self, name: str, product: Product) -> None:
        build, own = self.build, self._own(name)
        path = f"{self.path}.products.{name}"
        target = self._transcription(path, product)
        if product.delay is not None:
            delay = build.number(f"{path}.delay", product.delay, "duration")
            for stage in range(1, DELAY_STAGES + 1):
                waiting = build.add(f"{own}_delay{stage}", "fraction")
                build.react(f"{DELAY_STAGES}/{delay}*({target} - {waiting})", {waiting: "1"})
                target = waiting
        mrna = build.add(f"{own}_mRNA", "fraction")
        loss = self._loss(f"{path}.mRNA_half-life", product.mrna_half_life)
        build.react(f"{loss}*({target} - {mrna})", {mrna: "1"})
        if product.secretion is not None and product.transit is not None:
            full = build.number(f"{path}.secretion", product.secretion, "secretion")
            made = f"{identifier(name)}.gene*{full}*{mrna}"
            self._release(path, name, product, made, self._loss(f"{path}.transit", product.transit))
        elif product.half_life is not None:
            loss = self._loss(f"{path}.half-life", product.half_life)
            build.react(f"{loss}*({mrna} - {own})", {own: "1"})

    def _release(self, path: str, name: str, product: Product, made: str, transit: str) -> None:
        build, pool = self.build, f"{self._own(name)}_inside"
        held = {name: 1}
        build.add(pool, "molecules/cell", pmol=self.around.pmol, contents=held, scale=100.0)
        build.react(made, {pool: "1"}, f"made by {self.group}")
        ripe = f"*{self.heard[product.matured_by]}" if product.matured_by else ""
        release = f"{transit}*{pool}{ripe}"
        raised = {self.around.stocks[name]: self.around.raised_by[name]}
        build.react(release, {pool: "-1", **raised})
        build.assignments[f"{self._own(name)}_secretion"] = release
        if product.half_life is not None:
            loss = self._loss(f"{path}.half-life", product.half_life)
            build.react(f"{loss}*{pool}", {pool: "-1"}, f"lost inside {self.group}")

    def _transcription(self, path: str, product: Product) -> str:
        laws = product.induced_by.items()
        terms = [self._hill(f"{path}.induced_by.{name}", name, law) for name, law in laws]
        if product.basal is not None:
            terms.append(self.build.number(f"{path}.basal", product.basal, "number"))
        terms = [term for term in terms if term]
        made = "(" + " + ".join(terms or ["0"]) + ")"
        return f"({made}*{self._repression(path, product.repressed_by)})"

    def _repression(self, path: str, repressions: Mapping[str, Repression]) -> str:
        laws = repressions.items()
        parts = [self._hill(f"{path}.repressed_by.{name}", name, law) for name, law in laws]
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


def molecule_gate(build: Builder, molecule: str) -> str:
    """1 while the molecule can bind, 0 once it is blocked; a complex is gated by its parts."""
    parts = build.known.contents(molecule)
    return "*".join(build.constant(f"{identifier(part)}.unblocked", 1.0) for part in parts)
