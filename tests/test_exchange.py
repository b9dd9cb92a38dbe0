"""Cells in a field: how far a signal reaches, what a cell hears of itself, and the ledger."""

import dataclasses

import numpy as np
import pytest
import spaces
from scipy.integrate import solve_ivp

from polycrine.engine.fields import TOLD, make_room, steady_field
from polycrine.engine.kernel import (
    CUBIC,
    FINEST_CUBIC,
    FINEST_QUARTIC,
    QUARTIC,
    deposit,
    kernel_width,
    lattice_green,
    place_kernels,
    sample,
)
from polycrine.engine.multigrid import make_grid
from polycrine.engine.tissue import Settings
from polycrine.network.tissue import MOLECULES

MINUTE, HUNDREDTH, FOR_EVER = 1.0, 2.0**-7, 2.0**20
DIFFUSION, PHI = 3000.0, 0.25


def kernels(position, width, shape):
    """Voxels, weights, widths and gamma of kernels at positions, in voxels."""
    n = len(position)
    at, weight, gamma = np.zeros((n, 3, 5), dtype=np.int64), np.zeros((n, 3, 5)), np.zeros(n)
    widths, closed = np.full(n, width), np.zeros(3, dtype=np.int64)
    place_kernels(
        position, widths, 1.0, np.array(shape), closed, lattice_green(), at, weight, gamma
    )
    return at, weight, widths, gamma


def steady(source, reach):
    """The steady field of a source among uniform sinks, with D, phi and voxels of one."""
    grid, c, told = make_grid(source.shape, (False,) * 3), np.zeros(source.shape), np.zeros(TOLD)
    loss = np.full(source.shape, 1 / reach**2)
    steady_field(c, loss, source, grid, make_room(grid), 1e-9, 100, told)
    return c


EVERYWHERE = np.stack(np.meshgrid(*[np.linspace(9, 10, 9)] * 3), axis=-1).reshape(-1, 3)


@pytest.mark.parametrize("width", [CUBIC, QUARTIC])
def test_a_kernel_holds_its_cell_wherever_it_is(width):
    at, weight, _, _ = kernels(EVERYWHERE, width, (20, 20, 20))
    assert weight.min() >= 0
    assert weight.sum(axis=2) == pytest.approx(1, rel=1e-14)
    assert (weight * (at + 0.5)).sum(axis=2) == pytest.approx(EVERYWHERE, rel=1e-14)


@pytest.mark.parametrize(("width", "finest"), [(CUBIC, FINEST_CUBIC), (QUARTIC, FINEST_QUARTIC)])
def test_a_cell_never_feels_more_of_itself_on_the_grid_than_at_its_surface(width, finest):
    assert kernel_width(finest * 5.0, 5.0) == width
    *_, gamma = kernels(EVERYWHERE, width, (20, 20, 20))
    # G (4 pi phi D) = 1/R - gamma/h
    assert gamma.max() <= finest


@pytest.mark.parametrize(("voxel", "radius"), [(5.0, 7.5), (5.0, 10.0), (4.8, 5.0)])
def test_a_grid_finer_than_its_cells_is_refused(voxel, radius):
    assert kernel_width(voxel, radius) == 0


@pytest.mark.parametrize("radius", [0.5, 0.9, 1.0, 1 / FINEST_QUARTIC])
def test_cells_read_the_exact_profile_of_a_secretor(radius):
    # q exp(-(r - R)/l) / (4 pi phi D r (1 + R/l))
    shape, reach, rng = (80, 80, 80), 10.0, np.random.default_rng(1)
    width = kernel_width(1.0, radius)
    for place in 40 + rng.random((3, 3)):
        source = np.zeros(shape)
        deposit(source, np.ones(1), *kernels(place[None], width, shape)[:3])
        field = steady(source, reach)
        way = rng.standard_normal((2000, 3))
        way /= np.linalg.norm(way, axis=1)[:, None]
        r, read = rng.uniform(2, 15, len(way)), np.empty(len(way))
        sample(field, *kernels(place + way * r[:, None], width, shape)[:3], read)
        exact = np.exp(-(r - radius) / reach) / (4 * np.pi * r * (1 + radius / reach))
        off = np.abs(read / exact - 1)
        # at two radii, in touch, quartic kernels overlap
        assert off.max() < (0.02 if width == CUBIC else 0.022)
        assert off[r >= 2.1].max() < 0.02
        assert np.sqrt((off**2).mean()) < 0.004


