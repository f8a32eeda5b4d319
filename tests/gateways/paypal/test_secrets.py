"""Credentials stay inside the adapter."""

import logging
from base64 import b64encode

import pytest

from domain.errors import GatewayError
from gateways.paypal.adapter import PayPalGateway
from gateways.paypal.options import PayPalOptions
from gateways.paypal.scrub import Scrubber
from tests.gateways.paypal.conftest import CLIENT, SECRET, WEBHOOK, options_for
from tests.gateways.paypal.examples import (
    ACCESS_TOKEN,
    APPROVED,
    AUTHORIZE,
    CAPTURE,
    CREATE,
    ORDER_ID,
    REFUND,
    VOID,
    refused,
)
from tests.gateways.scripted import CUT, SILENCE, ScriptedServer, answer

PAIR = b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
QUOTE = f"secret {SECRET}, token {ACCESS_TOKEN}, header Basic {PAIR}"
REQUESTS = {
    "create": CREATE,
    "authorize": AUTHORIZE,
    "capture": CAPTURE,
    "void": VOID,
    "refund": REFUND,
    "lookup": ORDER_ID,
}


def quoting(status: int, issue: str) -> bytes:
    """PayPal's error, saying our secrets wherever it says anything."""
    detail = {"issue": issue, "description": QUOTE}
    return refused(status, message=QUOTE, details=[detail], name=QUOTE, error_description=QUOTE)


async def test_nothing_says_a_secret(
    gateway: PayPalGateway, scripted: ScriptedServer, caplog: pytest.LogCaptureFixture
) -> None:
    """PayPal may quote our credentials back at us; neither errors, declines, logs nor reprs repeat them."""
    issues = ("INSTRUMENT_DECLINED", "NO_SUCH_ISSUE", "PAYEE_ACCOUNT_RESTRICTED", QUOTE, SECRET, ACCESS_TOKEN)
    errors = [quoting(status, issue) for status in (400, 403, 404, 409, 422, 429, 500) for issue in issues]
    seen = [repr(gateway), repr(gateway.__dict__["_options"]), str(gateway.__dict__)]
    with caplog.at_level(logging.DEBUG):
        for said in (*errors, SILENCE, CUT, answer(200, "<html>" + QUOTE), answer(403, QUOTE)):
            for verb in REQUESTS:
                scripted.tell(*([] if verb in ("create", "lookup") else [answer(200, APPROVED)]), said)
                seen.append(await outcome(gateway, verb))
    assert len(seen) > 250
    logged = [record.getMessage() for record in caplog.records]
    assert [text for text in (*seen, *logged) if "MustNotShow" in text or PAIR in text] == []


async def test_no_failure_to_get_a_token_says_a_secret(
    cold: PayPalGateway, scripted: ScriptedServer, caplog: pytest.LogCaptureFixture
) -> None:
    """The call that carries the secret itself fails without a word of it."""
    errors = [answer(s, {"error": w, "error_description": QUOTE}) for s in (400, 401, 403, 429, 500, 200) for w in
              ("invalid_client", QUOTE)]  # fmt: skip
    with caplog.at_level(logging.DEBUG):
        seen = []
        for said in (*errors, SILENCE, CUT, answer(401, QUOTE)):
            scripted.tell(said)
            seen += [await outcome(cold, verb) for verb in ("create", "lookup")]
    logged = [record.getMessage() for record in caplog.records]
    assert [text for text in (*seen, *logged) if "MustNotShow" in text or PAIR in text] == []


async def outcome(gateway: PayPalGateway, verb: str) -> str:
    """Everything that a call shows: its answer, or its error with all that hangs on it."""
    try:
        return repr(await getattr(gateway, verb)(REQUESTS[verb]))
    except GatewayError as raised:
        # The cause would travel to Temporal with the error.
        return f"{raised!r} {raised.args} {vars(raised)} {raised.__cause__!r}"


def test_old_tokens_are_not_said_either() -> None:
    """A token that was renewed may still be quoted by a call that carried it."""
    scrub = Scrubber(CLIENT, SECRET)
    for number in range(4):
        scrub.learn(f"A21AA_{number}")
    said = scrub(f"A21AA_0 A21AA_3 {SECRET} {PAIR} Bearer whatever, bearer  other; and the rest")
    assert said == "[secret] [secret] [secret] [secret] Bearer [secret], bearer [secret]; and the rest"
    assert len(scrub("x" * 5000)) == 500


def test_options_hide_their_secrets() -> None:
    """The account's settings can be logged: the secret and the webhook's id do not show."""
    said = repr(options_for("https://api-m.sandbox.paypal.com", webhook_roots=b"PEM"))
    assert not [word for word in (SECRET, WEBHOOK, "PEM") if word in said]
    assert CLIENT in said


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": " "},
        {"client_secret": ""},
        {"webhook_id": ""},
        {"webhook_id": "A|B"},
        {"timeout_seconds": 0},
        {"api_base": "https://api-m.paypal.com", "webhook_roots": b"PEM"},
    ],
)
def test_what_could_never_work_is_refused(changes: dict[str, object]) -> None:
    """Blank credentials, a webhook id that would change what is signed, and own roots for live webhooks are refused."""
    given = {"client_id": "a", "client_secret": "b", "webhook_id": "C", "api_base": "http://127.0.0.1", **changes}
    with pytest.raises(ValueError, match=r"empty|none that PayPal gives|above 0|live account"):
        PayPalOptions(**given)  # type: ignore[arg-type]
