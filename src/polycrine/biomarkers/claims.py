"""Every claim that a cohort allows about its markers, from one question and one seed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import mannwhitneyu
from sklearn.metrics import roc_curve
from statsmodels.stats.multitest import multipletests

from polycrine.biomarkers.accuracy import (
    Weights,
    auc,
    difference,
    interval,
    resampling,
    sensitivity,
)
from polycrine.biomarkers.cohort import LEAST, Bools, Cohort, Floats
from polycrine.biomarkers.decision import net_benefit
from polycrine.biomarkers.lead_time import (
    COMBINED,
    MIDDLE,
    TOGETHER,
    areas,
    by_hour,
    comparisons,
    fewer,
    lead_times,
)
from polycrine.biomarkers.validation import (
    WIDER,
    Calibration,
    calibration,
    cross_validated,
    widened,
)
from polycrine.errors import InputError, Problem, nearest

BANNER = "These people were simulated: nothing here is evidence about patients."
HEALTHY = re.compile(r"\b(healthy|controls?|volunteers?)\b", re.IGNORECASE)
JUDGED_H = 6.0  # where markers are judged at one hour, unless told otherwise: nearest to this
REPLICATES = 1000


@dataclass(frozen=True)
class Question:
    """Who is told from whom, when, and what counts as well told."""

    cases: str
    against: tuple[str, ...]
    at_h: float
    bar: float = 0.8
    specificity: float = 0.9
    seed: int = 1


@dataclass(frozen=True)
class Claims:
    """What was found; tables in tidy form, probability: hour x subject, nan where not judged."""

    cohort: Cohort
    question: Question
    markers: pd.DataFrame
    lead_time: pd.DataFrame
    by_hour: pd.DataFrame
    roc: pd.DataFrame
    probability: Floats
    strengths: tuple[float, ...]
    calibration: Calibration
    decision: pd.DataFrame
    told: tuple[str, ...]

    @property
    def primary(self) -> str:
        """The comparison that comes first: all together, or the only one."""
        return comparisons(list(self.question.against))[-1]


def ask(
    cohort: Cohort,
    cases: str | None = None,
    against: list[str] | None = None,
    at_h: float | None = None,
    bar: float = 0.8,
    specificity: float = 0.9,
    seed: int = 1,
) -> Question:
    """The question with its defaults: the first group of the table against every other.

    Raises InputError: names, hours or bars that cannot be, and a simulated cohort whose comparison
    is of healthy people only.
    """
    names, problems = cohort.group_names(), []
    for option, group in (("--cases", cases), *(("--against", one) for one in against or [])):
        if group is not None and group not in names:
            rule = f"'{group}' is no group of this cohort."
            problems.append(Problem(option, rule, nearest(group, names)))
    chosen = cases or names[0]
    others = tuple(dict.fromkeys(against or [name for name in names if name != chosen]))
    if chosen in others:
        problems.append(Problem("--against", f"'{chosen}' are the cases.", "Name another group."))
    if not 0.5 < bar <= 1:
        problems.append(Problem("--bar", f"an AUC of {bar:g} is no bar.", "Write one above 0.5."))
    if not 0 < specificity < 1:
        rule = f"a specificity of {specificity:g} is none to ask for."
        problems.append(Problem("--specificity", rule, "Write one between 0 and 1."))
    if at_h is not None and at_h not in cohort.hours:
        near = cohort.hours[np.argsort(np.abs(cohort.hours - at_h), kind="stable")[:3]]
        instead = f"Nearest: {', '.join(f'{hour:g}' for hour in sorted(near))}."
        problems.append(Problem("--at", f"nobody was sampled at {at_h:g} h.", instead))
    if cohort.simulated and (len(names) < 3 or all(map(HEALTHY.search, others))):
        rule = "simulated cases must be told from another illness, not from healthy people only."
        instead = "Simulate a group with another illness too, and name it in --against."
        problems.append(Problem(cohort.name, rule, instead))
    if problems:
        raise InputError(problems)
    nearest_hour = cohort.hours[np.abs(cohort.hours - JUDGED_H).argmin()]
    return Question(
        chosen, others, float(nearest_hour if at_h is None else at_h), bar, specificity, seed
    )


def claims(cohort: Cohort, question: Question) -> Claims:
    """Single markers and all combined, at one hour and over time; deterministic by the seed."""
    against, names = list(question.against), [*cohort.analytes, COMBINED]
    times = resampling(cohort.groups, REPLICATES, question.seed)
    probability, fold, strengths, told = _combined(cohort, question)
    scores = np.concatenate([cohort.levels, probability[None]])
    found = np.stack(
        [
            areas(
                score,
                cohort.groups,
                question.cases,
                against,
                times,
                fold if name == COMBINED else None,
            )
            for name, score in zip(names, scores, strict=True)
        ],
        axis=1,
    )
    found[:, -1] = widened(found[:, -1])
    least = fewer(scores, cohort.groups, question.cases, against)
    at = int(np.flatnonzero(cohort.hours == question.at_h)[0])
    markers = pd.concat(
        [
            _at_one_hour(cohort, question, group, scores[:, at], found[k, :, at], fold, times)
            for k, group in enumerate(comparisons(against))
        ],
        ignore_index=True,
    )
    judged = np.isfinite(probability[at])
    is_case = cohort.groups[judged] == question.cases
    risk = probability[at, judged]
    return Claims(
        cohort=cohort,
        question=question,
        markers=markers,
        lead_time=lead_times(found, cohort.hours, names, against, question.bar),
        by_hour=by_hour(found, least, cohort.hours, names, against),
        roc=_roc(markers, dict(zip(names, scores[:, at], strict=True)), cohort, question),
        probability=probability,
        strengths=strengths,
        calibration=calibration(risk, is_case),
        decision=net_benefit(risk, is_case),
        told=(*cohort.told, *told),
    )


def _people(cohort: Cohort, question: Question, group: str) -> tuple[Bools, Bools]:
    """Who are cases, and who takes part in the comparison with this group."""
    is_case = cohort.groups == question.cases
    others = question.against if group == TOGETHER else (group,)
    return is_case, is_case | np.isin(cohort.groups, others)


def _combined(cohort: Cohort, question: Question) -> tuple[Floats, Any, tuple[float, ...], Any]:
    """Risks of everyone at every hour by models of that one hour that never saw them."""
    at = cohort.hours == question.at_h
    groups = (question.cases, *question.against)
    used = np.all([cohort.enough(group)[:, at][:, 0] for group in groups], axis=0)
    told = []
    if not used.all():
        left = [name for name, here in zip(cohort.analytes, used, strict=True) if not here]
        told.append(f"Too few were measured at {question.at_h:g} h to combine: {', '.join(left)}.")
    if not used.any():
        rule = f"no analyte has {LEAST} subjects of each group at {question.at_h:g} h."
        raise InputError([Problem("--at", rule, "Name another hour.")])
    levels, limits = cohort.levels[used], cohort.limits[used]
    people = np.isin(cohort.groups, groups) & np.isfinite(levels[:, at][:, 0]).any(axis=0)
    here = levels[:, at][:, 0][:, people].T
    if gaps := int(np.isnan(here).sum()):
        told.append(f"{gaps:,} missing levels count as the mean in the combined marker.")
    own, is_case = cohort.groups[people], cohort.groups[people] == question.cases
    subjects = np.flatnonzero(people)
    judged_in, models = cross_validated(here, limits, is_case, own, subjects, question.seed)
    fold = np.full(len(people), -1)
    fold[people] = judged_in
    probability = np.full(cohort.levels.shape[1:], np.nan)
    for k, model in enumerate(models):
        for h in range(len(cohort.hours)):
            whom = (fold == k) & np.isfinite(levels[:, h]).any(axis=0)
            probability[h, whom] = model.probability(levels[:, h, whom].T)
    return probability, fold, tuple(model.strength for model in models), told


def _at_one_hour(
    cohort: Cohort,
    question: Question,
    group: str,
    scores: Floats,
    found: Floats,
    fold: Any,
    times: Weights,
) -> pd.DataFrame:
    """One row per marker: AUC with both intervals, test, sensitivity, beside the combined one."""
    is_case, takes_part = _people(cohort, question, group)
    rows = []
    for k, name in enumerate([*cohort.analytes, COMBINED]):
        single, there = name != COMBINED, takes_part & np.isfinite(scores[k])
        case, other = there & is_case, there & ~is_case
        row: dict[str, Any] = {"against": group, "marker": name}
        row["unit"] = cohort.units[k] if single else ""
        row |= {"cases": int(case.sum()), "others": int(other.sum())}
        rows.append(row)
        if np.isnan(found[k, 0]):
            continue
        row["censored"] = _censored(scores[k, there], cohort.limits[k]) if single else 0.0
        own_fold = None if single else fold[there]
        area, covariance = auc(scores[k : k + 1, there], is_case[there], own_fold)
        se = float(covariance[0, 0] ** 0.5) * (1 if single else WIDER)
        row["auc"] = float(area[0])
        row["low"], row["high"] = interval(float(area[0]), se, min(row["cases"], row["others"]))
        row["boot_low"], row["boot_high"] = np.quantile(found[k, 1:], MIDDLE)
        sign = 1.0 if area[0] >= 0.5 or not single else -1.0
        row["side"] = "higher" if sign > 0 else "lower"
        sens, cuts = sensitivity(
            sign * scores[k, case],
            sign * scores[k, other],
            times[case],
            times[other],
            question.specificity,
        )
        row["sensitivity"], row["cutoff"] = sens[0], sign * cuts[0]
        row["sens_low"], row["sens_high"] = np.quantile(sens[1:], MIDDLE)
        if single:
            row["p"] = float(mannwhitneyu(scores[k, case], scores[k, other]).pvalue)
            row |= _beside_combined(scores[[-1, k]], there, is_case, fold)
    table = pd.DataFrame(rows)
    tested = table.p.notna()
    table.loc[tested, "q"] = multipletests(table.p[tested], method="fdr_bh")[1]
    return table


def _censored(levels: Floats, limits: Floats) -> float:
    return float(((levels <= limits[0]) | (levels >= limits[1])).mean())


def _beside_combined(scores: Floats, there: Bools, is_case: Bools, fold: Any) -> dict[str, float]:
    """How much larger the AUC of the combined marker is, on the same pairs of people."""
    both = there & np.isfinite(scores[0])
    area, covariance = auc(scores[:, both], is_case[both], fold[both])
    if area[1] < 0.5:  # a marker that is lower in cases tells as well as its mirror image
        area, covariance = auc(scores[:, both] * [[1], [-1]], is_case[both], fold[both])
    value, low, high, _ = difference(area, covariance * np.outer([WIDER, 1], [WIDER, 1]))
    return {"combined_more": value, "more_low": low, "more_high": high}


def _roc(
    markers: pd.DataFrame, scores: dict[str, Floats], cohort: Cohort, question: Question
) -> pd.DataFrame:
    """ROC curves of the combined marker and the best single one against each group."""
    tables = []
    for group, rows in markers.dropna(subset="auc").groupby("against", sort=False):
        is_case, takes_part = _people(cohort, question, str(group))
        single = rows[rows.marker != COMBINED]
        best = single.marker.iloc[int((single.auc - 0.5).abs().argmax())]
        for name in (best, COMBINED):
            there = takes_part & np.isfinite(scores[name])
            sign = 1 if (rows.side[rows.marker == name] == "higher").all() else -1
            false, true, _ = roc_curve(is_case[there], sign * scores[name][there])
            columns = {"against": group, "marker": name}
            tables.append(pd.DataFrame(columns | {"false_positive": false, "sensitivity": true}))
    return pd.concat(tables, ignore_index=True)
