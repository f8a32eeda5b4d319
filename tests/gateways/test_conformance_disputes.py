"""What every gateway does the same: disputes, from the first question to the money's last way."""

import logging
from datetime import timedelta

import pytest

from devstack.ports import any_free
from domain.dispute import DisputeState
from domain.errors import GatewayError, GatewayUnreachableError, OutcomeUnknownError
from domain.money import Money
from gateways.contract import Gateway, Verb
from tests.gateways.checkouts import PRICE, moved, not_refunded, refund_request, refunded
from tests.gateways.disputing import (
    PERSONAL,
    accept_request,
    answers,
    dispute_until,
    disputed,
    ended,
    evidence_request,
    refused_hard,
    taken_on,
    told_of_dispute,
)
from tests.gateways.outside import Outside

_NOTHING = PRICE.zero()
_HOUR = timedelta(hours=1)


async def test_a_chargeback_takes_the_money(adapter: Gateway, outside: Outside) -> None:
    """A chargeback states what it took, whose it is, why, and until when it can be answered."""
    payment, dispute = await disputed(adapter, outside, "chargeback")
    assert (dispute.gateway, dispute.amount, dispute.withdrawn) == (adapter.name, PRICE, PRICE)
    assert dispute.state is DisputeState.NEEDS_RESPONSE
    assert dispute.payment_id in (None, payment.payment_id)
    assert dispute.reference in (None, payment.reference)
    assert dispute.payment_id or dispute.reference
    assert dispute.reason
    assert not dispute.live
    assert dispute.respond_by is not None
    assert dispute.respond_by > await outside.now()
    assert (await moved(outside, payment)).withdrawn == (4200,)


async def test_a_part_is_disputed(adapter: Gateway, outside: Outside) -> None:
    """A dispute about a part takes that part."""
    part = Money(1500, "EUR")
    payment, dispute = await disputed(adapter, outside, "chargeback", part)
    assert (dispute.amount, dispute.withdrawn) == (part, part)
    assert (await moved(outside, payment)).withdrawn == (1500,)


async def test_a_dispute_is_won(adapter: Gateway, outside: Outside) -> None:
    """What is decided for us brings back all that was taken."""
    payment, dispute = await disputed(adapter, outside, "chargeback")
    await outside.decide(dispute.dispute_id, won=True)
    won = await ended(adapter, dispute, DisputeState.WON, _NOTHING)
    assert won.amount == PRICE
    after = await moved(outside, payment)
    assert (after.withdrawn, after.reinstated) == ((4200,), (4200,))


async def test_a_dispute_is_lost(adapter: Gateway, outside: Outside) -> None:
    """What is decided for the customer stays with the customer."""
    payment, dispute = await disputed(adapter, outside, "chargeback")
    await outside.decide(dispute.dispute_id, won=False)
    await ended(adapter, dispute, DisputeState.LOST, PRICE)
    after = await moved(outside, payment)
    assert (after.withdrawn, after.reinstated) == ((4200,), ())


async def test_a_dispute_that_nobody_answers_is_lost(adapter: Gateway, outside: Outside) -> None:
    """When the time to answer is over, the customer has the money."""
    payment, dispute = await disputed(adapter, outside, "chargeback")
    assert dispute.respond_by is not None
    await outside.pass_time((dispute.respond_by - await outside.now() + _HOUR).total_seconds())
    await ended(adapter, dispute, DisputeState.LOST, PRICE)
    assert (await moved(outside, payment)).withdrawn == (4200,)


async def test_an_inquiry_takes_nothing(adapter: Gateway, outside: Outside) -> None:
    """A question is no chargeback: it is open, and no money is gone."""
    payment, dispute = await disputed(adapter, outside, "inquiry")
    assert (dispute.state, dispute.amount, dispute.withdrawn) == (DisputeState.INQUIRY, PRICE, _NOTHING)
    assert (await moved(outside, payment)).withdrawn == ()


async def test_a_refund_answers_an_inquiry(adapter: Gateway, outside: Outside) -> None:
    """Whoever gets the money back has nothing to ask any more, and is not paid twice."""
    payment, dispute = await disputed(adapter, outside, "inquiry")
    await refunded(adapter, refund_request(payment), payment)
    await ended(adapter, dispute, DisputeState.WON, _NOTHING)
    after = await moved(outside, payment)
    assert (after.returned, after.withdrawn) == ((4200,), ())


