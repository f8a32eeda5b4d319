"""`python -m devstack up|worker|down|reset|status`: the whole system on this machine."""

import argparse
import asyncio
import contextlib
import json
import shutil
import signal
import sys
from pathlib import Path
from typing import NoReturn

from devstack import launch, postgres
from devstack.errors import StackError
from devstack.layout import Layout
from devstack.parts import NAME_WIDTH
from devstack.records import StackRecord
from devstack.settings import Addresses, StackOptions, product_environment
from devstack.stack import Stack, running_stack
from devstack.supervisor import stop_stack


def main() -> int:
    """Run one command; the exit status is 0 when it did what it says."""
    options = _parser().parse_args()
    layout = Layout.at(options.data)
    try:
        match options.command:
            case "up":
                return asyncio.run(_up(layout, options.workers, options.build))
            case "worker":
                _worker(layout, options.build)
            case "down":
                return _down(layout)
            case "reset":
                return _reset(layout)
            case _:
                return _status(layout)
    except (StackError, postgres.PostgresError) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m devstack", description="The whole system on this machine.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, explanation in (
        ("up", "start everything and keep it running until Ctrl-C"),
        ("worker", "run one more worker beside a running stack until Ctrl-C, of another build if told so"),
        ("down", "stop a running stack, or what one has left behind"),
        ("reset", "stop it and remove its data"),
        ("status", "tell what runs"),
    ):
        command = commands.add_parser(name, help=explanation, description=explanation)
        command.add_argument("--data", type=Path, help="the data folder, .paysaga in the checkout by default")
        if name in ("up", "worker"):
            command.add_argument(
                "--build", default="dev", metavar="NAME", help="worker deployment version, dev by default"
            )
        if name == "up":
            command.add_argument(
                "--workers", type=_positive, default=1, metavar="N", help="worker processes, 1 by default"
            )
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("must be a whole number from 1 on")
    return int(text)


async def _up(layout: Layout, workers: int, build: str) -> int:
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    assert task is not None, "asyncio.run made one"

    def stop() -> None:
        _say("stopping …")
        task.cancel()

    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(name, stop)
    with contextlib.suppress(asyncio.CancelledError):
        async with running_stack(layout.data, workers, real_gateways=True, say=_say, build=build) as stack:
            print(_welcome(stack), flush=True)
            await asyncio.Event().wait()
    _say("stopped; the data are kept")
    return 0


def _welcome(stack: Stack) -> str:
    places = stack.addresses
    lines = [
        ("API", places.api),
        ("API docs", f"{places.api}/docs"),
        ("Temporal UI", places.temporal_ui or f"that of the server at {places.temporal}"),
        ("Sandbox", places.sandbox or "not started: the environment names accounts at the gateways themselves"),
        ("Broker", places.broker),
        ("Mails", f"{stack.options.layout.mails}   (files; none is sent)"),
        ("API key", f"{stack.api_key}   (development, all scopes)"),
        ("For scripts", str(stack.options.layout.stack)),
    ]
    return (
        "\n"
        + "\n".join(f"  {name:<{NAME_WIDTH}} {value}" for name, value in lines)
        + "\n\n  Ctrl-C stops everything.\n"
    )


def _worker(layout: Layout, build: str) -> NoReturn:
    """A worker in the foreground, with the environment of the stack that runs on this data folder."""
    if not layout.stack.exists():
        raise StackError(f"no stack is running on {layout.data}: start one with make up")
    known = json.loads(layout.stack.read_text())
    addresses = Addresses(
        known["api"],
        known["temporal"],
        known["temporal_ui"],
        known["sandbox"],
        known["database_url"],
        broker=known["broker"],
    )
    options = StackOptions(layout, real_gateways=known["sandbox"] is None, build=build)
    environment = product_environment(options, addresses, known["webhook_secrets"])
    launch.become(launch.worker(f"worker-{build}", layout, environment))


def _down(layout: Layout) -> int:
    stopped = stop_stack(layout)
    _say(f"stopped {', '.join(stopped)}" if stopped else "nothing was running")
    return 0


def _reset(layout: Layout) -> int:
    _down(layout)
    # As root, databases may lie outside the data folder: each must be removed by itself.
    stop_stack(layout.demo)
    for each in (layout.demo, layout):
        postgres.remove(each.postgres)
    if layout.data.exists():
        shutil.rmtree(layout.data)
    _say(f"removed {layout.data}")
    return 0


def _status(layout: Layout) -> int:
    record = StackRecord.read(layout.processes)
    if record is None:
        _say("nothing is running")
        return 1
    running = {process.name: process.process() is not None for process in (record.supervisor, *record.processes)}
    for name, alive in running.items():
        _say(f"{name:<{NAME_WIDTH}} {'running' if alive else 'ended'}")
    if not layout.stack.exists():
        _say("not ready")
        return 1
    places = json.loads(layout.stack.read_text())
    for name in ("api", "docs", "temporal_ui", "broker", "mails"):
        _say(f"{name:<{NAME_WIDTH}} {places[name]}")
    return 0 if all(running.values()) else 1


def _say(line: str) -> None:
    print(f"  {line}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
