"""Rodas4: a stiffly accurate Rosenbrock method of order 4(3) with a static sparse LU.

(1/(gamma h) - J) k_i = f(t + c_i h, y + sum_j a_ij k_j) + sum_j (g_ij / h) k_j + h d_i f_t;
the last stage is the error estimate; its root mean square over the variables, each in units of
what is allowed of it, must not exceed 1. E. Hairer, G. Wanner, Solving Ordinary Differential
Equations II, section IV.7 (RODAS). Steps are rounded down to ten bits, so that times add up
exactly; the driver is compiled once by numba and called with the address of a network's code.
"""

import math
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from polycrine.engine.driver import STAGES
from polycrine.engine.status import (
    ACCEPTED,
    DONE,
    REJECTED,
    STEP_TOO_SMALL,
    SWITCHED,
    TOO_MANY_STEPS,
)

GAMMA = 0.25
A = np.array([
    [0.0, 0.0, 0.0, 0.0, 0.0],
    [1.544, 0.0, 0.0, 0.0, 0.0],
    [0.9466785280815826, 0.2557011698983284, 0.0, 0.0, 0.0],
    [3.314825187068521, 2.896124015972201, 0.9986419139977817, 0.0, 0.0],
    [1.221224509226641, 6.019134481288629, 12.53708332932087, -0.6878860361058950, 0.0],
    [1.221224509226641, 6.019134481288629, 12.53708332932087, -0.6878860361058950, 1.0],
])  # fmt: skip
G = np.array([
    [0.0, 0.0, 0.0, 0.0, 0.0],
    [-5.6688, 0.0, 0.0, 0.0, 0.0],
    [-2.430093356833875, -0.2063599157091915, 0.0, 0.0, 0.0],
    [-0.1073529058151375, -9.594562251023355, -20.47028614809616, 0.0, 0.0],
    [7.496443313967647, -10.24680431464352, -33.99990352819905, 11.7089089320616, 0.0],
    [8.083246795921522, -7.981132988064893, -31.52159432874371, 16.31930543123136,
     -6.058818238834054],
])  # fmt: skip
C = np.array([0.0, 0.386, 0.21, 0.63, 1.0, 1.0])
D = np.array([0.25, -0.1043, 0.1035, -0.03620000000000023, 0.0, 0.0])
DENSE = np.array([
    [10.12623508344586, -7.487995877610167, -34.80091861555747, -7.992771707568823,
     1.025137723295662],
    [-0.6762803392806898, 6.087714651680015, 16.43084320892478, 24.76722511418386,
     -6.594389125716872],
])  # fmt: skip


# numba's own runtime is not asked for anything: the code runs where numba is not (`driver.py`)
ALONE: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy", "_nrt": False}


@intrinsic
def _call(typingctx: Any, address: Any, t: Any, y: Any, p: Any, out: Any) -> Any:
    """Call void f(double t, double* y, double* p, double* out) at an address."""
    signature = types.void(types.intp, types.float64, types.intp, types.intp, types.intp)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = ir.DoubleType().as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [ir.DoubleType(), pointer, pointer, pointer])
        function = builder.inttoptr(arguments[0], kind.as_pointer())
        values = [builder.inttoptr(argument, pointer) for argument in arguments[2:]]
        builder.call(function, [arguments[1], *values])
        return context.get_dummy_value()

    return signature, generate


@njit(**ALONE)
def evaluate(address: int, t: float, y: Any, p: Any, out: Any) -> None:
    """Write f(t, y, p) of compiled code into `out`."""
    _call(address, t, y.ctypes.data, p.ctypes.data, out.ctypes.data)


@njit(**ALONE)
def _factorise(w: Any, plan: Any) -> None:
    product = 0
    for k in range(plan.diagonal.size):
        pivot = 1.0 / w[plan.diagonal[k]]
        w[plan.diagonal[k]] = pivot
        for i in range(plan.lower_start[k], plan.lower_start[k + 1]):
            factor = w[plan.lower_at[i]] * pivot
            w[plan.lower_at[i]] = factor
            for j in range(plan.upper_start[k], plan.upper_start[k + 1]):
                w[plan.target[product]] -= factor * w[plan.upper_at[j]]
                product += 1


