"""Credentials stay inside the adapter."""

import logging
import traceback

import pytest

from domain.errors import GatewayError
from gateways.adyen.adapter import AdyenGateway
from gateways.adyen.options import AdyenOptions
from tests.gateways.adyen.conftest import API_KEY
from tests.gateways.adyen.examples import CAPTURE, CREATE, REFUND, VOID, KeptBodies, link, refusal
from tests.gateways.adyen.notices import ACCOUNT, LINK_ID, NEW, body, item
from tests.gateways.scripted import CUT, SILENCE, ScriptedServer, answer

VERBS = {"create": CREATE, "capture": CAPTURE, "void": VOID, "refund": REFUND, "lookup": LINK_ID}


async def test_nothing_says_a_secret(
    gateway: AdyenGateway, scripted: ScriptedServer, kept: KeptBodies, caplog: pytest.LogCaptureFixture
) -> None:
    """Adyen may quote our key back at us; neither errors, declines, logs nor reprs repeat it."""
    quote = f"Invalid credentials: {API_KEY}, '{NEW}' ({NEW.lower()})"
    answers = [refusal(status, code, quote) for status in (400, 401, 404, 409, 422, 429, 500)
               for code in ("137", "704", quote)]  # fmt: skip
    kept.bodies[:] = [body(item())]
    told = [repr(gateway), str(gateway.__dict__), repr(gateway.__dict__["_options"])]
    with caplog.at_level(logging.DEBUG):
        for said in (*answers, SILENCE, CUT, answer(200, "<html>" + quote), answer(500, quote)):
            for before in ((), (answer(200, link(status="completed")),)):
                scripted.tell(*before, said)
                told += [await outcome(gateway, verb) for verb in VERBS]
    logged = [record.getMessage() for record in caplog.records]
    assert len(told) > 100
    assert logged
    for secret in ("MustNotShow", NEW, NEW.lower()):
        assert not [text for text in (*told, *logged) if secret in text]


async def outcome(gateway: AdyenGateway, verb: str) -> str:
    """Everything that a call shows: its answer, or its error with all that hangs on it."""
    try:
        return repr(await getattr(gateway, verb)(VERBS[verb]))
    except GatewayError as raised:
        # The cause would travel to Temporal with the error.
        stack = "".join(traceback.format_exception(raised))
        return f"{raised!r} {raised.args} {vars(raised)} {raised.__cause__!r} {stack}"


def test_options_hide_their_secrets() -> None:
    """The account's settings can be logged: neither the key nor the HMAC keys show."""
    shown = repr(AdyenOptions(API_KEY, ACCOUNT, (NEW,), "http://127.0.0.1", live=False))
    assert "MustNotShow" not in shown
    assert NEW not in shown
    assert ACCOUNT in shown


@pytest.mark.parametrize(
    ("key", "account", "hmac_keys", "seconds", "complaint"),
    [
        ("", ACCOUNT, (NEW,), 20, "API key is empty"),
        (" ", ACCOUNT, (NEW,), 20, "API key is empty"),
        ("AQE1", " ", (NEW,), 20, "merchant account is empty"),
        ("AQE1", ACCOUNT, (NEW, ""), 20, "hexadecimal"),
        ("AQE1", ACCOUNT, ("xyz" * 20,), 20, "hexadecimal"),
        ("AQE1", ACCOUNT, (NEW[:-1],), 20, "hexadecimal"),
        ("AQE1", ACCOUNT, ("AB",), 20, "hexadecimal"),
        ("AQE1", ACCOUNT, (f" {NEW}",), 20, "hexadecimal"),
        ("AQE1", ACCOUNT, (NEW,), 0, "timeout_seconds"),
    ],
)
def test_unfit_credentials_are_refused(
    key: str, account: str, hmac_keys: tuple[str, ...], seconds: float, complaint: str
) -> None:
    """Blank credentials could never work; an HMAC key that is none would let anybody sign, or stop every delivery."""
    with pytest.raises(ValueError, match=complaint) as caught:
        AdyenOptions(key, account, hmac_keys, "http://127.0.0.1", live=False, timeout_seconds=seconds)
    assert NEW not in str(caught.value)
