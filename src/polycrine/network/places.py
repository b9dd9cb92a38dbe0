"""Model -> networks: places, links, what the body clears and makes, and the cells in them.

Clearance    the catalogue's clearance CL of a molecule is that of a small dose in the plasma of a
             healthy body. What the model's receptors take up at low dose is counted from their
             numbers, through the flow that reaches them; the remainder CL - uptake is first order
             in plasma. A negative remainder is an error: the counts contradict the measurement.
Rest of body healthy plasma holds each molecule because the rest of the body makes what is
             cleared: a constant source, set once the cells have settled (`settled` in `runs`).
Tissue       in the whole network a tissue is one more stirred place, of the fluid that it
             represents: its limit of fast diffusion, and the health from which it starts. In space
             it falls into the network of the stirred places with an inflow per molecule, and one
             network per cell type with ports.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from polycrine.catalogue.entries import Number, Route
from polycrine.catalogue.library import catalogue
from polycrine.errors import InputError, Problem
from polycrine.model.events import Infect
from polycrine.model.model import Link, Model, Stirred, Tissue
from polycrine.model.programs import Program, load_program
from polycrine.network.assembly import assemblies_of, trace_uptake
from polycrine.network.barriers import Wall, exchange, free_diffusion, molecular_radius
from polycrine.network.builder import (
    BROUGHT,
    DIED,
    LEDGER,
    LEFT,
    LOST,
    NOTHING,
    OWED,
    SHED,
    SPILLED,
    Builder,
    author_number,
)
from polycrine.network.cells import CellWriter, binding_parameters, molecule_gate
from polycrine.network.drugs import volume_name, write_depot, write_disposition, write_saturable
from polycrine.network.network import Network, Value, identifier
from polycrine.network.populations import Populations, changing
from polycrine.network.surroundings import Surroundings
from polycrine.network.touch import Touch, stirred_touch, tissue_touch
from polycrine.units import CUBIC_MICROMETRE, MOLECULES_PER_PMOL, quantity

REST = "rest_of_body"
ANTIGEN = "antigen"
TISSUE_BOOKS = (LOST, SHED, SPILLED, BROUGHT, DIED, LEFT, OWED)


def to_network(model: Model) -> Network:
    """The one network of all places, stirred, with one representative cell per type.

    Raises InputError when the receptors of a model clear more than was measured.
    """
    return NetworkWriter(model).write()


def to_batch(model: Model, varied: Mapping[str, Value]) -> tuple[Network, Value]:
    """The network with values for each member of a batch (see NetworkWriter), and which members
    have receptors that take up more than is cleared."""
    writer = NetworkWriter(model, varied)
    return writer.write(), writer.impossible


def what_may_vary(model: Model) -> dict[str, str]:
    """Path of all that a batch may vary -> its value in the model."""
    writer = NetworkWriter(model)
    network = writer.write()
    asked = {p.path: p.number.text for p in network.parameters if p.path and p.number}
    cells = {f"{identifier(key)}.count": f"{group.count}" for key, group in writer.groups.items()}
    volumes = {
        f"{identifier(key)}.volume": place.volume
        for key, place in model.places.items()
        if isinstance(place, Stirred) and place.volume != "plasma"
    }
    body = {}
    if model.body is not None:
        names = ("weight", "plasma", "whole_blood")
        body = {f"body.{name}": str(getattr(model.body, name)) for name in names}
    return {**asked, **cells, **volumes, **body}


def to_stirred(model: Model) -> Network:
    """The network of the places that are stirred, with an inflow per molecule from the tissue."""
    return NetworkWriter(model).write(without_tissue=True)


def to_cell(model: Model, group: str) -> Network:
    """The network of one cell of a group in a tissue, with ports to its surroundings."""
    return NetworkWriter(model).write_cell(group)


@dataclass(frozen=True)
class Group:
    """Cells of one program in one place: how many, and the number that says so."""

    program: Program
    place: str
    count: Value
    number: Number


def _groups(model: Model, build: Builder) -> dict[str, Group]:
    """Every group of cells, those that enter a tissue last as `CELLS in TISSUE` (none at first)."""
    groups = {}
    for key, cells in model.cells.items():
        count, number = count_of_cells(model, key)
        count *= build.factor(f"{identifier(key)}.count")
        if number.unit and _counts_in_blood(model, key):
            count *= build.factor("body.whole_blood")
        groups[key] = Group(load_program(cells.program), cells.place, count, number)
    for key, cells in model.cells.items():
        if cells.enters is not None:
            none = author_number("0", context=f"{key} in health")
            groups[entered(key, cells.enters)] = Group(groups[key].program, cells.enters, 0.0, none)
    return groups


def entered(key: str, tissue: str) -> str:
    """The group of cells that have entered a tissue."""
    return f"{key} in {tissue}"


class NetworkWriter:
    """Writes the equations of a declaration, whole or in the parts that a tissue needs.

    varied: factors on what a member of a batch may have of its own: numbers by path, `body.weight`,
    `body.plasma`, `body.whole_blood`, `PLACE.volume`, `CELLS.count`. impossible: which members
    have receptors that take up more than is cleared; one alone would raise InputError.
    """

    def __init__(self, model: Model, varied: Mapping[str, Value] = NOTHING) -> None:
        self.model, self.known = model, catalogue()
        weight = quantity(model.body.weight, "body mass") if model.body else None
        self.build = Builder(self.known, model.molecules, model.numbers, weight, varied)
        if model.body is not None:
            self.build.weight_kg = weight * self.build.factor("body.weight")
        self.impossible: Value = False
        self.volumes = {key: self._volume(key) for key in model.places}
        self.groups = _groups(model, self.build)
        self.programs = {key: group.program for key, group in self.groups.items()}
        self.changing = changing(model, self.programs)
        followed = set(model.molecules)
        self.complexes = [
            key for key in self.known.complexes if set(self.known.contents(key)) <= followed
        ]
        self.fluid = (*model.molecules, *self.complexes)

    def write(self, without_tissue: bool = False) -> Network:
        """All equations, or all but those of the tissue and its cells."""
        left_out = self.model.tissue if without_tissue else None
        self._gates()
        for place in self.model.places:
            if place != left_out:
                self._fluid(place)
                self._soluble_binding(place)
        for link in self.model.links:
            self._link(link, left_out)
        here = {key: group for key, group in self.groups.items() if group.place != left_out}
        for key, group in here.items():
            self._count(key, group)
        cells = {}
        for key, group in here.items():
            cells[key] = CellWriter(self.build, key, group.program, self._stirred(key))
            cells[key].write()
        if self.changing:
            places = {key: group.place for key, group in here.items()}
            Populations(self.build, self.model, cells, places, self.volumes).write()
        if self.model.plasma is not None:
            self._body(self.model.plasma)
        if self.model.tissue is not None and not without_tissue:
            self._only_in_space(self.model.tissue)
        return self.build.network()

    def _count(self, key: str, group: Group) -> None:
        """How many cells a group has: a parameter, or a species where it changes."""
        name = f"{identifier(key)}.count"
        if key in self.changing:
            self.build.add(name, "cells", group.count)
            self.build.constant(f"{name}_at_start", group.count, group.number)
        else:
            self.build.constant(name, group.count, group.number)

    def _only_in_space(self, tissue: str) -> None:
        """Bacteria and accounts that a tissue has in space; stirred, nothing changes them."""
        for microbe in microbes_of(self.model):
            self.build.add(f"{identifier(tissue)}.{identifier(microbe)}", "bacteria", scale=0.0)
        for molecule in self.model.molecules:
            for process in TISSUE_BOOKS:
                self.build.account(molecule, process)

    def write_cell(self, key: str) -> Network:
        """One cell: the surroundings are parameters, what it gives and takes is counted."""
        build, group = self.build, self.groups[key]
        self._gates()
        own, place = identifier(key), identifier(group.place)
        one = build.constant(f"{own}.pmol", 1.0)
        levels, stocks = {ANTIGEN: build.constant(f"{own}.{ANTIGEN}", 0.0)}, {}
        made = {name for name, p in group.program.products.items() if p.secretion is not None}
        bound = {name for r in group.program.receptors for name in self.known.receptors[r].binds}
        if group.program.equations is not None:
            bound |= {*group.program.equations.molecules}
        assembled = assemblies_of(self.known, group.program, self.fluid)
        bound |= {assembly.ligand for assembly in assembled.values()}
        for molecule in self.fluid:
            levels[molecule] = build.constant(f"{place}.{identifier(molecule)}", 0.0)
            if molecule not in made | bound:
                continue
            contents = self.known.contents(molecule)
            stocks[molecule] = f"{own}.outside_{identifier(molecule)}"
            build.add(stocks[molecule], "molecules/cell", pmol=one, contents=contents, scale=10.0)
        raised = dict.fromkeys(stocks, "1")
        around = Surroundings(levels, stocks, raised, one, self._touch(key))
        CellWriter(build, key, group.program, around).write()
        return build.network()

    def _gates(self) -> None:
        for molecule in self.model.molecules:
            self.build.constant(f"{identifier(molecule)}.gene", 1.0)
            molecule_gate(self.build, molecule)
        for group in self.groups.values():
            for receptor in group.program.receptors:
                self.build.constant(f"{identifier(receptor)}.open", 1.0)
            for ligand in group.program.presents:
                self.build.constant(f"{identifier(ligand)}.gene", 1.0)
                molecule_gate(self.build, ligand)

    def _stirred(self, key: str) -> Surroundings:
        group, own = self.groups[key], identifier(key)
        place = identifier(group.place)
        pmol = group.count / MOLECULES_PER_PMOL
        names = {molecule: self.level(group.place, molecule) for molecule in self.fluid}
        held, share = f"{own}.pmol", f"{own}.to_{place}"
        pooled = {m: self.volume(group.place, m) for m in self.fluid}
        raised = {
            m: share if volume == f"{place}.volume" else f"{own}.to_{identifier(m)}"
            for m, volume in pooled.items()
        }
        each = {held: "", share: f"{place}.volume"} | {raised[m]: v for m, v in pooled.items()}
        for name, volume in each.items():
            if key in self.changing:
                per = f"/{volume}" if volume else ""
                self.build.assignments[name] = f"{own}.count/{MOLECULES_PER_PMOL}{per}"
            else:
                self.build.constant(name, pmol / self.build.value(volume) if volume else pmol)
        return Surroundings(names, names, raised, held, self._touch(key))

    def _touch(self, key: str) -> dict[str, Touch]:
        """What cells of a group hear of the surface of others."""
        beside = [k for k, other in self.groups.items() if other.place == self.groups[key].place]
        if self.groups[key].place == self.model.tissue:
            return tissue_touch(self.build, self.programs, beside, key)
        return stirred_touch(self.build, self.model, self.programs, key)

    def is_pooled(self, place: str, molecule: str) -> bool:
        """Whether a fluid shares the one volume that a drug fills by its own kinetics."""
        entry = self.known.molecules.get(molecule)
        fills = entry is not None and entry.kinetics is not None and self.model.plasma is not None
        return fills and isinstance(self.model.places[place], Stirred)

    def level(self, place: str, molecule: str) -> str:
        """The species that is the concentration of a molecule in the fluid of a place."""
        if self.is_pooled(place, molecule):
            place = str(self.model.plasma)
        return f"{identifier(place)}.{identifier(molecule)}"

    def volume(self, place: str, molecule: str) -> str:
        """The parameter by which an amount of a molecule becomes a concentration there."""
        if self.is_pooled(place, molecule):
            return volume_name(molecule)
        return f"{identifier(place)}.volume"

    def _volume(self, key: str) -> Value:
        place = self.model.places[key]
        if isinstance(place, Tissue):
            share = self.known.tissues[place.of].fluid_fraction
            fluid = self.build.number(f"{place.of}.fluid_fraction", share, "number")
            return quantity(place.represents, "volume") * self.build.value(fluid)
        path = "body.plasma" if place.volume == "plasma" else f"{identifier(key)}.volume"
        return quantity(_volume_text(self.model, place), "volume") * self.build.factor(path)

    def _fluid(self, key: str) -> None:
        build, place = self.build, identifier(key)
        own = self.model.places[key]
        if isinstance(own, Stirred):
            text = _volume_text(self.model, own)
        else:
            text = f"{self.volumes[key]:.4g} L"
        number = author_number(text, context=f"volume of fluid in {key}")
        volume = build.constant(f"{place}.volume", self.volumes[key], number)
        healthy = is_healthy(self.model, key)
        for molecule in self.model.molecules:
            name, start = f"{place}.{identifier(molecule)}", 0.0
            if self.is_pooled(key, molecule):
                if key == self.model.plasma:
                    self._drug(molecule, name)
                continue
            if healthy:
                level = self.known.molecules[molecule].healthy_plasma
                form, path = self.known.active_form(molecule), f"{molecule}.healthy_plasma"
                start = build.value(build.number(path, level, "concentration", form))
            build.add(name, "pM", start, contents={molecule: 1}, pmol=volume)
            build.add(f"{LEDGER}.{identifier(molecule)}.given", "pmol", scale=0.0)
            if molecule in self._infused():
                rate = build.constant(f"{name}.infused", 0.0)
                build.react(f"{rate}/{volume}", {name: "1"}, "given")
            if isinstance(own, Tissue) and self.tissue_loss(molecule) > 0:
                loss = build.constant(f"{name}.loss", self.tissue_loss(molecule))
                build.react(f"{loss}*{name}", {name: "-1"}, LOST)
        for molecule in self.complexes:
            contents = self.known.contents(molecule)
            build.add(f"{place}.{identifier(molecule)}", "pM", contents=contents, pmol=volume)
        if key == self.model.plasma:
            self._depots()

    def _drug(self, molecule: str, name: str) -> None:
        """A drug in the plasma and all that shares its volume."""
        build, kinetics = self.build, self.known.molecules[molecule].kinetics
        assert kinetics is not None
        path = f"{molecule}.kinetics.volume"
        volume = build.number(path, kinetics.volume, "volume")
        build.constant(volume_name(molecule), build.value(volume))
        build.add(name, "pM", contents={molecule: 1}, pmol=volume_name(molecule))
        build.add(f"{LEDGER}.{identifier(molecule)}.given", "pmol", scale=0.0)
        if molecule in self._infused():
            rate = build.constant(f"{name}.infused", 0.0)
            build.react(f"{rate}/{volume}", {name: "1"}, "given")
        write_disposition(build, molecule, kinetics, name)

    def _depots(self) -> None:
        """What is given by other routes than into a fluid."""
        plasma = str(self.model.plasma)
        for molecule, route in self._routes():
            absorption = self.known.molecules[molecule].absorbed[route]
            names = self.level(plasma, molecule), self.volume(plasma, molecule)
            write_depot(self.build, molecule, route, absorption, *names)

    def tissue_loss(self, molecule: str) -> Value:
        """The rate (1/min) at which a molecule is lost in the fluid of a tissue."""
        half_life = self.known.molecules[molecule].tissue_half_life
        if half_life is None:
            return 0.0
        name = self.build.number(f"{molecule}.tissue_half-life", half_life, "duration")
        return np.log(2) / self.build.value(name)

    def _infused(self) -> set[str]:
        return {self.known.find(give.give) for give in self.model.gifts if give.over}

    def _routes(self) -> list[tuple[str, Route]]:
        """Each molecule and each route by which it is given, once."""
        gifts = [(self.known.find(g.give), g.route) for g in self.model.gifts if g.route]
        return list(dict.fromkeys(gifts))

    def _soluble_binding(self, key: str) -> None:
        build, place = self.build, identifier(key)
        for name in self.complexes:
            entry = self.known.complexes[name]
            kd = build.number(f"{name}.Kd", entry.kd, "concentration")
            kon = build.number(f"{name}.kon", entry.kon, "association rate")
            first, second = (self.level(key, part) for part in entry.parts)
            here, bound = f"{place}.volume", f"{place}.{identifier(name)}"
            volumes = [self.volume(key, part) for part in entry.parts]
            one, other = ("1" if volume == here else f"{here}/{volume}" for volume in volumes)
            gate = "*".join(molecule_gate(build, part) for part in entry.parts)
            bind = {first: f"-{one}", second: f"-{other}", bound: "1"}
            build.react(f"{gate}*{kon}*{first}*{second}", bind)
            build.react(f"{kd}*{kon}*{bound}", {first: one, second: other, bound: "-1"})

    def _link(self, link: Link, left_out: str | None) -> None:
        build = self.build
        if left_out in link.between:
            there = next(place for place in link.between if place != left_out)
            for molecule in self.fluid:
                name = self.level(there, molecule)
                inflow = build.constant(f"{name}.inflow", 0.0)
                build.react(f"{inflow}/{self.volume(there, molecule)}", {name: "1"})
            return
        first, second = link.between
        flows = {there: f"{identifier(first)}.flow_{identifier(second)}" for there in link.between}
        if link.back is not None:
            flows[first] = f"{identifier(second)}.flow_{identifier(first)}"
        for there, text in ((second, link.flow), (first, link.back)):
            if text is not None:
                value = quantity(text, "clearance", weight_kg=build.weight_kg)
                number = author_number(text, context=f"flow between {first} and {second}")
                build.constant(flows[there], value, number)
        for molecule in self.fluid:
            if all(self.is_pooled(place, molecule) for place in link.between):
                continue
            ways = zip(
                self.passage(link, molecule), (link.between, link.between[::-1]), strict=True
            )
            for clearance, (here, there) in ways:
                a, b, own = identifier(here), identifier(there), identifier(molecule)
                passed = flows[there]
                if link.flow is None:
                    passed = build.constant(f"{a}.{own}.to_{b}", clearance)
                out, into = (self.volume(place, molecule) for place in (here, there))
                changes = {
                    self.level(here, molecule): f"-1/{out}",
                    self.level(there, molecule): f"1/{into}",
                }
                build.react(f"{passed}*{self.level(here, molecule)}", changes)

    def passage(self, link: Link, molecule: str) -> tuple[Value, Value]:
        """Clearances (L/min) of a molecule from the first place of a link to the second, and back.

        Past a barrier lymph brings back to the stirred place what was filtered into the tissue.
        """
        if link.flow is not None:
            flow = quantity(link.flow, "clearance", weight_kg=self.build.weight_kg)
            back = quantity(link.back or link.flow, "clearance", weight_kg=self.build.weight_kg)
            return flow, back
        tissue = next(key for key in link.between if isinstance(self.model.places[key], Tissue))
        radius = molecular_radius(self.known.active_form(molecule).kda)
        back = into = self.through_faces(tissue, radius)
        if link.barrier is not None:
            lymph = self.lymph(tissue)
            walls = exchange(self.wall(link), radius, lymph / CUBIC_MICROMETRE)
            into += walls[0] * CUBIC_MICROMETRE
            back += walls[1] * CUBIC_MICROMETRE + lymph
        ways = (back, into)
        return ways if link.between[0] == tissue else ways[::-1]

    def diffusion(self, tissue: str, radius: float) -> Value:
        """The diffusion (um^2/min) of a molecule of a radius (um) in the fluid of a tissue."""
        place = self.model.places[tissue]
        assert isinstance(place, Tissue)
        share = self.known.tissues[place.of].hindrance
        hindrance = self.build.number(f"{place.of}.hindrance", share, "number")
        return self.build.value(hindrance) * free_diffusion(radius)

    def through_faces(self, tissue: str, radius: float) -> Value:
        """The clearance (L/min) through the open faces of all that a tissue stands for."""
        place = self.model.places[tissue]
        assert isinstance(place, Tissue)
        if place.faces != "open":
            return 0.0
        share = self.build.value(f"{identifier(place.of)}.fluid_fraction")
        half_voxel = quantity(place.voxel, "length") / 2
        x, y, z = place.lengths
        surface = 2 * (x * y + y * z + z * x)
        each = share * self.diffusion(tissue, radius) * surface / half_voxel
        return each * CUBIC_MICROMETRE * place.scale

    def lymph(self, tissue: str) -> Value:
        """The lymph (L/min) that leaves all of the tissue."""
        place = self.model.places[tissue]
        assert isinstance(place, Tissue)
        per_volume = self.known.tissues[place.of].lymph
        name = self.build.number(f"{place.of}.lymph", per_volume, "flow per volume")
        return self.build.value(name) * quantity(place.represents, "volume")

    def wall(self, link: Link) -> Wall:
        """The barrier of a link in internal units."""
        key, build = str(link.barrier), self.build
        barrier, surface = self.known.barriers[key], quantity(str(link.surface), "area")
        kinds = ("length", "length", "number", "hydraulic conductivity")
        parts = ("small_pore", "large_pore", "large_share", "conductance")
        values = [
            build.value(build.number(f"{key}.{part}", getattr(barrier, part), kind))
            for part, kind in zip(parts, kinds, strict=True)
        ]
        small, large, share, conductance = values
        return Wall(small, large, share, conductance * surface)

    def _body(self, plasma: str) -> None:
        build, place, problems = self.build, identifier(plasma), []
        for molecule in self.model.molecules:
            here, own = f"{place}.{identifier(molecule)}", identifier(molecule)
            number = self.known.molecules[molecule].clearance
            measured = build.value(build.number(f"{molecule}.clearance", number, "clearance"))
            linear = self.known.molecules[molecule].kinetics is not None
            counted = 0.0 if linear else self.low_dose_uptake(molecule, plasma)
            if self.build.varied:
                self.impossible = self.impossible | (counted > measured)
            elif counted > measured:
                rule = f"receptors that face plasma take up {counted:.3g} L/min,"
                rule += f" more than the measured {measured:.3g} L/min."
                instead = "Lower receptors per cell or cells, or mend the clearance."
                problems.append(Problem(f"{molecule}.clearance", rule, instead))
            rest = build.constant(f"{own}.remainder", measured - counted)
            volume = self.volume(plasma, molecule)
            build.react(f"{rest}/{volume}*{here}", {here: "-1"}, "cleared from plasma")
            kinetics = self.known.molecules[molecule].kinetics
            if kinetics is not None and kinetics.saturable is not None:
                taken = self._taken_at_most(molecule)
                write_saturable(build, molecule, kinetics.saturable, here, taken)
            made = build.constant(f"{own}.{REST}", 0.0)
            build.react(f"{made}/{volume}", {here: "1"}, "made by the rest of the body")
        for name in self.complexes:
            number, here = self.known.complexes[name].clearance, f"{place}.{identifier(name)}"
            clearance = build.number(f"{name}.clearance", number, "clearance")
            build.react(f"{clearance}/{place}.volume*{here}", {here: "-1"}, "cleared from plasma")
        if problems:
            raise InputError(problems)

    def low_dose_uptake(self, molecule: str, plasma: str) -> Value:
        """Clearance (L/min) of a trace in plasma by all receptors, through the links to them.

        Solves the steady trace level of every place with plasma held at 1:
        sum_b (Q_ba c_b - Q_ab c_a) = U_a c_a.
        """
        places = list(self.model.places)
        size = len(places)
        flow = [[0.0] * size for _ in places]
        for link in self.model.links:
            a, b = (places.index(place) for place in link.between)
            there, back = self.passage(link, molecule)
            flow[a][b] = flow[a][b] + there
            flow[b][a] = flow[b][a] + back
        uptake = [self._uptake_in(place, molecule) for place in places]
        every = np.broadcast_arrays(*(rate for row in flow for rate in row), *uptake)
        values = np.stack(every, axis=-1)
        rates = values[..., : size * size].reshape(*values.shape[:-1], size, size)
        taken = values[..., size * size :]
        balance = np.eye(size) * (rates.sum(axis=-1) + taken)[..., None] - rates.swapaxes(-1, -2)
        held = places.index(plasma)
        others = [i for i in range(size) if i != held and rates[..., i, :].any()]
        level = np.zeros_like(taken)
        level[..., held] = 1.0
        if others:
            inner = balance[..., others, :][..., others]
            level[..., others] = np.linalg.solve(inner, rates[..., held, others][..., None])[..., 0]
        return (taken * level).sum(axis=-1)

    def _taken_at_most(self, molecule: str) -> Value:
        """What all receptors take up when each is bound (pmol/min): what is made of them."""
        build = self.build
        total: Value = 0.0
        for group in self.groups.values():
            for name, carried in group.program.receptors.items():
                if molecule in self.known.receptors[name].binds:
                    path = f"{group.program.program}.receptors.{name}.per_cell"
                    sites = build.value(build.number(path, carried.per_cell, "molecules"))
                    turnover = self.known.receptors[name].turnover
                    half_life = build.number(f"{name}.turnover", turnover, "duration")
                    made = group.count * sites / MOLECULES_PER_PMOL
                    total = total + made * np.log(2) / build.value(half_life)
        return total

    def _uptake_in(self, place: str, molecule: str) -> Value:
        """sum over cells and receptors of N R0 kon kint / (koff + kint), in L/min."""
        build = self.build
        total: Value = 0.0
        place_of = self.model.places[place]
        for group in self.groups.values():
            receptors = group.program.receptors if group.place == place else {}
            for name, carried in receptors.items():
                if molecule in self.known.receptors[name].binds:
                    names = binding_parameters(build, name, molecule)
                    kd, kon, kint = (build.value(parameter) for parameter in names)
                    path = f"{group.program.program}.receptors.{name}.per_cell"
                    sites = build.value(build.number(path, carried.per_cell, "molecules"))
                    pmol = group.count * sites / MOLECULES_PER_PMOL
                    total = total + pmol * kon * kint / (kd * kon + kint)
            for key, assembly in assemblies_of(self.known, group.program, [molecule]).items():
                if group.place == place:
                    each = trace_uptake(build, group.program, key, assembly)
                    total = total + group.count * each / MOLECULES_PER_PMOL
        if isinstance(place_of, Tissue):
            total = total + self.tissue_loss(molecule) * self.volumes[place]
        return total


def microbes_of(model: Model) -> list[str]:
    """The pathogens that the events of a model bring in, in their order."""
    infections = (event for event in model.all_events if isinstance(event, Infect))
    return list(dict.fromkeys(event.bacteria for event in infections))


def _volume_text(model: Model, place: Stirred) -> str:
    return model.body.plasma if place.volume == "plasma" and model.body else place.volume


def is_healthy(model: Model, key: str) -> bool:
    """Whether a place begins with the levels of healthy plasma."""
    place = model.places[key]
    return isinstance(place, Stirred) and (key == model.plasma or place.filled_with is not None)


def held_species(model: Model, network: Network) -> dict[str, str]:
    """Molecules in healthy fluids, by the species that is held while cells settle."""
    names = {
        f"{identifier(key)}.{identifier(molecule)}": molecule
        for key in model.places
        if is_healthy(model, key)
        for molecule in model.molecules
    }
    return {name: molecule for name, molecule in names.items() if network.has(name)}


def count_of_cells(model: Model, key: str) -> tuple[float, Number]:
    """How many cells of a type there are in all that a place stands for, and what says so.

    A concentration counts per litre of whole blood in the body's plasma, else per litre of place.
    """
    cells = model.cells[key]
    text, place = cells.count or cells.concentration, model.places[cells.place]
    number, path = load_program(cells.program).healthy_count, f"{cells.program}.healthy_count"
    if path.replace(" ", "_") in model.numbers:
        number = author_number(model.numbers[path.replace(" ", "_")], context=f"{key} in health")
    if text is not None:
        number = author_number(text, context=f"{key} of the model")
    scale = place.scale if isinstance(place, Tissue) else 1.0
    if cells.at:
        return len(cells.at) * scale, author_number(f"{len(cells.at)}", f"{key} of the model")
    assert number is not None
    if not number.unit:
        return number.read("number") * scale, number
    if isinstance(place, Tissue):
        return number.read("cell concentration") * quantity(place.represents, "volume"), number
    in_blood = model.body is not None and _counts_in_blood(model, key)
    volume = model.body.whole_blood if in_blood and model.body else _volume_text(model, place)
    return number.read("cell concentration") * quantity(volume, "volume"), number


def _counts_in_blood(model: Model, key: str) -> bool:
    """Whether a concentration of these cells is per litre of whole blood."""
    return model.cells[key].place == model.plasma
