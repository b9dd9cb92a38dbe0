"""What bacteria and cells do besides exchange: growth, killing, walking, entry and death."""

import numpy as np
from numpy.typing import NDArray

from polycrine.engine.attribution import BLOOD, TORN, bound, senders_of
from polycrine.engine.cells import Batch
from polycrine.engine.chance import EGRESS, ENTRY, LIFE, PLACE, uniform, uniforms
from polycrine.engine.fields import HELD, TOLD, UNSOLVED, WRONG, advance_field, make_room
from polycrine.engine.kernel import deposit, kernel_width, lattice_green, place_kernels, sample
from polycrine.engine.motion import climb, shown, turn, walk
from polycrine.engine.tissue import Tissue
from polycrine.engine.touch import TOUCH, bins_of, feel
from polycrine.network.builder import BROUGHT, DIED, LEFT, SPILLED
from polycrine.network.populations import DIGESTION
from polycrine.network.tissue import MOLECULES

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
LEAST_SPREAD = 1e-6  # um^2/min, for bacteria that do not move at all
NONE_LEFT = 0.5  # bacteria in the piece below which there are none


def locate(tissue: Tissue, batch: Batch) -> None:
    """Place the kernels of a batch where its cells are now."""
    space, n = tissue.space, batch.count
    batch.at, batch.weight = np.zeros((n, 3, 5), dtype=np.int64), np.zeros((n, 3, 5))
    batch.gamma = np.zeros(n)
    batch.width = np.full(n, kernel_width(space.voxel, batch.kind.radius))
    shape, periodic = np.array(space.shape), tissue.grid.periodic
    place_kernels(
        batch.position, batch.width, space.voxel, shape, periodic, lattice_green(),
        batch.at, batch.weight, batch.gamma,
    )  # fmt: skip


def grow(tissue: Tissue, dt: float) -> tuple[Floats, list[Floats], Floats, float]:
    """Bacteria after dt, those eaten by each cell, what they gave to fields (pM um^3/min), and the
    share of bacteria that the step misplaced.

    Growth is logistic and exact over dt/2, then spread and phagocytosis over dt, then growth.
    """
    microbes, space, none = tissue.space.microbes, tissue.space, np.zeros_like(tissue.fields)
    eaten = [np.zeros(batch.count) for batch in tissue.batches]
    if microbes is None or not tissue.bacteria.any():
        return tissue.bacteria, eaten, none, 0.0

    def grown(density: Floats) -> Floats:
        rise = np.exp(microbes.growth * dt / 2)
        return np.asarray(density * rise / (1 + density / microbes.capacity * (rise - 1)))

    density, mean = grown(tissue.bacteria), np.zeros_like(tissue.bacteria)
    eating = np.zeros(tissue.shape)
    appetites = [b.kind.engulfs / (1 + b.held / b.kind.holds) for b in tissue.batches]
    for batch, appetite in zip(tissue.batches, appetites, strict=True):
        deposit(eating, appetite, batch.at, batch.weight, batch.width)
    face, told = max(microbes.spread, LEAST_SPREAD) * space.voxel, np.zeros(TOLD)
    advance_field(
        density, eating / face, np.zeros_like(density), space.volume / face, dt,
        tissue.grid, make_room(tissue.grid), tissue.settings.solver, tissue.settings.cycles,
        mean, told,
    )  # fmt: skip
    if told[UNSOLVED]:
        raise FloatingPointError("the spread of bacteria was not solved to its tolerance")
    for k, batch in enumerate(tissue.batches):
        sample(mean, batch.at, batch.weight, batch.width, eaten[k])
        eaten[k] *= appetites[k] * dt
    for molecule, rate in microbes.sheds:
        none[molecule] += mean * (space.volume * rate / MOLECULES)
    for molecule, content in microbes.spills:
        none[molecule] += mean * eating * (content / MOLECULES)
    after = grown(density)
    if after.sum() * space.volume < NONE_LEFT:
        after = np.zeros_like(after)
    return after, eaten, none, float(told[WRONG] / told[HELD]) if told[HELD] > 0 else 0.0


