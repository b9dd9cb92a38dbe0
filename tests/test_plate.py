"""Plates: read as their machines write them, fitted, quantified; what is damaged is reported."""

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import typer
from scipy.optimize import least_squares
from typer.testing import CliRunner

from polycrine.cli.plate import plate as plate_command
from polycrine.errors import InputError
from polycrine.laboratory.assay import Assay, simulate
from polycrine.laboratory.logistic import FIVE, FOUR, fit, inverse, log_signal, slopes
from polycrine.laboratory.plate import name_analytes
from polycrine.laboratory.quantify import curves_of, quantified, read_results
from polycrine.laboratory.standard_curve import RECOVERY

KIT = {
    "IL-6 (19)": "IL6",
    "IL-8 (CXCL8)": "CXCL8",
    "TNF-α": "TNF",
    "MCP-1": "CCL2",
    "IFNg": "IFNG",
    "GM-CSF": "CSF2",
    "IL-1β": "IL1B",
    "IL-1b": "IL-1b",  # the same once more: keeps its name
    "IL-12 (p70)": "IL12",
    "MIP-1α": "CCL3",
    "MIP1B": "CCL4",
    "RANTES": "CCL5",
    "Eotaxin": "CCL11",
    "IP-10": "CXCL10",
    "MIG": "CXCL9",
    "G-CSF": "CSF3",
    "IL-17A": "IL17A",
    "IL-2": "IL2",
    "IL-4": "IL4",
    "IL-5": "IL5",
    "IL-7": "IL7",
    "IL-10": "IL10",
    "IL-13": "IL13",
    "IL-15": "IL15",
    "VEGF": "VEGF",  # not in the catalogue
}
MIDDLE = np.geomspace(20.0, 2000.0, 78)


def one_plate(analytes=("IL6",), true=MIDDLE, seed=1, **changes):
    """A simulated plate; the wells of each sample follow `true`."""
    assays = [Assay(name, **changes) for name in analytes]
    return simulate(np.repeat(np.reshape(true, (-1, 1)), len(assays), axis=1), assays, seed)


def xponent(plate, names=None, delimiter=",", decimal=".", expected=True, beads=60):
    """The text of xPONENT 4.3's export of a plate, every cell quoted, lines ended by CR LF."""
    names = list(names or plate.signals)
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter, quoting=csv.QUOTE_ALL, lineterminator="\r\n")

    def number(value):
        return "NaN" if np.isnan(value) else f"{value:.10g}".replace(".", decimal)

    def block(kind, header, rows):
        writer.writerows([["DataType:", kind], header, *rows])
        out.write("\r\n")

    writer.writerow(["Program", "xPONENT", "", "MAGPIX"])
    writer.writerows([["Build", "4.2.1324.0"], ["Date", "3/23/2024", "5:36 AM"]])
    out.write("\r\n")
    writer.writerows(
        [["SN", "MAGPX1526"], ["Batch", "panel of March"], ["ProtocolAnalysis", "Off"]]
    )
    out.write("\r\n")
    writer.writerow(["Samples", str(len(plate.wells)), "Min Events", "50", "Per Bead"])
    out.write('\r\n"Results"\r\n\r\n')
    wells = list(plate.wells.itertuples())
    here = [f"{k}(1,{row.well})" for k, row in enumerate(wells, 1)]
    counts = np.full(plate.signals.shape, beads)
    for kind, table in (("Median", plate.signals.to_numpy()), ("Count", counts)):
        rows = [
            [location, row.sample, *map(number, line), "3000"]
            for location, row, line in zip(here, wells, table, strict=True)
        ]
        block(kind, ["Location", "Sample", *names, "Total Events"], rows)
    units = [plate.units[name] for name in plate.signals]
    rows = [["BeadID:", *map(str, range(12, 12 + len(names)))], ["Units:", *units]]
    block("Units", ["Analyte:", *names], rows)
    if expected:
        held = plate.expected[plate.wells.kind == "standard"]
        labels = plate.wells["sample"][held.index]
        kept = held[~labels.duplicated()]
        rows = [[labels[k], *map(number, row)] for k, row in kept.iterrows()]
        block("Standard Expected Concentration", ["Reagent", *names], rows)
    diluted = zip(here, wells, strict=True)
    rows = [[at, row.sample, number(row.dilution)] for at, row in diluted if row.kind == "sample"]
    block("Dilution Factor", ["Location", "Sample", "Dilution Factor"], rows)
    block("Warnings/Errors", ["Location", "Status", "Message"], [])
    out.write("-- CRC --\r\nCRC32: 40B50595\r\n")
    return out.getvalue()


