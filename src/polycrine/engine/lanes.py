"""Many members of one network in the lanes of vector instructions, each with steps of its own.

LANES members at a time take the steps that `rosenbrock.advance` would let each of them take, with
the same operations in the same order: the bits are the same, whichever members share a vector. A
lane whose member has arrived takes the next member.

Rows are named by their addresses; an array has to be used behind the last use of its address, or
it is freed before.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from polycrine.engine.driver import STAGES
from polycrine.engine.rosenbrock import DENSE, GAMMA, A, C, D, G, _dyadic
from polycrine.engine.status import (
    ACCEPTED,
    DONE,
    REJECTED,
    STEP_TOO_SMALL,
    SWITCHED,
    TOO_MANY_STEPS,
)
from polycrine.network.machine import LANES, WIDTH, WORD

ROW = LANES * WORD  # bytes between the same lane of two rows
IDLE = -1
A_ROWS = np.repeat(A[:, :, None], LANES, axis=2)
DENSE_ROWS = np.repeat(DENSE[:, :, None], LANES, axis=2)


def _declare_call(typingctx: Any, address: Any, t: Any, y: Any, p: Any, out: Any) -> Any:
    """Call void f(double* t, double* y, double* p, double* out) at an address, for all lanes."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = ir.DoubleType().as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [pointer] * 4)
        function = builder.inttoptr(arguments[0], kind.as_pointer())
        for first in range(0, LANES, WIDTH):
            offset = ir.Constant(ir.IntType(64), first * WORD)
            places = [builder.add(argument, offset) for argument in arguments[1:]]
            builder.call(function, [builder.inttoptr(place, pointer) for place in places])
        return context.get_dummy_value()

    return types.void(*[types.intp] * 5), generate


_call: Any = intrinsic(_declare_call)


