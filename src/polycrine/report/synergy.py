"""The report of a scored dose matrix as one HTML page: surfaces, isoboles, and curves alone."""

import base64
import math
from html import escape
from itertools import combinations
from pathlib import Path
from string import Template
from textwrap import dedent

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.interpolate import PchipInterpolator

from polycrine.report.figures import INK, WIDTH, add_legend, lay_out
from polycrine.report.findings import listed, plain
from polycrine.report.page import HERE, NOTHING, PICTURE
from polycrine.synergy import references
from polycrine.synergy.curves import FEWEST_DOSES, Floats, Hill
from polycrine.synergy.scores import REFERENCES, Scores

MARKED = """Dots: the 95 % interval of the score leaves out zero, as 1 of 20 does by chance."""
METHODS = "hsa bliss loewe combination_index zip_expected zip_fitted log_additive"
MOST_LEVELS = 6
LEVELS = {0.25: "#8DB4D6", 0.5: "#007A5A", 0.75: "#C77C11"}  # of the strongest effect


def write_synergy_report(scores: Scores, folder: Path) -> Path:
    """Write `scores.csv`, `summary.csv`, `figures/` and `report.html` into a folder."""
    (folder / "figures").mkdir(parents=True, exist_ok=True)
    scores.points.to_csv(folder / "scores.csv", index=False)
    scores.summary.to_csv(folder / "summary.csv", index=False)
    gaps = {}
    with rc_context(fname=HERE / "figures.mplstyle"):
        drawn = {"surfaces": draw_surfaces(scores), "isoboles": draw_isoboles(scores)}
        drawn["curves"] = draw_curves(scores)
        for name, figure in drawn.items():
            if not figure.axes:
                gaps[name] = NOTHING
                continue
            file = folder / "figures" / f"{name}.svg"
            lay_out(figure)
            figure.savefig(file, metadata={"Date": None})
            code = base64.b64encode(file.read_bytes()).decode()
            gaps[name] = PICTURE.format(name, "svg+xml", code)
    notes = "".join(f"<li>{escape(note)}</li>" for note in scores.notes)
    has_ends = scores.summary.low.notna().any()
    gaps |= {
        "style": (HERE / "page.css").read_text("utf-8"),
        "name": escape(f"{' + '.join(scores.matrix.agents)}: {scores.matrix.readout}"),
        "about": escape(_about(scores)),
        "headline": escape(headline(scores)),
        "normalisation": escape(scores.normalisation),
        "intervals": escape(scores.intervals),
        "notes": f'<ul class="note">{notes}</ul>' if notes else "",
        "summary": _html(summary_rows(scores)),
        "no_isoboles": "hidden" if gaps["isoboles"] == NOTHING else "",
        "marked": MARKED if has_ends else "",
        "parameters": _html(_parameters(scores)),
        "methods": escape("\n\n".join(_method(name) for name in METHODS.split())),
    }
    path = folder / "report.html"
    text = (HERE / "synergy.html").read_text("utf-8")
    path.write_text(Template(text).substitute(gaps), "utf-8")
    return path


def headline(scores: Scores) -> str:
    """The mean scores of all agents together in one sentence."""
    agents = scores.summary.agents.iloc[-1]
    rows = scores.summary[scores.summary.agents == agents].dropna(subset="mean")
    means = [
        f"{name} {_signed(mean)}" for name, mean in zip(rows.reference, rows["mean"], strict=True)
    ]
    if not means:
        return f"{agents}: no score."
    many = int(rows.points.max())
    count = f"mean of {many} combinations" if many > 1 else "one combination"
    return f"{agents}, {count}: {listed(means)}."


def summary_rows(scores: Scores) -> pd.DataFrame:
    """The summary with its numbers as a person would write them; no intervals, no column."""
    table = scores.summary
    shown = table[["agents", "reference", "points"]].assign(mean=table["mean"].map(_signed))
    if table.low.notna().any():
        ends = zip(table.low, table.high, strict=True)
        shown["95 % interval"] = [
            f"{_signed(low)} to {_signed(high)}" if low == low else "none" for low, high in ends
        ]
    return shown.assign(most=table.most, least=table.least) if table.points.max() > 1 else shown


def _signed(value: float) -> str:
    return f"{round(value, 3) + 0.0:+.3f}" if math.isfinite(value) else "–"


def _about(scores: Scores) -> str:
    matrix, points = scores.matrix, len(scores.means)
    wells = f"{points} points" if len(matrix.wells) == points else f"{points} points, "
    wells += "" if len(matrix.wells) == points else f"{len(matrix.wells)} wells"
    return f"{matrix.name}: {wells}{', simulated' if matrix.is_simulated else ''}."


