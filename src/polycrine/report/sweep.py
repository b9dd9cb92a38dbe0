"""The report of a sweep as one HTML page: bands over what was measured, and what varies."""

import base64
import json
import math
from html import escape
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from polycrine.model.yamlfile import read_model
from polycrine.readouts.comparison import KEY_ANALYTES
from polycrine.report.figures import INK, WIDTH, add_legend, lay_out
from polycrine.report.findings import COMPARED_H, MOVED, display, listed, plain
from polycrine.report.page import HERE, NOTHING, PICTURE
from polycrine.results.sweep import Sweep
from polycrine.scenarios.library import measured_beside
from polycrine.units import value_and_unit

COMPARED = "Measured: median and quartiles of people, from the model's own table."
NOT_COMPARED = "Nothing measured is compared."
RESPONSE = "Peaks over the values of the grid, of the first arm; not more than nine that differ."
BANDS = """Over all {} members that are done of each group: median, middle half (dark) and 5 to
95 % (light), on log axes; of further groups, medians. What changes less than 1.5-fold in the median
is not drawn, nor more than nine analytes."""
MOST_DRAWN, MOST_GROUPS, MOST_RANKED = 9, 6, 6
SOBOL = """Sobol indices of the logarithm of each peak: the share of its variance that a number
explains alone (dark) and with all its interactions (light), with 95 % intervals."""
MORRIS = """Morris: how much the logarithm of each peak moves when a number goes through its range
(mu*), with 95 % intervals."""


def write_sweep_report(sweep: Sweep) -> Path:
    """Draw `figures/` and write `report.html` in the sweep's folder, anew if they are there."""
    asked = json.loads((sweep.folder / "asked.json").read_text("utf-8"))
    plan = json.dumps(asked["plan"], indent=2, ensure_ascii=False)
    model = read_model(asked["model"], "model.resolved.yaml")
    data = measured_beside(model, sweep.info["arms"][0])
    grouped = _grouped(sweep)
    ranked = pd.DataFrame() if sweep.indices is None else sweep.indices
    with rc_context(fname=HERE / "figures.mplstyle"):
        is_matrix = bool(sweep.info["grid"]) and "patient" not in sweep.members
        figures = {"bands": draw_bands(grouped, sweep, model.plasma, data)}
        if is_matrix:
            figures = {"bands": draw_response(sweep)}
        if len(ranked):
            figures["ranks"] = draw_ranks(ranked)
        (sweep.folder / "figures").mkdir(exist_ok=True)
        gaps = {"ranks": ""}
        for name, figure in figures.items():
            if not figure.axes:
                gaps[name] = NOTHING
                continue
            file = sweep.folder / "figures" / f"{name}.svg"
            lay_out(figure)
            figure.savefig(file, metadata={"Date": None})
            code = base64.b64encode(file.read_bytes()).decode()
            gaps[name] = PICTURE.format(name, "svg+xml", code)
    status = sweep.members.status.value_counts()
    done = sweep.members[sweep.members.status == "done"]
    gaps |= {
        "style": (HERE / "page.css").read_text("utf-8"),
        "name": escape(sweep.info["name"]),
        "about": escape(asked["plan"].get("about", "")),
        "headline": escape(_headline(sweep)),
        "drawn": RESPONSE if is_matrix else BANDS.format(grouped.n.min() if len(grouped) else 0),
        "data": NOT_COMPARED if data is None else COMPARED,
        "ranked": "" if gaps["ranks"] else "hidden",
        "method": SOBOL if "total" in ranked else MORRIS,
        "spread": _html(_spread(sweep, done)),
        "varied": _html(_varied(asked["plan"], sweep)),
        "status": _html(status.rename_axis("status").reset_index(name="members")),
        "info": escape(json.dumps(sweep.info, indent=2, ensure_ascii=False)),
        "asked": escape(f"{plan}\n\n{asked['model']}"),
    }
    path = sweep.folder / "report.html"
    path.write_text(Template((HERE / "sweep.html").read_text("utf-8")).substitute(gaps), "utf-8")
    return path


