import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from PIL import Image

import polycrine as pc
from polycrine.catalogue.library import catalogue
from polycrine.catalogue.questions import group
from polycrine.errors import InputError
from polycrine.model.yamlfile import write_model
from polycrine.report.findings import leading, plain, populations, read_findings
from polycrine.report.page import write_report
from polycrine.report.signals import niches, routes
from polycrine.report.site import write_site
from polycrine.report.tissue import caption, draw_times, read_view
from polycrine.scenarios.library import measured

SECTIONS = (
    "What was published",
    "Arms compared",
    "What each does, and who stands in",
    "The tissue",
    "Cells that come and go",
    "Inside cells",
    "In the ",
    "Who signals to whom",
    "Peaks, areas and half-lives",
    "The order in which things rise",
    "Pro- against anti-inflammatory",
    "Where each molecule came from and went",
    "Where the numbers come from",
    "Ledger of molecules",
    "All ",
    "Run",
    "Declaration",
    "Bibliography",
)


def stored(folder, scenario="endotoxemia", arm=None, duration="2 h", **changes):
    run = pc.run(pc.load(scenario).model_copy(update=changes), arm, duration=duration)
    folder.mkdir()
    return replace(run, folder=folder)


@pytest.fixture(scope="module")
def arms(tmp_path_factory):
    return stored(tmp_path_factory.mktemp("report") / "arms", arm="all", duration="12 h")


@pytest.fixture(scope="module")
def page(arms):
    return page_of(arms)


def page_of(run):
    return write_report(run).read_text("utf-8")


def test_every_section_is_there_in_order_with_its_pictures(arms, page):
    headings = re.findall(r"<(?:h2|summary)>(.*?)</", page)
    assert all(map(str.startswith, headings, SECTIONS))
    assert page.count("<img ") == len(list((arms.folder / "figures").iterdir())) == 6
    assert "<section >" in page
    assert "Nothing to draw" not in page
    assert "Empty DataFrame" not in page


def test_the_tables_hold_what_was_computed(arms, page):
    first, other = (
        arms.panel().query("analyte == 'IL6' and sample == @sample").value.max()
        for sample in ("untreated", "anti-TNF")
    )
    row = re.search(r"<td>peak</td>\s*<td>IL-6, pg/mL</td>.*?</tr>", page, re.DOTALL)[0]
    cells = re.findall("<td>(.*?)</td>", row)[2:]
    assert len(cells) == len(arms.samples)
    assert cells[0] == plain(first)
    assert cells[arms.samples.index("anti-TNF")] == f"{plain(other)} ×{plain(other / first)}"


def test_the_page_asks_nothing_of_the_network(page):
    assert "<script" not in page
    assert "<link" not in page
    assert not re.search(r"""(?:src=["']?|url\(["']?)\s*(?:https?:)?//""", page)
    assert not re.findall(
        r"https?://", re.sub(r'<a href="[^"]*" target="_blank">[^<]*</a>', "", page)
    )


def test_the_same_run_gives_the_same_page(arms, page):
    assert page_of(arms) == page


def test_the_sentence_claims_the_peaks_and_a_factor_that_holds(arms):
    findings = read_findings(arms)
    sentence = findings.headline()
    peaks = findings.peaks.dropna(subset="measured_peak").set_index("analyte")
    assert set(peaks.index) == {"TNF", "IL6", "CXCL8", "IL10"}
    assert sentence.startswith(f"Untreated: TNF peaks at {peaks.peak_h['TNF']:.1f} h (")
    assert "known for 4 of these" in sentence
    factor = float(re.search(r"within a factor ([\d.]+);", sentence)[1])
    assert all(1 / factor <= ratio <= factor for ratio in peaks.ratio)
    fitted = (arms.numbers().origin == "fitted").sum()
    assert sentence.endswith(f"; {fitted} of the run's numbers were fitted.")


def test_what_has_not_peaked_is_not_said_to_peak(tmp_path):
    sentence = read_findings(stored(tmp_path / "short", duration="1 h")).headline()
    assert sentence.startswith(
        "Untreated: no cytokine was seen to double and pass its peak in 1 h;"
    )


def test_an_arm_is_not_compared_with_untreated_people(tmp_path):
    findings = read_findings(stored(tmp_path / "arm", arm="anti-TNF", duration="4 h"))
    assert findings.measured.empty
    assert findings.peaks.measured_peak.isna().all()
    assert findings.headline().startswith("Anti-TNF: ")
    assert "measured" not in findings.headline()


@pytest.mark.parametrize("name", ["endotoxemia-bolus", "whole-blood"])
def test_levels_are_measured_in_the_unit_of_the_panel(name):
    rows = measured(name).query("time_h != 'peak time'")
    units = [catalogue().molecules[analyte].panel_unit for analyte in rows.analyte]
    assert list(rows.unit) == units


