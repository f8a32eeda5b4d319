"""One event on its way to one endpoint of a shop: tried at once, then with growing pauses for three days."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.common import RawValue

from activities.webhooks import Try, TryEnded, WebhookActivities
from domain.webhook import JITTER, RETRY_PAUSES, DeliveryCommand, DeliveryState
from workflows import options


def webhook_queue(task_queue: str) -> str:
    """The task queue of these workflows and their tries, beside that of the payments."""
    return f"{task_queue}-webhooks"


@workflow.defn(name="WebhookDelivery")
class WebhookDeliveryWorkflow:
    """Says when to try. How the delivery stands is on the books, and every try looks there first.

    It may run again: a shop that asks for a delivery after its end gets one more try.
    """

    @workflow.init
    def __init__(self, command: DeliveryCommand) -> None:
        self._delivery_id = command.delivery_id
        self._pauses = list(RETRY_PAUSES) if command.scheduled else []
        self._due = workflow.now() if command.scheduled else None
        self._asked = False
        self._strangers: list[str] = []

    @workflow.run
    async def run(self, command: DeliveryCommand) -> str:
        """How the delivery stands in the end."""
        state = DeliveryState.PENDING
        while await self._turn():
            by_hand, self._asked = self._asked, False
            ended = await self._try(by_hand, self._due if by_hand else self._following())
            state, self._due = ended.state, ended.retry_at
            self._show(ended)
        return str(state)

    @workflow.signal(description="Somebody asks to try once more, now")
    def resend(self) -> None:
        """Try at once; the tries that are planned stay so."""
        self._asked = True

    @workflow.signal(dynamic=True)
    def unknown_signal(self, name: str, arguments: Sequence[RawValue]) -> None:
        """Keep a signal nobody knows; it would be dropped without a trace."""
        workflow.logger.warning("unknown signal %s", name)
        self._strangers.append(name)

    @workflow.query
    def unknown_signals(self) -> list[str]:
        """The names of signals that nobody knew."""
        return self._strangers

    async def _turn(self) -> bool:
        """Wait for the next try; False when there is none any more."""
        if self._due is None:
            return self._asked
        left = self._due - workflow.now()
        if left > timedelta():
            try:
                await workflow.wait_condition(lambda: self._asked, timeout=left, timeout_summary="next try")
            except TimeoutError:
                self._asked = False
        else:
            # Whoever asks in the moment in which it is due gets this one.
            self._asked = False
        return True

    def _following(self) -> datetime | None:
        """When to try again if the one that is due fails."""
        if not self._pauses:
            return None
        return workflow.now() + self._pauses.pop(0) * (1 + JITTER * workflow.random().random())

    async def _try(self, by_hand: bool, retry_at: datetime | None) -> TryEnded:
        ended: TryEnded = await workflow.execute_activity_method(
            WebhookActivities.try_delivery,
            Try(self._delivery_id, by_hand, retry_at),
            start_to_close_timeout=options.DELIVERY_ATTEMPT,
            retry_policy=options.BOOKS_RETRY,
            summary="asked for by hand" if by_hand else None,
        )
        return ended

    def _show(self, ended: TryEnded) -> None:
        """What people see of it in the Temporal UI."""
        waits = "" if ended.retry_at is None else f", next try at {ended.retry_at:%Y-%m-%d %H:%M:%S} UTC"
        workflow.set_current_details(f"- {ended.state}{waits}\n")
