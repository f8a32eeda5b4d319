"""The Gateway protocol on Stripe's PaymentIntents."""

from collections.abc import Mapping
from datetime import datetime

from stripe.params import PaymentIntentCaptureParams, PaymentIntentCreateParams

from domain.dispute import DisputeSnapshot
from domain.errors import GatewayRefusedError, OutcomeUnknownError
from domain.outcomes import Answer, Completed, Declined, Pending, RequiresAction
from domain.payment import PaymentSnapshot, PaymentStatus, RefundSnapshot, RefundStatus
from gateways.contract import (
    AcceptDispute,
    AuthorizePayment,
    Capabilities,
    CapturePayment,
    CreatePayment,
    GatewayTransaction,
    ListedEvent,
    ReauthorizePayment,
    RefundPayment,
    SubmitEvidence,
    VoidPayment,
    WebhookEvent,
)
from gateways.refusal import RefusalError
from gateways.stripe import declines, translate, webhooks
from gateways.stripe.capabilities import capabilities
from gateways.stripe.client import StripeConnection
from gateways.stripe.currencies import charge_amount, part_amount
from gateways.stripe.disputes import StripeDisputes
from gateways.stripe.errors import UNEXPECTED_STATE
from gateways.stripe.fields import Object
from gateways.stripe.options import StripeOptions
from gateways.stripe.reader import EXPAND, StripeReader
from gateways.stripe.translate import NAME, REFERENCE, REFUND_REFERENCE