def _parameters(scores: Scores) -> pd.DataFrame:
    rows = []
    for (name, curve), unit in zip(scores.curves.items(), scores.matrix.units, strict=True):
        row = {"agent": name, "e0": "–", "emax": "–", "ec50": "–", "h": "–"}
        if curve is not None:
            row |= {"e0": plain(curve.e0), "emax": plain(curve.emax)}
            if curve.emax != curve.e0:
                row |= {"ec50": f"{plain(curve.ec50)} {unit}".rstrip(), "h": plain(curve.h)}
        rows.append(row)
    return pd.DataFrame(rows)


def _method(function: str) -> str:
    name, _, rest = str(getattr(references, function).__doc__).partition("\n")
    return f"{name}\n{dedent(rest).strip()}"


def _html(table: pd.DataFrame) -> str:
    return str(table.rename_axis(columns=None).to_html(index=False, border=0, na_rep="–"))


def draw_surfaces(scores: Scores) -> Figure:
    """The response, and the excess over each reference, over the doses of two agents.

    Of three agents, the one with the fewest doses goes across, the references go down.
    """
    matrix, means = scores.matrix, scores.means
    order = sorted(matrix.agents, key=lambda name: means[name].nunique(), reverse=True)
    first, second = sorted(order[:2], key=matrix.agents.index)
    scored = set(scores.points.reference) if scores.summary.points.max() > 1 else ()
    kinds = ["response", *(name for name in REFERENCES if name in scored)]
    if len(order) == 2:
        levels, down, across = [0.0], math.ceil(len(kinds) / 3), 3
    else:
        every = sorted(means[order[2]].unique())
        levels = every[:: math.ceil(len(every) / MOST_LEVELS)]
        down, across = len(kinds), len(levels)
    figure = Figure((WIDTH, 0.3 + 2.6 * down), layout="constrained")
    for k, kind in enumerate(kinds):
        table = means if kind == "response" else scores.points[scores.points.reference == kind]
        value = "mean" if kind == "response" else "score"
        ends = float(table[value].min()), float(table[value].max())
        for j, level in enumerate(levels):
            here = table if len(order) == 2 else table[table[order[2]] == level]
            place = k + 1 if len(order) == 2 else k * across + j + 1
            if not here[value].notna().any():
                continue
            title = scores.matrix.readout if kind == "response" else f"excess over {kind}"
            if len(order) == 3:
                unit = matrix.units[matrix.agents.index(order[2])]
                title = f"{kind}, {order[2]} {level:g} {unit}".rstrip()
            axis = figure.add_subplot(down, across, place, title=title)
            _draw_matrix(axis, here, (first, second), value, ends, scores)
    return figure


def _draw_matrix(
    axis: Axes,
    rows: pd.DataFrame,
    agents: tuple[str, str],
    value: str,
    ends: tuple[float, float],
    scores: Scores,
) -> None:
    """One heat map: blue shades for responses; for scores red synergy, blue antagonism, about 0."""
    first, second = agents
    table = rows.pivot_table(value, second, first)
    furthest = max(abs(ends[0]), abs(ends[1]), 0.01)
    span = ends if value == "mean" else (-furthest, furthest)
    colours = "Blues" if value == "mean" else "RdBu_r"
    image = axis.imshow(
        table, cmap=colours, vmin=span[0], vmax=span[1], aspect="auto", origin="lower"
    )
    axis.set_xticks(range(table.shape[1]), [f"{dose:.3g}" for dose in table.columns])
    axis.set_yticks(range(table.shape[0]), [f"{dose:.3g}" for dose in table.index])
    axis.tick_params(axis="x", labelrotation=45)
    units = dict(zip(scores.matrix.agents, scores.matrix.units, strict=True))
    axis.set_xlabel(f"{first} ({units[first]})" if units[first] else first)
    axis.set_ylabel(f"{second} ({units[second]})" if units[second] else second)
    axis.grid(visible=False)
    assert axis.figure is not None
    axis.figure.colorbar(image, ax=axis)
    if value == "mean":
        return
    apart = rows[(rows.low > 0) | (rows.high < 0)]
    at = table.columns.get_indexer(apart[first]), table.index.get_indexer(apart[second])
    axis.plot(*at, ".", color=INK, ms=3)


def draw_curves(scores: Scores) -> Figure:
    """Mean responses to each agent alone, and its Hill curve."""
    matrix, means = scores.matrix, scores.means
    figure = Figure((WIDTH, 2.4), layout="constrained")
    doses = means[list(matrix.agents)]
    axes = figure.subplots(1, len(matrix.agents), sharey=True)
    for name, unit, axis in zip(matrix.agents, matrix.units, axes, strict=True):
        own = means[(doses.drop(columns=name) == 0).all(axis=1)].sort_values(name)
        least = float(own[name][own[name] > 0].min())
        label = f"{name} ({unit})" if unit else name
        axis.set_xlabel(label)
        axis.set_xscale("symlog", linthresh=least, linscale=0.5)
        axis.errorbar(
            own[name], own["mean"], own.sd.fillna(0.0), fmt="o", c=INK, mfc="white", elinewidth=1
        )
        if (curve := scores.curves[name]) is not None:
            fine = np.append(np.linspace(0, least, 20), np.geomspace(least, own[name].max(), 100))
            axis.plot(fine, curve.response(fine), zorder=0)
    axes[0].set_ylabel(matrix.readout)
    return figure


