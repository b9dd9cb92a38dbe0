"""What a cohort says of its markers, as one HTML page with tables beside it."""

import base64
import json
import math
from dataclasses import asdict
from html import escape
from itertools import cycle
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure

from polycrine.biomarkers.claims import BANNER, REPLICATES, Claims
from polycrine.biomarkers.lead_time import COMBINED, comparisons
from polycrine.biomarkers.validation import WIDER
from polycrine.report.figures import INK, WIDTH, add_legend, lay_out
from polycrine.report.findings import listed, plain
from polycrine.report.page import HERE, PICTURE

COLOURS = ("#00467A", "#C77C11", "#007A5A", "#A03C7D", "#555555", "#8DB4D6", "#D55E00", "#8C510A")
LEADING = 6
LEAD = """AUC of each marker at each hour: the chance that one of the cases lies higher (red) or
lower (blue) than one of the others; white is no better than a coin. The dot is the earliest hour:
the first at which AUC is {bar:g} or above (or {other:g} or below) and stays so at the next two
hours that were measured. Grey: too few people."""
COURSE = """The leading markers, with bands that hold at all hours of a marker at once (95 %); the
line is the bar."""
LEADS = """Interval: the middle 95 % of the earliest hours in {n:,} resampled cohorts (people drawn
anew within each group). Against {primary}: until, the last hour of the stretch that begins then;
never, the share of resampled cohorts in which the marker does not pass; first, the share in which
it passes and no single marker is earlier. “Combined” is the model of {at:g} h, applied at every
hour to people whom it never saw."""
FOREST = """Left, the earliest hour with its interval (an arrow: it goes on to “never”; no point:
it does not pass). Right, AUC at {at:g} h with DeLong’s interval."""
MARKERS = """Against {primary}: AUC with DeLong’s interval, that of Clopper and Pearson where it is
1; q, Mann–Whitney test, false discovery rate of Benjamini and Hochberg over the markers;
sensitivity where at least {spec} of the others are negative, with the interval of resampled
cohorts, which find their own cut-off; censored levels are ties at the limit; combined less marker,
the difference in AUC (DeLong)."""
COMBINATION = """Five-fold cross-validation by people, each group in every fold; the penalty is
chosen within the others’ folds (its inverse: {strengths}). AUC {auc} against {primary}; its
intervals of AUC and of hours are {wider:g} times as wide as people alone make them, since folds
learn from one another (Nadeau and Bengio 2003).
Calibration: intercept {intercept}, 0 is right; slope {slope}, 1 is right. Brier score {brier};
{share} for giving everyone the share of cases. Calibration and net benefit hold at this cohort’s
share of cases, {cases}. The ROC curve takes the folds together."""


def write_biomarker_report(claims: Claims, folder: Path) -> Path:
    """Write `report.html`, `figures/` and the tables as CSV in a folder, which is made."""
    with rc_context(fname=HERE / "figures.mplstyle"):
        figures = {
            "lead": draw_lead(claims),
            "course": draw_course(claims),
            "forest": draw_forest(claims),
            "combined": draw_combined(claims),
        }
        gaps = {}
        (folder / "figures").mkdir(parents=True)
        for name, figure in figures.items():
            if claims.cohort.simulated:
                figure.supxlabel(BANNER, fontsize=7)
            file = folder / "figures" / f"{name}.svg"
            lay_out(figure)
            figure.savefig(file, metadata={"Date": None})
            code = base64.b64encode(file.read_bytes()).decode()
            gaps[name] = PICTURE.format(name, "svg+xml", code)
    tables = {
        "markers": claims.markers,
        "lead_time": claims.lead_time,
        "by_hour": claims.by_hour,
        "roc": claims.roc,
        "calibration": claims.calibration.curve,
        "decision": claims.decision,
    }
    origin = "simulated" if claims.cohort.simulated else "measured"
    for name, table in tables.items():
        told = table.assign(origin=origin)
        told.to_csv(folder / f"{name}.csv", index=False, float_format="%.6g")
    gaps |= {name: escape(text, quote=False) for name, text in _texts(claims).items()}
    gaps |= {
        "style": (HERE / "page.css").read_text("utf-8"),
        "simulated": "" if claims.cohort.simulated else "hidden",
        "lead_table": _html(lead_rows(claims)),
        "marker_table": _html(marker_rows(claims)),
        "tables": ", ".join(f'<a href="{name}.csv">{name}.csv</a>' for name in tables),
    }
    path = folder / "report.html"
    page = Template((HERE / "biomarkers.html").read_text("utf-8"))
    path.write_text(page.substitute(gaps), "utf-8")
    return path


