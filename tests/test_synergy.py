"""Synergy and antagonism: what scores zero, what does not, and what others compute."""

import json
import math
import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from polycrine.cli.synergy import synergy
from polycrine.errors import InputError
from polycrine.synergy import scores as scoring
from polycrine.synergy.curves import Hill, fit
from polycrine.synergy.matrix import Matrix, read_matrix
from polycrine.synergy.references import (
    Scale,
    bliss,
    combination_index,
    hsa,
    loewe,
    log_additive,
    zip_expected,
    zip_fitted,
)
from polycrine.synergy.scores import score

DOSES = np.append(0.0, np.geomspace(0.1, 30, 6))
tried = settings(max_examples=200, deadline=None, derandomize=True)
few = settings(max_examples=25, deadline=None, derandomize=True)
curves = st.builds(
    Hill,
    e0=st.floats(-100, 100),
    emax=st.floats(101, 5000) | st.floats(-5000, -101),
    ec50=st.floats(0.01, 100),
    h=st.floats(0.3, 5),
)
fractions = st.floats(0, 1)


def grid(*doses):
    return np.stack([axis.ravel() for axis in np.meshgrid(*doses, indexing="ij")], axis=1)


def matrix(surface, *doses, wells=1, noise=0.0, seed=0, is_simulated=False):
    """A matrix whose wells are normal about a surface, a function of the doses of all agents."""
    points = grid(*doses)
    means = np.array([np.asarray(surface(*point)).item() for point in points])
    errors = noise * np.random.default_rng(seed).normal(size=(len(means), wells))
    names = ("A", "B", "C")[: len(doses)]
    rows = pd.DataFrame(np.repeat(points, wells, axis=0), columns=list(names))
    rows["response"] = (means[:, None] + errors).ravel()
    return Matrix("made", names, ("nM",) * len(names), "y", rows, (), is_simulated)


def of(scored, reference, agents="A + B"):
    points = scored.points
    return points[(points.reference == reference) & (points.agents == agents)]


@tried
@given(
    curve=curves,
    total=st.floats(1e-3, 1e3),
    split=st.lists(st.floats(0.01, 1), min_size=2, max_size=3),
    potency=st.floats(0.01, 100),
)
def test_an_agent_combined_with_itself_is_additive_for_loewe(curve, total, split, potency):
    share = np.array(split) / np.sum(split)
    weaker = Hill(curve.e0, curve.emax, curve.ec50 * potency, curve.h)  # the same, diluted
    same = [curve, weaker, curve][: len(split)]
    doses = total * share * np.array([1.0, potency, 1.0])[: len(split)]
    found = loewe(same, doses[None], curve.emax > curve.e0)
    exact = curve.response(np.array([total]))
    assert abs(found - exact).item() < 1e-9 * abs(curve.emax - curve.e0)


@dataclass(frozen=True)
class Warped:
    """A monotone curve that is no Hill curve: e0 + span * shape(d), with the shape's inverse."""

    e0: float
    span: float
    shape: object
    inverse: object

    def response(self, dose):
        return self.e0 + self.span * self.shape(np.asarray(dose, dtype=float))

    def dose(self, response):
        share = np.clip((np.asarray(response) - self.e0) / self.span, 0.0, 1.0)
        with np.errstate(divide="ignore"):
            return self.inverse(share)


