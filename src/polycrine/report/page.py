"""The report of a run as one HTML page: fills the gaps in the words of `page.html`."""

import base64
import json
from html import escape
from pathlib import Path
from string import Template

import pandas as pd
from matplotlib import rc_context

from polycrine.catalogue.library import catalogue
from polycrine.errors import wrong
from polycrine.model.model import Tissue
from polycrine.readouts.balance import DEFINITION
from polycrine.readouts.expectations import expectations
from polycrine.readouts.knockouts import effects, knocked_out_in, pleiotropy, redundancy
from polycrine.report.figures import add_legend, counts, fate, lay_out, levels, rise, sides, within
from polycrine.report.findings import Findings, display, listed, moving, plain, read_findings
from polycrine.report.signals import graph, matrix, niches
from polycrine.report.tissue import View, caption, draw_film, draw_times, read_view
from polycrine.results.run import Run
from polycrine.scenarios.library import DATA

HERE = Path(__file__).parent
PICTURE = '<figure><img alt="{}" src="data:image/{};base64,{}"></figure>'
FORMATS = {".svg": "svg+xml", ".webp": "webp"}
ALWAYS = ("panel", "arms", "rise", "balance", "fate")
PICTURES = (*ALWAYS, "tissue", "film", "counts", "inside", "within", "matrix", "graph")
HIDDEN = {  # a section: the picture without which it is not there
    "heard": "matrix",
    "counted": "counts",
    "elsewhere": "inside",
    "read": "within",
}
NOTHING = "<p>Nothing to draw.</p>"
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
TRIFLE = 1e-6
COMPARED = (
    "Measured: median and quartiles of each person's own peak; the ratio is run over measured."
)


def write_report(run: Run) -> Path:
    """Draw `figures/` and write `report.html` in the run's folder, anew if they are there."""
    if run.folder is None:
        raise wrong("report", "this run was not stored.", "Run it with out=FOLDER.")
    findings = read_findings(run)
    view = read_view(findings)
    files = draw_figures(findings, view, run.folder / "figures")
    gaps = {name: PICTURE.format(name, FORMATS[f.suffix], _base64(f)) for name, f in files.items()}
    gaps = dict.fromkeys(PICTURES, "") | dict.fromkeys(ALWAYS, NOTHING) | gaps
    gaps |= {name: escape(text) for name, text in _texts(findings, view).items()}
    gaps |= {name: "" if picture in files else "hidden" for name, picture in HIDDEN.items()}
    tables = _tables(findings)
    gaps["paired"] = "" if len(tables["stands"]) else "hidden"
    with pd.option_context("display.max_colwidth", None):
        for name, table in tables.items():
            gaps[name] = table.rename_axis(columns=None).to_html(
                index=False, border=0, na_rep="–", float_format=plain, render_links=True
            )
    gaps["style"] = (HERE / "page.css").read_text("utf-8")
    path = run.folder / "report.html"
    path.write_text(Template((HERE / "page.html").read_text("utf-8")).substitute(gaps), "utf-8")
    return path


def draw_figures(findings: Findings, view: View | None, folder: Path) -> dict[str, Path]:
    """Draw every picture that has something to show: name -> file."""
    folder.mkdir(exist_ok=True)
    own = findings.panel[findings.panel["sample"] == findings.first]
    arms = findings.panel if len(findings.run.samples) > 1 else findings.panel.head(0)
    none = findings.measured.head(0)
    with rc_context(fname=HERE / "figures.mplstyle"):
        pictures = {
            "panel": levels(own[own.time_h <= findings.window_h], findings.measured),
            "arms": levels(arms, none),
            "counts": counts(findings),
            "inside": levels(findings.inside(), none, healthy=False),
            "within": within(findings),
            "matrix": matrix(findings),
            "graph": graph(findings),
            "rise": rise(findings),
            "balance": sides(findings.panel),
            "fate": fate(findings),
        }
        pictures = {name: figure for name, figure in pictures.items() if figure.axes}
        for figure in pictures.values():
            add_legend(figure)
        if view is not None:
            pictures["tissue"] = draw_times(findings, view)
        files = {name: folder / f"{name}.svg" for name in pictures}
        for name, file in files.items():
            lay_out(pictures[name])
            pictures[name].savefig(file, dpi=160, metadata={"Date": None})
        if view is not None:
            files["film"] = draw_film(findings, view, folder / "animation.webp")
    return files