def write(path, text):
    path.write_bytes(text.encode("utf-8"))
    return path


@pytest.fixture(scope="module")
def kit():
    assays = [Assay(name, midpoint=2000.0 + 100 * k) for k, name in enumerate(KIT.values())]
    true = np.repeat(MIDDLE[:, None], len(assays), axis=1)
    plate = simulate(true, assays, 7)
    return replace(plate, signals=(2 * plate.signals).round() / 2)


def test_a_plate_of_96_wells_and_25_analytes_is_read_as_it_was_written(kit, tmp_path):
    found = read_results(write(tmp_path / "run.csv", xponent(kit, KIT)))
    ((read, _),) = found.plates
    assert read.signals.shape == (96, 25)
    assert read.analytes == list(KIT.values())
    pd.testing.assert_frame_equal(read.signals, kit.signals)
    pd.testing.assert_frame_equal(read.expected, kit.expected, rtol=1e-9)
    pd.testing.assert_frame_equal(read.wells, kit.wells)
    assert (read.beads == 60).all(axis=None)
    assert any("'VEGF' keeps its name" in notice for notice in found.notices)
    assert any("'IL-1b' keeps its name" in notice for notice in found.notices)
    own = found.panel[found.panel.flag == ""]
    assert len(own) > 0.9 * len(found.panel)
    true = pd.Series(MIDDLE, [f"S{k}" for k in range(1, 79)])
    off = np.log(own.value / own["sample"].map(true)).groupby(own.analyte).median()
    assert abs(off.mean()) < 4 * Assay("IL6").plate_cv / np.sqrt(len(off))


def test_semicolons_and_decimal_commas_are_a_locale_and_read_the_same(kit, tmp_path):
    text = xponent(kit, KIT, ";", ",")
    assert '"3,5"' in text or ',5"' in text
    ((read, _),) = read_results(write(tmp_path / "run.csv", text)).plates
    pd.testing.assert_frame_equal(read.signals, kit.signals)


def lines_of(error, name="run.csv"):
    places = [problem.place.rpartition(":") for problem in error.value.problems]
    return {int(line) for file, _, line in places if file.endswith(name)}


def line_with(text, words):
    return next(k for k, line in enumerate(text.splitlines(), 1) if words in line)


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        ("3-Jan", "is a date"),
        ("Jan-03", "is a date"),
        ("05/01/2024", "is a date"),
        ("1.234,5", "has thousands separators"),
        ("1,234,567.5", "has thousands separators"),
        ("1,234", "does not have the decimal point of the others"),
        ("12O", "is not a number"),
    ],
)
def test_a_number_that_a_spreadsheet_spoilt_is_reported_with_its_row(tmp_path, cell, says):
    plate = one_plate(["IL6", "TNF"])
    clean = xponent(plate)
    line = line_with(clean, '"30(1,F4)"')
    row = next(csv.reader([clean.splitlines()[line - 1]]))
    text = clean.replace(f'"{row[2]}"', f'"{cell}"', 1)
    with pytest.raises(InputError, match=says) as error:
        read_results(write(tmp_path / "run.csv", text))
    assert lines_of(error) == {line}
    assert "IL6" in str(error.value)


def test_decimal_commas_that_split_numbers_into_cells_are_reported_row_by_row(tmp_path):
    plate = one_plate(["IL6", "TNF"])
    plate = replace(plate, signals=plate.signals.round() + 0.5)
    text = xponent(plate, decimal=",", delimiter=";").replace('"', "").replace(";", ",")
    first = line_with(text, "DataType:,Median") + 2
    with pytest.raises(InputError, match="decimal commas may have split its numbers") as error:
        read_results(write(tmp_path / "run.csv", text))
    assert first in lines_of(error)
    assert "76 further rows are damaged likewise" in str(error.value)


