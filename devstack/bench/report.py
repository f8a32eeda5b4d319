"""The figures as JSON and as a short table, with the targets."""

import os
import platform
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil


def machine() -> dict[str, Any]:
    """What it was measured on, and how busy that was."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "load_average_before": round(os.getloadavg()[0], 2),
    }


def targets(figures: dict[str, Any]) -> list[dict[str, Any]]:
    """What was to be reached, and whether it was.

    Checkouts are held to it at the first gateway, where a payment takes one call of ours as it does in the skeleton.
    """
    rows: list[tuple[str, float, str, float]] = []
    if "checkouts" in figures:
        rows += _path_targets(figures)
    if "events" in figures:
        measured = figures["events"]
        rows += [
            ("checkouts/s while the broker is dead / with it", measured["outage"]["ratio"], ">=", 0.9),
            ("events missing after that", measured["outage"]["missing_at_analytics"], "<=", 0),
        ]
    return [
        {
            "name": name,
            "value": value,
            "target": f"{sign} {wish}",
            "met": value >= wish if sign == ">=" else value <= wish,
        }
        for name, value, sign, wish in rows
    ]


def _path_targets(figures: dict[str, Any]) -> list[tuple[str, float, str, float]]:
    wholes, webhooks = (figures[part]["by_gateway"] for part in ("checkouts", "webhooks"))
    creates, (name, first) = figures["creates"], next(iter(wholes.items()))
    return [
        (f"whole path / skeleton, {name}", first["ratio"], ">=", 0.5),
        (f"history events, {name}", first["history_events"], "<=", 27),
        *((f"webhook ack / bare route, {name}", row["ratio"], ">=", 0.7) for name, row in webhooks.items()),
        *((f"create / bare p50 at {at}", row["ratio_p50"], "<=", 3.0) for at, row in creates.items()),
    ]


def table(figures: dict[str, Any]) -> str:
    """The short table."""
    met = {row["name"]: f"{row['target']:<7} {'met' if row['met'] else 'MISSED'}" for row in figures["targets"]}
    lines: list[str] = []
    if "checkouts" in figures:
        lines += [f"{'':<34}{'ours':>10}{'bare':>10}{'ratio':>8}   target"]
        lines += [*_checkouts(figures["checkouts"], met), *_creates(figures["creates"], met)]
        lines += [*_webhooks(figures["webhooks"], met), "", *_cpu(figures["checkouts"])]
        lines += ["", *_memory(figures["memory"]), ""]
    if "events" in figures:
        lines += _events(figures["events"], met)
    return "\n".join(lines).rstrip()


def _events(measured: dict[str, Any], met: dict[str, str]) -> Iterable[str]:
    rates, outage = measured["checkouts_per_second"], measured["outage"]
    yield f"{'':<34}{'with':>10}{'without':>10}{'ratio':>8}   target"
    yield _row("checkouts/s, the relay", rates["relay"], rates["nobody"], rates["relay_ratio"])
    yield _row("checkouts/s, relay + subscribers", rates["all"], rates["nobody"], rates["all_ratio"])
    wish = met["checkouts/s while the broker is dead / with it"]
    yield _row(
        "checkouts/s, the broker dead", outage["checkouts_per_second"], outage["around_it"], outage["ratio"], wish
    )
    told = f"{outage['events_that_waited']} events waited, passed on {outage['caught_up_after_s']} s after it was back"
    yield f"broker dead for {outage['seconds']} s: {told}, {outage['missing_at_analytics']} missing"
    for name, lag in measured["lag_ms"].items():
        yield f"on the way to {name:<14} p50 {lag['p50']:g} ms, p99 {lag['p99']:g} ms"
    door, again = measured["deliveries"], measured["catching_up"]
    lag = door["lag_ms"]
    yield f"webhooks to a shop: {door['per_second']:g} a second, p50 {lag['p50']:g} ms, p99 {lag['p99']:g} ms"
    yield f"catching up: relay {again['relay_per_second']} events a second, analytics {again['analytics_per_second']}"


def _checkouts(checkouts: dict[str, Any], met: dict[str, str]) -> Iterable[str]:
    bare = checkouts["skeleton"]
    for name, row in checkouts["by_gateway"].items():
        wish = met.get(f"whole path / skeleton, {name}", "")
        yield _row(f"checkouts/s, {name}", row["per_second"], bare["per_second"], row["ratio"], wish)
    for name, row in checkouts["by_gateway"].items():
        events = row["history_events"], bare["history_events"]
        wish = met.get(f"history events, {name}", "")
        yield _row(f"history events, {name}", *events, round(events[0] / events[1], 2), wish)


def _creates(creates: dict[str, Any], met: dict[str, str]) -> Iterable[str]:
    for at, row in creates.items():
        ours, bare = row["create_ms"], row["bare_ms"]
        wish = met[f"create / bare p50 at {at}"]
        yield _row(f"create p50 ms, {at} at once", ours["p50"], bare["p50"], row["ratio_p50"], wish)
        yield _row(f"create p99 ms, {at} at once", ours["p99"], bare["p99"], row["ratio_p99"])


def _webhooks(webhooks: dict[str, Any], met: dict[str, str]) -> Iterable[str]:
    for name, row in webhooks["by_gateway"].items():
        wish = met[f"webhook ack / bare route, {name}"]
        yield _row(f"webhooks/s, {name}", row["ack_per_second"], webhooks["bare_per_second"], row["ratio"], wish)
    for name, row in webhooks["by_gateway"].items():
        ours, bare = row["ack_p99_ms"], webhooks["bare_p99_ms"]
        yield _row(f"webhook p99 ms, {name}", ours, bare, round(ours / bare, 2))


def _row(name: str, ours: float, bare: float, ratio: float, target: str = "") -> str:
    return f"{name:<34}{ours:>10g}{bare:>10g}{ratio:>8g}   {target}".rstrip()


def _cpu(checkouts: dict[str, Any]) -> Iterable[str]:
    for title, row in ({"skeleton": checkouts["skeleton"]} | checkouts["by_gateway"]).items():
        cpu = row["cpu_ms"]
        yield f"CPU ms/checkout, {title:<9} " + "  ".join(f"{name} {used:g}" for name, used in cpu.items())


def _memory(memory: dict[str, Any]) -> Iterable[str]:
    for name, size in memory["all_open_mb"].items():
        each, idle, count = memory["kb_per_open_checkout"][name], memory["none_open_mb"][name], memory["open_checkouts"]
        yield f"memory of {name:<7} {size:g} MB with {count} checkouts open, {idle:g} MB with none, {each:g} kB each"


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown"
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
