"""Captures in parts: what is asked of Adyen, and how a payment is read that has some of them."""

from collections.abc import AsyncIterator

import pytest

from domain.money import Money
from domain.outcomes import Completed, Declined, Pending
from domain.payment import DeclineCode, PaymentSnapshot, PaymentStatus
from gateways.adyen.adapter import AdyenGateway
from gateways.adyen.options import AdyenOptions
from gateways.adyen.translate import seen
from gateways.contract import CapturePayment, ReauthorizePayment, RefundPayment
from tests.gateways.adyen.conftest import API_KEY
from tests.gateways.adyen.examples import PRICE, KeptBodies, link, read_link, received
from tests.gateways.adyen.notices import ACCOUNT, CHECKOUT, LINK_ID, NEW, Item, after, body, done, item, refused, told
from tests.gateways.scripted import ScriptedServer, answer

PAID = answer(200, link(status="completed"))
S = PaymentStatus


def part(number: int, value: int = 1000, total: int | None = None, final: bool = False) -> CapturePayment:
    """A part of the payment."""
    after_it = None if total is None else Money(total, "USD")
    return CapturePayment(f"{CHECKOUT}:capture:{number}", LINK_ID, Money(value, "USD"), final, after_it)


def taken(number: int, value: int = 1000) -> Item:
    """Adyen tells of a part."""
    return done("CAPTURE", f"capture:{number}", amount={"currency": "USD", "value": value})


@pytest.fixture
async def several(scripted: ScriptedServer, kept: KeptBodies) -> AsyncIterator[AdyenGateway]:
    """The adapter of an account with multiple partial captures."""
    base = f"{scripted.url}/v72"
    adapter = AdyenGateway(AdyenOptions(API_KEY, ACCOUNT, (NEW,), base, False, 0.5, several_captures=True), kept)
    yield adapter
    await adapter.close()


def keep(kept: KeptBodies, *items: Item) -> None:
    """Adyen has told of these, and of nothing else."""
    kept.bodies[:] = [body(one) for one in items]


def posts(scripted: ScriptedServer) -> list[str]:
    """The paths of the calls that asked for something to be done."""
    return [request.split(" ")[1] for request in scripted.requests if request.startswith("POST")]


async def test_one_capture_is_the_last(gateway: AdyenGateway, scripted: ScriptedServer, kept: KeptBodies) -> None:
    """Without several captures one that is not final is declined before anything is asked or read."""
    keep(kept, item())
    scripted.tell(PAID)
    said = await gateway.capture(part(1))
    assert isinstance(said, Declined)
    assert (said.decline.gateway_code, said.decline.hard) == ("several_captures_not_enabled", True)
    assert scripted.requests == []


async def test_a_part_is_asked_for_once(several: AdyenGateway, scripted: ScriptedServer, kept: KeptBodies) -> None:
    """A part is Pending until it is told of, then Completed under any key of the same total."""
    keep(kept, item())
    scripted.tell(PAID, received(part(1).key, 1000))
    assert isinstance(await several.capture(part(1)), Pending)
    assert len(posts(scripted)) == 1
    keep(kept, item(), taken(1))
    scripted.tell(PAID)
    for request in (part(1), part(2, total=1000)):
        said = await several.capture(request)
        assert isinstance(said, Completed)
        assert isinstance(said.evidence, PaymentSnapshot)
        assert (said.evidence.status, said.evidence.captured) == (S.AUTHORIZED, Money(1000, "USD"))
    assert posts(scripted) == []


async def test_the_rest_is_released_once_the_last_part_is_told_of(
    several: AdyenGateway, scripted: ScriptedServer, kept: KeptBodies
) -> None:
    """Never before: a cancel that overtook the capture would let go of what is to be taken."""
    last = part(2, 500, total=1500, final=True)
    keep(kept, item(), taken(1))
    scripted.tell(PAID, received(last.key, 500))
    assert isinstance(await several.capture(last), Pending)
    assert posts(scripted)[-1].endswith("/captures")
    keep(kept, item(), taken(1), taken(2, 500))
    scripted.tell(PAID, received(f"{last.key}:rest", None))
    assert isinstance(await several.capture(last), Pending)
    assert posts(scripted) == [f"/v72/payments/{item()['pspReference']}/cancels"]
    keep(kept, item(), taken(1), taken(2, 500), done("CANCELLATION", "capture:2:rest"))
    scripted.tell(PAID)
    said = await several.capture(last)
    assert isinstance(said, Completed)
    assert isinstance(said.evidence, PaymentSnapshot)
    assert (said.evidence.status, said.evidence.captured) == (S.CAPTURED, Money(1500, "USD"))


async def test_a_rest_that_is_not_let_go_expires(
    several: AdyenGateway, scripted: ScriptedServer, kept: KeptBodies
) -> None:
    """When Adyen will not cancel the rest, the capture is done all the same, and nobody asks for ever."""
    refusal = refused(done("CANCELLATION", "capture:1:rest"), "Payment was already captured")
    keep(kept, item(), taken(1), refusal)
    scripted.tell(PAID)
    assert isinstance(await several.capture(part(1, total=1000, final=True)), Completed)
    assert posts(scripted) == []


