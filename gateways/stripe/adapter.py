"""The Gateway protocol on Stripe's PaymentIntents."""

from collections.abc import Mapping
from datetime import datetime

from domain.errors import GatewayRefusedError, OutcomeUnknownError
from domain.outcomes import Answer, Completed, Declined, Pending, RequiresAction
from domain.payment import PaymentSnapshot, PaymentStatus, RefundSnapshot, RefundStatus
from gateways.contract import (
    AuthorizePayment,
    Capabilities,
    CapturePayment,
    CreatePayment,
    GatewayTransaction,
    RefundPayment,
    VoidPayment,
    WebhookEvent,
)
from gateways.refusal import RefusalError
from gateways.stripe import declines, translate, webhooks
from gateways.stripe.capabilities import capabilities
from gateways.stripe.client import StripeConnection
from gateways.stripe.currencies import charge_amount, part_amount
from gateways.stripe.errors import UNEXPECTED_STATE
from gateways.stripe.options import StripeOptions
from gateways.stripe.reader import EXPAND, StripeReader
from gateways.stripe.translate import NAME, REFERENCE, REFUND_REFERENCE


class StripeGateway:
    """One Stripe account as a `Gateway`."""

    def __init__(self, options: StripeOptions) -> None:
        self._options = options
        self._connection = StripeConnection(options)
        self._reader = StripeReader(self._connection, options.payment_page)
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
        amount = charge_amount(request.amount)
        try:
            intent = await self._connection.send(
                lambda client: client.v1.payment_intents.create_async(
                    {
                        "amount": amount,
                        "currency": request.amount.currency.lower(),
                        "capture_method": "manual" if request.hold else "automatic",
                        "automatic_payment_methods": {"enabled": True},
                        "metadata": {REFERENCE: request.reference, "order_id": request.order_id},
                    },
                    {"idempotency_key": request.key},
                )
            )
        except RefusalError as refusal:
            return refusal.declined()
        payment = translate.payment_of(intent, (), self._options.payment_page)
        if payment.next_action is None:
            raise OutcomeUnknownError(f"Stripe opened a payment that is {payment.status} from the start")
        return RequiresAction(payment, payment.next_action)

    async def authorize(self, request: AuthorizePayment) -> Answer:
        """The payment as it is: with Stripe the customer's own confirmation holds the money."""
        payment = await self._reader.lookup(request.payment_id)
        if payment is None:
            raise GatewayRefusedError("resource_missing", f"Stripe has no payment {request.payment_id}")
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
        """Take what is held; a payment that is captured already is Completed, a canceled one Declined."""
        amount = part_amount(request.amount)
        try:
            intent = await self._connection.send(
                lambda client: client.v1.payment_intents.capture_async(
                    request.payment_id,
                    {"amount_to_capture": amount, "expand": EXPAND},
                    {"idempotency_key": request.key},
                )
            )
        except RefusalError as refusal:
            if refusal.code != UNEXPECTED_STATE:
                return refusal.declined()
            return _after_capture(await self._as_it_is(request.payment_id, refusal))
        return _after_capture(await self._reader.snapshot(intent))

    async def void(self, request: VoidPayment) -> Answer:
        """Cancel the PaymentIntent; one that is paid or being paid is answered as it is."""
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

    async def list_transactions(self, since: datetime, until: datetime) -> list[GatewayTransaction]:
        """The account's balance transactions created in this time; Stripe lists them at once."""
        return await self._reader.transactions(since, until)

    async def parse_webhook(self, body: bytes, headers: Mapping[str, str], now: datetime) -> list[WebhookEvent]:
        """The event of an authentic delivery. Raises WebhookNotAuthenticError for any doubt."""
        return webhooks.parse(body, headers, self._options.webhook_secrets, now)

    async def close(self) -> None:
        """Close the running loop's connections."""
        await self._connection.close()

    async def _as_it_is(self, payment_id: str, refusal: RefusalError) -> PaymentSnapshot:
        """The payment read anew: the one within Stripe's refusal comes without its refunds."""
        payment = await self._reader.lookup(payment_id)
        if payment is None:
            raise refusal.as_error() from None
        return payment


def _after_capture(payment: PaymentSnapshot) -> Answer:
    match payment.status:
        case PaymentStatus.CAPTURED:
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
