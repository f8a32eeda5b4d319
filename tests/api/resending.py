"""A stand-in for the workflows that deliver events to shops: it remembers what it was asked for."""

from api.calls import TemporalDownError
from api.webhook_runs import WebhookRuns
from ledger.webhook_contract import DeliveryRecord


class StandInRuns(WebhookRuns):
    """`down`: Temporal is not there."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.down = False

    async def resend(self, delivery: DeliveryRecord) -> None:
        """Remember it."""
        if self.down:
            raise TemporalDownError("down")
        self.asked.append(delivery.id)
