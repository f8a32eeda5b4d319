"""Saved histories of every ending replay under today's code; a change that breaks running checkouts fails here.

`python -m tests.workflows.save_histories` adds histories of new endings; old files are never rewritten, because they
stand for checkouts that started under old code.
"""

from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer

from tests.workflows import after_sale_endings, capture_endings, webhook_endings
from tests.workflows.case_endings import SCENARIOS as CASE_SCENARIOS
from tests.workflows.gateway_endings import SCENARIOS
from worker import WEBHOOK_WORKFLOWS, WORKFLOWS
from workflows.checkout import CheckoutWorkflow
from workflows.runner import CHECKED

HISTORIES = sorted((Path(__file__).parent / "histories").glob("*.json"))
ENDINGS = {
    "completed",
    "completed_by_poll",
    "completed_after_decline",
    "captured_on_confirm",
    "declined",
    "expired",
    "canceled",
    "voided_at_deadline",
    "refunded_on_reject",
    "refunded_after_review",
    "cancelled_by_operator",
    "late_refunded",
    "late_found_at_gateway",
    "split_completed",
    "split_tender_completed",
    "split_confirmed",
    "split_expired",
    "split_tender_given_back",
    "split_capture_failed",
    "split_cancelled_by_operator",
    *(scenario.__name__ for scenario in [*SCENARIOS, *CASE_SCENARIOS]),
    *(scenario.__name__ for scenario in capture_endings.SCENARIOS),
    *(scenario.__name__ for scenario in after_sale_endings.SCENARIOS),
    *(scenario.__name__ for scenario in capture_endings.LONG_SCENARIOS),
    *(scenario.__name__ for scenario in webhook_endings.SCENARIOS),
    *(scenario.__name__ for scenario in webhook_endings.LONG_SCENARIOS),
}


def test_every_ending_has_a_history() -> None:
    """No ending is left out."""
    assert {path.stem.split("@")[0] for path in HISTORIES} >= ENDINGS


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
async def test_a_saved_history_replays(path: Path) -> None:
    """Today's code makes the decisions that the history shows."""
    replayer = Replayer(
        workflows=[*WORKFLOWS, *WEBHOOK_WORKFLOWS],
        workflow_runner=CHECKED,
        data_converter=pydantic_data_converter,
    )
    await replayer.replay_workflow(WorkflowHistory.from_json(path.stem, path.read_text()))


async def test_a_changed_workflow_does_not_replay() -> None:
    """The check can fail: a history in which a step is missing is found out."""
    path = next(path for path in HISTORIES if path.stem.startswith("captured_on_confirm"))
    text = path.read_text()
    changed = text.replace("capture_payment", "capture_twice")
    assert changed != text
    replayer = Replayer(workflows=[CheckoutWorkflow], workflow_runner=CHECKED, data_converter=pydantic_data_converter)
    result = await replayer.replay_workflow(
        WorkflowHistory.from_json("changed", changed), raise_on_replay_failure=False
    )
    assert result.replay_failure is not None
