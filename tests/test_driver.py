"""The driver that is kept as machine code, in processes of its own."""

import os
import subprocess
import sys
from itertools import permutations

import pytest

from polycrine.engine.driver import MATHEMATICS, RAISING
from polycrine.engine.entries import compiled

ALONE = """
from polycrine.model.programs import equations_file
from polycrine.network.sbml import read_sbml
from polycrine.runs.sbml import trajectory
import sys
text = equations_file("il13.xml").replace('(ng/mL)" value="0"', '(ng/mL)" value="4"')
found = trajectory(read_sbml(text), 120.0, 7)
print("bits", found["pSTAT5"].tobytes().hex())
print("numba", "numba" in sys.modules)
"""
SCENARIO = """
import polycrine as pc
run = pc.run(pc.load("rheumatoid-arthritis", ["run.for=2 d"]), "tocilizumab 8 mg/kg")
print("bits", run.states.value.values.tobytes().hex()[:4000])
"""
MANY = """
import numpy as np
import polycrine as pc
from polycrine.scenarios.library import load_plan
from pathlib import Path
import tempfile
plan, model, document = load_plan("il-2-doses")
done = pc.sweep(plan, model, Path(tempfile.mkdtemp()) / "doses", document=document)
print("bits", done.levels().value.values.tobytes().hex()[:4000])
"""


def run(code, folder):
    environment = {**os.environ, "POLYCRINE_CACHE": str(folder)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    return dict(line.split(" ", 1) for line in done.stdout.splitlines())


def test_the_code_asks_its_process_for_nothing_but_mathematics_and_what_raises():
    for name, _, code in compiled():
        asked = {word for word in code.split(b"\0") if word.startswith((b"numba_", b"NRT_"))}
        known = {f"numba_{own}".encode() for own in MATHEMATICS} | {own.encode() for own in RAISING}
        assert asked <= known, name


def test_a_later_process_runs_without_numba_and_has_the_same_bits():
    folder = os.environ["POLYCRINE_CACHE"]
    first, second = run(ALONE, folder), run(ALONE, folder)
    assert second["numba"] == "False"
    assert first["bits"] == second["bits"]


@pytest.mark.slow
@pytest.mark.parametrize("order", list(permutations((ALONE, SCENARIO, MANY))))
def test_whichever_process_compiles_the_driver_the_others_can_use_it(tmp_path, order):
    before = [run(code, tmp_path)["bits"] for code in order]
    after = [run(code, tmp_path)["bits"] for code in order]
    assert before == after
