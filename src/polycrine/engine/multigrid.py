"""Solves  e c + sum over faces of (c - neighbour) = b  on a uniform grid, by multigrid.

One molecule at a time, in units of one face's conductance: e (>= 0) is what a voxel loses other
than to its neighbours. Each level joins pairs of voxels per axis (a last one stays single and is
treated as a pair, which only costs convergence); residuals are summed into coarse voxels, their
corrections interpolated linearly. Smoothing is a pair of damped Jacobi sweeps.

Every level is padded by one layer around it. Behind a closed face the layer holds zeros and its
inverse diagonal is zero, so that a sweep runs flat over all of it and leaves it as it is; behind a
periodic one it holds the other side.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
DAMPING = (1.73, 0.57)  # Chebyshev roots for the modes that a coarser level cannot see
BOTTOM_SWEEPS = 12
SMALLEST = 4


class Grid(NamedTuple):
    """The levels of a grid, axes in the order z, y, x.

    shape: voxels per level and axis; start: where a padded level begins in a flat field; face:
    conductance of a face per level and axis; faces: that of all faces of each voxel (flat, -1 in
    the layer around); periodic: 1 where an axis closes on itself.
    """

    shape: Ints
    start: Ints
    face: Floats
    faces: Floats
    periodic: Ints


def make_grid(shape: tuple[int, int, int], periodic: tuple[bool, bool, bool]) -> Grid:
    """The levels from `shape` down to a handful of voxels."""
    shapes, widths = [np.array(shape)], [np.ones(3)]
    while shapes[-1].max() > SMALLEST:
        widths.append(np.where(shapes[-1] > 1, 2 * widths[-1], widths[-1]))
        shapes.append((shapes[-1] + 1) // 2)
    face = np.array([width.prod() / width**2 for width in widths])
    counts = [int((level + 2).prod()) for level in shapes]
    start = np.concatenate([[0], np.cumsum(counts)])
    wraps = [wrap and count > 1 for wrap, count in zip(periodic, shape, strict=True)]
    faces = np.concatenate(
        [_faces(level, width, wraps).ravel() for level, width in zip(shapes, face, strict=True)]
    )
    return Grid(np.array(shapes), start, face, faces, np.array(wraps, dtype=np.int64))


def _faces(shape: Ints, face: Floats, wraps: list[bool]) -> Floats:
    """The conductances of each voxel's faces in sum, within a layer of -1."""
    total = np.zeros(shape)
    for axis, count in enumerate(shape):
        open_faces = np.full(count, 2.0)
        if not wraps[axis]:
            open_faces[0] -= 1
            open_faces[-1] -= 1
        total += face[axis] * np.expand_dims(open_faces, [k for k in range(3) if k != axis])
    return np.pad(total, 1, constant_values=-1.0)


@njit(cache=True, nogil=True, error_model="numpy")
def padded(flat: Any, level: int, grid: Any) -> Any:
    """A level of a flat field as z, y, x, with the layer around it."""
    shape = grid.shape[level]
    values = flat[grid.start[level] : grid.start[level + 1]]
    return values.reshape((shape[0] + 2, shape[1] + 2, shape[2] + 2))


@njit(cache=True, nogil=True, error_model="numpy")
def inner(flat: Any, grid: Any) -> Any:
    """The finest level of a flat field without the layer around it."""
    return padded(flat, 0, grid)[1:-1, 1:-1, 1:-1]


@njit(cache=True, nogil=True, error_model="numpy")
def _wrap(c: Any, periodic: Any) -> None:
    if periodic[0]:
        c[0] = c[-2]
        c[-1] = c[1]
    if periodic[1]:
        c[:, 0] = c[:, -2]
        c[:, -1] = c[:, 1]
    if periodic[2]:
        c[:, :, 0] = c[:, :, -2]
        c[:, :, -1] = c[:, :, 1]


