"""Disputes: opened, answered, escalated, decided; told by webhooks, with books of their own."""

import asyncio
import base64
from typing import Any

import httpx
import pytest
from Adyen import AdyenClient
from Adyen.services.disputes import AdyenDisputesApi

from tests.sandbox.adyen.support import ACCOUNT, API_KEY, Hook, Shop
from tests.sandbox.support import Sandbox

PDF = base64.b64encode(b"%PDF-1.4 a lamp was delivered").decode()
PAPER = {"content": PDF, "contentType": "application/pdf", "defenseDocumentTypeCode": "DefenseMaterial"}
DAY = 86_400


@pytest.fixture
def sdk(sandbox: Sandbox) -> AdyenDisputesApi:
    """The vendor's own SDK for the Disputes API, unchanged but for the address."""
    api = AdyenDisputesApi(AdyenClient(xapikey=API_KEY, platform="test", http_timeout=5))
    api.disputes_api.baseUrl = f"{sandbox.url}/adyen/ca/services/DisputeService/v30"
    return api


async def taken(shop: Shop, hook: Hook, card: str = "good") -> tuple[dict[str, Any], str]:
    """A captured payment: its link and its pspReference."""
    link = await shop.open()
    psp = await hook.authorised(shop, link, card)
    await shop.modify(psp, "captures", 4200)
    await hook.told("CAPTURE")
    return link, psp


async def dispute(shop: Shop, link: dict[str, Any], kind: str = "chargeback", **more: Any) -> str:
    """The customer's bank disputes it."""
    answer = await control(shop, "disputes", payment=link["id"], kind=kind, **more)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["dispute"])


async def control(shop: Shop, path: str, **body: Any) -> httpx.Response:
    """A control call."""
    return await shop.browser.post(f"/sandbox/{path}", json=body)


async def ask(sdk: AdyenDisputesApi, verb: str, psp: str, key: str | None = None, **more: Any) -> dict[str, Any]:
    """A call of the Disputes API by the SDK, which is synchronous."""
    body = {"disputePspReference": psp, "merchantAccountCode": ACCOUNT, **more}
    call = getattr(sdk.disputes_api, verb)
    answer: dict[str, Any] = (await asyncio.to_thread(call, body, idempotency_key=key)).message
    return answer


def done(answer: dict[str, Any]) -> bool:
    """Whether Adyen says that it did what was asked."""
    return bool(answer["disputeServiceResult"]["success"])


async def moved(shop: Shop, link: dict[str, Any]) -> list[tuple[str, int]]:
    """What disputes moved."""
    return [row for row in await shop.booked(link) if row[0] not in ("authorization", "capture")]


async def test_a_chargeback(shop: Shop, hook: Hook) -> None:
    """It is announced and told with its deadline under one reference of its own, and its money is gone."""
    link, psp = await taken(shop, hook)
    reference = await dispute(shop, link, days=3)
    for code in ("NOTIFICATION_OF_CHARGEBACK", "CHARGEBACK"):
        told = await hook.told(code)
        assert (told["pspReference"], told["originalReference"]) == (reference, psp)
        assert (told["merchantReference"], told["success"]) == (link["reference"], "true")
        assert told["amount"] == {"currency": "EUR", "value": 4200}
        assert "paymentLinkId" not in told["additionalData"]
        assert told["additionalData"]["defensePeriodEndsAt"]
    assert await moved(shop, link) == [("dispute", 4200)]
    rows = (await shop.browser.get("/sandbox/books", params={"payment": link["id"]})).json()["data"]
    assert [row["dispute"] for row in rows] == [None, None, reference]


async def test_won_and_lost(shop: Shop, hook: Hook) -> None:
    """Won brings the money back and says so twice, undefended and lost leaves it gone; neither is decided again."""
    link, _ = await taken(shop, hook)
    first = await dispute(shop, link, amount=2000)
    second = await dispute(shop, link, amount=2200)
    assert (await control(shop, "disputes", payment=link["id"], kind="chargeback")).status_code == 409
    await control(shop, f"disputes/{first}/decide", outcome="won")
    assert (await hook.told("CHARGEBACK_REVERSED"))["pspReference"] == first
    assert (await hook.told("ISSUER_RESPONSE_TIMEFRAME_EXPIRED"))["additionalData"]["disputeStatus"] == "Won"
    await control(shop, f"disputes/{second}/decide", outcome="lost")
    assert (await hook.told("DISPUTE_DEFENSE_PERIOD_ENDED"))["pspReference"] == second
    assert await moved(shop, link) == [("dispute", 2000), ("dispute", 2200), ("dispute_reversed", 2000)]
    for outcome in ("won", "lost"):
        assert (await control(shop, f"disputes/{first}/decide", outcome=outcome)).status_code == 409


