"""The Gateway protocol on PayPal's orders."""

from collections.abc import Mapping, Set
from dataclasses import replace
from datetime import datetime

from domain.dispute import DisputeSnapshot
from domain.errors import GatewayRefusedError, OutcomeUnknownError
from domain.outcomes import Answer, Completed, Declined, Pending, RequiresAction
from domain.payment import NextAction, PaymentSnapshot, PaymentStatus
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
from gateways.paypal import currencies, fields, requests, translate, webhooks
from gateways.paypal.answers import after_capture, after_void, as_it_is, captured_already, not_asked_for
from gateways.paypal.capabilities import capabilities
from gateways.paypal.certificates import Certificates
from gateways.paypal.client import PayPalConnection
from gateways.paypal.disputes import PayPalDisputes
from gateways.paypal.errors import MISSING, PAYER_ACTION_REQUIRED
from gateways.paypal.options import PayPalOptions
from gateways.paypal.reader import Order, PayPalReader
from gateways.paypal.refunds import PayPalRefunds
from gateways.refusal import RefusalError


class PayPalGateway:
    """One PayPal account as a `Gateway`."""

    def __init__(self, options: PayPalOptions, evidence: Evidence) -> None:
        self._options = options
        self._connection = PayPalConnection(options)
        self._certificates = Certificates(options)
        self._reader = PayPalReader(self._connection, evidence, options.live)
        self._refunds = PayPalRefunds(self._connection, self._reader)
        self._disputes = PayPalDisputes(self._connection, self._reader, options.live)
        self._capabilities = capabilities(options)

    @property
    def name(self) -> str:
        """`paypal`."""
        return translate.NAME

    @property
    def capabilities(self) -> Capabilities:
        """What this account can do."""
        return self._capabilities

    async def create(self, request: CreatePayment) -> Answer:
        """Open an order that the payer approves on PayPal's page. Raises AmountDoesNotFitError before any call.

        A repeated request id answers the order as it is by now, which may be anything.
        """
        body = requests.order(request)
        with self._connection.one_operation():
            try:
                said = await self._connection.send("/v2/checkout/orders", body, request.key)
            except RefusalError as refusal:
                return refusal.declined()
            order = await self._opened(said.object)
        payment = order.payment
        if payment.next_action is not None:
            return RequiresAction(payment, payment.next_action)
        if said.status == 201:
            raise OutcomeUnknownError(f"PayPal opened an order that is {payment.status} from the start")
        # The create is done; what the payer has done meanwhile is no part of it.
        return Pending(payment) if payment.status is PaymentStatus.APPROVED else as_it_is(payment, _HELD)

    async def authorize(self, request: AuthorizePayment) -> Answer:
        """Hold what the payer approved; an order that is held or captured already is Completed."""
        with self._connection.one_operation():
            payment = (await self._known(request.payment_id)).payment
            if payment.status in _HELD | _SETTLED:
                return as_it_is(payment, _HELD)
            try:
                await self._connection.send(f"/v2/checkout/orders/{request.payment_id}/authorize", None, request.key)
            except RefusalError as refusal:
                return await self._after_refusal(request, refusal, _HELD)
            return as_it_is((await self._known(request.payment_id)).payment, _HELD)

    async def capture(self, request: CapturePayment) -> Answer:
        """Take what is held, in one or several parts, or the whole of what is only approved.

        What is captured already is Completed, and what waits for PayPal is Pending. PayPal would take up to 15 % more
        than is held; the payer agreed to the order's amount, so more is declined. Raises AmountDoesNotFitError.
        """
        currencies.stated(request.amount)
        with self._connection.one_operation():
            order = await self._known(request.payment_id)
            payment, held = order.payment, order.payments.held
            if captured_already(request, payment) or payment.status in _OVER:
                return after_capture(request, payment)
            problem = _unlike(request, order)
            if problem is not None:
                return problem
            if payment.status is PaymentStatus.PROCESSING and (held is None or _under_way(request, order)):
                return Pending(payment)
            if held is None and request.amount != payment.amount:
                return not_asked_for(payment, "AMOUNT_MISMATCH", "only what is held can be taken in part")
            path, body = f"/v2/checkout/orders/{request.payment_id}/capture", None
            if held is not None:
                path, body = f"/v2/payments/authorizations/{fields.id_of(held)}/capture", requests.capture(request)
            try:
                await self._connection.send(path, body, request.key)
            except RefusalError as refusal:
                return await self._after_refusal(request, refusal, _TAKEN)
            return after_capture(request, (await self._known(request.payment_id)).payment)

    async def reauthorize(self, request: ReauthorizePayment) -> Answer:
        """Make the hold anew, which has another id then. PayPal does so from the original one only, and not twice."""
        amount = currencies.stated(request.amount)
        with self._connection.one_operation():
            order = await self._known(request.payment_id)
            original, payment = order.payments.original, order.payment
            if payment.status is not PaymentStatus.AUTHORIZED or original is None:
                return not_asked_for(payment, "ORDER_NOT_HELD", "what is not held cannot be held anew")
            if request.amount.currency != payment.amount.currency or request.amount.minor > _left(payment):
                return not_asked_for(payment, "MAX_CAPTURE_AMOUNT_EXCEEDED", "more than the payer agreed to")
            path = f"/v2/payments/authorizations/{fields.id_of(original)}/reauthorize"
            try:
                made = (await self._connection.send(path, {"amount": amount}, request.key)).object
            except RefusalError as refusal:
                return refusal.declined((await self._known(request.payment_id)).payment)
            payment = (await self._known(request.payment_id)).payment
            if payment.authorization_id != fields.id_of(made):
                raise OutcomeUnknownError("PayPal made the hold anew and still shows the order with another")
            return Completed(payment)

    async def void(self, request: VoidPayment) -> Answer:
        """Release what is held; one that is over or captured is Completed as it is.

        An order that nobody has paid cannot be ended at PayPal. It takes no money unless we capture it, and lapses.
        """
        with self._connection.one_operation():
            order = await self._known(request.payment_id)
            original = order.payments.original
            if order.payment.status is not PaymentStatus.AUTHORIZED or original is None:
                return after_void(order.payment)
            try:
                # Voiding the original ends the hold that was made of it; that one cannot be voided by itself.
                path = f"/v2/payments/authorizations/{fields.id_of(original)}/void"
                await self._connection.send(path, None, request.key)
            except RefusalError as refusal:
                after = (await self._known(request.payment_id)).payment
                return refusal.declined(after) if after.status is PaymentStatus.AUTHORIZED else after_void(after)
            return after_void((await self._known(request.payment_id)).payment)

    async def refund(self, request: RefundPayment) -> Answer:
        """Give money back; a refund that was made under this key already is the answer, however long ago it was."""
        currencies.stated(request.amount)
        with self._connection.one_operation():
            return await self._refunds.refund(request, await self._known(request.payment_id))

    async def lookup(self, payment_id: str) -> PaymentSnapshot | None:
        """The order with its payments and refunds; None when this account has no such order, or it has lapsed."""
        with self._connection.one_operation():
            order = await self._reader.order(payment_id)
        return order.payment if order is not None else None

    async def find(self, reference: str) -> PaymentSnapshot | None:
        """The payment with this reference, if an authentic delivery named it: PayPal has no look-up by reference.

        None may therefore be an order whose creation was not answered. That is safe to take for nothing: its address
        was given to nobody, and even an approved order takes no money unless we capture it.
        """
        with self._connection.one_operation():
            return await self._reader.find(reference)

    async def lookup_dispute(self, dispute_id: str) -> DisputeSnapshot | None:
        """The dispute as PayPal states it now; None for one that PayPal does not know or that is not about us."""
        with self._connection.one_operation():
            return await self._disputes.lookup(dispute_id)

    async def submit_evidence(self, request: SubmitEvidence) -> Answer:
        """Answer a claim or chargeback, while PayPal waits for our answer."""
        with self._connection.one_operation():
            return await self._disputes.submit_evidence(request)

    async def accept_dispute(self, request: AcceptDispute) -> Answer:
        """Let the payer have the disputed money."""
        with self._connection.one_operation():
            return await self._disputes.accept(request)

    async def list_events(self, since: datetime, until: datetime) -> list[ListedEvent]:
        """The events that PayPal's webhooks told in this time; PayPal lists those of the last 30 days."""
        return await self._reader.events(since, until)

    async def list_transactions(self, since: datetime, until: datetime) -> list[GatewayTransaction]:
        """What moved in this time, by PayPal's transaction search, which shows a movement up to three hours late.

        Transaction ids are not unique there; together with the type they are.
        """
        return await self._reader.transactions(since, until)

    async def parse_webhook(self, body: bytes, headers: Mapping[str, str], now: datetime) -> list[WebhookEvent]:
        """The event of an authentic delivery. Raises WebhookNotAuthenticError for any doubt.

        GatewayUnreachableError when PayPal does not hand out the certificate that would prove it.
        """
        return await webhooks.parse(body, headers, self._options, self._certificates, now)

    async def close(self) -> None:
        """Close the running loop's connections."""
        await self._certificates.close()
        await self._connection.close()

    async def _opened(self, stated: fields.Object) -> Order:
        """The order that a create answered; read where PayPal answered its id and little more."""
        if "purchase_units" in stated:
            return await self._reader.understood(stated)
        return await self._known(fields.text(stated, "id"))

    async def _known(self, payment_id: str) -> Order:
        """The order as it is now. Raises GatewayRefusedError when PayPal has none."""
        order = await self._reader.order(payment_id)
        if order is None:
            raise GatewayRefusedError(MISSING, f"PayPal has no order {payment_id[:64]!r}")
        return order

    async def _after_refusal(
        self, request: AuthorizePayment | CapturePayment, refusal: RefusalError, done: Set[PaymentStatus]
    ) -> Answer:
        """What is true after PayPal refused: often it was done already, or the payer has to go back and choose."""
        order = await self._known(request.payment_id)
        payment = order.payment
        processing = payment.status is PaymentStatus.PROCESSING
        if isinstance(request, CapturePayment):
            known = captured_already(request, payment) or payment.status in done
            if known or (processing and _under_way(request, order)):
                return after_capture(request, payment)
        elif processing or payment.status in done:
            return as_it_is(payment, done)
        if refusal.code in _DONE_BEFORE:
            raise OutcomeUnknownError(f"PayPal says {refusal.code} and shows the order as {payment.status}")
        decline = refusal.declined().decline
        url = refusal.refusal.payer_url
        action = NextAction("redirect", url=url) if url and not decline.hard else payment.next_action
        if refusal.code == PAYER_ACTION_REQUIRED and action is not None:
            return RequiresAction(replace(payment, next_action=action), action)
        # No payment of PayPal's tells of this try, so it goes by the name of the operation that made it.
        return Declined(decline, replace(payment, decline=decline, next_action=action, attempt=request.key))


