"""Getting an answer out of a gateway, however long that takes, and having people look when it takes long."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from math import inf
from typing import Any, TypeVar

from temporalio import workflow

from activities.failures import KEY_SPENT
from domain.case import CaseAction, CaseKind, CloseCase, OpenCase
from domain.money import Money
from domain.saga import SagaPolicy
from domain.timeline import EventType
from workflows.attempts import Pauses, UnansweredError, attempt
from workflows.mailbox import Mailbox
from workflows.notebook import Notebook
from workflows.orders import Orders, Waiting
from workflows.unanswered import KeyUselessError

A = TypeVar("A")
C = TypeVar("C")


_WITHHELD = frozenset({CaseAction.MARK_PAID, CaseAction.VOID})
"""What has a meaning for a payment only, and not for a refund or a dispute of it."""
NO_REFUND = frozenset({CaseAction.REFUND})
"""For what gives nothing back: there it would be said to be done, and nothing would go back."""


@dataclass(frozen=True)
class Stake:
    """What an errand is about: the workflow that runs it, and the money; `withheld` cannot be ordered about it."""

    workflow_id: str
    amount: Money
    policy: SagaPolicy
    withheld: frozenset[CaseAction] = frozenset()


class Errand:
    """Ignorance never becomes failure: it goes on asking, as a case from the age on that the policy sets.

    `show` is told what is waited for, and whether it is stuck; an empty phrase when it no longer waits. `news` counts
    what was told and not yet heeded: more of it ends a pause.
    """

    def __init__(
        self,
        stake: Stake,
        pen: Notebook,
        orders: Orders,
        mailbox: Mailbox,
        show: Callable[[str, bool], None],
        news: Callable[[], int],
    ) -> None:
        self._stake, self._pen, self._orders, self._mailbox, self._show = stake, pen, orders, mailbox, show
        self._news = news
        self._paged: Waiting | None = None

    async def answer(
        self, step: str, method: Callable[[Any, C], Awaitable[A]], call: C, spoilt: Pauses | None = None
    ) -> A:
        """The answer to the call. Raises KeyUselessError when its key can never bring one.

        `spoilt`: since when it is asked for under one key after the other, where the gateway may spoil them.
        """
        pauses, paged = spoilt or Pauses(workflow.now()), self._paged
        patience = timedelta(seconds=self._stake.policy.stuck_after_seconds)
        while True:
            try:
                answer = await attempt(method, call, patience, f"{step} {self._stake.amount}")
            except UnansweredError as error:
                paged = await self._unanswered(step, error.reason, pauses, paged)
            except KeyUselessError as error:
                if spoilt is not None and error.reason == KEY_SPENT:
                    # Nothing is known under the next key either: who was told of that has to look still.
                    self._paged = paged
                else:
                    await self._over(paged, "key_useless")
                raise
            else:
                if spoilt is not None or self._paged is None:
                    await self._over(paged, "answered")
                return answer

    async def decide(self, kind: CaseKind, message: str, is_settled: Callable[[], Awaitable[bool]]) -> None:
        """Have a person say that it may go on; a look that they ask for, and that settles it, is enough."""
        case = await self.open(kind, message)
        how = "operator"
        while True:
            await self._ordered(case, None)
            order = self._orders.take(case)
            if order is None or order.action is not CaseAction.LOOK_AGAIN:
                break
            if await is_settled():
                how = "settled"
                break
        await self.close(case, how, "operator")

    async def pause(self, step: str, spoilt: Pauses) -> None:
        """Leave a gateway that spoils keys alone for a while."""
        self._paged = await self._unanswered(step, KEY_SPENT, spoilt, self._paged)

    async def open(self, kind: CaseKind, message: str) -> Waiting:
        """Open a case about what this errand is for."""
        mark = OpenCase(kind, message, self._stake.workflow_id, self._stake.amount.minor, self._pen.subject)
        case = self._orders.opened(mark, _WITHHELD | self._stake.withheld)
        await self._pen.mark(kind, "timer", {"reason": str(kind)}, mark, EventType.CASE_OPENED)
        self._show(f"a person ({kind})", True)
        return case

    async def close(self, case: Waiting, how: str, cause: str) -> None:
        """Close it again."""
        closing = CloseCase(case.mark.kind, how, case.mark.subject)
        await self._pen.mark(f"{case.mark.kind}_closed", cause, {"reason": how}, closing, EventType.CASE_CLOSED)
        self._orders.closed(case)
        self._show("", False)

    async def _unanswered(self, step: str, reason: str, pauses: Pauses, paged: Waiting | None) -> Waiting | None:
        """Say so where people look, wait, and have a person look once it has taken too long."""
        since = f"{pauses.since:%Y-%m-%d %H:%M} UTC"
        self._show(f"the gateway to answer ({step}: {reason}), unknown since {since}", True)
        page_at = pauses.since + timedelta(seconds=self._stake.policy.page_after_seconds)
        if paged is None and workflow.now() >= page_at:
            workflow.logger.error("%s: %s is unknown since %s (%s)", self._stake.workflow_id, step, since, reason)
            paged = await self.open(CaseKind.UNKNOWN_OUTCOME, f"the gateway has not answered ({step}) since {since}")
        pause = pauses.following()
        await self._ordered(paged, pause if paged else min(pause, page_at - workflow.now()), self._news() + 1)
        if paged is not None:
            # Whatever is ordered about it means the same: ask again now, under the same key.
            self._orders.take(paged)
        return paged

    async def _over(self, paged: Waiting | None, how: str) -> None:
        self._paged = None
        self._show("", False)
        if paged is not None:
            await self.close(paged, how, "api")

    async def _ordered(self, case: Waiting | None, pause: timedelta | None, told: float = inf) -> None:
        """Until a person wants it to go on, so much is `told`, or the pause is over."""
        # Asked before there was anything to ask about: it must not close what nobody has looked at.
        self._mailbox.retry_requested = False
        with suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: (
                    self._mailbox.retry_requested
                    or (case is not None and case.taken is not None)
                    or self._news() >= told
                ),
                timeout=pause,
                timeout_summary="ask the gateway again",
            )
