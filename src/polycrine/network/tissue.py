"""Model -> what a tissue in space is made of: fields, walls, cells with their ports, bacteria.

Lengths are um, times min, concentrations pM; a clearance per cell or voxel is um^3/min. One pM in
one um^3 is MOLECULES molecules.
"""

import re
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from polycrine.catalogue.entries import Number
from polycrine.catalogue.library import Catalogue, catalogue
from polycrine.model.model import Model, Tissue
from polycrine.model.programs import Program
from polycrine.network.barriers import molecular_radius
from polycrine.network.builder import LEDGER
from polycrine.network.cells import molecule_gate
from polycrine.network.network import Network, Parameter, identifier
from polycrine.network.places import ANTIGEN, NetworkWriter, microbes_of, to_cell
from polycrine.network.touch import strength, touch_name
from polycrine.units import CUBIC_MICROMETRE, MOLECULES_PER_PMOL, quantity

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
MOLECULES = MOLECULES_PER_PMOL * CUBIC_MICROMETRE


class Ports(NamedTuple):
    """How a cell's network meets the fluid: positions in its state and parameters.

    molecule: fields that it exchanges, with `outside`, the species that counts them; hears: fields
    that it hears, with `level`, their parameters; antigen: its parameter, or -1. For each pair of
    receptor and ligand: `pair` (which exchanged molecule), receptor and complex (species), and the
    parameters kon, Kd, kint, with the gates of its ligand (rows of parameters, -1: none). For each
    exchanged molecule that is made: its pool inside, accounts of what was made and spoilt there.
    """

    molecule: Ints
    outside: Ints
    hears: Ints
    level: Ints
    antigen: int
    pair: Ints
    receptor: Ints
    bound: Ints
    kon: Ints
    kd: Ints
    kint: Ints
    gates: Ints
    pool: Ints
    made: Ints
    spoilt: Ints


class Shown(NamedTuple):
    """A ligand on the surface of cells: how many at most and whether they have its gene (rows of
    parameters), and which share of them there is now (species; -1: all)."""

    ligand: str
    most: int
    gene: int
    share: int


class Felt(NamedTuple):
    """A ligand that cells hear on those that touch them: how much (a parameter), and the species
    that counts those which were taken in."""

    ligand: str
    level: int
    taken: int


@dataclass(frozen=True)
class Kind:
    """Cells of one kind in a tissue: their network and ports, and what they do in space.

    toward: receptors (species) that it follows, with the difference of occupied ones between front
    and back that gives half of the bias; admits: cells of the blood that it lets in, by which
    species, and how much blood (um^3/min) it then clears of them; spills: fields and molecules.
    """

    key: str
    network: Network
    ports: Ports
    count: int
    radius: float
    speed: float
    persistence: float
    toward: tuple[tuple[int, float], ...]
    lifetime: float
    egress: float
    engulfs: float
    holds: float
    admits: tuple[tuple[str, int, float], ...]
    spills: tuple[tuple[int, float], ...]
    shows: tuple[Shown, ...] = ()
    feels: tuple[Felt, ...] = ()

    @property
    def makes(self) -> Ints:
        """The fields of what it makes."""
        return np.asarray(self.ports.molecule[self.ports.pool >= 0])


@dataclass(frozen=True)
class Microbes:
    """Bacteria as a density: growth (1/min), capacity (1/um^3), and what each sheds or spills."""

    key: str
    growth: float
    capacity: float
    spread: float
    sheds: tuple[tuple[int, float], ...]
    spills: tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class Space:
    """A tissue and what is in it.

    fluid: molecules and complexes with a field; followed: for each the cytokine in it whose senders
    are told apart (its field, or -1); diffusion and loss of each; parts: for each
    complex the fields of its parts and itself, its kon, koff and gates; touch: what one ligand on a
    touching cell is heard as (pM; hearing kind, showing kind); into and back: exchange
    with the blood per volume of tissue (1/min); opened_by: field, half (pM) and fold; parameters:
    the numbers behind all of it.
    """

    key: str
    bath: str
    voxel: float
    shape: tuple[int, int, int]
    periodic: bool
    open_faces: bool
    fluid_fraction: float
    scale: float
    fluid: tuple[str, ...]
    followed: Ints
    diffusion: Floats
    loss: Floats
    into: Floats
    back: Floats
    opened_by: tuple[tuple[int, float, float], ...]
    torn: float
    parts: Ints
    kon: Floats
    koff: Floats
    gates: tuple[tuple[str, ...], ...]
    kinds: tuple[Kind, ...]
    touch: Floats
    microbes: Microbes | None
    parameters: tuple[Parameter, ...]

    @property
    def ligands(self) -> tuple[str, ...]:
        """What cells hear of one another's surface."""
        return tuple(dict.fromkeys(felt.ligand for kind in self.kinds for felt in kind.feels))

    @property
    def volume(self) -> float:
        """The volume of a voxel in um^3."""
        return self.voxel**3


