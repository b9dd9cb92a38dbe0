"""Lead time: the earliest hour at which a marker passes a bar, planted and found again."""

import time

import numpy as np
import pandas as pd
import pytest
from scipy import stats

pytest.importorskip("sklearn", reason="biomarkers need scikit-learn (extra `lab`)")
pytest.importorskip("statsmodels", reason="biomarkers need statsmodels (extra `lab`)")

from polycrine.biomarkers.accuracy import resampling
from polycrine.biomarkers.claims import ask, claims
from polycrine.biomarkers.cohort import Cohort, to_cohort
from polycrine.biomarkers.lead_time import COMBINED, TOGETHER, areas, by_hour, earliest, lead_times
from polycrine.report.biomarkers import hours, lead_rows

HOURS = np.arange(25.0)
BAR = 0.8
NEEDED = np.sqrt(2) * stats.norm.ppf(BAR)  # how far apart two normals lie whose AUC is the bar


def column(*levels):
    return np.array(levels)[:, None]


@pytest.mark.parametrize(
    ("area", "hour"),
    [
        ([0.5, 0.8, 0.9, 0.8, 0.5, 0.5], 1),  # the bar itself passes; it need not last for ever
        ([0.5, 0.9, 0.9, 0.5, 0.5, 0.5], np.inf),  # two hours are a chance
        ([0.9, 0.5, 0.9, 0.9, 0.9, 0.9], 2),
        ([0.5, 0.5, 0.5, 0.5, 0.9, 0.9], np.inf),  # nobody knows whether it would have stayed
        ([0.5, 0.2, 0.1, 0.1, 0.5, 0.5], 1),  # lower in cases tells as well
        ([0.9, 0.1, 0.9, 0.1, 0.9, 0.1], np.inf),  # but not once this way, once that
        ([0.5, 0.9, np.nan, np.nan, 0.9, 0.9], 1),  # hours without the marker do not break it
        ([np.nan] * 6, np.inf),
    ],
)
def test_a_marker_passes_where_it_reaches_the_bar_and_stays_for_three_hours(area, hour):
    assert earliest(column(*area), HOURS[:6], BAR)[0] == hour


def test_a_cohort_of_two_hours_must_pass_at_both():
    assert earliest(column(0.9, 0.9), HOURS[:2], BAR)[0] == 0
    assert earliest(column(0.5, 0.9), HOURS[:2], BAR)[0] == np.inf


def planted(seed, hour=8, rate=0.15, n=80, own=0.5):
    """Scores of cases and others over hours: the true AUC reaches the bar between `hour` - 1 and
    `hour`; `own`: the share of variance that a person keeps."""
    random = np.random.default_rng([seed, 1])
    rise = np.clip(NEEDED + rate * (HOURS - hour + 0.5), 0, 3.5)
    people = np.sqrt(own) * random.normal(size=2 * n)
    scores = people + np.sqrt(1 - own) * random.normal(size=(len(HOURS), 2 * n))
    groups = np.repeat(["case", "other"], n)
    return scores + rise[:, None] * (groups == "case"), groups


def found_of(seed, replicates=300, **what):
    scores, groups = planted(seed, **what)
    times = resampling(groups, replicates, seed)
    found = areas(scores, groups, "case", ["other"], times)[:, None]
    return lead_times(found, HOURS, ["M"], ["other"], BAR).iloc[0], found


def test_the_true_auc_reaches_the_bar_where_it_is_planted():
    true = stats.norm.cdf(np.clip(NEEDED + 0.15 * (HOURS - 7.5), 0, None) / np.sqrt(2))
    assert earliest(true[:, None], HOURS, BAR)[0] == 8
    row, _ = found_of(1, n=4000, replicates=20)
    assert row.earliest_h == 8
    assert row.until_h == 24
    assert row.side == "higher"


def test_a_planted_lead_time_lies_within_its_interval():
    rows = pd.DataFrame([found_of(seed)[0] for seed in range(40)])
    held = (rows.low_h <= 8) & (rows.high_h >= 8)
    assert held.mean() >= 0.9
    assert (rows.high_h - rows.low_h).mean() < 6  # an interval that says something
    elsewhere = (rows.low_h <= 3) & (rows.high_h >= 3)
    assert elsewhere.mean() < 0.05


