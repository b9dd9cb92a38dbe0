"""Print what the scenario `infection` predicts: arms, times, routes, escape to the blood, ledger.

    python benchmarks/figures_infection.py [FOLDER of a finished run with all arms]

Without a folder all arms are run (some minutes).
"""

import sys

import numpy as np

import polycrine as pc
from polycrine.catalogue.library import catalogue
from polycrine.readouts.panel import concentration
from polycrine.readouts.timing import half_rise

SHOWN = ("TNF", "IL1B", "IL6", "CXCL8", "IL10", "CSF3", "CRP")
SPREAD = ("TNF", "IL1B", "IL6", "CXCL8", "IL10", "CSF3")


def main():
    """Run or read the scenario and print every table."""
    run = pc.load_run(sys.argv[1]) if len(sys.argv) > 1 else pc.run(pc.load("infection"), "all")
    arms(run)
    times(run)
    bacteria(run)
    escape(run)
    autocrine(run)
    print(f"ledger: largest error {largest_error(run):.1e} of what came in")


def arms(run):
    """Peaks and areas above the start, each beside the untreated one."""
    print("peak in blood (ratio to untreated of peak | of area above start)")
    panel = run.panel()
    blood = panel[panel.place == "blood"]
    features = {
        key: (group.value.max(), np.trapezoid(group.value - group.value.iloc[0], group.time_h))
        for key, group in blood.groupby(["sample", "analyte"], sort=False)
    }
    for sample in run.samples:
        parts = []
        for analyte in SHOWN:
            peak, area = features[sample, analyte]
            first = features[run.samples[0], analyte]
            ratios = [x / y if y else np.nan for x, y in zip((peak, area), first, strict=True)]
            parts.append(f"{analyte} {peak:.3g} (x{ratios[0]:.2f} | x{ratios[1]:.2f})")
        print(f"  {sample}: {', '.join(parts)}")


def times(run):
    """Hours at which half of the rise is passed, in the lung and in the blood."""
    print("half of the rise is passed at (h)")
    panel = run.panel()
    panel = panel[panel["sample"] == run.samples[0]]
    for place, analyte in (("lung", "TNF"), ("lung", "IL6"), ("blood", "IL6"), ("blood", "CRP")):
        rows = panel[(panel.place == place) & (panel.analyte == analyte)]
        hour = half_rise(rows.time_h.to_numpy(), rows.value.to_numpy())
        print(f"  {analyte} in {place}: {hour:.1f}")


def bacteria(run):
    """Bacteria and neutrophils, and how far neutrophils are from bacteria."""
    reads = run.reads()
    counts = reads[reads.species == "count"]
    for sample in run.samples:
        own = counts[counts["sample"] == sample].pivot(
            index="time_h", columns="cell", values="value"
        )
        left = own["bacteria"]
        peak = left.idxmax()
        met = own["neutrophil in lung"][peak] / piece(run)
        print(
            f"{sample}: most bacteria {left.max():.0f} at {peak:.1f} h, then {met:.1e} "
            f"neutrophils/mL; {left.iloc[-1]:.0f} at the end; mean distance of neutrophils from "
            f"bacteria {distance(run, sample)}"
        )


def piece(run):
    """The volume of the piece in mL."""
    voxels = np.prod([run.tissue.sizes[axis] for axis in "zyx"])
    return float(voxels * run.tissue.attrs["voxel"] ** 3 * 1e-12)


def distance(run, sample):
    """Mean distance (um) of neutrophils from bacteria at each picture with both."""
    tissue, parts = run.tissue, []
    s, kind = list(tissue.sample.values).index(sample), list(tissue.kind.values)
    rows = {name: tissue[name].values for name in tissue.data_vars if name.startswith("cell_")}
    middles = None
    for frame, time in enumerate(tissue.frame.values):
        density = tissue.field.isel(sample=s, frame=frame, fluid=-1).values
        if middles is None:
            middles = (np.indices(density.shape).reshape(3, -1).T + 0.5) * tissue.attrs["voxel"]
        own = (rows["cell_sample"] == s) & (rows["cell_frame"] == frame)
        own &= rows["cell_kind"] == kind.index("neutrophil in lung")
        if own.sum() > 2 and density.sum() > 1:
            at = np.stack([rows[f"cell_{axis}"][own] for axis in "zyx"], axis=1)
            apart = np.linalg.norm(at[:, None] - middles[None], axis=2)
            mean = (apart @ density.ravel() / density.sum()).mean()
            parts.append(f"{mean:.0f} um at {time / 60:.0f} h")
    return ", ".join(parts) or "(none)"


def escape(run):
    """What of the tissue's cytokines reaches the blood, and the blood level that this makes."""
    print("share that escapes; mean rise in blood (pM): from escape / clearance, and found")
    routes = run.routes()
    routes = routes[(routes["sample"] == run.samples[0])]
    last = routes[routes.time_h == routes.time_h.max()]
    minutes = float(run.states.time[-1])
    for molecule in SPREAD:
        own = last[last.molecule == molecule]
        out = own[own.receiver == "blood"].pmol.sum()
        into = own[(own.sender == "blood")].pmol.sum()
        made = made_in_tissue(run, molecule)
        clearance = catalogue().molecules[molecule].clearance.read("clearance", weight_kg=70)
        level = concentration(run.states, "blood", molecule)[0]
        found = np.trapezoid(level - level[0], run.states.time.values) / minutes
        print(
            f"  {molecule}: {out / made:.0%} of {made:.3g} pmol; "
            f"{(out - into) / minutes / clearance:.3g} and {found:.3g}"
        )


def made_in_tissue(run, molecule):
    """pmol that cells of the tissue have made."""
    ledger = run.ledger()
    kinds = {f"made by {kind}" for kind in run.tissue.kind.values}
    own = ledger[(ledger["sample"] == run.samples[0]) & (ledger.molecule == molecule)]
    return own[own.process.isin(kinds)].pmol.sum()


def autocrine(run):
    """How far signals reach at the end."""
    senders = run.tables["senders"]
    for row in senders[senders["sample"] == run.samples[0]].itertuples():
        if row.molecule in SPREAD:
            print(
                f"  {row.molecule} of {row.sender}: same cell {row.same_cell:.2%}, "
                f"half within {row.half_radius_um:.0f} um"
            )


def largest_error(run):
    """The largest error of the books, as a share of what came in."""
    ledger = run.ledger()
    return ledger[ledger.process == "error"].share.max()


if __name__ == "__main__":
    main()
