"""Network -> machine code: right-hand side, sparse Jacobian and time derivative.

The rates become one graph of terms, are differentiated, written as LLVM IR and compiled by
llvmlite; the object code is kept on disk under the hash of the equations, so a network is
compiled once per machine.
The sparse LU of 1/(gamma h) - J is a static plan of index arrays (no pivoting: the diagonal
dominates for the step sizes that the error control admits).
"""

import hashlib
import os
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple

import llvmlite
import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from polycrine.network.expressions import read
from polycrine.network.graph import Graph, Term
from polycrine.network.machine import WIDTH, write_function
from polycrine.network.network import Network
from polycrine.network.sensitivity import along, base_size, in_time

Ints = NDArray[np.int64]
FORMAT = "8"
WAVES = 2000  # steps of a run at least, where a condition may come and go in time by itself
FUNCTIONS = ("rates", "jacobian", "drift", "watched", "gaps", "crossings", "values", "jumps")
OF_A_STEP = FUNCTIONS[:4]  # what lanes need as well
_engines: dict[str, Any] = {}
_lock = threading.Lock()


class Plan(NamedTuple):
    """Where the entries of the factorised matrix lie, in the order of elimination.

    order: species in the order of elimination; diagonal: position of each pivot; position of
    each Jacobian entry (jacobian_at); for pivot k the rows below it (lower_at, lower_row) and
    the columns right of it (upper_at, upper_column), and the target of each product.
    """

    size: int
    order: Ints
    diagonal: Ints
    jacobian_at: Ints
    lower_start: Ints
    lower_at: Ints
    lower_row: Ints
    upper_start: Ints
    upper_at: Ints
    upper_column: Ints
    target: Ints


@dataclass(frozen=True)
class Code:
    """Addresses of compiled functions f(t, y, p, out), and the elimination plan.

    Each function writes the terms that `Equations` has under its name; conditions are how many
    are watched, clocks how many of them depend on time alone; waves: how many steps a run takes at
    least, where one of these may come and go by itself.
    """

    rates: int
    jacobian: int
    drift: int
    watched: int
    gaps: int
    crossings: int
    values: int
    jumps: int
    rows: Ints
    columns: Ints
    plan: Plan
    conditions: int = 0
    clocks: int = 0
    waves: int = 0

    @property
    def addresses(self) -> Ints:
        """What the integrator calls: rates, jacobian, drift, watched and gaps."""
        return np.array([self.rates, self.jacobian, self.drift, self.watched, self.gaps])


def compile_network(network: Network, say: Callable[[str], None] = lambda _: None) -> Code:
    """Machine code for a network, from the disk cache when these equations were met before."""
    at, arrays = _compiled(network, 1, say)
    rows, columns = arrays["rows"], arrays["columns"]
    conditions, clocks, waves = arrays["sizes"].tolist()
    plan = make_plan(len(network.species), rows, columns)
    addresses = {name: at(name) for name in FUNCTIONS}
    return Code(**addresses, rows=rows, columns=columns, plan=plan, conditions=conditions,
                clocks=clocks, waves=waves)  # fmt: skip


def compile_lanes(network: Network) -> Ints:
    """Addresses of what the integrator calls as f(t, y, p, out), of WIDTH states side by side."""
    at, _ = _compiled(network, WIDTH, lambda _: None)
    return np.array([at(name) for name in OF_A_STEP])


def _compiled(network: Network, lanes: int, say: Callable[[str], None]) -> Any:
    """Function name -> address, and what is stored with the code."""
    machine = target_machine()
    told = (network.digest, llvm.get_host_cpu_name(), llvmlite.__version__, FORMAT, str(lanes))
    key = hashlib.sha256("-".join(told).encode()).hexdigest()[:32]
    stored = cache_folder() / f"{key}.npz"
    if not stored.is_file():
        say(f"compiling the equations ({len(network.species)} variables), once per model")
        _store(stored, network, machine, lanes)
    with np.load(stored, allow_pickle=False) as file:
        arrays = dict(file)
    with _lock:
        if key not in _engines:
            engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
            engine.add_object_file(llvm.ObjectFileRef.from_data(arrays["binary"].tobytes()))
            engine.finalize_object()
            _engines[key] = engine
    return _engines[key].get_function_address, arrays


