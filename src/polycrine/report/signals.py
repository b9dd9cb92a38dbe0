"""Who signals to whom in a tissue: the share of each way, a graph of it, and how far it reaches."""

import math

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, Rectangle

from polycrine.report.figures import INK, WIDTH
from polycrine.report.findings import Findings, display, moving

MAIN, NAMED = ("TNF", "IL1B", "IL6", "CXCL8", "IL10", "IFNG"), 0.01
START, BLOOD, LOST = "at start", "blood", "lost in tissue"
LINES = ("#00467A", "#D55E00", "#007A5A", "#C77C11", "#A03C7D", "#555555")
Spot = tuple[float, float]


def routes(findings: Findings) -> pd.DataFrame:
    """Of each main cytokine that moves in the tissue, and of ligands on cells that touch, who took
    up whose share by the end.

    What the blood brought and took along again is left out.
    """
    rows = findings.run.tables.get("routes", pd.DataFrame(columns=["sample", "molecule"]))
    moved = {*moving(findings.inside()).analyte} & {*MAIN}
    touch = rows.get("route", pd.Series("", index=rows.index)) == "juxtacrine"
    rows = rows[(rows["sample"] == findings.first) & (rows.molecule.isin(moved) | touch)]
    if rows.empty:
        return rows
    named = rows.molecule.map(display) + " by touch"
    rows = rows.assign(molecule=rows.molecule.where(~touch[rows.index], named))
    passed_by = (rows.sender == BLOOD) & (rows.receiver == BLOOD)
    rows = rows[(rows.time_h == rows.time_h.max()) & ~passed_by]
    share = rows.pmol / rows.groupby("molecule").pmol.transform("sum")
    names = {side: rows[side].map(findings.short) for side in ("sender", "receiver")}
    return rows.assign(share=share, **names)


def niches(findings: Findings) -> pd.DataFrame:
    """Where what each kind of cell sends acts: on itself, on other cells, beyond the blood."""
    rows, senders = routes(findings), findings.run.tables.get("senders", pd.DataFrame())
    if rows.empty or senders.empty:
        return pd.DataFrame()
    by = ["molecule", "sender"]
    ends = rows.receiver.where(rows.receiver.isin([BLOOD, LOST]), "cells")
    table = rows.assign(end=ends).pivot_table("pmol", by, "end", "sum", 0.0, sort=False)
    table = table.reindex(columns=["cells", BLOOD, LOST], fill_value=0.0)
    sent = table.sum(axis=1)
    heard = table.cells / table.groupby("molecule").cells.transform("sum")
    table = table.div(sent, axis=0).assign(sent=sent, heard=heard)
    worth = (sent >= NAMED * sent.groupby("molecule").transform("sum")) | (heard >= NAMED)
    table = table[worth].drop(START, level="sender", errors="ignore").reset_index()
    own = senders[senders["sample"] == findings.first]
    table = table.merge(own.assign(sender=own.sender.map(findings.short)), "left", by)
    inner, itself = table.sender != BLOOD, table.same_cell.clip(upper=table.cells)
    return pd.DataFrame(
        {
            "cytokine": table.molecule.map(display),
            "sent by": table.sender,
            "amount (pmol)": table.sent,
            "same cell (%)": 100 * itself,
            "other cells (%)": 100 * (table.cells - itself.fillna(0.0)),
            "into the blood (%)": 100 * table[BLOOD].where(inner),
            "half within (µm)": pd.to_numeric(table.half_radius_um, errors="coerce"),
            "share of what cells took up (%)": 100 * table.heard,
        }
    )


def matrix(findings: Findings) -> Figure:
    """Cytokine and sender against receiver: the share of the cytokine that went this way."""
    figure, rows = Figure(layout="constrained"), routes(findings)
    rows = rows[rows.share >= NAMED] if len(rows) else rows
    if rows.empty:
        return figure
    receivers, rank = _ordered(findings, rows.receiver), _ordered(findings, rows.sender).index
    table = rows.pivot_table("share", ["molecule", "sender"], "receiver", "sum", 0.0, sort=False)
    found = {molecule: k for k, molecule in enumerate(rows.molecule.unique())}
    ways = sorted(table.index, key=lambda way: (found[way[0]], rank(way[1])))
    share = 100 * table.reindex(ways)[receivers].to_numpy()
    y = [k + 0.35 * found[molecule] for k, (molecule, _) in enumerate(ways)]
    figure.set_size_inches(WIDTH, 0.9 + 0.22 * y[-1])
    axis, shade = figure.add_subplot(), PowerNorm(0.5, 0, 120)
    for row, middle in enumerate(y):
        for x, percent in enumerate(share[row]):
            colour = colormaps["Blues"](shade(percent)) if percent else "#F6F6F6"
            axis.add_patch(Rectangle((x - 0.5, middle - 0.5), 1, 1, fc=colour, ec="white", lw=1.2))
            if percent:
                ink = "white" if percent > 40 else INK
                axis.text(x, middle, f"{percent:.0f}", c=ink, ha="center", va="center_baseline")
    for molecule in found:
        first = next(k for k, way in enumerate(ways) if way[0] == molecule)
        left = axis.get_yaxis_transform()
        axis.text(-0.27, y[first], display(molecule), transform=left, va="center_baseline")
    axis.set(xlim=(-0.5, len(receivers) - 0.5), ylim=(y[-1] + 0.5, -0.5))
    axis.set_yticks(y, [sender for _, sender in ways])
    axis.set_xticks(range(len(receivers)), [_lines(name) for name in receivers])
    axis.set_xlabel("taken up by (%)")
    axis.tick_params(length=0)
    axis.grid(visible=False)
    axis.spines[:].set_visible(False)
    return figure


