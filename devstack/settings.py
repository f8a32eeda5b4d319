"""What the stack is told, by options and by its environment, and what its parts are told in turn."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

from config.environment import SettingsError
from config.settings import TemporalSettings
from devstack import gateways
from devstack.errors import StackError
from devstack.layout import Layout

_LOOPBACK = "127.0.0.1,localhost,::1"


@dataclass(frozen=True)
class StackOptions:
    """What to start. With `real_gateways` the stack talks to the gateways of which the environment names an account.

    Where it names none, and without `real_gateways`, the sandbox stands in for all of them. `settings` are environment
    variables for the product's processes; they win over everything else. `build` is the worker deployment version.
    `without`: the parts that carry events, or act on them, that are left out (see `eventing`); `later`: those that
    are wanted, and started by the caller when all others are ready.
    """

    layout: Layout = field(default_factory=Layout)
    workers: int = 1
    settings: Mapping[str, str] = field(default_factory=dict)
    real_gateways: bool = False
    build: str = "dev"
    without: frozenset[str] = frozenset()
    later: frozenset[str] = frozenset()

    @property
    def with_sandbox(self) -> bool:
        """Whether the sandbox stands in for the gateways."""
        return not (self.real_gateways and gateways.are_configured())


@dataclass(frozen=True)
class Addresses:
    """Where everything is. `sandbox` and `temporal_ui` are None where there is none of ours.

    `smtp` is where mails go. `metrics`: where the relay and each subscriber answer /metrics, by name.
    """

    api: str
    temporal: str
    temporal_ui: str | None
    sandbox: str | None
    database_url: str
    broker: str = "nats://127.0.0.1:4222"
    smtp: str = "smtp://127.0.0.1:2525"
    metrics: Mapping[str, str] = field(default_factory=dict)


def external_temporal() -> TemporalSettings | None:
    """The server that TEMPORAL_ADDRESS names, None when we start our own. Raises StackError."""
    if not os.environ.get("TEMPORAL_ADDRESS"):
        return None
    try:
        return TemporalSettings.read()
    except SettingsError as error:
        raise StackError(str(error)) from None


def python(*arguments: str) -> tuple[str, ...]:
    """A command for the interpreter that runs us, so that nothing depends on an activated environment."""
    return (sys.executable, *arguments)


def base_environment() -> dict[str, str]:
    """Our own environment, for every part: unbuffered, and loopback never goes through a proxy."""
    environment = dict(os.environ) | {"PYTHONUNBUFFERED": "1"}
    for name in ("NO_PROXY", "no_proxy"):
        environment[name] = ",".join(filter(None, (os.environ.get(name), _LOOPBACK)))
    return environment


def product_environment(
    options: StackOptions, addresses: Addresses, webhook_secrets: Mapping[str, str]
) -> dict[str, str]:
    """The environment of every process of the product."""
    environment = base_environment() | {
        "DATABASE_URL": addresses.database_url,
        "TEMPORAL_ADDRESS": addresses.temporal,
        "BUILD_ID": options.build,
        "BROKER_URL": addresses.broker,
        # The shops that are told of events run on this machine as well.
        "WEBHOOKS_DEVELOPMENT": "true",
    }
    if external_temporal() is None:
        for name in ("TEMPORAL_API_KEY", "TEMPORAL_TLS"):
            environment.pop(name, None)
    if addresses.sandbox is not None:
        announced = options.layout.sandbox_announced
        environment = gateways.without_gateways(environment) | gateways.product_variables(
            addresses.sandbox, webhook_secrets, announced
        )
    return environment | dict(options.settings)


def sandbox_environment(addresses: Addresses, webhook_secrets: Mapping[str, str]) -> dict[str, str]:
    """The environment of the sandbox: where it sends its webhooks, and how it signs them."""
    return base_environment() | gateways.sandbox_variables(addresses.api, webhook_secrets)
