"""Biomarkers: what a cohort lets one claim, against brute force, other software, and noise."""

import json
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest
import typer
from scipy import stats
from typer.testing import CliRunner

pytest.importorskip("sklearn", reason="biomarkers need scikit-learn (extra `lab`)")
pytest.importorskip("statsmodels", reason="biomarkers need statsmodels (extra `lab`)")

from polycrine.biomarkers.accuracy import auc, difference, interval, resampling, sensitivity, wins
from polycrine.biomarkers.censoring import fit_log_normals
from polycrine.biomarkers.claims import BANNER, ask, claims
from polycrine.biomarkers.cohort import read_cohort, to_cohort
from polycrine.biomarkers.decision import net_benefit
from polycrine.biomarkers.validation import FOLDS, WIDER, calibration, cross_validated, widened
from polycrine.cli.biomarkers import biomarkers
from polycrine.errors import InputError

FREE = np.tile([-np.inf, np.inf], (40, 1))


def people(n=30, analytes=3, hours=(0.0, 6.0), seed=0, rise=1.2, groups=("ill", "hurt", "healthy")):
    """A cohort's table: log-normal levels, the first analyte higher in the first group."""
    random, rows = np.random.default_rng(seed), []
    for g, group in enumerate(groups):
        for k in range(n):
            for hour in hours:
                z = random.normal(size=analytes)
                z[0] += rise * (g == 0) * (hour > 0)
                values = 10 * np.exp(z)
                rows += [
                    (f"{group} {k}", group, hour, f"M{j}", value, "pg/mL", "")
                    for j, value in enumerate(values)
                ]
    columns = ["subject", "group", "time_h", "analyte", "value", "unit", "flag"]
    return pd.DataFrame(rows, columns=columns)


def brute_force(scores, is_case, fold):
    """DeLong's AUC and covariance from every pair of one fold, one by one."""
    cases, others = np.flatnonzero(is_case), np.flatnonzero(~is_case)
    same = (fold[cases][:, None] == fold[others]).astype(float)
    wins_of = []
    for score in scores:
        a, b = score[cases][:, None], score[others]
        wins_of.append(((a > b) + 0.5 * (a == b)) * same)
    area = np.array([won.sum() / same.sum() for won in wins_of])
    covariance = np.zeros((len(scores), len(scores)))
    for axis, n in ((1, len(cases)), (0, len(others))):
        own = [
            (won - a * same).sum(axis=axis) * n / same.sum()
            for won, a in zip(wins_of, area, strict=True)
        ]
        covariance += np.cov(own).reshape(covariance.shape) / n
    return area, covariance


@pytest.mark.parametrize("folds", [1, 5])
@pytest.mark.parametrize("decimals", [0, 1, 12])
def test_the_fast_auc_is_delongs_by_brute_force_ties_and_folds_included(decimals, folds):
    random = np.random.default_rng(decimals)
    is_case = np.arange(83) % 3 == 0
    scores = np.round(random.normal(size=(4, 83)) + is_case * [[0], [0.5], [1], [2]], decimals)
    fold = random.permutation(np.arange(83) % folds)
    area, covariance = auc(scores, is_case, fold)
    exact, exact_covariance = brute_force(scores, is_case, fold)
    np.testing.assert_allclose(area, exact, rtol=0, atol=1e-12)
    np.testing.assert_allclose(covariance, exact_covariance, rtol=0, atol=1e-12)


