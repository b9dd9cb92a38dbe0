"""Cells of one kind in a tissue: a batch of equal networks, each with its own surroundings.

Over a step a cell hears a constant concentration c_s at its surface, and its network says what it
really gave: N(c_s), net. The field is offered the line q - u c with the same value at c_s and the
slope that receptors would have over the step,

    u = sum over pairs of kon R (1 - (koff/k) (1 - (1 - e^(-k dt)) / (k dt))),  k = koff + kint,

and q = N + u c_s, both >= 0. The field answers with the c_s that this line leads to; the two are
swept until they agree. What is left between them enters the next step's q.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from polycrine.engine.rosenbrock import advance, make_room
from polycrine.engine.status import DONE
from polycrine.network.code import Code
from polycrine.network.tissue import MOLECULES, Kind

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
CHUNK = 32


@dataclass
class Batch:
    """Cells of one kind: everything that decides how they go on, one row per cell.

    position (z, y, x; um) and heading; state of each network and its proposed step (min); left:
    molecules that the field still owes or is owed; q and u offered last, with c_s (surface) and the
    level at the begin of that step (base); held: bacteria inside; antigen: what it is shown;
    origin: molecules on its receptors by port and sender; touch: what it hears of each ligand on
    cells that touch it (pM), touch_from: the share of each kind in it, while any did; spell: length
    of the last step (min);
    parameters: shared by all cells of the kind.
    """

    kind: Kind
    code: Code
    parameters: Floats
    scales: Floats
    resting: Floats
    ids: Ints
    position: Floats
    heading: Floats
    state: Floats
    step: Floats
    left: Floats
    q: Floats
    u: Floats
    surface: Floats
    base: Floats
    held: Floats
    antigen: Floats
    origin: Floats
    touch: Floats
    touch_from: Floats
    spell: float = 1.0
    at: Ints = field(default_factory=lambda: np.zeros((0, 3, 5), dtype=np.int64))
    weight: Floats = field(default_factory=lambda: np.zeros((0, 3, 5)))
    gamma: Floats = field(default_factory=lambda: np.zeros(0))
    width: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    @property
    def count(self) -> int:
        """How many cells there are now."""
        return len(self.ids)

    def keep(self, which: NDArray[np.bool_]) -> None:
        """Leave out the other cells."""
        for name in ROWS:
            setattr(self, name, getattr(self, name)[which])

    def add(self, ids: Ints, position: Floats, state: Floats, first_step: float) -> None:
        """New cells, each in `state` (one row for all) and with nothing owed."""
        new = len(ids)
        rows = {
            "ids": ids,
            "position": position,
            "heading": np.zeros((new, 3)),
            "state": np.repeat(state[None], new, axis=0),
            "step": np.full(new, first_step),
            "held": np.zeros(new),
            "antigen": np.zeros(new),
        }
        for name in ROWS:
            here = getattr(self, name)
            more = rows.get(name, np.zeros((new, *here.shape[1:])))
            setattr(self, name, np.concatenate([here, more]))


ROWS = (
    "ids", "position", "heading", "state", "step", "left", "q", "u", "surface", "base", "held",
    "antigen", "origin", "touch", "touch_from",
)  # fmt: skip


def make_batch(
    kind: Kind, code: Code, parameters: Floats, resting: Floats, senders: int = 1, kinds: int = 1
) -> Batch:
    """An empty batch of cells that come to be in the state `resting`."""
    species, ports = len(kind.network.species), len(kind.ports.molecule)
    none: dict[str, Any] = {
        "ids": np.zeros(0, dtype=np.int64),
        "position": np.zeros((0, 3)),
        "heading": np.zeros((0, 3)),
        "state": np.zeros((0, species)),
        "step": np.zeros(0),
        "left": np.zeros((0, ports)),
        "q": np.zeros((0, ports)),
        "u": np.zeros((0, ports)),
        "surface": np.zeros((0, ports)),
        "base": np.zeros((0, ports)),
        "held": np.zeros(0),
        "antigen": np.zeros(0),
        "origin": np.zeros((0, ports, senders)),
        "touch": np.zeros((0, len(kind.feels))),
        "touch_from": np.zeros((0, len(kind.feels), kinds)),
    }
    return Batch(kind, code, parameters.copy(), kind.network.scales, resting, **none)


@njit(cache=True, nogil=True, error_model="numpy")
def _advance_chunk(
    functions: Any, rows: Any, plan: Any, free: Any, before: Any, after: Any, level: Any,
    level_at: Any, p: Any, start: float, end: float, step: Any, limits: Any, status: Any,
) -> None:  # fmt: skip
    own, counts, nothing = p.copy(), np.zeros(2), np.empty(0)
    nowhere = np.empty((0, 0))
    room = make_room(before.shape[1], rows.size, plan.size, 0)
    for i in range(before.shape[0]):
        for k in range(level_at.size):
            own[level_at[k]] = level[i, k]
        after[i] = before[i]
        status[i], _, step[i] = advance(
            functions, rows, plan, free, after[i], own, start, end, step[i], limits, counts,
            nothing, nothing, nowhere, room,
        )  # fmt: skip


@njit(cache=True, nogil=True, error_model="numpy")
def _slopes(ports: Any, p: Any, before: Any, after: Any, dt: float, u: Any) -> None:
    u[:] = 0.0
    for k in range(ports.pair.size):
        kon, kint = p[ports.kon[k]], p[ports.kint[k]]
        for g in ports.gates[k]:
            if g >= 0:
                kon *= p[g]
        koff = p[ports.kd[k]] * p[ports.kon[k]]
        rate = (koff + kint) * dt
        kept = 1.0
        if rate > 1e-9:
            kept = 1.0 - koff / (koff + kint) * (1.0 + np.expm1(-rate) / rate)
        r = ports.receptor[k]
        for i in range(u.shape[0]):
            free = 0.5 * (before[i, r] + after[i, r])
            u[i, ports.pair[k]] += kon * max(free, 0.0) * kept


@dataclass(frozen=True)
class Answer:
    """What cells did over a step: their states, the line q - u c, and what they really gave."""

    state: Floats
    step: Floats
    q: Floats
    u: Floats
    given: Floats


class Inquiry:
    """What cells of a batch do from `start` over dt while they hear `levels`, chunk by chunk.

    levels: (cell, heard field; pM); limits: error control of their networks.
    """

    def __init__(self, batch: Batch, levels: Floats, start: float, dt: float, limits: Any) -> None:
        self.batch, self.start, self.dt, self.limits = batch, start, dt, limits
        ports, code = batch.kind.ports, batch.code
        self.after, self.step = np.empty_like(batch.state), batch.step.copy()
        self.status = np.zeros(batch.count, dtype=np.int64)
        self.functions = code.addresses
        self.heard, self.at = levels, ports.level
        if ports.antigen >= 0:
            self.heard = np.column_stack([levels, batch.antigen])
            self.at = np.append(ports.level, ports.antigen)
        if batch.kind.feels:
            self.heard = np.column_stack([self.heard, batch.touch])
            self.at = np.append(self.at, [felt.level for felt in batch.kind.feels])
        self.free = np.ones(batch.scales.size)
        self.before = batch.state.copy()
        self.before[:, ports.outside] = 0.0

    @property
    def chunks(self) -> range:
        """Where the parts begin that can be done side by side."""
        return range(0, self.batch.count, CHUNK)

    def ask(self, first: int) -> None:
        """Let one part of the cells go on."""
        part, code = slice(first, first + CHUNK), self.batch.code
        _advance_chunk(
            self.functions, code.rows, code.plan, self.free, self.before[part], self.after[part],
            self.heard[part], self.at, self.batch.parameters, self.start, self.start + self.dt,
            self.step[part], self.limits, self.status[part],
        )  # fmt: skip

    def answer(self, surface: Floats) -> Answer:
        """The line that they offer, once all have been asked; surface: c_s of what they exchange.

        Raises FloatingPointError when a cell's network failed. q is in pM um^3/min, u in
        um^3/min, `given` in molecules.
        """
        batch, dt = self.batch, self.dt
        if (self.status != DONE).any():
            when = f"{self.start / 60:.3f} h"
            raise FloatingPointError(f"the network of a {batch.kind.key} failed at {when}")
        given = self.after[:, batch.kind.ports.outside]
        u = np.empty_like(given)
        _slopes(batch.kind.ports, batch.parameters, self.before, self.after, dt, u)
        u /= MOLECULES
        net = (given + batch.left) / (MOLECULES * dt)
        q = net + u * surface
        short = q < 0
        if short.any():
            steeper = short & (surface > 0)
            u[steeper] = -net[steeper] / surface[steeper]
            q[short] = 0.0
        return Answer(self.after, self.step, q, u, given)
