"""Who signals to whom: molecules followed by their sender from time zero.

Given what cells offer, a field is linear in its sources, so that each sender's part of it is a
field of its own, moved by the same operator. What a cell holds on its receptors is one pool, in
which senders are mixed: what comes off or is taken in has the composition of the pool. A sender is
a kind of cell in the tissue, cells that were torn, the blood, or what was there at the start; a
receiver a kind of cell, the blood, or what is lost in the fluid.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from polycrine.engine.cells import Batch
from polycrine.engine.fields import TOLD
from polycrine.network.tissue import MOLECULES, Space

if TYPE_CHECKING:
    from polycrine.engine.exchange import Exchange
    from polycrine.engine.tissue import Tissue

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
TORN, BLOOD, START = "torn cells", "blood", "at start"
LOOSE = 1e-3  # residual to which parts are solved; they are scaled to add up to their field


def senders_of(space: Space) -> list[str]:
    """Every sender, in the order of the attribution."""
    return [*(kind.key for kind in space.kinds), TORN, BLOOD, START]


def receivers_of(space: Space) -> list[str]:
    """Every receiver, in the order of the attribution."""
    return [*(kind.key for kind in space.kinds), BLOOD, "lost in tissue"]


def rows_of(space: Space) -> Ints:
    """The row of each followed part: (fluid, sender), -1 where there is none."""
    senders = senders_of(space)
    rows, count = np.full((len(space.fluid), len(senders)), -1, dtype=np.int64), 0
    for f, source in enumerate(space.followed):
        if source < 0:
            continue
        for k, sender in enumerate(senders):
            makes = sender in (BLOOD, START) or any(
                (kind.key == sender and source in kind.makes)
                or (sender == TORN and source in [m for m, _ in kind.spills])
                for kind in space.kinds
            )
            if makes:
                rows[f, k] = count
                count += 1
    return rows


def follow(tissue: "Tissue") -> None:
    """Begin to tell senders apart: all that is there now was there at the start."""
    rows = tissue.row_of
    tissue.tags = np.zeros((int(rows.max()) + 1, *tissue.shape))
    start = senders_of(tissue.space).index(START)
    for f in np.flatnonzero(rows[:, start] >= 0):
        tissue.tags[rows[f, start]] = tissue.fields[f]
    for batch in tissue.batches:
        batch.origin[:, :, start] = bound(batch, batch.state)
    shape = (len(tissue.space.fluid), rows.shape[1], len(receivers_of(tissue.space)))
    tissue.captured = np.zeros(shape)


def bound(batch: Batch, states: Floats) -> Floats:
    """Molecules on the receptors of each cell, by exchanged molecule: array (cell, port)."""
    ports, held = batch.kind.ports, np.zeros((len(states), len(batch.kind.ports.molecule)))
    for pair, species in zip(ports.pair, ports.bound, strict=True):
        held[:, pair] += states[:, species]
    return held


def released(batch: Batch, before: Floats, after: Floats) -> Floats:
    """Molecules that each cell has newly made and let go of: array (cell, port)."""
    ports, out = batch.kind.ports, np.zeros((len(after), len(batch.kind.ports.molecule)))
    for p in np.flatnonzero(ports.pool >= 0):
        change = after - before
        out[:, p] = change[:, ports.made[p]] - change[:, ports.pool[p]]
        if ports.spoilt[p] >= 0:
            out[:, p] += change[:, ports.spoilt[p]]
    return out


class Shares:
    """Of one batch over one step: what left each cell, by sender, and what will be told of it."""

    def __init__(self, found: "Exchange", k: int, dt: float) -> None:
        self.batch, answer = found.tissue.batches[k], found.answers[k]
        batch = self.batch
        before, self.after = bound(batch, batch.state), bound(batch, answer.state)
        made = released(batch, batch.state, answer.state)
        given = answer.q * (MOLECULES * dt)
        off = np.maximum(given - made, 0.0)
        self.pool, self.sent = np.empty_like(batch.origin), np.empty_like(batch.origin)
        _split(batch.origin, given, off, k, self.pool, self.sent)
        near = answer.u * found.near[k]
        self.again = given * near / (1 + near)
        taken = answer.u * found.surface[k] * (MOLECULES * dt)
        self.far = np.maximum(taken - self.again, 0.0)
        self.left = np.maximum(before - off, 0.0)
        self.eaten = np.maximum(made - answer.given - (self.after - before), 0.0)

    def settle(self, heard: Floats) -> Floats:
        """New pools, and what was taken in by sender (port, sender), from what fields held."""
        eaten = np.zeros(heard.shape[1:])
        flows = (self.left, self.again, self.far, self.after, self.eaten)
        _mix(heard, self.pool, self.sent, *flows, self.batch.origin, eaten)
        return eaten


@njit(cache=True, nogil=True, error_model="numpy")
def _split(origin: Any, given: Any, off: Any, own: int, pool: Any, sent: Any) -> None:
    """Write the composition of what is bound to each cell and port, and of what left it: the part
    `off` came from the pool, the rest is the cell's own."""
    for i in range(origin.shape[0]):
        for p in range(origin.shape[1]):
            held = origin[i, p].sum()
            new = max(given[i, p] - off[i, p], 0.0)
            total = given[i, p] if given[i, p] > 0.0 else 1.0
            for k in range(origin.shape[2]):
                mine = 1.0 if k == own else 0.0
                pool[i, p, k] = origin[i, p, k] / held if held > 0.0 else mine
                sent[i, p, k] = (new * mine + off[i, p] * pool[i, p, k]) / total


