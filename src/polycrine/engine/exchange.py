"""The exchange between cells, fields and blood over one step, swept until they agree."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polycrine.engine.cells import Answer, Batch, answer
from polycrine.engine.fields import HELD, TOLD, WRONG, advance_field, make_room
from polycrine.engine.kernel import deposit, sample
from polycrine.engine.life import grow
from polycrine.engine.rosenbrock import DONE
from polycrine.engine.stirred import Member, advance_member
from polycrine.engine.tissue import Bath, Tissue
from polycrine.network.tissue import MOLECULES
from polycrine.units import CUBIC_MICROMETRE

Floats = NDArray[np.float64]
MOST_STEPS = 10_000
TRACE = 1e-6  # pM or molecules below which a relative difference does not matter
LUMPED = 0.06  # by how much a kernel's uptake, lumped on the diagonal, is felt too little


class Exchange:
    """One attempt at the exchange between cells, fields and blood over a step."""

    def __init__(self, tissue: Tissue, dt: float, pool: ThreadPoolExecutor) -> None:
        self.tissue, self.dt, self.pool = tissue, dt, pool
        space = tissue.space
        self.face = space.fluid_fraction * space.diffusion * space.voxel
        self.fields, self.mean = tissue.fields.copy(), np.empty_like(tissue.fields)
        self.told = np.zeros((len(space.fluid), TOLD))
        self.near = [self._near(batch) for batch in tissue.batches]
        self.answers: list[Answer] = []
        self.surface: list[Floats] = []
        self.member: Member | None = None
        self.sweeps = 0
        self.opening = self._opening()
        self.grown, self.eaten, self.shed = grow(tissue, dt)

    def _near(self, batch: Batch) -> Floats:
        """G of each cell and exchanged molecule, in min/um^3."""
        space, ports = self.tissue.space, batch.kind.ports
        reach = 1 / batch.kind.radius - batch.gamma / space.voxel
        conductance = 4 * np.pi * space.fluid_fraction * space.diffusion[ports.molecule]
        return np.maximum(reach, 0.0)[:, None] / conductance

    def _opening(self) -> Floats:
        """By how much more each voxel exchanges with the blood than a healthy one."""
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

    def solve(self, blood: Floats) -> None:
        """Advance every field over the step with what the cells offer now."""
        space = self.tissue.space
        lines = [self.lined(k) for k in range(len(self.tissue.batches))]

        def work(molecule: int) -> None:
            through = space.volume * self.opening
            loss = through * space.back[molecule]
            loss += space.volume * space.fluid_fraction * space.loss[molecule]
            source = through * (space.into[molecule] * blood[molecule]) + self.shed[molecule]
            for batch, (q, u, share) in zip(self.tissue.batches, lines, strict=True):
                for column in np.flatnonzero(batch.kind.ports.molecule == molecule):
                    deposit(source, q[:, column].copy(), batch.at, batch.weight, batch.width)
                    taken = u[:, column] * share[:, column]
                    deposit(loss, taken, batch.at, batch.weight, batch.width)
            face = self.face[molecule]
            self.fields[molecule] = self.tissue.fields[molecule]
            advance_field(
                self.fields[molecule], loss / face, source / face,
                space.fluid_fraction * space.volume / face, self.dt, self.tissue.grid,
                make_room(self.tissue.grid), self.tissue.settings.solver,
                self.tissue.settings.cycles, self.mean[molecule], self.told[molecule],
            )  # fmt: skip

        list(self.pool.map(work, range(len(space.fluid))))

    def sampled(self, fields: Floats, k: int, which: Any) -> Floats:
        """What the kernels of batch k read of fields: array of cell x field."""
        batch = self.tissue.batches[k]
        out = np.empty((len(which), batch.count))
        for row, molecule in zip(out, which, strict=True):
            sample(fields[molecule], batch.at, batch.weight, batch.width, row)
        return np.ascontiguousarray(out.T)

    def heard(self, k: int, fields: Floats) -> Floats:
        """What the cells of batch k hear of every field that matters to them."""
        ports = self.tissue.batches[k].kind.ports
        heard = self.sampled(fields, k, ports.hears)
        for column, molecule in enumerate(ports.hears):
            own = np.flatnonzero(ports.molecule == molecule)
            if own.size:
                heard[:, column] = self.surface[k][:, own[0]]
        return heard

    def surfaces(self, k: int, fields: Floats) -> Floats:
        """The concentration at each cell's surface, of what it exchanges."""
        found, near = self.answers[k], self.near[k]
        _, _, share = self.lined(k)
        kernel = self.sampled(fields, k, self.tissue.batches[k].kind.ports.molecule)
        return np.asarray((kernel * share + found.q * near) / (1 + found.u * near))


def misplaced(found: Exchange) -> float:
    """The largest share of a molecule, free and bound, that the step has misplaced."""
    space, floor = found.tissue.space, found.tissue.settings.level * found.opening.size
    held = found.told[:, HELD].copy()
    for first, second, both in space.parts:
        held[[first, second]] += found.told[both, HELD]
    for first, second, both in space.parts:
        held[both] = min(held[first], held[second])
    return float((found.told[:, WRONG] / (held + floor)).max(initial=0.0))


def through_vessels(found: Exchange, blood: Floats) -> Floats:
    """What all of the tissue gave to the blood over the step, net (pmol/min per molecule)."""
    space = found.tissue.space
    out = (found.mean * found.opening).sum(axis=(1, 2, 3)) * space.back
    into = found.opening.sum() * space.into * blood
    pieces = space.volume * space.scale * CUBIC_MICROMETRE
    return np.asarray((out - into) * pieces)


def attempt(tissue: Tissue, dt: float, pool: ThreadPoolExecutor) -> Exchange:
    """Exchange over dt, swept until cells, fields and blood agree; raises FloatingPointError."""
    found, settings = Exchange(tissue, dt, pool), tissue.settings
    batches, bath = tissue.batches, tissue.bath
    found.answers = [
        Answer(b.state, b.step, b.q.copy(), b.u.copy(), np.zeros_like(b.q)) for b in batches
    ]
    found.surface = [found.surfaces(k, tissue.fields) for k in range(len(batches))]
    mean, blood = tissue.fields, np.zeros(len(tissue.space.fluid))
    if bath is not None:
        blood = bath.member.state[bath.level]
    for _ in range(settings.sweeps):
        found.sweeps += 1
        for k, batch in enumerate(batches):
            heard = found.heard(k, mean)
            limits = (settings.relative, settings.absolute * batch.scales, MOST_STEPS)
            found.answers[k] = answer(batch, heard, found.surface[k], tissue.time, dt, limits, pool)
        found.solve(blood)
        apart = 0.0
        for k, batch in enumerate(batches):
            found.surface[k] = found.surfaces(k, found.mean)
            apart = max(apart, _apart(found.answers[k], batch, found.surface[k], dt))
        mean = found.mean
        if bath is not None:
            inflow = through_vessels(found, blood)
            found.member, now = _advance_bath(bath, inflow, tissue.time + dt)
            apart = max(apart, float(np.max(np.abs(now - blood) / (np.abs(now) + TRACE))))
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
