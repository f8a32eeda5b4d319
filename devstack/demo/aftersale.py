"""What shops and customers do once the money is held or taken: captures in parts, refunds, disputes, events again."""

import asyncio
from collections.abc import Callable, Sequence

import httpx

from devstack.demo.customers import Means
from devstack.demo.people import Json, StoryError, accepted
from devstack.demo.plays import held
from devstack.demo.stage import PATIENCE_SECONDS, Stage, eventually, heard

PARTS = (5_000, 5_000, 4_900)
"""Of a hold over more than that. Two of them are equal, and are two."""
RACING = 2_520
"""60 % of the amount that the scenarios have: there is enough for one such refund."""
EQUAL = 1_000
FIRST_BACK = 1_200
_EVIDENCE: Json = {"explanation": "It was delivered on Monday and signed for.", "tracking_number": "JD0002"}
_CREATED = (httpx.codes.CREATED, httpx.codes.ACCEPTED)
_RECONCILED_SECONDS = 120.0
"""The gateway's own list is read for what is a minute old: until then it is left to the webhook."""


async def sold(stage: Stage, means: Means = Means.GOOD) -> None:
    """A sale, through and through."""
    await stage.open()
    await stage.pay(means)
    await stage.until("completed")


async def captured_in_parts(stage: Stage) -> None:
    """Two parcels of equal worth and a last one; what is left of the hold is the customer's again."""
    await held(stage)
    for number, part in enumerate(PARTS, start=1):
        final = number == len(PARTS)
        await stage.tell("capture", {"amount": part, "final": final}, key=f"{stage.order_id}-part-{number}")
        stage.captures.append(part)
        state, taken = "completed" if final else "partially_captured", sum(stage.captures)
        await stage.until(state, when=lambda checkout, taken=taken: checkout["amount_captured"] == taken)  # type: ignore[misc]


async def refunds_racing(stage: Stage) -> None:
    """Two refunds of 60 % each at the same moment: one is taken on, the other told what is left, which then follows."""
    await sold(stage)
    stage.say("the shop asks for two refunds at once, each over 60 %")
    answers = await asyncio.gather(*(stage.refund(RACING) for _ in range(2)))
    refused = [answer for answer in answers if answer.status_code not in _CREATED]
    if len(refused) != 1:
        raise StoryError(f"two refunds of 60 % were answered {[answer.status_code for answer in answers]}")
    left = stage.amount_minor - RACING
    if _refused(refused[0], "amount_exceeds_available")["available"] != left:
        raise StoryError(f"the one that came too late was not told that {left} is left")
    accepted(await stage.refund(), *_CREATED)
    await refunded(stage, RACING, left)


async def refunds_equal(stage: Stage) -> None:
    """Two refunds over the same amount are two, and not one that is said twice."""
    await sold(stage)
    stage.say("the shop asks for two equal refunds at once")
    answers = await asyncio.gather(*(stage.refund(EQUAL) for _ in range(2)))
    if len({accepted(answer, *_CREATED)["id"] for answer in answers}) != len(answers):
        raise StoryError("two equal refunds became one")
    await refunded(stage, EQUAL, EQUAL)


async def dispute_lost(stage: Stage) -> None:
    """A part is given back, and the customer's bank takes the rest; meanwhile no refund pays beside it."""
    await sold(stage)
    accepted(await stage.refund(FIRST_BACK), *_CREATED)
    await refunded(stage, FIRST_BACK)
    rest = stage.amount_minor - FIRST_BACK
    named = await stage.dispute("chargeback", rest)
    await disputed(stage, "needs_response", rest)
    stage.say("the shop asks for a refund while the bank has the money")
    _refused(await stage.refund(), "dispute_open")
    await stage.decide(named, "lost")
    await disputed(stage, "lost", rest)


async def dispute_won(stage: Stage) -> None:
    """The shop answers with evidence, and what was withdrawn comes back."""
    await sold(stage)
    named = await stage.dispute("chargeback")
    dispute = await disputed(stage, "needs_response", stage.amount_minor)
    stage.say("the shop sends evidence")
    answer = await heard(lambda: stage.shop.post(f"/disputes/{dispute['id']}/evidence", _EVIDENCE))
    # A conflict tells that it was heard the time before, which what follows shows.
    accepted(answer, httpx.codes.OK, httpx.codes.ACCEPTED, httpx.codes.CONFLICT)
    await disputed(stage, "under_review", stage.amount_minor)
    await stage.decide(named, "won")
    await disputed(stage, "won", 0)


