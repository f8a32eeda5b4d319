"""The relay process: `python -m events.relay`; SIGTERM lets it finish what is on its way."""

import asyncio
import logging
import signal
import sys
from contextlib import AsyncExitStack

import uvloop

from config.environment import SettingsError
from config.settings import BrokerSettings, DatabaseSettings, MetricsSettings
from events.background import beside
from events.broker.registry import connect
from events.metrics import answering
from events.relay.meter import RelayMeter
from events.relay.relaying import Relay
from ledger.engine import create_engine
from ledger.listener import Listener
from ledger.outbox_store import CHANNEL, Outbox

_CONNECTIONS = 2
"""One for the batch on its way, one for the figures."""


async def main() -> None:
    """Run until SIGTERM or SIGINT. Raises SettingsError."""
    database, carried, measured = DatabaseSettings.read(), BrokerSettings.read(), MetricsSettings.read()
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    async with AsyncExitStack() as stack:
        engine = create_engine(database.database_url, _CONNECTIONS)
        stack.push_async_callback(engine.dispose)
        outbox, news, meter = Outbox(engine), Listener(engine, CHANNEL), RelayMeter()
        stack.push_async_callback(news.close)
        broker = connect(carried.broker_url.get_secret_value(), carried.event_subscribers)
        stack.push_async_callback(broker.close)
        relay = Relay(outbox, news, broker, carried.event_subscribers, meter)
        if stack.enter_context(answering(meter.registry, measured)):
            await stack.enter_async_context(
                beside(meter.keep_fresh(outbox, broker, carried.event_subscribers, relay.connected))
            )
        print("relay ready", flush=True)
        await relay.run(stop)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(main())
    except SettingsError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
