"""Double entry: accounts, postings and the transactions that the saga's steps cause.

Amounts on postings are signed minor units; a transaction's postings sum to zero in every currency. A correction is a
new transaction that reverses the old one: nothing is ever changed.

| step | from | to |
|---|---|---|
| authorize | `<gateway>:holds` | `<gateway>:authorized` |
| void, or capture of a hold | `<gateway>:authorized` | `<gateway>:holds` |
| capture | `<gateway>:sales` | `<gateway>:balance` |
| capture failed after it was done | `<gateway>:balance` | `<gateway>:sales` |
| the same, with the hold open again | `<gateway>:holds` | `<gateway>:authorized` |
| refund accepted | `<gateway>:refunds_pending` | `<gateway>:sales` |
| refund succeeded | `<gateway>:balance` | `<gateway>:refunds_pending` |
| refund failed while pending | `<gateway>:sales` | `<gateway>:refunds_pending` |
| refund failed after it had settled | `<gateway>:sales` | `<gateway>:balance` |
| withdrawn for a dispute | `<gateway>:balance` | `<gateway>:disputed` |
| reinstated after a dispute | `<gateway>:disputed` | `<gateway>:balance` |
| written off: money of ours that is lost | `<gateway>:sales` | `<gateway>:write_offs` |
| written off: money of the customer's that could not go back | `<gateway>:write_offs` | `<gateway>:sales` |
| marked as paid by a person | `<gateway>:sales` | `<gateway>:balance` |
"""

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum

from domain.errors import UnbalancedTransactionError
from domain.money import Money


class AccountKind(StrEnum):
    """What an account counts, for one gateway and currency."""

    HOLDS = "holds"
    """Counterpart of `authorized`: what customers have promised."""
    AUTHORIZED = "authorized"
    """What the gateway holds for us and has not captured."""
    SALES = "sales"
    """What customers have paid us, less what was given back (credit balances are negative)."""
    BALANCE = "balance"
    """What the gateway owes us."""
    REFUNDS_PENDING = "refunds_pending"
    """Refunds that the gateway accepted and has not finished."""
    DISPUTED = "disputed"
    """What the gateway has withdrawn for disputes; what is lost stays here."""
    WRITE_OFFS = "write_offs"
    """What a person let be: money of ours that is lost, less money of customers' that could not go back."""


class TransactionKind(StrEnum):
    """Which step moved the money."""

    AUTHORIZE = "authorize"
    VOID = "void"
    CAPTURE = "capture"
    CAPTURE_FAILED = "capture_failed"
    REFUND = "refund"
    REFUND_SETTLED = "refund_settled"
    REFUND_FAILED = "refund_failed"
    DISPUTE_WITHDRAWN = "dispute_withdrawn"
    DISPUTE_REINSTATED = "dispute_reinstated"
    WRITE_OFF = "write_off"


@dataclass(frozen=True)
class Posting:
    """One line: `amount_minor` is added to `account` (negative takes away), in the currency's minor units."""

    account: str
    currency: str
    amount_minor: int


@dataclass(frozen=True)
class Transaction:
    """Postings that happen together or not at all. `reference` is the gateway's id of what moved.

    Raises UnbalancedTransactionError when they do not sum to zero in every currency, or when there are none.
    """

    kind: TransactionKind
    reference: str
    postings: tuple[Posting, ...]

    def __post_init__(self) -> None:
        sums: Counter[str] = Counter()
        for posting in self.postings:
            sums[posting.currency] += posting.amount_minor
        if not self.postings or any(sums.values()):
            raise UnbalancedTransactionError(
                f"{self.kind} {self.reference}: the postings sum to {dict(sums)}, not to zero"
            )


def account(gateway: str, kind: AccountKind) -> str:
    """The account's name; its currency stands on each posting."""
    return f"{gateway}:{kind}"