def _grouped(sweep: Sweep) -> pd.DataFrame:
    """The bands with the name of their group: arm, and point of the grid."""
    keys = [name for name in sweep.info["grid"] if name in sweep.bands]
    names = sweep.bands.arm.astype(str)
    for key in keys:
        names = names + ", " + key + " " + sweep.bands[key].astype(str)
    return sweep.bands.assign(group=names)


def draw_bands(
    bands: pd.DataFrame, sweep: Sweep, plasma: str | None, data: pd.DataFrame | None
) -> Figure:
    """Each analyte over time: bands of the first group, medians of others, measured data."""
    groups = list(dict.fromkeys(bands.group))[:MOST_GROUPS]
    if data is not None:
        bands = bands[bands.time_h <= COMPARED_H]
    drawn = _moving(bands[bands.group.isin(groups)], plasma)
    figure = Figure((WIDTH, 0.6 + 1.75 * max(1, math.ceil(len(drawn) / 3))), layout="constrained")
    for k, analyte in enumerate(drawn, 1):
        axis = figure.add_subplot(math.ceil(len(drawn) / 3), 3, k, xlabel="hours")
        rows = bands[bands.analyte == analyte]
        _draw_one(axis, rows, groups)
        molecule, _, place = analyte.partition(" in ")
        unit = rows.unit.iloc[0]
        where = "" if place == plasma else f" in {place}"
        axis.set_title(f"{display(molecule)}{where}{f', {unit}' if unit else ''}")
        if data is not None and place == plasma:
            known = data.assign(time_h=pd.to_numeric(data.time_h, errors="coerce"))
            known = known[(known.analyte == molecule) & (known.time_h <= rows.time_h.max())]
            middle = known["median"]
            bars = middle - known.lower, known.upper - middle
            if len(known):
                axis.errorbar(
                    known.time_h, middle, bars, fmt="o", c=INK, mfc="white", label="measured"
                )
    if drawn:
        add_legend(figure)
    return figure


def _draw_one(axis: Axes, rows: pd.DataFrame, groups: list[str]) -> None:
    axis.set_yscale("log")
    for k, name in enumerate(groups):
        own = rows[(rows.group == name) & (rows.q05 > 0)]
        (line,) = axis.plot(own.time_h, own.q50, label=name)
        if k == 0:
            for low, high, alpha in (("q05", "q95", 0.18), ("q25", "q75", 0.3)):
                axis.fill_between(
                    own.time_h, own[low], own[high], color=line.get_color(), alpha=alpha, lw=0
                )


def _moving(bands: pd.DataFrame, plasma: str | None) -> list[str]:
    """The analytes whose median moves, 1.5-fold at least: key ones in plasma first, then those
    that move most."""
    spans = {}
    for analyte, levels in bands.groupby("analyte", sort=False).q50:
        levels = levels[levels > 0]
        if levels.max() >= MOVED * levels.min():
            molecule, _, place = str(analyte).partition(" in ")
            leads = molecule in KEY_ANALYTES and place == plasma
            spans[str(analyte)] = (not leads, -levels.max() / levels.min())
    return sorted(spans, key=spans.__getitem__)[:MOST_DRAWN]


def draw_response(sweep: Sweep) -> Figure:
    """Peaks over the values of one axis of a grid, or as a matrix over two; of the first arm."""
    axes, done = sweep.info["grid"], sweep.members[sweep.members.status == "done"]
    done = done[done.arm == sweep.info["arms"][0]]
    columns = [name for name in done if ", peak" in name and not name.endswith("peak (h)")]
    spread = {name: done[name].max() - done[name].min() for name in columns}
    columns = [name for name in columns if spread[name] > 0.01 * done[name].max()][:MOST_DRAWN]
    down = max(1, math.ceil(len(columns) / 3))
    figure = Figure((WIDTH, 0.6 + 2.0 * down), layout="constrained")
    if len(axes) > 2:
        return figure
    for k, name in enumerate(columns, 1):
        axis = figure.add_subplot(down, 3, k, title=name.replace(", peak", ""))
        if len(axes) == 1:
            level = [value_and_unit(str(text))[0] for text in done[axes[0]]]
            axis.plot(level, done[name], "o-")
            least = min((value for value in level if value > 0), default=1.0)
            axis.set_xscale("symlog", linthresh=least, linscale=0.5)
            axis.set_xlabel(f"{axes[0]} ({value_and_unit(str(done[axes[0]].iloc[-1]))[1]})")
            continue
        table = done.pivot_table(name, axes[0], axes[1], sort=False)
        image = axis.imshow(table, aspect="auto", origin="lower", cmap="Blues")
        axis.set_xticks(range(table.shape[1]), table.columns, rotation=45, ha="right")
        axis.set_yticks(range(table.shape[0]), table.index)
        axis.set_xlabel(axes[1])
        axis.set_ylabel(axes[0])
        axis.grid(visible=False)
        figure.colorbar(image, ax=axis)
    return figure


