"""What a person has seen at the gateway, and the gateway does not tell us."""

from domain import postings
from domain.case import CaseMark
from domain.money import Money
from domain.states import CheckoutState
from domain.timeline import EventType
from workflows.journal import Journal


def enter_paid_by_hand(
    journal: Journal, evidence: str, *, case: CaseMark | None = None, waiting_for: str | None = None
) -> None:
    """The money is there, as a person says: `evidence` is the gateway's own id of it, and the posting's reference.

    The payment's own id stays what it was: what is looked up later must not be something else.
    """
    booked = journal.booked
    left = Money(journal.command.amount.minor - booked.captured_minor, booked.currency)
    held = Money(booked.held_minor, booked.currency)
    journal.enter(
        CheckoutState.PAID,
        "operator",
        event=EventType.PAYMENT_SUCCEEDED,
        details={"evidence": evidence},
        transactions=(postings.capture(journal.account.gateway, evidence, left, held),),
        case=case,
        failure=None,
        next_action=None,
        stuck=False,
        waiting_for=waiting_for,
    )