SHAPES = {
    "exponential": (lambda d: -np.expm1(-d), lambda s: -np.log1p(-s)),
    "Weibull": (lambda d: -np.expm1(-(d**2.5)), lambda s: (-np.log1p(-s)) ** 0.4),
    "arctangent": (lambda d: np.arctan(d) * 2 / np.pi, lambda s: np.tan(s * np.pi / 2)),
    "steep and late": (
        lambda d: 1 / (1 + (5 / np.maximum(d, 1e-9)) ** 8),
        lambda s: 5 * (s / (1 - s)) ** 0.125,
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("e0", "span"), [(0.0, 1.0), (100.0, -90.0), (-5.0, 3000.0)])
def test_so_is_every_other_monotone_curve_at_any_ratio(shape, e0, span):
    curve = Warped(e0, span, *SHAPES[shape])
    doses = grid(np.linspace(0, 3, 9), np.linspace(0, 3, 7))
    exact = curve.response(doses.sum(axis=1))
    np.testing.assert_allclose(
        loewe([curve, curve], doses, span > 0), exact, atol=1e-9 * abs(span), rtol=0
    )


@few
@given(
    e0=st.floats(0, 50),
    change=st.floats(20, 3000) | st.floats(-0.95, -0.3),
    ec50=st.floats(0.3, 20),
    h=st.floats(0.5, 3),
)
def test_a_matrix_of_an_agent_and_itself_scores_zero_under_loewe(e0, change, ec50, h):
    emax = e0 + change if change > 0 else (e0 + 10) * (1 + change)
    curve = Hill(e0 if change > 0 else e0 + 10, emax, ec50, h)
    scored = score(matrix(lambda a, b: curve.response(np.array(a + b)), DOSES, DOSES))
    assert len(of(scored, "Loewe")) == 36
    assert of(scored, "Loewe").score.abs().max() < 1e-6
    found = scored.curves["A"]
    assert (found.emax, found.ec50, found.h) == pytest.approx((emax, ec50, h), rel=1e-4)


@tried
@given(effects=st.lists(fractions, min_size=2, max_size=3), zero=st.floats(-100, 100))
def test_independent_agents_score_zero_under_bliss(effects, zero):
    scale = Scale(zero, zero + 250.0)
    together = effects[0] + effects[1] - effects[0] * effects[1]
    for other in effects[2:]:
        together = together + other - together * other
    found = bliss(scale.response(np.array([effects])), scale)
    assert scale.effect(found).item() == pytest.approx(together, abs=1e-12)


@few
@given(
    e_a=st.lists(st.floats(0.02, 0.98), min_size=3, max_size=4),
    e_b=st.lists(st.floats(0.02, 0.98), min_size=3, max_size=4),
    full=st.sampled_from([0.0, 900.0]),
)
def test_a_matrix_of_independent_agents_scores_zero_under_bliss(e_a, e_b, full):
    a, b = ({0.0: 0.0} | {float(k + 1): e for k, e in enumerate(sorted(es))} for es in (e_a, e_b))

    def surface(x, y):
        return 100 + (full - 100) * (a[x] + b[y] - a[x] * b[y])

    scored = score(matrix(surface, np.array([*a]), np.array([*b])), full=full)
    assert of(scored, "Bliss").score.abs().max() < 1e-12


def test_three_independent_agents_score_zero_in_pairs_and_together():
    singles = [Hill(0.0, 1.0, 2.0, 1.2), Hill(0.0, 0.8, 0.5, 1.0), Hill(0.0, 0.9, 5.0, 2.0)]

    def surface(*doses):
        alone = [c.response(np.array(d)) for c, d in zip(singles, doses, strict=True)]
        extra = 0.05 if all(doses) else 0.0
        return 1 - np.prod([1 - e for e in alone]) + extra

    scored = score(matrix(surface, *[np.array([0.0, 0.5, 2.0, 8.0])] * 3))
    for pair in ("A + B", "A + C", "B + C"):
        assert of(scored, "Bliss", pair).score.abs().max() < 1e-9
        assert of(scored, "ZIP", pair).score.abs().max() < 1e-4
    assert of(scored, "Bliss", "A + B + C").score.values == pytest.approx(0.05)
    assert of(scored, "ZIP", "A + B + C").empty
    assert "ZIP is scored for two agents at a time." in scored.notes


def test_fold_changes_that_multiply_score_zero_under_log_additivity_and_doubling_scores_one():
    folds = {0.0: 1.0, 1.0: 3.0, 2.0: 0.25}
    times = {True: 2.0, False: 1.0}
    product = matrix(lambda a, b: 7 * folds[a] * folds[b], *[np.array([*folds])] * 2)
    assert of(score(product), "log-additivity").score.abs().max() < 1e-12
    up = {0.0: 1.0, 1.0: 3.0, 2.0: 9.0}
    doubled = matrix(lambda a, b: 7 * up[a] * up[b] * times[a * b > 0], *[np.array([*up])] * 2)
    assert of(score(doubled), "log-additivity").score.values == pytest.approx(1.0)


def test_of_a_falling_effect_that_ends_at_zero_bliss_and_log_additivity_expect_the_same():
    alone = np.random.default_rng(2).uniform(1, 100, (20, 3))
    expected = bliss(alone, Scale(100.0, 0.0))
    np.testing.assert_allclose(expected, log_additive(alone, 100.0), rtol=1e-12)


def test_the_highest_single_agent_is_the_lowest_response_where_the_effect_is_a_fall():
    alone = np.array([[3.0, 5.0, 4.0]])
    assert hsa(alone, rising=True).item() == 5
    assert hsa(alone, rising=False).item() == 3


@tried
@given(curve=curves, shares=st.lists(st.floats(0.001, 0.999), min_size=1))
def test_the_dose_of_a_response_has_that_response(curve, shares):
    responses = curve.e0 + np.array(shares) * (curve.emax - curve.e0)
    again = curve.response(curve.dose(responses))
    np.testing.assert_allclose(again, responses, atol=1e-9 * abs(curve.emax - curve.e0))
    assert curve.dose(np.array(curve.emax)) == math.inf
    assert curve.dose(np.array(curve.e0)) == 0


def test_an_agent_that_cannot_reach_an_effect_adds_nothing_to_it():
    strong, weak = Hill(0.0, 1.0, 1.0, 1.0), Hill(0.0, 0.3, 1.0, 1.0)
    doses = grid(np.array([0.01, 0.3, 3.0, 30.0]), np.array([0.1, 10.0]))
    found = loewe([strong, weak], doses, rising=True)
    alone = strong.response(doses[:, 0])
    assert (found[alone > 0.3] == pytest.approx(alone[alone > 0.3], abs=1e-12)) is True
    assert (found[alone < 0.3] > alone[alone < 0.3]).all()
    index = combination_index([strong, weak], doses, found)
    assert np.isnan(index[found > 0.3]).all()
    assert index[found < 0.3] == pytest.approx(1.0)
    scored = score(
        matrix(lambda a, b: loewe([strong, weak], np.array([[a, b]]), True), DOSES, DOSES)
    )
    assert of(scored, "Loewe").score.abs().max() < 1e-6
    beyond = of(scored, "Loewe").is_beyond.sum()
    assert any(note.startswith(f"At {beyond} of 36 points") for note in scored.notes)


def test_an_agent_without_effect_of_its_own_can_antagonise():
    lps = Hill(20.0, 2000.0, 3.0, 1.2)
    scored = score(matrix(lambda a, b: lps.response(np.array(a)) / (1 + b), DOSES, DOSES))
    assert scored.curves["B"].emax == scored.curves["B"].e0
    assert any(note.startswith("B alone has no effect") for note in scored.notes)
    for reference in ("HSA", "Bliss", "Loewe", "ZIP"):
        assert (of(scored, reference).score < 0).all()
    alone = of(scored, "Loewe").expected.to_numpy()
    np.testing.assert_allclose(alone, lps.response(of(scored, "Loewe").A.to_numpy()), rtol=1e-6)


def test_two_agents_that_do_nothing_alone_can_be_synergistic():
    scored = score(matrix(lambda a, b: 10 + 500 * (a * b > 0.5), DOSES, DOSES))
    assert scored.rising
    assert of(scored, "HSA").score.max() == pytest.approx(1.0)


def test_agents_that_act_in_opposite_directions_are_scored_by_fold_changes_alone():
    up, down = Hill(100.0, 900.0, 1.0, 1.0), Hill(1.0, 0.2, 1.0, 1.0)
    opposed = matrix(
        lambda a, b: up.response(np.array(a)) * down.response(np.array(b)), DOSES, DOSES
    )
    scored = score(opposed)
    assert scored.rising is None
    assert set(scored.points.reference) == {"log-additivity"}
    assert scored.points.score.abs().max() < 1e-12
    assert "opposite directions" in scored.normalisation


def test_more_potency_in_company_is_synergy_for_zip():
    def surface(a, b):
        moved = Hill(1.0, 0.0, 2.0 / (1 + b), 1.5)
        return moved.response(np.array(a)) * Hill(1.0, 0.2, 3.0, 1.0).response(np.array(b))

    scored = score(matrix(surface, DOSES, DOSES))
    assert of(scored, "ZIP").score.max() > 0.2
    assert of(scored, "ZIP").score.min() > -0.02


def test_full_effect_is_said_and_can_be_chosen():
    rising = matrix(lambda a, b: 10 + 4 * a + 3 * b, *[np.array([0.0, 1.0, 2.0])] * 2)
    scored = score(rising)
    assert "effect 1 is 24, the strongest mean, at A 2 nM + B 2 nM" in scored.normalisation
    assert any("fewer than three doses" in note for note in scored.notes)
    chosen = score(rising, full=110.0)
    assert chosen.scale == Scale(10.0, 110.0)
    assert of(chosen, "HSA").score.max() == pytest.approx(0.06)
    with pytest.raises(InputError, match="full effect lies above the control"):
        score(rising, full=0.0)
    with pytest.raises(InputError, match="nothing has an effect"):
        score(matrix(lambda a, b: 3.0, DOSES, DOSES))
    plateau = score(matrix(lambda a, b: 100 - 60 * (a + b) / (1 + a + b), DOSES, DOSES), full=40)
    assert plateau.normalisation.endswith("effect 1 is 40, as was asked for.")
    whole = matrix(lambda a, b: 5 + 60 * (a + b) / (1 + a + b), DOSES, DOSES)
    assert "effect 1 is 65, the plateau of" in score(whole).normalisation


# What others compute from the same curves.


def landscapes(count, seed=3):
    chance = np.random.default_rng(seed)
    across, down = np.append(0, np.geomspace(0.05, 20, 6)), np.append(0, np.geomspace(0.1, 10, 5))
    doses = grid(down, across)[:, ::-1]
    for k in range(count):
        ends = (100.0, 10.0) if k % 2 else (5.0, 80.0)
        a, b = (Hill(*ends, 10 ** chance.uniform(-1, 1), chance.uniform(0.5, 3)) for _ in range(2))
        names = {"c50_hor": a.ec50, "c50_ver": b.ec50, "hill_hor": a.h, "hill_ver": b.h}
        yield a, b, across, down, doses, {**names, "effect_0": ends[0], "effect_inf": ends[1]}


def test_references_equal_those_of_synfit_for_the_same_curves():
    synfit = pytest.importorskip("synfit", reason="synfit is not installed")
    for a, b, across, down, doses, named in landscapes(20):
        scale = Scale(a.e0, a.emax)
        alone = np.stack([a.response(doses[:, 0]), b.response(doses[:, 1])], axis=1)
        theirs = synfit.bliss_independence(across, down, **named)
        np.testing.assert_allclose(bliss(alone, scale), theirs.ravel(), rtol=1e-12)
        ends = {"effect_0": a.e0, "effect_inf": a.emax}
        theirs = synfit.hsa_reference(a.response(across), b.response(down), **ends)
        np.testing.assert_array_equal(hsa(alone, scale.rising), theirs.ravel())
        theirs = synfit.loewe_reference(across, down, **named)
        additive = loewe([a, b], doses, scale.rising)
        np.testing.assert_allclose(scale.effect(additive), scale.effect(theirs.ravel()), atol=1e-7)
        inside = (doses > 0).all(axis=1)
        observed = scale.response(0.8 * scale.effect(additive) + 0.1)
        theirs = synfit.loewe_ci(
            across, down, mean_matrix=observed.reshape(len(down), -1), **named
        ).ravel()
        ours = combination_index([a, b], doses, observed)
        np.testing.assert_allclose(ours[inside], theirs[inside], rtol=1e-9)


def test_delta_scores_equal_those_of_synfit_where_its_search_arrives():
    synfit = pytest.importorskip("synfit", reason="synfit is not installed")
    slices = pytest.importorskip("synfit.zip", reason="synfit is not installed")
    apart = []
    for a, b, across, down, doses, named in landscapes(4):
        scale, inside = Scale(a.e0, a.emax), (doses > 0).all(axis=1)
        independent = zip_expected([a, b], doses, scale)
        effect = scale.effect(independent)
        observed = scale.response(effect + 0.4 * effect * (1 - effect) * inside)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of slices whose search fails
            theirs = synfit.zip_scores(
                observed.reshape(len(down), -1), across, down, *list(named.values())
            )
        np.testing.assert_allclose(independent, theirs.reference.ravel(), rtol=1e-9)
        surface = zip_fitted([a, b], doses[inside], observed[inside], scale)
        delta = scale.effect(surface) - effect[inside]
        apart.extend(np.abs(delta + theirs.delta.ravel()[inside]))  # its sign is the other one
    assert np.nanmedian(apart) < 1e-4
    chance, x = np.random.default_rng(5), np.append(0, np.geomspace(0.05, 20, 6))
    same = 0
    for _ in range(40):
        begin, middle, h = (
            chance.uniform(0, 0.9),
            10 ** chance.uniform(-1, 1),
            chance.uniform(0.5, 3),
        )
        y = Hill(begin, chance.uniform(begin, 1), middle, h).response(x) + chance.normal(0, 0.03, 7)
        log_m, steep, top = slices._fit_slice_normalized(y, x, begin, np.log10(middle), h)
        theirs = slices._slice_model(x, begin, log_m, steep, top)[1:]
        found = fit(x, y, begin, (-0.5, 1.0), 0.5 * np.log10(400))
        ours = found.response(x)[1:]
        assert ((y[1:] - ours) ** 2).sum() <= ((y[1:] - theirs) ** 2).sum() + 1e-8
        same += bool(np.abs(ours - theirs).max() < 1e-3)
    assert same > 28  # elsewhere its search stops at worse fits, which the sums of squares show


# Noise.


def test_intervals_of_the_mean_excess_over_bliss_cover_what_was_planted(monkeypatch):
    monkeypatch.setattr(scoring, "RESAMPLES", 200)
    levels, excess, hits = np.array([0.0, 1.0, 3.0]), 0.1, 0
    for seed in range(200):
        noisy = matrix(
            lambda a, b: 100 * (0.8**a * 0.7**b - excess * (a * b > 0)),
            levels, levels, wells=4, noise=5.0, seed=seed,
        )  # fmt: skip
        found = score(noisy, full=0.0, seed=seed).summary.set_index("reference").loc["Bliss"]
        hits += found.low <= excess <= found.high
    assert 0.90 <= hits / 200 <= 0.99


@pytest.mark.slow
def test_intervals_of_every_reference_cover_what_was_planted_where_noise_grows(monkeypatch):
    monkeypatch.setattr(scoring, "RESAMPLES", 200)
    levels = np.append(0.0, np.geomspace(0.3, 10, 4))
    a, b = Hill(100.0, 10.0, 2.0, 1.4), Hill(1.0, 0.3, 1.0, 1.0)

    def surface(x, y):
        return a.response(np.array(x)) * b.response(np.array(y)) * (0.85 if x * y else 1)

    truth = score(matrix(surface, levels, levels)).summary.set_index("reference")["mean"]
    hits, chance = dict.fromkeys(truth.index, 0), np.random.default_rng(1)
    for seed in range(40):
        made = matrix(surface, levels, levels, wells=3)
        factors = 1 + 0.15 * chance.normal(size=len(made.wells))
        wells = made.wells.assign(response=made.wells.response * factors)
        again = Matrix(made.name, made.agents, made.units, made.readout, wells)
        for row in score(again, full=0.0, seed=seed).summary.itertuples():
            hits[row.reference] += row.low <= truth[row.reference] <= row.high
    assert min(hits.values()) >= 33  # of 40: 95 % intervals do worse once in a thousand times


def test_the_same_seed_gives_the_same_intervals_and_another_one_others():
    noisy = matrix(
        lambda a, b: 100 - 10 * a - 20 * b, *[np.array([0.0, 1.0, 2.0])] * 2, wells=3, noise=3
    )
    first, again, other = (score(noisy, seed=seed).summary for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(first, again)
    assert (first.low != other.low).any()


def test_without_noise_there_are_no_intervals_and_it_is_said():
    def surface(a, b):
        return 100 / (1 + a + b)

    levels = np.array([0.0, 1.0, 2.0])
    simulated = score(matrix(surface, levels, levels, is_simulated=True))
    assert simulated.intervals == "No intervals: a simulation has no noise."
    assert simulated.points.low.isna().all()
    assert "replicates do not differ" in score(matrix(surface, levels, levels, wells=2)).intervals
    once = score(matrix(surface, levels, levels, noise=1.0))
    assert "fewer than half of the points have replicates" in once.intervals


def test_a_simulated_curve_that_turns_back_has_a_direction_and_a_poor_fit():
    def surface(a, b):
        return 10 + 90 * a / (1 + a) / (1 + (a / 3) ** 2) + 50 * b / (1 + b)

    scored = score(matrix(surface, DOSES, DOSES, is_simulated=True))
    assert scored.rising
    assert any(note.startswith("The Hill curve of A misses a mean by") for note in scored.notes)


def test_noise_about_an_agent_without_effect_is_no_direction():
    flat = 0
    for seed in range(40):
        noisy = matrix(
            lambda a, b: 100 / (1 + a), DOSES[::2], DOSES[::2], wells=3, noise=4, seed=seed
        )
        flat += "B alone has no effect" in " ".join(_quick(noisy).notes)
    assert flat >= 33  # 38 are expected of a test at 5 %


def _quick(noisy):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scoring, "RESAMPLES", 1)
        return score(noisy)


# Files and the command line.

GOOD = """IL4 (nM),IFNG_pM,response
0,0,100
1,0,80
2,0,60
0,1,90
1,1,70
2,1,50
"""


def read(tmp_path, text, readout=None, encoding="utf-8"):
    (tmp_path / "plate.csv").write_text(text, encoding)
    return read_matrix(tmp_path / "plate.csv", readout)


def told(tmp_path, text, readout=None):
    with pytest.raises(InputError) as caught:
        read(tmp_path, text, readout)
    return str(caught.value)


def test_a_table_is_read_whatever_separates_its_columns(tmp_path):
    found = read(tmp_path, GOOD)
    assert found.agents == ("IL4", "IFNG")
    assert found.units == ("nM", "pM")
    assert len(found.wells) == 6
    for text in (GOOD.replace(",", ";"), GOOD.replace(",", "\t"), "\ufeff" + GOOD):
        pd.testing.assert_frame_equal(read(tmp_path, text).wells, found.wells)


def test_the_long_form_of_screens_is_read_and_an_agent_with_itself_is_numbered(tmp_path):
    rows = [f"1,X,X,{a},{b},nM,{100 - 10 * a - 10 * b}" for a in (0, 1, 2) for b in (0, 1)]
    text = "\n".join(["block_id,drug1,drug2,conc1,conc2,conc_unit,response", *rows])
    found = read(tmp_path, text)
    assert found.agents == ("X #1", "X #2")
    assert found.units == ("nM", "nM")
    assert found.left_out == ("the column 'block_id'",)


def test_what_does_not_count_is_told(tmp_path):
    text = (
        GOOD.replace("response", "TNF (pg/mL),well").replace("\n", ",x\n").replace("well,x", "well")
    )
    found = read(tmp_path, text.replace("50,x", "NA,x"), "tnf")
    assert found.readout == "TNF (pg/mL)"
    assert found.left_out == ("the column 'well'", "1 well without a response")


def test_everything_that_is_wrong_with_a_table_is_said_at_once(tmp_path):
    text = GOOD.replace("1,1,70", '"0,3",1,70\n1,1,<3.2\n2,1,44\n-1,1,20\n5,1,30')
    words = told(tmp_path, text)
    for rule in (
        "plate.csv:6: '0,3' in column 'IL4 (nM)' is not a number. Write 0.3.",
        "plate.csv:7: '<3.2' in column 'response' is not a number. Write what a level below",
        "plate.csv:9: the dose -1 of IL4 is negative.",
        "plate.csv:11: the same doses are on line 8. Number replicates in a column 'replicate'.",
        "plate.csv: no row has IL4 alone at 5 nM. Add rows where all other doses are 0.",
    ):
        assert rule in words, rule


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (GOOD.replace("0,0,100\n", ""), "the control is missing"),
        (GOOD.replace("0,0,100\n0,1,90\n", "").replace("\n0,", "\n3,"), "IL4 has no dose of 0"),
        (GOOD.replace("1,1,70\n2,1,50\n", ""), "no row has two agents together"),
        ("A (nM),B (nM),response\n0,0,1\n1,0,2\n2,0,3\n", "B is never given"),
        (GOOD.replace("response", "TNF"), "there is no column 'response'. Name the read-out"),
        (GOOD.replace("_pM", ""), "the doses of 1 agents are there (IL4 (nM)); two or three"),
        (GOOD.replace("1,1,70", "1,1,7,0"), "plate.csv:6: this row has 4 cells, the header 3."),
        (GOOD.replace("IFNG_pM", "IL4 (nM)"), "the column 'IL4 (nM)' is there 2 times"),
        (GOOD.splitlines()[0] + "\n", "no well has a response"),
        ("", "this file is empty"),
    ],
)
def test_a_table_that_is_no_matrix_is_refused(tmp_path, text, rule):
    assert rule in told(tmp_path, text)