def target_machine() -> Any:
    """What code is compiled for: this machine."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=2
    )


def cache_folder() -> Path:
    """Where compiled equations are kept: $POLYCRINE_CACHE, else the user's cache folder, else a
    temporary one where that cannot be written."""
    user = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "polycrine"
    folder = Path(os.environ.get("POLYCRINE_CACHE") or user)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        folder = Path(tempfile.mkdtemp(prefix="polycrine-"))
    return folder


def _store(path: Path, network: Network, machine: Any, lanes: int) -> None:
    equations = differentiate(network)
    names = {species.name: ("y", i) for i, species in enumerate(network.species)}
    names |= {parameter.name: ("p", i) for i, parameter in enumerate(network.parameters)}
    module = ir.Module(name="network")
    for name in FUNCTIONS if lanes == 1 else OF_A_STEP:
        write_function(module, name, equations.graph, getattr(equations, name), names, lanes)
    compiled = llvm.parse_assembly(str(module))
    compiled.verify()
    builder = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(2))
    builder.getModulePassManager().run(compiled, builder)
    binary = np.frombuffer(machine.emit_object(compiled), dtype=np.uint8)
    scratch = path.with_name(f"{path.stem}.{os.getpid()}.npz")
    clocks = len(equations.crossings) // 2
    sizes = np.array([len(equations.watched), clocks, equations.waves])
    places = {"rows": equations.rows, "columns": equations.columns}
    np.savez(scratch, allow_pickle=False, binary=binary, sizes=sizes, **places)
    scratch.replace(path)


@dataclass(frozen=True)
class Equations:
    """What a network means, as terms of one graph.

    rates: dy/dt; jacobian: the nonzero entries of its derivative (rows, columns); drift: its
    partial time derivative; watched: conditions whose change is an instant on which a step has to
    end; gaps: how far their sides lie apart; crossings: of each condition on time alone its gap,
    and how fast that changes; values: of each event its trigger, delay, priority, and for each
    change the value and its factor; jumps: with sensitivities, of each gap how it changes in time
    and with what is wanted, then of each event the same of its delay and of each change; waves: how
    many steps a run takes at least, where a condition comes and goes.
    """

    graph: Graph
    rates: list[Term]
    jacobian: list[Term]
    drift: list[Term]
    rows: Ints
    columns: Ints
    watched: list[Term]
    gaps: list[Term]
    crossings: list[Term]
    values: list[Term]
    jumps: list[Term]
    waves: int


def differentiate(network: Network) -> Equations:
    """The equations of a network, and their derivatives."""
    graph = Graph()
    index = {species.name: i for i, species in enumerate(network.species)}
    known = {name: graph.symbol(name) for name in (*index, "t")}
    known |= {parameter.name: graph.symbol(parameter.name) for parameter in network.parameters}
    for name, text in network.assignments:
        known[name] = read(text, known, graph.algebra)
    zero = graph.number(0.0)
    rates, drift = [zero] * len(index), [zero] * len(index)
    entries: dict[tuple[int, int], Term] = {}
    for reaction in network.reactions:
        rate = read(reaction.rate, known, graph.algebra)
        for name, text in reaction.changes:
            row, part = index[name], read(text, known, graph.algebra) * rate
            rates[row] += part
            drift[row] += graph.slope(part, "t")
            for symbol in sorted(part.names & index.keys(), key=index.__getitem__):
                place = row, index[symbol]
                entries[place] = entries.get(place, zero) + graph.slope(part, symbol)
    if network.wanted:
        _add_sensitivities(graph, network, rates, drift, entries, index)
    places = sorted(entries)
    values = [
        read(text, known, graph.algebra)
        for event in network.events
        for text in (
            *(event.trigger, event.delay, event.priority),
            *(part for change in event.changes for part in change[1:]),
        )
    ]
    moving = {name for reaction in network.reactions for name, _ in reaction.changes}
    if network.wanted:
        moving |= {species.name for species in network.species[base_size(network) :]}
    watched, gaps, crossings, waves = [], [], [], 0
    for condition in graph.comparisons([*rates, *values]):
        if not condition.names & {*moving, "t"}:
            continue  # it can change in events only
        left, right = (Term(graph, at) for at in graph.nodes[condition.at].parts)
        watched.append(condition)
        gaps.append(left - right)
        if "t" in condition.names and not condition.names & moving:
            crossings += [left - right, graph.slope(left - right, "t")]
            waves = max(waves, WAVES if "t" in crossings[-1].names else 0)
    jumps = _jumps(graph, network, rates, gaps, values) if network.wanted else []
    return Equations(
        graph,
        rates,
        [entries[place] for place in places],
        drift,
        np.array([row for row, _ in places], dtype=np.int64),
        np.array([column for _, column in places], dtype=np.int64),
        watched,
        gaps,
        crossings,
        values,
        jumps,
        waves,
    )


def _add_sensitivities(
    graph: Graph,
    network: Network,
    rates: list[Term],
    drift: list[Term],
    entries: dict[tuple[int, int], Term],
    index: dict[str, int],
) -> None:
    size = base_size(network)
    for k in range(len(network.wanted)):
        for i in range(size):
            row, term = size * (1 + k) + i, along(graph, network, rates[i], k)
            rates[row], drift[row] = term, graph.slope(term, "t")
            for symbol in sorted(term.names & index.keys(), key=index.__getitem__):
                entries[row, index[symbol]] = graph.slope(term, symbol)


def _jumps(
    graph: Graph, network: Network, rates: list[Term], gaps: list[Term], values: list[Term]
) -> list[Term]:
    """What decides how sensitivities jump: of each gap the change in time with the species, else
    that in time alone; and for each what is wanted the change along it."""
    found = []
    count = range(len(network.wanted))
    for gap in gaps:
        found += [in_time(graph, network, gap, rates)]
        found += [along(graph, network, gap, k) for k in count]
    at = 0
    for event in network.events:
        parts = values[at : at + 3 + 2 * len(event.changes)]
        products = [value * factor for value, factor in zip(parts[3::2], parts[4::2], strict=True)]
        for term in (parts[1], *products):
            found += [graph.slope(term, "t")]
            found += [along(graph, network, term, k) for k in count]
        at += len(parts)
    return found


def make_plan(size: int, rows: Ints, columns: Ints) -> Plan:
    """The order of elimination with least fill (Markowitz), and every position it touches."""
    right: list[set[int]] = [set() for _ in range(size)]
    below: list[set[int]] = [set() for _ in range(size)]
    for i, j in zip(rows.tolist(), columns.tolist(), strict=True):
        if i != j:
            right[i].add(j)
            below[j].add(i)
    filled = {(i, i) for i in range(size)} | set(zip(rows.tolist(), columns.tolist(), strict=True))
    left, order = set(range(size)), []
    lower: list[list[int]] = []
    upper: list[list[int]] = []
    while left:
        pivot = min(left, key=lambda k: (len(right[k]) * len(below[k]), k))
        left.remove(pivot)
        order.append(pivot)
        under, beside = sorted(below[pivot]), sorted(right[pivot])
        lower.append(under)
        upper.append(beside)
        for i in under:
            right[i].discard(pivot)
            new = set(beside) - {i}
            for j in new - right[i]:
                below[j].add(i)
            right[i] |= new
            filled.update((i, j) for j in beside)
        for j in beside:
            below[j].discard(pivot)
    at = {place: k for k, place in enumerate(sorted(filled))}
    places = list(zip(order, lower, upper, strict=True))
    parts = (
        order,
        [at[k, k] for k in order],
        [at[place] for place in zip(rows.tolist(), columns.tolist(), strict=True)],
        [0, *accumulate(map(len, lower))],
        [at[i, k] for k, under, _ in places for i in under],
        [i for _, under, _ in places for i in under],
        [0, *accumulate(map(len, upper))],
        [at[k, j] for k, _, beside in places for j in beside],
        [j for _, _, beside in places for j in beside],
        [at[i, j] for _, under, beside in places for i in under for j in beside],
    )
    return Plan(len(at), *(np.array(part, dtype=np.int64) for part in parts))