def graph(findings: Findings) -> Figure:
    """Kinds of cells and the blood, joined by arrows as wide as the share that goes this way."""
    figure, rows = Figure(layout="constrained"), routes(findings)
    if rows.empty:
        return figure
    ways = rows[(rows.share >= NAMED) & (rows.sender != START) & (rows.receiver != LOST)]
    nodes = [n for n in _ordered(findings, pd.concat([ways.sender, ways.receiver])) if n != BLOOD]
    turns = np.linspace(1.1, -0.1, len(nodes)) * np.pi
    spot = {node: (math.cos(t), math.sin(t)) for node, t in zip(nodes, turns, strict=True)}
    spot[BLOOD] = (0.0, -1.1)
    colours = dict(zip(ways.molecule.unique(), LINES, strict=False))
    figure.set_size_inches(WIDTH, 2.9)
    for k, axis in enumerate(figure.subplots(1, 3)):
        axis.axis("off")
        if not (pair := [*colours][2 * k : 2 * k + 2]):
            continue
        _nodes(axis, spot, {*ways[ways.molecule.isin(pair)][["sender", "receiver"]].stack()})
        for molecule, bend in zip(pair, (0.1, -0.15), strict=False):
            axis.plot([], [], "-", c=colours[molecule], lw=3, label=display(molecule))
            for way in ways[ways.molecule == molecule].itertuples():
                start, end = spot[way.sender], spot[way.receiver]
                _arrow(axis, start, end, bend, 12 * way.share, colours[molecule])
    return figure


def _ordered(findings: Findings, names: pd.Series) -> list[str]:
    """Kinds of cells as the model lists them, then others, the blood last."""
    known = [findings.short(kind) for kind in findings.model.cells]
    place = {name: k for k, name in enumerate([*known, "", LOST, START, BLOOD])}
    return sorted(names.unique(), key=lambda name: place.get(name, len(known)))


def _nodes(axis: Axes, spot: dict[str, Spot], busy: set[str]) -> None:
    axis.set(aspect="equal", xlim=(-2.0, 2.0), ylim=(-1.5, 1.35))
    for name, (x, y) in spot.items():
        colour = ("#B0413E" if name == BLOOD else INK) if name in busy else "#C4C4C4"
        axis.plot(x, y, "o", c=colour, ms=8, ls="none", zorder=3)
        side = "center" if abs(x) < 0.2 else ("left" if x > 0 else "right")
        level = "center" if abs(y) < 0.8 else ("bottom" if y > 0 else "top")
        axis.text(1.16 * x, 1.12 * y, _lines(name), ha=side, va=level)


def _lines(name: str) -> str:
    return "\n".join(name.rsplit(" ", 1))


def _arrow(axis: Axes, start: Spot, end: Spot, bend: float, width: float, colour: str) -> None:
    """An arrow between two nodes; a ring on a node that signals to its own kind."""
    if start == end:
        radius = 0.12 + abs(bend) / 2
        middle = ((1 - radius) * start[0], (1 - radius) * start[1])
        ring = Circle(middle, radius, fill=False, ec=colour, lw=max(0.8, width), alpha=0.8)
        axis.add_patch(ring)
        return
    width = max(0.8, width)
    head = f"head_width={width + 4},head_length={0.6 * width + 4}"
    style = f"simple,tail_width={width},{head}"
    arrow = FancyArrowPatch(
        start, end, arrowstyle=style, connectionstyle=f"arc3,rad={bend}", shrinkA=5, shrinkB=5,
        mutation_scale=1, fc=colour, lw=0, alpha=0.8,
    )  # fmt: skip
    axis.add_patch(arrow)