def test_uniform_sinks_capture_half_within_1678_and_most_within_3890_niche_lengths():
    # closed faces mirror the source in the corner into a whole tissue
    shape, reach = (96, 96, 96), 10.0
    source = np.zeros(shape)
    source[0, 0, 0] = 1.0
    captured = steady(source, reach) / reach**2
    x = np.arange(96) + 0.5
    r = np.sqrt(x[:, None, None] ** 2 + x[:, None] ** 2 + x**2) / reach
    assert captured.sum() == pytest.approx(1, rel=1e-9)
    assert (captured * r).sum() == pytest.approx(2, rel=0.01)
    for within in (1.0, 1.678, 2.0, 3.0, 3.890, 5.0):
        exact = 1 - (1 + within) * np.exp(-within)
        assert captured[r <= within].sum() == pytest.approx(exact, abs=0.01)
    assert captured[r <= 1.678].sum() == pytest.approx(0.5, abs=0.01)
    assert captured[r <= 3.890].sum() == pytest.approx(0.9, abs=0.01)


PLACED = [
    (5.0, 5.0),
    (10.0, 5.0),
    (20.0, 5.0),
    (10.0, 7.5),
    (20.0, 7.5),
    (10.0, 10.0),
    (20.0, 10.0),
]


def self_capture(voxel, radius, load, step, place, size=24, until=None):
    """The share of what a cell makes that it takes up again, over the exact one."""
    reach = 5 * voxel
    alone = 4 * np.pi * PHI * DIFFUSION * radius
    kind = spaces.sink(load * alone, radius=radius, made=600.0)
    loss = DIFFUSION / reach**2
    where = spaces.space((size,) * 3, voxel, DIFFUSION, loss, PHI)
    tissue = spaces.tissue(where, [(kind, [place * voxel])], spaces.steps_of(step))
    spaces.run(tissue, until or step)
    batch = tissue.batches[0]
    assert tissue.fields.min() >= 0
    assert "steps repeated" not in tissue.log
    again = batch.u[0, 0] * batch.surface[0, 0] * MOLECULES / 600.0
    return again * (load + 1 + radius / reach) / load


@pytest.mark.parametrize("load", [0.1, 1.0, 10.0])
@pytest.mark.parametrize(("voxel", "radius"), PLACED)
def test_a_cell_hears_itself_as_much_as_theory_says_wherever_it_sits(voxel, radius, load):
    places = 12 + np.random.default_rng(2).random((12, 3))
    shares = [self_capture(voxel, radius, load, FOR_EVER, place) for place in places]
    assert shares == pytest.approx(np.ones(12), abs=0.03)


@pytest.mark.parametrize("load", [0.1, 1.0, 10.0])
@pytest.mark.parametrize(("voxel", "radius"), PLACED)
@pytest.mark.parametrize("step", [MINUTE, HUNDREDTH])
def test_self_capture_does_not_depend_on_the_step(voxel, radius, load, step):
    # three times the life of a molecule, in which its field comes to rest
    until = np.ceil(3 * (5 * voxel) ** 2 / DIFFUSION)
    place = 8 + np.random.default_rng(3).random(3)
    share = self_capture(voxel, radius, load, step, place, 16, until)
    assert share == pytest.approx(1, abs=0.03)


BINDING = {
    "IL-2": {"sites": 3000.0, "kon": 6e-4, "kd": 0.0138 / 6e-4, "kint": 0.04},
    "strong": {"sites": 1e5, "kon": 6e-4, "kd": 0.0138 / 6e-4, "kint": 0.04},
    "loose": {"sites": 3000.0, "kon": 6e-4, "kd": 3.0 / 6e-4, "kint": 0.04},
}


def well(binding, made, voxel, settings):
    """A cell in a small, well mixed tissue, and what it has exactly taken in at times."""
    numbers = BINDING[binding]
    start, volume = 0.0 if made else 100.0, 27 * voxel**3 * PHI * MOLECULES
    cells = [(spaces.cell(made=made, **numbers), [np.array([1.4, 1.6, 1.5]) * voxel])]
    tissue = spaces.tissue(spaces.space((3, 3, 3), voxel, 1e5, phi=PHI), cells, settings, [start])

    def rates(t, y):
        on = numbers["kon"] * (y[0] * y[1] - numbers["kd"] * y[2])
        taken = numbers["kint"] * y[2]
        return [(made - on) / volume, -on, on - taken, taken]

    def exact(times):
        y = [start, numbers["sites"], 0, 0]
        return solve_ivp(rates, (0, max(times)), y, "LSODA", times, rtol=1e-9).y[3]

    return tissue, exact