def test_numbers_that_could_be_thousands_or_decimals_are_not_guessed(tmp_path):
    rows = [f"S{k};IL6;1.{k}34;pg/mL" for k in range(1, 10)]
    file = write(tmp_path / "values.csv", "\n".join(["sample;analyte;value;unit", *rows]))
    with pytest.raises(InputError, match="may be thousands or a decimal fraction") as error:
        read_results(file)
    assert lines_of(error, "values.csv") == set(range(2, 11))
    text = file.read_text("utf-8") + "\nS10;IL6;0.2;pg/mL"  # this one tells
    assert read_results(write(tmp_path / "told.csv", text)).panel.value[0] == 1.134


def test_standards_that_lost_their_decimal_mark_are_left_out_and_named(tmp_path):
    plate = one_plate(standards=tuple(10_000 / 2**k for k in range(10)))
    clean = read_results(write(tmp_path / "clean.csv", xponent(plate)))
    text = xponent(plate).replace('"78.125"', '"78125"')
    found = read_results(write(tmp_path / "lost.csv", text))
    (notice,) = found.notices
    assert "IL6, Standard8 of 78125 pg/mL is off its dilution series" in notice
    assert "says 78.125 pg/mL (was its decimal mark lost?)" in notice
    both = clean.panel.merge(found.panel, on="sample")
    ratio = (both.value_x / both.value_y)[(both.flag_x == "") & (both.flag_y == "")]
    assert len(ratio) > 50
    assert ratio.between(0.9, 1.1).all()


@pytest.mark.parametrize("fold", [3.0, 1 / 3])
def test_a_standard_that_was_pipetted_three_times_too_strong_is_found_and_left_out(fold):
    for seed in range(10):
        plate = one_plate(seed=seed, true=[50.0, 200.0, 1000.0])
        stated = plate.expected.IL6.copy()
        (wrong,) = {
            name for name, x in zip(plate.wells["sample"], stated, strict=True) if x == 156.25
        }
        bad = plate.wells["sample"] == wrong
        assay = Assay("IL6")
        actual = plate.signals.copy()
        factor = np.exp(
            log_signal(156.25 * fold, assay.parameters) - log_signal(156.25, assay.parameters)
        )
        actual.loc[bad, "IL6"] *= factor
        spoilt = replace(plate, signals=actual)
        levels = curves_of(spoilt).levels.set_index("standard")
        assert levels.status[wrong] == "breaks the curve"
        assert levels.recovery[wrong] == pytest.approx(fold, rel=0.3)
        clean, mended = (quantified(one, curves_of(one)) for one in (plate, spoilt))
        np.testing.assert_allclose(clean.value, mended.value, rtol=0.12)


def test_sound_standards_are_hardly_ever_left_out():
    left_out = sum(
        (curves_of(one_plate(true=[100.0], seed=seed)).levels.status != "used").sum()
        for seed in range(60)
    )
    assert left_out <= 4  # of 480


def test_limits_are_the_outermost_standards_that_recover_80_to_120_percent(kit):
    curves = curves_of(kit)
    for k, analyte in enumerate(curves.analytes):
        levels = curves.levels[curves.levels.analyte == analyte].set_index("expected")
        within = [curves.lower[k], curves.upper[k]]
        assert levels.recovery[within].between(*RECOVERY).all()
        outer = levels[(levels.index < within[0]) | (levels.index > within[1])]
        fails = ~outer.recovery.between(*RECOVERY) | (outer.cv > 0.25)
        slope = -slopes(outer.index.to_numpy(), curves.parameters[k])[..., 2]
        assert (fails | (curves.scatter[k] / slope > 0.25)).all()


def test_what_is_beyond_a_limit_stays_censored_at_it_whatever_the_dilution():
    plate = one_plate(true=[0.5, 100.0, 90_000.0], dilution=2.0)
    curves = curves_of(plate)
    below, inside, above = quantified(plate, curves).itertuples()
    assert (below.flag, below.value) == ("below", 2 * curves.lower[0])
    assert (above.flag, above.value) == ("above", 2 * curves.upper[0])
    assert inside.flag == ""
    assert inside.value == pytest.approx(100, rel=0.4)