def _rows_of(count: int, change: Any) -> Any:
    """An intrinsic that changes the row at the first of `count` addresses by the others."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = ir.VectorType(ir.DoubleType(), LANES).as_pointer()
        places = [builder.inttoptr(argument, kind) for argument in arguments]
        rows = [builder.load(place) for place in places]
        for row in rows:
            row.align = WORD
        builder.store(change(builder, *rows), places[0]).align = WORD
        return context.get_dummy_value()

    signature = types.void(*[types.intp] * count)

    def of_two(typingctx: Any, a: Any, b: Any) -> Any:
        return signature, generate

    def of_three(typingctx: Any, a: Any, b: Any, c: Any) -> Any:
        return signature, generate

    return intrinsic(of_two if count == 2 else of_three)


def _mixture(count: int) -> Any:
    """An intrinsic: the row at `out` = the row at `base` + rows of factors times rows of slopes,
    of which there are `count`, a block apart."""

    def declared(typingctx: Any, out: Any, base: Any, factors: Any, slopes: Any, block: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            kind = ir.VectorType(ir.DoubleType(), LANES).as_pointer()
            out, base, factor, slope, block = arguments

            def row(address: Any) -> Any:
                value = builder.load(builder.inttoptr(address, kind))
                value.align = WORD
                return value

            total = row(base)
            for _ in range(count):
                total = builder.fadd(total, builder.fmul(row(factor), row(slope)))
                factor = builder.add(factor, ir.Constant(factor.type, ROW))
                slope = builder.add(slope, block)
            builder.store(total, builder.inttoptr(out, kind)).align = WORD
            return context.get_dummy_value()

        return types.void(*[types.intp] * 5), generate

    return intrinsic(declared)


_mix_1, _mix_2, _mix_3, _mix_4, _mix_5, _mix_6 = (_mixture(count) for count in range(1, 7))
_subtract = _rows_of(3, lambda builder, a, b, c: builder.fsub(a, builder.fmul(b, c)))
_copy = _rows_of(2, lambda builder, a, b: b)
_take = _rows_of(2, lambda builder, a, b: builder.fsub(a, b))
_multiply = _rows_of(2, lambda builder, a, b: builder.fmul(a, b))


@njit(cache=True, nogil=True, error_model="numpy")
def _factorise(w: int, values: Any, plan: Any) -> None:
    product = 0
    for k in range(plan.diagonal.size):
        d = plan.diagonal[k]
        for lane in range(LANES):
            values[d, lane] = 1.0 / values[d, lane]
        pivot = w + ROW * d
        for i in range(plan.lower_start[k], plan.lower_start[k + 1]):
            factor = w + ROW * plan.lower_at[i]
            _multiply(factor, pivot)
            for j in range(plan.upper_start[k], plan.upper_start[k + 1]):
                _subtract(w + ROW * plan.target[product], factor, w + ROW * plan.upper_at[j])
                product += 1


@njit(cache=True, nogil=True, error_model="numpy")
def _solve(w: int, plan: Any, b: int) -> None:
    for k in range(plan.order.size):
        value = b + ROW * plan.order[k]
        for i in range(plan.lower_start[k], plan.lower_start[k + 1]):
            _subtract(b + ROW * plan.lower_row[i], w + ROW * plan.lower_at[i], value)
    for k in range(plan.order.size - 1, -1, -1):
        value = b + ROW * plan.order[k]
        for j in range(plan.upper_start[k], plan.upper_start[k + 1]):
            _subtract(value, w + ROW * plan.upper_at[j], b + ROW * plan.upper_column[j])
        _multiply(value, w + ROW * plan.diagonal[k])


@njit(cache=True, nogil=True, error_model="numpy")
def _mix(count: int, rows: int, out: int, base: int, factors: int, slopes: int) -> None:
    """out = base + the sum of `count` blocks of rows at `slopes`, each times its row of factors."""
    block, end = ROW * rows, ROW * rows
    if count == 1:
        for at in range(0, end, ROW):
            _mix_1(out + at, base + at, factors, slopes + at, block)
    elif count == 2:
        for at in range(0, end, ROW):
            _mix_2(out + at, base + at, factors, slopes + at, block)
    elif count == 3:
        for at in range(0, end, ROW):
            _mix_3(out + at, base + at, factors, slopes + at, block)
    elif count == 4:
        for at in range(0, end, ROW):
            _mix_4(out + at, base + at, factors, slopes + at, block)
    elif count == 5:
        for at in range(0, end, ROW):
            _mix_5(out + at, base + at, factors, slopes + at, block)
    else:
        for at in range(0, end, ROW):
            _mix_6(out + at, base + at, factors, slopes + at, block)


@njit(cache=True, nogil=True, error_model="numpy")
def _step(
    code: Any, rows: Any, plan: Any, free: Any, y: Any, p: Any, t: Any, step: Any, stop: Any,
    room: Any,
) -> None:  # fmt: skip
    """One step of every lane: room.trial is the new state, the last of room.slopes its error.

    The first of room.slopes is the derivative in time, the others are the stages.
    """
    n, (jacobian, rate, w, slopes, trial, now, factors) = y.shape[0], room
    at_y, at_p, at_w, at_trial = y.ctypes.data, p.ctypes.data, w.ctypes.data, trial.ctypes.data
    at_slopes, at_rate, at_now = slopes.ctypes.data, rate.ctypes.data, now.ctypes.data
    at_jacobian = jacobian.ctypes.data
    _call(code[1], t.ctypes.data, at_y, at_p, at_jacobian)
    _call(code[2], t.ctypes.data, at_y, at_p, at_slopes)
    w[:] = 0.0
    for lane in range(LANES):
        now[lane] = 1.0 / (GAMMA * step[lane])
    for k in range(n):
        _copy(at_w + ROW * plan.diagonal[k], at_now)
    for e in range(rows.size):
        if free[rows[e]] != 0.0:
            _take(at_w + ROW * plan.jacobian_at[e], at_jacobian + ROW * e)
    _factorise(at_w, w, plan)
    for s in range(STAGES):
        at = at_y
        if s > 0:
            at = at_trial
            _mix(s, n, at, at_y, A_ROWS[s].ctypes.data, at_slopes + ROW * n)
        for lane in range(LANES):
            now[lane] = min(t[lane] + C[s] * step[lane], stop[lane])
            factors[0, lane] = step[lane] * D[s]
        for j in range(s):
            for lane in range(LANES):
                factors[1 + j, lane] = G[s, j] / step[lane]
        _call(code[0], at_now, at, at_p, at_rate)
        stage = at_slopes + ROW * n * (1 + s)
        _mix(s + 1, n, stage, at_rate, factors.ctypes.data, at_slopes)
        for k in range(n):
            if free[k] == 0.0:
                slopes[1 + s, k] = 0.0
        _solve(at_w, plan, stage)
    for i in range(n):
        for lane in range(LANES):
            trial[i, lane] += slopes[STAGES, i, lane]


@njit(cache=True, nogil=True, error_model="numpy")
def _errors(y: Any, trial: Any, slopes: Any, rtol: float, atol: Any, error: Any) -> None:
    """Of each lane the error in units of what is allowed; not finite where a state is not."""
    error[:] = 0.0
    controlled = 0
    for i in range(y.shape[0]):
        controlled += atol[i] > 0.0
        for lane in range(LANES):
            error[lane] += 0.0 * trial[i, lane]
            if atol[i] > 0.0:
                size = atol[i] + rtol * max(abs(y[i, lane]), abs(trial[i, lane]))
                error[lane] += (slopes[STAGES, i, lane] / size) ** 2
    for lane in range(LANES):
        error[lane] = math.sqrt(error[lane] / max(controlled, 1))


class Lanes(NamedTuple):
    """Where each lane stands: arrays over lanes, the last axis.

    y, p: state and parameters; t, h: time and the step proposed; step, behind: the step that is
    tried and the time behind it; end, stop: the time to reach, and the last instant before it;
    aboard: the member (IDLE: none); taken: its steps; row: the next one of its grid; waits: whether
    a condition changes in the step that was tried.
    """

    y: Any
    p: Any
    t: Any
    h: Any
    step: Any
    behind: Any
    end: Any
    stop: Any
    aboard: Any
    taken: Any
    row: Any
    waits: Any


@njit(cache=True, nogil=True, error_model="numpy")
def _fill(
    on: Any, waiting: int, who: Any, members: Any, ends: Any, grid: Any, status: Any, most: int
) -> tuple[bool, int]:
    """Let members that go no further leave and others board, and choose every lane's next step;
    returns whether any lane has a member, and how many of `who` have boarded so far."""
    busy = False
    for lane in range(LANES):
        while True:
            i = on.aboard[lane]
            if i == IDLE:
                if waiting == who.size:
                    break
                _board(on, lane, who[waiting], members, ends, grid)
                waiting += 1
            left = on.end[lane] - on.t[lane]
            last = on.h[lane] >= left
            on.step[lane] = left if last else _dyadic(on.h[lane])
            on.behind[lane] = on.end[lane] if last else on.t[lane] + on.step[lane]
            verdict = IDLE
            if left <= 0.0:
                verdict = DONE
            elif on.taken[lane] >= most:
                verdict = TOO_MANY_STEPS
            elif on.waits[lane]:
                verdict = SWITCHED
            elif on.step[lane] < 1e-13 * max(abs(on.end[lane]), 1.0) and not last:
                verdict = STEP_TOO_SMALL
            if verdict == IDLE:
                busy = True
                break
            _leave(on, lane, members)
            status[on.aboard[lane]], on.aboard[lane] = verdict, IDLE
    return busy, waiting


@njit(cache=True, nogil=True, error_model="numpy")
def _board(on: Any, lane: int, i: int, members: Any, ends: Any, grid: Any) -> None:
    """Member i takes a lane."""
    states, parameters, times, steps = members
    on.y[:, lane], on.p[:, lane] = states[i], parameters[i]
    on.t[lane], on.h[lane] = times[i], steps[i]
    on.end[lane], on.stop[lane] = ends[i], np.nextafter(ends[i], -np.inf)
    on.aboard[lane], on.taken[lane], on.waits[lane] = i, 0, False
    on.row[lane] = np.searchsorted(grid, times[i])


@njit(cache=True, nogil=True, error_model="numpy")
def _leave(on: Any, lane: int, members: Any) -> None:
    """What a lane's member has come to is written."""
    states, _, times, steps = members
    i = on.aboard[lane]
    states[i], times[i], steps[i] = on.y[:, lane], on.t[lane], on.h[lane]
    on.step[lane] = 1.0


