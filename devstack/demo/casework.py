"""What people do about a case: one closes it, or two order the same where much money moves."""

from devstack.demo.people import Json, Shop, StoryError, accepted
from devstack.demo.stage import Stage, eventually, heard


async def closed_by_one(stage: Stage) -> None:
    """Nothing is to be done, says a person, and why."""
    case = await opened(stage, "refund_failed_later")
    stage.say("a person closes the case")
    await _ordered(stage.shop, case, "close", "done")
    await closed(stage)


async def written_off_by_two(stage: Stage) -> None:
    """One person alone moves nothing, however often; a second one who orders the same does."""
    assert stage.colleague is not None, "the show gives every stage one"
    case = await opened(stage, "refund_failed_later")
    for _ in range(2):
        stage.say("a person orders to write it off, which takes two")
        await _ordered(stage.shop, case, "write_off", "awaits_second")
    if not await stage.shop.cases(stage.checkout_id, "true"):
        raise StoryError("one API key alone has closed a case that takes two")
    stage.say("another person orders the same")
    await _ordered(stage.colleague, case, "write_off", "done")
    await closed(stage)


async def opened(stage: Stage, kind: str) -> Json:
    """The checkout's open case, which must be of this kind."""

    async def look() -> list[Json]:
        return await stage.shop.cases(stage.checkout_id, "true")

    case = (await eventually(look, bool, "a case to be opened"))[0]
    if case["kind"] != kind:
        raise StoryError(f"the case is {case['kind']}, expected was {kind}")
    return case


async def closed(stage: Stage) -> None:
    """Wait until no case is open any more."""

    async def look() -> list[Json]:
        return await stage.shop.cases(stage.checkout_id, "true")

    await eventually(look, lambda cases: not cases, "the case to be closed")


async def _ordered(person: Shop, case: Json, action: str, outcome: str) -> None:
    """Order it, again where no worker has heard it, and look what became of it."""
    order = {"action": action, "reason": "agreed with the customer by telephone"}

    answer = await heard(lambda: person.post(f"/cases/{case['id']}/actions", order))
    if (told := accepted(answer, 200, 202)["outcome"]) != outcome:
        raise StoryError(f"{action} was answered {told}, expected was {outcome}")
