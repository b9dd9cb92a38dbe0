"""Cells that walk: a persistent random walk with a bias, crowding and faces.

Per tick a walker keeps its direction or, with probability 1 - exp(-tick / persistence), takes a new
one: up the gradient with probability d / (d + 1), else any. d is the difference of occupied
receptors between its front and back, R0 Kd / (c + Kd)^2 |grad c| 2 R, over the one that is half.
A step that would bring it nearer than CLOSEST of the sum of radii to another cell is not taken.
"""

from typing import Any

import numpy as np
from numba import njit

from polycrine.engine.chance import WALK, uniform

CLOSEST = 0.8


@njit(cache=True, nogil=True, error_model="numpy")
def _inside(x: float, length: float, periodic: bool) -> float:
    """A coordinate brought back into the tissue, wrapped or mirrored."""
    if periodic:
        return x % length
    x = abs(x) % (2 * length)
    return min(x, 2 * length - x)


@njit(cache=True, nogil=True, error_model="numpy")
def level_at(field: Any, position: Any, voxel: float, periodic: bool) -> float:
    """A field (z, y, x) at a point, linear between the middles of voxels."""
    total = 0.0
    low, share = np.empty(3, dtype=np.int64), np.empty(3)
    for axis in range(3):
        middle = position[axis] / voxel - 0.5
        low[axis] = int(np.floor(middle))
        share[axis] = middle - low[axis]
    for corner in range(8):
        weight = 1.0
        at = np.empty(3, dtype=np.int64)
        for axis in range(3):
            step = (corner >> axis) & 1
            weight *= share[axis] if step else 1.0 - share[axis]
            n, i = field.shape[axis], low[axis] + step
            at[axis] = i % n if periodic else min(max(i, 0), n - 1)
        total += weight * field[at[0], at[1], at[2]]
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def climb(
    field: Any, position: Any, voxel: float, periodic: bool, strength: Any, bias: Any
) -> None:  # fmt: skip
    """Add to each cell's bias (cell, axis) its strength times the gradient of a field at its
    position, per um, over one voxel."""
    for i in range(strength.size):
        point = position[i].copy()
        for axis in range(3):
            if field.shape[axis] > 1:
                point[axis] = position[i, axis] + 0.5 * voxel
                ahead = level_at(field, point, voxel, periodic)
                point[axis] = position[i, axis] - 0.5 * voxel
                behind = level_at(field, point, voxel, periodic)
                bias[i, axis] += (ahead - behind) / voxel * strength[i]
                point[axis] = position[i, axis]


@njit(cache=True, nogil=True, error_model="numpy")
def turn(seed: int, ids: Any, tick: int, turning: float, bias: Any, heading: Any) -> None:
    """New headings of the cells that turn at this tick; bias is d as a vector."""
    for i in range(ids.size):
        started = heading[i, 0] != 0.0 or heading[i, 1] != 0.0 or heading[i, 2] != 0.0
        if started and uniform(seed, ids[i], tick, WALK, 0) > turning:
            continue
        size = np.sqrt(bias[i, 0] ** 2 + bias[i, 1] ** 2 + bias[i, 2] ** 2)
        if size > 0.0 and uniform(seed, ids[i], tick, WALK, 1) < size / (size + 1.0):
            for axis in range(3):
                heading[i, axis] = bias[i, axis] / size
            continue
        z = 2.0 * uniform(seed, ids[i], tick, WALK, 2) - 1.0
        angle = 2.0 * np.pi * uniform(seed, ids[i], tick, WALK, 3)
        flat = np.sqrt(1.0 - z * z)
        heading[i, 0], heading[i, 1], heading[i, 2] = z, flat * np.sin(angle), flat * np.cos(angle)


@njit(cache=True, nogil=True, error_model="numpy")
def make_bins(position: Any, edge: float, shape: Any) -> tuple[Any, Any]:
    """Heads of linked lists of cells per bin, and each cell's follower (-1: none)."""
    head = np.full((shape[0], shape[1], shape[2]), -1, dtype=np.int64)
    after = np.full(position.shape[0], -1, dtype=np.int64)
    for i in range(position.shape[0]):
        z, y, x = _bin_of(position[i], edge, shape)
        after[i] = head[z, y, x]
        head[z, y, x] = i
    return head, after


