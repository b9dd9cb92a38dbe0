"""The report of a run as one HTML page: fills the gaps in the words of `page.html`."""

import base64
import json
from html import escape
from pathlib import Path
from string import Template

import pandas as pd

from polycrine.catalogue.library import catalogue
from polycrine.errors import wrong
from polycrine.readouts.balance import DEFINITION
from polycrine.report.figures import draw_figures
from polycrine.report.findings import Findings, display, listed, moving, plain, read_findings
from polycrine.results.run import Run
from polycrine.scenarios.library import DATA

HERE = Path(__file__).parent
PICTURE = '<figure><img alt="{}" src="data:image/svg+xml;base64,{}"></figure>'
PEAKS = {
    "analyte": "analyte",
    "peak": "peak",
    "peak_h": "at (h)",
    "auc": "AUC (unit × h)",
    "half_life_h": "half-life (h)",
    "measured_peak": "measured peak",
    "measured_lower": "lower quartile",
    "measured_upper": "upper quartile",
    "measured_peak_h": "measured at (h)",
    "ratio": "run / measured",
}


def write_report(run: Run) -> Path:
    """Draw `figures/` and write `report.html` in the run's folder, anew if they are there."""
    if run.folder is None:
        raise wrong("report", "this run was not stored.", "Run it with out=FOLDER.")
    findings = read_findings(run)
    gaps = dict.fromkeys(("panel", "arms", "rise", "balance", "fate"), "<p>Nothing to draw.</p>")
    for name, file in draw_figures(findings, run.folder / "figures").items():
        gaps[name] = PICTURE.format(name, base64.b64encode(file.read_bytes()).decode())
    gaps |= {name: escape(text) for name, text in _texts(findings).items()}
    with pd.option_context("display.max_colwidth", None):
        for name, table in _tables(findings).items():
            gaps[name] = table.rename_axis(columns=None).to_html(
                index=False, border=0, na_rep="–", float_format=plain, render_links=True
            )
    gaps["style"] = (HERE / "page.css").read_text("utf-8")
    path = run.folder / "report.html"
    path.write_text(Template((HERE / "page.html").read_text("utf-8")).substitute(gaps), "utf-8")
    return path


def _texts(findings: Findings) -> dict[str, str]:
    run, model, ledger = findings.run, findings.model, findings.run.ledger()
    data = "Nothing measured is compared."
    if len(findings.measured):
        lines = (DATA / f"{model.measured}.csv").read_text("utf-8").splitlines()
        data = " ".join(line.lstrip("# ") for line in lines if line.startswith("#"))
    known, analytes = catalogue().molecules, findings.panel.analyte.unique()
    sides = {
        side: listed([known[name].name for name in analytes if known[name].balance == side])
        for side in ("pro", "anti")
    }
    origins = run.numbers().origin.value_counts()
    return {
        "name": model.name,
        "about": model.about,
        "headline": findings.headline(),
        "place": findings.place,
        "first": findings.first,
        "end": plain(findings.end_h),
        "data": data,
        "hidden": "hidden" if len(run.samples) == 1 else "",
        "definition": DEFINITION,
        **sides,
        "total": str(len(run.numbers())),
        "origins": listed([f"{count} {origin}" for origin, count in origins.items()]),
        "closing": plain(ledger[ledger.process == "error"].share.max()),
        "info": json.dumps(run.info, indent=2, ensure_ascii=False),
        "declaration": run.model_text,
    }


def _tables(findings: Findings) -> dict[str, pd.DataFrame]:
    run, peaks = findings.run, findings.peaks
    peaks = peaks[peaks.analyte.isin(moving(findings.panel).analyte)]
    names = [f"{display(row.analyte)}, {row.unit}" for row in peaks.itertuples()]
    peaks = peaks.assign(analyte=names)
    books = run.ledger().pivot_table("pmol", ["molecule", "process"], "sample", sort=False)
    numbers = run.numbers().astype(object).fillna("").astype(str)
    fitted = ["path", "value", "unit", "low", "high", "fitted_to", "residual"]
    known = sorted({*numbers.source} - {""})
    cited = [(key, catalogue().sources[key].cite, catalogue().sources[key].link) for key in known]
    return {
        "effects": _effects(peaks, run.samples),
        "peaks": peaks[peaks["sample"] == findings.first][[*PEAKS]].rename(columns=PEAKS),
        "fitted": numbers[numbers.origin == "fitted"][fitted],
        "ledger": books[run.samples].reset_index(),
        "numbers": numbers,
        "sources": pd.DataFrame(cited, columns=["source", "citation", "link"]),
    }


def _effects(peaks: pd.DataFrame, samples: list[str]) -> pd.DataFrame:
    """Peak and area of each analyte in every arm, with the ratio to the first."""
    values = peaks.rename(columns={"auc": "AUC"}).melt(["sample", "analyte"], ["peak", "AUC"], "of")
    table = values.pivot_table("value", ["of", "analyte"], "sample", sort=False)
    table = table.reindex(columns=samples).astype(float)
    above, text = table.where(table >= 0), table.map(plain)
    ratios = above.div(above[samples[0]], axis=0).map(lambda ratio: f" ×{plain(ratio)}")
    text[samples[1:]] += ratios[samples[1:]]
    return text.reset_index()
