"""The pictures of a report: one cytokine, one colour; hours along; levels on log axes."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import LogLocator, MultipleLocator, NullLocator
from numpy.typing import ArrayLike

from polycrine.readouts.balance import balance
from polycrine.readouts.timing import order_of_rise
from polycrine.report.findings import (
    SOURCES,
    Findings,
    Floats,
    detection,
    display,
    healthy_range,
    micro,
    plain,
)

INK, PALE, OTHER = "#333333", "#DDDDDD", "#8A8A8A"
CYTOKINES = {
    "TNF": "#D55E00", "IL1B": "#B4518F", "IL1RN": "#56A8DC", "IL6": "#0067A5",
    "CXCL8": "#D99000", "IL10": "#009E73", "CRP": "#222222", "cortisol": "#6E6E6E",
}  # fmt: skip
CELLS = ("#D55E00", "#D99000", "#8C564B", "#0067A5", "#009E73", "#B4518F", "#56A8DC", "#6B6BB5")
STOCKS = {"made by the rest of the body": "#A9A9A9", "given": "#222222", "at start": PALE,
          "cleared from plasma": "#77808C", "left": PALE}  # fmt: skip
ARMS: tuple[tuple[str, Any], ...] = (
    ("#007A5A", "-"), ("#2E8FCC", (0, (6, 2))), ("#00467A", (0, (1, 1.2))),
    ("#D55E00", (0, (4, 1.5, 1, 1.5))), ("#A03C7D", (0, (2.5, 1.2))), ("#B87B00", "-"),
)  # fmt: skip
HEALTHY = Patch(color="#E4EEE4", label="healthy range")
CLOCK = {"5 min": 1 / 12, "10 min": 1 / 6, "20 min": 1 / 3, "40 min": 2 / 3, "1 h": 1, "2 h": 2,
         "4 h": 4, "8 h": 8, "16 h": 16, "32 h": 32, "64 h": 64}  # fmt: skip
HOURS = (0.25, 0.5, 1, 2, 3, 6, 12, 24, 48, 96, 168)
WIDTH = 9.6


def draw_figures(findings: Findings, folder: Path) -> dict[str, Path]:
    """Draw every picture that this run has something for; name -> file."""
    folder.mkdir(exist_ok=True)
    files = {}
    with rc_context(fname=Path(__file__).with_name("figures.mplstyle")):
        for draw in (panel, arms, rise, sides, fate):
            figure = draw(findings)
            if figure is not None:
                files[draw.__name__] = folder / f"{draw.__name__}.svg"
                figure.savefig(files[draw.__name__], metadata={"Date": None, "Creator": None})
    return files


def panel(findings: Findings) -> Figure | None:
    """Each analyte that moved, measured medians and quartiles over it, the healthy range behind."""
    hours = findings.window_h([findings.first])
    analytes = findings.moved([findings.first], hours)
    if not analytes:
        return None
    figure, axes = _multiples(len(analytes))
    for axis, analyte in zip(axes, analytes, strict=True):
        colour = CYTOKINES.get(analyte, OTHER)
        time, level = findings.curve(findings.first, analyte)
        axis.plot(time, _above_zero(level), color=colour, linewidth=2)
        points = findings.compared_until(hours, analyte)
        if len(points):
            spread = [points["median"] - points.lower, points.upper - points["median"]]
            axis.errorbar(points.hour, points["median"], spread, fmt="o", color=INK, zorder=3,
                          markersize=4, markerfacecolor="white", elinewidth=1,
                          clip_on=False)  # fmt: skip
        _log_frame(axis, findings, analyte, hours, [findings.first])
        _mark_peak(axis, time[time <= hours], level[time <= hours], points.upper, colour)
    keys = [Line2D([], [], color=OTHER, linewidth=2, label=f"run ({findings.first})"),
            Line2D([], [], color=INK, marker="o", markerfacecolor="white", markersize=4,
                   linewidth=1, label="measured, with its spread"), HEALTHY]  # fmt: skip
    figure.legend(handles=keys if len(findings.compared) else [keys[0], HEALTHY],
                  loc="outside upper left", ncols=3)  # fmt: skip
    return figure


def arms(findings: Findings) -> Figure | None:
    """The key analytes, with every arm in each picture."""
    samples = findings.run.samples
    hours = findings.window_h(samples)
    analytes = findings.moved(samples, hours)[:12]
    if len(samples) < 2 or not analytes:
        return None
    figure, axes = _multiples(len(analytes))
    for axis, analyte in zip(axes, analytes, strict=True):
        for k, sample in enumerate(samples):
            time, level = findings.curve(sample, analyte)
            axis.add_line(_arm_line(k, sample, time, _above_zero(level)))
        _log_frame(axis, findings, analyte, hours, samples)
    keys = [_arm_line(k, sample, [], []) for k, sample in enumerate(samples)]
    figure.legend(handles=[*keys, HEALTHY], loc="outside upper left", ncols=4)
    return figure


def rise(findings: Findings) -> Figure | None:
    """When each thing passes half of its rise, earliest on top."""
    tables = [table for table in (findings.panel, findings.run.reads()) if len(table)]
    order = order_of_rise(tables, findings.first)
    if order.empty:
        return None
    figure = Figure((WIDTH, 0.6 + 0.22 * len(order)), layout="constrained")
    axis = figure.add_subplot()
    low, high = 0.7 * min(order.half_rise_h), 1.5 * max(order.half_rise_h)
    for y, name, hour, inner in zip(order.index, order.name, order.half_rise_h, order.inner,
                                    strict=True):  # fmt: skip
        colour = INK if inner else CYTOKINES.get(name, OTHER)
        axis.plot([low, hour], [y, y], color="#D0D0D0", linewidth=0.8, zorder=1)
        axis.plot([hour], [y], "o", color=colour, markerfacecolor="white" if inner else colour)
        clock = f"{60 * hour:.0f} min" if hour < 1 else f"{hour:.1f} h"
        axis.annotate(clock, (hour, y), (7, 0), textcoords="offset points", va="center")
    axis.set(xscale="log", ylim=(len(order) - 0.4, -0.6), yticks=order.index,
             yticklabels=[display(name) for name in order.name],
             xlabel="half of the rise is passed at")  # fmt: skip
    axis.set_xticks(list(CLOCK.values()), list(CLOCK))
    axis.xaxis.set_minor_locator(NullLocator())
    axis.set_xlim(low, high)
    _bare_rows(axis)
    axis.legend(handles=[
        Line2D([], [], marker="o", linestyle="", color=OTHER, label=f"level in {findings.place}"),
        Line2D([], [], marker="o", linestyle="", color=INK, markerfacecolor="white",
               label="in a cell"),
    ], loc="upper right")  # fmt: skip
    return figure


def sides(findings: Findings) -> Figure | None:
    """Pro and anti in the first sample and the balance between them; the balance of every arm."""
    table = balance(findings.panel) if findings.both_sides else pd.DataFrame()
    if table.empty:
        return None
    samples = findings.run.samples
    figure = Figure((WIDTH, 3.1), layout="constrained")
    axes = figure.subplots(1, min(2, len(samples)), squeeze=False)[0]
    rows = {sample: table[table["sample"] == sample] for sample in samples}
    first = rows[findings.first]
    axes[0].plot(first.time_h, first.pro, color="#D55E00", label="pro-inflammatory")
    axes[0].plot(first.time_h, first.anti, color="#0067A5", label="anti-inflammatory")
    axes[0].fill_between(first.time_h, 0, first.balance.astype(float), color=PALE, label="balance")
    axes[0].set_ylabel(f"log2 of level over start, {findings.first}")
    for k, sample in enumerate(samples if len(samples) > 1 else []):
        axes[1].add_line(_arm_line(k, sample, rows[sample].time_h, rows[sample].balance))
        axes[1].autoscale_view()
        axes[1].set_ylabel("balance in every arm (log2)")
    for axis in axes:
        axis.axhline(0, color=OTHER, linewidth=0.6)
        axis.legend(loc="lower left", bbox_to_anchor=(-0.02, 1), ncols=3, fontsize=7.5,
                    columnspacing=1.2)  # fmt: skip
        _hours(axis, findings.window_h(samples))
    return figure


def fate(findings: Findings) -> Figure | None:
    """Shares of what came in, by where it came from and by where it went."""
    ledger, cells = findings.run.ledger(), list(findings.model.cells)
    shares = ledger[(ledger["sample"] == findings.first) & (ledger.process != "error")]
    kept = {*findings.model.cytokines, *findings.moved([findings.first], findings.end_h)}
    names = [name for name in findings.model.molecules if name in kept]
    shares = shares[shares.molecule.isin(names) & (shares.share > 0)]
    if shares.empty:
        return None
    figure = Figure((WIDTH, 1.5 + 0.27 * len(names)), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    came = shares.process.str.startswith(SOURCES)
    for axis, rows, title in zip(axes, (shares[came], shares[~came]), ("came from", "went"),
                                 strict=True):  # fmt: skip
        for y, name in enumerate(names):
            _stack(axis, y, rows[rows.molecule == name], cells)
        axis.set(title=title, xlim=(0, 100), ylim=(len(names) - 0.5, -0.5), xlabel="share (%)")
        axis.set_yticks(range(len(names)), [display(name) for name in names])
        axis.grid(visible=False)
        _bare_rows(axis)
    figure.legend(handles=_fate_keys(set(shares.process[shares.share > 0.005]), cells), ncols=5,
                  loc="outside lower left", handlelength=1.2)  # fmt: skip
    return figure


def _arm_line(k: int, sample: str, time: ArrayLike, level: ArrayLike) -> Line2D:
    if k == 0:
        return Line2D(time, level, color="#B5B5B5", linewidth=4, label=sample)
    colour, dash = ARMS[(k - 1) % len(ARMS)]
    return Line2D(time, level, color=colour, linestyle=dash, label=sample)


def _multiples(count: int) -> tuple[Figure, list[Axes]]:
    columns = 3 if count in (3, 5, 6, 9) else min(4, count)
    rows = math.ceil(count / columns)
    figure = Figure((WIDTH, 0.7 + 1.75 * rows), layout="constrained")
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axis in axes[count:]:
        axis.remove()
    return figure, axes[:count]


def _above_zero(level: Floats) -> Floats:
    return np.where(level > 0, level, np.nan)


def _log_frame(
    axis: Axes, findings: Findings, analyte: str, hours: float, samples: list[str]
) -> None:
    healthy = healthy_range(analyte)
    if healthy:
        axis.axhspan(*healthy, color=HEALTHY.get_facecolor(), linewidth=0, zorder=0)
    levels = [level[time <= hours] for time, level in (findings.curve(s, analyte) for s in samples)]
    points = findings.compared_until(hours, analyte)
    values = np.concatenate([*levels, points.lower, points.upper, healthy or ()]).astype(float)
    values = values[values >= (detection(analyte) / 3 or values.max() * 1e-6)]
    low, high = values.min() / 1.4, values.max() * 2.6
    unit = findings.panel[findings.panel.analyte == analyte].unit.iloc[0]
    axis.set(yscale="log", ylim=(low, high), title=f"{display(analyte)}, {micro(unit)}")
    subs = (1.0, 2.0, 5.0) if high / low < 80 else (1.0,)
    axis.yaxis.set_major_locator(LogLocator(10, subs=subs, numticks=8))
    axis.yaxis.set_major_formatter(_tick_text)
    axis.yaxis.set_minor_locator(NullLocator())
    _hours(axis, hours)


def _tick_text(level: float, _: float) -> str:
    exponent = str(round(math.log10(level))).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"10{exponent}" if level >= 1e5 else f"{level:,.10g}"


def _hours(axis: Axes, hours: float) -> None:
    step = next((step for step in HOURS if hours / step <= 4.01), hours / 4)
    axis.set_xlim(0, hours)
    axis.xaxis.set_major_locator(MultipleLocator(step))
    axis.set_xlabel("hours")


def _mark_peak(axis: Axes, time: Floats, level: Floats, over: pd.Series, colour: str) -> None:
    k = int(np.argmax(level))
    if 0 < k < len(level) - 1:
        late = bool(time[k] > 0.55 * time[-1])
        axis.plot([time[k]], [level[k]], "o", markersize=3, color=colour, zorder=4)
        axis.annotate(f"{plain(level[k])} at {time[k]:.1f} h", (time[k], max([level[k], *over])),
                      (-2 if late else 4, 5), textcoords="offset points", color=colour,
                      ha="right" if late else "left", fontsize=8)  # fmt: skip


def _bare_rows(axis: Axes) -> None:
    axis.grid(visible=False, axis="y")
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)


def _fill(process: str, cells: list[str]) -> tuple[int, str]:
    """Rank and colour of a process: a cell type keeps its colour whether it gives or takes."""
    for k, cell in enumerate(cells):
        if process.endswith(f" {cell}"):
            return k, CELLS[k % len(CELLS)]
    rank = list(STOCKS).index(process) if process in STOCKS else len(STOCKS)
    return len(cells) + rank, STOCKS.get(process, OTHER)


def _stack(axis: Axes, y: int, rows: pd.DataFrame, cells: list[str]) -> None:
    left = 0.0
    parts = sorted((*_fill(row.process, cells), row.process, 100 * row.share)
                   for row in rows.itertuples())  # fmt: skip
    for _, colour, process, share in parts:
        hatched = process.startswith("lost inside")
        axis.barh(y, share, left=left, height=0.72, color=colour, edgecolor="white",
                  linewidth=0.6, hatch="////" if hatched else None)  # fmt: skip
        if share >= 8:
            ink = INK if hatched or colour in (PALE, "#A9A9A9") else "white"
            box = {"facecolor": "white", "linewidth": 0, "pad": 0.8} if hatched else None
            axis.text(left + share / 2, y, f"{share:.0f}", ha="center", va="center", color=ink,
                      fontsize=7.5, bbox=box)  # fmt: skip
        left += share


def _fate_keys(processes: set[str], cells: list[str]) -> list[Patch]:
    keys = [Patch(color=CELLS[k % len(CELLS)], label=cell) for k, cell in enumerate(cells)
            if any(process.endswith(f" {cell}") for process in processes)]  # fmt: skip
    if any(process.startswith("lost inside") for process in processes):
        keys.append(Patch(facecolor="#AAAAAA", edgecolor="white", hatch="////",
                          label="lost inside the cell"))  # fmt: skip
    names = {"at start": "at start, left at the end", "left": "at start, left at the end"}
    stocks = {names.get(name, name.removeprefix("made by ")): colour
              for name, colour in STOCKS.items() if name in processes}  # fmt: skip
    return [*keys, *(Patch(color=colour, label=label) for label, colour in stocks.items())]