async def test_an_inquiry(shop: Shop, hook: Hook) -> None:
    """An inquiry moves nothing; escalated it is a chargeback, once; it cannot be lost without that."""
    link, _ = await taken(shop, hook)
    reference = await dispute(shop, link, "inquiry")
    assert (await hook.told("REQUEST_FOR_INFORMATION"))["pspReference"] == reference
    assert await moved(shop, link) == []
    assert (await control(shop, f"disputes/{reference}/decide", outcome="lost")).status_code == 409
    assert (await control(shop, f"disputes/{reference}/escalate")).status_code == 200
    assert (await hook.told("CHARGEBACK"))["pspReference"] == reference
    assert await moved(shop, link) == [("dispute", 4200)]
    assert (await control(shop, f"disputes/{reference}/escalate")).status_code == 409


async def test_refunds_beside_disputes(shop: Shop, hook: Hook) -> None:
    """A refund answers an inquiry, is refused beside a chargeback, and never gives back what a bank has taken."""
    link, psp = await taken(shop, hook)
    asked = await dispute(shop, link, "inquiry", amount=1000)
    given = await shop.modify(psp, "refunds", 1000)
    assert (await hook.told("REFUND", given["pspReference"]))["success"] == "true"
    assert (await control(shop, f"disputes/{asked}/escalate")).status_code == 409
    reference = await dispute(shop, link, amount=2000)
    beside = await shop.modify(psp, "refunds", 100)
    told = await hook.told("REFUND", beside["pspReference"])
    assert (told["success"], told["reason"]) == ("false", "Payment is charged back")
    await control(shop, f"disputes/{reference}/decide", outcome="lost")
    too_much, rest = await shop.modify(psp, "refunds", 1201), await shop.modify(psp, "refunds", 1200)
    assert (await hook.told("REFUND", too_much["pspReference"]))["success"] == "false"
    assert (await hook.told("REFUND", rest["pspReference"]))["success"] == "true"
    assert await moved(shop, link) == [("refund", 1000), ("dispute", 2000), ("refund", 1200)]


async def test_the_clock(fresh: Sandbox, hook: Hook) -> None:
    """Unanswered, an inquiry becomes a chargeback when its time is over, and that is lost when its own is."""
    async with fresh.browser() as browser:
        url = f"{hook.receiver.url}/hook"
        made = (await browser.post("/sandbox/adyen/endpoints", json={"url": url})).json()
        shop, own = Shop.at(fresh, browser), Hook(hook.receiver, made["id"], made["hmac_key"])
        link, _ = await taken(shop, own)
        reference = await dispute(shop, link, "inquiry", days=2)
        for days, moves in ((1, []), (1.1, [reference]), (17, []), (2, [reference]), (60, [])):
            said = await control(shop, "clock", advance_seconds=days * DAY)
            assert [one for one in said.json()["moved"] if one == reference] == moves
        await own.told("CHARGEBACK")
        assert (await own.told("DISPUTE_DEFENSE_PERIOD_ENDED"))["pspReference"] == reference
        assert await moved(shop, link) == [("dispute", 4200)]


async def test_defended(shop: Shop, hook: Hook, sdk: AdyenDisputesApi) -> None:
    """A document satisfies the reason, the defence is told once, and no deadline counts any more."""
    link, _ = await taken(shop, hook)
    reference = await dispute(shop, link)
    (reason,) = (await ask(sdk, "retrieve_applicable_defense_reasons", reference))["defenseReasons"]
    code = reason["defenseReasonCode"]
    assert reason["satisfied"] is False
    assert not done(await ask(sdk, "defend_dispute", reference, defenseReasonCode=code))
    assert done(await ask(sdk, "supply_defense_document", reference, defenseDocuments=[PAPER]))
    (reason,) = (await ask(sdk, "retrieve_applicable_defense_reasons", reference))["defenseReasons"]
    assert reason["satisfied"] is True
    for _ in range(2):
        assert done(await ask(sdk, "defend_dispute", reference, f"{reference}:1", defenseReasonCode=code))
    assert not done(await ask(sdk, "defend_dispute", reference, f"{reference}:2", defenseReasonCode=code))
    assert (await hook.told("INFORMATION_SUPPLIED"))["additionalData"]["disputeStatus"] == "Pending"
    assert len(hook.items("INFORMATION_SUPPLIED", reference)) == 1
    assert not done(await ask(sdk, "accept_dispute", reference))
    await control(shop, f"disputes/{reference}/decide", outcome="lost")
    assert (await hook.told("PREARBITRATION_LOST"))["pspReference"] == reference
    assert await moved(shop, link) == [("dispute", 4200)]
    assert (await ask(sdk, "retrieve_applicable_defense_reasons", reference))["defenseReasons"] == []
    assert not done(await ask(sdk, "supply_defense_document", reference, defenseDocuments=[PAPER]))


async def test_money_that_comes_back_for_a_while(shop: Shop, hook: Hook) -> None:
    """Given back while the bank considers it, the money is taken a second time when the bank says no."""
    link, _ = await taken(shop, hook)
    reference = await dispute(shop, link)
    assert (await control(shop, f"adyen/disputes/{reference}/reverse")).status_code == 200
    await hook.told("CHARGEBACK_REVERSED")
    assert (await control(shop, f"adyen/disputes/{reference}/reverse")).status_code == 409
    await control(shop, f"disputes/{reference}/decide", outcome="lost")
    assert (await hook.told("SECOND_CHARGEBACK"))["pspReference"] == reference
    assert await moved(shop, link) == [("dispute", 4200), ("dispute_reversed", 4200), ("dispute", 4200)]
    assert (await control(shop, "adyen/disputes/PSPNOBODYKNOWS00/reverse")).status_code == 404