def test_a_read_out_that_is_not_there_is_answered_with_the_nearest(tmp_path):
    text = GOOD.replace("response", "IL6")
    assert "Did you mean 'IL6'?" in told(tmp_path, text, "IL-6")
    with pytest.raises(InputError, match="this file is not there"):
        read_matrix(tmp_path / "none.csv")
    with pytest.raises(InputError, match="no text in UTF-8"):
        read(tmp_path, GOOD.replace("IL4", "µ"), encoding="latin-1")


@pytest.fixture
def call(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    app = typer.Typer()
    app.command()(synergy)
    return lambda *arguments: CliRunner().invoke(app, [str(word) for word in arguments])


def planted(path, excess, wells=1, noise=0.0):
    """A matrix of independent agents with so much more effect, as a CSV file."""
    a, b, chance = Hill(1.0, 0.0, 2.0, 1.4), Hill(1.0, 0.1, 1.0, 1.0), np.random.default_rng(8)
    rows = []
    for x, y in grid(DOSES, DOSES):
        alone = a.response(np.array(x)) * b.response(np.array(y))
        for k in range(wells):
            value = 200 * (alone - (excess * alone if x * y else 0.0)) + noise * chance.normal()
            rows.append((x, y, k + 1, value))
    table = pd.DataFrame(rows, columns=["drug A (nM)", "drug B (nM)", "replicate", "viability (%)"])
    table.to_csv(path, index=False)


def test_a_planted_synergy_is_found_and_reported(call, tmp_path, monkeypatch):
    monkeypatch.setattr(scoring, "RESAMPLES", 40)
    planted(tmp_path / "plate.csv", 0.2, wells=3, noise=4.0)
    found = call("plate.csv", "--response", "viability", "--json")
    assert found.exit_code == 0
    answer = json.loads(found.stdout)
    means = {row["reference"]: row for row in answer["summary"]}
    a, b = Hill(1.0, 0.0, 2.0, 1.4), Hill(1.0, 0.1, 1.0, 1.0)
    inside = DOSES[1:]
    true = 0.2 * np.outer(a.response(inside), b.response(inside)).mean()
    assert means["Bliss"]["mean"] == pytest.approx(true, abs=0.02)
    assert means["Bliss"]["low"] > 0
    assert "effect 1 is 0: the effect is a fall" in answer["notes"][0]
    page = (tmp_path / "synergy" / "plate" / "report.html").read_text("utf-8")
    assert page.count("data:image/svg+xml;base64,") == 3
    assert "http" not in page.replace("http://www.w3.org", "")
    table = pd.read_csv(tmp_path / "synergy" / "plate" / "scores.csv")
    assert len(table) == 36 * 5
    again = call("plate.csv", "--response", "viability")
    assert isinstance(again.exception, InputError)
    assert "already there" in str(again.exception)


def test_without_synergy_none_is_found(call, tmp_path):
    planted(tmp_path / "plate.csv", 0.0)
    found = call("plate.csv", "--response", "viability", "--out", "out")
    assert "Bliss +0.000" in found.stdout
    assert "No intervals: fewer than half of the points have replicates." in found.stdout
    assert "Report: out/report.html" in found.stdout


def test_three_agents_are_reported_too(call, tmp_path):
    points = grid(*[np.array([0.0, 1.0, 3.0, 9.0])] * 3)
    table = pd.DataFrame(points, columns=["A_nM", "B_nM", "C_nM"])
    table["response"] = 10 + 500 * points.sum(axis=1) / (5 + points.sum(axis=1))
    table.to_csv(tmp_path / "three.csv", index=False)
    found = call("three.csv", "--out", "out")
    assert "A + B + C, mean of 27 combinations" in found.stdout
    assert "Loewe +0.000" in found.stdout


SWEEP = """
polycrine: 1
name: two drugs
body: {weight: 70 kg, plasma: 3 L, whole blood: 5 L}
places: {blood: {kind: stirred, volume: plasma}}
cytokines: [IL10, TNF]
numbers:
  IL10.healthy_plasma: 0 pg/mL
  TNF.healthy_plasma: 0 pg/mL
events: [{give: IL10, dose: 1 ug/kg, at: 1 h}, {give: TNF, dose: 1 ug/kg, at: 1 h}]
observe: [{panel: blood, every: 30 min}]
run: {for: 4 h, settle: 1 h}
"""
PLAN = """
sweep: doses
model: model.yaml
grid:
  IL10.dose: [0 ug/kg, 1 ug/kg, 2000 ng/kg, 4 ug/kg]
  TNF.dose: [0 ug/kg, 1 ug/kg, 3 ug/kg]
"""


def test_a_sweep_over_two_doses_is_a_matrix(call, tmp_path):
    from polycrine.runs.sweep import sweep
    from polycrine.scenarios.library import load_plan

    (tmp_path / "model.yaml").write_text(SWEEP)
    (tmp_path / "plan.yaml").write_text(PLAN)
    plan, model, document = load_plan(tmp_path / "plan.yaml")
    sweep(plan, model, tmp_path / "swept", document=document)
    found = call("swept", "--response", "IL10 in blood, peak (pg/mL)", "--out", "out")
    assert "No intervals: a simulation has no noise." in found.stdout
    assert "TNF alone has no effect" in found.stdout
    made = read_matrix(tmp_path / "swept", "IL10 in blood, peak (pg/mL)")
    assert made.agents == ("IL10", "TNF")
    assert set(made.wells.IL10) == {0, 1, 2, 4}
    with pytest.raises(InputError, match="Did you mean 'IL10 in blood, peak"):
        read_matrix(tmp_path / "swept", "IL10 in blod, peak")
    with pytest.raises(InputError, match="name the read-out with --response"):
        read_matrix(tmp_path / "swept")
