"""The Gateway protocol on Adyen's payment links."""

from collections.abc import Mapping
from datetime import datetime

from domain.dispute import DisputeSnapshot
from domain.errors import GatewayRefusedError, OutcomeUnknownError
from domain.outcomes import Answer, Completed, Declined, Pending, RequiresAction
from domain.payment import PaymentSnapshot, PaymentStatus, RefundSnapshot, RefundStatus
from gateways.adyen import declines, translate, webhooks
from gateways.adyen.capabilities import capabilities
from gateways.adyen.client import AdyenConnection
from gateways.adyen.currencies import asked_amount
from gateways.adyen.defence import AdyenDefence
from gateways.adyen.options import AdyenOptions
from gateways.adyen.reader import AdyenReader
from gateways.adyen.translate import NAME, Seen
from gateways.contract import (
    AcceptDispute,
    AuthorizePayment,
    Capabilities,
    CapturePayment,
    CreatePayment,
    Evidence,
    GatewayTransaction,
    ListedEvent,
    ReauthorizePayment,
    RefundPayment,
    SubmitEvidence,
    VoidPayment,
    WebhookEvent,
)
from gateways.refusal import RefusalError

_UNEXPECTED_STATE = "unexpected_state"
_ONE_CAPTURE = "several_captures_not_enabled"
_NO_REAUTHORIZATION = "reauthorization_not_offered"
_MISSING = "payment_link_not_found"


