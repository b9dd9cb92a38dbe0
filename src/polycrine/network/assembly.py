"""Receptors that a ligand assembles step by step from the chains of a cell.

A ligand L binds a chain c from solution (Kd_c, kon_c). On the membrane a complex takes up a further
chain at the rate k S c and loses it at k K S, with K = x Kd_c in molecules per cell (x:
crosslinking), or, for a chain that does not hold the ligand alone, K of its own. As x is the same
for all, each complex is equally stable whatever the order of its steps. Chains are replaced at
their turnover; complexes that signal are taken up with all that is in them.
"""

from collections.abc import Collection, Iterator
from itertools import combinations

import numpy as np

from polycrine.catalogue.entries import Assembly, Number
from polycrine.catalogue.library import Catalogue
from polycrine.model.programs import Program
from polycrine.network.builder import LN2, Builder
from polycrine.network.network import Value, identifier
from polycrine.network.surroundings import Surroundings

Chains = frozenset[str]


def assemblies_of(
    known: Catalogue, program: Program, ligands: Collection[str]
) -> dict[str, Assembly]:
    """The receptors that ligands around a cell can assemble from its chains."""
    return {
        key: assembly
        for key, assembly in known.assemblies.items()
        if {*assembly.signals} <= {*program.chains} and assembly.ligand in ligands
    }


def write_chains(build: Builder, group: str, program: Program) -> None:
    """The free chains of a cell and their turnover."""
    path = f"{program.program.replace(' ', '_')}.chains"
    for name, chain in program.chains.items():
        amount = build.number(f"{path}.{name}.per_cell", chain.per_cell, "molecules")
        loss = f"{LN2}/{build.number(f'{path}.{name}.turnover', chain.turnover, 'duration')}"
        free = f"{group}.{identifier(name)}"
        build.add(free, "molecules/cell", build.value(amount), scale=10.0)
        build.react(f"{loss}*({amount} - {free})", {free: "1"})


def write_assembly(
    build: Builder,
    group: str,
    program: Program,
    key: str,
    assembly: Assembly,
    around: Surroundings,
    gate: str,
) -> str:
    """The complexes of one ligand; returns those that signal, as an expression."""
    own, path = f"{group}.{identifier(key)}", key
    ligand, carried = assembly.ligand, {*program.chains}
    level, stock, raised = (m[ligand] for m in (around.levels, around.stocks, around.raised_by))
    cross = build.number(f"{path}.crosslinking", assembly.crosslinking, "crosslinking")
    fast = build.number(f"{path}.association", assembly.association, "membrane rate")
    taken = build.number(f"{path}.internalisation", assembly.internalisation, "rate")
    held = {ligand: 1}
    names: dict[Chains, str] = {}
    signalling = []
    for chains in complexes_of(assembly, carried):
        names[chains] = f"{own}_{'_'.join(map(identifier, sorted(chains)))}"
        build.add(names[chains], "molecules/cell", pmol=around.pmol, contents=held, scale=10.0)
        if {*assembly.signals} <= chains:
            signalling.append(names[chains])
    for chains, name in names.items():
        for chain in sorted(chains):
            step, free = assembly.chains[chain], f"{group}.{identifier(chain)}"
            at, smaller = f"{path}.chains.{chain}", chains - {chain}
            if step.kd is not None and step.kon is not None:
                kd = build.number(f"{at}.Kd", step.kd, "concentration")
                kon = build.number(f"{at}.kon", step.kon, "association rate")
                if not smaller:
                    binding = {stock: f"-{raised}", free: "-1", name: "1"}
                    build.react(f"{gate}*{kon}*{level}*{free}", binding)
                    build.react(f"{kd}*{kon}*{name}", {stock: raised, free: "1", name: "-1"})
                constant = f"{cross}*{kd}"
            elif step.on_membrane is not None:
                constant = build.number(f"{at}.on_membrane", step.on_membrane, "molecules")
            if smaller in names:
                joining = {names[smaller]: "-1", free: "-1", name: "1"}
                build.react(f"{fast}*{names[smaller]}*{free}", joining)
                build.react(
                    f"{fast}*{constant}*{name}", {names[smaller]: "1", free: "1", name: "-1"}
                )
        if name in signalling:
            build.react(f"{taken}*{name}", {name: "-1"}, f"taken up by {group}")
    return " + ".join(signalling)


def trace_uptake(build: Builder, program: Program, key: str, assembly: Assembly) -> Value:
    """Molecules that one cell takes up in a minute of a trace of the ligand, per pM of it."""
    path, chains_path = key, f"{program.program.replace(' ', '_')}.chains"
    chains = [name for name in assembly.chains if name in program.chains]
    names = list(complexes_of(assembly, {*chains}))

    def value(at: str, number: Number | None, kind: str) -> Value:
        return 0.0 if number is None else build.value(build.number(at, number, kind))

    given = [
        value(f"{path}.crosslinking", assembly.crosslinking, "crosslinking"),
        value(f"{path}.association", assembly.association, "membrane rate"),
        value(f"{path}.internalisation", assembly.internalisation, "rate"),
    ]
    for name in chains:
        step, at = assembly.chains[name], f"{path}.chains.{name}"
        given += [
            value(f"{chains_path}.{name}.per_cell", program.chains[name].per_cell, "molecules"),
            value(f"{at}.Kd", step.kd, "concentration"),
            value(f"{at}.kon", step.kon, "association rate"),
            value(f"{at}.on_membrane", step.on_membrane, "molecules"),
        ]

    def one(cross: float, fast: float, taken: float, *numbers: float) -> float:
        own = {name: numbers[4 * k : 4 * k + 4] for k, name in enumerate(chains)}
        rates, caught = np.zeros((len(names), len(names))), np.zeros(len(names))
        for i, chains_there in enumerate(names):
            rates[i, i] -= taken if {*assembly.signals} <= chains_there else 0.0
            for chain in chains_there:
                free, kd, kon, on_membrane = own[chain]
                smaller = chains_there - {chain}
                if not smaller:
                    caught[i] += kon * free
                    rates[i, i] -= kon * kd
                elif smaller in names:
                    j = names.index(smaller)
                    back = fast * (on_membrane or cross * kd)
                    rates[i, j] += fast * free
                    rates[j, j] -= fast * free
                    rates[j, i] += back
                    rates[i, i] -= back
        state = np.linalg.solve(rates, -caught)
        signal = [k for k, some in enumerate(names) if {*assembly.signals} <= some]
        return float(taken * state[signal].sum())

    return np.vectorize(one)(*given) if any(map(np.ndim, given)) else one(*given)


def complexes_of(assembly: Assembly, carried: set[str]) -> Iterator[Chains]:
    """Every complex that can be: each chain behind the one that it needs, one that holds the
    ligand by itself among them."""
    chains = [name for name in assembly.chains if name in carried]
    for size in range(1, len(chains) + 1):
        for some in combinations(chains, size):
            steps = [assembly.chains[name] for name in some]
            needed = {step.after for step in steps} - {None}
            if needed <= {*some} and any(step.kd is not None for step in steps):
                yield frozenset(some)
