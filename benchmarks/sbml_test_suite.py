"""The semantic cases of the SBML test suite, from a local copy, beside their expected results.

    python benchmarks/sbml_test_suite.py FOLDER [CASE ...]

FOLDER holds one folder per case (`cases/semantic` of github.com/sbmlteam/sbml-test-suite). Prints
how many pass at the tolerances that each case sets, how many are refused and why, and what is
wrong.
"""

import re
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd

from polycrine.errors import PolycrineError
from polycrine.network.expressions import read
from polycrine.network.sbml import SbmlModel, read_sbml
from polycrine.runs.sbml import Accuracy, simulate

ACCURACY = Accuracy(1e-9, 1e-11)
LEVELS = ("l3v2", "l3v1", "l2v5", "l2v4", "l2v3", "l2v2", "l2v1", "l1v2")  # newest first


def at_start(model: SbmlModel) -> dict[str, float]:
    """The value of each symbol that never changes."""
    network = model.network
    known = {s.name: s.initial for s in network.species} | {"t": 0.0}
    known |= {p.name: p.value for p in network.parameters}
    for name, text in network.assignments:
        known[name] = read(text, known)
    return {q.id: float(read(q.value, known)) for q in model.quantities if not q.changes}


def case(folder: Path) -> tuple[str, str, str]:
    """Number, outcome (pass, refused, wrong) and why."""
    number = folder.name
    lines = (folder / f"{number}-settings.txt").read_text("utf-8").splitlines()
    asked = {
        key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)
    }
    files = [folder / f"{number}-sbml-{level}.xml" for level in LEVELS]
    try:
        model = read_sbml(next(file for file in files if file.exists()))
    except PolycrineError as error:
        return number, "refused", str(error).splitlines()[0]
    end, points = float(asked["duration"]), int(asked["steps"]) + 1
    try:
        tables = [simulate(model, end, points, ACCURACY, amounts) for amounts in (False, True)]
    except PolycrineError as error:
        return number, "failed", str(error)
    in_amounts = {name.strip() for name in asked["amount"].split(",")}
    rows = pd.read_csv(folder / f"{number}-results.csv", header=0).to_numpy(dtype=float)
    start = at_start(model)
    wanted = [name.strip() for name in asked["variables"].split(",")]
    for name, theirs in zip(wanted, rows[:, 1:].T, strict=True):
        table = tables[name in in_amounts].iloc[:, 1:]
        ours = table[name].to_numpy() if name in table else np.full(points, start[name])
        with np.errstate(invalid="ignore"):
            within = float(asked["absolute"]) + float(asked["relative"]) * np.abs(theirs)
            good = (np.abs(ours - theirs) <= within) | (ours == theirs)
        if not np.all(good | (np.isnan(ours) & np.isnan(theirs))):
            return number, "wrong", name
    return number, "pass", ""


def main() -> None:
    """Run every case, or those that are named."""
    root, wanted = Path(sys.argv[1]), sys.argv[2:]
    found = sorted(p for p in root.iterdir() if p.is_dir() and p.name.isdigit())
    chosen = [p for p in found if not wanted or p.name in wanted]
    with ProcessPoolExecutor() as pool:
        rows = list(pool.map(case, chosen, chunksize=20))
    for outcome, count in Counter(outcome for _, outcome, _ in rows).most_common():
        print(f"{count:5d} {outcome}")
    reasons = Counter(
        re.sub(r"^.*?: ", "", why) for _, outcome, why in rows if outcome == "refused"
    )
    for why, count in reasons.most_common():
        print(f"      {count:4d} refused: {why}")
    for number, outcome, why in rows:
        if outcome not in ("pass", "refused"):
            print(number, outcome, why)


if __name__ == "__main__":
    main()
