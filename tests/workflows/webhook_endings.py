"""The ways in which a delivery to a shop ends, for the saved histories."""

from collections.abc import Awaitable, Callable

from domain.webhook import DeliveryState as D
from domain.webhook import workflow_id_of
from tests.workflows.receiving import BROKEN, GONE, OK, Sending, receiver
from tests.workflows.support import Shop


async def webhook_delivered(shop: Shop) -> str:
    """Taken at once."""
    return await delivered(shop, OK, tries=1)


async def webhook_retried(shop: Shop) -> str:
    """Taken at the second try."""
    return await delivered(shop, BROKEN, OK, tries=2)


async def delivered(shop: Shop, *answers: bytes, tries: int) -> str:
    """A delivery to a receiver that answers so."""
    sender = Sending(shop.parts)
    async with receiver(*answers) as there:
        endpoint = await sender.endpoint(there)
        event = await sender.tell()
        record = await sender.until(endpoint, event, D.DELIVERED, tries=tries)
        await sender.endpoints.remove(endpoint.id)
    return workflow_id_of(record.id)


async def webhook_gone(shop: Shop) -> str:
    """The endpoint wants nothing any more."""
    sender = Sending(shop.parts)
    async with receiver(GONE) as there:
        endpoint = await sender.endpoint(there)
        record = await sender.until(endpoint, await sender.tell(), D.ENDPOINT_DISABLED)
    return workflow_id_of(record.id)


async def webhook_hurried(shop: Shop) -> str:
    """Between two tries of the schedule, somebody asks for one at once."""
    sender = Sending(shop.parts)
    async with receiver(BROKEN, BROKEN, OK) as there:
        endpoint = await sender.endpoint(there)
        event = await sender.tell()
        await sender.runs.resend(await sender.until(endpoint, event, D.PENDING, tries=2))
        record = await sender.until(endpoint, event, D.DELIVERED)
        await sender.endpoints.remove(endpoint.id)
    return workflow_id_of(record.id)


async def webhook_resent(shop: Shop) -> str:
    """Delivered, and sent again by hand: the history is that of the second run."""
    sender = Sending(shop.parts)
    async with receiver() as there:
        endpoint = await sender.endpoint(there)
        event = await sender.tell()
        record = await sender.until(endpoint, event, D.DELIVERED)
        await sender.handle(endpoint, event).result()
        await sender.runs.resend(record)
        await sender.until(endpoint, event, D.DELIVERED, tries=2)
        await sender.endpoints.remove(endpoint.id)
    return workflow_id_of(record.id)


async def webhook_failed(shop: Shop) -> str:
    """Nobody is there, for three days."""
    sender = Sending(shop.parts)
    async with receiver(BROKEN) as there:
        endpoint = await sender.endpoint(there)
        record = await sender.until(endpoint, await sender.tell(), D.PENDING)
    return workflow_id_of(record.id)


SCENARIOS: list[Callable[[Shop], Awaitable[str]]] = [
    webhook_delivered,
    webhook_retried,
    webhook_gone,
    webhook_hurried,
    webhook_resent,
]

LONG_SCENARIOS: list[Callable[[Shop], Awaitable[str]]] = [webhook_failed]
"""Its end takes days: a server that skips time is needed."""
