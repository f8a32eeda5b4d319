"""Answers to disputes: what is asked of Adyen's Disputes API, and what its answers are taken for."""

import base64
import json
from collections.abc import AsyncIterator
from io import BytesIO
from typing import Any

import pytest
from pypdf import PdfReader

from domain.dispute import DisputeEvidence, DisputeSnapshot
from domain.errors import GatewayMisconfiguredError, GatewayRefusedError, OutcomeUnknownError
from domain.outcomes import Completed, Declined, Pending
from gateways.adyen.adapter import AdyenGateway
from gateways.adyen.document import UnprintableError, rendered
from gateways.adyen.options import AdyenOptions
from gateways.contract import AcceptDispute, SubmitEvidence, Verb
from tests.gateways.adyen.conftest import API_KEY
from tests.gateways.adyen.examples import KeptBodies, refusal
from tests.gateways.adyen.notices import ACCOUNT, NEW, body
from tests.gateways.adyen.test_disputes import ANSWERED, BACK, DISPUTE, NAME, NO_ANSWER, RFI, TAKEN, UNANSWERED, about
from tests.gateways.scripted import ScriptedServer, answer

EVIDENCE = DisputeEvidence("Delivered, “signed for” on 3 November, 42 €.", tracking_number="JD0146000033")
SUBMIT, ACCEPT = SubmitEvidence("dp_1:submit:1", NAME, EVIDENCE), AcceptDispute("dp_1:accept:1", NAME)
DONE = answer(200, {"disputeServiceResult": {"success": True}})
NO = answer(200, {"disputeServiceResult": {"success": False, "errorMessage": "Not any more"}})


def paper(code: str, level: str) -> dict[str, Any]:
    """A document that a reason asks for."""
    return {"available": False, "defenseDocumentTypeCode": code, "requirementLevel": level}


def offered(*papers: dict[str, Any]) -> bytes:
    """Adyen's answer with one reason that asks for these."""
    reason = {"defenseReasonCode": "SupplyDefenseMaterial", "satisfied": False, "defenseDocumentTypes": list(papers)}
    return answer(200, {"defenseReasons": [reason], "disputeServiceResult": {"success": True}})


GENERAL = offered(paper("DefenseMaterial", "Required"), paper("TIDorInvoice", "Optional"))


@pytest.fixture
async def gateway(scripted: ScriptedServer, kept: KeptBodies) -> AsyncIterator[AdyenGateway]:
    """The adapter of an account whose disputes can be answered; a chargeback has been told of."""
    kept.bodies[:] = [body(about(TAKEN))]
    options = AdyenOptions(API_KEY, ACCOUNT, (NEW,), f"{scripted.url}/v72", False, 0.5, f"{scripted.url}/disputes")
    adapter = AdyenGateway(options, kept)
    yield adapter
    await adapter.close()


def asked(scripted: ScriptedServer) -> list[tuple[str, dict[str, Any]]]:
    """The path and the body of each call."""
    said = [request.split("\r\n\r\n", 1) for request in scripted.requests]
    return [(head.split(" ")[1], json.loads(content)) for head, content in said]


async def test_evidence_goes_in(gateway: AdyenGateway, scripted: ScriptedServer) -> None:
    """The reasons are read, the document is uploaded, and the dispute is defended, each named by its own reference."""
    assert gateway.capabilities.answers_disputes == {Verb.SUBMIT_EVIDENCE, Verb.ACCEPT_DISPUTE}
    scripted.tell(GENERAL, DONE, DONE)
    said = await gateway.submit_evidence(SUBMIT)
    assert isinstance(said, Pending)
    assert isinstance(said.evidence, DisputeSnapshot)
    calls = asked(scripted)
    paths = ["retrieveApplicableDefenseReasons", "supplyDefenseDocument", "defendDispute"]
    assert [path for path, _ in calls] == [f"/disputes/{path}" for path in paths]
    who = {"merchantAccountCode": ACCOUNT, "disputePspReference": DISPUTE}
    assert all(who.items() <= sent.items() for _, sent in calls)
    assert calls[2][1] == {**who, "defenseReasonCode": "SupplyDefenseMaterial"}
    (document,) = calls[1][1]["defenseDocuments"]
    assert (document["contentType"], document["defenseDocumentTypeCode"]) == ("application/pdf", "DefenseMaterial")
    assert text_of(base64.b64decode(document["content"])).count("42 €") == 1