def test_the_five_parameter_curve_is_taken_only_where_it_earns_it():
    chosen = {
        asymmetry: [
            curves_of(
                one_plate(
                    seed=seed,
                    asymmetry=asymmetry,
                    slope=slope,
                    midpoint=300.0,
                    well_cv=0.03,
                    background_sd=0.3,
                )
            ).model[0]
            for seed in range(12)
        ]
        for asymmetry, slope in ((1.0, 1.1), (0.3, 2.2))
    }
    assert chosen[1.0].count("4PL") >= 11
    assert chosen[0.3].count("5PL") >= 11


@pytest.mark.parametrize("free", [FOUR, FIVE])
def test_curves_are_those_of_a_well_known_least_squares_fit(free):
    plate = one_plate(asymmetry=0.7, well_cv=0.05, seed=3)
    own = plate.wells.kind.isin(["standard", "blank"])
    x, y = plate.expected.IL6[own].to_numpy(), np.log(plate.signals.IL6[own].to_numpy())
    mine = fit(x[None], y[None], np.ones((1, len(x)), dtype=bool), free)[0]

    def residuals(theta):
        return y - log_signal(x, np.append(theta, 0.0)[:5])

    theirs = least_squares(residuals, Assay("IL6").parameters[free], xtol=1e-12, ftol=1e-12)
    assert (residuals(mine[free]) ** 2).sum() <= 2 * theirs.cost * (1 + 1e-5)


def test_derivatives_and_inverse_are_those_of_the_curve():
    theta = Assay("IL6", asymmetry=0.6).parameters
    x = np.geomspace(0.1, 1e5, 50)
    by = slopes(x, theta)
    for k in range(5):
        step = np.eye(5)[k] * 1e-6
        numeric = (log_signal(x, theta + step) - log_signal(x, theta - step)) / 2e-6
        np.testing.assert_allclose(by[:, k], numeric, atol=1e-7)
    np.testing.assert_allclose(inverse(np.exp(log_signal(x, theta)), theta), x, rtol=1e-5)
    assert inverse(np.array([1.0, 1e9]), theta).tolist() == [0.0, np.inf]


def test_a_hook_of_the_standards_flags_samples_that_may_be_far_higher():
    standards = tuple(40_000 / 4.0**k for k in range(8))
    plate = one_plate(
        standards=standards, hook=30_000.0, midpoint=1500.0, true=[50.0, 2_500.0, 25_000.0]
    )
    curves = curves_of(plate)
    levels = curves.levels.set_index("standard")
    assert levels.status["Standard1"] == "beyond a hook"
    assert (levels.status.drop("Standard1") == "used").all()
    low, middle, hooked = quantified(plate, curves).itertuples()
    assert (low.flag, middle.flag, hooked.flag) == ("", "hook", "hook")
    assert hooked.value < 25_000


def test_a_plate_with_holes_is_fitted_where_it_can_be(kit):
    chance = np.random.default_rng(2)
    signals = kit.signals.mask(chance.random(kit.signals.shape) < 0.2)
    signals["IL6"] = np.nan
    signals["TNF"] = 0.0
    table = quantified(kit, curves_of(replace(kit, signals=signals)))
    assert set(table.flag[table.analyte.isin(["IL6", "TNF"])]) == {"no curve"}
    told = table[~table.flag.isin(["missing", "no curve"])]
    assert (told.value > 0).all()
    assert len(told) > 0.7 * len(table)


def diluted(signals, dilutions=(1, 10, 100), name="S1"):
    """A plate whose sample was measured in several dilutions with these signals."""
    plate = one_plate(true=[100.0] * len(signals))
    wells, values = plate.wells.copy(), plate.signals.copy()
    own = wells.kind == "sample"
    wells.loc[own, "sample"] = name
    wells.loc[own, "dilution"] = [float(d) for d in dilutions]
    values.loc[own, "IL6"] = signals
    return replace(plate, wells=wells, signals=values)


def read_at(*x):
    return np.exp(log_signal(np.array(x, dtype=float), Assay("IL6").parameters))


def one_row(plate):
    (row,) = quantified(plate, curves_of(plate)).itertuples()
    return row


