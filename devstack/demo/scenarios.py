"""The scenarios at one gateway. Each ends as its promise says, at every gateway where it has a meaning."""

from devstack.demo import mishaps, plays
from devstack.demo.promise import CAPTURED, COMPLETED, REFUNDED, VOIDED, Promise
from devstack.demo.scenario import Scenario, only
from devstack.demo.settling import Settling

_EXPIRED = Promise("expired", attempts=0, cause="timer")
_BY_POLL = Promise("completed", taken=True, cause="poll")

_NO_BANK = {"paypal": "the payer's bank asks at PayPal, where no shop sees it"}
_NOT_TAKEN = {"paypal": "PayPal does not take this currency"}
_BY_US_ALONE = {"paypal": "money moves at PayPal only when we capture it"}
_BY_WEBHOOK = {
    "adyen": "no look-up at Adyen tells of the money, and Adyen sends until it is heard: see 'webhooks late'"
}
_AT_ONCE = {"stripe": "a card's capture is known at once at Stripe"}
_ONE_STEP = only("paypal", "the customer's approval is the hold or the payment itself there")
_TOKENS = only("paypal", "the key itself goes with every call there")
_BATCHES = only("adyen", "one delivery carries one event there")


def scenarios(settling: Settling) -> tuple[Scenario, ...]:
    """All of them; `settling` is where those meet that wait for a gateway to take its time."""
    return (*_AMOUNTS, *_STORIES, *_MISHAPS, *_slow(settling))


_AMOUNTS = (
    Scenario("paid", COMPLETED, plays.paid),
    Scenario("paid in yen, which have no cents", COMPLETED, plays.paid, 980, "JPY"),
    Scenario("paid in dinars, with three decimals", COMPLETED, plays.paid, 12_340, "KWD", absent=_NOT_TAKEN),
    Scenario("paid in krónur, hundredths at both", COMPLETED, plays.paid, 5_900, "ISK", absent=_NOT_TAKEN),
    Scenario("paid in pesos, hundredths at Adyen alone", COMPLETED, plays.paid, 19_000, "CLP", absent=_NOT_TAKEN),
    Scenario("paid in forint, whole at PayPal alone", COMPLETED, plays.paid, 450_000, "HUF"),
)

_STORIES = (
    Scenario("declined, then paid", Promise("completed", taken=True, attempts=2), plays.declined_then_paid),
    Scenario("3-D Secure approved", COMPLETED, plays.authenticated, 8_800, "EUR", absent=_NO_BANK),
    Scenario(
        "3-D Secure failed, then another card",
        COMPLETED,
        plays.not_authenticated,
        8_800,
        "EUR",
        absent=_NO_BANK,
        # Adyen tells of the failed one as a refused payment, Stripe's charges begin when the bank has agreed.
        instead={"adyen": Promise("completed", taken=True, attempts=2)},
    ),
    Scenario("abandoned, expires", _EXPIRED, plays.abandoned),
    Scenario("declined and left, expires", Promise("expired", cause="timer"), plays.declined_and_left),
    Scenario("paid, the shop confirms", COMPLETED, plays.confirmed),
    Scenario("paid, the shop rejects: refunded", REFUNDED, plays.rejected),
    Scenario("paid, the shop is silent: refunded", REFUNDED, plays.not_confirmed),
    Scenario("held, the shop confirms: captured", CAPTURED, plays.held_and_confirmed, 19_900, "GBP"),
    Scenario("held, the shop is silent: released", VOIDED, plays.held_and_not_confirmed, 19_900, "GBP"),
    Scenario("held, the shop rejects: released", VOIDED, plays.held_and_rejected, 19_900, "GBP"),
    Scenario("two clicks for one order", COMPLETED, plays.clicked_twice),
    Scenario("canceled before payment", Promise("canceled", attempts=0, cause="api"), plays.canceled),
)

_MISHAPS = (
    Scenario("every webhook twice", COMPLETED, mishaps.webhooks_twice),
    Scenario("forged webhooks beside the real ones", COMPLETED, mishaps.webhooks_forged),
    Scenario("webhooks out of order", COMPLETED, mishaps.webhooks_reordered),
    Scenario("webhooks late", _BY_POLL, mishaps.webhooks_late, instead={"adyen": COMPLETED}),
    Scenario("webhooks lost, found by poll", _BY_POLL, mishaps.webhooks_lost, absent=_BY_WEBHOOK),
    Scenario("webhooks in batches", Promise("completed", taken=True, attempts=3), mishaps.notified_in_a_batch,
             absent=_BATCHES),
    Scenario("capture done, its answer timed out", CAPTURED, mishaps.capture_timed_out),
    Scenario("capture done, its answer dripped", CAPTURED, mishaps.capture_dripped),
    Scenario("capture done, its 500 kept under the key", CAPTURED, mishaps.capture_failure_kept),
    Scenario("approval taken, its answer timed out", COMPLETED, mishaps.taking_timed_out, absent=_ONE_STEP),
    Scenario("approval held, answered 500", CAPTURED, mishaps.holding_failed_after, absent=_ONE_STEP),
    Scenario("refund done, answered 500", REFUNDED, mishaps.refund_failed_after),
    Scenario("refund asked too often, 429", REFUNDED, mishaps.refund_throttled),
    Scenario("access tokens expire", COMPLETED, mishaps.tokens_expired, absent=_TOKENS),
    Scenario("payment opened, connection cut", COMPLETED, mishaps.create_cut_off, alone=("paypal",)),
    Scenario("paid while the shop cancels", REFUNDED, mishaps.canceled_while_paid, absent=_BY_US_ALONE,
             instead={"adyen": VOIDED}),
    Scenario("money after the expiry", REFUNDED, mishaps.paid_after_expiry, absent=_BY_US_ALONE,
             # What comes late at Adyen is a hold: the checkout stays as it was.
             instead={"adyen": Promise("expired", held=True)}),
)  # fmt: skip


def _slow(settling: Settling) -> tuple[Scenario, ...]:
    return (
        Scenario("capture pending for a while", COMPLETED, settling.capture, absent=_AT_ONCE),
        Scenario("refund pending for a while", REFUNDED, settling.refund),
    )