async def test_parts_can_be_given_back_while_the_rest_is_held(
    several: AdyenGateway, scripted: ScriptedServer, kept: KeptBodies
) -> None:
    """What is captured can be refunded, whether or not more is to follow."""
    request = RefundPayment(f"{CHECKOUT}:refund:1", LINK_ID, Money(1000, "USD"))
    keep(kept, item(), taken(1))
    scripted.tell(PAID, received(request.key, 1000))
    assert isinstance(await several.refund(request), Pending)


async def test_nothing_more_can_be_taken(gateway: AdyenGateway, scripted: ScriptedServer, kept: KeptBodies) -> None:
    """A further part of a payment whose one capture was made is declined; a lone capture shows what was taken."""
    keep(kept, item(), taken(1))
    scripted.tell(PAID)
    assert isinstance(await gateway.capture(part(2, total=2000, final=True)), Declined)
    said = await gateway.capture(CapturePayment("k", LINK_ID, PRICE))
    assert isinstance(said, Completed)
    assert isinstance(said.evidence, PaymentSnapshot)
    assert said.evidence.captured == Money(1000, "USD")
    assert posts(scripted) == []


async def test_holds_are_not_made_anew(gateway: AdyenGateway, scripted: ScriptedServer) -> None:
    """Adyen does not offer it, so it is declined without a call."""
    said = await gateway.reauthorize(ReauthorizePayment("k", LINK_ID, PRICE))
    assert isinstance(said, Declined)
    assert said.decline.code is DeclineCode.INVALID_REQUEST
    assert scripted.requests == []


STORIES: dict[str, tuple[list[Item], PaymentStatus, PaymentStatus, int]] = {
    "a part": ([item(), taken(1)], S.AUTHORIZED, S.CAPTURED, 1000),
    "two parts": ([item(), taken(1), taken(2)], S.AUTHORIZED, S.CAPTURED, 2000),
    "all of it": ([item(), taken(1, 2000), taken(2, 2200)], S.CAPTURED, S.CAPTURED, 4200),
    "more than asked": ([item(), taken(1, 5000)], S.CAPTURED, S.CAPTURED, 5000),
    "the rest canceled": ([item(), taken(1), done("CANCELLATION", "capture:1:rest")], S.CAPTURED, S.CAPTURED, 1000),
    "the rest expired": ([item(), taken(1), item("EXPIRE", pspReference="PSPEXPIRY")], S.CAPTURED, S.CAPTURED, 1000),
    "a part that failed": ([item(), taken(1), done("CAPTURE_FAILED", "capture:1")], S.AUTHORIZED, S.AUTHORIZED, 0),
    "no approval told of": ([taken(1)], S.AUTHORIZED, S.CAPTURED, 1000),
}


@pytest.mark.parametrize(("story", "with_several", "with_one", "captured"), STORIES.values(), ids=STORIES.keys())
def test_how_much_is_still_held(
    story: list[Item], with_several: PaymentStatus, with_one: PaymentStatus, captured: int
) -> None:
    """With several captures the payment is authorized until nothing is left; with one, its capture was the last."""
    for status, several in ((with_several, True), (with_one, False)):
        payment = seen(read_link(status="completed"), told(*story), False, several).payment
        assert (payment.status, payment.captured.minor) == (status, captured)


def test_a_failure_before_the_last_part_is_forgotten() -> None:
    """The decline that shows is that of the latest try, not of one that another has made good since."""
    failure = refused(taken(1), "Capture Failed")
    stories = (([item(), failure, after(taken(2), 5)], None), ([item(), taken(2), after(failure, 5)], "Capture Failed"))
    for story, code in stories:
        payment = seen(read_link(status="completed"), told(*story), False, True).payment
        assert (payment.decline.gateway_code if payment.decline else None) == code


@pytest.mark.parametrize("length", [64, 65, 79])
async def test_a_long_key_is_still_one_key(
    gateway: AdyenGateway, scripted: ScriptedServer, kept: KeptBodies, length: int
) -> None:
    """Adyen takes 64 characters: a longer one of ours goes as another that fits, always the same for it."""
    keep(kept, item())
    sent = []
    for last in ("a", "a", "b"):
        key = f"{CHECKOUT}:capture:".ljust(length - 1, "x") + last
        scripted.tell(PAID, received(key))
        await gateway.capture(CapturePayment(key, LINK_ID, PRICE))
        (post,) = [request for request in scripted.requests if request.startswith("POST")]
        sent.append(next(line[17:] for line in post.splitlines() if line.lower().startswith("idempotency-key: ")))
        assert f'"reference":"{key}"' in post
        assert (sent[-1] == key) is (length == 64)
    assert sent[0] == sent[1] != sent[2]
    assert {len(key) for key in sent} == {64}