def live(tissue: Tissue, tick: int) -> None:
    """What cells do at a tick: die, leave, enter, turn, walk and show what they have engulfed."""
    for batch in tissue.batches:
        batch.held = batch.held * 0.5 ** (tissue.settings.tick / DIGESTION)
        _go(tissue, batch, tick, batch.kind.lifetime, LIFE, DIED)
        _go(tissue, batch, tick, batch.kind.egress, EGRESS, LEFT)
    _enter(tissue, tick)
    _walk(tissue, tick)
    _show(tissue)
    feel(tissue)
    for batch in tissue.batches:
        if batch.kind.speed or len(batch.at) != batch.count:
            locate(tissue, batch)


def _go(
    tissue: Tissue, batch: Batch, tick: int, half_time: float, purpose: int, process: str
) -> None:
    """Take out the cells whose time has come, each with the chance of a half-time."""
    if not np.isfinite(half_time) or not batch.count:
        return
    chance = -np.expm1(-np.log(2) * tissue.settings.tick / half_time)
    draws = uniforms(tissue.seed, batch.ids, tick, purpose)
    remove(tissue, batch, draws < chance, process)


def remove(tissue: Tissue, batch: Batch, dead: NDArray[np.bool_], process: str) -> None:
    """Take cells out; what they held is booked under a process."""
    if dead.any():
        tissue.keep_books(batch, batch.state[dead], batch.left[dead], process)
        tissue.note(f"{batch.kind.key} {process.split()[0]}", float(dead.sum()))
        batch.keep(~dead)


def _enter(tissue: Tissue, tick: int) -> None:
    for wall in list(tissue.batches):
        for key, species, clearance in wall.kind.admits:
            batch = next(b for b in tissue.batches if b.kind.key == f"{key} in {tissue.space.key}")
            density = tissue.leukocytes.get(key, 0.0) / tissue.blood_volume
            rates = wall.state[:, species] * (clearance * density * tissue.settings.tick)
            draws = uniforms(tissue.seed, wall.ids, tick, ENTRY)
            doors = np.flatnonzero(draws < -np.expm1(-rates))
            if doors.size:
                _admit(tissue, batch, key, wall.position[doors], tick)


def _admit(tissue: Tissue, batch: Batch, key: str, doors: Floats, tick: int) -> None:
    """New cells beside the vessel cells that let them in, in the state of those in the blood."""
    ids = np.arange(tissue.next_id, tissue.next_id + len(doors))
    tissue.next_id += len(doors)
    lengths = np.array(tissue.space.shape) * tissue.space.voxel
    draws = [[uniform(tissue.seed, int(i), tick, PLACE, k) for k in range(3)] for i in ids]
    position = doors + (np.array(draws) - 0.5) * 4 * batch.kind.radius
    position = np.clip(position, 1e-6, lengths - 1e-6)
    state = tissue.blood_state(key, batch)
    batch.add(ids, position, state, 2.0**-6)
    if batch.origin.shape[2] > 1:
        sender = senders_of(tissue.space).index(BLOOD)
        batch.origin[-len(ids) :, :, sender] = bound(batch, batch.state[-len(ids) :])
    contents = tissue.contents(batch, state[None])
    tissue.book(BROUGHT, contents * len(doors))
    tissue.note(f"{batch.kind.key} entered", len(doors))
    tissue.leukocytes[key] = max(tissue.leukocytes[key] - len(doors) * tissue.space.scale, 0.0)


def _walk(tissue: Tissue, tick: int) -> None:
    space, delta = tissue.space, tissue.settings.tick
    batches = [batch for batch in tissue.batches if batch.count]
    if not any(batch.kind.speed for batch in batches):
        return
    moves = []
    for batch in batches:
        if not batch.kind.speed:
            moves.append(np.zeros((batch.count, 3)))
            continue
        turning = -np.expm1(-delta / batch.kind.persistence)
        turn(tissue.seed, batch.ids, tick, turning, _bias(tissue, batch), batch.heading)
        # a cell that is shown antigen stays
        moves.append(batch.heading * (batch.kind.speed * delta * (batch.antigen == 0))[:, None])
    position = np.concatenate([batch.position for batch in batches])
    radius = np.concatenate([np.full(b.count, b.kind.radius) for b in batches])
    move = np.concatenate(moves)
    if space.shape[0] == 1:
        move[:, 0] = 0.0
    lengths = np.array(space.shape) * space.voxel
    edge, bins = bins_of(tissue, radius)
    order = np.argsort(np.concatenate([batch.ids for batch in batches]), kind="stable")
    moved = position[order]
    heading = np.concatenate([batch.heading for batch in batches])
    turned = heading[order]
    walk(moved, radius[order], move[order], turned, lengths, edge, bins, space.periodic)
    position[order], heading[order] = moved, turned
    start = 0
    for batch in batches:
        batch.position = position[start : start + batch.count].copy()
        batch.heading = heading[start : start + batch.count].copy()
        start += batch.count