def _transfer(gateway: str, source: AccountKind, destination: AccountKind, amount: Money) -> tuple[Posting, Posting]:
    return (
        Posting(account(gateway, source), amount.currency, -amount.minor),
        Posting(account(gateway, destination), amount.currency, amount.minor),
    )


def authorize(gateway: str, payment_id: str, amount: Money) -> Transaction:
    """The gateway holds the amount for us."""
    return Transaction(
        TransactionKind.AUTHORIZE, payment_id, _transfer(gateway, AccountKind.HOLDS, AccountKind.AUTHORIZED, amount)
    )


def void(gateway: str, payment_id: str, amount: Money) -> Transaction:
    """The hold is released."""
    return Transaction(
        TransactionKind.VOID, payment_id, _transfer(gateway, AccountKind.AUTHORIZED, AccountKind.HOLDS, amount)
    )


def capture(gateway: str, payment_id: str, amount: Money, held: Money) -> Transaction:
    """The amount is taken; whatever was held for it (zero where there was no hold) ends with it."""
    moved = _transfer(gateway, AccountKind.SALES, AccountKind.BALANCE, amount)
    released = _transfer(gateway, AccountKind.AUTHORIZED, AccountKind.HOLDS, held) if held.minor else ()
    return Transaction(TransactionKind.CAPTURE, payment_id, moved + released)


def capture_failed(gateway: str, payment_id: str, amount: Money, held: Money) -> Transaction:
    """What was taken went away again: the reverse of `capture`. `held`: the hold that is open again, zero for none."""
    moved = _transfer(gateway, AccountKind.BALANCE, AccountKind.SALES, amount)
    reopened = _transfer(gateway, AccountKind.HOLDS, AccountKind.AUTHORIZED, held) if held.minor else ()
    return Transaction(TransactionKind.CAPTURE_FAILED, payment_id, moved + reopened)


def refund(gateway: str, refund_id: str, amount: Money) -> Transaction:
    """The gateway accepted to give the amount back."""
    return Transaction(
        TransactionKind.REFUND, refund_id, _transfer(gateway, AccountKind.REFUNDS_PENDING, AccountKind.SALES, amount)
    )


def refund_settled(gateway: str, refund_id: str, amount: Money) -> Transaction:
    """The customer has the amount back, finally."""
    return Transaction(
        TransactionKind.REFUND_SETTLED,
        refund_id,
        _transfer(gateway, AccountKind.BALANCE, AccountKind.REFUNDS_PENDING, amount),
    )


def refund_failed(gateway: str, refund_id: str, amount: Money, settled: bool) -> Transaction:
    """A refund came back: the reverse of `refund` and, where it had already counted as settled, of that too."""
    source = AccountKind.SALES
    destination = AccountKind.BALANCE if settled else AccountKind.REFUNDS_PENDING
    return Transaction(TransactionKind.REFUND_FAILED, refund_id, _transfer(gateway, source, destination, amount))


def dispute_withdrawn(gateway: str, dispute_id: str, amount: Money) -> Transaction:
    """The gateway takes the amount from us until the dispute is decided."""
    moved = _transfer(gateway, AccountKind.BALANCE, AccountKind.DISPUTED, amount)
    return Transaction(TransactionKind.DISPUTE_WITHDRAWN, dispute_id, moved)


def dispute_reinstated(gateway: str, dispute_id: str, amount: Money) -> Transaction:
    """The gateway gives back what it withdrew."""
    moved = _transfer(gateway, AccountKind.DISPUTED, AccountKind.BALANCE, amount)
    return Transaction(TransactionKind.DISPUTE_REINSTATED, dispute_id, moved)


def write_off(gateway: str, payment_id: str, amount: Money, ours: bool) -> Transaction:
    """A person lets a difference be: money of `ours` that is lost, or of the customer's that could not go back."""
    ends = (AccountKind.SALES, AccountKind.WRITE_OFFS) if ours else (AccountKind.WRITE_OFFS, AccountKind.SALES)
    return Transaction(TransactionKind.WRITE_OFF, payment_id, _transfer(gateway, *ends, amount))
