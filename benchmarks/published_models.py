"""Numbers of published cytokine models, as two other simulators agree on them, beside ours.

    python benchmarks/published_models.py FOLDER

FOLDER holds the files of BioModels, named BIOMD0000000140*.xml and so on, at any depth. The numbers
are those of libroadrunner 2.10 at rtol 1e-10, with which COPASI 4.48 agrees, on the same grid.
"""

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from polycrine.network.sbml import read_sbml
from polycrine.runs.sbml import simulate

Floats = NDArray[np.float64]
RUNS = {  # the end in the model's own time, and rows
    **{140: (2360, 23601), 313: (120, 1201), 534: (2688, 2689), 537: (2688, 2689)},
    **{549: (100, 1001), 550: (10000, 1001), 591: (240, 2401), 620: (365, 3651)},
    **{665: (7200, 7201), 714: (200, 2001), 786: (385200, 38521), 861: (240, 2401)},
}
NUMBERS = (  # model, symbol, where, value
    *((140, "NFkB_nuc", 1999, 2.342875e-4), (140, "NFkB_nuc", 2030, 6.431739e-2)),
    *((140, "NFkB_nuc", 2090, 1.61748e-2), (140, "NFkB_nuc", "end", 1.836626e-2)),
    *((313, "pJAK2", "max", 0.3480044), (313, "pSTAT5", "max", 41.05391)),
    *((313, "pSTAT5", "end", 31.45768), (313, "SOCS3", "end", 164.4145)),
    *((313, "CD274mRNA", "end", 0.2902935), (534, "CRP", "start", 40.19604)),
    *((534, "CRP", "min", 2.170571), (534, "CRP", "end", 3.332190), (537, "CRP", "min", 2.113550)),
    *((537, "CRP Suppression (%)", "max", 99.0439), (549, "p", "max", 1.967681)),
    *((549, "a", "max", 5.164528), (550, "p", "end", 2.03298e-2), (550, "a", "end", 5.77668e-3)),
    *((591, "pApB", "max", 23.46400), (591, "nucpApA", "max", 140.8647)),
    *((591, "nucpBpB", "max", 35.96679), (620, "Anakinra", "max", 484.1517)),
    *((620, "IL1b", "min", 0.0500001), (620, "IL1b", "end", 2.670200)),
    *((620, "Glucose", "end", 9.767058), (665, "Cs", "max", 239.1238)),
    *((665, "Ci", "max", 69.66931), (665, "Y", "end", 2.802700e8), (665, "L", "end", 0.2822258)),
    *((714, "P", "max", 1.013923), (714, "Nstar", "max", 0.1963699), (714, "D", "max", 3.411327)),
    *((714, "C_A", "max", 0.5130351), (786, "NFKB_nuc", 365000, 0.2798555)),
    *((786, "A20", 368600, 0.1843174), (861, "pSTAT5", "max", 55.43310)),
    *((861, "npSTAT5", "max", 19.21221), (861, "npSTAT5", "end", 3.924822)),
)


def value(times: Floats, column: Floats, where: str | float) -> float:
    """The start, end, max or min of a column, or its value at a time of the grid."""
    if isinstance(where, str):
        return {"start": column[0], "end": column[-1], "max": column.max(), "min": column.min()}[
            where
        ]
    return float(column[np.argmin(np.abs(times - where))])


def main() -> None:
    """Run every model, then print each number beside ours."""
    folder, worst = Path(sys.argv[1]), 0.0
    for number, (end, points) in RUNS.items():
        model = read_sbml(min(folder.rglob(f"BIOMD{number:010d}*.xml")))
        table = simulate(model, end, points)
        names = {q.id: q.name for q in model.quantities}
        for _, symbol, where, theirs in (row for row in NUMBERS if row[0] == number):
            found = [own for own in table if symbol in (own, names.get(own))]
            ours = [value(table.time.to_numpy(), table[own].to_numpy(), where) for own in found]
            ours = min(
                ours, key=lambda v, t=theirs: abs(v - t)
            )  # a name may be that of several places
            apart = abs(ours / theirs - 1.0)
            worst = max(worst, apart)
            print(f"{number:4d} {symbol:20s} {where!s:7s} {theirs:12.7g} {ours:12.7g} {apart:.0e}")
    print(f"the largest relative difference: {worst:.1e}")


if __name__ == "__main__":
    main()
