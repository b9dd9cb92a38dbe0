"""Diffusion, loss and exchange of one molecule in one operator; TR-BDF2 in time.

    phi V dc/dt = s - E(x) c + phi D h sum over neighbours of w (neighbour - c)

with E all first-order losses of a voxel (decay, cells, vessels) and s its sources, both divided
by phi D h here. TR-BDF2 is second order and L-stable; both stages share one operator. A molecule
that would turn negative repeats the step as two backward-Euler halves, whose operator cannot make
it so. After every solve the field is scaled so that its discrete balance is exact.
"""

import math
from typing import Any

import numpy as np
from numba import njit

from polycrine.engine.multigrid import cycle, padded, prepare, residual, sweep

THETA = 1 - math.sqrt(0.5)
LATER, EARLIER = 0.5 * (1 + math.sqrt(2)), 0.5 * (math.sqrt(2) - 1)
FIRST, SECOND = math.sqrt(2) / 4, (1 - math.sqrt(2) / 4) / 3
C, B, INVERSE, DIAGONAL, WORK, LOSS, SOURCE, START, DRIFT, MIDDLE = range(10)
NOISE = 100  # times the tolerance of the solver: what may lie below zero before a last sweep

WRONG, HELD, RESIDUAL, CYCLES, HALVED, UNSOLVED = 0, 1, 2, 3, 4, 5
TOLD = 6


def make_room(grid: Any) -> Any:
    """Scratch space of one thread for a grid; its padding must stay zero."""
    return np.zeros((10, int(grid.start[-1])))


@njit(cache=True, nogil=True, error_model="numpy")
def _sum(values: Any, inverse: Any) -> float:
    """The sum over voxels, not over the layer around them, in four strands."""
    a, b, c, d = 0.0, 0.0, 0.0, 0.0
    for i in range(0, values.size - 3, 4):
        a += values[i] if inverse[i] > 0.0 else 0.0
        b += values[i + 1] if inverse[i + 1] > 0.0 else 0.0
        c += values[i + 2] if inverse[i + 2] > 0.0 else 0.0
        d += values[i + 3] if inverse[i + 3] > 0.0 else 0.0
    for i in range(values.size - values.size % 4, values.size):
        a += values[i] if inverse[i] > 0.0 else 0.0
    return (a + b) + (c + d)


@njit(cache=True, nogil=True, error_model="numpy")
def _largest(values: Any) -> float:
    """The largest magnitude, found in four strands; NaN may go unseen."""
    a, b, c, d = 0.0, 0.0, 0.0, 0.0
    for i in range(0, values.size - 3, 4):
        a, b = max(a, abs(values[i])), max(b, abs(values[i + 1]))
        c, d = max(c, abs(values[i + 2])), max(d, abs(values[i + 3]))
    for i in range(values.size - values.size % 4, values.size):
        a = max(a, abs(values[i]))
    return max(max(a, b), max(c, d))


@njit(cache=True, nogil=True, error_model="numpy")
def _below(values: Any) -> float:
    """The lowest value below zero, or zero, found in four strands."""
    a, b, c, d = 0.0, 0.0, 0.0, 0.0
    for i in range(0, values.size - 3, 4):
        a, b = min(a, values[i]), min(b, values[i + 1])
        c, d = min(c, values[i + 2]), min(d, values[i + 3])
    for i in range(values.size - values.size % 4, values.size):
        a = min(a, values[i])
    return min(min(a, b), min(c, d))


@njit(cache=True, nogil=True, error_model="numpy")
def _solve(room: Any, rate: float, grid: Any, tolerance: float, most: int, told: Any) -> bool:
    """Solve (loss + rate) c = b + neighbours from the guess in `room`; True when nothing of it is
    negative.

    Noise of the iteration below zero is taken out before a last plain Jacobi sweep, which keeps
    the sign where b allows it.
    """
    end = grid.start[1]
    c, b, work, loss = room[C], room[B], room[WORK], room[LOSS]
    inverse, diagonal = room[INVERSE], room[DIAGONAL]
    total, largest = _sum(b[:end], inverse[:end]), _largest(b[:end])
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
    least = _below(c[:end])
    told[CYCLES] += count
    told[RESIDUAL] = max(told[RESIDUAL], rest / largest)
    if least < 0.0:
        if least < -NOISE * tolerance * _largest(c[:end]):
            return False
        for i in range(end):
            c[i] = max(c[i], 0.0)
        sweep(c, b, inverse, diagonal, 1.0, 0, grid, work)
        for i in range(end):
            c[i] = work[i] if inverse[i] > 0.0 else 0.0
        if _below(c[:end]) < 0.0:
            return False
    for i in range(end):
        work[i] = (loss[i] + rate) * c[i]
    held = _sum(work[:end], inverse[:end])
    if not rest <= tolerance * largest or not np.isfinite(held):
        told[UNSOLVED] = 1.0
    elif held > 0.0:
        scale = total / held
        for i in range(end):
            c[i] *= scale
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def _fill(room: Any, row: int, values: Any, factor: float, grid: Any) -> None:
    whole = padded(room[row], 0, grid)
    for z in range(values.shape[0]):
        for y in range(values.shape[1]):
            line, own = whole[z + 1, y + 1, 1:], values[z, y]
            for x in range(own.size):
                line[x] = factor * own[x]


@njit(cache=True, nogil=True, error_model="numpy")
def _take(values: Any, flat: Any, grid: Any) -> None:
    whole = padded(flat, 0, grid)
    for z in range(values.shape[0]):
        for y in range(values.shape[1]):
            line, own = whole[z + 1, y + 1, 1:], values[z, y]
            for x in range(own.size):
                own[x] = line[x]