def test_auc_intervals_and_comparisons_are_those_of_pROC(tmp_path):
    if not shutil.which("Rscript") or subprocess.run(["Rscript", "-e", "library(pROC)"]).returncode:
        pytest.skip("R with pROC is not installed")
    random = np.random.default_rng(5)
    is_case = np.arange(70) % 2 == 0
    scores = np.round(random.normal(size=(2, 70)) + is_case * [[0.4], [1.1]], 1)
    table = pd.DataFrame({"y": is_case.astype(int), "a": scores[0], "b": scores[1]})
    table.to_csv(tmp_path / "scores.csv", index=False)
    code = """
    suppressMessages(library(pROC)); d <- read.csv("scores.csv")
    a <- roc(d$y, d$a, quiet=TRUE, direction="<"); b <- roc(d$y, d$b, quiet=TRUE, direction="<")
    t <- roc.test(a, b, method="delong", paired=TRUE)
    cat(format(c(ci.auc(a), ci.auc(b), t$p.value), digits=15))
    """
    told = subprocess.check_output(["Rscript", "-e", code], cwd=tmp_path, text=True)
    proc = np.array(told.split(), dtype=float)
    area, covariance = auc(scores, is_case)
    for k in (0, 1):
        low, high = interval(area[k], covariance[k, k] ** 0.5, 35)
        np.testing.assert_allclose([low, area[k], high], proc[3 * k : 3 * k + 3], atol=1e-8)
    assert difference(area, covariance)[3] == pytest.approx(proc[6], abs=1e-8)


def test_an_interval_of_delong_holds_the_truth_as_often_as_it_says():
    random, truth = np.random.default_rng(2), stats.norm.cdf(1 / np.sqrt(2))
    is_case, held = np.arange(120) < 50, 0
    for _ in range(600):
        area, covariance = auc(random.normal(size=(1, 120)) + is_case, is_case)
        low, high = interval(area[0], covariance[0, 0] ** 0.5, 50)
        held += low <= truth <= high
    assert 0.92 <= held / 600 <= 0.98


def test_complete_separation_is_no_certainty():
    scores, is_case = np.arange(30.0)[None], np.arange(30) >= 18
    area, covariance = auc(scores, is_case)
    assert area[0] == 1
    assert covariance[0, 0] == 0
    pairs = stats.binomtest(12, 12).proportion_ci(method="exact")
    assert interval(1.0, 0.0, 12) == pytest.approx((pairs.low, pairs.high))
    assert interval(0.0, 0.0, 12) == pytest.approx((0.0, 1 - pairs.low))


def test_a_resampled_auc_is_that_of_the_people_who_were_drawn():
    random = np.random.default_rng(3)
    groups = np.repeat(["a", "b", "c"], [20, 15, 10])
    scores = np.round(random.normal(size=45), 1)
    times = resampling(groups, 5, seed=1)
    assert (times[:, 0] == 1).all()
    for group in "abc":
        assert (times[groups == group].sum(axis=0) == (groups == group).sum()).all()
    case, other = groups == "a", groups != "a"
    won, pairs = wins(scores[case], scores[other], times[case], times[other])
    for column in range(6):
        drawn = np.repeat(np.arange(45), times[:, column].astype(int))
        exact, _ = brute_force(scores[drawn][None], case[drawn], np.zeros(45))
        assert won[column] / pairs[column] == pytest.approx(exact[0], abs=1e-14)


def test_resampling_and_delong_agree_on_the_spread():
    random = np.random.default_rng(4)
    groups = np.repeat(["case", "other"], 100)
    case = groups == "case"
    scores = random.normal(size=200) + case
    times = resampling(groups, 2000, seed=2)
    won, pairs = wins(scores[case], scores[~case], times[case], times[~case])
    _, covariance = auc(scores[None], case)
    assert (won / pairs)[1:].std() == pytest.approx(covariance[0, 0] ** 0.5, rel=0.06)


def test_sensitivity_is_that_of_the_least_cut_off_that_spares_enough_others():
    random = np.random.default_rng(6)
    cases, others = np.round(random.normal(1, 1, 40), 1), np.round(random.normal(0, 1, 50), 1)
    ones = np.ones((40, 1), np.float32), np.ones((50, 1), np.float32)
    for asked in (0.5, 0.8, 0.9, 0.99):
        found, cut = sensitivity(cases, others, *ones, asked)
        possible = [c for c in others if (others <= c).mean() >= asked]
        assert cut[0] == min(possible)
        assert found[0] == pytest.approx((cases > min(possible)).mean())