def text_of(pdf: bytes) -> str:
    """What a reader of the document reads."""
    return " ".join(" ".join(page.extract_text() for page in PdfReader(BytesIO(pdf)).pages).split())


def test_the_document_says_what_the_shop_said() -> None:
    """Every part stands in the document under its heading, over as many pages as it takes."""
    evidence = DisputeEvidence("word " * 3000 + "end.", "A lamp", "DHL", "JD01", "“Thank you”, wrote Zoë", "14 days")
    pdf = rendered(evidence, "Dispute X")
    assert len(PdfReader(BytesIO(pdf)).pages) > 2
    read = text_of(pdf)
    assert read.count("word") == 3000
    for words in ("Dispute X", "end.", "What was sold A lamp", "Carrier DHL", "“Thank you”, wrote Zoë", "14 days"):
        assert words in read


@pytest.mark.parametrize("text", ["Łódź", "東京", "smile 🙂", "a\x00b", "שלום"])
async def test_what_cannot_be_printed_is_declined(gateway: AdyenGateway, scripted: ScriptedServer, text: str) -> None:
    """A document that says something else than the shop did is worse than none: declined before any call."""
    with pytest.raises(UnprintableError):
        rendered(DisputeEvidence(text), "Dispute X")
    scripted.tell(GENERAL, DONE, DONE)
    said = await gateway.submit_evidence(SubmitEvidence("k", NAME, DisputeEvidence(text)))
    assert isinstance(said, Declined)
    assert (said.decline.gateway_code, said.decline.hard) == ("evidence_not_printable", True)
    assert scripted.requests == []


@pytest.mark.parametrize(
    "reasons",
    [
        offered(paper("GoodsNotReturned", "Required")),
        offered(paper("DefenseMaterial", "Optional"), paper("TIDorInvoice", "Required")),
        offered(),
        answer(200, {"defenseReasons": [], "disputeServiceResult": {"success": True}}),
        answer(200, {"defenseReasons": [1, {"defenseReasonCode": 5}], "disputeServiceResult": {"success": True}}),
    ],
)
async def test_certain_papers_are_a_persons_work(
    gateway: AdyenGateway, scripted: ScriptedServer, reasons: bytes
) -> None:
    """Where Adyen takes only certain papers nothing is uploaded: our text would be none of them."""
    scripted.tell(reasons)
    said = await gateway.submit_evidence(SUBMIT)
    assert isinstance(said, Declined)
    assert said.decline.gateway_code == "no_general_defense"
    assert len(scripted.requests) == 1


@pytest.mark.parametrize(
    ("items", "kind"),
    [((TAKEN, ANSWERED), Completed), ((TAKEN, BACK), Completed), ((TAKEN, NO_ANSWER), Declined)],
    ids=["answered", "reviewed", "lost"],
)
async def test_evidence_is_sent_to_the_open(
    gateway: AdyenGateway, scripted: ScriptedServer, kept: KeptBodies, items: tuple[str, ...], kind: type
) -> None:
    """What is answered is not answered again, and what is over not at all; neither asks Adyen anything."""
    kept.bodies[:] = [body(about(code)) for code in items]
    scripted.tell(NO)
    assert isinstance(await gateway.submit_evidence(SUBMIT), kind)
    assert scripted.requests == []


@pytest.mark.parametrize(
    ("items", "kind"),
    [((TAKEN, NO_ANSWER), Completed), ((TAKEN, BACK, UNANSWERED), Declined)],
    ids=["lost", "won"],
)
async def test_what_is_over_is_not_accepted(
    gateway: AdyenGateway, scripted: ScriptedServer, kept: KeptBodies, items: tuple[str, ...], kind: type
) -> None:
    """A dispute that is lost is given up already, one that is won cannot be."""
    kept.bodies[:] = [body(about(code)) for code in items]
    scripted.tell(NO)
    assert isinstance(await gateway.accept_dispute(ACCEPT), kind)
    assert scripted.requests == []