def test_dilutions_within_range_are_used_and_their_disagreement_is_said():
    row = one_row(diluted(read_at(300_000, 1_000, 100)))
    assert row.flag == ""
    assert row.value == pytest.approx(10_000, rel=0.2)
    assert "dilutions" not in row.remark
    row = one_row(diluted(read_at(300_000, 1_000, 250)))
    assert "dilutions differ more than 1.3-fold" in row.remark
    assert row.value == pytest.approx(np.sqrt(10_000 * 25_000), rel=0.2)


def test_a_sample_that_reads_higher_when_diluted_is_a_hook():
    row = one_row(diluted(read_at(200, 2_000, 200)))
    assert row.flag == "hook"
    assert row.value == pytest.approx(20_000, rel=0.2)


def test_a_sample_beyond_all_its_dilutions_is_censored_by_the_nearest():
    plate = diluted(read_at(1e6, 1e6, 1e6))
    row = one_row(plate)
    assert (row.flag, row.value) == ("above", 100 * curves_of(plate).upper[0])
    plate = diluted(read_at(0.1, 0.01, 0.001))
    row = one_row(plate)
    assert (row.flag, row.value) == ("below", curves_of(plate).lower[0])


def test_replicates_are_one_value_with_their_spread(tmp_path):
    plate = diluted(read_at(80, 125), dilutions=(1, 1))
    row = one_row(plate)
    assert row.value == pytest.approx(100, rel=0.15)
    assert row.cv == pytest.approx(np.std([80, 125], ddof=1) / 102.5, rel=0.1)
    assert "replicates differ" in row.remark
    few = read_results(write(tmp_path / "few.csv", xponent(plate, beads=20))).panel
    assert few.remark.str.contains("fewer than 35 beads").all()
    assert few.value.notna().all()


def test_a_well_without_signal_is_missing_and_a_plate_without_a_curve_says_so():
    plate = diluted([np.nan], dilutions=(1,))
    assert one_row(plate).flag == "missing"
    kept = plate.wells.kind.isin(["sample"]) | (plate.expected.IL6 > 1000)
    few = [
        table[kept].reset_index(drop=True) for table in (plate.wells, plate.signals, plate.expected)
    ]
    few = replace(
        diluted([500.0], dilutions=(1,)),
        wells=few[0],
        signals=few[1].fillna(500.0),
        expected=few[2],
    )
    row = one_row(few)
    assert row.flag == "no curve"
    assert np.isnan(row.value)


def test_names_of_laboratories_become_symbols_and_none_becomes_another_protein():
    assert name_analytes(KIT)[0] == list(KIT.values())
    kept = ["IL-12 (p40)", "IL2R", "sIL-2R", "IL-12/IL-23p40"]
    names, notices = name_analytes(kept)
    assert names == kept
    assert len(notices) == len(kept)


def test_without_concentrations_of_standards_a_layout_is_asked_for_and_used(tmp_path):
    plate = one_plate(["IL6", "TNF"])
    file = write(tmp_path / "run.csv", xponent(plate, expected=False))
    with pytest.raises(InputError, match="nothing says which wells are standards.*--layout"):
        read_results(file)
    rows = [f"Standard{k},{10_000 / 4.0 ** (k - 1):.10g},,,," for k in range(1, 9)]
    rows += ["S1,,P-001,2,sepsis,blood", "S2,,P-001,4,sepsis,blood"]
    header = "sample,concentration,subject,time_h,group,place"
    layout = write(tmp_path / "layout.csv", "\n".join([header, *rows]))
    found = read_results(file, layout).panel
    columns = ["subject", "group", "time_h", "place", "analyte", "value", "unit", "flag", "sample"]
    assert list(found)[:9] == columns
    both = found[found.subject == "P-001"]
    assert both.time_h.tolist() == [2, 2, 4, 4]
    assert set(found.subject[found["sample"] == "S3"]) == {"S3"}
    text = layout.read_text("utf-8").replace("S2,", "T2,").replace("group", "gruop")
    with pytest.raises(InputError) as error:
        read_results(file, write(tmp_path / "wrong.csv", text))
    assert "the plate has no sample 'T2'. Did you mean 'S2'" in str(error.value)
    assert "'gruop' is no column and no analyte. Did you mean 'group'" in str(error.value)