def test_the_interval_of_a_sensitivity_knows_that_its_cut_off_was_found():
    random, truth, held = np.random.default_rng(7), stats.norm.sf(stats.norm.ppf(0.9) - 1.5), 0
    groups = np.repeat(["case", "other"], 100)
    for repeat in range(150):
        times = resampling(groups, 300, repeat)
        cases, others = random.normal(1.5, 1, 100), random.normal(0, 1, 100)
        found, _ = sensitivity(cases, others, times[:100], times[100:], 0.9)
        low, high = np.quantile(found[1:], [0.025, 0.975])
        held += low <= truth <= high
    assert 0.89 <= held / 150 <= 0.99


def with_limit(table, limit):
    """The table as an assay with a limit of detection tells it."""
    below = table.value < limit
    return table.assign(
        value=table.value.where(~below, limit), flag=np.where(below, "below", table.flag)
    )


def test_an_auc_is_the_same_however_far_below_the_limit_levels_lie():
    table = people()
    far = table.assign(value=table.value.where(table.value >= 8, table.value / 1000))
    seen, far_seen = (to_cohort(with_limit(one, 8.0), "cohort") for one in (table, far))
    assert (seen.levels == far_seen.levels).all()
    found, uncensored = claims(seen, ask(seen)), to_cohort(table, "cohort")
    assert found.markers.censored[0] > 0.2
    scores = uncensored.levels[:, 1]
    is_case = uncensored.groups == "ill"
    tied, _ = brute_force(np.maximum(scores, 8.0), is_case, np.zeros(90))
    own = found.markers[found.markers.against == "all together"]
    np.testing.assert_allclose(own.auc[:3], tied, atol=1e-12)
    assert abs(tied[0] - brute_force(scores, is_case, np.zeros(90))[0][0]) > 1e-3


def test_levels_below_the_limit_of_another_sample_are_counted_as_ties():
    table = people()
    low = table.index[table.analyte == "M1"][:2]
    table.loc[low[0], ["value", "flag"]] = 9.0, "below"
    cohort = to_cohort(table, "cohort")
    assert cohort.limits[1].tolist() == [9.0, np.inf]
    assert np.nanmin(cohort.levels[1]) == 9.0
    assert "count as that limit" in cohort.told[0]


def test_the_likelihood_recovers_a_censored_log_normal_as_scipy_does():
    random = np.random.default_rng(8)
    logs = random.normal([1.0, 3.0, -2.0], [0.5, 1.0, 2.0], size=(4000, 3))
    limits = np.exp([[0.9, np.inf], [2.0, 3.8], [-np.inf, 0.0]])
    levels = np.clip(np.exp(logs), limits[:, 0], limits[:, 1])
    found = fit_log_normals(levels, limits)
    np.testing.assert_allclose(found.mean, [1.0, 3.0, -2.0], atol=0.1)
    np.testing.assert_allclose(found.sd, [0.5, 1.0, 2.0], rtol=0.06)
    naive = np.log(levels[:, 0])
    assert abs(naive.mean() - 1) > 3 * abs(found.mean[0] - 1)
    censored = np.log(levels[:, 0]) <= 0.9
    data = stats.CensoredData(uncensored=naive[~censored], left=naive[censored])
    np.testing.assert_allclose((found.mean[0], found.sd[0]), stats.norm.fit(data), rtol=1e-3)
    below = logs[:, 0] < 0.9
    assert found.beyond[0, 0] == pytest.approx(logs[below, 0].mean(), abs=0.05)


def test_what_a_model_is_fitted_on_alone_fills_the_limits():
    random = np.random.default_rng(9)
    levels = np.exp(random.normal(size=(100, 2)))
    limits = np.array([[1.0, np.inf], [-np.inf, np.inf]])
    levels[:, 0] = np.maximum(levels[:, 0], 1.0)
    fold, models = cross_validated(
        levels, limits, np.arange(100) % 2 == 0, np.arange(100) % 2, np.arange(100), 1
    )
    for k, model in enumerate(models):
        own = fit_log_normals(levels[fold != k], limits)
        assert (model.scale.beyond == own.beyond).all()
        assert (model.scale.mean == own.mean).all()


