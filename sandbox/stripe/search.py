"""Stripe's search language, as far as payments are looked up with it: equality, joined by AND."""

import re
from dataclasses import dataclass

from sandbox.store import Filter, Json
from sandbox.stripe import params as p
from sandbox.stripe.call import Call
from sandbox.stripe.errors import invalid
from sandbox.stripe.gateway import Gateway
from sandbox.stripe.lists import page_size

_QUOTED = r"(?:'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\")"
_CLAUSE = re.compile(
    rf"\s*(?:metadata\[{_QUOTED}\]|(amount|created|currency|customer|status))\s*:\s*(?:{_QUOTED}|(\d+))"
)
_AND = re.compile(r"\s+AND\s+|\s*$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Clause:
    """One equality; `metadata` says whether the name is a metadata key or a field."""

    metadata: bool
    name: str
    value: str


def clauses(query: str) -> list[Clause]:
    """A query's clauses, or Stripe's refusal."""
    found: list[Clause] = []
    at = 0
    while at < len(query) or not found:
        match = _CLAUSE.match(query, at)
        joint = _AND.match(query, match.end()) if match else None
        if match is None or joint is None:
            raise invalid(f"We were unable to parse your search query: {query[:200]}", "query")
        quoted, double, field, value, other, number = match.groups()
        key = next(part for part in (quoted, double, field) if part is not None)
        text = next(part for part in (value, other, number) if part is not None)
        found.append(Clause(field is None, _plain(key), _plain(text)))
        at = joint.end()
    return found


def _plain(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


def intents(gateway: Gateway, call: Call) -> Json:
    """Payments that match, newest first; those younger than the search lag are not found yet."""
    checks: dict[str, p.Check] = {"query": p.text, "limit": p.integer, "page": p.text, "expand": p.words}
    params = p.check(call.params, checks, required=("query",))
    limit = page_size(params)
    wanted = clauses(params["query"])
    found = [body for body in _candidates(gateway, wanted) if all(_fits(body, clause) for clause in wanted)]
    start = p.integer(params.get("page", "0"), "page")
    more = len(found) > start + limit
    return {
        "object": "search_result",
        "data": found[start : start + limit],
        "has_more": more,
        "next_page": str(start + limit) if more else None,
        "url": "/v1/payment_intents/search",
    }


def _candidates(gateway: Gateway, wanted: list[Clause]) -> list[Json]:
    indexed_until = gateway.clock.now() - gateway.search_lag
    keys = [clause for clause in wanted if clause.metadata]
    if not keys:
        return list(gateway.store.bodies(Filter("payment_intent", until=indexed_until)))
    ids = set.intersection(*(gateway.store.payments_with(clause.name, clause.value) for clause in keys))
    rows = [row for row in map(gateway.store.row, ids) if row is not None and row["created"] <= indexed_until]
    rows.sort(key=lambda row: int(row["sequence"]), reverse=True)
    return [gateway.find("payment_intent", row["id"]) for row in rows]


def _fits(body: Json, clause: Clause) -> bool:
    found = body["metadata"].get(clause.name) if clause.metadata else body[clause.name]
    return str(found) == clause.value if found is not None else False
