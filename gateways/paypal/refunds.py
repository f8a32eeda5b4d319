"""Refunds. PayPal refunds single captures; one refund of ours may need several of PayPal's where there are several.

Each of those has a request id of its own, made of our key and the capture, and says that it is a piece. Nothing is
begun that the captures could not bear together. If PayPal refuses a later one all the same, the outcome is unknown: a
repetition asks for what is missing, and until then the payment shows no such refund.
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
from gateways.paypal.pieces import Piece, merged
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
        done = _done(request, order)
        if done is not None:
            return after_refund(done)
        if not order.payments.taken:
            return not_asked_for(order.payment, "ORDER_NOT_CAPTURED", "nothing was taken that could be given back")
        pieces = _begun(request, order)
        shares = _shares(request, order.payments, pieces)
        if shares is None:
            return not_asked_for(order.payment, "REFUND_AMOUNT_EXCEEDED", "more than is left of what was captured")
        for capture, amount in shares:
            try:
                pieces.append(await self._piece(request, capture, amount))
            except RefusalError as refusal:
                if pieces:
                    raise OutcomeUnknownError(f"PayPal gave back some of {request.amount} only: {refusal}") from None
                return await self._after_refusal(request, refusal)
            if pieces[-1].refund.status is RefundStatus.FAILED:
                break
        return after_refund(merged(pieces)[0])

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

    async def _after_refusal(self, request: RefundPayment, refusal: RefusalError) -> Answer:
        order = await self._reader.order(request.payment_id)
        done = _done(request, order) if order is not None else None
        if done is not None:
            return after_refund(done)
        return refusal.declined(order.payment if order is not None else None)


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
    """The whole refund made under this key, if any. Raises GatewayRefusedError when it gave another amount."""
    made = next((refund for refund in order.payment.refunds if refund.reference == request.key), None)
    if made is not None and made.amount != request.amount:
        raise GatewayRefusedError("DUPLICATE_REQUEST_ID", f"the key was used to refund {made.amount}")
    return made


def _begun(request: RefundPayment, order: Order) -> list[Piece]:
    """The pieces that there are of it. Raises GatewayRefusedError when they belong to another amount."""
    pieces = [translate.piece_of(refund, order.payment.reference) for refund in order.payments.refunds]
    ours = [piece for piece in pieces if piece.refund.reference == request.key]
    for piece in ours:
        if (piece.whole, piece.refund.amount.currency) != (request.amount.minor, request.amount.currency):
            raise GatewayRefusedError("DUPLICATE_REQUEST_ID", f"the key was used to refund {piece.refund.amount}")
    return ours


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