def cross_validated_auc(features, is_case, seed, subjects=None):
    """AUC with its interval of the combined marker, as the verb takes it."""
    subjects = np.arange(len(is_case)) if subjects is None else subjects
    levels, limits = np.exp(features), FREE[: features.shape[1]]
    fold, models = cross_validated(levels, limits, is_case, is_case, subjects, seed)
    risk = np.empty(len(is_case))
    for k, model in enumerate(models):
        risk[fold == k] = model.probability(levels[fold == k])
    area, covariance = auc(risk[None], is_case, fold)
    return area[0], interval(area[0], WIDER * covariance[0, 0] ** 0.5, int(is_case.sum()))


def of_noise(repeats, chosen=None):
    """Cross-validated AUC of markers that are noise; with `chosen`, of the best on all people."""
    areas, held = [], []
    for repeat in range(repeats):
        random = np.random.default_rng([7, repeat])
        features, is_case = random.normal(size=(80, 40)), np.arange(80) < 40
        if chosen:
            best = np.abs(auc(features.T, is_case)[0] - 0.5).argsort()[-chosen:]
            features = features[:, best]
        area, (low, high) = cross_validated_auc(features, is_case, repeat)
        areas.append(area)
        held.append(low <= 0.5 <= high)
    return np.array(areas), np.mean(held)


def test_noise_is_worth_nothing_unless_its_best_are_chosen_beforehand():
    areas, _ = of_noise(7)
    assert abs(areas.mean() - 0.5) < 0.06
    assert of_noise(4, chosen=4)[0].mean() > 0.6


@pytest.mark.slow
def test_nested_cross_validation_of_noise_gives_one_half_in_200_repeats():
    areas, held = of_noise(200)
    assert abs(areas.mean() - 0.5) < 1.96 * areas.std(ddof=1) / np.sqrt(200)
    assert held >= 0.92
    print(f"mean AUC {areas.mean():.4f}, sd {areas.std():.4f}, 0.5 in {held:.3f} of intervals")
    assert of_noise(60, chosen=4)[0].mean() > 0.6


def test_resampled_areas_are_widened_about_their_own_value():
    area = np.array([[0.8, 0.7, 0.9, 0.8], [1.0, 0.99, 1.0, 0.999], [0.5, np.nan, 0.4, 0.6]])
    wide = widened(area)
    assert (wide[:, 0] == area[:, 0]).all()
    assert wide[0, 1] < 0.7 < 0.9 < wide[0, 2]
    assert wide[1, 1] < 0.99
    far, near = (stats.logistic.ppf(one[2, 3]) for one in (wide, area))
    assert far == pytest.approx(1.5 * near)


def test_samples_of_a_subject_stay_in_one_fold_and_so_do_not_give_it_away():
    random = np.random.default_rng(11)
    subjects = np.repeat(np.arange(40), 4)
    is_case = (subjects % 2) == 0
    own = random.normal(size=(40, 10))[subjects] + 0.3 * random.normal(size=(160, 10))
    levels = np.exp(own)
    fold, models = cross_validated(levels, FREE[:10], is_case, is_case, subjects, 1)
    assert len(models) == FOLDS
    assert (pd.Series(fold).groupby(subjects).nunique() == 1).all()
    together = [cross_validated_auc(own, is_case, seed, subjects)[0] for seed in (1, 2)]
    apart = [cross_validated_auc(own, is_case, seed)[0] for seed in (1, 2)]
    assert np.mean(apart) > 0.65
    assert np.mean(together) < np.mean(apart) - 0.1


def test_a_risk_that_is_right_is_calibrated_and_one_too_bold_is_not():
    random = np.random.default_rng(12)
    odds = random.normal(-0.5, 1.5, 4000)
    risk = 1 / (1 + np.exp(-odds))
    is_case = random.random(4000) < risk
    right, bold = calibration(risk, is_case), calibration(1 / (1 + np.exp(-2 * odds)), is_case)
    for value, low, high in (right.slope, np.add(right.intercept, 1)):
        assert low < 1 < high
        assert value == pytest.approx(1, abs=0.15)
    assert bold.slope[0] == pytest.approx(0.5, abs=0.06)
    assert bold.brier > right.brier
    assert right.curve.n.sum() == 4000
    inside = (right.curve.low <= right.curve.predicted) & (
        right.curve.predicted <= right.curve.high
    )
    assert inside.sum() >= 8


