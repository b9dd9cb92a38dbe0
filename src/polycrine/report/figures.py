"""The pictures of a report: hours along, levels on log axes, the same colour for the same thing."""

import math
from collections.abc import Iterable
from itertools import cycle
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MultipleLocator, NullLocator

from polycrine.readouts.balance import balance
from polycrine.readouts.timing import order_of_rise
from polycrine.report.findings import Findings, display, healthy_range, plain

INK, OTHER, PALE, HEALTHY, LOST = "#333333", "#8A8A8A", "#DDDDDD", "#E4EEE4", "#E3B58F"
PALETTE = ("#D55E00", "#B4518F", "#56A8DC", "#0067A5", "#D99000", "#009E73", "#8C564B", "#6B6BB5")
STOCKS = ("the rest of the body", "given", "cleared from plasma", "at start", "left")
GREYS = ("#A9A9A9", INK, "#77808C", PALE, PALE)
WIDTH = 9.6


def draw_figures(findings: Findings, folder: Path) -> dict[str, Path | None]:
    """Draw every picture; name -> file, or None where there is nothing to draw."""
    folder.mkdir(exist_ok=True)
    files: dict[str, Path | None] = {}
    with rc_context(fname=Path(__file__).with_name("figures.mplstyle")):
        pictures = {
            "panel": levels(findings, [findings.first], min(12.0, findings.end_h)),
            "arms": levels(findings, findings.run.samples, findings.end_h),
            "rise": rise(findings),
            "balance": sides(findings),
            "fate": fate(findings),
        }
        for name, figure in pictures.items():
            files[name] = None
            if figure is not None:
                files[name] = path = folder / f"{name}.svg"
                figure.savefig(path, metadata={"Date": None, "Creator": None})
    return files


def levels(findings: Findings, samples: list[str], hours: float) -> Figure | None:
    """Each analyte that moves, over the healthy range; one sample also beside measured levels."""
    analytes = findings.moved(samples, hours)
    if not analytes:
        return None
    panel = findings.panel[findings.panel.time_h <= hours]
    across = 3 if len(analytes) in (3, 5, 6, 9) else min(4, len(analytes))
    down = math.ceil(len(analytes) / across)
    figure = Figure((WIDTH, 0.7 + 1.75 * down), layout="constrained")
    for k, analyte in enumerate(analytes):
        axis = figure.add_subplot(down, across, k + 1)
        for sample in samples:
            rows = panel.query("analyte == @analyte and sample == @sample")
            axis.plot(rows.time_h, rows.value.where(rows.value > 0), label=sample)
        healthy = healthy_range(analyte)
        if healthy:
            axis.axhspan(*healthy, color=HEALTHY, linewidth=0, zorder=0, label="healthy range")
        if len(samples) == 1:
            _describe(axis, findings, analyte, rows)
        axis.set_title(f"{display(analyte)}, {rows.unit.iloc[0]}")
        axis.set_yscale("log")
        _log_ticks(axis.yaxis)
        _hours(axis)
    _legend(figure, "outside upper left")
    return figure


def _describe(axis: Axes, findings: Findings, analyte: str, rows: pd.DataFrame) -> None:
    """The peak of the only line in its own colour, and what was measured."""
    colour = _colours(findings.model.cytokines).get(analyte, OTHER)
    axis.lines[0].set(color=colour, linewidth=2)
    hour, level = rows.loc[rows.value.idxmax(), ["time_h", "value"]]
    end_h, data = rows.time_h.iloc[-1], findings.measured
    if 0 < hour < end_h:
        axis.plot(hour, level, "o", markersize=3, color=colour)
        text, side = f"{plain(level)} at {hour:.1f} h", "left" if hour < 0.6 * end_h else "right"
        top = axis.get_xaxis_transform()
        axis.text(hour, 1, text, transform=top, color=colour, fontsize=8, ha=side, va="top")
    data = data[(data.analyte == analyte) & (data.hour <= end_h)]
    if len(data):
        middle, bars = data["median"], (data["median"] - data.lower, data.upper - data["median"])
        axis.errorbar(data.hour, middle, bars, fmt="o", color=INK, mfc="white", label="measured")


