"""Cells that walk and bacteria that grow, against the laws they follow."""

import numpy as np
import pytest
import spaces

from polycrine.engine.chance import ENTRY, LIFE, WALK, uniform
from polycrine.engine.life import grow, live
from polycrine.engine.tissue import Settings
from polycrine.network.tissue import Microbes

SPEED, PERSISTENCE, TICK = 5.0, 10.0, 0.5


def walkers(position, shape, seed=1, radius=0.01, voxel=10.0, periodic=False, **ways):
    """Cells that walk."""
    ways = {"speed": SPEED, "persistence": PERSISTENCE} | ways
    cells = [(spaces.cell(radius=radius, **ways), position)]
    where = spaces.space(shape, voxel, periodic=periodic)
    return spaces.tissue(where, cells, Settings(tick=TICK), seed=seed)


def walk(tissue, ticks, first=1):
    for tick in range(first, first + ticks):
        live(tissue, tick)
    return tissue.batches[0].position


def test_an_unbiased_walk_spreads_as_a_persistent_random_walk():
    # 2 v^2 P (t - P (1 - e^(-t/P)))
    start = 800 + 400 * np.random.default_rng(9).random((4000, 3))
    tissue, done = walkers(start, (20, 20, 20), voxel=100.0), 0
    for time in (2.0, 10.0, 40.0, 120.0):
        ticks = round(time / TICK)
        moved = walk(tissue, ticks - done, done + 1) - start
        done = ticks
        reached = time - PERSISTENCE * (1 - np.exp(-time / PERSISTENCE))
        exact = 2 * SPEED**2 * PERSISTENCE * reached
        assert (moved**2).sum(axis=1).mean() == pytest.approx(exact, rel=0.05)
        assert np.abs(moved.mean(axis=0)).max() < 4 * np.sqrt(exact / 3 / len(start))
        assert (moved**2).mean(axis=0) == pytest.approx(np.full(3, exact / 3), rel=0.08)


def test_walkers_in_one_layer_stay_in_it():
    tissue = walkers(np.random.default_rng(1).random((50, 3)) * [10, 300, 300], (1, 30, 30))
    before = tissue.batches[0].position[:, 0].copy()
    moved = walk(tissue, 40)
    assert np.array_equal(moved[:, 0], before)
    assert (moved[:, 1:].std(axis=0) > 10).all()


def in_a_gradient(axis=2, aimless=frozenset()):
    """Where walkers started, and where they are after 30 min in a gradient of L of 0.1 pM/um."""
    start = 300 + 400 * np.random.default_rng(5).random((400, 3))
    ways = {"sites": 1e4, "kon": 1e-3, "kd": 50.0, "toward": ((1, 100.0),)}
    tissue = walkers(start, (100, 100, 100), radius=5.0, **ways)
    rise = np.arange(100) + 0.5
    tissue.fields[0] = np.expand_dims(rise, [k for k in range(3) if k != axis])
    tissue.batches[0].surface[:] = 50.0
    tissue.aimless = aimless
    return walk(tissue, 60) - start


@pytest.mark.parametrize("axis", range(3))
def test_a_biased_walk_drifts_up_the_gradient_as_fast_as_its_receptors_tell(axis):
    moved = in_a_gradient(axis)
    # d = R0 Kd / (c + Kd)^2 |grad c| 2 R / half, a share d / (d + 1) of the turns goes up
    d = 1e4 * 50 / (50 + 50) ** 2 * 0.1 * 10 / 100.0
    drift = SPEED * d / (1 + d) * 30
    assert moved[:, axis].mean() == pytest.approx(drift, rel=0.1)
    across = np.delete(moved, axis, axis=1)
    assert np.abs(across.mean(axis=0)).max() < 4 * across.std() / np.sqrt(len(moved))


def test_cells_without_chemotaxis_do_not_drift():
    moved = in_a_gradient(aimless=frozenset({"cell"}))
    assert np.abs(moved.mean(axis=0)).max() < 4 * moved.std() / np.sqrt(len(moved))


def nearest(position, lengths, periodic):
    """The distance of every pair of cells."""
    apart = position[:, None] - position
    if periodic:
        apart -= lengths * np.round(apart / lengths)
    first, second = np.triu_indices(len(position), 1)
    return np.linalg.norm(apart[first, second], axis=1)


@pytest.mark.parametrize("periodic", [False, True], ids=["closed", "periodic"])
def test_walkers_do_not_come_nearer_than_four_fifths_of_their_radii(periodic):
    lengths = np.array([60.0, 80.0, 100.0])
    position = np.random.default_rng(2).random((120, 3)) * lengths
    tissue = walkers(position, (6, 8, 10), radius=5.0, periodic=periodic)
    least = np.minimum(nearest(position, lengths, periodic), 8.0)
    for tick in range(1, 80):
        live(tissue, tick)
        apart = nearest(tissue.batches[0].position, lengths, periodic)
        assert (apart >= least - 1e-9).all()
        least = np.maximum(least, np.minimum(apart, 8.0))
    assert np.abs(tissue.batches[0].position - position).max() > 10


@pytest.mark.parametrize("periodic", [False, True], ids=["closed", "periodic"])
def test_walkers_stay_inside(periodic):
    lengths = np.array([20.0, 30.0, 40.0])
    tissue = walkers(
        np.random.default_rng(3).random((30, 3)) * lengths, (2, 3, 4), periodic=periodic, speed=60.0
    )
    for tick in range(1, 60):
        live(tissue, tick)
        position = tissue.batches[0].position
        assert (position >= 0).all()
        assert (position <= lengths).all()


