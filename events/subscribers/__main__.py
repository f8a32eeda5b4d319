"""One subscriber as a process: `python -m events.subscribers orders`; SIGTERM ends it after the event in hand."""

import argparse
import asyncio
import logging
import signal
import sys
from contextlib import AsyncExitStack, suppress

import uvloop

from config.environment import SettingsError
from config.settings import BrokerSettings, DatabaseSettings, MetricsSettings
from events.background import beside
from events.broker.contract import EVENTS, Broker, BrokerDownError, channel_to
from events.broker.registry import connect
from events.metrics import answering
from events.outage import Outage
from events.subscribers.consuming import Consumer
from events.subscribers.meter import SubscriberMeter
from events.subscribers.registry import NAMES, builder
from ledger.consumed import Consumption
from ledger.engine import create_engine

_CONNECTIONS = 2
_FINISH_SECONDS = 8.0
"""What the event in hand has for its end; one that has to wait for something is broken off, and comes again."""


async def main(name: str) -> None:
    """Run until SIGTERM or SIGINT. Raises SettingsError."""
    database, carried, measured = DatabaseSettings.read(), BrokerSettings.read(), MetricsSettings.read()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        engine = create_engine(database.database_url, _CONNECTIONS)
        stack.push_async_callback(engine.dispose)
        subscriber = await stack.enter_async_context(builder(name)())
        broker = connect(carried.broker_url.get_secret_value(), carried.event_subscribers)
        stack.push_async_callback(broker.close)
        meter = SubscriberMeter(name)
        consumer = Consumer(subscriber, Consumption(engine), broker, meter)
        for channel in (EVENTS, channel_to(name)):
            broker.listen(channel, name, consumer.take)
        measuring = stack.enter_context(answering(meter.registry, measured))
        await _started(broker, stop)
        if not stop.is_set():
            print(f"{name} ready", flush=True)
        if measuring:
            await stack.enter_async_context(beside(meter.keep_fresh(broker)))
        await stop.wait()
        await consumer.finish(_FINISH_SECONDS)


async def _started(broker: Broker, stop: asyncio.Event) -> None:
    """Connect; a broker that is down is waited for, however long that takes."""
    outage = Outage("the broker")
    while not stop.is_set():
        try:
            await broker.start()
        except BrokerDownError as error:
            outage.begins(error)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), outage.pause())
        else:
            outage.ends()
            return


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m events.subscribers", description="Acts on events.")
    parser.add_argument("name", choices=NAMES)
    chosen = parser.parse_args().name
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(main(chosen))
    except SettingsError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
