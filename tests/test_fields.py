"""Diffusion, loss and sources on a grid, soluble binding and walls, against exact solutions."""

import numpy as np
import pytest
import spaces
from scipy.integrate import solve_ivp
from scipy.sparse import csr_array, diags, eye_array, kron
from scipy.sparse.linalg import spsolve

from polycrine.engine.binding import bind
from polycrine.engine.fields import (
    CYCLES,
    HALVED,
    RESIDUAL,
    THETA,
    TOLD,
    UNSOLVED,
    WRONG,
    advance_field,
    make_room,
    steady_field,
)
from polycrine.engine.multigrid import make_grid
from polycrine.network.barriers import Wall, exchange

CLOSED, AROUND = (False,) * 3, (True,) * 3
SHAPES = [(16, 16, 16), (7, 33, 21), (1, 33, 20), (1, 1, 50), (9, 1, 1), (2, 3, 5), (1, 1, 1)]


def step(c, loss, source, capacity, dt, faces=CLOSED, tolerance=1e-10):
    """One step in place; the mean of the field over it, and what it told."""
    grid, mean, told = make_grid(c.shape, faces), np.empty_like(c), np.zeros(TOLD)
    room = make_room(grid)
    advance_field(c, loss, source, capacity, dt, grid, room, tolerance, 200, mean, told)
    return mean, told


def at_rest(loss, source, faces=CLOSED, tolerance=1e-13):
    grid, c, told = make_grid(loss.shape, faces), np.zeros(loss.shape), np.zeros(TOLD)
    steady_field(c, loss, source, grid, make_room(grid), tolerance, 400, told)
    return c


def along(axis, line):
    """A grid of one line of voxels."""
    return np.asarray(line, float).reshape([-1 if a == axis else 1 for a in range(3)])


def gaussian(shape, h, variance):
    """A Gaussian in the middle of a grid, of unit content along every axis that it has."""
    c = np.ones(shape)
    for axis, n in enumerate(shape):
        x = (np.arange(n) + 0.5 - n / 2) * h
        if n > 1:
            c = c * along(axis, np.exp(-(x**2) / (2 * variance)) / np.sqrt(variance))
    return c


def error_of_a_gaussian(shape, steps, diffusion=1.0, decay=0.3, width=14.0, time=0.5):
    """Largest error, over the highest level, of a Gaussian that spreads to twice its variance."""
    h = width / max(shape)
    c = gaussian(shape, h, 1.0)
    loss, none = np.full(shape, decay * h**2 / diffusion), np.zeros(shape)
    for _ in range(steps):
        step(c, loss, none, h**2 / diffusion, time / steps)
    exact = gaussian(shape, h, 1.0 + 2 * diffusion * time) * np.exp(-decay * time)
    return np.abs(c - exact).max() / exact.max()


def orders(errors):
    return np.log2(np.divide(errors[:-1], errors[1:]))


@pytest.mark.parametrize("axis", range(3))
def test_the_error_in_time_falls_with_the_square_of_the_step(axis):
    shape = along(axis, np.zeros(2400)).shape
    errors = [error_of_a_gaussian(shape, steps) for steps in (4, 8, 16)]
    assert orders(errors) == pytest.approx([2, 2], abs=0.1)


@pytest.mark.parametrize("axis", range(3))
def test_the_error_in_space_falls_with_the_square_of_the_voxel(axis):
    errors = [error_of_a_gaussian(along(axis, np.zeros(n)).shape, 200) for n in (28, 56, 112)]
    assert orders(errors) == pytest.approx([2, 2], abs=0.1)


