"""How a cell sees the field: one B-spline for what it deposits and what it samples.

A sphere of radius R (um) that releases q at its surface (molecules in units of pM um^3) lies in a
field of voxel h, diffusion D and fluid fraction phi. With c_w the field under the kernel,

    c_s = c_w + (q - u c_s) G,   G = (1/R - gamma/h) / (4 pi phi D) >= 0,

where gamma / (4 pi phi D h) is what the kernel feels of its own deposit on the lattice; gamma
follows from the lattice's Green's function and the kernel's autocorrelation at its offset. So the
field sees q' = q / (1 + u G) and u' = u / (1 + u G), lumped on the diagonal.
"""

from functools import cache
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from polycrine.engine.multigrid import ALL, EDGE, FACE

Floats = NDArray[np.float64]
CUBIC, QUARTIC = 4, 5
FINEST_CUBIC, FINEST_QUARTIC = 1.16, 0.98  # voxel / radius
REACH = 5


@cache
def lattice_green() -> Floats:
    """g(z, y, x) of the infinite cubic lattice, sum over neighbours of w (g - neighbour) = delta.

    Of the integral over all waves, that over x is done by hand; the rest is smooth on a triangle
    whose corner lies at the long waves.
    """
    nodes, shares = np.polynomial.legendre.leggauss(32)
    nodes, shares = (nodes + 1) / 2, shares / 2
    p = np.pi * nodes[:, None]
    q = p * nodes
    area = p / np.pi * shares[:, None] * shares
    # a - b cos(x) is what the operator does to a wave
    sides = 2 * FACE + 4 * EDGE * (np.cos(p) + np.cos(q))
    a = ALL - 2 * FACE * (np.cos(p) + np.cos(q)) - 4 * EDGE * np.cos(p) * np.cos(q)
    root = np.sqrt(a**2 - sides**2)
    fall = sides / (a + root)
    g = np.zeros((REACH, REACH, REACH))
    for z, y, x in np.ndindex(g.shape):
        wave = np.cos(z * p) * np.cos(y * q) + np.cos(y * p) * np.cos(z * q)
        g[z, y, x] = (area * wave * fall**x / root).sum()
    return g


@njit(cache=True, nogil=True, error_model="numpy")
def _spline(position: float, width: int, weight: Any) -> int:
    """Write B-spline weights of a position (in voxels) and return the first voxel under it."""
    middle = position - 0.5
    if width == 4:
        first = int(np.floor(middle)) - 1
        f = middle - first - 1
        weight[0] = (1 - f) ** 3 / 6
        weight[1] = (3 * f**3 - 6 * f**2 + 4) / 6
        weight[2] = (-3 * f**3 + 3 * f**2 + 3 * f + 1) / 6
        weight[3] = f**3 / 6
        weight[4] = 0.0
        return first
    first = int(np.floor(middle + 0.5)) - 2
    f = middle - first - 2
    weight[0] = (0.5 - f) ** 4 / 24
    weight[1] = (19 - 44 * f + 24 * f**2 + 16 * f**3 - 16 * f**4) / 96
    weight[2] = 115 / 192 - 5 * f**2 / 8 + f**4 / 4
    weight[3] = (19 + 44 * f + 24 * f**2 - 16 * f**3 - 16 * f**4) / 96
    weight[4] = (0.5 + f) ** 4 / 24
    return first


@njit(cache=True, nogil=True, error_model="numpy")
def _fold(i: int, n: int, periodic: int) -> int:
    """The voxel inside the grid that stands for voxel i: wrapped, or mirrored at a closed face."""
    if periodic:
        return i % n
    i %= 2 * n
    return i if i < n else 2 * n - 1 - i


@njit(cache=True, nogil=True, error_model="numpy")
def place_kernels(
    position: Any, width: Any, voxel: float, shape: Any, periodic: Any, green: Any,
    at: Any, weight: Any, gamma: Any
) -> None:  # fmt: skip
    """For cells at `position` (cell, axis; um) write voxels, weights (cell, axis, 5), gamma."""
    overlap = np.empty((3, REACH))
    for i in range(position.shape[0]):
        for axis in range(3):
            w = weight[i, axis]
            first = _spline(position[i, axis] / voxel, width[i], w)
            for k in range(REACH):
                at[i, axis, k] = _fold(first + k, shape[axis], periodic[axis])
                total = 0.0
                for j in range(REACH - k):
                    total += w[j] * w[j + k]
                overlap[axis, k] = total if k == 0 else 2 * total
        total = 0.0
        for z in range(REACH):
            for y in range(REACH):
                for x in range(REACH):
                    total += overlap[0, z] * overlap[1, y] * overlap[2, x] * green[z, y, x]
        gamma[i] = 4 * np.pi * total


@njit(cache=True, nogil=True, error_model="numpy")
def deposit(field: Any, amount: Any, at: Any, weight: Any, width: Any) -> None:
    """Add each cell's amount to a field (z, y, x), in the order of the cells."""
    for i in range(amount.size):
        if amount[i] == 0.0:
            continue
        n = width[i]
        for z in range(n):
            for y in range(n):
                share = amount[i] * weight[i, 0, z] * weight[i, 1, y]
                row = field[at[i, 0, z], at[i, 1, y]]
                for x in range(n):
                    row[at[i, 2, x]] += share * weight[i, 2, x]


@njit(cache=True, nogil=True, error_model="numpy")
def sample(field: Any, at: Any, weight: Any, width: Any, out: Any) -> None:
    """Write what each cell's kernel reads of a field (z, y, x)."""
    for i in range(out.size):
        n, total = width[i], 0.0
        for z in range(n):
            for y in range(n):
                share = weight[i, 0, z] * weight[i, 1, y]
                row = field[at[i, 0, z], at[i, 1, y]]
                for x in range(n):
                    total += share * weight[i, 2, x] * row[at[i, 2, x]]
        out[i] = total


@njit(cache=True, nogil=True, error_model="numpy")
def deposit_all(
    fields: Any, amounts: Any, rows: Any, at: Any, weight: Any, width: Any, first: int = 0,
    strands: int = 1
) -> None:  # fmt: skip
    """Add column k of each cell's amounts to field rows[k], where that is not negative and belongs
    to the strand of every so many fields that begins with the first."""
    for k in range(rows.size):
        if rows[k] >= 0 and rows[k] % strands == first:
            deposit(fields[rows[k]], amounts[:, k].copy(), at, weight, width)


@njit(cache=True, nogil=True, error_model="numpy")
def sample_all(fields: Any, rows: Any, at: Any, weight: Any, width: Any, out: Any) -> None:
    """Write what each cell's kernel reads of field rows[k] into column k (0 where negative)."""
    seen = np.zeros(out.shape[0])
    for k in range(rows.size):
        if rows[k] >= 0:
            sample(fields[rows[k]], at, weight, width, seen)
            out[:, k] = seen
        else:
            out[:, k] = 0.0


def kernel_width(voxel: float, radius: float) -> int:
    """Cubic or quartic spline for a cell in this grid; 0 where the voxel is too fine."""
    if voxel >= FINEST_CUBIC * radius:
        return CUBIC
    return QUARTIC if voxel >= FINEST_QUARTIC * radius else 0
