"""The report of a run: one HTML page that carries its pictures and asks nothing of the network."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from polycrine.catalogue.library import catalogue
from polycrine.errors import InputError, Problem
from polycrine.readouts.balance import DEFINITION
from polycrine.report.figures import draw_figures
from polycrine.report.findings import Findings, display, listed, micro, plain, read_findings
from polycrine.results.run import Run

ORIGINS = {"read": ("read in their source", "#0067A5"), "second-hand": ("second-hand", "#56A8DC"),
           "fitted": ("fitted", "#009E73"), "assumed": ("assumed", "#D99000"),
           "author": ("the model author's own", "#B4518F")}  # fmt: skip
STEADY = 1.05
NOTABLE = 1.25


def write_report(run: Run) -> Path:
    """Draw `figures/` and write `report.html` in the run's folder, anew if they are there."""
    if run.folder is None:
        raise InputError([Problem("report", "this run was not stored, so a report has no place.",
                                  "Run it with out=FOLDER.")])  # fmt: skip
    findings = read_findings(run)
    figures = draw_figures(findings, run.folder / "figures")
    sections = [_opening(findings, figures), _arms(findings, figures), _timing(findings),
                _rise(findings, figures), _balance(findings, figures), _fate(findings, figures),
                _origins(run), _folded(findings)]  # fmt: skip
    style = Path(__file__).with_name("page.css").read_text("utf-8")
    path = run.folder / "report.html"
    path.write_text("\n".join([
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width,initial-scale=1">',
        f"<title>{escape(findings.model.name)}: polycrine report</title>",
        f"<style>\n{style}</style></head>\n<body>", *sections, "</body></html>\n",
    ]), "utf-8")  # fmt: skip
    return path


def _opening(findings: Findings, figures: Mapping[str, Path]) -> str:
    hours = findings.window_h([findings.first])
    moved = findings.moved([findings.first], hours)
    still = [display(name) for name in findings.model.cytokines
             if name in findings.analytes and name not in moved]  # fmt: skip
    caption = f"Levels in the {findings.place} over the first {hours:.3g} h, on log axes."
    if still:
        caption += f" Not drawn, for less than 1.5-fold change: {listed(still)}."
    if findings.provenance:
        caption += f" Measured: {findings.provenance.partition('. ')[0]}."
    picture = _figure(figures, "panel", caption)
    return (f"<h1>{escape(findings.model.name)}</h1>"
            f'<p class="about">{escape(findings.model.about)}</p>'
            f'<p class="headline">{escape(findings.headline())}</p>'
            f"{picture or _note('Nothing on the panel changed by half or more.')}")  # fmt: skip


def _arms(findings: Findings, figures: Mapping[str, Path]) -> str:
    samples = findings.run.samples
    if len(samples) == 1:
        return ""
    shown = findings.moved(samples, findings.end_h)
    caption = (f"Every arm against {findings.first} (broad grey line), until 12 h after the last"
               " dose. A level of zero is not drawn.")  # fmt: skip
    note = (f"Peak and area (AUC: level above its start × hours, over {findings.end_h:.3g} h),"
            f" with the ratio to {findings.first}; coloured from {NOTABLE:g}-fold on.")  # fmt: skip
    return (f"<h2>Arms compared</h2>{_figure(figures, 'arms', caption)}{_note(note)}"
            f"<h3>Peak</h3>{_arm_table(findings, shown, 'peak')}"
            f"<h3>AUC</h3>{_arm_table(findings, shown, 'auc')}")  # fmt: skip


def _arm_table(findings: Findings, analytes: list[str], what: str) -> str:
    if not analytes:
        return _note("Nothing changed by half or more in any arm.")
    wide = findings.timing.pivot(index="sample", columns="analyte", values=what)
    units = findings.timing.drop_duplicates("analyte").set_index("analyte").unit
    time = " × h" if what == "auc" else ""
    head = [f"{escape(display(a))}<br><small>{escape(micro(units[a]))}{time}</small>"
            for a in analytes]  # fmt: skip
    rows = []
    for sample in findings.run.samples:
        cells = [_with_ratio(wide[a][sample], wide[a][findings.first], sample == findings.first)
                 for a in analytes]  # fmt: skip
        rows.append([escape(sample), *cells])
    return _table(["arm", *head], rows, "numbers")


def _with_ratio(value: float, reference: float, is_reference: bool) -> str:
    if is_reference or value <= 0 or reference <= 0:
        return plain(value)
    ratio = value / reference
    side = "up" if ratio >= NOTABLE else "down" if ratio <= 1 / NOTABLE else ""
    return f'{plain(value)}<br><small class="{side}">×{plain(ratio)}</small>'