async def inquiry_refunded(stage: Stage) -> None:
    """The customer asks through the bank first: giving the money back answers that, and it is paid back once."""
    await sold(stage)
    await stage.dispute("inquiry")
    await disputed(stage, "inquiry", 0)
    accepted(await stage.refund(), *_CREATED)
    await refunded(stage, stage.amount_minor)
    await disputed(stage, "won", 0)


async def healed_by_list(stage: Stage) -> None:
    """No webhook tells of a dispute that nobody looks for: the gateway's own list of events does."""
    await sold(stage)
    lost = await stage.webhooks("lose")
    named = await stage.dispute("chargeback")
    stage.say("disputed, and no webhook tells of it; the gateway's list is read a minute later")
    await disputed(stage, "needs_response", stage.amount_minor, _RECONCILED_SECONDS)
    events = await stage.shop.events(gateway=str(stage.gateway), limit="100")
    told = [event for event in events if str(event["dispute_id"]).endswith(named)]
    if {event["source"] for event in told} != {"poll"}:
        raise StoryError("the dispute is known, and its event came by no list")
    await stage.side.mend(lost)
    await stage.decide(named, "lost")
    await disputed(stage, "lost", stage.amount_minor)


async def replayed(stage: Stage) -> None:
    """An operator dispatches all stored webhooks once more, and one of them a third time."""
    await sold(stage)
    await stage.delivered()
    stored = await eventually(stage.events, _dispatched(0), "the stored webhooks to be dispatched")
    before = await _on_books(stage)
    stage.say("an operator replays what is stored")
    payment: Json = {"gateway": stage.gateway, "payment_id": stored[0]["payment_id"]}
    if accepted(await stage.shop.post("/webhooks/replay", payment), 200)["replayed"] < 1:
        raise StoryError("nothing was replayed")
    again = await eventually(stage.events, _dispatched(1), "the webhooks to be dispatched again")
    await _replay_one(stage, next(event for event in again if event["relevant"]))
    if await _on_books(stage) != before:
        raise StoryError("a replayed webhook changed timeline or postings")


async def _replay_one(stage: Stage, event: Json) -> None:
    accepted(await stage.shop.post(f"/webhooks/{event['id']}/replay"), 200)

    def is_done(events: Sequence[Json]) -> bool:
        now = next(each for each in events if each["id"] == event["id"])
        return bool(now["processed_at"]) and now["replays"] > event["replays"]

    await eventually(stage.events, is_done, "one webhook to be dispatched a third time")


def _dispatched(replays: int) -> Callable[[Sequence[Json]], bool]:
    """Whether there are events and all that matter were replayed so often, and have found their outcome."""

    def are(events: Sequence[Json]) -> bool:
        relevant = [event for event in events if event["relevant"]]
        return bool(relevant) and all(event["processed_at"] and event["replays"] >= replays for event in relevant)

    return are


async def _on_books(stage: Stage) -> tuple[list[Json], list[Json]]:
    return await stage.shop.timeline(stage.checkout_id), await stage.shop.postings(stage.checkout_id)


async def refunded(stage: Stage, *amounts: int) -> None:
    """Wait until these refunds, and no others, have succeeded, and the checkout shows their sum."""

    async def look() -> list[Json]:
        return await stage.shop.refunds(stage.checkout_id)

    def are_done(refunds: Sequence[Json]) -> bool:
        done = [refund["amount"] for refund in refunds if refund["status"] == "succeeded"]
        return sorted(done) == sorted(amounts)

    stage.say("the refund is on its way")
    await eventually(look, are_done, f"refunds over {' and '.join(map(str, amounts))}")
    await stage.until("completed", when=lambda checkout: checkout["amount_refunded"] == sum(amounts))


async def disputed(stage: Stage, state: str, withdrawn: int, seconds: float = PATIENCE_SECONDS) -> Json:
    """The checkout's one dispute once it stands there, with so much withdrawn."""

    async def look() -> list[Json]:
        return await stage.shop.disputes(stage.checkout_id)

    def stands(found: Sequence[Json]) -> bool:
        return [(each["state"], each["amount_withdrawn"]) for each in found] == [(state, withdrawn)]

    return (await eventually(look, stands, f"a dispute that is {state} with {withdrawn} withdrawn", seconds))[0]


def _refused(answer: httpx.Response, code: str) -> Json:
    """The body of a refusal. Raises StoryError for any other answer."""
    body = accepted(answer, httpx.codes.CONFLICT)
    if body["code"] != code:
        raise StoryError(f"refused for {body['code']}, expected was {code}")
    return body
