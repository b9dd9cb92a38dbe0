"""A tissue on its way: its fields, cells, bacteria and blood, and the settings of its steps."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from polycrine.engine.cells import Batch
from polycrine.engine.multigrid import Grid, make_grid
from polycrine.engine.stirred import Member, Tolerances
from polycrine.network.code import Code
from polycrine.network.network import Network
from polycrine.network.tissue import Space

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Settings:
    """Tolerances of a tissue: of fields and cells per step, of their agreement, of the solver.

    step: share of a molecule, beyond `level` (pM), that a step may misplace; coupling: share of
    what is exchanged on which cells and field may differ; solver: residual of a solve; relative
    and absolute: of the cells' networks; longest: largest step (min), which is also the grid of
    all steps; after_event: step after a dose; tick: time between moves (min); sweeps and cycles:
    most that are tried.
    """

    step: float = 1e-2
    level: float = 1.0
    coupling: float = 1e-2
    solver: float = 1e-4
    relative: float = 1e-4
    absolute: float = 1e-4
    longest: float = 2.0
    shortest: float = 2.0**-10
    after_event: float = 2.0**-4
    tick: float = 0.5
    sweeps: int = 8
    cycles: int = 60


@dataclass
class Bath:
    """The stirred places beside a tissue as one member, and where the tissue meets them.

    level: species of each fluid molecule in the place that bathes the tissue; inflow: parameters
    of what the tissue gives to it; blood_cells: for cells that can enter, the species of their
    network and those of the same cells in the blood; slope: how fast levels changed last (pM/min).
    """

    network: Network
    code: Code
    member: Member
    scales: Floats
    tolerances: Tolerances
    level: Ints
    inflow: Ints
    blood_cells: dict[str, tuple[Ints, Ints]]
    slope: Floats


@dataclass
class Tissue:
    """A tissue on its way: everything that decides how it goes on.

    fields: pM (fluid, z, y, x); bacteria: per um^3 (z, y, x); torn: share of each voxel that is
    injured; outer: its open faces; leukocytes: cells left in the blood, of blood_volume (um^3);
    aimless: cells without chemotaxis; step: proposed (min); log: how often what happened; books:
    molecules that came or went by a process, in the piece; past: ledgers of cells that are gone, by
    kind. tags: parts of fields by sender, in rows (fluid, sender) of `row_of`; captured: molecules
    taken in since the start (fluid, sender, receiver); touched: ligands that were taken in from
    touching cells (ligand, kind of sender, kind of receiver).
    """

    space: Space
    grid: Grid
    settings: Settings
    seed: int
    fields: Floats
    bacteria: Floats
    torn: Floats
    batches: list[Batch]
    bath: Bath | None
    leukocytes: dict[str, float]
    aimless: frozenset[str] = frozenset()
    blood_volume: float = 1.0
    outer: Floats = field(default_factory=lambda: np.zeros((1, 1, 1)))
    time: float = 0.0
    step: float = 2.0**-4
    next_id: int = 0
    log: dict[str, float] = field(default_factory=dict)
    tags: Floats = field(default_factory=lambda: np.zeros((0, 1, 1, 1)))
    row_of: Ints = field(default_factory=lambda: np.zeros((0, 0), dtype=np.int64))
    captured: Floats = field(default_factory=lambda: np.zeros((0, 0, 0)))
    touched: Floats = field(default_factory=lambda: np.zeros((0, 0, 0)))
    books: dict[str, Floats] = field(default_factory=dict)
    past: dict[str, Floats] = field(default_factory=dict)

    def note(self, what: str, amount: float = 1.0) -> None:
        """Count what happened."""
        self.log[what] = self.log.get(what, 0.0) + amount

    def binding(self) -> Floats:
        """1 for each pair of soluble partners that can bind, 0 where one is blocked."""
        if self.bath is None:
            return np.ones(len(self.space.kon))
        network, values = self.bath.network, self.bath.member.parameters
        gates = [[network.parameter_index(g) for g in names] for names in self.space.gates]
        return np.array([np.prod(values[rows]) for rows in gates])

    def book(self, process: str, molecules: Floats) -> None:
        """Enter molecules (per field) that came or went by a process."""
        none = np.zeros(len(self.space.fluid))
        self.books[process] = self.books.get(process, none) + molecules

    def contents(self, batch: Batch, states: Floats) -> Floats:
        """Molecules of each kind (rows of fluid) that cells in these states hold."""
        held = np.zeros(len(self.space.fluid))
        for k, species in enumerate(batch.kind.network.species):
            if ".outside_" not in species.name:
                for name, count in species.contents:
                    held[self.space.fluid.index(name)] += count * states[:, k].sum()
        return held

    def keep_books(self, batch: Batch, states: Floats, left: Floats, process: str) -> None:
        """Book what cells that leave hold and are owed, and keep their ledgers."""
        held = self.contents(batch, states)
        held[batch.kind.ports.molecule] += left.sum(axis=0)
        self.book(process, -held)
        key = batch.kind.key
        self.past[key] = self.past.get(key, np.zeros(states.shape[1])) + states.sum(axis=0)

    def blood_state(self, key: str, batch: Batch) -> Floats:
        """The state of the cells of a kind in the blood, as those have that enter."""
        state = batch.resting.copy()
        if self.bath is not None and key in self.bath.blood_cells:
            here, there = self.bath.blood_cells[key]
            state[here] = self.bath.member.state[there]
        return state

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along z, y and x."""
        return self.space.shape


def outer_faces(shape: tuple[int, int, int]) -> Floats:
    """How many faces of each voxel lie on the outside."""
    count = np.zeros(shape)
    for axis in range(3):
        ends = np.moveaxis(count, axis, 0)
        ends[0] += 1
        ends[-1] += 1
    return count


def make_tissue(space: Space, settings: Settings, seed: int, start: Floats) -> Tissue:
    """A tissue without cells, whose fields hold `start` (pM per molecule) everywhere."""
    grid = make_grid(space.shape, (space.periodic,) * 3)
    fields = np.ones((len(start), *space.shape)) * start[:, None, None, None]
    empty = (np.zeros(space.shape), np.zeros(space.shape))
    tissue = Tissue(space, grid, settings, seed, fields, *empty, [], None, {})
    tissue.outer = outer_faces(space.shape) if space.open_faces else np.zeros(space.shape)
    tissue.row_of = np.full((len(start), 1), -1, dtype=np.int64)
    tissue.touched = np.zeros((len(space.ligands), len(space.kinds), len(space.kinds)))
    return tissue
