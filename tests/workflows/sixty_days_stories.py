"""What happens to checkouts over sixty days. A story only acts and waits; what came of it is judged at the end."""

from datetime import timedelta
from secrets import token_hex
from typing import Any

from domain.case import Case, CaseAction, CaseKind, CaseOrder
from domain.checkout import Checkout, HoldPolicy
from domain.money import Money
from domain.refund import Refund, RefundRecord
from gateways.contract import RefundPayment, Verb
from ledger.refunds import Refunds
from tests.workflows.after_sale import dispute_of, gateway_of, refund_until, sold, start, submit
from tests.workflows.captures import capture, held
from tests.workflows.casebook import act, open_case
from tests.workflows.sixty_days import DAY, LongShop
from tests.workflows.splits import Split, open_split, pay_all
from tests.workflows.support import eventually
from workflows.reconcile import ReconcileWorkflow

DISPUTED_ON, ANSWER_WITHIN = 45, 10
LATE_ON = 50
FAILS_AFTER = {"stripe": 5.0, "paypal": 600 / 86_400, "adyen": 3.0}
"""How many days after it was asked for a refund fails, for the means of which refunds fail."""
KEYS_LIVE = {"stripe": 24, "paypal": 6, "adyen": 7 * 24}
"""How many hours the key of a capture lives."""
UNHEARD_FOR = {"stripe": 2.5, "paypal": 1.7, "adyen": 29.5}
"""Shortly before the gateway gives a webhook up: after three days, 25 tries, thirty days."""


async def hold(shop: LongShop, gateway: str, policy: HoldPolicy, part: int | None = None) -> Checkout:
    """Held for a shop that says nothing for longer than any hold lasts, or only takes a part."""
    checkout = await held(
        shop, gateway, policy=shop.policy, on_hold_expiry=policy, confirm_within_seconds=int(DAY.total_seconds()) * 40
    )
    if part is not None:
        await capture(shop, checkout, part, final=False)
    return checkout


async def disputed(shop: LongShop, gateway: str, answered: bool) -> Checkout:
    """Sold, and disputed six weeks later; where it is answered, the shop wins."""
    checkout = await sold(shop, gateway)
    await shop.days.until(DISPUTED_ON)
    payment_id = (await shop.status(checkout)).payment_id
    await shop.world(gateway).control("disputes", payment=payment_id, kind="chargeback", days=ANSWER_WITHIN)
    dispute = await dispute_of(shop, checkout, "needs_response")
    if answered:
        await shop.days.until(DISPUTED_ON + 1)
        if Verb.SUBMIT_EVIDENCE in gateway_of(shop, checkout).capabilities.answers_disputes:
            await submit(shop, checkout, dispute)
        await shop.days.until(DISPUTED_ON + 7)
        await shop.world(gateway).decide(dispute.snapshot.dispute_id, won=True)
    return checkout


async def refund(shop: LongShop, checkout: Checkout, minor: int) -> RefundRecord:
    """A refund of this day, as the shop asks for it."""
    wanted = Refund(f"rfd_{token_hex(12)}", checkout.id, Money(minor, checkout.amount.currency), None, shop.days.now())
    record = await Refunds(shop.parts.engine).reserve(wanted)
    await start(shop, checkout, record)
    return record


async def failing_refund(shop: LongShop, gateway: str) -> tuple[Checkout, RefundRecord, Case]:
    """Given back, and come back on day nine; the shop then tells the customer otherwise."""
    checkout = await sold(shop, gateway, "refund_fails")
    await shop.days.until(9 - FAILS_AFTER[gateway])
    record = await refund(shop, checkout, 4200)
    await shop.days.until(9.5)
    failed = await refund_until(shop, record, "failed")
    case = await open_case(shop, checkout, CaseKind.REFUND_FAILED_LATER)
    await shop.days.until(12)
    await shop.sagas().act(case, checkout, order(case, CaseAction.CLOSE), 20)
    return checkout, failed, case


async def capture_without_a_key(shop: LongShop, gateway: str) -> tuple[Checkout, int]:
    """The gateway takes no capture until it may have forgotten its key; then a person has it asked for anew."""
    checkout = await held(shop, gateway, policy=shop.policy, confirm_within_seconds=40 * 86_400)
    await shop.strike("capture", "unavailable_503", checkout, count=100_000)
    await shop.tell(checkout, "confirm")
    await shop.days.later(timedelta(hours=KEYS_LIVE[gateway] + 12))
    case = await open_case(shop, checkout, CaseKind.KEY_EXPIRED)
    asked = await times_struck(shop, checkout)
    await shop.days.later(timedelta(hours=12))
    asked_since = await times_struck(shop, checkout) - asked
    await calm(shop, checkout)
    await act(shop, case, CaseAction.RETRY_NOW)
    return checkout, asked_since