def headline(claims: Claims) -> str:
    """Of each comparison the earliest single marker with its interval, and the combined one."""
    asked, told = claims.question, []
    for group in comparisons(list(asked.against)):
        rows = claims.lead_time[claims.lead_time.against == group]
        single = rows[(rows.marker != COMBINED) & np.isfinite(rows.earliest_h)]
        if single.empty:
            told.append(f"Against {group} no marker passes an AUC of {asked.bar:g}.")
            continue
        best = single.sort_values(["earliest_h", "first"], ascending=[True, False]).iloc[0]
        told.append(
            f"Against {group}, {best.marker} is the earliest: AUC {asked.bar:g} or more from "
            f"{hours(best)}; first in {percent(best['first'])} of resampled cohorts."
        )
    return " ".join(told)


def hours(row: Any) -> str:
    """The earliest hour and its interval, as a person writes it."""
    if np.isinf(row.low_h):
        return "never"
    high = "never" if np.isinf(row.high_h) else f"{row.high_h:g}"
    earliest = "never" if np.isinf(row.earliest_h) else f"{row.earliest_h:g} h"
    return f"{earliest} ({row.low_h:g} to {high})"


def _texts(claims: Claims) -> dict[str, str]:
    asked, found = claims.question, claims.calibration
    risk = np.isfinite(claims.probability[claims.cohort.hours == asked.at_h][0])
    rows = claims.markers[(claims.markers.marker == COMBINED)]
    whole = rows[rows.against == claims.primary].iloc[0]
    combination = COMBINATION.format(
        strengths=listed([f"{one:g}" for one in sorted(set(claims.strengths))]),
        auc=interval(whole.auc, whole.low, whole.high),
        primary=claims.primary,
        intercept=interval(*found.intercept),
        slope=interval(*found.slope),
        wider=WIDER,
        brier=plain(found.brier),
        share=plain(found.brier_of_share),
        cases=percent((claims.cohort.groups[risk] == asked.cases).mean()),
    )
    return {
        "name": f"{claims.cohort.name}: biomarkers of {asked.cases}",
        "about": about(claims),
        "banner": BANNER,
        "headline": headline(claims),
        "told": " ".join(claims.told),
        "at": f"{asked.at_h:g}",
        "lead_note": LEAD.format(bar=asked.bar, other=1 - asked.bar),
        "course_note": COURSE,
        "lead_table_note": LEADS.format(n=REPLICATES, at=asked.at_h, primary=claims.primary),
        "forest_note": FOREST.format(at=asked.at_h),
        "marker_note": MARKERS.format(spec=percent(asked.specificity), primary=claims.primary),
        "combined_note": combination,
        "asked": json.dumps(asdict(asked), indent=2, ensure_ascii=False),
    }


def about(claims: Claims) -> str:
    """Who was compared, on how many analytes, over which hours."""
    cohort, asked = claims.cohort, claims.question
    sizes = {name: int((cohort.groups == name).sum()) for name in cohort.group_names()}
    others = listed([f"{name} ({sizes[name]:,})" for name in asked.against])
    return (
        f"{asked.cases} ({sizes[asked.cases]:,}) against {others}; {len(cohort.analytes)} "
        f"analyte{'s' * (len(cohort.analytes) > 1)}, {cohort.hours[0]:g} to {cohort.hours[-1]:g} h "
        f"from the landmark; single times are judged at {asked.at_h:g} h."
    )


def interval(value: float, low: float, high: float) -> str:
    """A value with its 95 % interval, two decimals."""
    if not np.isfinite(value):
        return "cannot be estimated"
    value, low, high = (round(one, 2) + 0.0 for one in (value, low, high))
    return f"{value:.2f} ({low:.2f} to {high:.2f})"


def percent(share: float) -> str:
    """A share as a person writes it."""
    return f"{100 * share:.0f} %"


def lead_rows(claims: Claims) -> pd.DataFrame:
    """The lead times as a page shows them: the earliest first, a column per comparison."""
    primary = claims.lead_time[claims.lead_time.against == claims.primary].set_index("marker")
    table = pd.DataFrame(index=pd.Index(ordered(claims), name="marker"))
    for group, rows in claims.lead_time.groupby("against", sort=False):
        own = rows.set_index("marker").loc[table.index]
        table[f"against {group}"] = [hours(row) for row in own.itertuples()]
    own = primary.loc[table.index]
    table["until (h)"] = [plain(value) for value in own.until_h]
    table["cases lie"] = own.side
    table["never"] = [percent(share) for share in own.never]
    table["first"] = [percent(share) for share in own["first"]]
    return table.reset_index()