def draw_isoboles(scores: Scores) -> Figure:
    """For each pair of agents: doses of equal effect and Loewe's line, and combination indices."""
    pairs = []
    for names in combinations(scores.matrix.agents, 2):
        curves = [curve for name in names if (curve := scores.curves[name]) is not None]
        if scores.rising is not None and len(curves) == 2:
            pairs.append((names, curves))
    figure = Figure((WIDTH, 0.5 + 3.2 * max(1, len(pairs))), layout="constrained")
    for k, (names, curves) in enumerate(pairs):
        _draw_isobole(figure.add_subplot(len(pairs), 2, 2 * k + 1), scores, names, curves)
        label = " + ".join(names)
        points = scores.points
        rows = points[(points.agents == label) & points.combination_index.notna()]
        if rows.empty:
            continue
        right = figure.add_subplot(len(pairs), 2, 2 * k + 2)
        right.axhline(1.0, color=INK, lw=0.8)
        right.plot(
            scores.scale.effect(rows.observed), rows.combination_index, "o", c="#00467A", ms=3.5
        )
        right.set(yscale="log", xlabel="effect observed", ylabel="combination index")
        right.set_title(f"{label}: below 1 synergy, above 1 antagonism")
    if pairs:
        add_legend(figure)
    return figure


def _draw_isobole(axis: Axes, scores: Scores, names: tuple[str, ...], curves: list[Hill]) -> None:
    means, scale = scores.means, scores.scale
    others = [name for name in scores.matrix.agents if name not in names]
    face = means[(means[others] == 0).all(axis=1)]
    strongest = float(scale.effect(face["mean"].to_numpy()).max())
    reach = {
        share: [float(c.dose(scale.response(np.array(share * strongest)))) for c in curves]
        for share in LEVELS
    }
    both = [share for share, alone in reach.items() if np.isfinite(alone).all()]
    one = [share for share, alone in reach.items() if np.isfinite(alone).any()]
    units = dict(zip(scores.matrix.agents, scores.matrix.units, strict=True))
    moving, still = names
    if not both and one and math.isinf(reach[one[0]][0]):
        still, moving = names
    if both or one:
        line = ([0, 1], [1, 0]) if both else ([0, _doses(face, still)[-1]], [1, 1])
        axis.plot(*line, color=INK, lw=0.8, ls="-", label="Loewe additivity")
    for share in both or one:
        level = float(scale.response(np.array(share * strongest)))
        alone = dict(zip(names, reach[share], strict=True))
        found = [
            (dose, _crossing(face, moving, still, dose, level)) for dose in _doses(face, still)
        ]
        if both:
            found += [
                (_crossing(face, still, moving, dose, level), dose) for dose in _doses(face, moving)
            ]
        part = np.array([alone[still] if both else 1.0, alone[moving]])
        x, y = (np.array(found) / part).T
        axis.plot(x, y, "o", c=LEVELS[share], label=f"{share:.0%} of the strongest effect")
    if both:
        axis.set_xlabel(f"{still}, part of its dose alone")
    elif one:
        least = _doses(face, still)[1]
        axis.set_xscale("symlog", linthresh=least, linscale=0.5)
        axis.set(yscale="log", xlabel=f"{still} ({units[still]})" if units[still] else still)
    axis.set_ylabel(f"{moving}, part of its dose alone")
    axis.margins(0.05)
    axis.set_title(f"{' + '.join(names)}: isoboles")


def _doses(face: pd.DataFrame, agent: str) -> Floats:
    return np.unique(face[agent].to_numpy(dtype=float))


def _crossing(face: pd.DataFrame, moving: str, still: str, dose: float, level: float) -> float:
    """The dose of one agent at which the mean passes a level while the other's stays; else NaN.

    Between doses a monotone cubic in the logarithm of the dose is taken, a line from zero on.
    """
    line = face[face[still] == dose].sort_values(moving)
    x, y = line[moving].to_numpy(dtype=float), line["mean"].to_numpy(dtype=float)
    if len(x) < FEWEST_DOSES:
        return math.nan
    fine = np.geomspace(x[1], x[-1], 500)
    smooth = PchipInterpolator(np.log(x[1:]), y[1:])(np.log(fine))
    fine, smooth = np.append(x[0], fine), np.append(y[0], smooth)
    passed = np.flatnonzero((smooth[:-1] - level) * (smooth[1:] - level) < 0)
    if not len(passed):
        return math.nan
    k = int(passed[0])
    share = (level - smooth[k]) / (smooth[k + 1] - smooth[k])
    return float(fine[k] + share * (fine[k + 1] - fine[k]))
