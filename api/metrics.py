"""`/metrics` in Prometheus' text format.

It takes an API key with the scope `read` like everything that tells of payments: how many disputes and refunds there
are is nobody else's business, and a scraper sends a bearer token as readily (`authorization` in its scrape config).
"""

from typing import Any

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

from api.guard import ReadingRoute
from api.responses import problems
from api.services import services_of

router = APIRouter(route_class=ReadingRoute, tags=["metrics"])

_TEXT: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "The figures"}
}


@router.get("/metrics", response_class=Response, responses=_TEXT | problems(401, 403, 422, 503))
async def get_metrics(request: Request) -> Response:
    """The figures an operator watches: events by source, what was healed by poll, cases, refunds, disputes, ages."""
    return Response(await services_of(request).meter.text(), media_type=CONTENT_TYPE_LATEST)
