"""The assay model: what plates say of known concentrations, and how surely."""

import time

import numpy as np
import pytest

from polycrine.laboratory.assay import Assay, imprecision, measure, simulate
from polycrine.laboratory.quantify import curves_of, quantified

KNOWN = np.array([40.0, 160.0, 640.0, 1500.0])
ASSAYS = (
    Assay("IL6"),
    Assay("TNF", midpoint=2500.0, slope=1.3, well_cv=0.05, plate_cv=0.12),
    Assay("CXCL8", midpoint=4000.0, asymmetry=0.8, slope=1.2, plate_cv=0.06),
)


def read_by_full_plates(count, seed):
    """Logarithms of value over truth: plate x concentration x analyte; NaN where flagged.

    Each goes the whole way: noisy signals of standards, blanks and samples, fit, limits, reading.
    """
    rows = []
    for number in range(count):
        plate = simulate(np.repeat(KNOWN[:, None], len(ASSAYS), axis=1), ASSAYS, seed, number)
        table = quantified(plate, curves_of(plate))
        rows.append(np.log(table.value.where(table.flag == "")).to_numpy())
    shape = (count, len(KNOWN), len(ASSAYS))
    return np.reshape(rows, shape) - np.log(KNOWN)[:, None]


def stated():
    return np.stack([imprecision(KNOWN, assay) for assay in ASSAYS], axis=1)


def agrees_with_what_is_stated(errors, least_kept, most_bias):
    count = len(errors)
    kept = np.isfinite(errors)
    assert kept.mean(axis=0).min() > least_kept
    spread = np.nanstd(errors, axis=0, ddof=1)
    bias = np.nanmean(errors, axis=0)
    log_sd = np.sqrt(np.log1p(stated() ** 2))
    assert np.abs(bias).max() < most_bias + 4 * (log_sd / np.sqrt(count)).max()
    # the sampling error of a standard deviation, four times, and what a first-order formula misses
    np.testing.assert_allclose(spread, log_sd, rtol=4 / np.sqrt(2 * count) + 0.06)


def test_fifty_plates_give_back_known_concentrations_within_the_stated_imprecision():
    agrees_with_what_is_stated(read_by_full_plates(50, 11), 0.85, 0.01)


@pytest.mark.slow
def test_a_thousand_plates_give_back_known_concentrations_within_the_stated_imprecision():
    errors = read_by_full_plates(1000, 12)
    agrees_with_what_is_stated(errors, 0.85, 0.01)
    assert np.abs(np.exp(np.nanmedian(errors, axis=0)) - 1).max() < 0.02


def test_the_quick_way_gives_what_full_plates_give():
    full = read_by_full_plates(60, 13)
    for k, assay in enumerate(ASSAYS):
        value, flag = measure(np.tile(KNOWN, (4000, 1)), assay, np.arange(4000)[:, None], 14)
        quick = np.where(flag == "", np.log(value / KNOWN), np.nan)
        spread = np.nanstd(quick, axis=0)
        np.testing.assert_allclose(spread, np.log1p(stated()[:, k] ** 2) ** 0.5, rtol=0.06)
        np.testing.assert_allclose(np.nanstd(full[..., k], axis=0), spread, rtol=4 / np.sqrt(120))
        shared = np.corrcoef(quick[:, 1], quick[:, 2])[0, 1]  # two wells share plate and curve
        of_full = np.corrcoef(full[:, 1, k], full[:, 2, k])[0, 1]
        assert shared == pytest.approx(of_full, abs=0.35)


def test_wells_of_a_plate_scatter_by_the_well_and_plates_by_their_scale_and_curve():
    assay = Assay("IL6")
    value, _ = measure(np.full((2000, 80), 300.0), assay, np.arange(2000)[:, None], 5)
    logs = np.log(value)
    within = np.sqrt(logs.var(axis=1, ddof=1).mean())
    between = np.sqrt(logs.mean(axis=1).var(ddof=1) - within**2 / 80)
    whole = np.log1p(imprecision(300.0, assay) ** 2)
    assert within**2 + between**2 == pytest.approx(whole, rel=0.06)
    assert within == pytest.approx(assay.well_cv / 0.95, rel=0.08)  # over the slope there
    assert between > assay.plate_cv
    assert between == pytest.approx(assay.plate_cv, rel=0.15)


def test_what_lies_beyond_the_limits_is_censored_at_them_and_never_zero():
    assay = Assay("IL6", dilution=4.0)
    low, high = (4 * limit for limit in assay.limits)
    true = np.array([0.0, low / 30, 10 * low, 30 * high])
    value, flag = measure(np.tile(true, (500, 1)), assay, np.arange(500)[:, None], 6)
    assert (flag[:, :2] == "below").all()
    assert (value[:, :2] == low).all()
    assert (flag[:, 2] == "").all()
    assert (flag[:, 3] == "above").all()
    assert (value[:, 3] == high).all()


def test_near_a_limit_some_are_censored_and_the_rest_are_at_least_the_limit():
    assay = Assay("IL6")
    low, _ = assay.limits
    value, flag = measure(np.full(4000, low), assay, np.arange(4000), 7)
    assert 0.4 < (flag == "below").mean() < 0.6
    assert (value >= low).all()


def test_a_laboratory_that_reads_twice_as_much_does_so_for_all():
    twice = Assay("IL6", laboratory=2.0)
    plain, doubled = (measure(KNOWN[:3], a, np.arange(3), 8)[0] for a in (Assay("IL6"), twice))
    np.testing.assert_allclose(doubled / plain, 2.0, rtol=0.05)


def test_a_plate_depends_on_seed_and_number_alone():
    assay = Assay("IL6", well_cv=1e-9, background_sd=0.0)
    many, _ = measure(np.full(50, 300.0), assay, np.arange(50), 9)
    some, _ = measure(np.full(3, 300.0), assay, np.array([4, 4, 30]), 9)
    np.testing.assert_allclose(some, many[[4, 4, 30]], rtol=1e-6)
    other, _ = measure(np.full(50, 300.0), assay, np.arange(50), 10)
    assert (other != many).all()
    np.testing.assert_array_equal(many, measure(np.full(50, 300.0), assay, np.arange(50), 9)[0])


def test_imprecision_is_worst_at_both_ends_of_the_range():
    assay = Assay("IL6")
    low, high = assay.limits
    ends, middle = imprecision([low / 4, 4 * high], assay), imprecision(np.sqrt(low * high), assay)
    assert (ends > 1.5 * middle).all()
    assert 0.05 < middle < 0.2


def test_a_hook_lets_the_highest_concentrations_read_as_low_ones():
    assay = Assay("IL6", hook=20_000.0)
    value, flag = measure(np.array([1e3, 1e6]), assay, np.array([0, 0]), 3)
    assert value[1] < value[0]
    assert flag[1] != "above"


def test_a_cohort_of_fifteen_hundred_is_measured_in_about_a_second():
    true = np.exp(np.random.default_rng(1).normal(4.0, 1.5, (1500, 25)))
    plates = np.arange(true.size).reshape(true.shape) // 80
    began = time.perf_counter()
    for k in range(15):
        measure(true, Assay("IL6"), plates, [1, k])
    assert time.perf_counter() - began < 3.0
