"""The pictures of a report; their look is in `figures.mplstyle`."""

import math
from itertools import cycle
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from polycrine.catalogue.library import catalogue
from polycrine.readouts.balance import balance
from polycrine.readouts.timing import order_of_rise
from polycrine.report.findings import Findings, display, leading, moving, plain, populations
from polycrine.units import express, quantity

INK, HEALTHY, WIDTH, DRAWN = "#333333", "#E4EEE4", 9.6, 0.001
SPAN = 1e6  # of a log axis at most
READ_MOVED, MOST_READ = 1.02, 9
STOCKS = {
    "the rest of the body": "#CFCFCF",
    "given": "#8F98A3",
    "cleared from plasma": "#B9C0C8",
    "at start": "#E0E0E0",
    "left": "#ECECEC",
}
HUES = ("#E8935A", "#6FA8DC", "#7DBE93", "#D08BB8", "#E3BC55", "#A493D6", "#C09A7B", "#62BDB9")
DEEP = ("#5B8DB8", "#C97B78", "#9BB25E", "#C3A6D8", "#D6A94A", "#8FA8A0")
LEAST_COUNT = 0.1


def levels(panel: pd.DataFrame, data: pd.DataFrame, healthy: bool = True) -> Figure:
    """What moves in a panel over its healthy range; one sample also with peak and measured."""
    rows = leading(panel)
    figure, axes = _multiples(rows.assign(value=rows.value.where(rows.value > 0)), "analyte")
    for analyte, axis in axes.items():
        level = rows[rows.analyte == analyte]
        axis.set(title=f"{display(analyte)}, {level.unit.iloc[0]}", yscale="log")
        if level.value.max() > 100 * level.value[level.value > 0].min():
            axis.minorticks_off()
            axis.set_ylim(bottom=max(axis.get_ylim()[0], level.value.max() / SPAN))
        if healthy and (usual := _healthy_range(analyte)):
            axis.axhspan(*usual, color=HEALTHY, linewidth=0, zorder=0, label="healthy range")
        if level["sample"].nunique() == 1:
            _mark_peak(axis, level.set_index("time_h").value)
        known = data[(data.analyte == analyte) & (data.time_h <= level.time_h.max())]
        if len(known):
            middle = known["median"]
            bars = middle - known.lower, known.upper - middle
            axis.errorbar(known.time_h, middle, bars, fmt="o", c=INK, mfc="white", label="measured")
    return figure


def _healthy_range(analyte: str) -> list[float]:
    molecule, form = catalogue().molecules[analyte], catalogue().active_form(analyte)
    number = molecule.healthy_plasma
    if not number.low or not number.high:
        return []
    factor = express(quantity(f"1 {number.unit}", "concentration", form), molecule.panel_unit, form)
    return [number.low * factor, number.high * factor]


def _mark_peak(axis: Axes, level: Any) -> None:
    hour, end_h = level.idxmax(), level.index[-1]
    if 0 < hour < end_h:
        axis.plot(hour, level.max(), "o", c=INK, ms=3)
        text = f"{plain(level.max())} at {hour:.1f} h"
        side = "left" if hour < end_h / 2 else "right"
        axis.text(hour, 1, text, transform=axis.get_xaxis_transform(), ha=side, va="top")


def counts(findings: Findings) -> Figure:
    """Everything whose number changes; bacteria on a log axis."""
    table = populations(findings.run)
    bacteria = table.unit == "bacteria"
    drawn = table.value.where(~bacteria | (table.value > 0))
    figure, axes = _multiples(table.assign(value=drawn), "cell")
    for cell, axis in axes.items():
        level = table.value[table.cell == cell]
        axis.set(title=f"{findings.short(cell)} (number)", ylim=(0, 1.15 * level.max()))
        axis.yaxis.set_major_locator(MaxNLocator(5, integer=True))
        if bacteria[table.cell == cell].all():
            least = level[level >= LEAST_COUNT].min()
            axis.set(yscale="log", ylim=(least / 2, 2 * level.max()))
    return figure


def within(findings: Findings) -> Figure:
    """What was read inside cells and moves, in the order in which the model asks for it."""
    reads = findings.run.reads()
    reads = reads[(reads.species != "count") & reads.cell.isin(findings.model.cells)]
    names = reads.species + " in " + reads.cell
    span = reads.assign(of=names).groupby("of", sort=False).value.agg(["min", "max"])
    moved = span[span["max"] > READ_MOVED * span["min"]].index[:MOST_READ]
    figure, axes = _multiples(reads.assign(of=names)[names.isin(moved)], "of")
    for name, axis in axes.items():
        unit = reads.unit[names == name].iloc[0]
        axis.set(title=name if unit == "fraction" else f"{name}, {unit}")
        axis.yaxis.set_major_locator(MaxNLocator(4))
    return figure


