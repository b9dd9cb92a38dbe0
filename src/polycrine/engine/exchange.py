"""The exchange between cells, fields and blood over one step, swept until they agree."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from polycrine.engine.cells import Answer, Batch, Inquiry
from polycrine.engine.fields import HELD, TOLD, WRONG, advance_fields, make_room
from polycrine.engine.kernel import deposit_all, sample_all
from polycrine.engine.life import grow
from polycrine.engine.status import DONE
from polycrine.engine.stirred import Member, advance_member
from polycrine.engine.tissue import Bath, Tissue
from polycrine.network.tissue import MOLECULES
from polycrine.units import CUBIC_MICROMETRE

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
MOST_STEPS = 10_000
STRANDS = 8
TRACE = 1e-6  # pM or molecules below which a relative difference does not matter
LUMPED = 0.15  # kernel's uptake that lumping hides, per load; fitted to self-capture, worst -2.1 %


class Exchange:
    """One attempt at the exchange between cells, fields and blood over a step."""

    def __init__(self, tissue: Tissue, dt: float, pool: ThreadPoolExecutor) -> None:
        self.tissue, self.dt, self.pool = tissue, dt, pool
        space = tissue.space
        self.face = space.fluid_fraction * space.diffusion * space.voxel
        self.fields, self.mean = tissue.fields.copy(), np.empty_like(tissue.fields)
        self.told = np.zeros((len(space.fluid), TOLD))
        self.rooms = [make_room(tissue.grid) for _ in range(STRANDS)]
        self.near = [self._near(batch) for batch in tissue.batches]
        self.surface: list[Floats] = []
        self.base: list[Floats] = []
        self.loss = np.empty_like(tissue.fields)
        self.lines: list[tuple[Floats, Floats, Floats]] = []
        self.blood = np.zeros(len(space.fluid))
        self.member: Member | None = None
        self.sweeps, self.misgrown = 0, 0.0
        self.outward, self.inward = self._passages()
        self.shed = np.zeros_like(tissue.fields)
        self.grown, self.eaten = tissue.bacteria, [np.zeros(b.count) for b in tissue.batches]
        # the line that was offered last
        self.answers = [
            Answer(b.state, b.step, b.q.copy(), b.u.copy(), np.zeros_like(b.q))
            for b in tissue.batches
        ]

    def _near(self, batch: Batch) -> Floats:
        """G of each cell and exchanged molecule, in min/um^3."""
        space, ports = self.tissue.space, batch.kind.ports
        reach = 1 / batch.kind.radius - batch.gamma / space.voxel
        conductance = 4 * np.pi * space.fluid_fraction * space.diffusion[ports.molecule]
        return np.maximum(reach, 0.0)[:, None] / conductance

    def _passages(self) -> tuple[Floats, Floats]:
        """What each voxel gives to the blood and takes from it, by molecule (um^3/min): through
        vessels, and through half a voxel where a face is open."""
        space, vessels = self.tissue.space, self.tissue.space.volume * self._opening()
        faces = 2 * self.face[:, None, None, None] * self.tissue.outer
        out, into = (rate[:, None, None, None] * vessels for rate in (space.back, space.into))
        return out + faces, into + faces

    def _opening(self) -> Floats:
        """By how much more vessels of each voxel exchange than healthy ones."""
        space = self.tissue.space
        opening = 1 + (space.torn - 1) * self.tissue.torn
        for index, half, fold in space.opened_by:
            level = self.tissue.fields[index]
            opening = opening * (1 + (fold - 1) * level / (level + half))
        return np.asarray(opening, dtype=np.float64)

    def lined(self, k: int) -> tuple[Floats, Floats, Floats]:
        """What the field sees of the line q - u c of batch k: q', u', and the sampling's share."""
        batch, found, near = self.tissue.batches[k], self.answers[k], self.near[k]
        screened = 1 + found.u * near
        q, u = found.q / screened, found.u / screened
        space, ports = self.tissue.space, batch.kind.ports
        face = 4 * np.pi * space.fluid_fraction * space.diffusion[ports.molecule] * space.voxel
        load = u * batch.gamma[:, None] / face
        return q, u, 1 + LUMPED * load / (1 + load)

    def walls(self) -> Floats:
        """What voxels lose of each molecule other than to cells and neighbours (um^3/min)."""
        space = self.tissue.space
        decay = space.volume * space.fluid_fraction * space.loss
        return np.asarray(self.outward + decay[:, None, None, None])

    def offer(self) -> None:
        """Spread what all cells would take up over the voxels."""
        self.lines = [self.lined(k) for k in range(len(self.tissue.batches))]
        self.loss = self.walls()
        for batch, (_, u, share) in zip(self.tissue.batches, self.lines, strict=True):
            kernel = (batch.at, batch.weight, batch.width)
            deposit_all(self.loss, u * share, batch.kind.ports.molecule, *kernel)

    def solve(self, blood: Floats) -> None:
        """Advance every field over the step with what the cells offer now."""
        self.offer()
        space, self.blood = self.tissue.space, blood
        source = self.inward * blood[:, None, None, None] + self.shed
        given = [
            (q, batch.kind.ports.molecule)
            for batch, (q, _, _) in zip(self.tissue.batches, self.lines, strict=True)
        ]
        self.fields[:] = self.tissue.fields
        owner = np.arange(len(space.fluid))
        tolerance = self.tissue.settings.solver
        self.advance(self.fields, owner, source, given, tolerance, self.mean, self.told)

    def advance(
        self, fields: Floats, owner: Ints, source: Floats, given: list[tuple[Floats, Ints]],
        tolerance: float, mean: Floats, told: Floats
    ) -> None:  # fmt: skip
        """Advance fields (or parts of those of `owner`) over the step, side by side.

        given: what cells of each batch add to the sources (cell x column), and to which row each
        column belongs.
        """
        tissue = self.tissue
        capacity = tissue.space.fluid_fraction * tissue.space.volume

        def work(first: int) -> None:
            for batch, (amounts, rows) in zip(tissue.batches, given, strict=True):
                kernel = (batch.at, batch.weight, batch.width)
                deposit_all(source, amounts, rows, *kernel, first, STRANDS)
            chosen = np.arange(first, len(fields), STRANDS)
            advance_fields(
                fields, chosen, owner, self.loss, source, self.face, capacity, self.dt,
                tissue.grid, self.rooms[first], tolerance, tissue.settings.cycles, mean, told,
            )  # fmt: skip

        list(self.pool.map(work, range(STRANDS)))

    def sampled(self, fields: Floats, k: int, which: Ints) -> Floats:
        """What the kernels of batch k read of fields: array of cell x field."""
        batch = self.tissue.batches[k]
        out = np.empty((batch.count, len(which)))
        sample_all(fields, which, batch.at, batch.weight, batch.width, out)
        return out

    def heard(self, k: int, fields: Floats) -> Floats:
        """What the cells of batch k hear of every field that matters to them."""
        ports = self.tissue.batches[k].kind.ports
        heard = self.sampled(fields, k, ports.hears)
        for column, molecule in enumerate(ports.hears):
            own = np.flatnonzero(ports.molecule == molecule)
            if own.size:
                heard[:, column] = self.surface[k][:, own[0]]
        return heard

    def foreseen(self, k: int) -> Floats:
        """The mean concentrations at cells' surfaces, if they change as over the last step."""
        batch, now = self.tissue.batches[k], self.surfaces(k, self.tissue.fields)
        self.base.append(now)
        ahead = (batch.surface - batch.base) * (self.dt / batch.spell)
        return np.asarray(np.clip(now + ahead, 0.5 * now, 2.0 * now))

    def ask(self, fields: Floats) -> None:
        """Let all cells answer what they hear of these fields, those that take longest first."""
        tissue, settings = self.tissue, self.tissue.settings
        every = range(len(tissue.batches))
        inquiries = []
        for batch, heard in zip(
            tissue.batches, self.pool.map(self.heard, every, [fields] * len(every)), strict=True
        ):
            limits = (settings.relative, settings.absolute * batch.scales, MOST_STEPS)
            inquiries.append(Inquiry(batch, heard, tissue.time, self.dt, limits))
        parts = [(inquiry, first) for inquiry in inquiries for first in inquiry.chunks]
        parts.sort(key=lambda part: -part[0].batch.scales.size)
        list(self.pool.map(lambda part: part[0].ask(part[1]), parts))
        self.answers = [i.answer(c) for i, c in zip(inquiries, self.surface, strict=True)]

    def surfaces(self, k: int, fields: Floats) -> Floats:
        """The concentration at each cell's surface, of what it exchanges."""
        found, near = self.answers[k], self.near[k]
        _, _, share = self.lined(k)
        kernel = self.sampled(fields, k, self.tissue.batches[k].kind.ports.molecule)
        return np.asarray((kernel * share + found.q * near) / (1 + found.u * near))


