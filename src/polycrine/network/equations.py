"""A published model in SBML -> the inside of a cell, with ports to what is around it.

Names of the file stand behind the cell's own (`B_cell.pSTAT5`); its time becomes min. A port that
hears puts the level of a molecule, in the file's unit, in place of a constant of the file. What is
taken up or set free is counted in molecules per cell and enters the ledger.
"""

from polycrine.catalogue.entries import Number
from polycrine.catalogue.library import Catalogue
from polycrine.errors import InputError, Problem, nearest
from polycrine.model.programs import Program, equations_file
from polycrine.network.builder import Builder
from polycrine.network.expressions import renamed
from polycrine.network.network import Network, identifier
from polycrine.network.sbml import SbmlModel, read_sbml
from polycrine.network.surroundings import Surroundings
from polycrine.units import express, quantity

HELD, FILE_UNIT = "_held", "unit of its file"


def write_equations(
    build: Builder, group: str, program: Program, around: Surroundings
) -> dict[str, str]:
    """The equations of a program's file; returns what it shows, by name.

    Raises InputError with everything of the program that does not fit the file.
    """
    equations = program.equations
    assert equations is not None
    model = read_sbml(equations_file(equations.file))
    _refuse(program, model, build.known)
    minutes = quantity(equations.time, "duration")
    path = f"{program.program.replace(' ', '_')}.equations"
    names = {"t": f"(t/{minutes!r})"}
    for parameter in model.network.parameters:
        if parameter.name in equations.hears:
            hearing = equations.hears[parameter.name]
            level = around.levels.get(hearing.of, "0")
            factor = express(1.0, hearing.unit, build.known.active_form(hearing.of))
            names[parameter.name] = f"({factor!r}*{level})"
            continue
        number = Number(
            value=parameter.value,
            context=f"as in {equations.file}, in its unit",
            source=equations.source or None,
            origin="read" if equations.source else "author",
        )
        names[parameter.name] = build.number(f"{path}.{parameter.name}", number, "number")
    sizes = _sizes(model.network)
    for species in model.network.species:
        own = f"{group}.{identifier(species.name)}{HELD}"
        start, size = float(species.initial), sizes[species.name]
        names[species.name] = build.add(own, FILE_UNIT, start, scale=size)
    for name, text in model.network.assignments:
        names[name] = f"{group}.{identifier(name)}_rule"
        build.assignments[names[name]] = renamed(text, names)
    for reaction in model.network.reactions:
        changes = {names[name]: renamed(text, names) for name, text in reaction.changes}
        build.react(f"({renamed(reaction.rate, names)})/{minutes!r}", changes)
    values = {quantity.id: renamed(quantity.value, names) for quantity in model.quantities}
    for kind, ports in (("takes_up", equations.takes_up), ("secretes", equations.secretes)):
        for molecule, rates in ports.items():
            if molecule not in around.stocks:
                continue
            terms = [
                f"{build.number(f'{path}.{kind}.{molecule}.{rate}', number, 'molecules')}"
                f"*{values[rate]}"
                for rate, number in rates.items()
            ]
            moved, raised = f"({' + '.join(terms)})/{minutes!r}", around.raised_by[molecule]
            if kind == "takes_up":
                build.react(moved, {around.stocks[molecule]: f"-{raised}"}, f"taken up by {group}")
            else:
                moved = f"{identifier(molecule)}.gene*{moved}"
                build.react(moved, {around.stocks[molecule]: raised}, f"made by {group}")
    shown = {}
    for name in equations.shows:
        shown[name] = f"{group}.{identifier(name)}"
        build.assignments[shown[name]] = values[name]
    return shown


def _sizes(network: Network) -> dict[str, float]:
    """What the error of each variable refers to: its start, or that of the smallest other one."""
    moving = {name for reaction in network.reactions for name, _ in reaction.changes}
    starts = {species.name: abs(float(species.initial)) for species in network.species}
    least = min((size for size in starts.values() if size > 0), default=1.0)
    return {name: (size or least) if name in moving else 0.0 for name, size in starts.items()}


def _refuse(program: Program, model: SbmlModel, catalogue: Catalogue) -> None:
    """Raises InputError with every port that the file, or the catalogue, does not have."""
    equations, problems = program.equations, []
    assert equations is not None
    known = [quantity.id for quantity in model.quantities]
    constants = [parameter.name for parameter in model.network.parameters]
    place = f"{program.program}.equations"
    for name in equations.hears:
        if name not in constants:
            rule = f"'{name}' is no constant of {equations.file}."
            problems.append(Problem(f"{place}.hears", rule, nearest(name, constants)))
    for molecule in equations.molecules:
        if molecule not in catalogue.molecules:
            rule, instead = f"'{molecule}' is no molecule.", nearest(molecule, catalogue.molecules)
            problems.append(Problem(place, rule, instead))
    ports = (equations.takes_up, equations.secretes)
    rates = [rate for port in ports for moved in port.values() for rate in moved]
    for name in (*rates, *equations.shows):
        if name not in known:
            rule = f"'{name}' is no symbol of {equations.file}."
            problems.append(Problem(place, rule, nearest(name, known)))
    if model.network.events:
        rule = f"{equations.file} has events, which the cells of a tissue cannot have."
        problems.append(Problem(place, rule))
    if problems:
        raise InputError(problems)
