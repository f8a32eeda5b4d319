"""Changes that checkouts under way must not meet in their past, named once; each asks Temporal which side it is on."""

from temporalio import workflow

_ASK_ANEW = "ask-anew-while-undoing"
_SHOW_VOID_REFUSALS = "show-void-refusals"


def asks_anew() -> bool:
    """Whether a saga that gives back reads the gateway after each fact; before, it believed the fact."""
    return workflow.patched(_ASK_ANEW)


def shows_void_refusals() -> bool:
    """Whether a void that the gateway refused later is a row on the timeline; before, nothing was said of it."""
    return workflow.patched(_SHOW_VOID_REFUSALS)