def marker_rows(claims: Claims) -> pd.DataFrame:
    """The markers at one hour against all together, the best first."""
    rows = claims.markers[claims.markers.against == claims.primary].dropna(subset="auc")
    rows = rows.iloc[(rows.auc - 0.5).abs().argsort()[::-1]]
    shown = []
    for row in rows.itertuples():
        single = row.marker != COMBINED
        shown.append(
            {
                "marker": row.marker,
                "AUC": interval(row.auc, row.low, row.high),
                "cases lie": row.side,
                "q": plain(row.q),
                "sensitivity": interval(row.sensitivity, row.sens_low, row.sens_high),
                "cut-off": f"{plain(row.cutoff)} {row.unit}",
                "censored": percent(row.censored) if single else "–",
                "combined less marker": (
                    interval(row.combined_more, row.more_low, row.more_high) if single else "–"
                ),
            }
        )
    return pd.DataFrame(shown)


def ordered(claims: Claims) -> list[str]:
    """Markers by their earliest hour in the first comparison, then by their best AUC."""
    rows = claims.lead_time[claims.lead_time.against == claims.primary]
    best = claims.by_hour[claims.by_hour.against == claims.primary]
    best = (best.auc - 0.5).abs().groupby(best.marker).max().rename("best")
    rows = rows.join(best, on="marker").fillna({"best": 0.0})
    rows = rows.sort_values(["earliest_h", "best"], ascending=[True, False], kind="stable")
    return list(rows.marker)


def draw_lead(claims: Claims) -> Figure:
    """AUC over marker and hour for each comparison, the earliest hour marked."""
    names, groups = ordered(claims), comparisons(list(claims.question.against))
    down = math.ceil(len(groups) / 3)
    figure = Figure((WIDTH, 0.5 + down * (0.6 + 0.19 * len(names))), layout="constrained")
    axes = [figure.add_subplot(down, min(3, len(groups)), k) for k in range(1, len(groups) + 1)]
    for k, (axis, group) in enumerate(zip(axes, groups, strict=True)):
        rows = claims.by_hour[claims.by_hour.against == group]
        grid = rows.pivot_table(index="marker", columns="time_h", values="auc").reindex(names)
        places = np.arange(len(names))
        image = axis.pcolormesh(
            _edges(grid.columns),
            _edges(places),
            grid,
            cmap="RdBu_r",
            vmin=0,
            vmax=1,
            lw=0.2,
            edgecolors="face",
        )
        own = claims.lead_time[claims.lead_time.against == group].set_index("marker").loc[names]
        passes = np.isfinite(own.earliest_h.to_numpy())
        axis.scatter(own.earliest_h[passes], places[passes], 12, "white", edgecolors=INK, zorder=3)
        axis.set(title=f"against {group}", xlabel="hours from the landmark", facecolor="#E3E3E3")
        axis.set_yticks(places, names if k % 3 == 0 else [])
        axis.grid(False)
        axis.set_ylim(len(names) - 0.5, -0.5)
    figure.colorbar(image, ax=axes, label="AUC", shrink=0.6, aspect=30)
    return figure


def _edges(middles: Any) -> Any:
    """Where cells about these middles meet, and where the outer ones end."""
    middles = np.asarray(middles, dtype=float)
    half = np.diff(middles) / 2 if len(middles) > 1 else np.array([0.5])
    return np.r_[
        middles[0] - half[0], middles[1:] - half[: len(middles) - 1], middles[-1] + half[-1]
    ]