def rise(findings: Findings) -> Figure | None:
    """When each thing passes half of its rise, earliest on top."""
    order = order_of_rise([findings.panel, findings.run.reads()], findings.first)
    if order.empty:
        return None
    figure = Figure((WIDTH, 0.9 + 0.22 * len(order)), layout="constrained")
    axis = figure.add_subplot(xscale="log", xlabel="hours until half of the rise is passed")
    low, high = 0.7 * order.half_rise_h.min(), 1.5 * order.half_rise_h.max()
    axis.hlines(order.index, low, order.half_rise_h, PALE, linewidth=0.8, zorder=1)
    colours = _colours(findings.model.cytokines)
    for inner, rows in order.groupby("inner"):
        label = "in a cell" if inner else f"level in {findings.place}"
        colour = [colours.get(name, OTHER) for name in rows.name]
        face = "white" if inner else colour
        axis.scatter(rows.half_rise_h, rows.index, 36, face, edgecolors=colour, label=label)
    for y, hour in enumerate(order.half_rise_h):
        text = f"{60 * hour:.0f} min" if hour < 1 else f"{hour:.3g} h"
        axis.annotate(text, (hour, y), (7, -3), textcoords="offset points")
    axis.set(xlim=(low, high), ylim=(len(order) - 0.4, -0.6))
    axis.set_yticks(order.index, order.name.map(display))
    _log_ticks(axis.xaxis)
    _as_rows(axis)
    _legend(figure, "outside upper left")
    return figure


def sides(findings: Findings) -> Figure | None:
    """Pro and anti in the first sample and the balance between them; the balance of every arm."""
    table = pd.DataFrame() if findings.panel.empty else balance(findings.panel).dropna()
    if table.empty:
        return None
    figure = Figure((WIDTH, 3.1), layout="constrained")
    left, right = figure.subplots(1, 2)
    first = table[table["sample"] == findings.first]
    for side, colour in (("pro", PALETTE[0]), ("anti", PALETTE[3])):
        left.plot(first.time_h, first[side], "-", c=colour, lw=2, label=f"{side}-inflammatory")
    for sample, rows in table.groupby("sample", sort=False):
        right.plot(rows.time_h, rows.balance, label=sample)
    left.set_ylabel(f"log2 of level over start, {findings.first}")
    right.set_ylabel("balance: pro less anti")
    for axis in (left, right):
        axis.axhline(0, color=OTHER, linewidth=0.6)
        axis.legend(loc="upper right")
        _hours(axis)
    return figure


def fate(findings: Findings) -> Figure | None:
    """Shares of what came in, by where it came from and by where it went."""
    kept = {*findings.model.cytokines, *findings.moved([findings.first], findings.end_h)}
    names = [name for name in findings.model.molecules if name in kept]
    rows = findings.run.ledger().query("sample == @findings.first and process != 'error'")
    rows = rows[rows.molecule.isin(names)]
    came = rows.process.str.match("made|given|at start")
    part = rows.process.str.replace("^(made|taken up) by ", "", regex=True)
    rows = rows.assign(part=part, share=100 * rows.share)
    figure = Figure((WIDTH, 1.5 + 0.27 * len(names)), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    colours = {**_colours(findings.model.cells), **dict(zip(STOCKS, GREYS, strict=True))}
    for axis, side, title in ((axes[0], came, "came from"), (axes[1], ~came, "went")):
        shares = rows[side].pivot_table("share", "molecule", "part", "sum", fill_value=0)
        _stacked(axis, shares.reindex(names[::-1]).rename(display), colours)
        axis.set(title=title, xlabel="share (%)")
    _legend(figure, "outside lower left")
    return figure


def _stacked(axis: Axes, table: pd.DataFrame, colours: dict[str, str]) -> None:
    """One bar per row of the table, one part per column, with the number where it fits."""
    left, whole = 0.0 * table.iloc[:, 0], table.sum(axis=1).max()
    for part in dict.fromkeys([*colours, *table]):
        if part in table and table[part].any():
            colour = colours.get(part, LOST)
            bars = axis.barh(table.index, table[part], 0.72, left, color=colour, label=part)
            texts = [f"{value:.0f}" if value >= 0.07 * whole else "" for value in table[part]]
            ink = INK if sum(to_rgb(colour)) > 1.8 else "white"
            axis.bar_label(bars, texts, label_type="center", color=ink, fontsize=7.5)
            left += table[part]
    _as_rows(axis)


def _hours(axis: Axes) -> None:
    axis.xaxis.set_major_locator(MultipleLocator(axis.dataLim.x1 / 4))
    axis.set_xlabel("hours")


def _log_ticks(ticks: Any) -> None:
    low, high = ticks.get_view_interval()
    subs = (1.0, 2.0, 5.0) if high / low < 300 else (1.0,)
    ticks.set(major_locator=LogLocator(10, subs, numticks=8), minor_locator=NullLocator())
    ticks.set_major_formatter(lambda value, _: plain(value))


def _as_rows(axis: Axes) -> None:
    axis.grid(visible=False, axis="y")
    axis.spines["left"].set_visible(False)


def _legend(figure: Figure, place: Any) -> None:
    """One legend for the figure: each label once."""
    keys: dict[str, Any] = {}
    for axis in figure.axes:
        handles, labels = axis.get_legend_handles_labels()
        keys |= dict(zip(labels, handles, strict=True))
    figure.legend(keys.values(), keys, loc=place, ncols=5)


def _colours(names: Iterable[str]) -> dict[str, str]:
    return dict(zip(names, cycle(PALETTE), strict=False))