@njit(cache=True, nogil=True, error_model="numpy")
def _mix(
    heard: Any, pool: Any, sent: Any, left: Any, again: Any, far: Any, after: Any, inside: Any,
    origin: Any, eaten: Any
) -> None:  # fmt: skip
    """Mix what stayed bound, what a cell caught of its own release and what came from the field;
    write what is bound then, and add up what was taken in."""
    for i in range(origin.shape[0]):
        for p in range(origin.shape[1]):
            around, mixed = heard[i, p].sum(), origin[i, p]
            for k in range(origin.shape[2]):
                share = heard[i, p, k] / around if around > 0.0 else pool[i, p, k]
                mixed[k] = left[i, p] * pool[i, p, k] + again[i, p] * sent[i, p, k]
                mixed[k] += far[i, p] * share
            whole = mixed.sum()
            for k in range(origin.shape[2]):
                share = mixed[k] / whole if whole > 0.0 else pool[i, p, k]
                eaten[p, k] += inside[i, p] * share
                mixed[k] = after[i, p] * share


@njit(cache=True, nogil=True, error_model="numpy")
def _scale(parts: Any, fields: Any, rows: Any) -> None:
    """Scale the parts of every field in every voxel so that they add up to it."""
    for f in range(rows.shape[0]):
        if rows[f].max() < 0:
            continue
        field = fields[f].ravel()
        total = np.zeros(field.size)
        for row in rows[f]:
            if row >= 0:
                total += parts[row].ravel()
        for i in range(field.size):
            total[i] = field[i] / total[i] if total[i] > 0.0 else 0.0
        for row in rows[f]:
            if row >= 0:
                part = parts[row].ravel()
                for i in range(part.size):
                    part[i] *= total[i]


@njit(cache=True, nogil=True, error_model="numpy")
def _sum_up(parts: Any, rows: Any, outward: Any, out: Any) -> None:
    """Sums of each part over voxels: in out[0] what leaves to the blood, in out[1] all of it."""
    for f in range(rows.shape[0]):
        for k in range(rows.shape[1]):
            if rows[f, k] >= 0:
                part, leaving = parts[rows[f, k]].ravel(), outward[f].ravel()
                for i in range(part.size):
                    out[0, f, k] += part[i] * leaving[i]
                    out[1, f, k] += part[i]


def attribute(found: "Exchange", dt: float) -> None:
    """Carry every sender's part over the step that was found, and book who captured what."""
    tissue, space, rows = found.tissue, found.tissue.space, found.tissue.row_of
    every = range(len(tissue.batches))
    shares = [Shares(found, k, dt) for k in every]
    carried, mean = tissue.tags.copy(), np.empty_like(tissue.tags)
    source, owner = np.zeros_like(carried), np.zeros(len(carried), dtype=np.int64)
    for f, sender in np.argwhere(rows >= 0):
        owner[rows[f, sender]] = f
    blood = rows[:, senders_of(space).index(BLOOD)]
    for f in np.flatnonzero(blood >= 0):
        source[blood[f]] = found.inward[f] * found.blood[f]
    parts = [rows[batch.kind.ports.molecule].ravel() for batch in tissue.batches]
    given = [
        ((q[:, :, None] * own.sent).reshape(len(q), len(own_rows)), own_rows)
        for own, (q, _, _), own_rows in zip(shares, found.lines, parts, strict=True)
    ]
    found.advance(carried, owner, source, given, LOOSE, mean, np.zeros((len(carried), TOLD)))
    _scale(carried, found.fields, rows)
    _scale(mean, found.mean, rows)
    gone = np.zeros((2, *rows.shape))
    _sum_up(mean, rows, found.outward, gone)
    gone[1] *= (space.volume * space.fluid_fraction * space.loss)[:, None]
    tissue.captured[:, :, -2] += gone[0] * (MOLECULES * dt)
    tissue.captured[:, :, -1] += gone[1] * (MOLECULES * dt)
    tissue.tags = carried
    heard = found.pool.map(found.sampled, [mean] * len(parts), every, parts)
    for k, (shared, held) in enumerate(zip(shares, heard, strict=True)):
        batch = tissue.batches[k]
        taken = shared.settle(held.reshape(batch.origin.shape))
        tissue.captured[batch.kind.ports.molecule, :, k] += taken
