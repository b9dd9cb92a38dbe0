"""Half-maximal doses of IL-2 and IL-15 on blood lymphocytes, beside those measured; the two
constants of the membrane are fitted here, and written into the catalogue by hand.

    python benchmarks/il2_doses.py [--fit]
"""

import sys
import tempfile
from itertools import product
from pathlib import Path

import numpy as np

from polycrine.runs.sweep import sweep
from polycrine.scenarios.library import load, load_plan

# nM, half of (maximum - base) at 30 min: computed from the dose responses of gc-cytokines
MEASURED = {
    ("IL-2", "regulatory T cell"): 0.0507,
    ("IL-2", "NK cell"): 1.6996,
    ("IL-2", "CD8 T cell"): 2.639,
    ("IL-2", "T helper cell"): 1.7064,
    ("IL-15", "regulatory T cell"): 0.6121,
    ("IL-15", "NK cell"): 0.7564,
    ("IL-15", "CD8 T cell"): 0.9597,
    ("IL-15", "T helper cell"): 1.0784,
}
LOW, HIGH = "T helper cell, CD25 low", "T helper cell, CD25 high"
SHARE_HIGH = 0.2
MOLECULES = {"IL-2": "IL2", "IL-15": "IL15"}
RECEPTORS = ("IL2R-assembled", "IL15R-assembled")


def half_maximal_doses(settings=(), doses=40):
    """(ligand, cell) -> nM; T helper cells are a mixture of CD25 low and high."""
    levels = np.concatenate([[0.0], np.geomspace(1e-4, 84, doses)])
    found = {}
    for arm, molecule in MOLECULES.items():
        plan, _, document = load_plan("il-2-doses")
        grid = {f"{molecule}.dose": tuple(f"{level:.6g} nM" for level in levels)}
        plan = plan.model_copy(update={"arms": (arm,), "grid": grid})
        model = load("il-2-panel", list(settings))
        with tempfile.TemporaryDirectory() as folder:
            seen = sweep(plan, model, Path(folder) / "doses", document=document).levels().value
            cells = {
                str(name): seen.sel(analyte=name).values[:, -1]
                for name in seen.analyte.values
                if str(name).startswith("pSTAT5 in ")
            }
        cells = {name.removeprefix("pSTAT5 in "): values for name, values in cells.items()}
        mixed = (1 - SHARE_HIGH) * cells.pop(LOW) + SHARE_HIGH * cells.pop(HIGH)
        for cell, answer in {**cells, "T helper cell": mixed}.items():
            half = (answer.max() + answer[0]) / 2
            k = int(np.argmax(answer >= half))
            around = answer[k - 1 : k + 1], np.log(levels[k - 1 : k + 1])
            found[arm, cell] = float(np.exp(np.interp(half, *around)))
    return found


def settings(on_membrane, crosslinking):
    """Settings of the two constants, for both ligands."""
    for receptor in RECEPTORS:
        yield f"numbers.{receptor}.chains.IL2RG.on_membrane={on_membrane} molecules"
        yield f"numbers.{receptor}.crosslinking={crosslinking} molecules/nM"


def fit():
    """The two constants with the least mean square of the logarithms of predicted / measured."""
    best = None
    for pair in product((150, 180, 200, 220, 240, 260, 300), (5, 10, 20, 30, 40, 60, 100)):
        found = half_maximal_doses(settings(*pair))
        logs = np.array([np.log(found[key] / value) for key, value in MEASURED.items()])
        if best is None or np.mean(logs**2) < best[0]:
            best = np.mean(logs**2), pair
    return best


def main():
    """Print predicted and measured doses."""
    if "--fit" in sys.argv:
        square, (on_membrane, crosslinking) = fit()
        print(f"on membrane {on_membrane} molecules, crosslinking {crosslinking} molecules/nM")
        print(f"root mean square of ln(predicted / measured): {square**0.5:.2f}")
    found = half_maximal_doses()
    for (ligand, cell), value in MEASURED.items():
        seen = found[ligand, cell]
        ratio = f"predicted / measured {seen / value:.2f}"
        print(f"{ligand:6} {cell:18} {seen:6.3f} nM, measured {value:6.3f}, {ratio}")


if __name__ == "__main__":
    main()