def _bias(tissue: Tissue, batch: Batch) -> Floats:
    """Difference of occupied receptors between front and back along each axis, over its half."""
    bias = np.zeros((batch.count, 3))
    ports, space = batch.kind.ports, tissue.space
    if batch.kind.key.partition(" in ")[0] in tissue.aimless:
        return bias
    for receptor, half in batch.kind.toward:
        for k in np.flatnonzero(ports.receptor == receptor):
            level = tissue.fields[ports.molecule[ports.pair[k]]]
            kd = batch.parameters[ports.kd[k]]
            everything = batch.state[:, receptor] + batch.state[:, ports.bound[k]]
            c = np.maximum(batch.surface[:, ports.pair[k]], 0.0)
            per_pm = everything * kd / (c + kd) ** 2 * 2 * batch.kind.radius / half
            climb(level, batch.position, space.voxel, space.periodic, per_pm, bias)
    return bias


def _show(tissue: Tissue) -> None:
    """Cells with an antigen port see the most that a cell in touch with them has engulfed."""
    seeing = [b for b in tissue.batches if b.kind.ports.antigen >= 0 and b.count]
    showing = [b for b in tissue.batches if b.kind.engulfs and b.count]
    if not seeing or not showing:
        return
    position = np.concatenate([b.position for b in showing])
    strength = np.concatenate([b.held / (1 + b.held) for b in showing])
    reach = np.concatenate([np.full(b.count, b.kind.radius + TOUCH) for b in showing])
    strength = np.where(strength > 0.1, strength, 0.0)
    for batch in seeing:
        edge, bins = bins_of(tissue, np.append(reach, batch.kind.radius))
        shown(
            position, reach, strength, batch.position, batch.kind.radius, edge, bins, batch.antigen
        )


def infect(tissue: Tissue, count: float) -> None:
    """Put bacteria into the voxels at the middle of the tissue."""
    middle = np.zeros(tissue.shape)
    ranges = [range((n - 1) // 2, n // 2 + 1) for n in tissue.shape]
    middle[np.ix_(*ranges)] = 1.0
    tissue.bacteria = tissue.bacteria + middle * (count / middle.sum() / tissue.space.volume)


def injure(tissue: Tissue, radius: float) -> None:
    """Tear the tissue within a radius (um) of its middle: its cells die and spill."""
    space = tissue.space
    lengths = np.array(space.shape) * space.voxel
    middles = [
        (np.arange(n) + 0.5) * space.voxel - length / 2
        for n, length in zip(space.shape, lengths, strict=True)
    ]
    apart = sum(np.ix_(*middles)[axis] ** 2 for axis in range(3))
    tissue.torn = np.maximum(tissue.torn, (np.asarray(apart) <= radius**2).astype(float))
    for batch in tissue.batches:
        dead = ((batch.position - lengths / 2) ** 2).sum(axis=1) <= radius**2
        for molecule, content in batch.kind.spills:
            spilt = np.zeros(tissue.shape)
            deposit(spilt, np.where(dead, content, 0.0), batch.at, batch.weight, batch.width)
            fluid = space.fluid_fraction * space.volume * MOLECULES
            tissue.fields[molecule] += spilt / fluid
            if len(tissue.tags) and tissue.row_of[molecule].max() >= 0:
                sender = senders_of(space).index(TORN)
                tissue.tags[tissue.row_of[molecule, sender]] += spilt / fluid
            amounts = np.zeros(len(space.fluid))
            amounts[molecule] = content * dead.sum()
            tissue.book(SPILLED, amounts)
        remove(tissue, batch, dead, DIED)
        locate(tissue, batch)