@pytest.mark.parametrize("periodic", [False, True], ids=["closed", "periodic"])
def test_walkers_do_not_gather_at_the_faces(periodic):
    start = np.random.default_rng(8).random((2000, 3)) * 100
    position = walk(walkers(start, (10, 10, 10), periodic=periodic), 200)
    at_faces = ((position < 10) | (position > 90)).mean(axis=0)
    assert at_faces == pytest.approx(np.full(3, 0.2), abs=4 * np.sqrt(0.2 * 0.8 / 2000))


def test_a_seed_names_a_path():
    start = np.random.default_rng(4).random((20, 3)) * 200
    first, again, other = (walk(walkers(start, (20, 20, 20), s), 30) for s in (7, 7, 8))
    assert np.array_equal(first, again)
    assert np.abs(first - other).max() > 10


def test_chance_is_uniform_and_forgets():
    draws = np.array([[uniform(1, cell, tick, WALK) for tick in range(200)] for cell in range(200)])
    n = draws.size
    assert draws.min() > 0
    assert draws.max() < 1
    assert draws.mean() == pytest.approx(0.5, abs=4 / np.sqrt(12 * n))
    assert draws.var() == pytest.approx(1 / 12, abs=4 * np.sqrt(1 / 180 / n))
    counts, _ = np.histogram(draws, 20, (0, 1))
    assert ((counts - n / 20) ** 2 / (n / 20)).sum() < 43.8  # chi^2 of 19, 99.9 %
    centred = draws - 0.5
    for lag in (centred[1:] * centred[:-1], centred[:, 1:] * centred[:, :-1]):
        assert abs(12 * lag.mean()) < 4 / np.sqrt(lag.size)


def test_chance_depends_on_each_of_its_arguments():
    names = [(1, 5, 9, WALK, 0), (2, 5, 9, WALK, 0), (1, 6, 9, WALK, 0), (1, 5, 10, WALK, 0)]
    names += [(1, 5, 9, LIFE, 0), (1, 5, 9, ENTRY, 0), (1, 5, 9, WALK, 1), (1, 9, 5, WALK, 0)]
    draws = {uniform(*name) for name in names}
    assert len(draws) == len(names)
    assert draws == {uniform(*name) for name in names}


GROWTH, KILLING = 8e-3, 2e4  # 1/min; um^3/min per phagocyte, 2e-8 mL/min
CRITICAL = GROWTH / KILLING  # per um^3: 4e5 per mL


def infected(density, per_um3, capacity=np.inf):
    """Bacteria spread evenly among eight phagocytes that stand on a grid, at a density."""
    edge = (8 / density) ** (1 / 3)
    microbes = Microbes("bacteria", GROWTH, capacity, 1e6, (), ())
    where = spaces.space((10, 10, 10), edge / 10, microbes=microbes, periodic=True)
    corners = np.indices((2, 2, 2)).reshape(3, -1).T
    phagocytes = spaces.cell(engulfs=KILLING)
    tissue = spaces.tissue(where, [(phagocytes, (corners + 0.37) * edge / 2)])
    tissue.bacteria = np.full(where.shape, per_um3)
    return tissue


def rate(density):
    """The rate at which few bacteria grow among phagocytes at a density."""
    tissue = infected(density, 1e-4)
    spaces.run(tissue, 30.0)
    settled = tissue.bacteria.mean()
    spaces.run(tissue, 90.0)
    return np.log(tissue.bacteria.mean() / settled) / 60.0


def test_without_phagocytes_bacteria_grow_logistically_whatever_the_step():
    capacity, start = 1e-3, 1e-5
    microbes = Microbes("bacteria", GROWTH, capacity, 10.0, (), ())
    for dt in (0.5, 32.0, 512.0):
        tissue = spaces.tissue(spaces.space((4, 5, 6), 20.0, microbes=microbes))
        tissue.bacteria = np.full(tissue.shape, start)
        for _ in range(round(512 / dt)):
            tissue.bacteria, _, _, _ = grow(tissue, dt)
        exact = capacity / (1 + (capacity / start - 1) * np.exp(-GROWTH * 512))
        assert tissue.bacteria == pytest.approx(exact, rel=1e-9)


def test_bacteria_fall_above_the_critical_density_of_phagocytes_and_grow_below():
    assert rate(CRITICAL / 2) == pytest.approx(GROWTH / 2, rel=0.05)
    assert rate(CRITICAL * 2) == pytest.approx(-GROWTH, rel=0.05)
    assert rate(CRITICAL * 0.95) > 0 > rate(CRITICAL * 1.05)


def test_phagocytes_hold_what_bacteria_lost():
    tissue = infected(CRITICAL, 1e-4)
    volume, dt = tissue.space.volume, 0.5
    before = tissue.bacteria.sum() * volume
    after, eaten, _, _ = grow(tissue, dt)
    grown = before * np.exp(GROWTH * dt)
    assert after.sum() * volume + eaten[0].sum() == pytest.approx(grown, rel=1e-3)


def test_the_last_half_bacterium_is_none():
    tissue = spaces.tissue(
        spaces.space((4, 4, 4), microbes=Microbes("bacteria", GROWTH, np.inf, 10.0, (), ()))
    )
    for count, left in ((0.4, 0), (0.6, 1)):
        tissue.bacteria = np.full(tissue.shape, count / 64 / tissue.space.volume)
        after, _, _, _ = grow(tissue, 0.5)
        assert after.any() == left