def test_separated_people_have_no_slope():
    found = calibration(np.repeat([0.1, 0.9], 50), np.repeat([False, True], 50))
    assert np.isnan(found.slope).all()
    assert found.brier == pytest.approx(0.01)


def test_net_benefit_is_that_of_its_definition():
    risk, is_case = np.array([0.1, 0.3, 0.3, 0.8]), np.array([False, True, False, True])
    rows = net_benefit(risk, is_case, np.array([0.2, 0.3, 0.5]))
    np.testing.assert_allclose(rows.model, [0.5 - 0.25 / 4, 0.5 - 0.25 * 3 / 7, 0.25])
    np.testing.assert_allclose(rows.treat_all, [0.5 - 0.5 / 4, 0.5 - 0.5 * 3 / 7, 0.0])


def test_net_benefit_is_that_of_dcurves():
    dcurves = pytest.importorskip("dcurves", reason="dcurves needs an older pandas than polycrine")
    random = np.random.default_rng(13)
    risk = random.random(300)
    is_case = random.random(300) < risk
    thresholds = np.arange(1, 100) / 100
    table = pd.DataFrame({"case": is_case.astype(int), "risk": risk})
    theirs = dcurves.dca(table, outcome="case", modelnames=["risk"], thresholds=thresholds)
    ours = net_benefit(risk, is_case, thresholds)
    for model, column in (("risk", "model"), ("all", "treat_all"), ("none", "treat_none")):
        own = theirs[theirs.model == model].net_benefit
        np.testing.assert_allclose(own, ours[column], atol=1e-12)


def test_among_many_markers_of_noise_few_are_discovered(monkeypatch):
    monkeypatch.setattr("polycrine.biomarkers.claims.REPLICATES", 10)
    table = people(25, 150, (6.0,), 15, 2.5, ("ill", "healthy"))
    cohort = to_cohort(table, "cohort")
    single = claims(cohort, ask(cohort)).markers[:-1]
    assert single.q[0] < 0.05
    assert (single.p[1:] < 0.05).sum() >= 4  # what would be claimed without
    assert (single.q[1:] < 0.05).sum() <= 1


# -- what is read ---------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def changed(row, column, value):
    table = people(12).astype(object)
    table.loc[row, column] = value
    return table