def sides(panel: pd.DataFrame) -> Figure:
    """The pro- and the anti-inflammatory side and the balance between them."""
    titles = {"pro": "pro-inflammatory", "anti": "anti-inflammatory", "balance": "pro less anti"}
    table = balance(panel).melt(["sample", "time_h"], [*titles], "side").dropna()
    figure, axes = _multiples(table, "side")
    for side, axis in axes.items():
        axis.set_title(titles[side])
    return figure


def rise(findings: Findings) -> Figure:
    """When each thing passes half of its rise, earliest on top."""
    order = order_of_rise([findings.panel, findings.run.reads()], findings.first)
    figure = Figure((WIDTH, 0.7 + 0.21 * len(order)), layout="constrained")
    if len(order):
        axis = figure.add_subplot(xscale="log", xlabel="hours until half of the rise is passed")
        inside = order.inner.map({True: "white", False: INK})
        axis.scatter(order.half_rise_h, order.index, 28, inside, edgecolors=INK, linewidths=1)
        for y, hour in enumerate(order.half_rise_h):
            axis.annotate(
                f"{float(f'{hour:.2g}'):g} h", (hour, y), (7, -3), textcoords="offset points"
            )
        names = order.name.str.removeprefix("count in ").map(findings.short).map(display)
        axis.set_yticks(order.index, names)
        axis.margins(0.08, 0.04)
        axis.invert_yaxis()
    return figure


def fate(findings: Findings) -> Figure:
    """Shares of what came in, by where it came from and by where it went."""
    shown = {*findings.model.cytokines, *moving(findings.panel).analyte}
    rows = findings.run.ledger().query("sample == @findings.first and process != 'error'")
    rows = rows[rows.molecule.isin(shown) & (rows.share >= DRAWN)]
    came = rows.process.str.match("made|given|at start")
    part = rows.process.str.replace("^(made by|taken up by|lost inside) ", "", regex=True)
    rows = rows.assign(part=part, molecule=rows.molecule.map(display), percent=100 * rows.share)
    cells = [name for name in dict.fromkeys([*findings.model.cells, *part]) if name not in STOCKS]
    colours = dict(zip(cells, cycle(HUES + DEEP), strict=False)) | STOCKS
    figure = Figure((WIDTH, 1.5 + 0.25 * len(shown)), layout="constrained")
    if rows.empty:
        return figure
    left_axis, right_axis = figure.subplots(1, 2, sharey=True)
    for axis, side, title in ((left_axis, came, "came from"), (right_axis, ~came, "went")):
        table = rows[side].pivot_table("percent", "molecule", "part", "sum", 0, sort=False)
        left = np.zeros(len(table))
        for name, colour in colours.items():
            if name in table:
                bars = axis.barh(table.index, table[name], 0.72, left, color=colour, label=name)
                texts = [f"{share:.0f}" if share >= 7 else "" for share in table[name]]
                axis.bar_label(bars, texts, label_type="center", fontsize=7.5)
                left += table[name]
        axis.set(title=title, xlabel="share (%)", xlim=(0, 100.5))
        axis.margins(y=0.03)
    left_axis.invert_yaxis()
    return figure


def _multiples(table: pd.DataFrame, key: str) -> tuple[Figure, dict[str, Axes]]:
    down = math.ceil(table[key].nunique() / 3)
    figure = Figure((WIDTH, 0.6 + 1.75 * down), layout="constrained")
    axes: dict[str, Axes] = {}
    for k, (name, rows) in enumerate(table.groupby(key, sort=False), 1):
        end = rows.time_h.max()
        ticks = np.linspace(0, end, 5)
        axis = figure.add_subplot(down, 3, k, xlabel="hours", xticks=ticks)
        for sample, line in rows.groupby("sample", sort=False):
            axis.plot(line.time_h, line.value, label=sample)
        axis.set_xlim(-0.015 * end, 1.015 * end)
        axes[name] = axis
    return figure, axes


def add_legend(figure: Figure) -> None:
    """One legend for all axes, in as many columns as its longest name allows."""
    keys: dict[str, Any] = {}
    for axis in figure.axes:
        handles, labels = axis.get_legend_handles_labels()
        keys |= dict(zip(labels, handles, strict=True))
    if keys:
        wide = 14 * figure.get_figwidth() / (6 + max(map(len, keys)))
        columns = min(6, max(1, int(wide)))
        figure.legend(keys.values(), keys, loc="outside upper left", ncols=columns)


def lay_out(figure: Figure) -> None:
    """Place everything, and so spare `savefig` from drawing all of it once more to do so."""
    engine = figure.get_layout_engine()
    assert engine is not None
    engine.execute(figure)
    figure.set_layout_engine("none")
