"""What the measurements print: every gateway beside the bare parts, and which targets were met."""

from typing import Any

import pytest

from devstack.bench.report import table, targets

CPU = {"temporal": 50.0, "all": 60.0}


@pytest.fixture
def figures() -> dict[str, Any]:
    """A run over two gateways, of which the second is slower."""

    def whole(rate: float, ratio: float, events: int) -> dict[str, Any]:
        return {"per_second": rate, "ratio": ratio, "history_events": events, "cpu_ms": CPU}

    made: dict[str, Any] = {
        "checkouts": {
            "skeleton": {"per_second": 20.0, "history_events": 19, "cpu_ms": CPU},
            "by_gateway": {"one": whole(12.0, 0.6, 23), "other": whole(8.0, 0.4, 37)},
        },
        "creates": {
            "1": {
                "create_ms": {"p50": 80, "p99": 90},
                "bare_ms": {"p50": 40, "p99": 60},
                "ratio_p50": 2.0,
                "ratio_p99": 1.5,
            }
        },
        "webhooks": {
            "bare_per_second": 900,
            "bare_p99_ms": 100.0,
            "by_gateway": {
                "one": {"ack_per_second": 1800, "ratio": 2.0, "ack_p99_ms": 50.0},
                "other": {"ack_per_second": 450, "ratio": 0.5, "ack_p99_ms": 200.0},
            },
        },
        "memory": {
            "open_checkouts": 10,
            "all_open_mb": {"worker": 2.0},
            "none_open_mb": {"worker": 1.0},
            "kb_per_open_checkout": {"worker": 100.0},
        },
    }
    return made | {"targets": targets(made)}


def test_each_gateway_has_its_lines(figures: dict[str, Any]) -> None:
    """Rates, history and webhooks are told by gateway, each next to the one bare figure of the run."""
    lines = {line[:34].strip(): line[34:].split() for line in table(figures).splitlines()}
    assert lines["checkouts/s, one"] == ["12", "20", "0.6", ">=", "0.5", "met"]
    assert lines["checkouts/s, other"] == ["8", "20", "0.4"]
    assert lines["history events, other"] == ["37", "19", "1.95"]
    assert lines["webhooks/s, other"] == ["450", "900", "0.5", ">=", "0.7", "MISSED"]
    assert lines["webhook p99 ms, one"] == ["50", "100", "0.5"]


def test_targets_say_whether_they_were_met(figures: dict[str, Any]) -> None:
    """Checkouts are held to their target at the first gateway, webhooks at every one."""
    met = {row["name"]: row["met"] for row in targets(figures)}
    assert met == {
        "whole path / skeleton, one": True,
        "history events, one": True,
        "webhook ack / bare route, one": True,
        "webhook ack / bare route, other": False,
        "create / bare p50 at 1": True,
    }
    figures["checkouts"]["by_gateway"]["one"]["ratio"] = 0.49
    assert not next(row for row in targets(figures) if row["name"] == "whole path / skeleton, one")["met"]
