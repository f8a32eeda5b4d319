"""Which API keys the sandbox takes."""

import base64
import binascii

from sandbox.stripe.errors import StripeError, forbidden, unauthorized


def key_of(header: str | None) -> str:
    """The API key of a request, from a Bearer or Basic header."""
    scheme, _, credentials = (header or "").strip().partition(" ")
    if scheme.lower() == "bearer" and credentials.strip():
        return credentials.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(credentials, validate=True).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError) as error:
            raise unauthorized("The Basic credentials could not be read.") from error
    raise unauthorized("You did not provide an API key. Send it as a Bearer token in the Authorization header.")


def is_publishable(key: str, *, allowed: bool) -> bool:
    """Check a key: any test key will do, a live one never, a browser's only where Stripe lets browsers call."""
    for prefix in ("sk_test_", "rk_test_"):
        if key.startswith(prefix) and len(key) > len(prefix):
            return False
    if key.startswith("pk_test_") and len(key) > len("pk_test_"):
        if not allowed:
            raise forbidden("This API call cannot be made with a publishable API key. Use a secret API key.")
        return True
    raise _invalid(key)


def _invalid(key: str) -> StripeError:
    shown = f"{key[:8]}{'*' * 8}{key[-4:]}" if len(key) > 16 else "*" * 8
    return unauthorized(f"Invalid API Key provided: {shown}")
