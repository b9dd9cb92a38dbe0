"""A declaration as a model that other programs read."""

from dataclasses import replace

from polycrine.errors import wrong
from polycrine.model.model import Model
from polycrine.network.code import compile_network
from polycrine.network.places import to_network
from polycrine.network.sbml_writer import write_sbml
from polycrine.network.schedule import make_schedule
from polycrine.runs.health import settled
from polycrine.runs.run import choose_samples, end_time


def to_sbml(model: Model, arm: str | None = None) -> str:
    """The text of an SBML file: the stirred network of a model, its cells settled, with its doses.

    Raises InputError for a model with a tissue, of which no one network is the whole.
    """
    if model.tissue is not None:
        rule = f"'{model.tissue}' is a tissue in space; SBML holds stirred places only."
        raise wrong(f"places.{model.tissue}", rule)
    (sample,) = choose_samples(model, arm)
    chosen = model.with_arm(sample)
    network = to_network(chosen)
    member = settled(chosen, network, compile_network(network))
    started = replace(
        network,
        species=tuple(
            replace(species, initial=float(value))
            for species, value in zip(network.species, member.state, strict=True)
        ),
        parameters=tuple(
            replace(parameter, value=float(value))
            for parameter, value in zip(network.parameters, member.parameters, strict=True)
        ),
    )
    schedule = make_schedule(chosen, network, None, end_time(chosen))
    return write_sbml(started, chosen.name, schedule)
