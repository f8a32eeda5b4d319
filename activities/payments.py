"""The money operations and the look-up. Every operation's key is stored before the gateway is called."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import TypeAdapter
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.contract import AnswerDispute, Authorize, Capture, Create, LookUp, Reauthorize, Refund, Void
from activities.failures import KEY_EXPIRED, NEVER_ASKED, NOTHING_HAPPENED, failure
from activities.guard import LOOK_UP, GatewayGuard
from domain.errors import (
    AmountDoesNotFitError,
    GatewayMisconfiguredError,
    KeySpentError,
    NotDoneError,
    OutcomeUnknownError,
    PaysagaError,
)
from domain.outcomes import Answer, Completed, Declined, Pending, RequiresAction
from domain.payment import Decline, DeclineCode, PaymentSnapshot, PaymentStatus, RefundSnapshot, RefundStatus
from gateways.contract import CapturePayment, Gateway, Verb
from ledger.contract import Operation, OperationState
from ledger.operations import Operations

logger = logging.getLogger(__name__)

_ANSWER: TypeAdapter[Answer] = TypeAdapter(Answer)

# What a call in flight and two clocks that differ may take: no key reaches the gateway in its last hour.
KEY_MARGIN = timedelta(hours=1)

# Requests that were stored before these fields were there did not name them.
_ADDED: dict[str, Any] = {"final": True, "total": None}

Operating = Create | Authorize | Capture | Reauthorize | Void | Refund | AnswerDispute
Send = Callable[[], Awaitable[Answer]]
Look = Callable[[], Awaitable[Answer | None]]


def utc_now() -> datetime:
    """The time, of which the age of a key is told."""
    return datetime.now(UTC)


@dataclass
class PaymentActivities:
    """The gateway calls of a saga, each safe to be made again by Temporal at any time.

    `clock` is the one that the operations are dated by: of both, and the gateway's own, the age of a key is told.
    """

    gateways: Mapping[str, Gateway]
    operations: Operations
    guard: GatewayGuard
    clock: Callable[[], datetime] = utc_now

    @activity.defn
    async def create_payment(self, call: Create) -> Answer:
        """Open the payment."""
        gateway = self.gateways[call.gateway]

        async def look() -> Answer | None:
            payment = await gateway.find(call.request.reference)
            return _as_created(payment) if payment else None

        return await self.perform(Verb.CREATE, call, lambda: gateway.create(call.request), look)

    @activity.defn
    async def authorize_payment(self, call: Authorize) -> Answer:
        """Hold what the customer approved."""
        gateway = self.gateways[call.gateway]

        async def look() -> Answer | None:
            payment = await gateway.lookup(call.request.payment_id)
            held = payment and payment.status in (PaymentStatus.AUTHORIZED, PaymentStatus.CAPTURED)
            return Completed(payment) if payment and held else None

        return await self.perform(Verb.AUTHORIZE, call, lambda: gateway.authorize(call.request), look)

    @activity.defn
    async def capture_payment(self, call: Capture) -> Answer:
        """Take what is held or approved."""
        gateway = self.gateways[call.gateway]

        async def look() -> Answer | None:
            payment = await gateway.lookup(call.request.payment_id)
            return Completed(payment) if payment and _is_captured(payment, call.request) else None

        return await self.perform(Verb.CAPTURE, call, lambda: gateway.capture(call.request), look)

    @activity.defn
    async def reauthorize_payment(self, call: Reauthorize) -> Answer:
        """Make the hold anew."""
        gateway = self.gateways[call.gateway]

        async def look() -> Answer | None:
            payment = await gateway.lookup(call.request.payment_id)
            # Where the old hold's id was never told, any id may be its own and proves nothing.
            renewed = payment and call.known is not None and payment.authorization_id not in (None, call.known)
            return Completed(payment) if payment and renewed else None

        return await self.perform(Verb.REAUTHORIZE, call, lambda: gateway.reauthorize(call.request), look)

    @activity.defn
    async def void_payment(self, call: Void) -> Answer:
        """End a payment that took nothing; the answer shows it as it turned out."""
        gateway = self.gateways[call.gateway]

        async def look() -> Answer | None:
            payment = await gateway.lookup(call.request.payment_id)
            ended = payment and payment.status in (PaymentStatus.CANCELED, PaymentStatus.CAPTURED)
            return Completed(payment) if payment and ended else None

        return await self.perform(Verb.VOID, call, lambda: gateway.void(call.request), look)

    @activity.defn
    async def refund_payment(self, call: Refund) -> Answer:
        """Give money back."""
        gateway = self.gateways[call.gateway]

        async def look() -> Answer | None:
            payment = await gateway.lookup(call.request.payment_id)
            ours = [r for r in payment.refunds if r.reference == call.request.key] if payment else []
            return _as_refunded(ours[0]) if ours else None

        return await self.perform(Verb.REFUND, call, lambda: gateway.refund(call.request), look)

    @activity.defn
    async def look_up_payment(self, call: LookUp) -> PaymentSnapshot | None:
        """The payment as the gateway states it now."""
        gateway = self.gateways[call.gateway]
        try:
            async with self.guard.call(call.gateway, LOOK_UP):
                if call.payment_id is not None:
                    return await gateway.lookup(call.payment_id)
                return await gateway.find(call.checkout_id)
        except PaysagaError as error:
            raise failure(error) from error

    async def perform(self, verb: Verb, call: Operating, send: Send, look: Look) -> Answer:
        """One operation: key first, read before repeating, the answer kept for ever."""
        key, new = call.request.key, False
        try:
            if isinstance(call, Create) and call.unwanted and await self.operations.get(key) is None:
                raise ApplicationError(f"{key} was never asked for", type=NEVER_ASKED, non_retryable=True)
            request = _stated(call)
            operation, new = await self.operations.begin(key, call.checkout_id, call.gateway, verb, request)
            if operation.state is OperationState.FINISHED and operation.answer is not None:
                return _ANSWER.validate_json(operation.answer)
            if isinstance(call, Create) and not new and await self._was_left(call):
                raise ApplicationError("AlreadyLeft: ", type=NOTHING_HAPPENED, non_retryable=True)
            answer = None if new else await self._seen(call.gateway, look)
            if answer is None:
                self._check_lifetime(verb, call.gateway, operation)
                answer = await self._sent(verb, call, send, look)
            await self.operations.finish(key, OperationState.FINISHED, _ANSWER.dump_json(answer).decode())
        except (NotDoneError, GatewayMisconfiguredError) as error:
            # Only a first call can prove it: of one made before it, by a worker that died, nothing may be known.
            if new and isinstance(call, Create) and call.may_leave:
                reason = f"{type(error).__name__.removesuffix('Error')}: {error}"
                raise ApplicationError(reason, type=NOTHING_HAPPENED, non_retryable=True) from error
            raise failure(error) from error
        except PaysagaError as error:
            raise failure(error) from error
        return answer

    async def _was_left(self, call: Create) -> bool:
        """Whether the payment was asked for at another gateway after this one: then it is never opened here.

        The saga that left does not ask here again, one that an operator has reset does.
        """
        asked = await self.operations.of_checkout(call.checkout_id)
        own = next(operation for operation in asked if operation.key == call.request.key)
        later = (op for op in asked if op.verb == Verb.CREATE and op.started_at > own.started_at)
        return call.may_leave and any(op.gateway != call.gateway for op in later)

    async def _seen(self, gateway: str, look: Look) -> Answer | None:
        async with self.guard.call(gateway, LOOK_UP):
            return await look()

    async def _sent(self, verb: Verb, call: Operating, send: Send, look: Look) -> Answer:
        key = call.request.key
        try:
            async with self.guard.call(call.gateway, verb):
                return await send()
        except AmountDoesNotFitError as error:
            return Declined(Decline(DeclineCode.INVALID_REQUEST, True, "amount_does_not_fit", str(error)))
        except OutcomeUnknownError as error:
            logger.warning("operation %s: outcome unknown: %s", key, error)
            await self.operations.finish(key, OperationState.UNKNOWN, None)
            # The gateway replays the stored failure for ever, so only what it shows can tell whether it was done.
            answer = await self._seen_after(call.gateway, look, error) if isinstance(error, KeySpentError) else None
            if answer is None:
                raise
            return answer

    async def _seen_after(self, gateway: str, look: Look, error: KeySpentError) -> Answer | None:
        """A look-up that fails says nothing of the call before it, which may have been carried out."""
        try:
            return await self._seen(gateway, look)
        except PaysagaError:
            raise OutcomeUnknownError(f"{error}, and the look-up failed") from error

    def _check_lifetime(self, verb: Verb, gateway: str, operation: Operation) -> None:
        """A key the gateway has forgotten would count as new: such a call is never made, a person decides."""
        age = self.clock() - operation.started_at
        if age >= self.gateways[gateway].capabilities.key_lifetime[verb] - KEY_MARGIN:
            message = f"{operation.key} is {age} old: the gateway may have forgotten it; the look-up showed nothing"
            raise ApplicationError(message, type=KEY_EXPIRED, non_retryable=True)


def _stated(call: Operating) -> dict[str, Any]:
    """The request as it is stored with its key, which has to be the same under any version of this code."""
    stated = asdict(call.request).items()
    return {name: value for name, value in stated if name not in _ADDED or value != _ADDED[name]}


def _is_captured(payment: PaymentSnapshot, request: CapturePayment) -> bool:
    """Whether nothing is left to be asked for: the part is taken, or the gateway will take no more."""
    wanted, seen = request.captured_after, payment.captured
    reached = seen.currency == wanted.currency and seen.minor >= wanted.minor
    return reached or payment.status is PaymentStatus.CAPTURED


def _as_created(payment: PaymentSnapshot) -> Answer:
    if payment.next_action is not None:
        return RequiresAction(payment, payment.next_action)
    return Completed(payment)


def _as_refunded(refund: RefundSnapshot) -> Answer:
    match refund.status:
        case RefundStatus.SUCCEEDED:
            return Completed(refund)
        case RefundStatus.PENDING:
            return Pending(refund)
        case RefundStatus.FAILED:
            code = refund.failure_code or "unknown"
            return Declined(Decline(DeclineCode.UNKNOWN, True, code, "the refund failed"))