def to_space(model: Model) -> Space:
    """What the tissue of a model is made of."""
    key = str(model.tissue)
    place = model.places[key]
    assert isinstance(place, Tissue)
    writer = NetworkWriter(model)
    build, known, fluid = writer.build, writer.known, writer.fluid
    index = {name: i for i, name in enumerate(fluid)}
    entry = known.tissues[place.of]

    def value(path: str, number: Number, kind: str) -> float:
        return float(build.value(build.number(path, number, kind)))

    radii = [molecular_radius(known.active_form(name).kda) for name in fluid]
    represents = quantity(place.represents, "volume")
    into, back = np.zeros(len(fluid)), np.zeros(len(fluid))
    opened_by: list[tuple[int, float, float]] = []
    bath, torn = "", 1.0
    for link in model.links:
        if key in link.between:
            bath = next(name for name in link.between if name != key)
            ways = [writer.passage(link, name) for name in fluid]
            faces = np.array([writer.through_faces(key, radius) for radius in radii])
            out = 0 if link.between[0] == key else 1
            back += (np.array([way[out] for way in ways]) - faces) / represents
            into += (np.array([way[1 - out] for way in ways]) - faces) / represents
            if link.barrier is not None:
                barrier, path = known.barriers[link.barrier], link.barrier
                torn = value(f"{path}.torn", barrier.torn, "number")
                for name, opening in barrier.opened_by.items():
                    if name in index:
                        here = f"{path}.opened_by.{name}"
                        half = value(f"{here}.half", opening.half, "concentration")
                        fold = value(f"{here}.fold", opening.fold, "number")
                        opened_by.append((index[name], half, fold))
    parts, kon, koff, gates = _complexes(writer, index)
    kinds = tuple(
        _kind(model, writer, name, index) for name, g in writer.groups.items() if g.place == key
    )
    microbes = _microbes(model, writer, index)
    return Space(
        key=key,
        bath=bath,
        voxel=quantity(place.voxel, "length"),
        shape=place.shape,
        periodic=place.faces == "periodic",
        open_faces=place.faces == "open",
        fluid_fraction=value(f"{place.of}.fluid_fraction", entry.fluid_fraction, "number"),
        scale=place.scale,
        fluid=fluid,
        followed=np.array([_cytokine_in(model, known, name, index) for name in fluid]),
        diffusion=np.array([writer.diffusion(key, radius) for radius in radii]),
        loss=np.array([writer.tissue_loss(n) if n in known.molecules else 0.0 for n in fluid]),
        into=into,
        back=back,
        opened_by=tuple(opened_by),
        torn=torn,
        parts=parts,
        kon=kon,
        koff=koff,
        gates=gates,
        kinds=kinds,
        touch=_touch(writer, [kind.key for kind in kinds]),
        microbes=microbes,
        parameters=tuple(p for p in build.parameters.values() if p.number is not None),
    )


def parameters_of(model: Model, network: Network) -> tuple[Parameter, ...]:
    """Every parameter with a number behind a model: of its whole network, and of what only a tissue
    in space needs."""
    known = [p for p in network.parameters if p.number is not None]
    names = {p.name for p in known}
    further = to_space(model).parameters if model.tissue is not None else ()
    return (*known, *(p for p in further if p.name not in names))


