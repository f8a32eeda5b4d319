"""Adyen with multiple partial captures switched on: every gateway's cases about parts and holds hold there too."""

from collections.abc import AsyncIterator

import httpx
import pytest

from gateways.contract import Gateway
from tests.gateways.adyen.outside import SeveralCapturesOutside
from tests.gateways.test_conformance_captures import (
    test_a_final_part_after_another_releases_the_rest,
    test_a_final_part_releases_the_rest,
    test_a_hold_is_taken_in_parts,
    test_a_part_with_an_unknown_outcome,
    test_parts_beyond_the_hold_are_declined,
    test_the_same_part_is_taken_once,
    test_two_equal_parts_are_two_captures,
    test_what_was_taken_in_parts_is_given_back,
)
from tests.gateways.test_conformance_holds import test_a_hold_is_captured, test_a_hold_is_released

__all__ = [
    "test_a_final_part_after_another_releases_the_rest",
    "test_a_final_part_releases_the_rest",
    "test_a_hold_is_captured",
    "test_a_hold_is_released",
    "test_a_hold_is_taken_in_parts",
    "test_a_part_with_an_unknown_outcome",
    "test_parts_beyond_the_hold_are_declined",
    "test_the_same_part_is_taken_once",
    "test_two_equal_parts_are_two_captures",
    "test_what_was_taken_in_parts_is_given_back",
]


@pytest.fixture(scope="module")
async def outside(sandbox_url: str) -> AsyncIterator[SeveralCapturesOutside]:
    """The sandbox's Adyen with such an account."""
    async with httpx.AsyncClient(timeout=30) as client, SeveralCapturesOutside(sandbox_url, client) as world:
        yield world


@pytest.fixture
async def adapter(outside: SeveralCapturesOutside) -> AsyncIterator[Gateway]:
    """The adapter, as patient as in production."""
    made = outside.gateway()
    yield made
    await made.close()


@pytest.fixture
async def hasty(outside: SeveralCapturesOutside) -> AsyncIterator[Gateway]:
    """The same, with less patience."""
    made = outside.gateway(timeout_seconds=1.5)
    yield made
    await made.close()
