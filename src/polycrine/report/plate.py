"""The page of a plate: its standard curves with samples on them, recoveries, limits, controls."""

import base64
import io
import math
from html import escape
from pathlib import Path
from string import Template

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from polycrine.laboratory.logistic import inverse, log_signal
from polycrine.laboratory.plate import Plate
from polycrine.laboratory.quantify import Results
from polycrine.laboratory.standard_curve import LARGEST_CV, RECOVERY, Curves
from polycrine.report.figures import HEALTHY, INK, WIDTH, add_legend, lay_out
from polycrine.report.findings import display, listed, plain
from polycrine.report.page import HERE, PICTURE

ACROSS, MOST_OPEN = 4, 12
DRAWN = f"""Signals over concentrations on log axes: standards, those that were left out, samples on
the curve (beyond it at its ends), and shaded what can be quantified: standards that recover
{100 * RECOVERY[0]:.0f} to {100 * RECOVERY[1]:.0f} % with a CV up to {100 * LARGEST_CV:.0f} %.
Curves are 4PL, or 5PL where AICc is clearly lower; residuals are of log signals, so that they weigh
by 1/signal²."""


def write_plate_page(results: Results, name: str, path: Path) -> None:
    """Write the page of a file's plates, its pictures inside."""
    with rc_context(fname=HERE / "figures.mplstyle"):
        sections = [_section(results, plate, curves) for plate, curves in results.plates]
    gaps = {
        "style": (HERE / "page.css").read_text("utf-8"),
        "name": escape(name),
        "headline": escape(headline(results.panel)),
        "count": str(len(results.notices)),
        "open": "open" if len(results.notices) <= MOST_OPEN else "",
        "notices": "".join(f"<li>{escape(notice)}</li>" for notice in results.notices),
        "sections": "\n".join(sections),
        "drawn": escape(DRAWN),
    }
    text = Template((HERE / "plate.html").read_text("utf-8")).substitute(gaps)
    path.write_text(text, "utf-8")


def headline(panel: pd.DataFrame) -> str:
    """How many values there are, and how many of them carry which flag."""
    counts = panel.flag.value_counts()
    told = [f"{n:,} {flag}" for flag, n in counts.items() if flag]
    samples, analytes = panel["sample"].nunique(), panel.analyte.nunique()
    said = f"{len(panel):,} values of {samples:,} samples and {analytes:,} analytes"
    return said + (f"; of these {listed(told)}." if told else ", none of them flagged.")


def _section(results: Results, plate: Plate, curves: Curves) -> str:
    figure = draw_curves(plate, curves, results.panel)
    lay_out(figure)
    with io.BytesIO() as picture:
        figure.savefig(picture, format="svg", metadata={"Date": None})
        code = base64.b64encode(picture.getvalue()).decode()
    parts = [
        f"<h2>{escape(plate.name)}</h2>",
        PICTURE.format("standard curves", "svg+xml", code),
        "<h3>Curves</h3>",
        f'<div class="books">{_html(curve_table(curves, plate.units))}</div>',
        "<h3>Recovery of standards (%)</h3>",
        f'<div class="numbers">{_html(_recoveries(curves))}</div>',
    ]
    controls = results.controls
    if len(controls) and len(own := controls[controls.plate == plate.name]):
        parts += ["<h3>Controls</h3>", f'<div class="books">{_html(_controls(own))}</div>']
    return "\n".join(parts)


def draw_curves(plate: Plate, curves: Curves, panel: pd.DataFrame) -> Figure:
    """Each analyte: curve, standards and samples, and the range that can be quantified."""
    down = math.ceil(len(curves.analytes) / ACROSS)
    figure = Figure((WIDTH, 0.6 + 1.75 * down), layout="constrained")
    rows = panel[panel.plate == plate.name]
    for k, analyte in enumerate(curves.analytes):
        axis = figure.add_subplot(down, ACROSS, k + 1, xscale="log", yscale="log")
        axis.set_title(f"{display(analyte)}, {plate.units.get(analyte, '')}")
        readings = rows.reading[rows.analyte == analyte].dropna().to_numpy(float)
        _draw_one(axis, curves, k, readings)
    add_legend(figure)
    return figure