@njit(cache=True, nogil=True, error_model="numpy")
def _relax(
    new: Any, c: Any, left: Any, right: Any, south: Any, north: Any, below: Any, above: Any,
    b: Any, inverse: Any, kx: float, ky: float, kz: float, w: float
) -> None:  # fmt: skip
    for i in range(new.size):
        around = kx * (left[i] + right[i]) + ky * (south[i] + north[i])
        around += kz * (below[i] + above[i])
        new[i] = c[i] + w * ((b[i] + around) * inverse[i] - c[i])


@njit(cache=True, nogil=True, error_model="numpy")
def sweep(c: Any, b: Any, inverse: Any, w: float, level: int, grid: Any, new: Any) -> None:
    """One Jacobi sweep of a level, damped by w, from c into `new` (both flat over all levels)."""
    whole = padded(c, level, grid)
    if grid.periodic.any():
        _wrap(whole, grid.periodic)
    start, end = grid.start[level], grid.start[level + 1]
    row = whole.shape[2]
    slab = row * whole.shape[1]
    a, z = start + slab, end - slab
    kz, ky, kx = grid.face[level]
    _relax(
        new[a:z], c[a:z], c[a - 1 : z - 1], c[a + 1 : z + 1], c[a - row : z - row],
        c[a + row : z + row], c[a - slab : z - slab], c[a + slab : z + slab],
        b[a:z], inverse[a:z], kx, ky, kz, w,
    )  # fmt: skip


@njit(cache=True, nogil=True, error_model="numpy")
def residual(
    c: Any, b: Any, inverse: Any, diagonal: Any, level: int, grid: Any, out: Any
) -> None:  # fmt: skip
    """Write b - A c of a level into `out` (all flat over all levels)."""
    sweep(c, b, inverse, 1.0, level, grid, out)
    a, z = grid.start[level], grid.start[level + 1]
    _unscale(out[a:z], c[a:z], diagonal[a:z])


@njit(cache=True, nogil=True, error_model="numpy")
def _unscale(out: Any, c: Any, diagonal: Any) -> None:
    for i in range(out.size):
        out[i] = (out[i] - c[i]) * diagonal[i]


@njit(cache=True, nogil=True, error_model="numpy")
def prepare(inverse: Any, diagonal: Any, loss: Any, grid: Any) -> None:
    """Write the diagonal and 1 / diagonal of every level from the losses e of the finest, which are
    summed to the coarser ones (all flat)."""
    for level in range(grid.shape.shape[0]):
        if level > 0:
            fine, coarse = padded(loss, level - 1, grid), padded(loss, level, grid)
            _join(fine, coarse, grid.shape[level - 1])
        a, z = grid.start[level], grid.start[level + 1]
        _invert(loss[a:z], grid.faces[a:z], diagonal[a:z], inverse[a:z])