def _timing(findings: Findings) -> str:
    title = "<h2>Peaks, areas and half-lives</h2>"
    if findings.panel.empty:
        return title + _note("No panel was observed.")
    peaks = findings.peaks
    steady = (peaks.peak < STEADY * peaks.base) | (peaks.peak == 0)
    measured = bool(peaks.measured_median.notna().any())
    head = ["analyte", "unit", "start", "peak", "at (h)", "AUC (unit × h)", "half-life (h)"]
    head += ["measured peak", "run / measured", "measured at (h)"] if measured else []
    rows = [_peak_row(row, measured) for row in peaks[~steady].itertuples()]
    text = title + (_table(head, rows, "numbers") if rows else "")
    text += _note(f"In {findings.first}. AUC is above the start, over {findings.end_h:.3g} h;"
                  " half-life is the time from the peak until half of its height is lost, – when"
                  " the run ends before." + (" Measured: median (quartiles) of each person's own"
                  " peak." if measured else ""))  # fmt: skip
    if steady.any():
        names = listed([display(name) for name in peaks.index[steady]])
        text += _note(f"Never more than 5 % above the start: {names}.")
    return text + _measured_points(findings)


def _peak_row(row: Any, measured: bool) -> list[str]:
    cells = [escape(display(row.Index)), escape(micro(row.unit)), plain(row.base), plain(row.peak),
             f"{row.peak_h:.1f}", plain(row.auc), plain(row.half_life_h)]  # fmt: skip
    if not measured:
        return cells
    if np.isnan(row.measured_median):
        return [*cells, "", "", ""]
    level = _quartiles(row.measured_median, row.measured_lower, row.measured_upper)
    hour = _quartiles(row.measured_h_median, row.measured_h_lower, row.measured_h_upper)
    return [*cells, level, plain(row.ratio), hour]


def _quartiles(median: float, lower: float, upper: float) -> str:
    return f"{plain(median)} <small>({plain(lower)}–{plain(upper)})</small>"


def _measured_points(findings: Findings) -> str:
    points = findings.compared
    if points.empty:
        return _note("Nothing measured is compared with this run.")
    rows = [[escape(display(row.analyte)), f"{row.hour:g}", plain(row.run),
             _quartiles(row.median, row.lower, row.upper), plain(row.ratio),
             "yes" if row.inside else "no"] for row in points.itertuples()]  # fmt: skip
    head = ["analyte", "hour", "run", "measured", "run / measured", "within the spread"]
    count = f"{int(points.inside.sum())} of {len(points)}"
    return _details(f"Every measured level: the run lies within the spread at {count} points",
                    _table(head, rows, "numbers") + _note(findings.provenance))  # fmt: skip


def _rise(findings: Findings, figures: Mapping[str, Path]) -> str:
    caption = (f"When each passes half of the rise from start to peak in {findings.first}, on a"
               " straight line between observations; what does not double is left out."
               " Time is on a log axis.")  # fmt: skip
    picture = _figure(figures, "rise", caption) or _note("Nothing doubled in this run.")
    return f"<h2>The order in which things rise</h2>{picture}"


def _balance(findings: Findings, figures: Mapping[str, Path]) -> str:
    sides = {side: listed([display(name) for name in findings.analytes
                           if catalogue().molecules[name].balance == side])
             for side in ("pro", "anti")}  # fmt: skip
    caption = f"{DEFINITION} Pro: {sides['pro']}. Anti: {sides['anti']}."
    picture = _figure(figures, "sides", caption)
    missing = _note("The panel holds no molecule of both sides.")
    return f"<h2>Pro- against anti-inflammatory</h2>{picture or missing}"


def _fate(findings: Findings, figures: Mapping[str, Path]) -> str:
    caption = (f"{findings.first}, whole run of {findings.end_h:.3g} h, with what health makes and"
               " clears: shares of all that was there at the start, given or made.")  # fmt: skip
    picture = _figure(figures, "fate", caption) or _note("No molecule was followed.")
    return f"<h2>Where each molecule came from and went</h2>{picture}"


