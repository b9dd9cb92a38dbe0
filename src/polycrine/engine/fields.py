"""Diffusion, loss and exchange of one molecule in one operator; TR-BDF2 in time.

    phi V dc/dt = s - E(x) c + phi D h sum over faces of (neighbour - c)

with E all first-order losses of a voxel (decay, cells, vessels) and s its sources, both divided
by phi D h here. TR-BDF2 is second order and L-stable; both stages share one operator. A molecule
that would turn negative repeats the step as two backward-Euler halves, whose operator cannot make
it so. After every solve the field is scaled so that its discrete balance is exact.
"""

import math
from typing import Any

import numpy as np
from numba import njit

from polycrine.engine.multigrid import cycle, inner, prepare, residual, sweep

THETA = 1 - math.sqrt(0.5)
LATER, EARLIER = 0.5 * (1 + math.sqrt(2)), 0.5 * (math.sqrt(2) - 1)
FIRST, SECOND = math.sqrt(2) / 4, (1 - math.sqrt(2) / 4) / 3
C, B, INVERSE, DIAGONAL, WORK = 0, 1, 2, 3, 4
NOISE = 100  # times the tolerance of the solver: what may lie below zero before a last sweep

WRONG, HELD, RESIDUAL, CYCLES, HALVED, UNSOLVED = 0, 1, 2, 3, 4, 5
TOLD = 6


def make_room(grid: Any) -> Any:
    """Scratch space of one thread for a grid; its padding must stay zero."""
    return np.zeros((5, int(grid.start[-1])))


@njit(cache=True, nogil=True, error_model="numpy")
def _largest(values: Any) -> float:
    """The largest magnitude, found in four strands; NaN when there is one."""
    a, b, c, d = 0.0, 0.0, 0.0, 0.0
    for i in range(0, values.size - 3, 4):
        a, b = max(a, abs(values[i])), max(b, abs(values[i + 1]))
        c, d = max(c, abs(values[i + 2])), max(d, abs(values[i + 3]))
    for i in range(values.size - values.size % 4, values.size):
        a = max(a, abs(values[i]))
    return max(max(a, b), max(c, d))


@njit(cache=True, nogil=True, error_model="numpy")
def _solve(room: Any, e: Any, grid: Any, tolerance: float, most: int, told: Any) -> bool:
    """Solve e c = b + neighbours from the guess in `room`; True when nothing of it is negative.

    Noise of the iteration below zero is taken out before a last plain Jacobi sweep, which keeps
    the sign where b allows it.
    """
    c, b, work = room[C], room[B], room[WORK]
    inverse, diagonal = room[INVERSE], room[DIAGONAL]
    end = grid.start[1]
    total, largest = inner(b, grid).sum(), _largest(b[:end])
    if largest == 0.0:
        c[:end] = 0.0
        return True
    rest, count = np.inf, 0
    while True:
        residual(c, b, inverse, diagonal, 0, grid, work)
        rest = _largest(work[:end])
        if not rest > tolerance * largest or count == most:
            break
        cycle(c, b, inverse, diagonal, work, grid)
        count += 1
    told[CYCLES] += count
    told[RESIDUAL] = max(told[RESIDUAL], rest / largest)
    field = inner(c, grid)
    if not rest <= tolerance * largest or not np.isfinite(field.sum()):
        told[UNSOLVED] = 1.0
    least = field.min()
    if least < 0.0:
        if least < -NOISE * tolerance * field.max():
            return False
        for i in range(end):
            c[i] = max(c[i], 0.0)
        sweep(c, b, inverse, 1.0, 0, grid, work)
        field[:] = inner(work, grid)
        if field.min() < 0.0:
            return False
    held = (e * field).sum()
    if held > 0.0:
        field *= total / held
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def advance_field(
    c: Any, loss: Any, source: Any, capacity: float, dt: float, grid: Any, room: Any,
    tolerance: float, most: int, mean: Any, told: Any
) -> None:  # fmt: skip
    """Advance a field (z, y, x) by dt in place; `mean` gets its average over the step.

    capacity: phi V over phi D h (min); told: what the step misplaced and what there is (sums over
    voxels), residual, cycles, 1 where the step was repeated in halves, 1 where a solve failed.
    """
    told[:] = 0.0
    x, b = inner(room[C], grid), inner(room[B], grid)
    if not _tr_bdf2(c, loss, source, capacity, dt, grid, room, tolerance, most, mean, told):
        told[HALVED] = 1.0
        rate = 2 * capacity / dt
        e = loss + rate
        prepare(e, room[INVERSE], room[DIAGONAL], room[WORK], grid)
        x[:] = c
        mean[:] = 0.0
        for _ in range(2):
            b[:] = rate * x + source
            _solve(room, e, grid, tolerance, most, told)
            mean += 0.5 * x
        c[:] = x
    told[HELD] = c.sum()


