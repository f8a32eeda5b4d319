"""The sandbox's gateways as the sagas meet them: one process that plays all three, adapters that talk to it."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from domain.checkout import Checkout, CheckoutStatus
from domain.payment import PaymentSnapshot, PaymentStatus
from gateways.adyen.adapter import AdyenGateway
from gateways.adyen.options import AdyenOptions
from gateways.contract import Evidence, Gateway
from gateways.paypal.adapter import PayPalGateway
from gateways.paypal.options import PayPalOptions
from gateways.registry import Builder
from gateways.stripe.adapter import StripeGateway
from gateways.stripe.options import StripeOptions
from tests.gateways.adyen.outside import AdyenOutside
from tests.gateways.paypal.outside import PayPalOutside
from tests.gateways.sandboxed import SandboxOutside
from tests.gateways.stripe.outside import StripeOutside

STRIPE_SECRET = "whsec_saga_tests"
PAYPAL_WEBHOOK = "WH-5AGATE5T5"
PAYPAL_SECRET = "sandbox_sagas"
PAYPAL_MERCHANT = "SANDBXMERCHNT"
ADYEN_KEY = "5A" * 32
ADYEN_ACCOUNT = "PaysagaECOM"
TIMEOUT_SECONDS = 3.0
_OPTIONS = {
    "stripe": {"webhook-secret": STRIPE_SECRET},
    "paypal": {"webhook-id": PAYPAL_WEBHOOK, "merchant-id": PAYPAL_MERCHANT},
    "adyen": {"hmac-key": ADYEN_KEY, "merchant-account": ADYEN_ACCOUNT},
}


@dataclass(frozen=True)
class Announced:
    """Where a running sandbox is, and the file with the root of PayPal's certificates."""

    url: str
    paypal_ca: str


@asynccontextmanager
async def sandbox_process(folder: Path, webhooks_url: str) -> AsyncIterator[Announced]:
    """The sandbox as its own process, with each gateway's webhooks going to its name below `webhooks_url`."""
    announce = folder / "sandbox.json"
    options = [
        argument
        for gateway, given in _OPTIONS.items()
        for name, value in {"webhook-url": f"{webhooks_url}/{gateway}", **given}.items()
        for argument in (f"--{gateway}-{name}", value)
    ]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "sandbox", "--host", "127.0.0.1", "--port", "0"),
        *("--data", str(folder / "data"), "--announce", str(announce), *options),
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        for _ in range(400):
            if announce.exists():
                break
            assert process.returncode is None, "the sandbox did not start"
            await asyncio.sleep(0.05)
        said = json.loads(announce.read_text())
        yield Announced(str(said["url"]), str(said["paypal_ca"]))
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def stripe_options(sandbox: Announced, base: str | None = None) -> StripeOptions:
    """The sandbox's Stripe account, or one at another address."""
    page = f"{sandbox.url}/pay/"
    key = "sk_test_" + "x" * 24
    return StripeOptions(key, (STRIPE_SECRET,), base or sandbox.url, False, page, TIMEOUT_SECONDS)


def paypal_options(sandbox: Announced, base: str | None = None, client_secret: str = PAYPAL_SECRET) -> PayPalOptions:
    """The sandbox's PayPal account, or one at another address or with another secret of the client."""
    return PayPalOptions(
        client_id="SagaTests",
        client_secret=client_secret,
        webhook_id=PAYPAL_WEBHOOK,
        api_base=f"{base or sandbox.url}/paypal",
        merchant_id=PAYPAL_MERCHANT,
        webhook_roots=Path(sandbox.paypal_ca).read_bytes(),
        timeout_seconds=TIMEOUT_SECONDS,
    )


def adyen_options(sandbox: Announced, base: str | None = None, key: str = "AQE" + "sagas") -> AdyenOptions:
    """The sandbox's Adyen account, or one at another address or with another key."""
    address = f"{base or sandbox.url}/adyen/v72"
    return AdyenOptions(key, ADYEN_ACCOUNT, (ADYEN_KEY,), address, False, TIMEOUT_SECONDS)


def sandbox_builders(sandbox: Announced, base: str | None = None) -> dict[str, Builder]:
    """The sandbox's gateways, a little less patient than in production; `base`: looked for at another address."""
    stripe, paypal, adyen = stripe_options(sandbox, base), paypal_options(sandbox, base), adyen_options(sandbox, base)

    def build_stripe(evidence: Evidence) -> Gateway:
        return StripeGateway(stripe)

    def build_paypal(evidence: Evidence) -> Gateway:
        return PayPalGateway(paypal, evidence)

    def build_adyen(evidence: Evidence) -> Gateway:
        return AdyenGateway(adyen, evidence)

    return {"stripe": build_stripe, "paypal": build_paypal, "adyen": build_adyen}


def worlds(url: str, client: httpx.AsyncClient) -> Mapping[str, SandboxOutside]:
    """What a test can do to each gateway from outside; their inboxes are not opened, webhooks go to the API."""
    kinds: tuple[type[SandboxOutside], ...] = (StripeOutside, PayPalOutside, AdyenOutside)
    return {kind.name: kind(url, client) for kind in kinds}


def payment_of(checkout: Checkout, status: CheckoutStatus) -> PaymentSnapshot:
    """The payment as the shop's page knows it: enough for its customer to go on."""
    assert status.payment_id is not None, status
    return PaymentSnapshot(
        gateway=status.gateway or checkout.gateway,
        payment_id=status.payment_id,
        reference=checkout.id,
        status=PaymentStatus.AWAITING_CUSTOMER,
        amount=checkout.amount,
        captured=checkout.amount.zero(),
        live=False,
        next_action=status.next_action,
    )