@njit(**ALONE)
def _solve(w: Any, plan: Any, b: Any) -> None:
    for k in range(plan.order.size):
        value = b[plan.order[k]]
        for i in range(plan.lower_start[k], plan.lower_start[k + 1]):
            b[plan.lower_row[i]] -= w[plan.lower_at[i]] * value
    for k in range(plan.order.size - 1, -1, -1):
        value = b[plan.order[k]]
        for j in range(plan.upper_start[k], plan.upper_start[k + 1]):
            value -= w[plan.upper_at[j]] * b[plan.upper_column[j]]
        b[plan.order[k]] = value * w[plan.diagonal[k]]


@njit(**ALONE)
def _dyadic(h: float) -> float:
    mantissa, exponent = math.frexp(h)
    return math.ldexp(math.floor(mantissa * 1024.0) / 1024.0, exponent)


@njit(**ALONE)
def _step(
    code: Any, rows: Any, plan: Any, free: Any, y: Any, p: Any, t: float, step: float, stop: float,
    room: Any,
) -> None:  # fmt: skip
    """One step from (t, y): room.trial is the new state, the last of room.stages its error.

    Rates are asked before `stop` only: what changes there belongs to what comes behind it.
    """
    n, (jacobian, drift, slope, w, stages, trial) = y.size, room[:6]
    for e in range(w.size):
        w[e] = 0.0
    for k in range(n):
        w[plan.diagonal[k]] = 1.0 / (GAMMA * step)
    for e in range(rows.size):
        w[plan.jacobian_at[e]] -= jacobian[e] * free[rows[e]]
    _factorise(w, plan)
    for s in range(STAGES):
        for i in range(n):
            trial[i] = y[i]
        for j in range(s):
            a = A[s, j]
            if a != 0.0:
                for i in range(n):
                    trial[i] += a * stages[j, i]
        evaluate(code[0], min(t + C[s] * step, stop), trial, p, slope)
        for i in range(n):
            value = slope[i] + step * D[s] * drift[i]
            for j in range(s):
                value += G[s, j] / step * stages[j, i] if free[i] != 0.0 else 0.0
            stages[s, i] = value * free[i]
        _solve(w, plan, stages[s])
    for i in range(n):
        trial[i] += stages[STAGES - 1, i]


@njit(**ALONE)
def _switched(code: Any, t: float, y: Any, p: Any, held: Any, now: Any) -> bool:
    """Whether a condition differs from what is held."""
    evaluate(code[3], t, y, p, now)
    changed = False
    for k in range(held.size):
        changed |= now[k] != held[k]
    return changed


@njit(**ALONE)
def _find_switch(
    code: Any, rows: Any, plan: Any, free: Any, y: Any, p: Any, t: float, step: float, stop: float,
    held: Any, room: Any,
) -> float:  # fmt: skip
    """The length of the shortest step behind which a condition differs from what is held, to 1e-12
    of `step`; that step is the last one taken. By the Illinois method on the gaps between the sides
    of what changes, and by halves where that is slow."""
    trial, now, near, far, gap, changed = room[5:]
    evaluate(code[4], t, y, p, near)
    evaluate(code[4], min(t + step, stop), trial, p, far)
    _switched(code, min(t + step, stop), trial, p, held, now)
    for k in range(held.size):
        changed[k] = now[k] != held[k]
    before, behind, side, tries = 0.0, step, 0, 0
    while behind - before > max(1e-15 * abs(t + behind), 1e-12 * step):
        least = 0.5 * max(1e-15 * abs(t + behind), 1e-12 * step)
        middle = 0.5 * (before + behind)
        tries += 1
        if tries % 4 != 0:
            share = 1.0
            for k in range(held.size):
                if changed[k] != 0.0 and near[k] * far[k] <= 0.0 and near[k] != far[k]:
                    share = min(share, near[k] / (near[k] - far[k]))
            middle = before + share * (behind - before)
            middle = min(max(middle, before + least), behind - least)
        _step(code, rows, plan, free, y, p, t, middle, stop, room)
        evaluate(code[4], t + middle, trial, p, gap)
        if _switched(code, t + middle, trial, p, held, now):
            behind = middle
            for k in range(held.size):
                far[k], changed[k] = gap[k], now[k] != held[k]
                near[k] *= 0.5 if side == 1 else 1.0
            side = 1
        else:
            before = middle
            for k in range(held.size):
                near[k] = gap[k]
                far[k] *= 0.5 if side == -1 else 1.0
            side = -1
    _step(code, rows, plan, free, y, p, t, behind, stop, room)
    return behind


