"""Changes that checkouts under way must not meet in their past, named once; each asks Temporal which side it is on."""

from temporalio import workflow

_ASK_ANEW = "ask-anew-while-undoing"
_SHOW_VOID_REFUSALS = "show-void-refusals"
_PAGES_UNKNOWN = "page-unknown-outcomes"
_NOTES_AFTER_SALE = "note-after-the-sale"


def asks_anew() -> bool:
    """Whether a saga that gives back reads the gateway after each fact; before, it believed the fact."""
    return workflow.patched(_ASK_ANEW)


def shows_void_refusals() -> bool:
    """Whether a void that the gateway refused later is a row on the timeline; before, nothing was said of it."""
    return workflow.patched(_SHOW_VOID_REFUSALS)


def pages_unknown() -> bool:
    """Whether a call that stays without an answer pages a person, and is asked for less and less often up to daily."""
    return workflow.patched(_PAGES_UNKNOWN)


def notes_after_sale() -> bool:
    """Whether what is learnt after a sale is noted beside others who may learn it, and open cases are taken up."""
    return workflow.patched(_NOTES_AFTER_SALE)