@pytest.mark.parametrize("kept", ["panel", "read", "count"])
def test_a_run_without_measured_data_and_with_one_observation_reports(tmp_path, kept):
    observe = tuple(wish for wish in pc.load("endotoxemia").observe if hasattr(wish, kept))[:1]
    observe = tuple(wish.model_copy(update={"every": "1 h"}) for wish in observe)
    page = page_of(stored(tmp_path / "bare", measured=None, observe=observe))
    assert all(section in page for section in SECTIONS)
    assert "<section hidden>" in page
    assert "Nothing measured is compared" in page
    assert ('<img alt="panel"' in page) == (kept == "panel")
    assert "Untreated: no cytokine was seen to double and pass its peak in 2 h;" in page


def test_a_panel_where_nothing_moves_reports(tmp_path):
    page = page_of(stored(tmp_path / "still", duration="2 h", events=()))
    assert page.count("Nothing to draw.") == 3
    assert "no cytokine was seen" in page


def test_what_the_author_writes_is_text_not_markup(tmp_path):
    page = page_of(stored(tmp_path / "odd", name="<b>x</b>", about="a & b <script> $first"))
    assert "<b>" not in page
    assert "<script" not in page
    assert "a &amp; b &lt;script&gt; $first" in page


def test_a_number_has_three_significant_digits():
    values = (0.0, 12_345.6, 0.12345, 16_400_000.0, -1.8e-14, float("nan"))
    assert list(map(plain, values)) == ["0", "12,300", "0.123", "1.64e+07", "-1.80e-14", "–"]


def test_a_run_that_was_not_stored_has_no_place_for_a_report():
    with pytest.raises(InputError, match="out=FOLDER"):
        write_report(pc.run(pc.load("endotoxemia"), duration="1 h"))


KINDS = ("alveolar macrophage", "epithelium", "neutrophil in lung")
HOURS = np.array([0.0, 1.0, 2.0])


def pictures():
    """Three pictures of 2 x 3 x 4 voxels: macrophages walk, one neutrophil enters."""
    field = np.full((1, 3, 3, 2, 3, 4), 1e-6, dtype=np.float32)
    field[0, :, 0] = np.array([0.001, 100.0, 400.0]).reshape(3, 1, 1, 1)
    field[0, 1, 0, :, 0, 0] = 50.0
    field[0, :, 1] = 10.0
    field[0, 1:, 2, 0, 1, 1] = 4.0
    rows = [(f, 0, 0, 20.0 + 5 * f, 20.0) for f in range(3)]
    rows += [(f, 1, k, 60.0, 15.0 * k) for f in range(3) for k in (1, 2)]
    rows += [(2, 2, 3, 40.0, 40.0)]
    table = pd.DataFrame(rows, columns=["frame", "kind", "id", "x", "y"])
    cells = {f"cell_{name}": ("row", table[name].to_numpy()) for name in table}
    return xr.Dataset(
        {
            "field": (("sample", "frame", "fluid", "z", "y", "x"), field),
            "radius": ("kind", [10.6, 5.2, 4.2]),
            "cell_sample": ("row", [0] * len(rows)),
            **cells,
        },
        coords={
            "sample": ["untreated"],
            "frame": 60 * HOURS,
            "fluid": ["TNF", "CXCL8", "bacteria"],
            "kind": list(KINDS),
        },
        attrs={"place": "lung", "voxel": 20.0},
    )


def who_took_what():
    ways = [
        ("TNF", KINDS[0], KINDS[0], 1.0),
        ("TNF", KINDS[0], "epithelium", 3.0),
        ("TNF", KINDS[0], "blood", 5.5),
        ("TNF", "blood", "epithelium", 0.5),
        ("TNF", "blood", "blood", 7.0),
        ("CXCL8", "epithelium", KINDS[2], 2.0),
        ("CXCL8", "epithelium", "lost in tissue", 2.0),
    ]
    rows = [("untreated", h, m, s, r, h * pmol) for h in (1, 2) for m, s, r, pmol in ways]
    names = ["sample", "time_h", "molecule", "sender", "receiver", "pmol"]
    return pd.DataFrame(rows, columns=names)


@pytest.fixture(scope="module")
def infected(tmp_path_factory):
    """A run with a tissue: a small one of people, its tissue and routes written by hand."""
    folder = tmp_path_factory.mktemp("report") / "infected"
    run = stored(folder, observe=pc.load("endotoxemia").observe[:1])
    panel = run.panel()
    inside = panel[panel.analyte.isin(["TNF", "CXCL8"])].assign(place="lung")
    inside["value"] *= 1 + inside.time_h
    seen = pd.DataFrame({"sample": "untreated", "time_h": HOURS, "species": "count"})
    germs = seen.assign(cell="bacteria", value=[20.0, 30.0, 0.0], unit="bacteria")
    come = seen.assign(cell=KINDS[2], value=[0.0, 0.0, 1.0], unit="cells")
    still = seen.assign(cell=KINDS[1], value=2.0, unit="cells")
    senders = pd.DataFrame(
        [("untreated", "TNF", KINDS[0], 0.02, 0.0, 90.0)],
        columns=["sample", "molecule", "sender", "same_cell", "error", "half_radius_um"],
    )
    tables = run.tables | {
        "panel": pd.concat([panel, inside]),
        "reads": pd.concat([germs, come, still]),
        "routes": who_took_what(),
        "senders": senders,
    }
    text = write_model(pc.load("infection"))
    return replace(run, model_text=text, tables=tables, tissue=pictures())


