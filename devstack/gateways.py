"""The sandbox's gateways: how the product is told of each, and how each is told of the product.

This is the one place of the stack that knows gateways by name.
"""

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from gateways.registry import REGISTRY
from gateways.stripe.webhooks import WEBHOOK_EVENTS

SANDBOX_KEY = "sk_test_sandbox"
_ADYEN_ACCOUNT = "PaysagaECOM"
Variables = dict[str, str]


@dataclass(frozen=True)
class SandboxGateway:
    """One gateway of the sandbox. `new_secret` makes what its webhooks are proven by.

    `product` takes the sandbox's address, the secret and the file that the sandbox announces itself in; `sandbox` takes
    the address of our webhooks and the secret. Both answer environment variables.
    """

    name: str
    new_secret: Callable[[], str]
    product: Callable[[str, str, Path], Variables]
    sandbox: Callable[[str, str], Variables]


def _stripe_product(sandbox: str, secret: str, announced: Path) -> Variables:
    return {
        "STRIPE_API_KEY": SANDBOX_KEY,
        "STRIPE_WEBHOOK_SECRET": secret,
        "STRIPE_API_BASE": sandbox,
        "STRIPE_PAYMENT_PAGE": f"{sandbox}/pay/",
    }


def _stripe_sandbox(webhook_url: str, secret: str) -> Variables:
    return {
        "SANDBOX_STRIPE_WEBHOOK_URL": webhook_url,
        "SANDBOX_STRIPE_WEBHOOK_SECRET": secret,
        # As at Stripe itself: what the endpoint has no use for would only be stored.
        "SANDBOX_STRIPE_WEBHOOK_EVENTS": ",".join(WEBHOOK_EVENTS),
    }


def _paypal_product(sandbox: str, secret: str, announced: Path) -> Variables:
    return {
        "PAYPAL_CLIENT_ID": "sandbox-client",
        "PAYPAL_CLIENT_SECRET": "sandbox_secret",
        "PAYPAL_WEBHOOK_ID": secret,
        "PAYPAL_API_BASE": f"{sandbox}/paypal",
        "PAYPAL_WEBHOOK_CA": _announced(announced, "paypal_ca"),
    }


def _paypal_sandbox(webhook_url: str, secret: str) -> Variables:
    return {"SANDBOX_PAYPAL_WEBHOOK_URL": webhook_url, "SANDBOX_PAYPAL_WEBHOOK_ID": secret}


def _adyen_product(sandbox: str, secret: str, announced: Path) -> Variables:
    return {
        "ADYEN_API_KEY": "AQE" + "sandbox",
        "ADYEN_MERCHANT_ACCOUNT": _ADYEN_ACCOUNT,
        "ADYEN_HMAC_KEY": secret,
        "ADYEN_API_BASE": f"{sandbox}/adyen/v72",
        "ADYEN_DISPUTES_BASE": f"{sandbox}/adyen/ca/services/DisputeService/v30",
        "ADYEN_SEVERAL_CAPTURES": "true",
    }


def _adyen_sandbox(webhook_url: str, secret: str) -> Variables:
    return {
        "SANDBOX_ADYEN_WEBHOOK_URL": webhook_url,
        "SANDBOX_ADYEN_HMAC_KEY": secret,
        "SANDBOX_ADYEN_MERCHANT_ACCOUNT": _ADYEN_ACCOUNT,
        "SANDBOX_ADYEN_SEVERAL_CAPTURES": _ADYEN_ACCOUNT,
    }


GATEWAYS: tuple[SandboxGateway, ...] = (
    SandboxGateway("stripe", lambda: f"whsec_{secrets.token_hex(24)}", _stripe_product, _stripe_sandbox),
    SandboxGateway("paypal", lambda: f"WH-{secrets.token_hex(12).upper()}", _paypal_product, _paypal_sandbox),
    SandboxGateway("adyen", lambda: secrets.token_hex(32).upper(), _adyen_product, _adyen_sandbox),
)
"""Every gateway that the sandbox plays."""


def new_secrets() -> dict[str, str]:
    """A webhook secret for each gateway."""
    return {gateway.name: gateway.new_secret() for gateway in GATEWAYS}


def are_configured() -> bool:
    """Whether our environment names an account at a real gateway."""
    return any(entry.settings.mentioned() for entry in REGISTRY.values())


def product_variables(sandbox: str, webhook_secrets: Mapping[str, str], announced: Path) -> Variables:
    """What API and worker are told of the sandbox's gateways, all of which are on."""
    variables = {"GATEWAYS": ",".join(gateway.name for gateway in GATEWAYS)}
    for gateway in GATEWAYS:
        variables |= gateway.product(sandbox, webhook_secrets[gateway.name], announced)
    return variables


def sandbox_variables(api: str, webhook_secrets: Mapping[str, str]) -> Variables:
    """What the sandbox is told of our API."""
    variables: Variables = {}
    for gateway in GATEWAYS:
        variables |= gateway.sandbox(f"{api}/webhooks/{gateway.name}", webhook_secrets[gateway.name])
    return variables


def without_gateways(environment: Mapping[str, str]) -> Variables:
    """The environment without anything about an account at a gateway."""
    prefixes = tuple(f"{name.upper()}_" for name in REGISTRY)
    return {name: value for name, value in environment.items() if not name.upper().startswith((*prefixes, "GATEWAYS"))}


def _announced(file: Path, name: str) -> str:
    """What the sandbox announced under this name; empty before it has begun."""
    try:
        return str(json.loads(file.read_text())[name])
    except (FileNotFoundError, ValueError, KeyError):
        return ""
