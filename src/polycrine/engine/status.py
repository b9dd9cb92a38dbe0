"""How the integration of a member went."""

DONE, TOO_MANY_STEPS, STEP_TOO_SMALL, NOT_FINITE, SWITCHED = 0, 1, 2, 3, 4
STATUS = {
    DONE: "reached the end",
    TOO_MANY_STEPS: "took more steps than allowed between two stops; loosen the tolerances",
    STEP_TOO_SMALL: "the step became too small to move time; a rate law may be singular here",
    NOT_FINITE: "a rate was not a finite number at a stop",
    SWITCHED: "a condition changed",
}
ACCEPTED, REJECTED = 0, 1  # counts of steps
