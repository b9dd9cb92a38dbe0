"""Solves  e c + sum over neighbours of w (c - neighbour) = b  on a uniform grid, by multigrid.

One molecule at a time, in units of one face's conductance: e (>= 0) is what a voxel loses other
than to its neighbours. A voxel exchanges with its 6 neighbours across faces (w = 1/3) and its 12
across edges (w = 1/6), so that the lattice's error is the same in every direction. Each level joins
pairs of voxels per axis (a last one stays single and is treated as a pair, which only costs
convergence); residuals are summed into coarse voxels, their corrections interpolated linearly.
Smoothing is a pair of damped Jacobi sweeps.

Every level is padded by one layer around it, which mirrors the voxels at a closed face and holds
the other side at a periodic one, so that a sweep runs flat over all of it. An axis of one voxel is
mirrored into itself: in a plane and on a line the same operator is the isotropic one of 9 points
and that of 3.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
FACE, EDGE = 1 / 3, 1 / 6
ALL = 6 * FACE + 12 * EDGE
DAMPING = (1.513, 0.695)  # Chebyshev roots for the modes that a coarser level cannot see
SMALLEST = 2
BOTTOM_SWEEPS = 2


class Grid(NamedTuple):
    """The levels of a grid, axes in the order z, y, x.

    shape: voxels per level and axis; start: where a padded level begins in a flat field; face:
    conductance of a face per level; around: what each voxel exchanges with others in sum (flat, -1
    in the layer around); periodic: 1 where an axis closes on itself.
    """

    shape: Ints
    start: Ints
    face: Floats
    around: Floats
    periodic: Ints


def make_grid(shape: tuple[int, int, int], periodic: tuple[bool, bool, bool]) -> Grid:
    """The levels from `shape` down to a handful of voxels."""
    shapes, widths = [np.array(shape)], [np.ones(3)]
    while shapes[-1].max() > SMALLEST:
        widths.append(np.where(shapes[-1] > 1, 2 * widths[-1], widths[-1]))
        shapes.append((shapes[-1] + 1) // 2)
    # axes of more than one voxel have the same width
    face = np.array([width.prod() / width.max() ** 2 for width in widths])
    counts = [int((level + 2).prod()) for level in shapes]
    start = np.concatenate([[0], np.cumsum(counts)])
    around = np.concatenate(
        [_around(level, periodic, scale).ravel() for level, scale in zip(shapes, face, strict=True)]
    )
    return Grid(np.array(shapes), start, face, around, np.array(periodic, dtype=np.int64))


def _around(shape: Ints, periodic: tuple[bool, bool, bool], face: float) -> Floats:
    """What each voxel exchanges with other voxels in sum, within a layer of -1."""
    mirrors = []
    for axis, count in enumerate(shape):
        own = np.zeros(count)
        if count == 1 or not periodic[axis]:
            own[0] += 1
            own[-1] += 1
        mirrors.append(np.expand_dims(own, [k for k in range(3) if k != axis]))
    z, y, x = mirrors
    own = FACE * (z + y + x) + EDGE * (z * y + z * x + y * x)
    return np.pad(face * (ALL - own), 1, constant_values=-1.0)


@njit(cache=True, nogil=True, error_model="numpy")
def padded(flat: Any, level: int, grid: Any) -> Any:
    """A level of a flat field as z, y, x, with the layer around it."""
    shape = grid.shape[level]
    values = flat[grid.start[level] : grid.start[level + 1]]
    return values.reshape((shape[0] + 2, shape[1] + 2, shape[2] + 2))


@njit(cache=True, nogil=True, error_model="numpy")
def _copy(c: Any, to: int, source: int, count: int, stride: int) -> None:
    a, b, step = np.uint64(to), np.uint64(source), np.uint64(stride)
    for _ in range(count):
        c[a] = c[b]
        a += step
        b += step


@njit(cache=True, nogil=True, error_model="numpy")
def _surround(c: Any, level: int, grid: Any) -> None:
    """Fill the layer around a level of a flat field, axis after axis."""
    nz, ny, nx = grid.shape[level]
    row = nx + 2
    slab = row * (ny + 2)
    first, wrap = grid.start[level], grid.periodic
    for z in range(1, nz + 1):
        at = first + z * slab
        _copy(c, at + row, at + row + (nx if wrap[2] else 1), ny, row)
        _copy(c, at + row + nx + 1, at + row + (1 if wrap[2] else nx), ny, row)
        _copy(c, at, at + row * (ny if wrap[1] else 1), row, 1)
        _copy(c, at + row * (ny + 1), at + row * (1 if wrap[1] else ny), row, 1)
    _copy(c, first, first + slab * (nz if wrap[0] else 1), slab, 1)
    _copy(c, first + slab * (nz + 1), first + slab * (1 if wrap[0] else nz), slab, 1)


@njit(cache=True, nogil=True, error_model="numpy")
def _neighbours(c: Any, i: Any, row: Any, slab: Any) -> float:
    """The weighted sum of the 18 voxels around voxel i of a flat field."""
    one = np.uint64(1)
    a, b, d, e = i - row, i + row, i - slab, i + slab
    faces = (c[i - one] + c[i + one]) + (c[a] + c[b]) + (c[d] + c[e])
    edges = (c[a - one] + c[a + one]) + (c[b - one] + c[b + one])
    edges += (c[d - one] + c[d + one]) + (c[e - one] + c[e + one])
    edges += (c[d - row] + c[d + row]) + (c[e - row] + c[e + row])
    return float(FACE * faces + EDGE * edges)


@njit(cache=True, nogil=True, error_model="numpy")
def _span(level: int, grid: Any) -> Any:
    """Where the voxels of a level begin and end in a flat field, and its steps along y and z."""
    row = grid.shape[level, 2] + 2
    slab = row * (grid.shape[level, 1] + 2)
    around = slab + row + 1
    a, z = grid.start[level] + around, grid.start[level + 1] - around
    return np.uint64(a), np.uint64(z), np.uint64(row), np.uint64(slab)


@njit(cache=True, nogil=True, error_model="numpy")
def sweep(
    c: Any, b: Any, inverse: Any, diagonal: Any, w: float, level: int, grid: Any, new: Any
) -> None:  # fmt: skip
    """One Jacobi sweep of a level, damped by w, from c into `new` (all flat over all levels)."""
    _surround(c, level, grid)
    a, z, row, slab = _span(level, grid)
    face = grid.face[level]
    for i in range(a, z):
        rest = b[i] + face * _neighbours(c, i, row, slab) - diagonal[i] * c[i]
        new[i] = c[i] + w * rest * inverse[i]


@njit(cache=True, nogil=True, error_model="numpy")
def residual(
    c: Any, b: Any, inverse: Any, diagonal: Any, level: int, grid: Any, out: Any
) -> None:  # fmt: skip
    """Write b - A c of a level into `out` (all flat over all levels), 0 in the layer around."""
    _surround(c, level, grid)
    a, z, row, slab = _span(level, grid)
    face = grid.face[level]
    out[grid.start[level] : a] = out[z : grid.start[level + 1]] = 0.0
    for i in range(a, z):
        rest = b[i] + face * _neighbours(c, i, row, slab) - diagonal[i] * c[i]
        out[i] = rest if inverse[i] > 0.0 else 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def prepare(inverse: Any, diagonal: Any, loss: Any, grid: Any) -> None:
    """Write the diagonal, neighbours all counted, and 1 / that of a sweep, for every level, from
    the losses e of the finest, which are summed to the coarser ones (all flat)."""
    for level in range(grid.shape.shape[0]):
        if level > 0:
            _join(loss, loss, level, grid)
        a, z = np.uint64(grid.start[level]), np.uint64(grid.start[level + 1])
        whole = ALL * grid.face[level]
        for i in range(a, z):
            around = grid.around[i]
            diagonal[i] = loss[i] + whole if around >= 0.0 else 0.0
            inverse[i] = 1.0 / (loss[i] + around) if around >= 0.0 else 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def _join(fine: Any, coarse: Any, level: int, grid: Any) -> None:
    """Sum the fine voxels in each voxel of a level (both flat over all levels)."""
    nz, ny, nx = grid.shape[level - 1]
    row, line = grid.shape[level, 2] + 2, nx + 2
    start, first = grid.start[level], grid.start[level - 1]
    coarse[start : grid.start[level + 1]] = 0.0
    one, two = np.uint64(1), np.uint64(2)
    for z in range(nz):
        for y in range(ny):
            to = np.uint64(start + row * ((z // 2 + 1) * (grid.shape[level, 1] + 2) + y // 2 + 1))
            at = np.uint64(first + line * ((z + 1) * (ny + 2) + y + 1))
            for x in range(np.uint64(nx // 2)):
                coarse[to + x + one] += fine[at + two * x + one] + fine[at + two * x + two]
            if nx % 2:
                coarse[to + np.uint64(nx // 2 + 1)] += fine[at + np.uint64(nx)]


@njit(cache=True, nogil=True, error_model="numpy")
def _correct(c: Any, level: int, grid: Any) -> None:
    """Add the interpolated correction of the next coarser level to a level of c."""
    _surround(c, level + 1, grid)
    nz, ny, nx = grid.shape[level]
    _, my, mx = grid.shape[level + 1]
    line, row = nx + 2, mx + 2
    slab = row * (my + 2)
    start, first = grid.start[level + 1], grid.start[level]
    blend = np.empty(row)
    one, two = np.uint64(1), np.uint64(2)
    for z in range(nz):
        near = start + slab * (z // 2 + 1)
        far = near + (slab if z % 2 else -slab)
        for y in range(ny):
            own = row * (y // 2 + 1)
            beside = own + (row if y % 2 else -row)
            p, q = np.uint64(near + own), np.uint64(far + own)
            r, s = np.uint64(near + beside), np.uint64(far + beside)
            for x in range(np.uint64(row)):
                blend[x] = 0.5625 * c[p + x] + 0.1875 * (c[q + x] + c[r + x]) + 0.0625 * c[s + x]
            at = np.uint64(first + line * ((z + 1) * (ny + 2) + y + 1))
            for x in range(np.uint64(nx // 2)):
                middle = 0.75 * blend[x + one]
                c[at + two * x + one] += middle + 0.25 * blend[x]
                c[at + two * x + two] += middle + 0.25 * blend[x + two]
            if nx % 2:
                c[at + np.uint64(nx)] += 0.75 * blend[mx] + 0.25 * blend[mx - 1]


@njit(cache=True, nogil=True, error_model="numpy")
def _balance(c: Any, b: Any, diagonal: Any, level: int, grid: Any) -> None:
    """Raise c of a level everywhere by what makes losses and sources equal in sum."""
    missing, loss, whole = 0.0, 0.0, ALL * grid.face[level]
    for i in range(grid.start[level], grid.start[level + 1]):
        if grid.around[i] >= 0.0:
            e = diagonal[i] - whole
            missing += b[i] - e * c[i]
            loss += e
    if loss > 0.0:
        for i in range(grid.start[level], grid.start[level + 1]):
            c[i] += missing / loss


@njit(cache=True, nogil=True, error_model="numpy")
def _move(c: Any, rest: Any, inverse: Any, w: float, level: int, grid: Any, new: Any) -> None:
    """A sweep of a level from c into `new` whose residual is known."""
    for i in range(np.uint64(grid.start[level]), np.uint64(grid.start[level + 1])):
        new[i] = c[i] + w * rest[i] * inverse[i]


@njit(cache=True, nogil=True, error_model="numpy")
def cycle(c: Any, b: Any, inverse: Any, diagonal: Any, work: Any, grid: Any) -> None:
    """One V-cycle towards the solution from its residual, which lies in the finest level of `work`;
    all arrays are flat over all levels."""
    last = grid.shape.shape[0] - 1
    for level in range(last):
        rest = b if level > 0 else work
        _move(c, rest, inverse, DAMPING[0], level, grid, work)
        sweep(work, b, inverse, diagonal, DAMPING[1], level, grid, c)
        residual(c, b, inverse, diagonal, level, grid, work)
        _join(work, b, level + 1, grid)
        c[grid.start[level + 1] : grid.start[level + 2]] = 0.0
    _balance(c, b, diagonal, last, grid)
    for level in range(last, -1, -1):
        if level < last:
            _correct(c, level, grid)
        for _ in range(1 if level < last else BOTTOM_SWEEPS):
            sweep(c, b, inverse, diagonal, DAMPING[0], level, grid, work)
            sweep(work, b, inverse, diagonal, DAMPING[1], level, grid, c)
