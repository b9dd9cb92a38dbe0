"""Random numbers that depend on nothing but (seed, cell, tick, purpose)."""

from typing import Any

import numpy as np
from numba import njit, uint64

WALK, LIFE, ENTRY, PLACE, EGRESS = 1, 2, 3, 4, 5


@njit(cache=True, nogil=True, error_model="numpy")
def _mix(x: Any) -> Any:
    """The finaliser of splitmix64."""
    x = (x ^ (x >> uint64(30))) * uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> uint64(27))) * uint64(0x94D049BB133111EB)
    return x ^ (x >> uint64(31))


@njit(cache=True, nogil=True, error_model="numpy")
def uniform(seed: int, cell: int, tick: int, purpose: int, draw: int = 0) -> float:
    """A number in (0, 1): draw number `draw` of a cell at a tick for a purpose."""
    x = _mix(uint64(seed) + uint64(0x9E3779B97F4A7C15))
    x = _mix(x ^ (uint64(cell) * uint64(0xD1B54A32D192ED03)))
    x = _mix(x ^ (uint64(tick) * uint64(0x8CB92BA72F3D8DD7)))
    x = _mix(x ^ uint64(purpose * 64 + draw))
    return (float(x >> uint64(11)) + 0.5) * 2.0**-53


@njit(cache=True, nogil=True, error_model="numpy")
def uniforms(seed: int, cells: Any, tick: int, purpose: int) -> Any:
    """The first number of every cell."""
    drawn = np.empty(cells.size)
    for i in range(cells.size):
        drawn[i] = uniform(seed, cells[i], tick, purpose)
    return drawn