def _draw_one(axis: Axes, curves: Curves, k: int, readings: np.ndarray) -> None:
    levels = curves.levels[curves.levels.analyte == curves.analytes[k]]
    used = levels.status == "used"
    stated = levels.expected.where(levels.status != "off its dilution series", levels.series)
    if not len(levels):
        return
    ends = stated.min() / 3, stated.max() * 3
    axis.set_xlim(ends)
    if np.isfinite(curves.lower[k]):
        span = curves.lower[k], curves.upper[k]
        axis.axvspan(*span, color=HEALTHY, linewidth=0, zorder=0, label="can be quantified")
    if curves.model[k]:
        x = np.geomspace(*ends, 120)
        signal = np.exp(log_signal(x, curves.parameters[k]))
        axis.plot(x, signal, c="#00467A", ls="-", lw=1.2, label="standard curve")
        at = np.clip(inverse(readings, curves.parameters[k]), *ends)
        axis.plot(at, readings, "o", zorder=3, c="#E8935A", ms=4, mew=0, alpha=0.5, label="samples")
    axis.plot(stated[used], levels.signal[used], "o", c=INK, mfc="none", label="standards")
    if not used.all():
        axis.plot(
            stated[~used], levels.signal[~used], "x", c="#B3261E", ms=6, ls="", label="left out"
        )
    axis.minorticks_off()
    axis.xaxis.set_major_locator(LogLocator(numticks=4))
    axis.yaxis.set_major_locator(LogLocator(numticks=5))


def curve_table(curves: Curves, units: dict[str, str]) -> pd.DataFrame:
    """A row per analyte: its model, limits, scatter and what was left out, as texts."""
    rows = []
    for k, analyte in enumerate(curves.analytes):
        levels = curves.levels[curves.levels.analyte == analyte]
        aside = levels[levels.status != "used"]
        has = np.isfinite(curves.lower[k])
        rows.append(
            {
                "analyte": analyte,
                "curve": curves.model[k] or "none",
                "from": plain(curves.lower[k]) if has else "",
                "to": plain(curves.upper[k]) if has else "",
                "unit": units.get(analyte, ""),
                "scatter": f"{100 * curves.scatter[k]:.1f} %" if curves.model[k] else "",
                "left out": ", ".join(aside.standard + ": " + aside.status),
            }
        )
    return pd.DataFrame(rows)


def _recoveries(curves: Curves) -> pd.DataFrame:
    levels = curves.levels
    text = (
        (100 * levels.recovery).where(np.isfinite(levels.recovery)).map("{:.0f}".format, "ignore")
    )
    text = text.fillna("–").where(levels.status == "used", "left out")
    wide = levels.assign(text=text).pivot(index="analyte", columns="standard", values="text")
    wide = wide.reindex(
        index=list(dict.fromkeys(levels.analyte)), columns=list(dict.fromkeys(levels.standard))
    )
    return wide.fillna("").rename(columns=lambda name: name.replace("Standard", "S")).reset_index()


def _controls(rows: pd.DataFrame) -> pd.DataFrame:
    table = rows[
        ["sample", "analyte", "value", "unit", "flag", "cv", "expected", "recovery"]
    ].copy()
    for name in ("value", "expected"):
        table[name] = table[name].map(plain, "ignore")
    for name in ("cv", "recovery"):
        table[name] = (100 * table[name]).map("{:.0f} %".format, "ignore")
    return table.dropna(axis=1, how="all").fillna("").rename(columns={"sample": "control"})


def _html(table: pd.DataFrame) -> str:
    table = table.assign(analyte=table.analyte.map(display)).rename_axis(columns=None)
    return str(table.to_html(index=False, border=0, na_rep="–"))