async def unknown_capture(shop: LongShop, gateway: str, hours: int, carried_out: bool) -> tuple[Checkout, str]:
    """A capture has no answer for hours, nor has any question about it; where it was done, no webhook tells of it."""
    checkout = await held(shop, gateway, policy=shop.policy, confirm_within_seconds=40 * 86_400)
    ids = {checkout.id, str((await shop.status(checkout)).payment_id)}
    shop.unheard |= ids if carried_out else set()
    await shop.strike("capture", "timeout_after" if carried_out else "unavailable_503", checkout, count=100_000)
    await shop.tell(checkout, "confirm")
    if carried_out:
        await eventually(lambda: shop.taken(checkout), bool)
        await shop.strike("lookup", "unavailable_503", checkout, count=100_000)
    await shop.days.later(timedelta(hours=hours))
    await open_case(shop, checkout, CaseKind.UNKNOWN_OUTCOME)
    waiting_for = (await shop.status(checkout)).waiting_for or ""
    await calm(shop, checkout)
    await shop.days.later(timedelta(hours=12))
    shop.unheard -= ids
    return checkout, waiting_for


async def unheard_sale(shop: LongShop, gateway: str, days: float) -> Checkout:
    """Nothing that the gateway tells of a payment is heard for so many days."""
    checkout = await shop.open(gateway=gateway)
    ids = {checkout.id, str((await shop.status(checkout)).payment_id)}
    shop.unheard |= ids
    await shop.pay_with(checkout, "good")
    await shop.days.later(days * DAY)
    shop.unheard -= ids
    return checkout


async def unheard_late_money(shop: LongShop) -> Checkout:
    """Money comes after the end, and nobody asks the gateway any more: only its webhook's last try can tell."""
    checkout = await shop.open(expires_at=shop.days.now() + timedelta(hours=1))
    await shop.days.until(1)
    payment_id = str((await shop.status(checkout)).payment_id)
    shop.unheard.add(payment_id)
    await pay_late(shop, checkout)
    await shop.days.later(UNHEARD_FOR["stripe"] * DAY)
    shop.unheard.discard(payment_id)
    return checkout


async def late_money(shop: LongShop, gateway: str) -> Checkout:
    """Expired on the first day, paid seven weeks later."""
    checkout = await shop.open(gateway=gateway, expires_at=shop.days.now() + timedelta(hours=23))
    await shop.days.until(LATE_ON)
    await pay_late(shop, checkout)
    return checkout


async def pay_late(shop: LongShop, checkout: Checkout) -> None:
    """The gateway takes the customer's money for a payment that had been ended."""
    payment_id = (await shop.status(checkout)).payment_id
    answer = await shop.sandbox.post(f"/sandbox/payments/{payment_id}/pay_late")
    assert answer.is_success, answer.text


async def sold_split(shop: LongShop) -> Split:
    """Sold by two tenders; one is given back in part, the other disputed and lost."""
    split = await open_split(shop, tenders=(("stripe", 3000), ("adyen", 1200)))
    await pay_all(shop, split)
    await shop.until(split.whole, "completed")
    await shop.days.until(20)
    await refund(shop, split.legs[0], 1000)
    await shop.days.until(DISPUTED_ON)
    payment_id = (await shop.status(split.legs[1])).payment_id
    await shop.world("adyen").control("disputes", payment=payment_id, kind="chargeback", days=ANSWER_WITHIN)
    return split


async def half_paid_split(shop: LongShop) -> Split:
    """One tender is held, the other never paid."""
    split = await open_split(shop, tenders=(("stripe", 3000), ("paypal", 1200)))
    await shop.pay_with(split.legs[0], "good")
    await shop.until(split.legs[0], "authorized")
    return split


async def untold_refund(shop: LongShop, gateway: str) -> Checkout:
    """Somebody refunds in the gateway's own pages, its webhooks are lost, and its list of events is read."""
    checkout = await sold(shop, gateway)
    await shop.days.until(20)
    await shop.world(gateway).fault("webhook", "lose", checkout.id, count=20)
    payment_id = (await shop.status(checkout)).payment_id
    assert payment_id is not None
    request = RefundPayment(f"{checkout.id}:dashboard", payment_id, Money(700, checkout.amount.currency))
    await gateway_of(shop, checkout).refund(request)
    for _ in range(2):
        # The first reading only sets the mark from which the second one reads.
        await reconcile(shop, gateway)
        await shop.days.later(timedelta(minutes=10))
    return checkout


async def reconcile(shop: LongShop, gateway: str) -> Any:
    """What the schedule starts every few minutes."""
    client, queue = shop.parts.client, shop.parts.task_queue
    id_ = f"reconcile/{gateway}/{shop.days.now():%Y%m%dT%H%M%S}"
    return await client.execute_workflow(ReconcileWorkflow.run, gateway, id=id_, task_queue=queue)


def order(case: Case, action: CaseAction) -> CaseOrder:
    """What a person orders about a case."""
    return CaseOrder(case.id, action, "the customer was told", "key_ada")


async def faults_of(shop: LongShop, checkout: Checkout) -> list[dict[str, Any]]:
    """The faults that were set for this checkout."""
    rows = (await shop.sandbox.get("/sandbox/faults")).json()["data"]
    return [row for row in rows if row["match"].get("checkout_id") == checkout.id]


async def times_struck(shop: LongShop, checkout: Checkout) -> int:
    """How many of the checkout's calls went wrong."""
    return sum(row["fired"] for row in await faults_of(shop, checkout))


async def calm(shop: LongShop, checkout: Checkout) -> None:
    """The gateway behaves again, towards this checkout."""
    for row in await faults_of(shop, checkout):
        await shop.sandbox.delete(f"/sandbox/faults/{row['id']}")
