"""What the adapter has to know of one Adyen account."""

import re
from dataclasses import dataclass, field

# Adyen makes keys of 32 bytes; anything shorter than half of that could be guessed.
_HMAC_KEY = re.compile(r"(?:[0-9A-Fa-f]{2}){16,}")


@dataclass(frozen=True)
class AdyenOptions:
    """One Adyen merchant account. Neither the API key nor the HMAC keys show in the repr.

    `hmac_keys`: all that are accepted now, in hexadecimal, several while one is being rotated out. `timeout_seconds`
    bounds one call as a whole. `disputes_base`: where the Disputes API is, None where no dispute can be answered.
    `several_captures`: Adyen has switched on multiple partial captures for the account. Raises ValueError for
    credentials that could never work or would let anybody sign notifications; the message repeats none of them.
    """

    api_key: str = field(repr=False)
    merchant_account: str
    hmac_keys: tuple[str, ...] = field(repr=False)
    api_base: str
    live: bool
    timeout_seconds: float = 20
    disputes_base: str | None = None
    several_captures: bool = False

    def __post_init__(self) -> None:
        if not self.api_key.strip():
            raise ValueError("the Adyen API key is empty")
        if not self.merchant_account.strip():
            raise ValueError("the Adyen merchant account is empty")
        if not all(_HMAC_KEY.fullmatch(key) for key in self.hmac_keys):
            raise ValueError("an Adyen HMAC key is none: it must be at least 32 hexadecimal digits")
        if self.timeout_seconds <= 0:
            raise ValueError("timeout_seconds must be above 0")
