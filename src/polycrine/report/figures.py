"""The pictures of a report; their look is in `figures.mplstyle`."""

import math
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from polycrine.catalogue.library import catalogue
from polycrine.readouts.balance import balance
from polycrine.readouts.timing import order_of_rise
from polycrine.report.findings import Findings, display, moving, plain
from polycrine.units import express, quantity

INK, HEALTHY, WIDTH, DRAWN = "#333333", "#E4EEE4", 9.6, 0.001
STOCKS = ("left", "at start", "cleared from plasma", "given", "the rest of the body")
GREYS = ("#ECECEC", "#E0E0E0", "#B9C0C8", "#8F98A3", "#CFCFCF")
HUES = ("#E8935A", "#6FA8DC", "#7DBE93", "#D08BB8", "#E3BC55", "#A493D6", "#C09A7B", "#62BDB9")


def draw_figures(findings: Findings, folder: Path) -> dict[str, Path]:
    """Draw every picture that has something to show: name -> file."""
    folder.mkdir(exist_ok=True)
    first, start = findings.panel["sample"] == findings.first, findings.panel.time_h <= 12
    with rc_context(fname=Path(__file__).with_name("figures.mplstyle")):
        pictures = {
            "panel": levels(findings.panel[first & start], findings.measured),
            "arms": levels(findings.panel, findings.measured.head(0)),
            "rise": rise(findings),
            "balance": sides(findings.panel),
            "fate": fate(findings),
        }
        files = {name: folder / f"{name}.svg" for name in pictures if pictures[name].axes}
        for name, file in files.items():
            _legend(pictures[name])
            pictures[name].savefig(file, metadata={"Date": None})
    return files


def levels(panel: pd.DataFrame, data: pd.DataFrame) -> Figure:
    """What moves in a panel over its healthy range; one sample also with peak and measured."""
    rows = moving(panel)
    figure, axes = _multiples(rows.assign(value=rows.value.where(rows.value > 0)), "analyte")
    for analyte, axis in axes.items():
        level = rows[rows.analyte == analyte]
        axis.set(title=f"{display(analyte)}, {level.unit.iloc[0]}", yscale="log")
        if healthy := _healthy_range(analyte):
            axis.axhspan(*healthy, color=HEALTHY, linewidth=0, zorder=0, label="healthy range")
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
            axis.annotate(f"{hour:.2g} h", (hour, y), (7, -3), textcoords="offset points")
        axis.set_yticks(order.index, order.name.map(display))
        axis.margins(0.08, 0.04)
        axis.invert_yaxis()
    return figure


def fate(findings: Findings) -> Figure:
    """Shares of what came in, by where it came from and by where it went."""
    shown = {*findings.model.cytokines, *moving(findings.panel).analyte}
    rows = findings.run.ledger().query("sample == @findings.first and process != 'error'")
    rows = rows[rows.molecule.isin(shown) & (rows.share >= DRAWN)]
    came = rows.process.str.match("made|given|at start")
    part = rows.process.str.replace("^(made|taken up) by ", "", regex=True)
    rows = rows.assign(part=part, molecule=rows.molecule.map(display), percent=100 * rows.share)
    parts = dict.fromkeys([*STOCKS, *findings.model.cells, *part])
    colours = list(zip(parts, cycle(GREYS + HUES), strict=False))
    figure = Figure((WIDTH, 1.5 + 0.25 * len(shown)), layout="constrained")
    if rows.empty:
        return figure
    left_axis, right_axis = figure.subplots(1, 2, sharey=True)
    for axis, side, title in ((left_axis, came, "came from"), (right_axis, ~came, "went")):
        table = rows[side].pivot_table("percent", "molecule", "part", "sum", 0, sort=False)
        left = np.zeros(len(table))
        for name, colour in reversed(colours):
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
        ticks = np.linspace(0, rows.time_h.max(), 5)
        axis = figure.add_subplot(down, 3, k, xlabel="hours", xticks=ticks)
        for sample, line in rows.groupby("sample", sort=False):
            axis.plot(line.time_h, line.value, label=sample)
        axes[name] = axis
    return figure, axes


def _legend(figure: Figure) -> None:
    keys: dict[str, Any] = {}
    for axis in figure.axes:
        handles, labels = axis.get_legend_handles_labels()
        keys |= dict(zip(labels, handles, strict=True))
    if keys:
        figure.legend(keys.values(), keys, loc="outside upper left", ncols=5)