@njit(cache=True, nogil=True, error_model="numpy")
def advance_field(
    c: Any, loss: Any, source: Any, capacity: float, dt: float, grid: Any, room: Any,
    tolerance: float, most: int, mean: Any, told: Any, face: float = 1.0
) -> None:  # fmt: skip
    """Advance a field (z, y, x) by dt in place; `mean` gets its average over the step.

    capacity: phi V; face: phi D h, by which it, loss and source are divided here; told: what the
    step misplaced and what there is (sums over voxels), residual, cycles, 1 where the step was
    repeated in halves, 1 where a solve failed.
    """
    told[:] = 0.0
    end = grid.start[1]
    _fill(room, START, c, 1.0, grid)
    _fill(room, LOSS, loss, 1.0 / face, grid)
    _fill(room, SOURCE, source, 1.0 / face, grid)
    x, start, average = room[C], room[START], room[MIDDLE]
    if not _tr_bdf2(capacity / face, dt, grid, room, tolerance, most, told):
        told[HALVED] = 1.0
        rate = 2 * capacity / face / dt
        _prepare(rate, room, grid)
        b, source_row, bent = room[B], room[SOURCE], room[DRIFT]
        for i in range(end):
            x[i] = bent[i] = start[i]
            average[i] = 0.0
        for half in range(2):
            for i in range(end):
                inside = 1.0 if room[INVERSE, i] > 0.0 else 0.0
                b[i] = inside * (rate * x[i] + source_row[i])
            _solve(room, rate, grid, tolerance, most, told)
            for i in range(end):
                average[i] += 0.5 * x[i]
                bent[i] += x[i] if half else -2.0 * x[i]
        for i in range(end):
            bent[i] = abs(bent[i])
        told[WRONG] = _sum(bent[:end], room[INVERSE, :end])
    _take(c, x, grid)
    _take(mean, average, grid)
    told[HELD] = _sum(x[:end], room[INVERSE, :end])


@njit(cache=True, nogil=True, error_model="numpy")
def _prepare(rate: float, room: Any, grid: Any) -> None:
    end = grid.start[1]
    work, loss = room[WORK], room[LOSS]
    for i in range(end):
        work[i] = loss[i] + rate if grid.around[i] >= 0.0 else 0.0
    prepare(room[INVERSE], room[DIAGONAL], work, grid)


@njit(cache=True, nogil=True, error_model="numpy")
def advance_fields(
    fields: Any, chosen: Any, owner: Any, loss: Any, source: Any, face: Any, capacity: float,
    dt: float, grid: Any, room: Any, tolerance: float, most: int, mean: Any, told: Any
) -> None:  # fmt: skip
    """Advance the chosen fields; field k has the loss and faces of `owner[k]` and source k.

    face: phi D h of each owner (um^3/min); capacity: phi V (um^3); loss and source in um^3/min.
    """
    for k in chosen:
        advance_field(
            fields[k], loss[owner[k]], source[k], capacity, dt, grid, room,
            tolerance, most, mean[k], told[k], face[owner[k]],
        )  # fmt: skip


@njit(cache=True, nogil=True, error_model="numpy")
def _tr_bdf2(
    capacity: float, dt: float, grid: Any, room: Any, tolerance: float, most: int, told: Any
) -> bool:  # fmt: skip
    """Both stages from START; leaves the end in C, the mean in MIDDLE and tells what is wrong."""
    end, rate = grid.start[1], capacity / (THETA * dt)
    x, b, start, source = room[C], room[B], room[START], room[SOURCE]
    drift, middle, inverse = room[DRIFT], room[MIDDLE], room[INVERSE]
    _prepare(rate, room, grid)
    for i in range(end):
        x[i] = start[i]
        b[i] = source[i] + rate * start[i]
    residual(x, b, inverse, room[DIAGONAL], 0, grid, drift)
    for i in range(end):
        b[i] = rate * start[i] + drift[i] + source[i]
    if not _solve(room, rate, grid, tolerance, most, told):
        return False
    for i in range(end):
        middle[i] = x[i]
        inside = 1.0 if inverse[i] > 0.0 else 0.0
        b[i] = inside * (rate * (LATER * x[i] - EARLIER * start[i]) + source[i])
    if not _solve(room, rate, grid, tolerance, most, told):
        return False
    for i in range(end):
        first = drift[i]
        second = rate * (middle[i] - start[i]) - first
        third = rate * (x[i] - LATER * middle[i] + EARLIER * start[i])
        off = (FIRST - SECOND) * first + (FIRST - (1 + 3 * FIRST) / 3) * second
        off += (2 * THETA / 3) * third
        b[i] = abs(off) * inverse[i] / THETA
        middle[i] = FIRST * (start[i] + middle[i]) + THETA * x[i]
    told[WRONG] = _sum(b[:end], inverse[:end])
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def steady_field(
    c: Any, loss: Any, source: Any, grid: Any, room: Any, tolerance: float, most: int, told: Any
) -> None:
    """Write the steady field into c (z, y, x), a first guess; something must be lost.

    loss and source are divided by phi D h.
    """
    told[:] = 0.0
    _fill(room, C, c, 1.0, grid)
    _fill(room, B, source, 1.0, grid)
    _fill(room, LOSS, loss, 1.0, grid)
    _prepare(0.0, room, grid)
    _solve(room, 0.0, grid, tolerance, most, told)
    _take(c, room[C], grid)