def test_space_and_time_together_are_second_order_in_three_dimensions():
    errors = [error_of_a_gaussian((n, n, n), n // 3) for n in (24, 48)]
    assert orders(errors) == pytest.approx([2], abs=0.1)
    assert errors[-1] < 0.015


@pytest.mark.parametrize("faces", [CLOSED, AROUND], ids=["closed", "periodic"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_every_step_keeps_its_balance(shape, faces):
    rng = np.random.default_rng(1)
    c, loss, source = rng.random(shape) * 100, rng.random(shape) * 0.2, rng.random(shape)
    for dt in (0.01, 0.1, 1.0, 1.0):
        before = c.sum()
        mean, _ = step(c, loss, source, 0.03, dt, faces, 1e-6)
        gained = dt * (source.sum() - (loss * mean).sum()) / 0.03
        turned_over = before + dt * source.sum() / 0.03
        assert abs(c.sum() - before - gained) < 1e-12 * turned_over
        assert c.min() >= 0


def dense_neighbours(shape, faces):
    """Faces and edges of all voxels from shifts along each axis, mirrored or periodic."""
    sums = []
    for n, closes in zip(shape, faces, strict=True):
        beside = np.eye(n, k=1) + np.eye(n, k=-1)
        if closes or n == 1:
            beside = np.roll(np.eye(n), 1, 0) + np.roll(np.eye(n), -1, 0)
        else:
            beside[0, 0] = beside[-1, -1] = 1
        sums.append((eye_array(n), csr_array(beside)))
    total = 4 * eye_array(int(np.prod(shape)))
    for which in np.ndindex(2, 2, 2):
        if 0 < sum(which) < 3:
            z, y, x = (pair[k] for pair, k in zip(sums, which, strict=True))
            total = total - kron(kron(z, y), x) / (3 if sum(which) == 1 else 6)
    return total


@pytest.mark.parametrize("faces", [CLOSED, AROUND, (False, True, False)], ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_multigrid_solves_what_elimination_solves(shape, faces):
    rng = np.random.default_rng(2)
    loss, source = 0.1 + rng.random(shape), rng.random(shape)
    total = diags(loss.ravel()) + dense_neighbours(shape, faces)
    exact = spsolve(total.tocsc(), source.ravel()).reshape(shape)
    assert at_rest(loss, source, faces) == pytest.approx(exact, rel=1e-10)


def gain(shape, voxel):
    """By what factor a cycle lowers the residual of a step of a minute."""
    loss, source = np.full(shape, voxel**2 / (3000.0 * THETA)), np.ones(shape)
    source[: shape[0] // 2 + 1, : shape[1] // 3 + 1, : shape[2] // 4 + 1] = 3.0
    grid, told = make_grid(shape, CLOSED), np.zeros(TOLD)
    steady_field(np.zeros(shape), loss, source, grid, make_room(grid), 1e-6, 100, told)
    return told[RESIDUAL] ** (-1 / told[CYCLES])


@pytest.mark.parametrize("voxel", [5.0, 10.0, 20.0])
@pytest.mark.parametrize("shape", [(48, 48, 48), (16, 16, 16), (3, 3, 3), (1, 64, 64)], ids=str)
def test_a_multigrid_cycle_gains_a_factor_of_ten_at_steps_of_a_minute(shape, voxel):
    assert gain(shape, voxel) >= 10


@pytest.mark.parametrize("voxel", [5.0, 10.0, 20.0])
@pytest.mark.parametrize("shape", [(7, 33, 21), (5, 20, 20), (1, 25, 19)], ids=str)
def test_an_odd_axis_costs_convergence_of_which_a_factor_of_three_is_left(shape, voxel):
    assert gain(shape, voxel) >= 3


@pytest.mark.parametrize("shape", [(15, 17, 16), (1, 15, 15), (1, 1, 9)], ids=str)
def test_a_big_step_next_to_nothing_is_halved_and_keeps_the_sign(shape):
    c = np.zeros(shape)
    c[tuple(n // 2 for n in shape)] = 1000.0
    _, told = step(c, np.zeros(shape), np.zeros(shape), 1.0, 100.0, tolerance=1e-6)
    assert told[HALVED] == 1
    assert told[UNSOLVED] == 0
    assert c.min() >= 0
    assert c.sum() == pytest.approx(1000.0, rel=1e-12)


def test_a_step_that_keeps_the_sign_is_not_halved():
    c = gaussian((15, 15, 15), 1.0, 9.0)
    _, told = step(c, np.zeros(c.shape), np.zeros(c.shape), 1.0, 1.0)
    assert told[HALVED] == 0
    assert 0 < told[CYCLES] < 30


@pytest.mark.parametrize("variance", [0.01, 1.0, 4.0, 9.0])
@pytest.mark.parametrize("dt", [0.1, 0.3, 1.0])
def test_a_step_tells_how_much_it_has_misplaced(variance, dt):
    # waves of a closed grid are cosines
    n = 15
    waves = np.cos(np.pi * np.outer(np.arange(n) + 0.5, np.arange(n)) / n)
    z, y, x = np.ix_(*[np.cos(np.pi * np.arange(n) / n)] * 3)
    fall = np.exp((2 / 3 * (z + y + x + z * y + z * x + y * x) - 4) * dt)
    c = gaussian((n, n, n), 1.0, variance)
    before = np.einsum("ia,jb,kc,abc->ijk", *[np.linalg.inv(waves)] * 3, c)
    exact = np.einsum("ai,bj,ck,ijk->abc", waves, waves, waves, before * fall)
    _, told = step(c, np.zeros(c.shape), np.zeros(c.shape), 1.0, dt)
    assert told[WRONG] >= 0.25 * np.abs(c - exact).sum()


@pytest.mark.parametrize("axis", range(3))
def test_a_vessel_in_the_middle_of_a_slab_feeds_it_as_far_as_the_niche_reaches(axis):
    # -l^2 c'' + c = 0 beside the vessel, closed ends: c = c_0 cosh((w - x)/l) / cosh(w/l)
    n, reach, leak, blood = 161, 40.0, 0.05, 100.0
    loss, source = np.full(n, 1 / reach**2), np.zeros(n)
    loss[n // 2] += leak
    source[n // 2] = leak * blood
    c = at_rest(along(axis, loss), along(axis, source)).ravel()
    x, w = np.abs(np.arange(n) - n // 2), n / 2
    at_vessel = blood * leak / (leak + 2 / reach * np.tanh(w / reach))
    exact = at_vessel * np.cosh((w - x) / reach) / np.cosh(w / reach)
    assert c == pytest.approx(exact, rel=1e-4)


@pytest.mark.parametrize("axis", range(3))
def test_between_two_faces_of_fixed_concentration_the_field_is_linear(axis):
    # a fixed face is half a voxel away: conductance 2
    n, low, high = 17, 10.0, 70.0
    loss, source = np.zeros(n), np.zeros(n)
    loss[[0, -1]], source[[0, -1]] = 2.0, (2.0 * low, 2.0 * high)
    whole = np.ones([n if a == axis else a + 2 for a in range(3)])
    c = at_rest(along(axis, loss) * whole, along(axis, source) * whole)
    line = low + (high - low) * (np.arange(n) + 0.5) / n
    assert c == pytest.approx(along(axis, line) * whole, rel=1e-9)


PAIRS = np.array([[0, 1, 2], [0, 3, 4]])  # A + B <-> C and A + D <-> E
KON, KOFF = np.array([0.01, 0.02]), np.array([0.3, 0.05])
MIXED = np.array([50.0, 30.0, 5.0, 40.0, 0.0])


def bound_after(time, steps):
    fields = MIXED[:, None].copy()
    for _ in range(steps):
        untold = (np.zeros((0, 1)), np.full((5, 1), -1))
        bind(fields, *untold, PAIRS, KON, KOFF, time / steps)
    return fields[:, 0]


def mixed_at(times):
    def rates(t, y):
        on = KON * y[0] * y[[1, 3]] - KOFF * y[[2, 4]]
        return [-on.sum(), -on[0], on[0], -on[1], on[1]]

    return solve_ivp(rates, (0, max(times)), MIXED, "LSODA", times, rtol=1e-11, atol=1e-11).y.T


def test_two_pairs_that_share_a_partner_bind_in_second_order():
    exact = mixed_at([2.0])[0]
    errors = [np.abs(bound_after(2.0, n) - exact).max() for n in (8, 16, 32)]
    assert orders(errors) == pytest.approx([2, 2], abs=0.1)


def test_one_pair_binds_exactly_whatever_the_step():
    fields, alone = MIXED[:3, None].copy(), PAIRS[:1]
    untold = (np.zeros((0, 1)), np.full((3, 1), -1))
    bind(fields, *untold, alone, KON[:1], KOFF[:1], 7.0)
    many = MIXED[:3, None].copy()
    for _ in range(100):
        bind(many, *untold, alone, KON[:1], KOFF[:1], 0.07)
    assert fields == pytest.approx(many, rel=1e-12)


def test_binding_keeps_both_sums_and_every_sign():
    rng = np.random.default_rng(4)
    fields = 10 ** rng.uniform(-6, 6, (3, 2000)) * (rng.random((3, 2000)) < 0.8)
    free = fields[0] + fields[2], fields[1] + fields[2]
    untold = (np.zeros((0, 2000)), np.full((3, 1), -1))
    for dt in (1e-6, 0.1, 1e5):
        bind(fields, *untold, PAIRS[:1], np.array([3.0]), np.array([0.7]), dt)
        assert fields.min() >= 0
        assert fields[0] + fields[2] == pytest.approx(free[0], rel=1e-14)
        assert fields[1] + fields[2] == pytest.approx(free[1], rel=1e-14)


def test_binding_in_a_uniform_tissue_is_that_in_a_well():
    where = spaces.space(
        (4, 5, 6),
        fluid=("A", "B", "C", "D", "E"),
        diffusion=[3000, 2000, 1000, 500, 100],
        parts=PAIRS,
        kon=KON,
        koff=KOFF,
    )
    tissue, times = spaces.tissue(where, start=MIXED), [0.5, 2.0, 10.0]
    for time, exact in zip(times, mixed_at(times), strict=True):
        spaces.run(tissue, time)
        assert tissue.fields.min(axis=(1, 2, 3)) == pytest.approx(exact, rel=5e-3)
        assert tissue.fields.max(axis=(1, 2, 3)) == pytest.approx(exact, rel=5e-3)


WALL = Wall(small=0.004, large=0.02, large_share=0.05, conductance=1e-3)
FAST = 1e4  # um^3/min


def share_rejected(wall, radius):
    """The reflection coefficient of all pores together."""
    shares = ((wall.small, 1 - wall.large_share), (wall.large, wall.large_share))
    return sum(
        share * (1 - (1 - min(radius / pore, 1)) ** 2) ** 2 for pore, share in shares if share
    )


@pytest.mark.parametrize("filtration", [0.0, 0.01, 0.1, 1.0])
def test_larger_molecules_pass_a_wall_more_slowly(filtration):
    ways = [exchange(WALL, radius, filtration) for radius in np.linspace(0.0005, 0.0199, 50)]
    into, back = np.array(ways).T
    assert (np.diff(into) < 0).all()
    assert (np.diff(back) <= 0).all()


def test_without_filtration_a_wall_passes_both_ways_alike():
    into, back = exchange(WALL, 0.002, 0.0)
    assert into == back > 0
    near = exchange(WALL, 0.002, 1e-9)
    assert near == pytest.approx((into, back), rel=1e-6)


def test_a_molecule_wider_than_a_pore_does_not_pass_it():
    assert exchange(WALL, 0.02, 1.0) == (0.0, 0.0)
    only_large = Wall(WALL.small, WALL.large, 1.0, WALL.conductance * WALL.large_share)
    assert exchange(WALL, 0.004, 0.0) == pytest.approx(exchange(only_large, 0.004, 0.0), rel=1e-12)


@pytest.mark.parametrize("radius", [0.001, 0.003, 0.006, 0.015])
def test_fast_filtration_sieves_by_the_reflection_coefficient(radius):
    into, back = exchange(WALL, radius, FAST)
    # what enters leaves through the pores and with the filtered fluid
    ratio = into / (back + FAST)
    assert ratio == pytest.approx(1 - share_rejected(WALL, radius), rel=1e-6)


def test_no_filtration_is_too_fast():
    into, back = exchange(WALL, 0.001, 1e6 * FAST)
    assert into == pytest.approx(1e6 * FAST * (1 - share_rejected(WALL, 0.001)), rel=1e-6)
    assert back == pytest.approx(0, abs=1e-300)
