"""Where certificates may come from: exact places of PayPal's, compared as text, so that no reading of them differs."""

from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest

from domain.errors import GatewayUnreachableError, WebhookNotAuthenticError
from gateways.paypal.certificates import Certificates
from tests.gateways.paypal.authority import BODY, NOW, headers
from tests.gateways.paypal.conftest import options_for
from tests.gateways.paypal.hooked import FILE, Receiver
from tests.gateways.scripted import ScriptedServer

LIVE, TEST = "https://api-m.paypal.com", "https://api-m.sandbox.paypal.com"


@pytest.fixture
async def receiver(scripted: ScriptedServer) -> AsyncIterator[Receiver]:
    """Somebody who trusts the tests' root."""
    made = Receiver(scripted)
    yield made
    await made.gateway.close()


def bent(url: str) -> dict[str, str]:
    """Addresses that are almost the right one."""
    host, port = urlsplit(url).hostname, urlsplit(url).port
    return {
        "https for http": url.replace("http://", "https://"),
        "with a user": url.replace("http://", "http://user@"),
        "a user that looks like the host": f"http://{host}:{port}@example.com{FILE}",
        "another port": url.replace(f":{port}", ":1"),
        "no port": url.replace(f":{port}", ""),
        "a look-alike host": url.replace(str(host), f"{host}.example.com"),
        "the same host by name": url.replace(str(host), "localhost"),
        "in capitals": url.replace("http", "HTTP"),
        "with a query": f"{url}?x=1",
        "with a fragment": f"{url}#x",
        "a folder up": url.replace("certs/CERT", "certs/../certs/CERT"),
        "encoded": url.replace("certs/CERT", "certs/%2e%2e/CERT"),
        "another folder": url.replace("/notifications/certs", "/checkout/orders"),
        "no file": url.removesuffix(FILE.rsplit("/", 1)[1]),
        "two files": f"{url}/x",
        "with a line break": f"{url}\n",
        "a backslash": url.replace("certs/", "certs\\"),
        "very long": url + "a" * 500,
        "a file": f"file://{FILE}",
        "nothing": " ",
        "PayPal's, when a sandbox is in its stead": f"https://api.sandbox.paypal.com{FILE}",
    }


@pytest.mark.parametrize("how", bent(f"http://127.0.0.1:80{FILE}"))
async def test_no_other_place_is_asked(receiver: Receiver, how: str) -> None:
    """An address that is not exactly the sandbox's folder of certificates is refused without a call."""
    with receiver.nothing_fetched(), pytest.raises(WebhookNotAuthenticError):
        await receiver.parse(given=headers(BODY, bent(receiver.url)[how]))


PLACES = {
    f"https://api.paypal.com{FILE}": (LIVE,),
    f"https://api-m.paypal.com{FILE}": (LIVE,),
    f"https://api.sandbox.paypal.com{FILE}": (TEST,),
    f"https://api-m.sandbox.paypal.com{FILE}": (TEST,),
    f"http://api.paypal.com{FILE}": (),
    f"https://api.paypal.com:443{FILE}": (),
    f"https://user@api.paypal.com{FILE}": (),
    f"https://api.paypal.com.example.com{FILE}": (),
    f"https://www.paypal.com{FILE}": (),
    f"https://paypal.com{FILE}": (),
    f"https://API.paypal.com{FILE}": (),
    f"https://api.paypal.com/{FILE}": (),
    f"https://api.paypal.com{FILE}?a=b": (),
    f"https://api.paypal.com\\@example.com{FILE}": (),
    f"https://66.211.168.123{FILE}": (),
    f"https://аpi.paypal.com{FILE}": (),  # noqa: RUF001 - begins with a Cyrillic letter
}


@pytest.mark.parametrize("url", PLACES)
@pytest.mark.parametrize("base", [LIVE, TEST])
async def test_paypals_places(url: str, base: str) -> None:
    """Live and test accounts take certificates from their own two hosts, by https, from one folder, and no others."""
    looked_up = Certificates(options_for(base))
    asked: list[str] = []

    class Asked:
        def __init__(self, origin: str) -> None:
            self.origin = origin

        async def send(self, method: str, path: str, headers: object) -> None:
            asked.append(f"{method} {self.origin}{path}")
            raise GatewayUnreachableError("not in a test")

    looked_up._origins = {origin: Asked(origin) for origin in looked_up._origins}  # type: ignore[misc]
    allowed = base in PLACES[url]
    with pytest.raises(GatewayUnreachableError if allowed else WebhookNotAuthenticError):
        await looked_up.signer(url, NOW)
    assert asked == ([f"GET {url}"] if allowed else [])
