"""Disputes: what a customer's bank asks or takes back, what the shop answers, and the webhooks that tell of it."""

from datetime import UTC, datetime

from sandbox.adyen.errors import new_reference
from sandbox.adyen.gateway import AdyenGateway
from sandbox.adyen.holds import refundable
from sandbox.adyen.shapes import about_modification
from sandbox.control.errors import ConflictError, ControlError
from sandbox.disputes import DISPUTE, Kind, Wanted
from sandbox.store import Filter, Json

DEADLINE = "dispute_deadline"
_DAYS: dict[Kind, float] = {"inquiry": 14.0, "chargeback": 18.0}
_DAY = 86_400.0
_REASON_CODE, _REASON = "13.1", "Merchandise/Services Not Received"
_BEFORE_THE_END = ("inquiry", "open", "defended")


def open_dispute(gateway: AdyenGateway, payment: Json, wanted: Wanted) -> str:
    """A bank asks about a payment, or takes it back at once; the answer is the dispute's own pspReference."""
    amount = refundable(payment) if wanted.amount is None else wanted.amount
    if refundable(payment) == 0:
        raise ConflictError("payment", "has no money that could be disputed")
    if amount > refundable(payment):
        raise ControlError("amount", f"must not be above {refundable(payment)}")
    days = _DAYS[wanted.kind] if wanted.days is None else wanted.days
    dispute: Json = {
        "id": new_reference(),
        "link": payment["link"],
        "payment": payment["id"],
        "amount": amount,
        "withdrawn": 0,
        "state": "inquiry",
        "respond_by": gateway.clock.now() + days * _DAY,
        "documents": {},
    }
    if wanted.kind == "inquiry":
        _tell(gateway, dispute, "REQUEST_FOR_INFORMATION", "Unresponded")
    else:
        _charge_back(gateway, dispute)
    gateway.store.schedule(dispute["id"], DEADLINE, dispute["respond_by"])
    return str(dispute["id"])


def escalate(gateway: AdyenGateway, dispute: Json) -> None:
    """The bank is not content with what it heard, and takes the money back; the time to answer begins anew."""
    if dispute["state"] != "inquiry":
        raise ConflictError("dispute", f"has state {dispute['state']}, and is no inquiry")
    dispute["respond_by"] = gateway.clock.now() + _DAYS["chargeback"] * _DAY
    _charge_back(gateway, dispute)
    gateway.store.schedule(dispute["id"], DEADLINE, dispute["respond_by"])


def _charge_back(gateway: AdyenGateway, dispute: Json) -> None:
    dispute["state"] = "open"
    _tell(gateway, dispute, "NOTIFICATION_OF_CHARGEBACK", "Undefended")
    _withdraw(gateway, dispute)
    _tell(gateway, dispute, "CHARGEBACK", "Undefended")


def defend(gateway: AdyenGateway, dispute: Json) -> None:
    """The shop's documents go to the bank. An inquiry stays one: it is answered, and nobody decides it."""
    chargeback = dispute["state"] != "inquiry"
    dispute["state"] = "defended" if chargeback else "inquiry"
    _tell(gateway, dispute, "INFORMATION_SUPPLIED", "Pending" if chargeback else "Responded")


def give_up(gateway: AdyenGateway, dispute: Json) -> None:
    """The shop does not defend itself, by its own word or by its silence: the customer keeps the money."""
    if dispute["withdrawn"] == 0:
        _withdraw(gateway, dispute)
        dispute["state"] = "lost"
        _tell(gateway, dispute, "CHARGEBACK", "Accepted")
    dispute["state"] = "lost"
    _tell(gateway, dispute, "DISPUTE_DEFENSE_PERIOD_ENDED", "Lost")


def reverse(gateway: AdyenGateway, dispute: Json) -> None:
    """The money is back while the customer's bank considers the defence: nothing is decided yet."""
    if dispute["state"] not in ("open", "defended") or dispute["withdrawn"] == 0:
        raise ConflictError("dispute", f"has state {dispute['state']}, and nothing that could come back")
    dispute["state"] = "defended"
    _reinstate(gateway, dispute)