def _base64(file: Path) -> str:
    return base64.b64encode(file.read_bytes()).decode()


def _texts(findings: Findings, view: View | None) -> dict[str, str]:
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
    place = model.places.get(findings.tissue)
    origins = run.numbers().origin.value_counts()
    return {
        "name": model.name,
        "about": model.about,
        "headline": findings.headline(),
        "place": findings.place,
        "first": findings.first,
        "end": plain(findings.end_h),
        "data": data,
        "window": _window(findings),
        "alone": "hidden" if len(run.samples) == 1 else "",
        "stirred": "" if findings.tissue else "hidden",
        "piece": findings.tissue,
        "beside": findings.beside,
        "published": "" if model.expect else "hidden",
        "knocked": "" if knocked_out_in(model).keys() & {*run.samples} else "hidden",
        "represents": place.represents if isinstance(place, Tissue) else "",
        "seen": caption(findings, view) if view else "",
        "compared": COMPARED if len(findings.measured) else "",
        "definition": DEFINITION,
        **sides,
        "total": str(len(run.numbers())),
        "origins": listed([f"{count} {origin}" for origin, count in origins.items()]),
        "closing": plain(ledger[ledger.process == "error"].share.max()),
        "info": json.dumps(run.info, indent=2, ensure_ascii=False),
        "declaration": run.model_text,
    }


def _window(findings: Findings) -> str:
    shown, end = plain(findings.window_h), plain(findings.end_h)
    return f"over {end} h" if shown == end else f"over the first {shown} h of {end} h"


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
    shown = peaks[peaks["sample"] == findings.first][[*PEAKS]]
    if shown.measured_peak.isna().all():
        shown = shown.loc[:, :"half_life_h"]
    return {
        "expected": _expected(findings),
        **_knocked_out(findings),
        "effects": _effects(peaks, run.samples),
        "peaks": shown.rename(columns=PEAKS),
        "niches": niches(findings),
        "fitted": numbers[numbers.origin == "fitted"][fitted],
        "ledger": books[run.samples].reset_index(),
        "numbers": numbers,
        "sources": pd.DataFrame(cited, columns=["source", "citation", "link"]),
    }


def _knocked_out(findings: Findings) -> dict[str, pd.DataFrame]:
    """What each knock-out moves, and who stands in for whom, in the words of tables."""
    table = effects(findings.run, findings.model)
    pairs = redundancy(table)
    told = pairs.redundant.map({True: "yes", False: ""})
    return {
        "does": pleiotropy(table).rename(columns={"knocked_out": "without", "which": "it moves"}),
        "stands": pairs.assign(redundant=told).rename(columns=lambda name: name.replace("_", " ")),
    }


def _expected(findings: Findings) -> pd.DataFrame:
    """What was published beside what was found, in the words of a table."""
    table = expectations(findings.run, findings.model)
    bounds = [f"{plain(low)} to {plain(high)} {unit}".strip() for low, high, unit in
              zip(table.low, table.high, table.unit, strict=True)]  # fmt: skip
    cited = [catalogue().sources[key] for key in table.source]
    return pd.DataFrame(
        {
            "what": table.claim,
            "run": table.found.map(plain),
            "expected": bounds,
            "holds": table.holds.map({True: "yes", False: "no"}),
            "chosen so": table.fitted.map({True: "yes", False: ""}),
            "published": table.published,
            "source": [source.cite for source in cited],
        }
    )


def _effects(peaks: pd.DataFrame, samples: list[str]) -> pd.DataFrame:
    """Peak and area of each analyte in every arm, with the ratio to the first."""
    values = peaks.rename(columns={"auc": "AUC"}).melt(["sample", "analyte"], ["peak", "AUC"], "of")
    table = values.pivot_table("value", ["of", "analyte"], "sample", sort=False)
    table = table.reindex(columns=samples).astype(float)
    least = TRIFLE * table.abs().max(axis=1)  # below, an area is the rounding of one
    above, text = table.where(table.ge(least, axis=0)), table.map(plain)
    ratios = above.div(above[samples[0]], axis=0).map(lambda ratio: f" ×{plain(ratio)}")
    text[samples[1:]] += ratios[samples[1:]]
    return text.reset_index()
