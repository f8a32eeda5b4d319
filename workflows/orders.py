"""What people order about a checkout's open cases: checked, by two where it must be, kept until it is carried out."""

from dataclasses import dataclass, field
from typing import Protocol

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from activities.books import BookActivities
from domain.case import MOVES_MONEY, Case, CaseAction, CaseAnswer, CaseKind, CaseMark, CaseOrder, OpenCase, allowed
from domain.checkout import CheckoutStatus
from domain.money import Money
from domain.saga import SagaPolicy
from domain.states import CheckoutState
from domain.timeline import EventType, JsonScalar
from workflows import options

_LONGEST_WORDS = 500


class Pen(Protocol):
    """Who can write a row that leaves the checkout's state as it is."""

    @property
    def state(self) -> CheckoutState:
        """Where the checkout stands."""
        ...

    async def mark(
        self,
        name: str,
        cause: str,
        details: dict[str, JsonScalar],
        case: CaseMark | None = None,
        event: EventType | None = None,
    ) -> None:
        """Write the row."""
        ...


@dataclass
class Waiting:
    """One open case. `taken` is the order that is to be carried out next, `proposed` who first ordered what takes two.

    `withheld`: what the case's kind would allow and the story does not. `before`: where the checkout stood before the
    case put it under review, `captured_minor` what was on the books as captured when it was opened or taken up.
    """

    mark: OpenCase
    withheld: frozenset[CaseAction] = frozenset()
    before: CheckoutStatus | None = None
    captured_minor: int = 0
    taken: CaseOrder | None = None
    proposed: dict[CaseAction, str] = field(default_factory=dict)


class WrittenOffError(Exception):
    """A person lets be what this case is about, and with it the story ends."""

    def __init__(self, waiting: Waiting) -> None:
        super().__init__(waiting.mark.kind)
        self.waiting = waiting


class Orders:
    """Whoever opens a case registers it here, waits for `taken`, carries that out and closes the case.

    The books say which case an order's id means, so an order is only taken on for a case that both know as open.
    """

    def __init__(self, checkout_id: str, currency: str, policy: SagaPolicy, pen: Pen) -> None:
        self._checkout_id = checkout_id
        self._currency = currency
        self._policy = policy
        self._pen = pen
        self.open: list[Waiting] = []

    def opened(
        self, mark: OpenCase, withheld: frozenset[CaseAction] = frozenset(), before: CheckoutStatus | None = None
    ) -> Waiting:
        """A case is open from the row on that the caller writes."""
        waiting = Waiting(mark, withheld, before)
        self.open.append(waiting)
        return waiting

    def closed(self, waiting: Waiting) -> None:
        """It is no more; the caller writes the row."""
        self.open = [other for other in self.open if other is not waiting]

    def take(self, waiting: Waiting) -> CaseOrder | None:
        """The order to carry out now. The case may be given another one after it."""
        order, waiting.taken = waiting.taken, None
        return order

    def pending(self) -> bool:
        """Whether some case has an order that is not yet carried out."""
        return any(waiting.taken for waiting in self.open)

    def check(self, order: CaseOrder) -> None:
        """Refuse at once what no open case can be meant by. Raises ApplicationError."""
        check_words(order)
        possible = {action for waiting in self.open for action in self._actions(waiting)}
        if not self.open:
            raise refused(f"{self._checkout_id} has no open case")
        if order.action not in possible:
            raise refused(f"{order.action} cannot be ordered now; what can: {_listed(possible)}")

    async def order(self, order: CaseOrder) -> CaseAnswer:
        """Take the order on, or note that a second person has to order the same. Raises ApplicationError."""
        waiting = await self._meant(order)
        possible = self._actions(waiting)
        if order.action not in possible:
            message = f"{order.action} cannot be ordered for a case of {waiting.mark.kind} now"
            raise refused(f"{message}; what can: {_listed(possible)}")
        if waiting.taken is not None:
            if waiting.taken.action is order.action:
                return CaseAnswer.DONE
            raise refused(f"{order.case_id}: {waiting.taken.action} is being carried out")
        if (first := waiting.proposed.get(order.action)) == order.who:
            return CaseAnswer.AWAITS_SECOND
        if first is None and self._takes_two(order, waiting):
            waiting.proposed[order.action] = order.who
            await self._pen.mark("case_proposed", "operator", _details(order))
            return CaseAnswer.AWAITS_SECOND
        waiting.taken = order
        more: dict[str, JsonScalar] = {} if first is None else {"first": first}
        await self._pen.mark("case_action", "operator", _details(order) | more)
        return CaseAnswer.DONE

    async def _meant(self, order: CaseOrder) -> Waiting:
        """The open case that the order is about."""
        case: Case | None = await workflow.execute_local_activity_method(
            BookActivities.read_case,
            order.case_id,
            start_to_close_timeout=options.BOOKS_ATTEMPT,
            retry_policy=options.BOOKS_RETRY,
        )
        waiting = self._found(case) if case and case.closed_at is None else None
        if waiting is None or case is None or case.checkout_id != self._checkout_id:
            raise refused(f"case {order.case_id} is not open")
        return waiting

    def _found(self, case: Case) -> Waiting | None:
        same = (w for w in self.open if (w.mark.kind, w.mark.subject) == (case.kind, case.subject))
        return next(same, None)

    def _actions(self, waiting: Waiting) -> frozenset[CaseAction]:
        return allowed(waiting.mark.kind, self._pen.state) - waiting.withheld

    def _takes_two(self, order: CaseOrder, waiting: Waiting) -> bool:
        at_stake = Money(waiting.mark.amount_minor, self._currency)
        return order.action in MOVES_MONEY and self._policy.needs_two(at_stake)


class Acting:
    """Gives a workflow the update `act`, by which a person acts on one of its cases."""

    _orders: Orders

    @workflow.update
    async def act(self, order: CaseOrder) -> CaseAnswer:
        """A person acts on an open case. Answers whether that is taken on, or a second person has to order the same."""
        return await self._orders.order(order)

    @act.validator
    def _may_act(self, order: CaseOrder) -> None:
        self._orders.check(order)


def check_words(order: CaseOrder) -> None:
    """An order tells who gives it, why, and by what evidence where it takes some. Raises ApplicationError."""
    for word, text in (("reason", order.reason), ("who", order.who)):
        if not text.strip() or len(text) > _LONGEST_WORDS:
            raise refused(f"{word} has to have 1 to {_LONGEST_WORDS} characters")
    if order.action is CaseAction.MARK_PAID and not (order.evidence or "").strip():
        raise refused("mark_paid takes evidence: the gateway's own id of the money")


def as_mark(case: Case) -> OpenCase:
    """The mark that opened the case."""
    return OpenCase(CaseKind(case.kind), case.message, case.workflow_id, case.amount_minor, case.subject)


def refused(message: str) -> ApplicationError:
    """What an update that is not allowed fails with."""
    return ApplicationError(message, type="NotAllowed", non_retryable=True)


def _details(order: CaseOrder) -> dict[str, JsonScalar]:
    details: dict[str, JsonScalar] = {
        "case": order.case_id,
        "action": str(order.action),
        "who": order.who,
        "reason": order.reason,
    }
    return details if order.evidence is None else details | {"evidence": order.evidence}


def _listed(actions: set[CaseAction] | frozenset[CaseAction]) -> str:
    return ", ".join(sorted(actions)) or "nothing"
