"""`/healthz`: this process answers. `/readyz`: so does everything it needs."""

import asyncio
import logging
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from api.problems import Problem
from api.services import Probe, services_of

_PROBE_SECONDS = 2.0
_log = logging.getLogger(__name__)


async def answer_health(_request: Request) -> Response:
    """200, always."""
    return JSONResponse({"status": "ok"})


async def answer_readiness(request: Request) -> Response:
    """200, or 503 naming what is down."""
    down = await failing(services_of(request).probes)
    if down:
        headers = {"Retry-After": "2"}
        raise Problem(503, "not_ready", f"Down: {', '.join(down)}.", headers=headers, down=down)
    return JSONResponse({"status": "ready"})


async def failing(probes: Mapping[str, Probe], seconds: float = _PROBE_SECONDS) -> list[str]:
    """The names of the parts that do not answer in time, all asked at once."""
    answers = await asyncio.gather(*(_asked(name, probe, seconds) for name, probe in probes.items()))
    return sorted(name for name in answers if name is not None)


async def _asked(name: str, probe: Probe, seconds: float) -> str | None:
    try:
        async with asyncio.timeout(seconds):
            await probe()
    except Exception as error:  # noqa: BLE001 - Whatever it is, the part is not ready.
        _log.warning("%s is not ready: %s", name, type(error).__name__)
        return name
    return None
