"""The gateways of a process by name."""

import logging

import pytest

from gateways.registry import build_gateways, close_all
from gateways.stripe.adapter import StripeGateway
from gateways.stripe.options import StripeOptions

OPTIONS = StripeOptions("sk_test_1", ("whsec_1",), "http://127.0.0.1:9", live=False)


class Unclosable(StripeGateway):
    """A gateway whose connections cannot be given back."""

    async def close(self) -> None:
        """Fail."""
        raise ConnectionError("sk_test_1")


class Closable(StripeGateway):
    """A gateway that remembers being closed."""

    closed = False

    async def close(self) -> None:
        """Remember it."""
        self.closed = True


def test_only_what_is_configured_is_built() -> None:
    """Each configured gateway stands under its own name; without any the registry is empty."""
    assert build_gateways() == {}
    gateways = build_gateways(OPTIONS)
    assert list(gateways) == ["stripe"]
    assert gateways["stripe"].name == "stripe"


async def test_all_are_closed_even_when_one_fails(caplog: pytest.LogCaptureFixture) -> None:
    """A gateway that fails to close is named in the log, without its error's text, and keeps no other from closing."""
    good = Closable(OPTIONS)
    with caplog.at_level(logging.WARNING):
        await close_all({"bad": Unclosable(OPTIONS), "good": good})
    assert good.closed
    assert "gateway bad did not close cleanly: ConnectionError" in caplog.text
    assert "sk_test_1" not in caplog.text
