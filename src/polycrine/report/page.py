"""The report of a run: one HTML page that carries its pictures and asks nothing of the network.

Its words and their order are in `page.html`, its look in `page.css`; here the gaps are filled.
"""

import base64
import json
import math
from html import escape
from pathlib import Path
from string import Template
from typing import get_args

import pandas as pd

from polycrine.catalogue.entries import Origin
from polycrine.catalogue.library import catalogue
from polycrine.errors import wrong
from polycrine.readouts.balance import DEFINITION
from polycrine.report.figures import draw_figures
from polycrine.report.findings import Findings, display, listed, plain, read_findings
from polycrine.results.run import Run
from polycrine.scenarios.library import DATA

HERE = Path(__file__).parent
STEADY = 1.05
NOTABLE = 1.25
PEAKS = {
    "name": "analyte",
    "unit": "unit",
    "base": "start",
    "peak": "peak",
    "peak_h": "at (h)",
    "auc": "AUC (unit × h)",
    "half_life_h": "half-life (h)",
    "measured": "measured peak",
    "measured_peak_h": "measured at (h)",
    "ratio": "run / measured",
}


def write_report(run: Run) -> Path:
    """Draw `figures/` and write `report.html` in the run's folder, anew if they are there."""
    if run.folder is None:
        raise wrong("report", "this run was not stored.", "Run it with out=FOLDER.")
    findings = read_findings(run)
    pictures = draw_figures(findings, run.folder / "figures")
    page = Template((HERE / "page.html").read_text("utf-8")).substitute(
        {name: escape(text) for name, text in _texts(findings).items()},
        style=(HERE / "page.css").read_text("utf-8"),
        **{name: _picture(name, file) for name, file in pictures.items()},
        **{name: _table(table) for name, table in _tables(findings).items()},
    )
    path = run.folder / "report.html"
    path.write_text(page, "utf-8")
    return path


def _texts(findings: Findings) -> dict[str, str]:
    """What the page says in words."""
    run, model, ledger = findings.run, findings.model, findings.run.ledger()
    data = "Nothing measured is compared."
    if len(findings.measured):
        lines = (DATA / f"{model.measured}.csv").read_text("utf-8").splitlines()
        data = " ".join(line.lstrip("# ") for line in lines if line.startswith("#"))
    known, analytes = catalogue().molecules, findings.panel.analyte.unique()
    origins = run.numbers().origin.value_counts().reindex(get_args(Origin), fill_value=0)
    sides = {
        side: listed([known[name].name for name in analytes if known[name].balance == side])
        for side in ("pro", "anti")
    }
    return {
        "name": model.name,
        "about": model.about,
        "headline": findings.headline(),
        "place": findings.place,
        "first": findings.first,
        "end": plain(findings.end_h),
        "data": data.partition(". ")[0].rstrip(".") + ".",
        "provenance": data,
        "hidden": "hidden" if len(run.samples) == 1 else "",
        "definition": DEFINITION,
        **sides,
        "total": str(len(run.numbers())),
        "origins": listed([f"{n} {origin}" for origin, n in origins.items()]),
        "closing": plain(ledger[ledger.process == "error"].share.max()),
        "info": json.dumps(run.info, indent=2, ensure_ascii=False),
        "declaration": run.model_text,
    }


def _tables(findings: Findings) -> dict[str, pd.DataFrame]:
    """Every table of the page, with the headings that it shows."""
    run, known = findings.run, catalogue().sources
    books = run.ledger().pivot_table("pmol", ["molecule", "process"], "sample", sort=False)
    rows = run.numbers().astype(object).fillna("").rename(columns={"path": "number"})
    rows["value"] = rows.value.astype(str) + " " + rows.unit
    rows["range"] = (rows.low.astype(str) + " to " + rows.high.astype(str)).str.strip(" to")
    reasons = zip(rows.context, rows.why, rows.fitted_to, strict=True)
    rows["reason"] = ["; ".join(filter(None, texts)) for texts in reasons]
    cited = [(key, known[key].cite, known[key].link) for key in sorted({*rows.source} - {""})]
    fitted = rows[rows.origin == "fitted"].rename(columns={"fitted_to": "fitted to"})
    return {
        "effects": _effects(findings),
        "peak_table": _peaks(findings),
        "fitted": fitted[["number", "value", "range", "fitted to", "residual"]],
        "ledger": books[run.samples].reset_index(),
        "numbers": rows[["number", "value", "range", "origin", "source", "reason"]],
        "sources": pd.DataFrame(cited, columns=["source", "citation", "link"]),
    }


def _effects(findings: Findings) -> pd.DataFrame:
    """Peak and area of each analyte in every arm, with the ratio to the first."""
    samples = findings.run.samples
    rows = []
    for analyte in findings.moved(samples, findings.end_h):
        peaks = findings.peaks.loc[[analyte]].set_index("sample")
        for what, levels, per in (("peak", peaks.peak, ""), ("AUC", peaks.auc, " × h")):
            ratios = levels.where(levels >= 0) / max(levels.iloc[0], 0.0)
            cells = list(zip(levels, ratios, strict=True))[1:]
            head = [f"{display(analyte)} {what}", peaks.unit.iloc[0] + per]
            rows.append([*head, levels.iloc[0], *cells])
    return pd.DataFrame(rows, columns=["analyte", "unit", *samples])


def _peaks(findings: Findings) -> pd.DataFrame:
    """Peak, time, area and half-life of each analyte that rises, beside its measured peak."""
    peaks = findings.peaks[findings.peaks["sample"] == findings.first]
    rows = peaks[peaks.peak > STEADY * peaks.base]
    if rows.empty:
        return rows
    measured = zip(rows.measured_peak, rows.measured_lower, rows.measured_upper, strict=True)
    rows = rows.assign(name=rows.index.map(display), measured=list(measured))
    return rows[[*PEAKS]].rename(columns=PEAKS)


def _picture(name: str, file: Path | None) -> str:
    if file is None:
        return "<p>Nothing to draw: it did not change or was not observed.</p>"
    data = base64.b64encode(file.read_bytes()).decode()
    return f'<figure><img alt="{name}" src="data:image/svg+xml;base64,{data}"></figure>'


def _table(frame: pd.DataFrame) -> str:
    """A table; from the third column on flush right where these are numbers."""
    if frame.empty:
        return "<p>None.</p>"
    head = "".join(f"<th>{escape(name)}</th>" for name in frame)
    lines = frame.itertuples(index=False, name=None)
    rows = ["".join(f"<td>{_cell(value)}</td>" for value in line) for line in lines]
    body = "</tr>\n<tr>".join([head, *rows])
    style = "" if isinstance(frame.iloc[0, -1], str) else "numbers"
    return f'<div class="wide"><table class="{style}"><tr>{body}</tr></table></div>'


def _cell(value: object) -> str:
    """A text, a link, a number, and a number with its ratio to another or with its quartiles."""
    match value:
        case float():
            return plain(value)
        case (float() as level, float() as ratio) if math.isfinite(ratio):
            side = "up" if ratio >= NOTABLE else "down" if ratio <= 1 / NOTABLE else ""
            return f'{plain(level)} <small class="{side}">×{plain(ratio)}</small>'
        case (float() as median, float() as lower, float() as upper) if math.isfinite(lower):
            return f"{plain(median)} <small>({plain(lower)}–{plain(upper)})</small>"
        case (float() as level, *_):
            return plain(level)
        case str() if value.startswith("https://"):
            return f'<a href="{escape(value)}">{escape(value)}</a>'
        case _:
            return escape(str(value))