def decide(gateway: AdyenGateway, dispute: Json, *, won: bool) -> None:
    """The bank decides; an inquiry can only be laid to rest, since losing it is a chargeback."""
    if dispute["state"] not in _BEFORE_THE_END:
        raise ConflictError("dispute", f"is {dispute['state']} already")
    if won:
        if dispute["withdrawn"]:
            _reinstate(gateway, dispute)
        dispute["state"] = "won"
        _tell(gateway, dispute, "ISSUER_RESPONSE_TIMEFRAME_EXPIRED", "Won")
    elif dispute["state"] == "inquiry":
        raise ConflictError("dispute", "is an inquiry, which is lost by becoming a chargeback: escalate it")
    elif dispute["state"] == "open":
        give_up(gateway, dispute)
    else:
        _lose(gateway, dispute)


def _lose(gateway: AdyenGateway, dispute: Json) -> None:
    """The bank does not accept the defence: it takes again what had come back, or keeps what it has."""
    dispute["state"] = "lost"
    if dispute["withdrawn"]:
        _tell(gateway, dispute, "PREARBITRATION_LOST", "Lost")
        return
    _withdraw(gateway, dispute)
    _tell(gateway, dispute, "SECOND_CHARGEBACK", "Lost")


def pass_deadline(gateway: AdyenGateway, dispute: Json) -> bool:
    """Nobody answered in time: an inquiry becomes a chargeback, and a chargeback is lost."""
    if dispute["respond_by"] > gateway.clock.now():
        return False
    if dispute["state"] == "inquiry":
        escalate(gateway, dispute)
    elif dispute["state"] == "open":
        give_up(gateway, dispute)
    else:
        return False
    return True


def answer_by_refund(gateway: AdyenGateway, payment: Json) -> None:
    """What is given back needs no bank any more: inquiries about as much are laid to rest, and Adyen tells nobody."""
    for dispute in about(gateway, payment):
        if dispute["state"] == "inquiry" and payment["refunded"] >= dispute["amount"]:
            dispute["state"] = "won"
            _save(gateway, dispute)


def charged_back(gateway: AdyenGateway, payment: Json) -> bool:
    """Whether a bank has the payment's money, or has begun to take it, and has not decided."""
    return any(dispute["state"] in ("open", "defended") for dispute in about(gateway, payment))


def about(gateway: AdyenGateway, payment: Json) -> list[Json]:
    """The disputes of a payment."""
    found = gateway.store.bodies(Filter(DISPUTE, payment=payment["link"]))
    return [dispute for dispute in found if dispute["payment"] == payment["id"]]


def _withdraw(gateway: AdyenGateway, dispute: Json) -> None:
    payment = gateway.payment(dispute["payment"])
    dispute["withdrawn"] = dispute["amount"]
    payment["charged_back"] = payment.get("charged_back", 0) + dispute["amount"]
    gateway.save_payment(payment)
    gateway.book_dispute("dispute", payment, dispute["id"], dispute["amount"])


def _reinstate(gateway: AdyenGateway, dispute: Json) -> None:
    payment = gateway.payment(dispute["payment"])
    payment["charged_back"] -= dispute["withdrawn"]
    gateway.save_payment(payment)
    gateway.book_dispute("dispute_reversed", payment, dispute["id"], dispute["withdrawn"])
    dispute["withdrawn"] = 0
    _tell(gateway, dispute, "CHARGEBACK_REVERSED", "Pending")


def _tell(gateway: AdyenGateway, dispute: Json, event_code: str, status: str) -> None:
    """Save the dispute and tell of it. Adyen names the link in no notification about a dispute."""
    _save(gateway, dispute)
    payment = gateway.payment(dispute["payment"])
    fields = about_modification(payment, dispute["amount"], dispute["id"], payment["reference"])
    scheme = fields["paymentMethod"]
    if event_code == "REQUEST_FOR_INFORMATION":
        data = {"rfiReasonCode": _REASON_CODE, "rfiSchemeCode": scheme}
    else:
        data = {"chargebackReasonCode": _REASON_CODE, "chargebackSchemeCode": scheme}
    if status in ("Unresponded", "Undefended"):
        ends = datetime.fromtimestamp(dispute["respond_by"], UTC).isoformat(timespec="seconds")
        data.update(defensePeriodEndsAt=ends, defendable="true")
    fields["additionalData"] = {**data, "disputeStatus": status}
    gateway.notify(event_code, payment, fields, reason=_REASON)


def _save(gateway: AdyenGateway, dispute: Json) -> None:
    gateway.store.put(DISPUTE, dispute, payment=dispute["link"], created=gateway.clock.now())