@njit(cache=True, nogil=True, error_model="numpy")
def _proceed(
    on: Any, errors: Any, trial: Any, bends: Any, now: Any, held: Any, grid: Any, kept: Any,
    seen: Any, counts: Any,
) -> None:  # fmt: skip
    """Let every lane accept its step, or propose a shorter one, or wait before a switch."""
    for lane in range(LANES):
        i, error, step = on.aboard[lane], errors[lane], on.step[lane]
        if i == IDLE:
            continue
        root = math.sqrt(math.sqrt(max(error, 1e-8)))
        if error > 1.0 or not np.isfinite(error):
            on.taken[lane] += 1
            counts[i, REJECTED] += 1
            on.h[lane] = step * max(0.1, 0.9 / root if np.isfinite(error) else 0.1)
            continue
        for k in range(held.shape[1]):
            on.waits[lane] |= now[k, lane] != held[i, k]
        if on.waits[lane]:
            continue
        on.taken[lane] += 1
        counts[i, ACCEPTED] += 1
        while on.row[lane] < grid.size and grid[on.row[lane]] < on.behind[lane]:
            share = (grid[on.row[lane]] - on.t[lane]) / step
            rest = 1.0 - share
            for column in range(kept.size):
                k = kept[column]
                bent = trial[k, lane] + rest * (bends[0, k, lane] + share * bends[1, k, lane])
                seen[i, on.row[lane], column] = on.y[k, lane] * rest + share * bent
            on.row[lane] += 1
        proposal = step * min(5.0, 0.9 / root)
        last = on.h[lane] >= on.end[lane] - on.t[lane]
        on.h[lane] = max(on.h[lane], proposal) if last else proposal
        on.t[lane] = on.behind[lane]
        for k in range(trial.shape[0]):
            on.y[k, lane] = trial[k, lane]


