"""How far a cell's signal reaches: the share that it hears itself, and the niche around it.

With receptors as they are now, the steady field of what one cell gives says where it is captured.
Up to a number of cells each has a solve of its own. Beyond, cells that are far apart share one,
half of them with the other sign, so that what each hears of the others cancels but for an error,
which is measured on cells that are also solved alone.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from polycrine.engine.exchange import Exchange
from polycrine.engine.fields import TOLD, make_room, steady_field
from polycrine.engine.kernel import deposit, sample
from polycrine.engine.tissue import Tissue

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
ALONE = 2000
PROBES, BLOCK, RINGS = 16, 6, 64
SOLVED = 1e-4


@dataclass(frozen=True)
class Reach:
    """What cells of a kind make of a molecule and who captures it, in shares of what is made.

    same_cell: by the cell itself, weighted by secretion; error: relative error of it;
    half_radius: distance (um) within which half of what cells capture is captured.
    """

    molecule: str
    sender: str
    same_cell: float
    error: float
    half_radius: float


def reaches(tissue: Tissue, pool: ThreadPoolExecutor, most: int = ALONE) -> list[Reach]:
    """The reach of every cytokine that cells of the tissue make and capture, now."""
    exchange = Exchange(tissue, 1.0, pool)
    exchange.offer()
    found = []
    for kind, batch in enumerate(tissue.batches):
        for port in np.flatnonzero(batch.kind.ports.pool >= 0):
            followed = tissue.space.followed[batch.kind.ports.molecule[port]] >= 0
            if followed and (batch.q[:, port] > 0).any():
                found.append(_Sender(exchange, kind, int(port)).reach(pool, most))
    return [reach for reach in found if np.isfinite(reach.half_radius)]


class _Sender:
    """Cells of a kind that make a molecule, in the fields of now."""

    def __init__(self, exchange: Exchange, kind: int, port: int) -> None:
        tissue = exchange.tissue
        self.tissue, self.batch = tissue, tissue.batches[kind]
        self.molecule = int(self.batch.kind.ports.molecule[port])
        self.loss = exchange.loss[self.molecule]
        self.taken = self.loss - exchange.walls()[self.molecule]
        self.face = exchange.face[self.molecule]
        near = self.batch.u[:, port] * exchange.near[kind][:, port]
        self.kept, self.near = 1 / (1 + near), near / (1 + near)
        _, u, share = exchange.lines[kind]
        self.uptake = u[:, port] * share[:, port]
        self.made = self.batch.q[:, port]

    def field(self, cells: Ints) -> Floats:
        """The steady field of one molecule a minute from each of these cells."""
        source, batch = np.zeros(self.tissue.shape), self.batch
        deposit(source, self.kept[cells], batch.at[cells], batch.weight[cells], batch.width[cells])
        field: Floats = source / self.loss.mean()
        steady_field(
            field, self.loss / self.face, source / self.face, self.tissue.grid,
            make_room(self.tissue.grid), SOLVED, 10 * self.tissue.settings.cycles, np.zeros(TOLD),
        )  # fmt: skip
        return field

    def heard(self, field: Floats, cells: Ints) -> Floats:
        """The share of what each of these cells makes that it captures again."""
        batch, felt = self.batch, np.empty(len(cells))
        sample(field, batch.at[cells], batch.weight[cells], batch.width[cells], felt)
        again = self.near[cells] + self.kept[cells] * self.uptake[cells] * felt
        return np.asarray(again, dtype=np.float64)

    def rings(self, field: Floats, cell: int) -> Floats:
        """What is captured of a cell's signal in rings around it."""
        voxel = self.tissue.space.voxel
        middles = (np.indices(self.tissue.shape) + 0.5) * voxel
        apart = middles - self.batch.position[cell][:, None, None, None]
        if self.tissue.space.periodic:
            lengths = (np.array(self.tissue.shape) * voxel)[:, None, None, None]
            apart -= lengths * np.round(apart / lengths)
        distance = np.sqrt((apart**2).sum(axis=0))
        rings, _ = np.histogram(distance, self.edges, weights=self.taken * field)
        rings[0] += self.near[cell]
        return np.asarray(rings)

    @property
    def edges(self) -> Floats:
        """Where the rings end (um)."""
        longest = np.linalg.norm(np.array(self.tissue.shape)) * self.tissue.space.voxel
        return np.linspace(0, float(longest), RINGS + 1)

    def reach(self, pool: ThreadPoolExecutor, most: int) -> Reach:
        """The reach of these cells."""
        chosen = np.flatnonzero(self.made > 0)
        probed = chosen if len(chosen) <= most else chosen[:: len(chosen) // PROBES + 1]

        def alone(cell: int) -> tuple[float, Floats]:
            field = self.field(np.array([cell]))
            return float(self.heard(field, np.array([cell]))[0]), self.rings(field, cell)

        answers = list(pool.map(alone, probed))
        exact = np.array([again for again, _ in answers])
        again, error = exact, 0.0
        if len(probed) < len(chosen):
            felt = np.zeros(self.batch.count)
            for cells in self.colours(chosen):
                plus, minus = pool.map(self.field, (cells[::2], cells[1::2]))
                felt[cells[::2]] = self.heard(plus - minus, cells[::2])
                felt[cells[1::2]] = self.heard(minus - plus, cells[1::2])
            again = felt[chosen]
            if exact.any():
                error = float(abs(felt[probed].mean() / exact.mean() - 1))
        weight = self.made[probed]
        total = np.cumsum((np.array([r for _, r in answers]) * weight[:, None]).sum(axis=0))
        half = np.nan
        if total[-1] > 0:
            half = float(np.interp(total[-1] / 2, np.append(0.0, total), self.edges))
        return Reach(
            molecule=self.tissue.space.fluid[self.molecule],
            sender=self.batch.kind.key,
            same_cell=float(again @ self.made[chosen] / self.made[chosen].sum()),
            error=error,
            half_radius=half,
        )

    def colours(self, cells: Ints) -> list[Ints]:
        """Groups of cells of which no two lie within BLOCK voxels of each other."""
        block = (self.batch.position[cells] // (BLOCK * self.tissue.space.voxel)).astype(np.int64)
        parity = (block % 2) @ np.array([4, 2, 1])
        seen: dict[tuple[int, ...], int] = {}
        groups: dict[tuple[int, int], list[int]] = {}
        for cell, own, colour in zip(cells, block, parity, strict=True):
            turn = seen[tuple(own)] = seen.get(tuple(own), -1) + 1
            groups.setdefault((int(colour), turn), []).append(int(cell))
        return [np.array(group) for group in groups.values()]
