"""Cells of a tissue that touch: what each hears of the ligands on its neighbours.

Cells touch where less than TOUCH lies between their surfaces. A cell's ligands are shared among all
those which touch it and could hear them (`network/touch.py` has the equation).
"""

import numpy as np
from numpy.typing import NDArray

from polycrine.engine.cells import Answer, Batch
from polycrine.engine.motion import shown
from polycrine.engine.tissue import Tissue

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
TOUCH = 2.0  # um between the surfaces of cells that still touch


def bins_of(tissue: Tissue, radius: Floats) -> tuple[float, Ints]:
    """Edge and shape of bins that are large enough for cells of these radii to touch no further."""
    edge = max(2 * float(radius.max()) + TOUCH, tissue.space.voxel)
    lengths = np.array(tissue.space.shape) * tissue.space.voxel
    return edge, np.maximum(1, np.floor(lengths / edge)).astype(np.int64)


def feel(tissue: Tissue) -> None:
    """Set what each cell hears by touch, and from which kinds."""
    for ligand in tissue.space.ligands:
        showing = [k for k, b in enumerate(tissue.batches) if _shown(b, ligand) is not None]
        hearing = [
            (k, p)
            for k, batch in enumerate(tissue.batches)
            for p, felt in enumerate(batch.kind.feels)
            if felt.ligand == ligand and batch.count
        ]
        heard = {k: np.zeros((tissue.batches[k].count, len(tissue.batches))) for k, _ in hearing}
        for s in showing:
            sender, amount = tissue.batches[s], _shown(tissue.batches[s], ligand)
            if amount is None or not sender.count:
                continue
            ways = [_neighbours(tissue, tissue.batches[k], sender, None) for k, _ in hearing]
            each = amount / np.maximum(sum(ways, np.zeros(sender.count)), 1.0)
            for k, _ in hearing:
                felt = _neighbours(tissue, sender, tissue.batches[k], each)
                heard[k][:, s] = tissue.space.touch[k, s] * felt
        for k, p in hearing:
            batch, total = tissue.batches[k], heard[k].sum(axis=1)
            batch.touch[:, p] = total
            now = total > 0
            batch.touch_from[now, p] = heard[k][now] / total[now, None]


def _shown(batch: Batch, ligand: str) -> Floats | None:
    """How many of a ligand each cell shows; None where cells of its kind do not."""
    for one in batch.kind.shows:
        if one.ligand == ligand:
            most = batch.parameters[one.most] * batch.parameters[one.gene]
            share = batch.state[:, one.share] if one.share >= 0 else np.ones(batch.count)
            return np.asarray(most * share)
    return None


def _neighbours(tissue: Tissue, batch: Batch, seeing: Batch, weight: Floats | None) -> Floats:
    """For each cell of `seeing`, the sum of weights (1 each) of the other cells that touch it."""
    weight = np.ones(batch.count) if weight is None else weight
    reach, out = np.full(batch.count, batch.kind.radius + TOUCH), np.zeros(seeing.count)
    if batch.count and seeing.count:
        edge, bins = bins_of(tissue, np.append(reach, seeing.kind.radius))
        where = batch.position, reach, weight, seeing.position, seeing.kind.radius
        shown(*where, edge, bins, out, True)
    if batch is seeing:  # a cell is at no distance from itself, yet does not touch itself
        out = np.maximum(out - weight, 0)
    return out


def book_touch(tissue: Tissue, answers: list[Answer]) -> None:
    """Book who took in whose ligands by touch in a step that was accepted."""
    for k, (batch, answer) in enumerate(zip(tissue.batches, answers, strict=True)):
        for p, felt in enumerate(batch.kind.feels):
            taken = answer.state[:, felt.taken] - batch.state[:, felt.taken]
            row = tissue.space.ligands.index(felt.ligand)
            tissue.touched[row, :, k] += (taken[:, None] * batch.touch_from[:, p]).sum(axis=0)
