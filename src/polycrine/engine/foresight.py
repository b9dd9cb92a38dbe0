"""What lies ahead of members whose rates or events have conditions: when they have to halt, where
conditions change within a step, which triggers hold. Compiled, for many members in one call.
"""

from typing import Any

import numpy as np
from numba import njit

from polycrine.engine.rosenbrock import ALONE, advance, evaluate, make_room
from polycrine.engine.status import DONE, SWITCHED


@njit(**ALONE)
def foresee(
    watched: int,
    crossings: int,
    clocks: int,
    t: float,
    y: Any,
    p: Any,
    held: Any,
    sides: Any,
    now: Any,
) -> float:
    """Write what holds at t into `held`; returns when a condition on time alone may change next.

    watched, crossings: addresses of compiled functions; clocks: how many depend on time alone. The
    two sides of such a condition meet where Newton's method says, to the last bit where they can.
    sides (2 x clocks) and now (as held): to work in.
    """
    evaluate(watched, t, y, p, held)
    soonest = np.inf
    for k in range(clocks):
        time = t
        for _ in range(4):
            evaluate(crossings, time, y, p, sides)
            apart, speed = sides[2 * k], sides[2 * k + 1]
            if apart == 0.0 or speed == 0.0 or not np.isfinite(apart / speed):
                break
            time -= apart / speed
        evaluate(crossings, time, y, p, sides)
        found, least = time, abs(sides[2 * k])
        for way in range(2):
            near = np.nextafter(time, np.inf if way == 0 else -np.inf)
            evaluate(crossings, near, y, p, sides)
            if abs(sides[2 * k]) < least:
                found, least = near, abs(sides[2 * k])
        if found > t:
            soonest = min(soonest, found)
        elif found == t:  # `t > c` holds from the next instant on
            later = np.nextafter(t, np.inf)
            evaluate(watched, later, y, p, now)
            for j in range(held.size):
                if now[j] != held[j]:
                    soonest = min(soonest, later)
    return soonest


@njit(cache=True, nogil=True, error_model="numpy")
def foresee_many(
    watched: int,
    crossings: int,
    clocks: int,
    who: Any,
    times: Any,
    states: Any,
    parameters: Any,
    held: Any,
    soonest: Any,
) -> None:
    """`foresee` for those members that are listed in `who`."""
    sides, now = np.empty(2 * clocks), np.empty(held.shape[1])
    for i in who:
        place = times[i], states[i], parameters[i], held[i], sides, now
        soonest[i] = foresee(watched, crossings, clocks, *place)


@njit(cache=True, nogil=True, error_model="numpy")
def find_triggers(
    values: int, at: Any, who: Any, times: Any, states: Any, parameters: Any, room: Any, found: Any
) -> None:
    """Write which triggers hold, at places `at` of the compiled values, of those in `who`."""
    for i in who:
        evaluate(values, times[i], states[i], parameters[i], room)
        for k in range(at.size):
            found[i, k] = room[at[k]]


@njit(cache=True, nogil=True, error_model="numpy")
def find_switches(
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
    counts: Any,
    held: Any,
    grid: Any,
    seen: Any,
    status: Any,
) -> None:
    """Take those in `who`, each alone, to the instant behind which a condition has changed."""
    room = make_room(states.shape[1], rows.size, plan.size, held.shape[1])
    for i in who:
        before = states[i], parameters[i], times[i], ends[i], steps[i]
        place = code, rows, plan, free
        status[i], times[i], steps[i] = advance(
            *place, *before, limits, counts[i], held[i], grid, seen[i], room
        )
        if status[i] == SWITCHED:
            status[i] = DONE
