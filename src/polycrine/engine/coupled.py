"""Time passes in a tissue that is joined to stirred places.

One step of dt: soluble partners bind for dt/2; cells, fields and blood exchange over dt; soluble
partners bind for dt/2. At every tick cells turn, walk, enter and die. Steps are dyadic parts of a
grid, so that a run that is stopped and resumed takes the same ones. All sums run in a fixed order:
threads share molecules, cells and voxels, never a sum.
"""

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from polycrine.engine.attribution import attribute
from polycrine.engine.binding import bind
from polycrine.engine.exchange import Exchange, attempt, misplaced
from polycrine.engine.fields import CYCLES, HALVED, UNSOLVED
from polycrine.engine.life import live
from polycrine.engine.tissue import Tissue
from polycrine.engine.touch import book_touch
from polycrine.network.builder import LOST, SHED
from polycrine.network.tissue import MOLECULES

Floats = NDArray[np.float64]
SLABS = 8


def advance(tissue: Tissue, until: float, pool: ThreadPoolExecutor) -> None:
    """Let time pass up to `until`, a point of the grid of steps.

    Raises FloatingPointError when no step is small enough.
    """
    settings, space = tissue.settings, tissue.space
    while tissue.time < until:
        dt = min(tissue.step, settings.longest)
        while tissue.time % dt != 0.0 or tissue.time + dt > until:
            dt /= 2
        kept = tissue.fields.copy(), tissue.tags.copy()
        koff, kon = space.koff, space.kon * tissue.binding()
        try:
            bind_all(tissue, kon, koff, dt / 2, pool)
            found = attempt(tissue, dt, pool)
            wrong = misplaced(found)
            if found.told[:, UNSOLVED].any():
                raise FloatingPointError("a field was not solved to its tolerance")
            failure = None
        except FloatingPointError as error:
            wrong, failure = np.inf, error
        if wrong > settings.step and dt > settings.shortest:
            (tissue.fields, tissue.tags), tissue.step = kept, dt / 2
            tissue.note("steps repeated")
            continue
        if failure is not None:
            raise failure
        if len(tissue.tags):
            attribute(found, dt)
        _accept(tissue, found, dt)
        bind_all(tissue, kon, koff, dt / 2, pool)
        first, last = tissue.time / settings.tick, (tissue.time + dt) / settings.tick
        tissue.time += dt
        for tick in range(math.floor(first) + 1, math.floor(last) + 1):
            live(tissue, tick)
        if wrong < settings.step / 8 and dt == tissue.step:
            tissue.step = min(2 * dt, settings.longest)


def bind_all(
    tissue: Tissue, kon: Floats, koff: Floats, dt: float, pool: ThreadPoolExecutor
) -> None:
    """Let soluble partners react in every voxel, slabs of voxels side by side."""
    flat = tissue.fields.reshape(len(tissue.fields), -1)
    tags = tissue.tags.reshape(len(tissue.tags), flat.shape[1])
    edges = np.linspace(0, flat.shape[1], SLABS + 1).astype(int)

    def work(slab: int) -> None:
        part = slice(edges[slab], edges[slab + 1])
        bind(flat[:, part], tags[:, part], tissue.row_of, tissue.space.parts, kon, koff, dt)

    if len(kon):
        list(pool.map(work, range(SLABS)))


def _accept(tissue: Tissue, found: Exchange, dt: float) -> None:
    """Take over what an attempt found."""
    tissue.fields, tissue.bacteria = found.fields, found.grown
    if tissue.bath is not None and found.member is not None:
        bath = tissue.bath
        bath.slope = (found.member.state - bath.member.state)[bath.level] / dt
        bath.member = found.member
    book_touch(tissue, found.answers)
    for k, batch in enumerate(tissue.batches):
        own = found.answers[k]
        got = (own.q - own.u * found.surface[k]) * (MOLECULES * dt)
        batch.state, batch.step, batch.q, batch.u = own.state, own.step, own.q, own.u
        batch.base = found.base[k]
        batch.surface, batch.left = found.surface[k], batch.left + own.given - got
        batch.held, batch.spell = batch.held + found.eaten[k], dt
    volume = tissue.space.volume * MOLECULES
    lost = tissue.space.loss * tissue.space.fluid_fraction * found.mean.sum(axis=(1, 2, 3))
    tissue.book(LOST, -lost * volume * dt)
    tissue.book(SHED, found.shed.sum(axis=(1, 2, 3)) * MOLECULES * dt)
    tissue.note("steps")
    tissue.note("sweeps", found.sweeps)
    tissue.note("cycles", float(found.told[:, CYCLES].sum()))
    tissue.note("halved", float(found.told[:, HALVED].sum()))