WRONG = {
    "a decimal comma": (changed(4, "value", "3,2"), ":6", "with a comma"),
    "a word for a number": (changed(4, "value", "low"), ":6", "no finite number"),
    "no time": (changed(4, "time_h", ""), ":6", "no finite number"),
    "a negative level": (changed(4, "value", -1), ":6", "not above zero"),
    "a level of nothing": (changed(4, "value", 0), ":6", "write the limit"),
    "an unknown flag": (changed(4, "flag", "belw"), ":6", "Did you mean 'below'?"),
    "two units": (changed(4, "unit", "ng/mL"), ":6", "has the unit 'ng/mL' here, 'pg/mL' above"),
    "two groups": (changed(4, "group", "hurt"), ":6", "has the group 'hurt' here, 'ill' above"),
    "a level twice": (changed(4, "analyte", "M0"), ":6", "has this analyte at this time above"),
    "no analyte": (changed(4, "analyte", ""), ":6", "'analyte' is empty"),
    "too few": (changed(slice(None, None), "group", "ill"), "", "there is one group, 'ill'"),
    "a small group": (people(9), "", "the group 'ill' has 9 subjects; 10 are the least"),
    "two origins": (
        people(12).assign(origin=["measured"] * 200 + ["simulated"] * 16),
        ":202",
        "this row is simulated, the first is measured",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_row_is_told_with_its_line(folder, name):
    table, line, says = WRONG[name]
    table.to_csv("wrong.csv", index=False)
    with pytest.raises(InputError) as caught:
        read_cohort(folder / "wrong.csv")
    assert any(
        one.place.endswith(f"wrong.csv{line}") and says in str(one) for one in caught.value.problems
    ), str(caught.value)


def test_every_problem_is_told_at_once_and_many_of_a_kind_are_counted(folder):
    table = people(12).astype(object)
    table.loc[[3, 9], "flag"] = "?"
    table.loc[20:60, "value"] = "1,5"
    table.loc[100, "unit"] = "ng/mL"
    table.to_csv("wrong.csv", index=False)
    with pytest.raises(InputError) as caught:
        read_cohort(folder / "wrong.csv")
    lines = [one.place.rpartition(":")[2] for one in caught.value.problems]
    assert lines == ["5", "11", "22", "23", "24", "102"]
    assert "38 rows more" in caught.value.problems[4].rule


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("subject;group;time_h\na;b;1\n", "Separate by commas"),
        ("subject,group,time,analyte,value,unit,flag\n", "Did you mean 'time'?"),
        ("subject,group,time_h,analyte,value,unit,flag\n", "no rows"),
        ("subject,group,time_h,analyte,value,unit,flag\na,b,1,IL6,1,5,pg/mL,\n", "more fields"),
        (
            "subject,group,time_h,analyte,value,unit,flag\na,b,1,IL6,5,pg/mL,\n"
            "a,b,1,IL6,1,5,pg/mL,\n",
            "Expected 7 fields in line 3, saw 8",
        ),
        ("", "no table"),
    ],
)
def test_a_file_that_is_no_cohort_is_refused(folder, text, says):
    (folder / "wrong.csv").write_text(text)
    with pytest.raises(InputError, match=says):
        read_cohort(folder / "wrong.csv")


def test_a_panel_of_plates_is_read_as_it_stands():
    table = people(12)
    table = table.assign(place="blood", flag=table.flag.astype(object))
    table.loc[0, ["value", "flag"]] = np.nan, "missing"
    table.loc[1, "flag"] = "hook"
    table.loc[table.analyte == "M2", "unit"] = "NPX"
    table.loc[2, "value"] = -1.0
    cohort = to_cohort(table, "panel")
    first = dict(zip(cohort.analytes, cohort.levels[:, 0, 0], strict=True))
    assert np.isnan(first["M0"])
    assert first["M1"] == table.value[table.analyte == "M1"].max()
    assert first["M2"] == 0.5
    assert dict(zip(cohort.analytes, cohort.units, strict=True))["M2"] == "2^NPX"
    assert [text.split()[0] for text in cohort.told] == ["1", "1"]


def test_times_that_nobody_shares_are_taken_by_the_hour():
    random, table = np.random.default_rng(14), people(15)
    visit = table.groupby(["subject", "time_h"]).ngroup()
    table["time_h"] += random.uniform(-0.4, 0.4, visit.max() + 1)[visit]
    cohort = to_cohort(table, "cohort")
    assert cohort.hours.tolist() == [0.0, 6.0]
    assert "nearest whole hour" in cohort.told[0]
    assert np.isfinite(cohort.levels).all()


# -- what is claimed ------------------------------------------------------------------------------


def test_equal_seeds_give_equal_claims_and_others_do_not():
    cohort = to_cohort(people(), "cohort")
    one, again, other = (claims(cohort, ask(cohort, seed=seed)) for seed in (1, 1, 2))
    for name in ("markers", "lead_time", "by_hour", "roc", "decision"):
        pd.testing.assert_frame_equal(getattr(one, name), getattr(again, name))
    assert not one.markers.boot_low.equals(other.markers.boot_low)


def test_what_resampling_and_delong_estimate_is_one_number():
    cohort = to_cohort(people(), "cohort")
    found = claims(cohort, ask(cohort))
    at = found.by_hour[found.by_hour.time_h == 6.0].set_index(["against", "marker"]).auc
    own = found.markers.set_index(["against", "marker"]).auc
    np.testing.assert_allclose(at[own.index], own, atol=1e-12)