@njit(cache=True, nogil=True, error_model="numpy")
def advance_fields(
    fields: Any, chosen: Any, owner: Any, loss: Any, source: Any, face: Any, capacity: float,
    dt: float, grid: Any, room: Any, tolerance: float, most: int, mean: Any, told: Any
) -> None:  # fmt: skip
    """Advance the chosen fields; field k has the loss and faces of `owner[k]` and source k.

    face: phi D h of each owner (um^3/min); capacity: phi V (um^3); loss and source in um^3/min.
    """
    for k in chosen:
        own = face[owner[k]]
        advance_field(
            fields[k], loss[owner[k]] / own, source[k] / own, capacity / own, dt, grid, room,
            tolerance, most, mean[k], told[k],
        )  # fmt: skip


@njit(cache=True, nogil=True, error_model="numpy")
def _tr_bdf2(
    c: Any, loss: Any, source: Any, capacity: float, dt: float, grid: Any, room: Any,
    tolerance: float, most: int, mean: Any, told: Any
) -> bool:  # fmt: skip
    x, b = inner(room[C], grid), inner(room[B], grid)
    rate = capacity / (THETA * dt)
    e = loss + rate
    prepare(e, room[INVERSE], room[DIAGONAL], room[WORK], grid)
    x[:] = c
    b[:] = source + rate * c
    residual(room[C], room[B], room[INVERSE], room[DIAGONAL], 0, grid, room[WORK])
    drift = inner(room[WORK], grid).copy()
    b[:] = rate * c + drift + source
    if not _solve(room, e, grid, tolerance, most, told):
        return False
    middle = x.copy()
    b[:] = rate * (LATER * middle - EARLIER * c) + source
    if not _solve(room, e, grid, tolerance, most, told):
        return False
    inverse, wrong = inner(room[INVERSE], grid), 0.0
    for i, end in np.ndenumerate(x):
        first = drift[i]
        second = rate * (middle[i] - c[i]) - first
        third = rate * (end - LATER * middle[i] + EARLIER * c[i])
        off = (FIRST - SECOND) * first + (FIRST - (1 + 3 * FIRST) / 3) * second
        off += (2 * THETA / 3) * third
        wrong += abs(off) * inverse[i] / THETA
        mean[i] = FIRST * (c[i] + middle[i]) + THETA * end
        c[i] = end
    told[WRONG] = wrong
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def steady_field(
    c: Any, loss: Any, source: Any, grid: Any, room: Any, tolerance: float, most: int, told: Any
) -> None:
    """Write the steady field into c (z, y, x), a first guess; something must be lost."""
    told[:] = 0.0
    x, b = inner(room[C], grid), inner(room[B], grid)
    x[:] = c
    b[:] = source
    prepare(loss, room[INVERSE], room[DIAGONAL], room[WORK], grid)
    _solve(room, loss, grid, tolerance, most, told)
    c[:] = x
