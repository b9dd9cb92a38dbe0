"""Small models in SBML, written with libsbml from formulas, for the tests of reading them."""

import libsbml


def formula(text):
    settings = libsbml.L3ParserSettings()
    settings.setParseLog(libsbml.L3P_PARSE_LOG_AS_LN)
    settings.setParseL3v2Functions(True)
    node = libsbml.parseL3FormulaWithSettings(text, settings)
    assert node is not None, libsbml.getLastParseL3Error()
    return node


def sbml(
    places=None,
    species=None,
    parameters=None,
    reactions=(),
    rates=None,
    assigned=None,
    initially=None,
    events=(),
    version=2,
):
    """A model of level 3.

    places, parameters: id -> value; species: id -> attributes (initialAmount, compartment `c`
    unless told, hasOnlySubstanceUnits, boundaryCondition, conversionFactor); reactions: (law,
    {species: stoichiometry, a number or an id}); events: (trigger, {id: formula}, more), more
    being delay, priority, persistent, initial, early.
    """
    document = libsbml.SBMLDocument(3, version)
    m = document.createModel()
    m.setId("m")
    for own, size in (places or {"c": 1.0}).items():
        place = m.createCompartment()
        place.setId(own)
        place.setSize(size)
        place.setSpatialDimensions(3)
        place.setConstant(False)
    for own, told in (species or {}).items():
        s = m.createSpecies()
        s.setId(own)
        s.setCompartment("c")
        s.setHasOnlySubstanceUnits(False)
        s.setBoundaryCondition(False)
        s.setConstant(False)
        for attribute, value in told.items():
            getattr(s, f"set{attribute[0].upper()}{attribute[1:]}")(value)
    for own, value in (parameters or {}).items():
        parameter = m.createParameter()
        parameter.setId(own)
        parameter.setConstant(False)
        if value is not None:
            parameter.setValue(value)
    for k, (law, changes) in enumerate(reactions):
        reaction = m.createReaction()
        reaction.setId(f"r{k}")
        reaction.setReversible(False)
        reaction.setFast(False)
        for own, amount in changes.items():
            taken = not isinstance(amount, str) and amount < 0
            reference = reaction.createReactant() if taken else reaction.createProduct()
            reference.setSpecies(own)
            reference.setConstant(False)
            if isinstance(amount, str):
                reference.setId(amount)
                reference.setStoichiometry(1.0)
            else:
                reference.setStoichiometry(abs(amount))
        reaction.createKineticLaw().setMath(formula(law))
    for own, text in (initially or {}).items():
        start = m.createInitialAssignment()
        start.setSymbol(own)
        start.setMath(formula(text))
    for create, rules in ((m.createRateRule, rates), (m.createAssignmentRule, assigned)):
        for own, text in (rules or {}).items():
            rule = create()
            rule.setVariable(own)
            rule.setMath(formula(text))
    for trigger, changes, *more in events:
        _event(m.createEvent(), trigger, changes, **(more[0] if more else {}))
    return libsbml.writeSBMLToString(document)


def _event(
    event, trigger, changes, delay=None, priority=None, persistent=True, initial=True, early=True
):
    event.setUseValuesFromTriggerTime(early)
    condition = event.createTrigger()
    condition.setPersistent(persistent)
    condition.setInitialValue(initial)
    condition.setMath(formula(trigger))
    if delay is not None:
        event.createDelay().setMath(formula(delay))
    if priority is not None:
        event.createPriority().setMath(formula(priority))
    for own, text in changes.items():
        change = event.createEventAssignment()
        change.setVariable(own)
        change.setMath(formula(text))