@njit(cache=True, nogil=True, error_model="numpy")
def _invert(loss: Any, faces: Any, diagonal: Any, inverse: Any) -> None:
    for i in range(loss.size):
        diagonal[i] = loss[i] + faces[i] if faces[i] >= 0.0 else 0.0
        inverse[i] = 1.0 / diagonal[i] if faces[i] >= 0.0 else 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def _join(fine: Any, coarse: Any, shape: Any) -> None:
    """Sum each coarse voxel's fine ones (both padded)."""
    nz, ny, nx = shape
    sz, sy = min(nz, 2), min(ny, 2)
    coarse[:] = 0.0
    for z in range(nz):
        for y in range(ny):
            row, line = coarse[z // sz + 1, y // sy + 1], fine[z + 1, y + 1]
            left, right = line[1:nx:2], line[2 : nx + 1 : 2]
            for x in range(nx // 2):
                row[x + 1] += left[x] + right[x]
            if nx % 2:
                row[nx // 2 + 1] += line[nx]


@njit(cache=True, nogil=True, error_model="numpy")
def _other(i: int, n: int, wrap: int) -> int:
    """The coarse voxel next to the one that holds fine voxel i, on the side of i."""
    beside, count = i // 2 + (1 if i % 2 else -1), (n + 1) // 2
    if n == 1:
        return 0
    return beside % count if wrap else min(max(beside, 0), count - 1)


@njit(cache=True, nogil=True, error_model="numpy")
def _blend(a: Any, b: Any, c: Any, d: Any, row: Any) -> None:
    for x in range(row.size):
        row[x] = 0.5625 * a[x] + 0.1875 * (b[x] + c[x]) + 0.0625 * d[x]


@njit(cache=True, nogil=True, error_model="numpy")
def _stretch(row: Any, line: Any, count: int) -> None:
    left, middle, right = row[:count], row[1 : count + 1], row[2 : count + 2]
    even, odd = line[1 : 2 * count : 2], line[2 : 2 * count + 1 : 2]
    for x in range(count):
        even[x] += 0.75 * middle[x] + 0.25 * left[x]
        odd[x] += 0.75 * middle[x] + 0.25 * right[x]


@njit(cache=True, nogil=True, error_model="numpy")
def _correct(coarse: Any, fine: Any, shape: Any, wrap: Any) -> None:
    """Add the interpolated coarse correction to the fine field (both padded)."""
    nz, ny, nx = shape
    sz, sy = min(nz, 2), min(ny, 2)
    count = coarse.shape[2] - 2
    row = np.empty(count + 2)
    for z in range(nz):
        near, far = coarse[z // sz + 1], coarse[_other(z, nz, wrap[0]) + 1]
        for y in range(ny):
            y0, y1 = y // sy + 1, _other(y, ny, wrap[1]) + 1
            line = fine[z + 1, y + 1]
            _blend(near[y0], near[y1], far[y0], far[y1], row)
            row[0] = row[count] if wrap[2] else row[1]
            row[count + 1] = row[1] if wrap[2] else row[count]
            if nx == 1:
                line[1] += row[1]
                continue
            _stretch(row, line, nx // 2)
            if nx % 2:
                line[nx] += 0.75 * row[count] + 0.25 * row[count - 1]


@njit(cache=True, nogil=True, error_model="numpy")
def _balance(c: Any, b: Any, diagonal: Any, level: int, grid: Any) -> None:
    """Raise c of a level everywhere by what makes losses and sources equal in sum."""
    missing, loss = 0.0, 0.0
    for i in range(grid.start[level], grid.start[level + 1]):
        if grid.faces[i] >= 0.0:
            e = diagonal[i] - grid.faces[i]
            missing += b[i] - e * c[i]
            loss += e
    if loss > 0.0:
        for i in range(grid.start[level], grid.start[level + 1]):
            if grid.faces[i] >= 0.0:
                c[i] += missing / loss


@njit(cache=True, nogil=True, error_model="numpy")
def cycle(c: Any, b: Any, inverse: Any, diagonal: Any, work: Any, grid: Any) -> None:
    """One V-cycle towards the solution; all arrays are flat over all levels."""
    depth = grid.shape.shape[0]
    for level in range(depth):
        if level > 0:
            c[grid.start[level] : grid.start[level + 1]] = 0.0
        if level == depth - 1:
            _balance(c, b, diagonal, level, grid)
        for _ in range(1 if level < depth - 1 else BOTTOM_SWEEPS):
            sweep(c, b, inverse, DAMPING[0], level, grid, work)
            sweep(work, b, inverse, DAMPING[1], level, grid, c)
        if level < depth - 1:
            residual(c, b, inverse, diagonal, level, grid, work)
            below = padded(b, level + 1, grid)
            _join(padded(work, level, grid), below, grid.shape[level])
    for level in range(depth - 2, -1, -1):
        coarse, fine = padded(c, level + 1, grid), padded(c, level, grid)
        _correct(coarse, fine, grid.shape[level], grid.periodic)
        sweep(c, b, inverse, DAMPING[0], level, grid, work)
        sweep(work, b, inverse, DAMPING[1], level, grid, c)