class StripeGateway:
    """One Stripe account as a `Gateway`."""

    def __init__(self, options: StripeOptions) -> None:
        self._options = options
        self._connection = StripeConnection(options)
        self._reader = StripeReader(self._connection, options.payment_page)
        self._disputes = StripeDisputes(self._connection)
        self._capabilities = capabilities(options.live)

    @property
    def name(self) -> str:
        """`stripe`."""
        return NAME

    @property
    def capabilities(self) -> Capabilities:
        """What this account can do."""
        return self._capabilities

    async def create(self, request: CreatePayment) -> Answer:
        """Open a PaymentIntent that the customer confirms. Raises AmountDoesNotFitError before any call.

        Stripe takes a return address only with the confirmation, so `return_url` is the payment page's to send.
        """
        params: PaymentIntentCreateParams = {
            "amount": charge_amount(request.amount),
            "currency": request.amount.currency.lower(),
            "capture_method": "manual" if request.hold else "automatic",
            "automatic_payment_methods": {"enabled": True},
            "metadata": {REFERENCE: request.reference, "order_id": request.order_id},
        }
        if request.hold:
            params["payment_method_options"] = {"card": {"request_multicapture": "if_available"}}
        try:
            intent = await self._connection.send(
                lambda client: client.v1.payment_intents.create_async(params, {"idempotency_key": request.key})
            )
        except RefusalError as refusal:
            return refusal.declined()
        payment = translate.payment_of(intent, (), self._options.payment_page)
        if payment.next_action is None:
            raise OutcomeUnknownError(f"Stripe opened a payment that is {payment.status} from the start")
        return RequiresAction(payment, payment.next_action)

    async def authorize(self, request: AuthorizePayment) -> Answer:
        """The payment as it is: with Stripe the customer's own confirmation holds the money."""
        payment = await self._reader.snapshot(await self._existing(request.payment_id))
        if payment.next_action is not None and payment.status is PaymentStatus.REQUIRES_ACTION:
            return RequiresAction(payment, payment.next_action)
        match payment.status:
            case PaymentStatus.AUTHORIZED | PaymentStatus.CAPTURED:
                return Completed(payment)
            case PaymentStatus.PROCESSING:
                return Pending(payment)
            case _:
                message = f"Stripe holds nothing for a payment that is {payment.status}"
                return Declined(declines.decline(UNEXPECTED_STATE, message), payment)

    async def capture(self, request: CapturePayment) -> Answer:
        """Take what is held; a payment that is captured already is Completed, a canceled one Declined.

        Part of a hold can be taken again under another key, so for one of several the payment is read first. One that
        is not final is Declined where Stripe has no multicapture for the card.
        """
        if request.final and request.total is None:
            return await self._take(request, part_amount(request.amount))
        intent = await self._existing(request.payment_id)
        payment = await self._reader.snapshot(intent)
        if payment.status is not PaymentStatus.AUTHORIZED:
            return _after_capture(payment, request)
        if payment.captured.minor >= request.captured_after.minor:
            # All is taken that was asked for; a final capture of nothing releases the rest.
            return await self._take(request, 0) if request.final else Completed(payment)
        if payment.captured.minor > request.captured_after.minor - request.amount.minor:
            message = f"{payment.captured} of the hold are captured already, which is more than was known"
            return Declined(declines.decline(UNEXPECTED_STATE, message), payment)
        if not request.final and not translate.several_captures(intent):
            message = "Stripe takes no further capture of this hold, so this one must be the final one"
            return Declined(declines.invalid_request("multicapture_unavailable", message), payment)
        return await self._take(request, part_amount(request.amount))

    async def _take(self, request: CapturePayment, amount: int) -> Answer:
        params: PaymentIntentCaptureParams = {"amount_to_capture": amount, "expand": EXPAND}
        if not request.final:
            params["final_capture"] = False
        try:
            intent = await self._connection.send(
                lambda client: client.v1.payment_intents.capture_async(
                    request.payment_id, params, {"idempotency_key": request.key}
                )
            )
        except RefusalError as refusal:
            if refusal.code != UNEXPECTED_STATE:
                return refusal.declined()
            return _after_capture(await self._as_it_is(request.payment_id, refusal), request)
        return _after_capture(await self._reader.snapshot(intent), request)

    async def reauthorize(self, request: ReauthorizePayment) -> Answer:
        """Declined: Stripe makes no hold anew."""
        return Declined(declines.invalid_request("reauthorization_unavailable", "Stripe makes no hold anew"))

    async def void(self, request: VoidPayment) -> Answer:
        """Cancel the PaymentIntent; one that is paid or being paid is answered as it is.

        A hold of which a part was taken cannot be canceled: its rest is released, and it was paid after all.
        """
        try:
            intent = await self._connection.send(
                lambda client: client.v1.payment_intents.cancel_async(
                    request.payment_id, {"expand": EXPAND}, {"idempotency_key": request.key}
                )
            )
        except RefusalError as refusal:
            if refusal.code != UNEXPECTED_STATE:
                raise refusal.as_error() from None
            payment = await self._as_it_is(request.payment_id, refusal)
            if payment.status is PaymentStatus.AUTHORIZED and payment.captured.minor:
                # The key has its answer already, so the release goes under one of its own.
                rest = CapturePayment(f"{request.key}:release", request.payment_id, payment.captured.zero())
                return await self._take(rest, 0)
        else:
            payment = await self._reader.snapshot(intent)
        ended = payment.status in (PaymentStatus.CANCELED, PaymentStatus.CAPTURED)
        return Completed(payment) if ended else Pending(payment)

    async def refund(self, request: RefundPayment) -> Answer:
        """Give money back; when Stripe refuses because our refund exists already, that refund is the answer."""
        amount = part_amount(request.amount)
        try:
            stated = await self._connection.send(
                lambda client: client.v1.refunds.create_async(
                    {
                        "payment_intent": request.payment_id,
                        "amount": amount,
                        "metadata": {REFUND_REFERENCE: request.key},
                    },
                    {"idempotency_key": request.key},
                )
            )
        except RefusalError as refusal:
            declined = refusal.declined()
            made = [translate.refund_of(stated) for stated in await self._reader.refunds(request.payment_id)]
            ours = [refund for refund in made if refund.reference == request.key]
            return _after_refund(ours[0]) if ours else declined
        return _after_refund(translate.refund_of(stated))

    async def lookup(self, payment_id: str) -> PaymentSnapshot | None:
        """The payment with its refunds; None when this account has no such PaymentIntent."""
        return await self._reader.lookup(payment_id)

    async def find(self, reference: str) -> PaymentSnapshot | None:
        """The payment with this reference, by Stripe's search and, as that lags, among the 300 newest payments.

        None may mean that the payment is no longer among those and not yet in the search: ask again after a minute.
        """
        return await self._reader.find(reference)

    async def lookup_dispute(self, dispute_id: str) -> DisputeSnapshot | None:
        """The dispute with our reference; None when this account has no such one."""
        return await self._disputes.lookup(dispute_id)

    async def submit_evidence(self, request: SubmitEvidence) -> Answer:
        """Submit evidence to the bank at once."""
        return await self._disputes.submit(request)

    async def accept_dispute(self, request: AcceptDispute) -> Answer:
        """Close a chargeback as lost."""
        return await self._disputes.accept(request)

    async def list_events(self, since: datetime, until: datetime) -> list[ListedEvent]:
        """The account's events of this time; Stripe keeps them for 30 days and lists them at once."""
        return await self._reader.events(since, until)

    async def list_transactions(self, since: datetime, until: datetime) -> list[GatewayTransaction]:
        """The account's balance transactions created in this time; Stripe lists them at once."""
        return await self._reader.transactions(since, until)

    async def parse_webhook(self, body: bytes, headers: Mapping[str, str], now: datetime) -> list[WebhookEvent]:
        """The event of an authentic delivery. Raises WebhookNotAuthenticError for any doubt."""
        return webhooks.parse(body, headers, self._options.webhook_secrets, now)

    async def close(self) -> None:
        """Close the running loop's connections."""
        await self._connection.close()

    async def _existing(self, payment_id: str) -> Object:
        intent = await self._reader.intent(payment_id)
        if intent is None:
            raise GatewayRefusedError("resource_missing", f"Stripe has no payment {payment_id}")
        return intent

    async def _as_it_is(self, payment_id: str, refusal: RefusalError) -> PaymentSnapshot:
        """The payment read anew: the one within Stripe's refusal comes without its refunds."""
        payment = await self._reader.lookup(payment_id)
        if payment is None:
            raise refusal.as_error() from None
        return payment


def _after_capture(payment: PaymentSnapshot, request: CapturePayment) -> Answer:
    enough = payment.captured.minor >= request.captured_after.minor
    match payment.status:
        case PaymentStatus.CAPTURED if enough or (request.final and request.total is None):
            return Completed(payment)
        case PaymentStatus.AUTHORIZED if enough and not request.final:
            return Completed(payment)
        case PaymentStatus.PROCESSING | PaymentStatus.AUTHORIZED:
            return Pending(payment)
        case _:
            message = f"Stripe cannot capture a payment that is {payment.status}"
            return Declined(declines.decline(UNEXPECTED_STATE, message), payment)


def _after_refund(refund: RefundSnapshot) -> Answer:
    match refund.status:
        case RefundStatus.SUCCEEDED:
            return Completed(refund)
        case RefundStatus.PENDING:
            return Pending(refund)
        case RefundStatus.FAILED:
            return Declined(declines.decline(refund.failure_code or "unknown", f"refund {refund.refund_id} failed"))