@njit(cache=True, nogil=True, error_model="numpy")
def _bin_of(position: Any, edge: float, shape: Any) -> tuple[int, int, int]:
    z = min(max(int(position[0] / edge), 0), shape[0] - 1)
    y = min(max(int(position[1] / edge), 0), shape[1] - 1)
    x = min(max(int(position[2] / edge), 0), shape[2] - 1)
    return z, y, x


@njit(cache=True, nogil=True, error_model="numpy")
def walk(
    position: Any, radius: Any, moves: Any, heading: Any, lengths: Any, edge: float, shape: Any,
    periodic: bool
) -> None:  # fmt: skip
    """Move each cell by its row of `moves` (um) where there is room, in the order of the rows.

    Who comes to a closed face turns back there.
    """
    head, after = make_bins(position, edge, shape)
    target = np.empty(3)
    for i in range(position.shape[0]):
        if moves[i, 0] == 0.0 and moves[i, 1] == 0.0 and moves[i, 2] == 0.0:
            continue
        for axis in range(3):
            there = position[i, axis] + moves[i, axis]
            target[axis] = _inside(there, lengths[axis], periodic)
            if not periodic and (there < 0.0 or there > lengths[axis]):
                heading[i, axis] = -heading[i, axis]
        if not _has_room(i, target, position, radius, head, after, edge, shape, lengths, periodic):
            continue
        z, y, x = _bin_of(position[i], edge, shape)
        if head[z, y, x] == i:
            head[z, y, x] = after[i]
        else:
            j = head[z, y, x]
            while after[j] != i:
                j = after[j]
            after[j] = after[i]
        position[i] = target
        z, y, x = _bin_of(target, edge, shape)
        after[i] = head[z, y, x]
        head[z, y, x] = i


@njit(cache=True, nogil=True, error_model="numpy")
def _apart(a: float, b: float, length: float) -> float:
    """The distance along an axis, the shorter way around where it closes after `length`."""
    distance = abs(a - b)
    return min(distance, length - distance)


@njit(cache=True, nogil=True, error_model="numpy")
def _has_room(
    i: int, target: Any, position: Any, radius: Any, head: Any, after: Any, edge: float, shape: Any,
    lengths: Any, periodic: bool
) -> bool:  # fmt: skip
    z, y, x = _bin_of(target, edge, shape)
    for bz in range(z - 1, z + 2):
        cz = bz % shape[0] if periodic else bz
        for by in range(y - 1, y + 2):
            cy = by % shape[1] if periodic else by
            for bx in range(x - 1, x + 2):
                cx = bx % shape[2] if periodic else bx
                if min(cz, cy, cx) < 0 or cz >= shape[0] or cy >= shape[1] or cx >= shape[2]:
                    continue
                j = head[cz, cy, cx]
                while j >= 0:
                    if j != i:
                        now, then = 0.0, 0.0
                        for axis in range(3):
                            length = lengths[axis] if periodic else np.inf
                            now += _apart(position[i, axis], position[j, axis], length) ** 2
                            then += _apart(target[axis], position[j, axis], length) ** 2
                        least = CLOSEST * (radius[i] + radius[j])
                        if then < least * least and then < now:
                            return False
                    j = after[j]
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def shown(
    position: Any, reach: Any, strength: Any, seeing: Any, sees: Any, edge: float, shape: Any,
    out: Any, add: bool = False
) -> None:  # fmt: skip
    """For each point of `seeing` the strongest cell of `position` within reach + sees, into out; or
    the strength of all of them."""
    head, after = make_bins(position, edge, shape)
    for i in range(seeing.shape[0]):
        out[i] = 0.0
        z, y, x = _bin_of(seeing[i], edge, shape)
        for cz in range(max(z - 1, 0), min(z + 2, shape[0])):
            for cy in range(max(y - 1, 0), min(y + 2, shape[1])):
                for cx in range(max(x - 1, 0), min(x + 2, shape[2])):
                    j = head[cz, cy, cx]
                    while j >= 0:
                        apart = 0.0
                        for axis in range(3):
                            apart += (seeing[i, axis] - position[j, axis]) ** 2
                        if apart < (reach[j] + sees) ** 2:
                            out[i] = out[i] + strength[j] if add else max(out[i], strength[j])
                        j = after[j]


def room_for(point: Any, radius: float, others: Any, radii: Any) -> bool:
    """Whether a cell at a point would touch none of the others."""
    return bool((((others - point) ** 2).sum(axis=1) >= (radii + radius) ** 2).all())