@njit(**ALONE)
def _interpolate(y: Any, new: Any, stages: Any, share: float, out: Any) -> None:
    """The state at a share of a step: a polynomial of order 3 through both ends."""
    for i in range(y.size):
        third = fourth = 0.0
        for j in range(5):
            third += DENSE[0, j] * stages[j, i]
            fourth += DENSE[1, j] * stages[j, i]
        out[i] = y[i] * (1.0 - share) + share * (new[i] + (1.0 - share) * (third + share * fourth))


@njit(cache=True, nogil=True, error_model="numpy")
def make_room(n: int, entries: int, size: int, conditions: int) -> Any:
    """What a step works in: of a network of n species, with so many entries of its Jacobian and of
    what is eliminated."""
    c = conditions
    return (
        *(np.empty(entries), np.empty(n), np.empty(n), np.empty(size), np.empty((STAGES, n))),
        *(np.empty(n), np.empty(c), np.empty(c), np.empty(c), np.empty(c), np.empty(c)),
    )


@njit(**ALONE)
def advance(
    code: Any,
    rows: Any,
    plan: Any,
    free: Any,
    y: Any,
    p: Any,
    t: float,
    end: float,
    h: float,
    limits: Any,
    counts: Any,
    held: Any,
    grid: Any,
    seen: Any,
    room: Any,
) -> tuple[int, float, float]:
    """Advance y in place from t to `end`; returns (status, time reached, proposed step).

    code: addresses of rates, jacobian, drift, watched and gaps; free: 0 holds a species, 1 lets it
    move; limits: rtol, atol per species (0 leaves it out of the error control), steps allowed;
    counts: accepted, rejected. Where one of the conditions changes from what is held, time stops
    just behind that instant (SWITCHED). The states at the times of `grid` from t on and before
    the time reached are written to the rows of `seen`. room: what `make_room` gives.
    """
    n, (rtol, atol, max_steps) = y.size, limits
    jacobian, drift, _, _, stages, trial, now = room[:7]
    smallest = 1e-13 * max(abs(end), 1.0)
    stop = np.nextafter(end, -np.inf)
    controlled = 0
    for i in range(n):
        controlled += atol[i] > 0.0
    controlled = max(controlled, 1)
    steps = row = 0
    while row < grid.size and grid[row] < t:
        row += 1
    fresh = False
    while t < end:
        if steps >= max_steps:
            return TOO_MANY_STEPS, t, h
        if not fresh:
            evaluate(code[1], t, y, p, jacobian)
            evaluate(code[2], t, y, p, drift)
            fresh = True
        left = end - t
        last = h >= left
        step = left if last else _dyadic(h)
        if step < smallest and not last:
            return STEP_TOO_SMALL, t, h
        _step(code, rows, plan, free, y, p, t, step, stop, room)
        error = 0.0
        for i in range(n):
            if not np.isfinite(trial[i]):
                error = np.inf
            elif atol[i] > 0.0:
                size_i = atol[i] + rtol * max(abs(y[i]), abs(trial[i]))
                error += (stages[STAGES - 1, i] / size_i) ** 2
        error = math.sqrt(error / controlled)
        steps += 1
        if error > 1.0 or not np.isfinite(error):
            counts[REJECTED] += 1
            shrink = 0.9 / math.sqrt(math.sqrt(error)) if np.isfinite(error) else 0.1
            h = step * max(0.1, shrink)
            continue
        counts[ACCEPTED] += 1
        proposal = step * min(5.0, 0.9 / math.sqrt(math.sqrt(max(error, 1e-8))))
        reached = end if last else t + step
        switch = held.size > 0 and _switched(code, min(reached, stop), trial, p, held, now)
        if switch:
            behind = _find_switch(code, rows, plan, free, y, p, t, step, stop, held, room)
            step, reached = behind, t + behind
        while row < grid.size and grid[row] < reached:
            _interpolate(y, trial, stages, (grid[row] - t) / step, seen[row])
            row += 1
        for i in range(n):
            y[i] = trial[i]
        t = reached
        fresh = False
        h = max(h, proposal) if last else proposal
        if switch:
            return SWITCHED, t, h
    return DONE, t, h