async def test_an_inquiry_becomes_a_chargeback(adapter: Gateway, outside: Outside) -> None:
    """The same dispute then has the money, and can be lost like any other."""
    payment, dispute = await disputed(adapter, outside, "inquiry")
    await outside.escalate(dispute.dispute_id)
    await ended(adapter, dispute, DisputeState.NEEDS_RESPONSE, PRICE)
    assert (await moved(outside, payment)).withdrawn == (4200,)
    await outside.decide(dispute.dispute_id, won=False)
    await ended(adapter, dispute, DisputeState.LOST, PRICE)


async def test_nothing_is_refunded_while_a_bank_has_the_money(adapter: Gateway, outside: Outside) -> None:
    """A refund beside a chargeback would pay twice: the gateway does not give it; once it is won, it does."""
    payment, dispute = await disputed(adapter, outside, "chargeback")
    await not_refunded(adapter, refund_request(payment, attempt=1), payment)
    assert (await moved(outside, payment)).returned == ()
    await outside.decide(dispute.dispute_id, won=True)
    await ended(adapter, dispute, DisputeState.WON, _NOTHING)
    await refunded(adapter, refund_request(payment, attempt=2), payment)
    assert (await moved(outside, payment)).returned == (4200,)


async def test_a_lost_dispute_is_not_refunded(adapter: Gateway, outside: Outside) -> None:
    """What the customer has by a lost dispute is not given back a second time."""
    payment, dispute = await disputed(adapter, outside, "chargeback")
    await outside.decide(dispute.dispute_id, won=False)
    await ended(adapter, dispute, DisputeState.LOST, PRICE)
    await not_refunded(adapter, refund_request(payment), payment)
    assert (await moved(outside, payment)).returned == ()


async def test_webhooks_name_dispute_and_payment(adapter: Gateway, outside: Outside) -> None:
    """Everything that happens to a dispute is told, and leads to it and to its payment."""
    payment, dispute = await disputed(adapter, outside, "chargeback")
    opened = {kept.event.event_id for kept in await told_of_dispute(outside, dispute)}
    await outside.decide(dispute.dispute_id, won=True)
    await ended(adapter, dispute, DisputeState.WON, _NOTHING)
    kept = await outside.inbox.until(
        lambda kept: any(k.event.dispute_id == dispute.dispute_id and k.event.event_id not in opened for k in kept)
    )
    events = [k.event for k in kept if k.event.dispute_id == dispute.dispute_id]
    for event in events:
        assert event.relevant
        assert event.payment_id in (None, payment.payment_id)
        assert event.reference in (None, payment.reference)
    assert not any(event.live for event in events)


async def test_an_unknown_dispute_is_none(adapter: Gateway, outside: Outside) -> None:
    """A dispute that this account does not have is None and no error."""
    _, dispute = await disputed(adapter, outside, "chargeback")
    tail = "000" if not dispute.dispute_id.endswith("000") else "111"
    assert await adapter.lookup_dispute(dispute.dispute_id[:-3] + tail) is None


async def test_a_dispute_is_answered(adapter: Gateway, outside: Outside) -> None:
    """Evidence goes in once however often the same is sent, and then somebody else decides."""
    _, dispute = await disputed(adapter, outside, "chargeback")
    request = evidence_request(dispute)
    if not answers(adapter, Verb.SUBMIT_EVIDENCE):
        return refused_hard(await adapter.submit_evidence(request))
    for _ in range(2):
        assert taken_on(await adapter.submit_evidence(request)).dispute_id == dispute.dispute_id
    reviewed = await ended(adapter, dispute, DisputeState.UNDER_REVIEW, PRICE)
    assert reviewed.amount == PRICE
    assert taken_on(await adapter.submit_evidence(request)).state is DisputeState.UNDER_REVIEW
    await outside.decide(dispute.dispute_id, won=True)
    await ended(adapter, dispute, DisputeState.WON, _NOTHING)
    return None


async def test_an_answered_dispute_can_be_lost(adapter: Gateway, outside: Outside) -> None:
    """Evidence that does not convince leaves the money with the customer."""
    _, dispute = await disputed(adapter, outside, "chargeback")
    if not answers(adapter, Verb.SUBMIT_EVIDENCE):
        pytest.skip(f"{adapter.name}: evidence is not taken from a program")
    taken_on(await adapter.submit_evidence(evidence_request(dispute)))
    await ended(adapter, dispute, DisputeState.UNDER_REVIEW, PRICE)
    await outside.decide(dispute.dispute_id, won=False)
    await ended(adapter, dispute, DisputeState.LOST, PRICE)