def test_markers_that_are_missing_or_constant_are_told_not_hidden():
    table = people(25, 4)
    table.loc[table.analyte == "M1", "value"] = 3.0
    table = table[(table.analyte != "M2") | (table.group == "healthy")]
    table = table[(table.analyte != "M3") | ~table.subject.isin(["ill 0", "hurt 3"])]
    cohort = to_cohort(table, "cohort")
    found = claims(cohort, ask(cohort))
    rows = found.markers[found.markers.against == "all together"].set_index("marker")
    assert rows.auc["M1"] == 0.5
    assert np.isnan(rows.auc["M2"])
    assert rows.cases["M3"] == 24
    assert found.told == (
        "Too few were measured at 6 h to combine: M2.",
        "2 missing levels count as the mean in the combined marker.",
    )


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"cases": "il"}, "--cases: 'il' is no group of this cohort. Did you mean 'ill'?"),
        ({"against": ["healty"]}, "Did you mean 'healthy'"),
        ({"against": ["ill"]}, "are the cases"),
        ({"at_h": 3.0}, "nobody was sampled at 3 h. Nearest: 0, 6."),
        ({"bar": 0.4}, "no bar"),
        ({"specificity": 1.0}, "none to ask for"),
    ],
)
def test_a_question_that_has_no_answer_is_refused(asked, says):
    with pytest.raises(InputError, match=says.replace("?", r"\?")):
        ask(to_cohort(people(12), "cohort"), **asked)


def test_simulated_cases_are_told_from_another_illness_too_or_not_at_all():
    simulated = people(12).assign(origin="simulated")
    ask(to_cohort(simulated, "cohort"))
    ask(to_cohort(simulated, "cohort"), against=["hurt"])
    alone = simulated[simulated.group != "hurt"]
    for cohort, against in ((simulated, ["healthy"]), (alone, None)):
        with pytest.raises(InputError, match="from another illness, not from healthy"):
            ask(to_cohort(cohort, "cohort"), against=against)
    ask(to_cohort(alone.assign(origin="measured"), "cohort"))


# -- the command ----------------------------------------------------------------------------------


@pytest.fixture
def command(folder):
    app = typer.Typer()
    app.command()(biomarkers)
    people(20, 5, (0.0, 2.0, 4.0, 6.0)).assign(origin="simulated").to_csv("sim.csv", index=False)
    return lambda *arguments: CliRunner().invoke(app, list(arguments), catch_exceptions=True)


def test_a_simulated_cohort_says_that_it_proves_nothing_wherever_it_is_read(command, folder):
    done = command("sim.csv")
    assert done.exit_code == 0
    assert done.stdout.startswith(BANNER)
    page = (folder / "sim-biomarkers" / "report.html").read_text("utf-8")
    assert f'<p class="banner" >{BANNER}</p>' in page
    for table in (folder / "sim-biomarkers").glob("*.csv"):
        assert set(pd.read_csv(table).origin) == {"simulated"}
    again = command("sim.csv")
    assert isinstance(again.exception, InputError)
    done = command("sim.csv", "--json", "--out", "other", "--against", "hurt", "--at", "4")
    assert BANNER in done.stderr
    told = json.loads(done.stdout)
    assert told["warning"] == BANNER
    assert {row["against"] for row in told["markers"]} == {"hurt"}


def test_a_measured_cohort_has_a_page_of_its_own_with_tables_beside(command, folder):
    table = pd.read_csv("sim.csv").drop(columns="origin")
    table.to_csv("measured.csv", index=False)
    done = command("measured.csv", "--cases", "ill", "--bar", "0.7", "--seed", "3")
    assert done.exit_code == 0
    assert BANNER not in done.stdout
    assert "M0" in done.stdout
    page = (folder / "measured-biomarkers" / "report.html").read_text("utf-8")
    assert f'<p class="banner" hidden>{BANNER}</p>' in page
    assert page.count('src="data:image/svg+xml;base64,') == 4
    assert 'src="http' not in page
    names = {path.name for path in (folder / "measured-biomarkers").glob("*.csv")}
    assert names == {
        "markers.csv",
        "lead_time.csv",
        "by_hour.csv",
        "roc.csv",
        "calibration.csv",
        "decision.csv",
    }