def _origins(run: Run) -> str:
    numbers = run.numbers()
    counts = {origin: int((numbers.origin == origin).sum()) for origin in ORIGINS}
    bar = "".join(f'<i style="flex:{n};background:{ORIGINS[o][1]}"></i>'
                  for o, n in counts.items() if n)  # fmt: skip
    key = "".join(f'<span><i style="background:{ORIGINS[o][1]}"></i>{n} {ORIGINS[o][0]}</span>'
                  for o, n in counts.items())  # fmt: skip
    fitted = numbers[numbers.origin == "fitted"]
    rows = [[escape(str(row.path)), _amount(row), escape(_range(row)), escape(str(row.fitted_to)),
             escape(str(row.residual))] for row in fitted.itertuples()]  # fmt: skip
    table = _table(["fitted number", "value", "range", "fitted to", "residual"], rows)
    return ("<h2>Where the numbers come from</h2>"
            f"<p>{len(numbers)} numbers are behind this run:</p>"
            f'<div class="bar">{bar}</div><p class="key">{key}</p>'
            f"{table if rows else _note('No number of this run was fitted.')}")  # fmt: skip


def _folded(findings: Findings) -> str:
    run, cited = findings.run, _cited(findings.run)
    head = ["number", "value", "range", "origin", "source", "why, or in what context"]
    rows = [[escape(str(row.path)), _amount(row), escape(_range(row)), escape(str(row.origin)),
             f'<a href="#{cited[row.source]}">[{cited[row.source]}]</a>' if row.source else "",
             escape("; ".join(str(t) for t in (row.context, row.why, row.fitted_to) if t))]
            for row in run.numbers().itertuples()]  # fmt: skip
    info = [[escape(key), escape(_flat(value))] for key, value in run.info.items()]
    return (_ledger(run) + _details(f"All {len(rows)} numbers", _table(head, rows))
            + _details("Run", _table(["", ""], info))
            + _details("Declaration", f"<pre>{escape(run.model_text)}</pre>")
            + _bibliography(cited, findings))  # fmt: skip


def _ledger(run: Run) -> str:
    ledger = run.ledger()
    errors = ledger[ledger.process == "error"]
    worst = float(errors.share.max()) if len(errors) else 0.0
    tables = ""
    for sample, rows in ledger.groupby("sample", sort=False):
        cells = [[escape(display(row.molecule)), escape(row.process), plain(row.pmol),
                  f"{100 * row.share:.3g}"] for row in rows.itertuples()]  # fmt: skip
        head = ["molecule", "process", "pmol", "% of what came in"]
        tables += _details(str(sample), _table(head, cells))
    return _details(f"Ledger of molecules: closes to {worst:.1e} of what came in", tables)


def _cited(run: Run) -> dict[str, int]:
    keys = dict.fromkeys(key for key in run.numbers().source if key)
    return {key: n for n, key in enumerate(keys, 1)}


def _bibliography(cited: Iterable[str], findings: Findings) -> str:
    items = ""
    for n, key in enumerate(cited, 1):
        source = catalogue().sources.get(key)
        link = source.link if source else ""
        anchor = f' <a href="{escape(link)}">{escape(link)}</a>' if link else ""
        items += f'<li id="{n}">{escape(source.cite if source else key)}{anchor}</li>'
    if findings.provenance:
        items += f"<li>{escape(findings.provenance)}</li>"
    return _details("Bibliography", f"<ol>{items}</ol>")


def _amount(row: Any) -> str:
    return escape(f"{row.value} {micro(row.unit)}")


def _range(row: Any) -> str:
    low, high = (str(x) for x in (row.low, row.high))
    return f"{low} to {high}" if low not in ("None", "nan", "") else ""


def _flat(value: object) -> str:
    if isinstance(value, Mapping):
        return "; ".join(f"{key}: {_flat(inner)}" for key, inner in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _figure(figures: Mapping[str, Path], name: str, caption: str) -> str:
    if name not in figures:
        return ""
    data = base64.b64encode(figures[name].read_bytes()).decode()
    return (f'<figure><div><img alt="{escape(name)}: {escape(caption)}"'
            f' src="data:image/svg+xml;base64,{data}"></div>'
            f"<figcaption>{escape(caption)}</figcaption></figure>")  # fmt: skip


def _table(head: list[str], rows: list[list[str]], style: str = "") -> str:
    top = "".join(f"<th>{cell}</th>" for cell in head)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>\n" for row in rows)
    return (f'<div class="wide"><table class="{style}"><thead><tr>{top}</tr></thead>'
            f"<tbody>{body}</tbody></table></div>")  # fmt: skip


def _details(title: str, content: str) -> str:
    return f"<details><summary>{escape(title)}</summary>{content}</details>"


def _note(text: str) -> str:
    return f'<p class="note">{escape(text)}</p>'
