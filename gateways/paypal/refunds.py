"""Refunds. PayPal refunds single captures; one refund of ours may need several of PayPal's where there are several.

Each of those has a request id of its own, made of our key and the capture, and says that it is a piece. Nothing is
begun that the captures could not bear together. What is missing after one went out is asked for by a repetition, also
under another key of the same refund. If the rest can never follow, the refund is declined as one that PayPal refused,
and what went out is shown by the payment as what it is: a smaller refund that stands for itself.
"""

from domain.errors import GatewayRefusedError, OutcomeUnknownError
from domain.money import Money
from domain.outcomes import Answer
from domain.payment import RefundSnapshot, RefundStatus
from gateways.contract import RefundPayment
from gateways.paypal import fields, requests, translate
from gateways.paypal.answers import after_refund, not_asked_for
from gateways.paypal.client import PayPalConnection
from gateways.paypal.fields import Object
from gateways.paypal.pieces import Piece, operation_of, shown
from gateways.paypal.reader import Order, PayPalReader
from gateways.paypal.translate import Payments
from gateways.refusal import RefusalError

_GIVES_NOTHING = frozenset({"FAILED", "CANCELLED"})

Share = tuple[Object, Money]
"""A capture and an amount of it."""


class PayPalRefunds:
    """Refunds on one PayPal account."""

    def __init__(self, connection: PayPalConnection, reader: PayPalReader) -> None:
        self._connection = connection
        self._reader = reader

    async def refund(self, request: RefundPayment, order: Order) -> Answer:
        """Give money back; what was given under this key already is the answer, or the beginning of it."""
        pieces = _begun(request, order)
        done = _done(request, order)
        if done is not None:
            return after_refund(done)
        if not order.payments.taken:
            return not_asked_for(order.payment, "ORDER_NOT_CAPTURED", "nothing was taken that could be given back")
        shares = _shares(request, order.payments, pieces)
        if shares is None:
            return _exceeds(request, order, pieces)
        for capture, amount in shares:
            try:
                pieces.append(await self._piece(request, capture, amount))
            except RefusalError as refusal:
                return await self._after_refusal(request, refusal, capture, pieces)
            if pieces[-1].refund.status is RefundStatus.FAILED:
                break
        return after_refund(shown(pieces)[-1])

    async def _piece(self, request: RefundPayment, capture: Object, amount: Money) -> Piece:
        id_, whole, key = fields.id_of(capture), None, request.key
        if amount != request.amount:
            whole, key = request.amount, f"{request.key}:{id_}"
        body = requests.refund(request.key, amount, whole)
        stated = (await self._connection.send(f"/v2/payments/captures/{id_}/refund", body, key)).object
        if "amount" not in stated:
            stated = await self._reader.refund(fields.id_of(stated))
        # It was answered to our key, so it is ours also where PayPal leaves out what it was told.
        return translate.piece_of({**stated, "custom_id": body["custom_id"]})

    async def _after_refusal(
        self, request: RefundPayment, refusal: RefusalError, capture: Object, pieces: list[Piece]
    ) -> Answer:
        """What is true after PayPal refused to give back of this capture, with these pieces given before.

        Raises OutcomeUnknownError when asking again can bring another answer.
        """
        order = await self._reader.order(request.payment_id)
        if order is None:
            return refusal.declined()
        done = _done(request, order)
        if done is not None:
            return after_refund(done)
        if not {piece.refund.refund_id for piece in pieces} <= {refund.refund_id for refund in order.payment.refunds}:
            # Declined now, it would look as if nothing had gone out.
            raise OutcomeUnknownError(f"PayPal gave back some of {request.amount} and does not show it yet: {refusal}")
        shares = _shares(request, order.payments, _begun(request, order))
        if shares is not None and all(other["id"] != capture["id"] for other, _ in shares):
            raise OutcomeUnknownError(f"another refund came first, and other captures have enough left: {refusal}")
        return refusal.declined(order.payment)


def room(payments: Payments) -> list[Share]:
    """The captures of which something is left to give back, and how much, the newest first.

    Raises OutcomeUnknownError where a refund does not tell of which capture it is.
    """
    given = [part for part in payments.refunds if fields.text(part, "status") not in _GIVES_NOTHING]
    found: list[Share] = []
    for capture in payments.taken:
        taken = fields.money(capture, "amount")
        returned = [fields.money(part, "amount") for part in given if _capture_of(part) == capture["id"]]
        left = taken.minor - sum(amount.minor for amount in returned)
        if left > 0:
            found.append((capture, Money(left, taken.currency)))
    return found


def _capture_of(refund: Object) -> str:
    address = fields.link(refund, "up")
    if address is None:
        raise fields.unreadable("the capture of a refund")
    return address.rstrip("/").rpartition("/")[2]


def _done(request: RefundPayment, order: Order) -> RefundSnapshot | None:
    """The refund, whole, if it was made: under this key, or alive under another one of the same refund."""
    for refund in order.payment.refunds:
        same = refund.reference is not None and operation_of(refund.reference) == operation_of(request.key)
        if same and (refund.reference == request.key or refund.status is not RefundStatus.FAILED):
            return refund
    return None


def _begun(request: RefundPayment, order: Order) -> list[Piece]:
    """What went out for it, under whichever of its keys. Raises GatewayRefusedError where that is of another amount."""
    pieces = [translate.piece_of(refund, order.payment.reference) for refund in order.payments.refunds]
    ours = [piece for piece in pieces if operation_of(piece.refund.reference) == operation_of(request.key)]
    for piece in ours:
        amount = piece.refund.amount
        whole = Money(amount.minor if piece.whole is None else piece.whole, amount.currency)
        if whole != request.amount:
            raise GatewayRefusedError("DUPLICATE_REQUEST_ID", f"the key was used to refund {whole}")
    return [piece for piece in ours if piece.refund.status is not RefundStatus.FAILED]


def _exceeds(request: RefundPayment, order: Order, pieces: list[Piece]) -> Answer:
    """Our no where the captures cannot bear what is asked for, or what is left of it."""
    given = sum((piece.refund.amount for piece in pieces), start=request.amount.zero())
    message = f"more than is left of what was captured; {given} of it went back already"
    return not_asked_for(order.payment, "REFUND_AMOUNT_EXCEEDED", message)


def _shares(request: RefundPayment, payments: Payments, pieces: list[Piece]) -> list[Share] | None:
    """Which captures to refund, and how much of each; None where they cannot bear it together."""
    if len(payments.taken) == 1 and not pieces:
        return [(payments.taken[0], request.amount)]
    rest = request.amount
    for piece in pieces:
        rest -= piece.refund.amount
    bearing = [share for share in room(payments) if share[1].currency == rest.currency]
    alone = next((capture for capture, left in bearing if left.minor >= rest.minor), None)
    if alone is not None:
        return [(alone, rest)]
    shares: list[Share] = []
    for capture, left in bearing:
        amount = Money(min(left.minor, rest.minor), rest.currency)
        shares += [(capture, amount)] if amount.minor else []
        rest -= amount
    return None if rest.minor else shares
