"""Answering disputes by Adyen's Disputes API (v30), which is at an address of its own.

It answers 200 to a refusal too, with `success` false and a sentence; no list of those sentences is published, so they
are passed on. Adyen's own SDK sends idempotency keys there, and its description of the API names none. What keeps a
repetition harmless without them is that it says the same thing twice: a document takes the place of an earlier one, and
a dispute that is answered, or over, is not answered again.

Source: docs.adyen.com/risk-management/disputes-api.
"""

import asyncio
import base64
from collections.abc import Iterable, Mapping
from typing import Any

from domain.dispute import DisputeSnapshot, DisputeState
from domain.errors import GatewayRefusedError, OutcomeUnknownError
from domain.outcomes import Answer, Completed, Declined, Pending
from gateways.adyen import declines
from gateways.adyen.client import answered, idempotent
from gateways.adyen.document import UnprintableError, rendered
from gateways.adyen.options import AdyenOptions
from gateways.adyen.reader import AdyenReader
from gateways.contract import AcceptDispute, SubmitEvidence
from gateways.http import HttpConnection
from gateways.refusal import Refusal, RefusalError

_MISSING = "dispute_not_found"
_NOT_OFFERED = "disputes_api_not_configured"
_REFUSED = "dispute_answer_refused"
_OVER = "dispute_over"
_NO_REASON = "no_general_defense"
_UNPRINTABLE = "evidence_not_printable"
# The document that may say anything; every other type is a certain paper, which no text of ours is.
_DOCUMENT = "DefenseMaterial"
_DEMANDED = frozenset({"Required", "AlternativeRequired"})


class AdyenDefence:
    """What we say to a dispute."""

    def __init__(self, options: AdyenOptions, reader: AdyenReader) -> None:
        self._reader = reader
        self._account, self._timeout = options.merchant_account, options.timeout_seconds
        self._headers = {"X-API-Key": options.api_key, "Accept": "application/json"}
        base = options.disputes_base
        self._http = None if base is None else HttpConnection("Adyen", base, options.timeout_seconds)

    async def submit(self, request: SubmitEvidence) -> Answer:
        """Upload the evidence and defend the dispute with it: Pending, or Completed where that was told already."""
        dispute = await self._dispute(request.dispute_id)
        if dispute.state is DisputeState.UNDER_REVIEW:
            return Completed(dispute)
        if dispute.state in (DisputeState.WON, DisputeState.LOST):
            return _declined(_OVER, f"the dispute is {dispute.state}")
        try:
            document = rendered(request.evidence, f"Dispute {_own_id(dispute)} of order {dispute.reference}")
        except UnprintableError as error:
            return _declined(_UNPRINTABLE, f"the evidence has letters that its document cannot show: {error.letters}")
        try:
            # The three calls together have the time of one: that is how long an activity waits.
            async with asyncio.timeout(self._timeout):
                return await self._defend(dispute, document, request.key)
        except TimeoutError:
            raise OutcomeUnknownError(f"Adyen gave no answer in {self._timeout:g} s") from None
        except RefusalError as refusal:
            return await self._unless_done(refusal, dispute, DisputeState.UNDER_REVIEW)

    async def _defend(self, dispute: DisputeSnapshot, document: bytes, key: str) -> Answer:
        reason = _reason(await self._call("retrieveApplicableDefenseReasons", dispute, {}))
        if reason is None:
            return _declined(_NO_REASON, "Adyen asks for certain papers; answer this dispute in its Customer Area")
        content = base64.b64encode(document).decode()
        paper = {"content": content, "contentType": "application/pdf", "defenseDocumentTypeCode": _DOCUMENT}
        await self._call("supplyDefenseDocument", dispute, {"defenseDocuments": [paper]})
        await self._call("defendDispute", dispute, {"defenseReasonCode": reason}, key)
        return Pending(dispute)

    async def accept(self, request: AcceptDispute) -> Answer:
        """Let the customer have the money: Pending, or Completed where the dispute is lost already."""
        dispute = await self._dispute(request.dispute_id)
        if dispute.state is DisputeState.LOST:
            return Completed(dispute)
        if dispute.state is DisputeState.WON:
            return _declined(_OVER, f"the dispute is {dispute.state}")
        try:
            await self._call("acceptDispute", dispute, {}, request.key)
        except RefusalError as refusal:
            return await self._unless_done(refusal, dispute, DisputeState.LOST)
        return Pending(dispute)

    async def close(self) -> None:
        """Close the running loop's connections."""
        if self._http is not None:
            await self._http.close()

    async def _dispute(self, dispute_id: str) -> DisputeSnapshot:
        dispute = await self._reader.dispute(dispute_id)
        if dispute is None:
            raise GatewayRefusedError(_MISSING, f"Adyen has told of no dispute {dispute_id}")
        return dispute

    async def _unless_done(self, refusal: RefusalError, dispute: DisputeSnapshot, done: DisputeState) -> Answer:
        """Adyen's no, unless what it says no to has been told as done while we asked."""
        now = await self._dispute(dispute.dispute_id)
        return Completed(now) if now.state is done else refusal.declined()

    async def _call(
        self, verb: str, dispute: DisputeSnapshot, more: Mapping[str, Any], key: str | None = None
    ) -> Mapping[str, Any]:
        if self._http is None:
            raise RefusalError(_refusal(_NOT_OFFERED, "ADYEN_DISPUTES_BASE is not set"))
        body = {"merchantAccountCode": self._account, "disputePspReference": _own_id(dispute), **more}
        headers = self._headers if key is None else {**self._headers, **idempotent(key)}
        said = answered(await self._http.send("POST", f"/{verb}", headers=headers, json=body))
        result = said.get("disputeServiceResult")
        success = result.get("success") if isinstance(result, Mapping) else None
        if not isinstance(result, Mapping) or not isinstance(success, bool):
            raise OutcomeUnknownError("Adyen's answer cannot be read: disputeServiceResult is missing")
        if not success:
            message = result.get("errorMessage")
            raise RefusalError(_refusal(_REFUSED, message if isinstance(message, str) else "Adyen gave no reason"))
        return said


def _own_id(dispute: DisputeSnapshot) -> str:
    return dispute.dispute_id.partition(":")[2]


def _reason(said: Mapping[str, Any]) -> str | None:
    """A reason that asks for no other paper than the one which may say anything; None where Adyen offers none."""
    offered = said.get("defenseReasons")
    for reason in offered if isinstance(offered, list) else ():
        code = reason.get("defenseReasonCode") if isinstance(reason, Mapping) else None
        papers = reason.get("defenseDocumentTypes") if isinstance(reason, Mapping) else None
        if isinstance(code, str) and _suffices(papers if isinstance(papers, list) else ()):
            return code
    return None


def _suffices(papers: Iterable[object]) -> bool:
    wanted = [paper for paper in papers if isinstance(paper, Mapping)]
    demanded = {paper.get("defenseDocumentTypeCode") for paper in wanted if paper.get("requirementLevel") in _DEMANDED}
    return demanded <= {_DOCUMENT} and _DOCUMENT in {paper.get("defenseDocumentTypeCode") for paper in wanted}


def _declined(code: str, message: str) -> Declined:
    return Declined(declines.invalid_request(code, message))


def _refusal(code: str, message: str) -> Refusal:
    decline = declines.invalid_request(code, message)
    return Refusal(decline.gateway_code, decline.message, decline)
