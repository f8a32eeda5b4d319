"""A process that takes one message and never finishes: `python -m tests.events.broker.stuck URL PREFIX`."""

import asyncio
import sys

from events.broker.contract import EVENTS, Message
from tests.events.broker.reading import impatient


async def main(url: str, prefix: str) -> None:
    """Run until killed."""

    async def take(received: Message) -> None:
        sys.stdout.write(f"{received.id}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()

    broker = impatient(url, prefix)
    broker.listen(EVENTS, "first", take)
    await broker.start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