def draw_course(claims: Claims) -> Figure:
    """AUC over hours of the leading markers, with bands for all hours at once."""
    groups = comparisons(list(claims.question.against))
    names = ordered(claims)[:LEADING]
    down = math.ceil(len(names) / 3)
    figure = Figure((WIDTH, 0.6 + 1.9 * down), layout="constrained")
    for k, name in enumerate(names, 1):
        axis = figure.add_subplot(down, 3, k, title=name, ylim=(0, 1.02))
        for colour, group in zip(cycle(COLOURS), groups, strict=False):
            rows = claims.by_hour
            rows = rows[(rows.against == group) & (rows.marker == name)]
            axis.fill_between(
                rows.time_h, rows.band_low, rows.band_high, color=colour, alpha=0.15, lw=0
            )
            form = "-" if len(rows) > 9 else "o-"
            axis.plot(rows.time_h, rows.auc, form, color=colour, lw=1.5, label=f"against {group}")
        low = name != COMBINED and rows.auc.min() < 1 - rows.auc.max()
        bar = claims.question.bar
        axis.axhline(1 - bar if low else bar, color=INK, lw=0.8, ls="--")
        axis.axhline(0.5, color="#BBBBBB", lw=0.8, ls="-")
        axis.set_xlabel("hours from the landmark")
    add_legend(figure)
    return figure


def draw_forest(claims: Claims) -> Figure:
    """Earliest hour and AUC at one hour of every marker, with intervals, for each comparison."""
    names, groups = ordered(claims), comparisons(list(claims.question.against))
    figure = Figure((WIDTH, 1.0 + 0.27 * len(names)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    first, end = claims.cohort.hours[[0, -1]]
    for k, (colour, group) in enumerate(zip(cycle(COLOURS), groups, strict=False)):
        places = np.arange(len(names)) + 0.6 * ((k + 0.5) / len(groups) - 0.5)
        lead = claims.lead_time[claims.lead_time.against == group].set_index("marker").loc[names]
        at = claims.markers[claims.markers.against == group].set_index("marker").loc[names]
        dots = {"s": 14, "color": colour, "zorder": 3}
        left.hlines(places, lead.low_h, lead.high_h.clip(upper=end), color=colour, lw=1.2)
        goes_on = np.isinf(lead.high_h.to_numpy()) & np.isfinite(lead.low_h.to_numpy())
        left.scatter(np.full(goes_on.sum(), end), places[goes_on], marker=">", **dots)
        hour = lead.earliest_h.where(np.isfinite(lead.earliest_h))
        left.scatter(hour, places, label=f"against {group}", **dots)
        right.hlines(places, at.low, at.high, color=colour, lw=1.2)
        right.scatter(at.auc, places, **dots)
    left.set(title="earliest hour from the landmark", xlim=(first - 0.5, end + 0.5))
    right.set(title=f"AUC at {claims.question.at_h:g} h", xlim=(0, 1.02))
    right.axvline(0.5, color="#BBBBBB", lw=0.8, zorder=0)
    left.set_yticks(np.arange(len(names)), names)
    left.set_ylim(len(names) - 0.4, -0.6)
    add_legend(figure)
    return figure


def draw_combined(claims: Claims) -> Figure:
    """ROC of the best single and the combined marker, calibration and net benefit."""
    figure = Figure((WIDTH, 3.1), layout="constrained")
    roc, calibrated, decided = figure.subplots(1, 3)
    for axis in (roc, calibrated):
        axis.plot([0, 1], [0, 1], "-", color="#BBBBBB", lw=0.8)
        axis.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    rows = claims.roc[claims.roc.against == claims.primary]
    for colour, (name, own) in zip(COLOURS[1::-1], rows.groupby("marker", sort=False), strict=True):
        roc.plot(own.false_positive, own.sensitivity, "-", color=colour, lw=1.6, label=name)
    roc.set(title=f"ROC against {claims.primary}", xlabel="1 - specificity", ylabel="sensitivity")
    curve = claims.calibration.curve
    bars = np.maximum(0, [curve.observed - curve.low, curve.high - curve.observed])
    calibrated.errorbar(curve.predicted, curve.observed, bars, fmt="o", color=COLOURS[0], lw=1)
    calibrated.set(title="calibration", xlabel="predicted risk", ylabel="observed share")
    table = claims.decision
    top = float(max(table.model.max(), table.treat_all.max()))
    decided.plot(table.threshold, table.model, "-", color=COLOURS[0], lw=1.6, label=COMBINED)
    decided.plot(
        table.threshold, table.treat_all, "--", color=COLOURS[1], lw=1.3, label="treat all"
    )
    decided.plot(table.threshold, table.treat_none, "-", color="#999999", lw=1, label="treat none")
    decided.set(title="decision curve", xlabel="threshold risk", ylabel="net benefit per person")
    decided.set_ylim(-0.15 * top, 1.1 * top)
    roc.legend(loc="lower right")
    decided.legend(loc="best")
    return figure


def _html(table: pd.DataFrame) -> str:
    return str(table.rename_axis(columns=None).to_html(index=False, border=0, na_rep="–"))
