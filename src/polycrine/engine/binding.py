"""Soluble partners bind in every voxel: A + B <-> C, each pair solved exactly in turn.

With x what has bound since the start, x' = kon (A - x)(B - x) - koff (C + x): a Riccati equation
with a closed solution that keeps A + C, B + C and every sign. Pairs are taken in their order over
half a step and in reverse over the other half, which is second order.
"""

from typing import Any

import numpy as np
from numba import njit


@njit(cache=True, nogil=True, error_model="numpy")
def bound_after(a: float, b: float, c: float, kon: float, koff: float, dt: float) -> float:
    """How much of A and B has bound after dt (negative: has come apart), all in pM."""
    half = 0.5 * (kon * (a + b) + koff)
    drive = kon * a * b - koff * c
    root = np.sqrt(max(half * half - kon * drive, 0.0))
    fall = np.exp(-2.0 * root * dt)
    x = drive * (1.0 - fall) / (root * (1.0 + fall) + half * (1.0 - fall)) if root > 0.0 else 0.0
    return min(max(x, -c), min(a, b))


@njit(cache=True, nogil=True, error_model="numpy")
def bind(fields: Any, parts: Any, kon: Any, koff: Any, dt: float) -> None:
    """Let every pair react for dt in all voxels of `fields` (species, voxel), in place."""
    pairs = kon.size
    for turn in range(2 * pairs):
        k = turn if turn < pairs else 2 * pairs - 1 - turn
        first, second, both = fields[parts[k, 0]], fields[parts[k, 1]], fields[parts[k, 2]]
        for i in range(first.size):
            x = bound_after(first[i], second[i], both[i], kon[k], koff[k], 0.5 * dt)
            first[i] -= x
            second[i] -= x
            both[i] += x