@pytest.mark.slow
@pytest.mark.parametrize("own", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("rate", [0.05, 0.15, 0.4])
def test_intervals_of_lead_times_hold_the_truth_as_often_as_they_say(own, rate):
    rows = pd.DataFrame([found_of(seed, n=100, rate=rate, own=own)[0] for seed in range(200)])
    held = ((rows.low_h <= 8) & (rows.high_h >= 8)).mean()
    print(f"a person keeps {own}, rise {rate} sd/h: 8 h in {held:.3f} of intervals")
    assert held >= 0.92


@pytest.mark.parametrize("n", [30, 80])
def test_a_band_holds_at_all_hours_at_once_and_a_single_interval_does_not(n):
    rise = np.clip(NEEDED + 0.15 * (HOURS - 7.5), 0, 3.5)
    true, whole, single = stats.norm.cdf(rise / np.sqrt(2)), 0, 0
    for seed in range(60):
        _, found = found_of(seed, n=n)
        table = by_hour(found, np.full((1, 1, 25), n), HOURS, ["M"], ["other"])
        whole += ((table.band_low <= true) & (true <= table.band_high)).all()
        single += ((table.low <= true) & (true <= table.high)).all()
    assert whole / 60 >= 0.85
    assert single < whole - 5


def test_what_never_passes_is_never_and_said_how_often():
    row, _ = found_of(2, hour=60)
    assert np.isinf([row.earliest_h, row.low_h, row.high_h]).all()
    assert row.never == 1
    assert row["first"] == 0
    assert hours(row) == "never"
    edge, _ = found_of(4, hour=22, rate=0.05)
    assert 0 < edge.never < 1
    assert np.isinf(edge.high_h)
    assert "to never)" in hours(edge)


def cohort_of(n=30, last=12, seed=0):
    """Three groups: A rises at 2 h in the ill only, B at 1 h in the ill and the hurt, C falls in
    the ill at 4 h, D never tells."""
    random = np.random.default_rng(seed)
    groups = np.repeat(["ill", "hurt", "healthy"], n)
    hour = np.arange(last + 1.0)
    ill, hurt = groups == "ill", groups == "hurt"
    rise = {
        "A": 3 * (hour >= 2)[:, None] * ill,
        "B": 3 * (hour >= 1)[:, None] * (ill | hurt),
        "C": -3 * (hour >= 4)[:, None] * ill,
        "D": 0 * hour[:, None] * ill,
    }
    own = random.normal(size=(4, 1, 3 * n)) * 0.6
    logs = np.array(list(rise.values())) + own + random.normal(size=(4, last + 1, 3 * n)) * 0.8
    return Cohort(
        name="cohort",
        simulated=True,
        analytes=tuple("ABCD"),
        units=("pg/mL",) * 4,
        hours=hour,
        subjects=tuple(f"{k}" for k in range(3 * n)),
        groups=groups,
        levels=np.exp(logs),
        limits=np.tile([-np.inf, np.inf], (4, 1)),
        told=(),
    )


def test_a_marker_of_illness_as_such_is_early_only_against_the_healthy():
    cohort = cohort_of()
    found = claims(cohort, ask(cohort, at_h=6.0))
    rows = found.lead_time.set_index(["against", "marker"])
    assert rows.earliest_h["healthy", "B"] == 1
    assert np.isinf(rows.earliest_h["hurt", "B"])
    assert rows.never["hurt", "B"] == 1
    for against in ("hurt", "healthy", TOGETHER):
        assert rows.earliest_h[against, "A"] == 2
        assert rows.earliest_h[against, "C"] == 4
        assert rows.side[against, "C"] == "lower"
        assert np.isinf(rows.earliest_h[against, "D"])
    assert rows["first"]["hurt", "A"] > 0.95
    assert rows["first"]["healthy", "A"] < 0.05
    shown = lead_rows(found).set_index("marker")
    assert shown["against hurt"]["B"] == "never"
    assert shown["against healthy"]["B"].startswith("1 h (1 to")


def test_the_combined_marker_tells_at_hours_that_its_model_never_saw():
    cohort = cohort_of()
    found = claims(cohort, ask(cohort, at_h=6.0))
    rows = found.by_hour[(found.by_hour.marker == COMBINED) & (found.by_hour.against == "hurt")]
    area = rows.set_index("time_h").auc
    assert area[6.0] > 0.95
    assert area[3.0] > 0.85
    assert abs(area[0.0] - 0.5) < 0.2


def test_a_model_that_is_wrong_tells_nothing_though_a_low_marker_does():
    low = np.full((1, 2, 4, 3), 0.1)
    rows = lead_times(low, HOURS[:4], ["M", COMBINED], ["other"], BAR).set_index("marker")
    assert rows.earliest_h["M"] == 0
    assert np.isinf(rows.earliest_h[COMBINED])


def test_together_is_all_pairs_and_hours_with_too_few_people_are_left_open():
    cohort = cohort_of()
    levels = cohort.levels.copy()
    levels[0, 3, np.flatnonzero(cohort.groups == "hurt")[:25]] = np.nan
    times = resampling(cohort.groups, 3, 1)
    hurt, healthy, together = areas(levels[0], cohort.groups, "ill", ["hurt", "healthy"], times)
    np.testing.assert_allclose(together[5], (hurt[5] + healthy[5]) / 2, atol=1e-14)
    assert np.isnan(hurt[3]).all()
    assert np.isnan(together[3]).all()
    assert np.isfinite(healthy).all()


@pytest.mark.slow
def test_fifteen_hundred_people_sampled_hourly_take_less_than_a_minute(tmp_path):
    random = np.random.default_rng(0)
    groups = np.repeat(["infection", "injury", "healthy"], 500)
    analyte, hour, subject = np.meshgrid(
        np.arange(25), np.arange(49), np.arange(1500), indexing="ij"
    )
    rise = 0.1 * hour * (groups[subject] == "infection") * (analyte % 3 == 0)
    values = np.exp(random.normal(size=subject.shape) + rise).ravel()
    table = pd.DataFrame(
        {
            "subject": subject.ravel(),
            "group": groups[subject.ravel()],
            "time_h": hour.ravel(),
            "analyte": [f"M{k}" for k in analyte.ravel()],
            "value": values,
            "unit": "pg/mL",
            "flag": "",
        }
    )
    began = time.perf_counter()
    cohort = to_cohort(table, "cohort")
    found = claims(cohort, ask(cohort))
    took = time.perf_counter() - began
    print(f"{took:.1f} s")
    assert took < 60
    assert len(found.lead_time) == 3 * 26