class AdyenGateway:
    """One Adyen merchant account as a `Gateway`.

    A payment goes by the id of its link. What became of it is read from `evidence`, the notifications that were kept:
    Adyen answers a modification with no more than that it was received, and has no look-up of payments.
    """

    def __init__(self, options: AdyenOptions, evidence: Evidence) -> None:
        self._options = options
        self._connection = AdyenConnection(options)
        self._reader = AdyenReader(self._connection, evidence, options)
        self._defence = AdyenDefence(options, self._reader)
        self._capabilities = capabilities(options)

    @property
    def name(self) -> str:
        """`adyen`."""
        return NAME

    @property
    def capabilities(self) -> Capabilities:
        """What this account can do."""
        return self._capabilities

    async def create(self, request: CreatePayment) -> Answer:
        """Open a payment link that can be paid once, within a day. Raises AmountDoesNotFitError before any call.

        `hold` makes no difference: the capture is always ours, see `capabilities`. No expiry is sent, since a repeated
        call must send what the first one sent; Adyen's own is 24 hours.
        """
        body: dict[str, object] = {
            "reference": request.reference,
            "amount": asked_amount(request.amount),
            "manualCapture": True,
            "reusable": False,
            "metadata": {"order_id": request.order_id},
        }
        if request.return_url is not None:
            body["returnUrl"] = request.return_url
        try:
            link = await self._connection.open_link(body, request.key)
        except RefusalError as refusal:
            return refusal.declined()
        payment = translate.seen(link, (), self._options.live).payment
        if payment.next_action is None:
            raise OutcomeUnknownError(f"Adyen opened a payment that is {payment.status} from the start")
        return RequiresAction(payment, payment.next_action)

    async def authorize(self, request: AuthorizePayment) -> Answer:
        """The payment as it is: with Adyen the customer's own confirmation holds the money."""
        payment = (await self._seen(request.payment_id)).payment
        match payment.status:
            case PaymentStatus.AUTHORIZED | PaymentStatus.CAPTURED:
                return Completed(payment)
            case PaymentStatus.PROCESSING:
                return Pending(payment)
            case _:
                return _impossible("holds nothing for", payment)

    async def capture(self, request: CapturePayment) -> Answer:
        """Ask for what is held; a total that is captured already is Completed, a payment that holds nothing Declined.

        A capture that Adyen received and did not make is Declined when asked again with its key; a look-up shows its
        decline, with the key as the attempt. Captures that are not final take the account's `several_captures`. With
        them Adyen goes on to hold what a final one leaves: asked again once its capture is told of, it releases that.
        """
        amount = asked_amount(request.amount)
        if not request.final and not self._capabilities.several_captures:
            return Declined(declines.invalid_request(_ONE_CAPTURE, "this account of Adyen's has one capture a payment"))
        seen = await self._seen(request.payment_id)
        if _needs_no_more(seen.payment, request):
            held = request.final and seen.payment.status is PaymentStatus.AUTHORIZED
            return await self._release_rest(seen, request.key) if held else Completed(seen.payment)
        if request.key in seen.failures:
            return Declined(seen.failures[request.key], seen.payment)
        if seen.payment.status is not PaymentStatus.AUTHORIZED or seen.psp_reference is None:
            return _impossible("cannot capture", seen.payment)
        try:
            await self._connection.modify("captures", seen.psp_reference, request.key, amount)
        except RefusalError as refusal:
            return refusal.declined()
        return Pending(seen.payment)

    async def void(self, request: VoidPayment) -> Answer:
        """Ask to release what is held, or expire the link that nobody has paid; what took money is answered as it is.

        A cancel that Adyen received and did not make is told as a capture is.
        """
        seen = await self._seen(request.payment_id)
        if seen.payment.status is PaymentStatus.AWAITING_CUSTOMER:
            seen = await self._expire(request.payment_id)
        elif seen.payment.status is PaymentStatus.AUTHORIZED and seen.psp_reference is not None:
            if request.key in seen.failures:
                return Declined(seen.failures[request.key], seen.payment)
            try:
                await self._connection.modify("cancels", seen.psp_reference, request.key)
            except RefusalError as refusal:
                raise refusal.as_error() from None
        ended = seen.payment.status in (PaymentStatus.CANCELED, PaymentStatus.CAPTURED)
        return Completed(seen.payment) if ended else Pending(seen.payment)

    async def refund(self, request: RefundPayment) -> Answer:
        """Ask to give money back: Pending at first. Asked again with its key, the refund as it was told of since."""
        amount = asked_amount(request.amount)
        seen = await self._seen(request.payment_id)
        ours = [refund for refund in seen.payment.refunds if refund.reference == request.key]
        if ours:
            return _after_refund(ours[0])
        if seen.payment.captured == seen.payment.captured.zero() or seen.psp_reference is None:
            return _impossible("has nothing to give back of", seen.payment)
        try:
            refund_id = await self._connection.modify("refunds", seen.psp_reference, request.key, amount)
        except RefusalError as refusal:
            return refusal.declined()
        return Pending(RefundSnapshot(refund_id, request.amount, RefundStatus.PENDING, request.key))

    async def lookup(self, payment_id: str) -> PaymentSnapshot | None:
        """The payment as its link and the notifications so far state it; None when this account has no such link.

        A modification shows when its notification has come: until then a capture leaves the payment authorized and a
        refund is not there. How long Adyen keeps the hold it does not state.
        """
        seen = await self._reader.lookup(payment_id)
        return seen.payment if seen else None

    async def find(self, reference: str) -> PaymentSnapshot | None:
        """The payment with this reference, if somebody has tried to pay it: Adyen has no search.

        None is no proof that there is no link. One whose creation was not answered can do no harm: its address was
        given to nobody, so nobody can pay it.
        """
        return await self._reader.find(reference)

    async def reauthorize(self, request: ReauthorizePayment) -> Answer:
        """Always Declined: a hold of Adyen's cannot be made anew."""
        return Declined(declines.invalid_request(_NO_REAUTHORIZATION, "Adyen does not make a hold anew"))

    async def lookup_dispute(self, dispute_id: str) -> DisputeSnapshot | None:
        """The dispute as the notifications so far state it, see `disputes`; None when none is about it.

        Its id is our checkout's, a colon, and the dispute's own pspReference: Adyen has no look-up, and the checkout is
        what leads to the notifications. The payment is named by the checkout only.
        """
        return await self._reader.dispute(dispute_id)

    async def submit_evidence(self, request: SubmitEvidence) -> Answer:
        """Send the explanation as a document, where Adyen takes one of any content for this dispute."""
        return await self._defence.submit(request)

    async def accept_dispute(self, request: AcceptDispute) -> Answer:
        """Tell Adyen that we do not defend ourselves; its notification tells the end."""
        return await self._defence.accept(request)

    async def list_events(self, since: datetime, until: datetime) -> list[ListedEvent]:
        """None: Adyen has no list of what its webhooks told."""
        return []

    async def list_transactions(self, since: datetime, until: datetime) -> list[GatewayTransaction]:
        """What the notifications received in this time say of money taken and given back: Adyen has no such list.

        It is as late as the notifications are. Money that Adyen told nobody of is in its settlement reports only, and
        those are not read here.
        """
        return await self._reader.transactions(since, until)

    async def parse_webhook(self, body: bytes, headers: Mapping[str, str], now: datetime) -> list[WebhookEvent]:
        """The events of an authentic delivery. Raises WebhookNotAuthenticError for any doubt.

        Headers and the time play no part: the signatures stand in the body, and have no time in them.
        """
        return webhooks.parse(body, self._options.hmac_keys, self._options.merchant_account)

    async def close(self) -> None:
        """Close the running loop's connections."""
        await self._connection.close()
        await self._defence.close()

    async def _seen(self, payment_id: str) -> Seen:
        seen = await self._reader.lookup(payment_id)
        if seen is None:
            raise GatewayRefusedError(_MISSING, f"Adyen has no payment link {payment_id}")
        return seen

    async def _release_rest(self, seen: Seen, key: str) -> Answer:
        """Cancel what is still held beside what was captured: nothing else at Adyen ends a hold before it expires."""
        own = f"{key}:rest"
        if own in seen.failures or seen.psp_reference is None:
            # All that was asked for is captured; what Adyen will not let go of expires by itself.
            return Completed(seen.payment)
        try:
            await self._connection.modify("cancels", seen.psp_reference, own)
        except RefusalError as refusal:
            raise refusal.as_error() from None
        return Pending(seen.payment)

    async def _expire(self, payment_id: str) -> Seen:
        """Close the link; where Adyen will not, because it was paid meanwhile, the payment as it is."""
        try:
            return await self._reader.seen(await self._connection.expire_link(payment_id))
        except RefusalError as refusal:
            seen = await self._seen(payment_id)
            if seen.payment.status is PaymentStatus.AWAITING_CUSTOMER:
                raise refusal.as_error() from None
            return seen


def _needs_no_more(payment: PaymentSnapshot, request: CapturePayment) -> bool:
    """Whether as much is captured, or something else than the one capture that was to be made: the caller compares."""
    if request.total is None and payment.status is PaymentStatus.CAPTURED:
        return True
    total = request.captured_after
    return payment.captured.currency == total.currency and payment.captured.minor >= total.minor


def _impossible(what: str, payment: PaymentSnapshot) -> Declined:
    message = f"Adyen {what} a payment that is {payment.status}"
    return Declined(declines.invalid_request(_UNEXPECTED_STATE, message), payment)


def _after_refund(refund: RefundSnapshot) -> Answer:
    if refund.status is RefundStatus.SUCCEEDED:
        return Completed(refund)
    return Declined(declines.decline(refund.failure_code or "unknown"))