def test_a_tissue_has_its_pictures_a_film_and_who_signals_to_whom(infected):
    page = page_of(infected)
    drawn = re.findall('<img alt="([^"]+)"', page)
    assert drawn == [
        *("panel", "tissue", "film", "counts", "inside", "matrix", "graph"),
        *("rise", "balance", "fate"),
    ]
    assert page.count("<section hidden>") == 4
    assert "400 × 400 × 100" not in page
    assert "80 × 60 × 40 µm" in page
    assert page_of(infected) == page
    with Image.open(infected.folder / "figures" / "animation.webp") as film:
        assert film.n_frames == len(HOURS)
        assert film.width == 480


def test_a_run_without_a_tissue_hides_its_sections(page):
    assert page.count("<section hidden>") == 5  # one arm knocks out IL-10
    assert not re.search('alt="(tissue|film|counts|inside|matrix|graph)"', page)
    assert 'alt="within"' in page


def test_the_view_has_what_rises_most_and_tells_who_stays(infected):
    view = read_view(read_findings(infected))
    assert (view.analyte, view.unit) == ("TNF", "ng/mL")
    assert view.fixed == ["epithelium"]
    assert view.bacteria[1].max() == pytest.approx(4.0, abs=1e-5)
    assert view.level[2].mean() == pytest.approx(4 * view.level[1].max())
    assert "at most 2 times the lowest (at 1 h)" in caption(read_findings(infected), view)


def test_a_picture_shows_the_cells_of_its_hour(infected):
    findings = read_findings(infected)
    view = read_view(findings)
    figure = draw_times(findings, view)
    titles = [axis.get_title(loc) for axis in figure.axes for loc in ("left", "center")]
    assert [title for title in titles if title] == ["0 h", "1 h", "2 h"]
    entered = [len(axis.collections[2].get_offsets()) for axis in figure.axes[:3]]
    assert entered == [0, 0, 1]


def test_shares_are_of_all_that_was_taken_up_or_left(infected):
    shares = routes(read_findings(infected)).set_index(["molecule", "sender", "receiver"]).share
    assert shares["TNF", "alveolar macrophage", "epithelium"] == pytest.approx(0.3)
    assert shares["TNF", "blood", "epithelium"] == pytest.approx(0.05)
    assert shares["CXCL8", "epithelium", "neutrophil"] == pytest.approx(0.5)
    assert list(shares.groupby("molecule").sum()) == pytest.approx([1.0, 1.0])


def test_signals_end_in_the_same_cell_in_others_or_in_the_blood(infected):
    table = niches(read_findings(infected)).set_index(["cytokine", "sent by"])
    own = table.loc["TNF", "alveolar macrophage"]
    assert own["same cell (%)"] == pytest.approx(2.0)
    assert own["other cells (%)"] == pytest.approx(100 * 4 / 9.5 - 2.0)
    assert own["into the blood (%)"] == pytest.approx(100 * 5.5 / 9.5)
    assert own["half within (µm)"] == 90.0
    assert own["share of what cells took up (%)"] == pytest.approx(100 * 4 / 4.5)
    carried = table.loc["TNF", "blood"]
    assert carried["other cells (%)"] == pytest.approx(100.0)
    assert np.isnan(carried["into the blood (%)"])
    assert np.isnan(table.loc[("IL-8", "epithelium"), "half within (µm)"])


def test_only_numbers_that_change_are_drawn(infected):
    assert {*populations(infected).cell} == {"bacteria", KINDS[2]}


def test_no_more_than_nine_analytes_are_drawn_and_key_ones_stay(arms):
    levels = arms.panel()[arms.panel()["sample"] == "untreated"]
    assert {*leading(levels, most=2).analyte} < {"TNF", "IL1B", "IL1RN", "IL6", "CXCL8", "IL10"}
    assert leading(levels, most=2).analyte.nunique() == 2
    assert leading(levels).analyte.nunique() <= 9


def test_every_cytokine_has_a_page_with_its_drawing(tmp_path):
    known = catalogue()
    index = write_site(known, tmp_path)
    cytokines = group(known, "cytokines")
    linked = set(re.findall(r'href="([^":/]+\.html)"', index.read_text("utf-8")))
    assert len(linked) == len(cytokines)
    for name in linked:
        page = (tmp_path / name).read_text("utf-8")
        ElementTree.fromstring(page[page.index("<svg") : page.index("</svg>") + 6])
    page = (tmp_path / "IL10.html").read_text("utf-8")
    for words in ("IL10RA", "STAT3", "monocyte", "HGNC:5962"):
        assert words in page, words