@njit(cache=True, nogil=True, error_model="numpy")
def advance_lanes(
    code: Any,
    rows: Any,
    plan: Any,
    free: Any,
    who: Any,
    states: Any,
    parameters: Any,
    times: Any,
    ends: Any,
    steps: Any,
    limits: Any,
    grid: Any,
    kept: Any,
    seen: Any,
    held: Any,
    status: Any,
    counts: Any,
) -> None:
    """Advance those members that are listed in `who`, each from its time to its end.

    code: what `compile_lanes` found; free: 0 holds a species, 1 lets it move; states (member,
    species), times and steps (the next to try) of each member are read and written; limits: rtol,
    atol per species (0 leaves it out of the error control), steps allowed; seen: (member, time of
    `grid` before the end, one of the species that are `kept`) and status are written; held:
    (member, condition), what holds at its time: a member whose next step would change that waits
    before it (SWITCHED); counts (accepted, rejected) are added to.
    """
    n, (rtol, atol, max_steps) = states.shape[1], limits
    members, conditions = (states, parameters, times, steps), held.shape[1]
    trial, error = np.empty((n, LANES)), np.empty(LANES)
    slopes = np.empty((1 + STAGES, n, LANES))
    room = (
        *(np.empty((rows.size, LANES)), np.empty((n, LANES)), np.empty((plan.size, LANES))),
        *(slopes, trial, np.empty(LANES), np.empty((1 + STAGES, LANES))),
    )
    bends, nothing = np.empty((2, n, LANES)), np.zeros((n, LANES))
    at_bends, at_slopes = bends.ctypes.data, slopes.ctypes.data + ROW * n
    now, asked = np.empty((conditions, LANES)), np.empty(LANES)
    on = Lanes(
        np.empty((n, LANES)), np.empty((parameters.shape[1], LANES)), np.zeros(LANES),
        np.ones(LANES), np.ones(LANES), np.ones(LANES), np.ones(LANES), np.ones(LANES),
        np.full(LANES, IDLE), np.zeros(LANES, dtype=np.int64), np.zeros(LANES, dtype=np.int64),
        np.zeros(LANES, dtype=np.bool_),
    )  # fmt: skip
    for lane in range(LANES):
        on.y[:, lane], on.p[:, lane] = states[who[0]], parameters[who[0]]
    waiting = 0
    while True:
        busy, waiting = _fill(on, waiting, who, members, ends, grid, status, max_steps)
        if not busy:
            return
        _step(code, rows, plan, free, on.y, on.p, on.t, on.step, on.stop, room)
        _errors(on.y, trial, slopes, rtol, atol, error)
        for k in range(2):
            _mix(
                5,
                n,
                at_bends + ROW * n * k,
                nothing.ctypes.data,
                DENSE_ROWS[k].ctypes.data,
                at_slopes,
            )
        if conditions > 0:
            for lane in range(LANES):
                asked[lane] = min(on.behind[lane], on.stop[lane])
            _call(code[3], asked.ctypes.data, trial.ctypes.data, on.p.ctypes.data, now.ctypes.data)
        _proceed(on, error, trial, bends, now, held, grid, kept, seen, counts)