_DONE_BEFORE = frozenset(
    {
        "ORDER_ALREADY_CAPTURED",
        "ORDER_ALREADY_AUTHORIZED",
        "ORDER_COMPLETED_OR_VOIDED",
        "AUTHORIZATION_ALREADY_CAPTURED",
    }
)
"""Refusals that are no decline: what was asked for was done before, whatever the order still shows."""
_TAKEN = frozenset({PaymentStatus.CAPTURED})
_HELD = _TAKEN | {PaymentStatus.AUTHORIZED}
# Nothing can be asked for while PayPal works on it, nor after it has ended.
_SETTLED = frozenset({PaymentStatus.PROCESSING, PaymentStatus.CANCELED})
_OVER = frozenset({PaymentStatus.CAPTURED, PaymentStatus.CANCELED})


def _left(payment: PaymentSnapshot) -> int:
    return payment.amount.minor - payment.captured.minor


def _under_way(request: CapturePayment, order: Order) -> bool:
    """Whether PayPal works on as much as shall be captured after this."""
    drawn = order.payments.drawn
    return drawn is not None and drawn.minor >= request.captured_after.minor


def _unlike(request: CapturePayment, order: Order) -> Declined | None:
    """Our own no to a capture that does not fit to what the payer agreed to and to what was captured before."""
    payment, drawn = order.payment, order.payments.drawn
    wanted, agreed = request.captured_after, payment.amount
    before = 0 if drawn is None or _under_way(request, order) else drawn.minor
    if {request.amount.currency, wanted.currency} != {agreed.currency} or max(
        wanted.minor, before + request.amount.minor
    ) > agreed.minor:
        return not_asked_for(payment, "MAX_CAPTURE_AMOUNT_EXCEEDED", "more than the payer agreed to")
    if before and before + request.amount.minor != wanted.minor:
        return not_asked_for(payment, "AMOUNT_MISMATCH", f"{drawn} is captured already, which this does not count in")
    return None