@pytest.mark.parametrize("made", [0.0, 60.0], ids=["pulse", "secreting"])
@pytest.mark.parametrize("binding", BINDING)
@pytest.mark.parametrize("voxel", [10.0, 20.0])
@pytest.mark.parametrize(
    ("settings", "times"),
    [(Settings(longest=MINUTE), [15.0, 30.0, 60.0]), (spaces.steps_of(MINUTE), [30.0, 60.0])],
    ids=["free", "minutes"],
)
def test_in_a_small_well_a_cell_takes_in_what_the_exact_solution_says(
    settings, times, voxel, binding, made
):
    tissue, exact = well(binding, made, voxel, settings)
    before = spaces.molecules(tissue)
    for time, inside in zip(times, exact(times), strict=True):
        spaces.run(tissue, time)
        assert spaces.molecules(tissue) == pytest.approx(before + made * time, rel=1e-6)
        assert spaces.state(tissue.batches[0], "inside")[0] == pytest.approx(inside, rel=0.01)


def pair(settings, binding="IL-2", voxel=10.0):
    """One cell that secretes and one that takes up, three cells apart."""
    where = spaces.space((16, 16, 16), voxel, DIFFUSION, 0.02, PHI)
    sender, receiver = spaces.cell("sender", made=600.0), spaces.cell(**BINDING[binding])
    sites = np.array([[5.3, 6.7, 8.0], [9.6, 7.5, 8.3]]) * voxel
    return spaces.tissue(where, [(sender, sites[:1]), (receiver, sites[1:])], settings)


def captured(tissue):
    receiver = tissue.batches[1]
    return (spaces.state(receiver, "bound") + spaces.state(receiver, "inside"))[0]


@pytest.mark.parametrize("binding", BINDING)
def test_the_ledger_of_two_cells_closes(binding):
    tissue = spaces.run(pair(Settings(), binding), 64.0)
    secreted = 600.0 * 64.0
    came = sum(book[0] for book in tissue.books.values())
    assert spaces.molecules(tissue) - came == pytest.approx(secreted, rel=1e-6)


@pytest.mark.parametrize("binding", BINDING)
@pytest.mark.parametrize("settings", [Settings(), spaces.steps_of(2.0)], ids=["free", "fixed"])
def test_a_halved_step_changes_little_of_what_is_captured(binding, settings):
    halved = dataclasses.replace(settings, longest=settings.longest / 2)
    whole, half = (captured(spaces.run(pair(s, binding), 64.0)) for s in (settings, halved))
    assert half == pytest.approx(whole, rel=0.005)


def test_a_step_that_is_taken_back_leaves_no_trace():
    bold, shy = pair(Settings(step=3e-3)), pair(Settings(step=3e-3))
    bold.step, shy.step = 2.0, 1.0
    for tissue in (bold, shy):
        spaces.run(tissue, 2.0)
    assert bold.log["steps repeated"] == shy.log["steps repeated"] + 1
    assert np.array_equal(bold.fields, shy.fields)
    for a, b in zip(bold.batches, shy.batches, strict=True):
        assert np.array_equal(a.state, b.state)
        assert np.array_equal(a.left, b.left)
    came = sum(book[0] for book in bold.books.values())
    assert spaces.molecules(bold) - came == pytest.approx(600.0 * 2.0, rel=1e-9)


def crowd(threads):
    """A hundred cells of two kinds, with a ligand and a soluble receptor that binds it."""
    where = spaces.space(
        (9, 12, 10),
        fluid=("L", "S", "LS"),
        diffusion=[3000, 2000, 1000],
        loss=0.01,
        parts=np.array([[0, 1, 2]]),
        kon=np.array([1e-3]),
        koff=np.array([0.1]),
    )
    places = np.random.default_rng(6).random((100, 3)) * [90, 120, 100]
    kinds = (
        spaces.cell("sender", made=60.0, speed=5.0, persistence=5.0),
        spaces.cell(**BINDING["IL-2"]),
    )
    cells = list(zip(kinds, (places[:40], places[40:]), strict=True))
    return spaces.run(spaces.tissue(where, cells, start=[10.0, 50.0, 0.0]), 8.0, threads)


def test_one_thread_and_two_give_the_same_bits():
    one, two = crowd(1), crowd(2)
    assert np.array_equal(one.fields, two.fields)
    for a, b in zip(one.batches, two.batches, strict=True):
        assert np.array_equal(a.state, b.state)
        assert np.array_equal(a.position, b.position)
        assert np.array_equal(a.left, b.left)
    assert one.log == two.log
