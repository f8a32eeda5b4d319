"""What the stack is told, by options and by its environment, and what its parts are told in turn."""

import os
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

from config.settings import STRIPE_URL, SettingsError, StripeSettings, TemporalSettings
from devstack.errors import StackError
from devstack.layout import Layout
from gateways.stripe.webhooks import WEBHOOK_EVENTS

SANDBOX_KEY = "sk_test_sandbox"
_LOOPBACK = "127.0.0.1,localhost,::1"


@dataclass(frozen=True)
class StackOptions:
    """What to start. With `real_gateways` a STRIPE_API_KEY of the environment makes the stack talk to Stripe itself.

    `settings` are environment variables for worker and API; they win over everything else.
    """

    layout: Layout = field(default_factory=Layout)
    workers: int = 1
    settings: Mapping[str, str] = field(default_factory=dict)
    real_gateways: bool = False

    @property
    def stripe(self) -> StripeSettings | None:
        """The real Stripe account, None when the sandbox stands in for it. Raises StackError."""
        if not (self.real_gateways and os.environ.get("STRIPE_API_KEY")):
            return None
        try:
            return StripeSettings.read()
        except SettingsError as error:
            raise StackError(str(error)) from None


@dataclass(frozen=True)
class Addresses:
    """Where everything is. `sandbox` and `temporal_ui` are None where there is none of ours."""

    api: str
    temporal: str
    temporal_ui: str | None
    sandbox: str | None
    database_url: str


def external_temporal() -> TemporalSettings | None:
    """The server that TEMPORAL_ADDRESS names, None when we start our own. Raises StackError."""
    if not os.environ.get("TEMPORAL_ADDRESS"):
        return None
    try:
        return TemporalSettings.read()
    except SettingsError as error:
        raise StackError(str(error)) from None


def new_webhook_secret() -> str:
    """A signing secret as Stripe makes them."""
    return f"whsec_{secrets.token_hex(24)}"


def python(*arguments: str) -> tuple[str, ...]:
    """A command for the interpreter that runs us, so that nothing depends on an activated environment."""
    return (sys.executable, *arguments)


def base_environment() -> dict[str, str]:
    """Our own environment, for every part: unbuffered, and loopback never goes through a proxy."""
    environment = dict(os.environ) | {"PYTHONUNBUFFERED": "1"}
    for name in ("NO_PROXY", "no_proxy"):
        environment[name] = ",".join(filter(None, (os.environ.get(name), _LOOPBACK)))
    return environment


def product_environment(options: StackOptions, addresses: Addresses, webhook_secret: str) -> dict[str, str]:
    """The environment of worker and API."""
    environment = base_environment() | {"DATABASE_URL": addresses.database_url, "TEMPORAL_ADDRESS": addresses.temporal}
    if external_temporal() is None:
        for name in ("TEMPORAL_API_KEY", "TEMPORAL_TLS"):
            environment.pop(name, None)
    if addresses.sandbox is not None:
        environment.pop("STRIPE_WEBHOOK_SECRETS", None)
        environment |= {
            "STRIPE_API_KEY": SANDBOX_KEY,
            "STRIPE_WEBHOOK_SECRET": webhook_secret,
            "STRIPE_API_BASE": addresses.sandbox,
            "STRIPE_PAYMENT_PAGE": f"{addresses.sandbox}/pay/",
        }
    else:
        environment.setdefault("STRIPE_API_BASE", STRIPE_URL)
    return environment | dict(options.settings)


def sandbox_environment(addresses: Addresses, webhook_secret: str) -> dict[str, str]:
    """The environment of the sandbox: where it sends its webhooks, and how it signs them."""
    return base_environment() | {
        "SANDBOX_STRIPE_WEBHOOK_URL": f"{addresses.api}/webhooks/stripe",
        "SANDBOX_STRIPE_WEBHOOK_SECRET": webhook_secret,
        # As at Stripe itself: what the endpoint has no use for would only be stored.
        "SANDBOX_STRIPE_WEBHOOK_EVENTS": ",".join(WEBHOOK_EVENTS),
    }