def _complexes(
    writer: NetworkWriter, index: dict[str, int]
) -> tuple[Ints, Floats, Floats, tuple[tuple[str, ...], ...]]:
    """For each complex the fields of its parts and itself, its kon and koff, and its gates."""
    build, rows, rates, gates = writer.build, [], [], []
    for name in writer.complexes:
        entry = writer.known.complexes[name]
        kd = build.value(build.number(f"{name}.Kd", entry.kd, "concentration"))
        kon = build.value(build.number(f"{name}.kon", entry.kon, "association rate"))
        rows.append([index[entry.parts[0]], index[entry.parts[1]], index[name]])
        rates.append((kon, kd * kon))
        gates.append(tuple(g for p in entry.parts for g in molecule_gate(build, p).split("*")))
    kon_koff = np.array(rates, dtype=np.float64).reshape(-1, 2)
    parts = np.array(rows, dtype=np.int64).reshape(-1, 3)
    return parts, kon_koff[:, 0].copy(), kon_koff[:, 1].copy(), tuple(gates)


def _cytokine_in(model: Model, known: Catalogue, name: str, index: dict[str, int]) -> int:
    return next((index[part] for part in known.contents(name) if part in model.cytokines), -1)


def _kind(model: Model, writer: NetworkWriter, name: str, index: dict[str, int]) -> Kind:
    group, network, build = writer.groups[name], to_cell(model, name), writer.build
    program = group.program
    path = program.program.replace(" ", "_")

    def value(part: str, number: Number | None, kind: str, missing: float = 0.0) -> float:
        if number is None:
            return missing
        return float(build.value(build.number(f"{path}.{part}", number, kind)))

    walk = program.walk
    toward = walk.toward.items() if walk else ()
    own = identifier(name)
    place = model.places[group.place]
    assert isinstance(place, Tissue)
    return Kind(
        key=name,
        network=network,
        ports=_ports(network, own, identifier(group.place), index),
        count=round(group.count / place.scale),
        radius=value("radius", program.radius, "length"),
        speed=value("walk.speed", walk.speed, "speed") if walk else 0.0,
        persistence=value("walk.persistence", walk.persistence, "duration") if walk else np.inf,
        toward=tuple(
            (
                network.index(f"{own}.{identifier(r)}"),
                value(f"walk.toward.{r}", number, "molecules"),
            )
            for r, number in toward
        ),
        lifetime=value("lifetime", program.lifetime, "duration", np.inf),
        egress=value("egress", program.egress, "duration", np.inf),
        engulfs=value("engulfs", program.engulfs, "cell clearance"),
        holds=value("holds", program.holds, "number", np.inf),
        admits=tuple(
            (
                _entering(model, cells),
                network.index(f"{own}.{identifier(admission.by)}"),
                value(f"admits.{cells}.clearance", admission.clearance, "cell clearance"),
            )
            for cells, admission in program.admits.items()
            if _entering(model, cells)
        ),
        spills=tuple(
            (index[m], value(f"spills.{m}", number, "molecules"))
            for m, number in program.spills.items()
            if m in index
        ),
        shows=_shows(network, own, program),
        feels=_feels(network, own),
    )


def _shows(network: Network, own: str, program: Program) -> tuple[Shown, ...]:
    path, found = program.program.replace(" ", "_"), []
    for ligand in program.presents:
        most = f"{path}.presents.{identifier(ligand)}"
        if most in network.parameter_names:
            share = f"{own}.{identifier(ligand)}"
            at = network.index(share) if network.has(share) else -1
            gene = network.parameter_index(f"{identifier(ligand)}.gene")
            found.append(Shown(ligand, network.parameter_index(most), gene, at))
    return tuple(found)


def _feels(network: Network, own: str) -> tuple[Felt, ...]:
    found = []
    for ligand in catalogue().molecules:
        level = touch_name(own, ligand)
        if level in network.parameter_names:
            end = f"_{identifier(ligand)}_touch_taken"
            names = [species.name for species in network.species]
            taken = next(k for k, name in enumerate(names) if name.endswith(end))
            found.append(Felt(ligand, network.parameter_index(level), taken))
    return tuple(found)