async def test_accepted(gateway: AdyenGateway, scripted: ScriptedServer, kept: KeptBodies) -> None:
    """Giving up is said once, an inquiry too; its end comes by notification."""
    for code in (TAKEN, RFI):
        kept.bodies[:] = [body(about(code))]
        scripted.tell(DONE)
        assert isinstance(await gateway.accept_dispute(ACCEPT), Pending)
        who = {"merchantAccountCode": ACCOUNT, "disputePspReference": DISPUTE}
        assert asked(scripted) == [("/disputes/acceptDispute", who)]
        assert "dp_1:accept:1" in scripted.requests[0]


async def test_adyens_no_is_a_decline(gateway: AdyenGateway, scripted: ScriptedServer) -> None:
    """A no to what was asked is passed on in Adyen's words, at whichever step it comes."""
    for said in ((NO,), (GENERAL, NO), (GENERAL, DONE, NO)):
        scripted.tell(*said)
        declined = await gateway.submit_evidence(SUBMIT)
        assert isinstance(declined, Declined)
        assert (declined.decline.message, declined.decline.hard) == ("Not any more", True)
    scripted.tell(NO)
    assert isinstance(await gateway.accept_dispute(ACCEPT), Declined)


async def test_a_no_to_what_is_done_meanwhile(scripted: ScriptedServer, kept: KeptBodies) -> None:
    """When the end is told while Adyen says no to hearing it twice, it is done."""

    class Growing(KeptBodies):
        """An inbox into which a notification comes between two looks."""

        async def about(self, gateway: str, reference: str) -> tuple[bytes, ...]:
            found = tuple(await super().about(gateway, reference))
            self.bodies.append(body(about(NO_ANSWER)))
            return found

    options = AdyenOptions(API_KEY, ACCOUNT, (NEW,), f"{scripted.url}/v72", False, 0.5, f"{scripted.url}/disputes")
    adapter = AdyenGateway(options, Growing(body(about(TAKEN))))
    scripted.tell(NO)
    assert isinstance(await adapter.accept_dispute(ACCEPT), Completed)
    await adapter.close()


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (answer(500, "{}"), OutcomeUnknownError),
        (answer(200, {}), OutcomeUnknownError),
        (answer(200, {"disputeServiceResult": {"success": "true"}}), OutcomeUnknownError),
        (answer(200, {"disputeServiceResult": True}), OutcomeUnknownError),
        (refusal(401, "000", "no", "security"), GatewayMisconfiguredError),
        (refusal(422, "702", "Structure"), GatewayRefusedError),
    ],
)
async def test_errors(gateway: AdyenGateway, scripted: ScriptedServer, said: bytes, error: type[Exception]) -> None:
    """What cannot be read is unknown; the account's and our own mistakes are errors, no declines."""
    scripted.tell(said)
    for call in (gateway.accept_dispute(ACCEPT), gateway.submit_evidence(SUBMIT)):
        with pytest.raises(error):
            await call


async def test_a_dispute_nobody_told_of(gateway: AdyenGateway, scripted: ScriptedServer) -> None:
    """It is none when looked up, and cannot be answered."""
    unknown = "chk_1:PSPDISPUTE000009"
    assert await gateway.lookup_dispute(unknown) is None
    assert await gateway.lookup_dispute(DISPUTE) is None
    with pytest.raises(GatewayRefusedError):
        await gateway.accept_dispute(AcceptDispute("k", unknown))


async def test_without_an_address_nothing_is_answered(scripted: ScriptedServer, kept: KeptBodies) -> None:
    """An account whose Disputes API nobody named says so, in its capabilities and in its answers."""
    kept.bodies[:] = [body(about(TAKEN))]
    adapter = AdyenGateway(AdyenOptions(API_KEY, ACCOUNT, (NEW,), f"{scripted.url}/v72", False, 0.5), kept)
    assert adapter.capabilities.answers_disputes == frozenset()
    for said in (await adapter.accept_dispute(ACCEPT), await adapter.submit_evidence(SUBMIT)):
        assert isinstance(said, Declined)
        assert said.decline.gateway_code == "disputes_api_not_configured"
    assert scripted.requests == []
    await adapter.close()
