"""The mails in the mailbox, and whether they are those that the events call for: each once, to the right address."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from pathlib import Path
from urllib.parse import unquote

from devstack import eventing
from devstack.demo.claims import Claim, claim
from devstack.demo.events.told import EventsTold, ToldEvent
from devstack.demo.evidence import Evidence, Kind
from domain.money import Money
from domain.timeline import EventType

_WORDS = {
    EventType.PAYMENT_SUCCEEDED: "Receipt",
    EventType.REFUND_SUCCEEDED: "Refund",
    EventType.DISPUTE_OPENED: "Dispute",
}


@dataclass(frozen=True)
class Mail:
    """One mail as the mail server took it: the event that its id names, whom it went to, and its subject line."""

    event: str
    to: str
    subject: str
    taken_at: datetime


def taken(folder: Path, since: datetime) -> list[Mail]:
    """Every mail since then, oldest first."""
    mails = (_read(file) for file in sorted(folder.glob("*.eml")))
    return [mail for mail in mails if mail.taken_at >= since]


def _read(file: Path) -> Mail:
    message = message_from_bytes(file.read_bytes(), policy=policy.default)
    event = unquote(str(message["Message-ID"]).strip("<>").rpartition("@")[0])
    taken_at = datetime.fromtimestamp(int(file.name.partition("-")[0]) / 1e9, UTC)
    return Mail(event, str(message["Delivered-To"]).strip("<>"), str(message["Subject"]), taken_at)


def due(told: EventsTold, seen: Collection[Evidence]) -> dict[str, tuple[str, str]]:
    """By event, whom it is to be written to and the word that the mail begins with."""
    wholes = {leg.checkout_id: whole for whole in seen for leg in whole.legs}
    found = {}
    for event in told.events:
        if event.type == EventType.DISPUTE_OPENED:
            found[event.id] = eventing.SHOP, _WORDS[EventType.DISPUTE_OPENED]
        elif event.type in _WORDS and _is_customers(event, wholes):
            found[event.id] = f"{event.order_id}@customers.example", _WORDS[EventType(event.type)]
    return found


def _is_customers(event: ToldEvent, wholes: Mapping[str, Evidence]) -> bool:
    """A customer has one order: what its tenders do is told with it, unless the whole has ended otherwise."""
    if not event.is_tenders:
        return True
    whole = wholes.get(event.subject)
    undone = event.payload.get("state") == "refunded" and whole is not None and whole.api.state == "refunded"
    return event.type == EventType.REFUND_SUCCEEDED and not undone


def claims(told: EventsTold, mails: Sequence[Mail], seen: Collection[Evidence]) -> Iterator[Claim]:
    """Each mail that is due was sent, once, to the right address; and what receipts say is what gateways took."""
    wanted = due(told, seen)
    kinds = Counter(word for _, word in wanted.values())
    found = ", ".join(f"{number} {word.lower()}s" for word, number in sorted(kinds.items()))
    yield claim("one mail for each event that calls for one", found, _unfitting(wanted, mails))
    yield claim("receipts name what the gateways' books took", f"{kinds['Receipt']} sales", _wrong_sums(mails, seen))


def silent(mails: Sequence[Mail], checkouts: int) -> Claim:
    """Of a run in which nobody wrote any: the checkouts' own promises say whether that changed anything."""
    trouble = (f"'{mail.subject}' went to {mail.to}" for mail in mails)
    return claim("nobody wrote mails", f"{checkouts} checkouts, {len(mails)} mails", trouble)


def _unfitting(wanted: Mapping[str, tuple[str, str]], mails: Sequence[Mail]) -> Iterator[str]:
    sent = Counter(mail.event for mail in mails)
    for event, (to, _) in wanted.items():
        if sent[event] != 1:
            yield f"{event}: {sent[event]} mails to {to}, due is one"
    for mail in mails:
        to, word = wanted.get(mail.event, ("nobody", ""))
        if mail.to != to or not mail.subject.startswith(word):
            yield f"{mail.event}: '{mail.subject}' went to {mail.to}, due was {word or 'none'} to {to}"


def _wrong_sums(mails: Sequence[Mail], seen: Collection[Evidence]) -> Iterator[str]:
    """Judged by the gateways' books: of every sale there is a receipt over just what was taken."""
    receipts = [mail.subject for mail in mails if mail.subject.startswith("Receipt")]
    for sale in (one for one in seen if one.api.state == "completed"):
        sum_taken = Money(sum(sale.at_gateways(Kind.TAKE)), sale.currency)
        line = f"Receipt for order {sale.order_id}: {sum_taken}"
        if receipts.count(line) != 1:
            yield f"{receipts.count(line)} mails say '{line}'"
