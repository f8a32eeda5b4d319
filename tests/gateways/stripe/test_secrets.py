"""Credentials stay inside the adapter."""

import logging

import pytest

from domain.errors import GatewayError
from gateways.stripe.adapter import StripeGateway
from gateways.stripe.options import StripeOptions
from tests.gateways.scripted import CUT, SILENCE, ScriptedServer, answer, error
from tests.gateways.stripe.conftest import API_KEY, WEBHOOK_SECRET
from tests.gateways.stripe.examples import CAPTURE, CREATE, REFUND, VOID


async def test_nothing_says_a_secret(
    gateway: StripeGateway, scripted: ScriptedServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Stripe may quote our key back at us; neither errors, declines, logs nor reprs repeat it."""
    quote = f"Invalid API Key provided: {API_KEY} ({WEBHOOK_SECRET}), pi_1_secret_TheSecretThatMustNotShow"
    answers = [error(s, message=quote, code=c, param=quote) for s in (400, 401, 402, 403, 404, 409, 429, 500)
               for c in (None, quote, "payment_intent_unexpected_state")]  # fmt: skip
    seen = [repr(gateway), repr(gateway.__dict__["_options"]), str(gateway.__dict__)]
    with caplog.at_level(logging.INFO):
        for said in (*answers, SILENCE, CUT, answer(200, "<html>" + quote), error(400, type="idempotency_error")):
            scripted.tell(said)
            seen += [await outcome(gateway, verb) for verb in ("create", "capture", "void", "refund", "lookup")]
    assert len(seen) > 100
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("gateways")]
    assert not [text for text in (*seen, *ours) if "MustNotShow" in text]


async def outcome(gateway: StripeGateway, verb: str) -> str:
    """Everything that a call shows: its answer, or its error with all that hangs on it."""
    requests = {"create": CREATE, "capture": CAPTURE, "void": VOID, "refund": REFUND, "lookup": "pi_1"}
    try:
        return repr(await getattr(gateway, verb)(requests[verb]))
    except GatewayError as raised:
        # The cause would travel to Temporal with the error.
        return f"{raised!r} {raised.args} {vars(raised)} {raised.__cause__!r}"


def test_options_hide_their_secrets() -> None:
    """The account's settings can be logged: the key and the webhook secrets do not show."""
    assert "MustNotShow" not in repr(StripeOptions(API_KEY, (WEBHOOK_SECRET,), "http://127.0.0.1", live=False))


@pytest.mark.parametrize(("key", "secrets"), [("", ("whsec_1",)), (" ", ()), ("sk_test_1", ("whsec_1", " "))])
def test_blank_credentials_are_refused(key: str, secrets: tuple[str, ...]) -> None:
    """A blank key could never work, and a blank webhook secret would let anybody sign."""
    with pytest.raises(ValueError, match="empty"):
        StripeOptions(key, secrets, "http://127.0.0.1", live=False)
