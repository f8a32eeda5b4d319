"""Every error of the domain, one class a fact.

PaysagaError
├── InvalidMoneyError
│   ├── UnknownCurrencyError
│   ├── CurrencyMismatchError
│   └── AmountDoesNotFitError
├── IllegalTransitionError
├── UnbalancedTransactionError
├── WebhookNotAuthenticError
├── GatewayError
│   ├── OutcomeUnknownError
│   │   └── KeySpentError
│   ├── NotDoneError
│   │   ├── GatewayBusyError
│   │   ├── GatewayUnreachableError
│   │   └── BreakerOpenError
│   ├── GatewayRefusedError
│   └── GatewayMisconfiguredError
└── BooksError
    ├── OrderExistsError
    ├── OperationMismatchError
    └── EntryMismatchError
"""


class PaysagaError(Exception):
    """The root of the domain's errors."""


class InvalidMoneyError(PaysagaError):
    """Not an exact amount of a known currency."""


class UnknownCurrencyError(InvalidMoneyError):
    """The currency is no active ISO 4217 code in capitals."""

    def __init__(self, currency: object) -> None:
        super().__init__(f"{currency!r} is no active ISO 4217 currency code (three capital letters, like 'EUR')")
        self.currency = currency


class CurrencyMismatchError(InvalidMoneyError):
    """Two amounts of different currencies were put together."""

    def __init__(self, expected: str, found: str) -> None:
        super().__init__(f"{found} does not add to {expected}")
        self.expected, self.found = expected, found


class AmountDoesNotFitError(InvalidMoneyError):
    """The gateway cannot charge exactly this amount; it is refused, never rounded."""

    def __init__(self, minor: int, currency: str, reason: str) -> None:
        super().__init__(f"{minor} {currency} (minor units): {reason}")
        self.minor, self.currency, self.reason = minor, currency, reason


class IllegalTransitionError(PaysagaError):
    """The state table does not allow this change."""

    def __init__(self, current: str, wanted: str) -> None:
        super().__init__(f"a checkout does not go from {current} to {wanted}")
        self.current, self.wanted = current, wanted


class UnbalancedTransactionError(PaysagaError):
    """The postings of a transaction do not sum to zero in every currency."""


class WebhookNotAuthenticError(PaysagaError):
    """The delivery does not prove that the gateway sent it; nothing of it may be used."""


class GatewayError(PaysagaError):
    """Something kept a gateway call from ending in an answer."""


class OutcomeUnknownError(GatewayError):
    """The gateway may or may not have done it: repeat with the same key, or look."""


class KeySpentError(OutcomeUnknownError):
    """The gateway keeps a failure under this key and will replay it for ever: look, and go on with a new key."""


class NotDoneError(GatewayError):
    """This call certainly did nothing; one made before it under the same key may have."""

    def __init__(self, message: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class GatewayBusyError(NotDoneError):
    """The gateway asks to come back (429, key in flight)."""


class GatewayUnreachableError(NotDoneError):
    """No connection was made, so nothing was sent."""


class BreakerOpenError(NotDoneError):
    """We keep this call back, since the gateway fails or is under maintenance."""


class GatewayRefusedError(GatewayError):
    """The gateway says the request itself is wrong; repeating cannot help."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message = code, message


class GatewayMisconfiguredError(GatewayError):
    """The credentials or the account are wrong; a person has to act, then repeating helps."""


class BooksError(PaysagaError):
    """The books refused a write."""


class OrderExistsError(BooksError):
    """The order already has a checkout."""

    def __init__(self, order_id: str, checkout_id: str) -> None:
        super().__init__(f"order {order_id!r} already has checkout {checkout_id}")
        self.order_id, self.checkout_id = order_id, checkout_id


class OperationMismatchError(BooksError):
    """An operation key was used again with another request: a bug, never to be repeated."""

    def __init__(self, key: str) -> None:
        super().__init__(f"operation {key!r} exists with another request")
        self.key = key


class EntryMismatchError(BooksError):
    """A timeline entry's key was used again with other content: a bug, never to be repeated."""

    def __init__(self, checkout_id: str, key: str) -> None:
        super().__init__(f"timeline entry {key!r} of {checkout_id} exists with other content")
        self.checkout_id, self.key = checkout_id, key