async def test_a_dispute_is_accepted(adapter: Gateway, outside: Outside) -> None:
    """Given up, a dispute is lost, once however often that is said."""
    payment, dispute = await disputed(adapter, outside, "chargeback")
    request = accept_request(dispute)
    if not answers(adapter, Verb.ACCEPT_DISPUTE):
        return refused_hard(await adapter.accept_dispute(request))
    for _ in range(2):
        assert taken_on(await adapter.accept_dispute(request)).dispute_id == dispute.dispute_id
    await ended(adapter, dispute, DisputeState.LOST, PRICE)
    assert taken_on(await adapter.accept_dispute(request)).state is DisputeState.LOST
    after = await moved(outside, payment)
    assert (after.withdrawn, after.reinstated) == ((4200,), ())
    return None


_UNKNOWN = pytest.mark.parametrize("kind", ["timeout_after", "reset_after", "error_500_after", "reset_before"])


@_UNKNOWN
async def test_evidence_with_an_unknown_outcome(adapter: Gateway, hasty: Gateway, outside: Outside, kind: str) -> None:
    """Evidence whose answer was lost is sent again with its key, and is there."""
    payment, dispute = await disputed(adapter, outside, "chargeback")
    if not answers(adapter, Verb.SUBMIT_EVIDENCE):
        pytest.skip(f"{adapter.name}: evidence is not taken from a program")
    await outside.fault("evidence", kind, payment.reference or "")
    with pytest.raises(OutcomeUnknownError):
        await hasty.submit_evidence(evidence_request(dispute))
    taken_on(await adapter.submit_evidence(evidence_request(dispute)))
    await ended(adapter, dispute, DisputeState.UNDER_REVIEW, PRICE)


@_UNKNOWN
async def test_accepting_with_an_unknown_outcome(adapter: Gateway, hasty: Gateway, outside: Outside, kind: str) -> None:
    """A dispute whose acceptance was not answered is given up once, when it is said again."""
    payment, dispute = await disputed(adapter, outside, "chargeback")
    if not answers(adapter, Verb.ACCEPT_DISPUTE):
        pytest.skip(f"{adapter.name}: a dispute is not given up by a program")
    await outside.fault("accept", kind, payment.reference or "")
    with pytest.raises(OutcomeUnknownError):
        await hasty.accept_dispute(accept_request(dispute))
    taken_on(await adapter.accept_dispute(accept_request(dispute)))
    await ended(adapter, dispute, DisputeState.LOST, PRICE)
    assert (await moved(outside, payment)).withdrawn == (4200,)


async def test_nobody_there_when_a_dispute_is_looked_up(adapter: Gateway, outside: Outside) -> None:
    """Not being able to ask the gateway is never taken for there being no dispute, and answers nothing."""
    _, dispute = await disputed(adapter, outside, "chargeback")
    lost = outside.gateway(base=f"http://127.0.0.1:{any_free()}")
    try:
        for verb, call in (
            (Verb.SUBMIT_EVIDENCE, lambda: lost.submit_evidence(evidence_request(dispute))),
            (Verb.ACCEPT_DISPUTE, lambda: lost.accept_dispute(accept_request(dispute))),
        ):
            if answers(adapter, verb):
                with pytest.raises(GatewayUnreachableError):
                    await call()
    finally:
        await lost.close()
    assert (await dispute_until(adapter, dispute.dispute_id, lambda d: d == dispute)) == dispute


async def test_what_is_decided_is_not_answered(adapter: Gateway, outside: Outside) -> None:
    """Evidence that comes after the end is declined and changes nothing."""
    _, dispute = await disputed(adapter, outside, "chargeback")
    await outside.decide(dispute.dispute_id, won=False)
    await ended(adapter, dispute, DisputeState.LOST, PRICE)
    refused_hard(await adapter.submit_evidence(evidence_request(dispute)))
    now = await dispute_until(adapter, dispute.dispute_id, lambda d: d.withdrawn == PRICE)
    assert now.state is DisputeState.LOST


async def test_evidence_shows_in_no_log(adapter: Gateway, outside: Outside, caplog: pytest.LogCaptureFixture) -> None:
    """What the shop says of its customer goes to the gateway only: into no log, no answer and no error."""
    _, dispute = await disputed(adapter, outside, "chargeback")
    lost = outside.gateway(base=f"http://127.0.0.1:{any_free()}")
    told: list[str] = []
    with caplog.at_level(logging.DEBUG):
        for gateway in (lost, adapter):
            try:
                told.append(repr(await gateway.submit_evidence(evidence_request(dispute))))
            except GatewayError as error:
                told.append(f"{error!r} {error.__cause__!r} {vars(error)}")
    await lost.close()
    assert len(told) == 2
    assert not [text for text in (*told, *(record.getMessage() for record in caplog.records)) if PERSONAL in text]