def _touch(writer: NetworkWriter, kinds: list[str]) -> Floats:
    programs = [writer.programs[key] for key in kinds]
    if not any(program.presents for program in programs):
        return np.zeros((len(kinds), len(kinds)))
    return np.array(
        [[strength(writer.build, a, b) for b in programs] for a in programs], dtype=float
    )


def _entering(model: Model, program: str) -> str:
    """The cells of a program that the model lets enter its tissue."""
    names = (k for k, cells in model.cells.items() if cells.program == program and cells.enters)
    return next(names, "")


def _ports(network: Network, own: str, place: str, index: dict[str, int]) -> Ports:
    words = set()
    for text in [r.rate for r in network.reactions] + [text for _, text in network.assignments]:
        words |= set(re.findall(r"[A-Za-z_][\w.]*", text))
    fields = {identifier(name): i for name, i in index.items()}
    exchanged = [name for name in fields if network.has(f"{own}.outside_{name}")]
    heard = [name for name in fields if f"{place}.{name}" in words]
    at, species = network.parameter_index, network.index
    pairs, known = [], catalogue()
    names = {identifier(name): name for name in (*known.molecules, *known.complexes)}
    for receptor in known.receptors:
        for k, name in enumerate(exchanged):
            free = f"{own}.{identifier(receptor)}"
            if not network.has(f"{free}_{name}"):
                continue
            rates = [
                f"{identifier(receptor)}.binds.{name}.{part}"
                for part in ("kon", "Kd", "internalisation")
            ]
            gates = [f"{identifier(part)}.unblocked" for part in known.contents(names[name])]
            gates = [f"{identifier(receptor)}.open", *gates]
            places = [at(gate) for gate in gates] + [-1] * (4 - len(gates))
            pairs.append((k, species(free), species(f"{free}_{name}"), *map(at, rates), *places))
    columns = np.array(pairs, dtype=np.int64).reshape(-1, 10)

    def found(name: str) -> int:
        return species(name) if network.has(name) else -1

    accounts = [f"{LEDGER}.{name}" for name in exchanged]
    antigen = f"{own}.{ANTIGEN}"
    return Ports(
        molecule=np.array([fields[name] for name in exchanged], dtype=np.int64),
        outside=np.array([species(f"{own}.outside_{name}") for name in exchanged], dtype=np.int64),
        hears=np.array([fields[name] for name in heard], dtype=np.int64),
        level=np.array([at(f"{place}.{name}") for name in heard], dtype=np.int64),
        antigen=at(antigen) if antigen in words else -1,
        pair=columns[:, 0],
        receptor=columns[:, 1],
        bound=columns[:, 2],
        kon=columns[:, 3],
        kd=columns[:, 4],
        kint=columns[:, 5],
        gates=columns[:, 6:],
        pool=np.array([found(f"{own}.{name}_inside") for name in exchanged], dtype=np.int64),
        made=np.array([found(f"{name}.made_by_{own}") for name in accounts], dtype=np.int64),
        spoilt=np.array([found(f"{name}.lost_inside_{own}") for name in accounts], dtype=np.int64),
    )


def _microbes(model: Model, writer: NetworkWriter, index: dict[str, int]) -> Microbes | None:
    keys = microbes_of(model)
    if not keys:
        return None
    entry, build = writer.known.microbes[keys[0]], writer.build

    def value(part: str, number: Number, kind: str) -> float:
        return float(build.value(build.number(f"{keys[0]}.{part}", number, kind)))

    return Microbes(
        key=keys[0],
        growth=value("growth", entry.growth, "rate"),
        capacity=value("capacity", entry.capacity, "cell concentration") * CUBIC_MICROMETRE,
        spread=value("spread", entry.spread, "diffusion"),
        sheds=tuple(
            (index[m], value(f"sheds.{m}", number, "secretion"))
            for m, number in entry.sheds.items()
            if m in index
        ),
        spills=tuple(
            (index[m], value(f"spills.{m}", number, "molecules"))
            for m, number in entry.spills.items()
            if m in index
        ),
    )