def draw_ranks(indices: pd.DataFrame) -> Figure:
    """Of the peaks that were analysed, the numbers that matter most."""
    rows = indices[indices.outcome.str.contains(", peak") & (indices.arm == indices.arm.iloc[0])]
    outcomes = list(dict.fromkeys(rows.outcome))[:MOST_DRAWN]
    total, own = ("total", "first") if "total" in rows else ("mu_star", None)
    down = max(1, math.ceil(len(outcomes) / 3))
    figure = Figure((WIDTH, 0.4 + 1.7 * down), layout="constrained")
    for k, outcome in enumerate(outcomes, 1):
        axis = figure.add_subplot(down, 3, k)
        best = rows[rows.outcome == outcome].nlargest(MOST_RANKED, total).iloc[::-1]
        place = np.arange(len(best))
        axis.barh(place, best[total], xerr=best[f"{total}_95"], color="#8DB4D6", ecolor=INK)
        if own is not None:
            axis.barh(place, best[own], 0.4, color="#00467A")
        axis.set_yticks(place, [_short(name) for name in best.number])
        axis.set_title(outcome.partition(", peak")[0])
        axis.set_xlim(left=min(0.0, float(best[total].min())))
    return figure


def _short(path: str) -> str:
    parts = path.replace("_", " ").split(".")
    return " ".join(part for part in parts if part not in ("products", "receptors", "signals"))


def _headline(sweep: Sweep) -> str:
    counts = dict(sweep.info["status"])
    done = counts.pop("done", 0)
    told = [f"{n:,} {status.partition(':')[0]}" for status, n in counts.items()]
    besides = f"; besides them {listed(told)}" if told else ""
    return f"{done:,} members are done{besides}."


def _spread(sweep: Sweep, done: pd.DataFrame) -> pd.DataFrame:
    """Quantiles of peaks over members, by group."""
    keys = [*(name for name in sweep.info["grid"] if name in sweep.bands), "arm"]
    rows: list[dict[str, Any]] = []
    for names, group in done.groupby(keys, sort=False):
        for column in group:
            if ", peak" in column and not column.endswith("peak (h)"):
                found = group[column].quantile([0.05, 0.25, 0.5, 0.75, 0.95])
                if found.iloc[-1] > 0 and found.iloc[-1] > 1.01 * found.iloc[0]:
                    named = dict(zip(keys, names, strict=True)) | {"of": column}
                    rows.append(named | {f"{q:.0%}": plain(v) for q, v in found.items()})
    return pd.DataFrame(rows)


def _varied(plan: dict[str, Any], sweep: Sweep) -> pd.DataFrame:
    people = plan.get("patients") or plan.get("indices") or {}
    rows = [
        {"what": name, "how": "; ".join(f"{k} {v}" for k, v in people[name].items())}
        for name in ("sex", "weight", "age")
        if name in people
    ]
    for path, varied in people.get("numbers", {}).items():
        how = "; ".join(f"{key} {value}" for key, value in varied.items())
        rows.append({"what": path, "how": how})
    rows += [{"what": path, "how": ", ".join(v)} for path, v in plan.get("grid", {}).items()]
    return pd.DataFrame(rows)


def _html(table: pd.DataFrame) -> str:
    return str(table.rename_axis(columns=None).to_html(index=False, border=0, na_rep="–"))