def test_a_tidy_table_of_signals_is_a_plate_too(tmp_path):
    plate = one_plate(["IL6", "TNF"])
    signals = plate.signals.set_axis(["IL-6", "TNF-a"], axis=1)
    rows = signals.join(plate.wells).melt([*plate.wells], var_name="analyte", value_name="signal")
    held = plate.expected.melt().value
    text = rows.assign(concentration=held, unit="ng/L").drop(columns="kind").to_csv(index=False)
    found = read_results(write(tmp_path / "elisa.csv", text))
    direct = quantified(plate, curves_of(plate))
    np.testing.assert_allclose(found.panel.value, direct.value)
    assert set(found.panel.unit) == {"ng/L"}
    assert found.panel.analyte.tolist() == direct.analyte.tolist()
    both = pd.concat([pd.read_csv(io.StringIO(text)).assign(plate=name) for name in "AB"])
    both = read_results(write(tmp_path / "both.csv", both.to_csv(index=False)))
    assert [plate.name for plate, _ in both.plates] == ["A", "B"]
    np.testing.assert_allclose(both.panel.value[both.panel.plate == "B"], direct.value)


def test_finished_values_keep_what_is_censored(tmp_path):
    rows = ["P1,IL-6,<3.2,pg/mL", "P2,IL-6,41,pg/mL", "P3,IL-6,> 5000,pg/mL"]
    file = write(tmp_path / "done.csv", "\n".join(["sample,analyte,value,unit", *rows]))
    panel = read_results(file).panel
    assert panel.value.tolist() == [3.2, 41, 5000]
    assert panel.flag.tolist() == ["below", "", "above"]
    with pytest.raises(InputError, match="'IL 6' is not a number|'OOR <' is not a number") as error:
        read_results(write(tmp_path / "oor.csv", file.read_text("utf-8").replace("<3.2", "OOR <")))
    assert lines_of(error, "oor.csv") == {2}


NPX = """\
SampleID;Index;OlinkID;UniProt;Assay;Panel;PlateID;QC_Warning;LOD;NPX;Assay_Warning;Sample_Type
S1;1;OID20563;P05231;IL6;Inflammation;P1;PASS;1.2;3.5;PASS;SAMPLE
S2;2;OID20563;P05231;IL6;Inflammation;P1;WARN;1.2;-0.4;PASS;SAMPLE
S3;3;OID20563;P05231;IL6;Inflammation;P1;PASS;1.2;NA;PASS;SAMPLE
S1;1;OID20101;P05231;IL6;Oncology;P1;PASS;2.2;1.5;PASS;SAMPLE
S1;1;OID20074;P01375;TNF;Inflammation;P1;PASS;0.2;2.25;WARN;SAMPLE
S1;1;OID31341;Q14204;DYNC1H1;Oncology;P1;PASS;-3.8;-3.1;PASS;SAMPLE
CONTROL_P1_A12;12;OID20563;P05231;IL6;Inflammation;P1;PASS;1.2;3;PASS;CONTROL
"""


def test_npx_stays_npx_with_its_limits_and_warnings(tmp_path):
    found = read_results(write(tmp_path / "npx.csv", NPX))
    panel = found.panel.set_index(["sample", "analyte"])
    assert set(panel.unit) == {"NPX"}
    assert found.plates == ()
    assert panel.value["S1", "IL6"] == 3.5
    censored = panel.loc["S2", "IL6"]
    assert (censored.value, censored.flag, censored.reading) == (1.2, "below", -0.4)
    assert censored.remark == "QC Warning WARN"
    assert panel.flag["S3", "IL6"] == "missing"
    assert panel.remark["S1", "TNF"] == "Assay Warning WARN"
    assert ("S1", "IL6 (OID20101)") in panel.index
    assert ("S1", "DYNC1H1") in panel.index
    assert not any("CONTROL" in name for name, _ in panel.index)
    assert any("1 rows are no samples" in notice for notice in found.notices)


