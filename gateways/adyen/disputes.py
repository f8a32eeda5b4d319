"""What became of a dispute, understood from the set of the notifications about it.

Adyen has no look-up of disputes. The order in which notifications came plays no part, and only what Adyen signed
decides about money and states; the deadline is not signed, and nothing but how we hurry hangs on it.

| told                                                             | state                                     |
|------------------------------------------------------------------|-------------------------------------------|
| REQUEST_FOR_INFORMATION, answered or not                         | INQUIRY; WON once as much is refunded     |
| NOTIFICATION_OF_CHARGEBACK, CHARGEBACK                           | NEEDS_RESPONSE                            |
| then INFORMATION_SUPPLIED, where no inquiry went before          | UNDER_REVIEW                              |
| then CHARGEBACK_REVERSED, PREARBITRATION_OPEN, SCHEME_ARBITRATION| UNDER_REVIEW                              |
| ISSUER_RESPONSE_TIMEFRAME_EXPIRED, …_WON, …_ISSUER_WITHDRAWN     | WON                                       |
| DISPUTE_DEFENSE_PERIOD_ENDED, SECOND_CHARGEBACK, …_LOST          | LOST; a later stage overrules an earlier  |

After an inquiry INFORMATION_SUPPLIED does not tell which of the two was answered, so that an answered chargeback goes
on to ask for an answer: that is the mistake that loses nothing. Money moves by three of them only: CHARGEBACK,
CHARGEBACK_REVERSED and SECOND_CHARGEBACK.

Source: docs.adyen.com/risk-management/disputes-api/dispute-notifications.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from domain.dispute import DisputeSnapshot, DisputeState
from domain.errors import OutcomeUnknownError
from domain.money import Money
from gateways.adyen.history import authorised, money_of
from gateways.adyen.scrub import scrubbed
from gateways.adyen.webhooks import DISPUTE_EVENTS, PAYMENT_EVENTS, Notification

_NAME = "adyen"
_WON, _LOST = DisputeState.WON, DisputeState.LOST
# The latest stage first: what was decided there overrules what was decided before it.
_DECISIONS = (
    ("SCHEME_ARBITRATION_LOST", _LOST),
    ("SCHEME_ARBITRATION_WON", _WON),
    ("PREARBITRATION_LOST", _LOST),
    ("PREARBITRATION_WON", _WON),
    ("PREARBITRATION_ISSUER_WITHDRAWN", _WON),
    ("SECOND_CHARGEBACK", _LOST),
    ("ISSUER_RESPONSE_TIMEFRAME_EXPIRED", _WON),
)
_REVIEWED = ("CHARGEBACK_REVERSED", "PREARBITRATION_OPEN", "SCHEME_ARBITRATION")
_CHARGEBACKS = ("CHARGEBACK", "NOTIFICATION_OF_CHARGEBACK")
_INQUIRY = "REQUEST_FOR_INFORMATION"
_LONGEST_REASON = 100

_Told = Mapping[str, Notification]


def snapshot(dispute_id: str, told: Sequence[Notification], live: bool) -> DisputeSnapshot | None:
    """The dispute, from the notifications of our account about its checkout; None where none is about it."""
    about = [n for n in told if n.code in DISPUTE_EVENTS and n.success and n.dispute_id == dispute_id]
    if not about:
        return None
    # Of copies that differ outside of the signature the earliest counts, whichever came first.
    latest_first = sorted(about, key=lambda n: (n.at, repr(n)), reverse=True)
    by_code = {n.code: n for n in latest_first}
    names = (*_CHARGEBACKS, _INQUIRY, *(code for code in DISPUTE_EVENTS if code in by_code))
    chief = next(by_code[name] for name in names if name in by_code)
    amount, withdrawn = money_of(chief), _withdrawn(by_code)
    state = _state(by_code)
    if state is DisputeState.INQUIRY and _given_back(chief, told, amount):
        state = _WON
    return DisputeSnapshot(
        gateway=_NAME,
        dispute_id=dispute_id,
        payment_id=None,
        reference=chief.checkout_id,
        amount=amount,
        withdrawn=withdrawn or amount.zero(),
        state=state,
        reason=scrubbed(chief.reason)[:_LONGEST_REASON] or "unknown",
        live=live,
        respond_by=_respond_by(about),
    )


def _state(told: _Told) -> DisputeState:
    decided = next((state for code, state in _DECISIONS if code in told), None)
    if decided is not None:
        return decided
    if any(code in told for code in _REVIEWED):
        return DisputeState.UNDER_REVIEW
    if not any(code in told for code in _CHARGEBACKS):
        return DisputeState.INQUIRY if _INQUIRY in told else _without_a_beginning(told)
    if "DISPUTE_DEFENSE_PERIOD_ENDED" in told:
        return _LOST
    answered = "INFORMATION_SUPPLIED" in told and _INQUIRY not in told
    return DisputeState.UNDER_REVIEW if answered else DisputeState.NEEDS_RESPONSE


def _without_a_beginning(told: _Told) -> DisputeState:
    """Only an answer or the end of the time for one was told of so far; what began it is still on its way."""
    return _LOST if "DISPUTE_DEFENSE_PERIOD_ENDED" in told else DisputeState.NEEDS_RESPONSE


def _withdrawn(told: _Told) -> Money | None:
    """What is out now; whoever takes a second time had taken a first time and given that back."""
    taken, returned, again = (told.get(c) for c in ("CHARGEBACK", "CHARGEBACK_REVERSED", "SECOND_CHARGEBACK"))
    out: Money | None = None
    if taken is not None and returned is not None:
        out = _less(money_of(taken), money_of(returned))
    elif taken is not None and again is None:
        out = money_of(taken)
    if again is None:
        return out
    if out is not None and out.currency != money_of(again).currency:
        raise OutcomeUnknownError("Adyen's notifications about a dispute differ in their currencies")
    return money_of(again) if out is None else out + money_of(again)


def _less(taken: Money, returned: Money) -> Money:
    if taken.currency != returned.currency:
        raise OutcomeUnknownError("Adyen's notifications about a dispute differ in their currencies")
    return Money(max(0, taken.minor - returned.minor), taken.currency)


def _given_back(inquiry: Notification, told: Sequence[Notification], amount: Money) -> bool:
    """Whether the payment was refunded to this amount since: then nobody is asked any more, as Adyen does not tell.

    What was given back before the inquiry is no answer to it. Adyen's dates are not signed: one that lies makes us wait
    for an answer that was given, or for the chargeback, and moves no money.
    """
    payments = authorised(list({n.signed: n for n in told if n.code in PAYMENT_EVENTS}.values()))
    refunds = [
        part.money
        for payment in payments
        if payment.psp_reference == inquiry.original_reference
        for part in payment.all_refunds()
        if part.done and part.last.at >= inquiry.at
    ]
    return sum(money.minor for money in refunds if money.currency == amount.currency) >= amount.minor


def _respond_by(about: Sequence[Notification]) -> datetime | None:
    """The end of the present stage's time to answer, the earliest that any copy states."""
    codes = _CHARGEBACKS if any(n.code in _CHARGEBACKS for n in about) else (_INQUIRY,)
    return min((n.respond_by for n in about if n.code in codes and n.respond_by is not None), default=None)