def misplaced(found: Exchange) -> float:
    """The largest share of a molecule, free and bound, or of bacteria that the step misplaced."""
    space = found.tissue.space
    floor = found.tissue.settings.level * found.fields[0].size
    held = found.told[:, HELD].copy()
    for first, second, both in space.parts:
        held[[first, second]] += found.told[both, HELD]
    for first, second, both in space.parts:
        held[both] = min(held[first], held[second])
    return float((found.told[:, WRONG] / (held + floor)).max(initial=found.misgrown))


def through_vessels(found: Exchange, blood: Floats) -> Floats:
    """What all of the tissue gave to the blood over the step, net (pmol/min per molecule)."""
    net = found.mean * found.outward - found.inward * blood[:, None, None, None]
    return np.asarray(net.sum(axis=(1, 2, 3)) * found.tissue.space.scale * CUBIC_MICROMETRE)


def attempt(tissue: Tissue, dt: float, pool: ThreadPoolExecutor) -> Exchange:
    """Exchange over dt, swept until cells, fields and blood agree; raises FloatingPointError."""
    found, settings = Exchange(tissue, dt, pool), tissue.settings
    batches, bath = tissue.batches, tissue.bath
    found.grown, found.eaten, found.shed, found.misgrown = grow(tissue, dt)
    found.surface = [found.foreseen(k) for k in range(len(batches))]
    mean, blood = tissue.fields, np.zeros(len(tissue.space.fluid))
    if bath is not None:
        blood = np.maximum(bath.member.state[bath.level] + bath.slope * (dt / 2), 0.0)
    for _ in range(settings.sweeps):
        found.sweeps += 1
        found.ask(mean)
        found.solve(blood)
        every = range(len(batches))
        found.surface = list(pool.map(found.surfaces, every, [found.mean] * len(batches)))
        ways = (_apart(found.answers[k], batches[k], found.surface[k], dt) for k in every)
        apart = max(ways, default=0.0)
        mean = found.mean
        if bath is not None:
            inflow = through_vessels(found, blood)
            found.member, now = _advance_bath(bath, inflow, tissue.time + dt)
            apart = max(apart, float(np.max(np.abs(now - blood) / (np.abs(now) + settings.level))))
            blood = now
        if apart <= settings.coupling:
            return found
    raise FloatingPointError(f"cells and fields differ by {apart:.2g} after {found.sweeps} sweeps")


def _apart(found: Answer, batch: Batch, surface: Floats, dt: float) -> float:
    """By what share the field's account of a batch's exchange differs from the cells' own."""
    if batch.count == 0 or found.q.shape[1] == 0:
        return 0.0
    field_says = found.q - found.u * surface
    cells_say = (found.given + batch.left) / (MOLECULES * dt)
    moved = (found.q + found.u * surface).sum(axis=0)
    apart = np.abs(field_says - cells_say).sum(axis=0)
    return float(np.max(apart / np.maximum(moved, TRACE * batch.count)))


def _advance_bath(bath: Bath, inflow: Floats, end: float) -> tuple[Member, Floats]:
    """The stirred places at `end` with an inflow (pmol/min), and their mean levels on the way."""
    before = bath.member
    member = before.copy()
    member.parameters[bath.inflow] = inflow
    advance_member(bath.code, member, end, bath.scales, bath.tolerances)
    if member.status != DONE:
        raise FloatingPointError(f"in the blood: {member.message}")
    return member, 0.5 * (before.state[bath.level] + member.state[bath.level])