def test_npx_of_explore_ht_has_no_limits_and_says_so(tmp_path):
    rows = [
        "SampleID,SampleType,WellID,PlateID,OlinkID,UniProt,Assay,AssayType,Panel,Block,Count,"
        "ExtNPX,NPX,Normalization,PCNormalizedNPX,AssayQC,SampleQC,ExploreVersion",
        "A1,SAMPLE,A1,P1,OID40001,P05231,IL6,assay,HT,1,120,1.1,0.53,PC,0.5,PASS,FAIL,1.0",
        "A1,SAMPLE,A1,P1,OID40002,,Incubation,inc_ctrl,HT,1,900,1.1,0.1,PC,0.1,PASS,PASS,1.0",
    ]
    text = "\n".join(rows)
    found = read_results(write(tmp_path / "ht.csv", text))
    assert found.panel[["analyte", "value", "unit", "flag"]].values.tolist() == [
        ["IL6", 0.53, "NPX", ""]
    ]
    assert found.panel.remark.tolist() == ["SampleQC FAIL"]
    assert any("no limits of detection" in notice for notice in found.notices)


def test_decimal_commas_in_npx_are_a_locale_and_a_mixture_is_damage(tmp_path):
    rows = NPX.splitlines()
    comma = "\n".join([rows[0], *(row.replace(".", ",") for row in rows[1:])])
    assert read_results(write(tmp_path / "a.csv", comma)).panel.value[0] == 3.5
    mixed = NPX.replace(";2.25;", ";2,25;")
    with pytest.raises(InputError, match="NPX '2,25' does not have the decimal point") as error:
        read_results(write(tmp_path / "b.csv", mixed))
    assert lines_of(error, "b.csv") == {6}


@pytest.fixture
def command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    app = typer.Typer()
    app.command()(plate_command)
    return lambda *arguments: CliRunner().invoke(app, [str(a) for a in arguments])


def test_the_command_writes_a_panel_and_a_page_with_the_curves(kit, tmp_path, command):
    write(tmp_path / "run.csv", xponent(kit, KIT))
    done = command("run.csv", "--out", "panel.csv")
    assert done.exit_code == 0, done.output
    assert "Wrote panel.csv: 1,950 values of 78 samples and 25 analytes" in done.output
    panel = pd.read_csv(tmp_path / "panel.csv", keep_default_na=False)
    assert len(panel) == 78 * 25
    assert set(panel.flag) <= {"", "below", "above"}
    page = (tmp_path / "panel.html").read_text("utf-8")
    assert "data:image/svg+xml" in page
    assert "Recovery of standards" in page
    again = command("run.csv", "--out", "panel.csv")
    assert isinstance(again.exception, InputError)
    assert "already there" in str(again.exception)


def test_the_command_says_the_same_as_json_and_npx_has_no_page(tmp_path, command):
    write(tmp_path / "npx.csv", NPX)
    done = command("npx.csv", "--out", "panel.csv", "--json")
    told = json.loads(done.output)
    assert told["report"] is None
    assert not (tmp_path / "panel.html").exists()
    assert told["flags"] == {"": 3, "missing": 1, "below": 2}


def test_a_damaged_file_writes_nothing(kit, tmp_path, command):
    write(tmp_path / "run.csv", xponent(kit, KIT).replace(",5", ".5").replace('"25"', '"1,250"'))
    done = command("run.csv", "--out", "panel.csv")
    assert isinstance(done.exception, InputError)
    assert [path.name for path in tmp_path.iterdir()] == ["run.csv"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "this file is empty"),
        ("a,b\n1,2\n", "the column 'sample' is missing"),
        ("sample,analite,value,unit\nS,IL6,1,pg/mL\n", "Did you mean 'analite'"),
        (
            '"DataType:","Result"\n"Location","Sample","IL6"\n',
            "no block 'Median' here, only Result",
        ),
        ("sample,analyte,signal\nS1,IL6,3\n", "nothing says which wells are standards"),
        ("sample,analyte,value,unit\nS1,IL6,3,\n", "this value has no unit"),
    ],
)
def test_a_file_that_is_no_plate_says_what_is_missing(tmp_path, text, says):
    with pytest.raises(InputError, match=says):
        read_results(write(tmp_path / "x.csv", text))
