"""A gateway in memory that shows whatever a test sets, and does at once what it is asked for."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from domain.money import Money
from domain.outcomes import Answer, Completed, Declined, Pending, RequiresAction
from domain.payment import (
    Decline,
    DeclineCode,
    NextAction,
    PaymentSnapshot,
    PaymentStatus,
    RefundSnapshot,
    RefundStatus,
)
from gateways.contract import AuthorizePayment, CapturePayment, CreatePayment, RefundPayment, VoidPayment
from gateways.stripe.adapter import StripeGateway

NAME = "puppet"
NO = Decline(DeclineCode.DO_NOT_HONOR, True, "no", "no")


class Puppet(StripeGateway):
    """Its payments are named after their checkouts. Only what it can do, and its webhooks, are Stripe's.

    `openings`: by checkout, what a create answers instead of a next step. `refusing`: payments that it will not
    capture. `refunds_end`: what a refund is as soon as it was asked for.
    """

    def setup(self) -> "Puppet":
        """Begin without payments."""
        self.payments: dict[str, PaymentSnapshot] = {}
        self.openings: dict[str, Callable[[PaymentSnapshot], Answer]] = {}
        self.refusing: set[str] = set()
        self.refunds_end: dict[str, RefundStatus] = {}
        self.calls: Counter[tuple[str, str]] = Counter()
        return self

    async def create(self, request: CreatePayment) -> Answer:
        """A payment that waits for the customer."""
        action, nothing = NextAction("confirm", client_secret="s"), request.amount.zero()
        payment = PaymentSnapshot(
            gateway=NAME,
            payment_id=f"pay_{request.reference}",
            reference=request.reference,
            status=PaymentStatus.AWAITING_CUSTOMER,
            amount=request.amount,
            captured=nothing,
            live=False,
            next_action=action,
        )
        self.payments[payment.payment_id] = payment
        opening = self.openings.get(request.reference)
        return opening(payment) if opening else RequiresAction(payment, action)

    async def lookup(self, payment_id: str) -> PaymentSnapshot | None:
        """As the test has set it, or as it became since."""
        self.calls[payment_id, "lookup"] += 1
        return self.payments.get(payment_id)

    async def find(self, reference: str) -> PaymentSnapshot | None:
        """By the name."""
        return await self.lookup(f"pay_{reference}")

    async def authorize(self, request: AuthorizePayment) -> Answer:
        """Held."""
        return Completed(self._becomes(request.payment_id, "authorize", PaymentStatus.AUTHORIZED))

    async def capture(self, request: CapturePayment) -> Answer:
        """Taken, unless it is to be refused."""
        if request.payment_id in self.refusing:
            return Declined(NO, self.payments[request.payment_id])
        status = PaymentStatus.CAPTURED if request.final else PaymentStatus.AUTHORIZED
        return Completed(self._becomes(request.payment_id, "capture", status, captured=request.captured_after))

    async def void(self, request: VoidPayment) -> Answer:
        """Let go of."""
        taken = self.payments[request.payment_id].captured.minor
        ended = PaymentStatus.CAPTURED if taken else PaymentStatus.CANCELED
        return Completed(self._becomes(request.payment_id, "void", ended))

    async def refund(self, request: RefundPayment) -> Answer:
        """Taken on; declined where the test has said nothing of its end."""
        end = self.refunds_end.get(request.payment_id)
        if end is None:
            self.calls[request.payment_id, "refund"] += 1
            return Declined(NO)
        refund = RefundSnapshot(f"re_{request.key}", request.amount, end, request.key)
        before = self.payments[request.payment_id].refunds
        self._becomes(request.payment_id, "refund", refunds=(*before, refund))
        return Pending(refund) if end is RefundStatus.PENDING else Completed(refund)

    def _becomes(
        self,
        payment_id: str,
        verb: str,
        status: PaymentStatus | None = None,
        captured: Money | None = None,
        refunds: tuple[RefundSnapshot, ...] | None = None,
    ) -> PaymentSnapshot:
        now = self.payments[payment_id]
        self.calls[payment_id, verb] += 1
        self.payments[payment_id] = replace(
            now,
            status=status or now.status,
            captured=captured or now.captured,
            refunds=now.refunds if refunds is None else refunds,
            next_action=None,
        )
        return self.payments[payment_id]