async def test_accepted(shop: Shop, hook: Hook, sdk: AdyenDisputesApi) -> None:
    """Given up, a dispute is lost at once, and saying so again changes nothing; an inquiry takes its money then."""
    for kind in ("chargeback", "inquiry"):
        link, _ = await taken(shop, hook)
        reference = await dispute(shop, link, kind)
        for _ in range(2):
            assert done(await ask(sdk, "accept_dispute", reference))
        assert (await hook.told("DISPUTE_DEFENSE_PERIOD_ENDED", reference))["success"] == "true"
        assert len(hook.items("DISPUTE_DEFENSE_PERIOD_ENDED", reference)) == 1
        assert await moved(shop, link) == [("dispute", 4200)]


@pytest.mark.parametrize(
    "paper",
    [
        {**PAPER, "defenseDocumentTypeCode": "GoodsNotReturned"},
        {**PAPER, "contentType": "text/plain"},
        {**PAPER, "content": "no base64!"},
        {**PAPER, "content": base64.b64encode(b"no document").decode()},
    ],
)
async def test_documents_that_are_none(shop: Shop, hook: Hook, sdk: AdyenDisputesApi, paper: dict[str, str]) -> None:
    """What Adyen could not read or does not take is refused, and satisfies nothing."""
    link, _ = await taken(shop, hook)
    reference = await dispute(shop, link)
    assert not done(await ask(sdk, "supply_defense_document", reference, defenseDocuments=[paper]))
    (reason,) = (await ask(sdk, "retrieve_applicable_defense_reasons", reference))["defenseReasons"]
    assert reason["satisfied"] is False


async def test_disputes_that_there_are_not(shop: Shop, hook: Hook, sdk: AdyenDisputesApi) -> None:
    """An unknown dispute, and one of another account, is answered as not successful; control calls are 404."""
    link, _ = await taken(shop, hook)
    reference = await dispute(shop, link)
    assert not done(await ask(sdk, "accept_dispute", "PSPNOBODYKNOWS00"))
    assert not done(await ask(sdk, "accept_dispute", reference, merchantAccountCode="PaysagaTest"))
    for path, body in (("decide", {"outcome": "won"}), ("escalate", {})):
        assert (await control(shop, f"disputes/PSPNOBODYKNOWS00/{path}", **body)).status_code == 404


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"kind": "complaint"}, 400),
        ({"kind": "chargeback", "amount": 0}, 400),
        ({"kind": "chargeback", "amount": 4201}, 400),
        ({"kind": "chargeback", "days": 0}, 400),
        ({"kind": "chargeback", "surplus": 1}, 400),
        ({"kind": "chargeback", "payment": "PL0"}, 404),
    ],
)
async def test_disputes_that_cannot_be(shop: Shop, hook: Hook, body: dict[str, Any], status: int) -> None:
    """A dispute is about money that was captured, and not about more of it."""
    link, _ = await taken(shop, hook)
    assert (await control(shop, "disputes", **{"payment": link["id"], **body})).status_code == status


async def test_what_was_not_captured_is_not_disputed(shop: Shop, hook: Hook) -> None:
    """A link that nobody paid, and a hold, have nothing that a bank could take back."""
    link = await shop.open()
    assert (await control(shop, "disputes", payment=link["id"], kind="chargeback")).status_code == 409
    await hook.authorised(shop, link)
    assert (await control(shop, "disputes", payment=link["id"], kind="chargeback")).status_code == 409


@pytest.mark.parametrize(("card", "code"), [("disputed", "CHARGEBACK"), ("inquired", "REQUEST_FOR_INFORMATION")])
async def test_cards_that_dispute_by_themselves(shop: Shop, hook: Hook, card: str, code: str) -> None:
    """With these cards the dispute follows the capture without anybody's control."""
    _, psp = await taken(shop, hook, card)
    assert (await hook.told(code))["originalReference"] == psp


async def test_one_capture_an_account(shop: Shop, hook: Hook) -> None:
    """Without multiple partial captures the first lets go of the rest, and there is no second."""
    who = {"merchantAccount": "PaysagaTest"}
    link = await shop.open(**who)
    psp = await hook.authorised(shop, link)
    first = await shop.modify(psp, "captures", 1500, **who)
    assert (await hook.told("CAPTURE", first["pspReference"]))["success"] == "true"
    for verb, code, value in (("captures", "CAPTURE", 100), ("cancels", "CANCELLATION", None)):
        late = await shop.modify(psp, verb, value, **who)
        assert (await hook.told(code, late["pspReference"]))["success"] == "false"
    assert await shop.booked(link) == [("authorization", 4200), ("capture", 1500), ("release", 2700)]
