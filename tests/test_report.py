import re
from dataclasses import replace

import pytest

import polycrine as pc
from polycrine.catalogue.library import catalogue
from polycrine.errors import InputError
from polycrine.report.findings import plain, read_findings
from polycrine.report.page import write_report
from polycrine.scenarios.library import measured

SECTIONS = (
    "Arms compared",
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
    assert page.count("<img ") == len(list((arms.folder / "figures").iterdir())) == 5
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
