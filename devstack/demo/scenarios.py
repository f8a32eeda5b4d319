"""The scenarios at one gateway. Each ends as its promise says, at every gateway where it has a meaning."""

from devstack.demo import aftersale, mishaps, plays
from devstack.demo.evidence import Kind
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
_NO_LIST = {"adyen": "Adyen has no list of its events"}
_BATCHES = only("adyen", "one delivery carries one event there")


def scenarios(settling: Settling) -> tuple[Scenario, ...]:
    """All of them; `settling` is where those meet that wait for a gateway to take its time."""
    return (*_AMOUNTS, *_STORIES, *_MISHAPS, *_slow(settling), *_AFTER_SALE, *_failing(settling))


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
    Scenario("paid, in stock: confirmed", COMPLETED, plays.confirmed),
    Scenario("paid, sold out: refunded", REFUNDED, plays.rejected),
    Scenario("paid, the shop is silent: refunded", REFUNDED, plays.not_confirmed),
    Scenario("held, in stock: captured", CAPTURED, plays.held_and_confirmed, 19_900, "GBP"),
    Scenario("held, the shop is silent: released", VOIDED, plays.held_and_not_confirmed, 19_900, "GBP"),
    Scenario("held, sold out: released", VOIDED, plays.held_and_rejected, 19_900, "GBP"),
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


def _sale(disputes: tuple[str, ...] = (), cases: int = 0, **moved: tuple[int, ...]) -> Promise:
    """A sale after which these amounts moved."""
    amounts = {Kind[name.upper()]: each for name, each in moved.items()}
    return Promise("completed", taken=True, amounts=amounts, disputes=disputes, cases=cases)


_WHOLE = 4_200
_LARGE = 250_000
"""In dollars, above what one person may order about."""
_REST = _WHOLE - aftersale.FIRST_BACK
_HOLD = 19_900
_IN_PARTS = Promise(
    "completed",
    held=True,
    taken=True,
    amounts={Kind.TAKE: aftersale.PARTS, Kind.RELEASE: (_HOLD - sum(aftersale.PARTS),)},
)

_AFTER_SALE = (
    Scenario("captured in three parts, the rest released", _IN_PARTS, aftersale.captured_in_parts, _HOLD, "GBP",
             after=True),
    Scenario("two refunds race for the same money", _sale(refund_final=(aftersale.RACING, _WHOLE - aftersale.RACING)),
             aftersale.refunds_racing, after=True),
    Scenario("two equal refunds at once are two", _sale(refund_final=(aftersale.EQUAL, aftersale.EQUAL)),
             aftersale.refunds_equal, after=True),
    Scenario("dispute lost after a partial refund",
             _sale(("lost",), refund_final=(aftersale.FIRST_BACK,), withdrawn=(_REST,)),
             aftersale.dispute_lost, after=True),
    Scenario("dispute won with evidence", _sale(("won",), withdrawn=(_WHOLE,), reinstated=(_WHOLE,)),
             aftersale.dispute_won, after=True),
    Scenario("inquiry answered by a refund", _sale(("won",), refund_final=(_WHOLE,)), aftersale.inquiry_refunded,
             after=True),
    Scenario("stored webhooks replayed", COMPLETED, aftersale.replayed, after=True),
    Scenario("dispute's webhook lost, found in the list", _sale(("lost",), withdrawn=(_WHOLE,)),
             aftersale.healed_by_list, absent=_NO_LIST, after=True, patient=True),
)  # fmt: skip


def _failing(settling: Settling) -> tuple[Scenario, ...]:
    """Stories of refunds that come back; they wait for what takes its time as well."""
    return (
        Scenario("refund fails later, a person closes it", _sale(cases=1, refund_back=(_WHOLE,)),
                 settling.failed_refund, after=True),
        Scenario("refund fails later, two people write it off", _sale(cases=1, refund_back=(_LARGE,)),
                 settling.failed_large_refund, _LARGE, after=True),
    )  # fmt: skip
