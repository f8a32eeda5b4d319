"""The parts of the API's description that the routes do not carry themselves."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api.views import ProblemView

DESCRIPTION = """Checkouts as durable sagas.

Send `Authorization: Bearer <key>` with every call under `/v1`, and an `Idempotency-Key` with every POST that takes one:
the same key and body are answered with the same bytes, a key with another body with 422, one in flight with 409.
Amounts are integers in minor units. Errors are RFC 9457 problem documents."""

_PROBLEM = {"content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemView"}}}}
_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "1 to 255 printable ASCII characters, best a random UUID.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]([ -~]*[!-~])?$"},
}


def describe(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document of the application, made once."""
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, description=DESCRIPTION, routes=app.routes)
        components = document.setdefault("components", {})
        components["securitySchemes"] = {"api_key": {"type": "http", "scheme": "bearer", "bearerFormat": "psk_…"}}
        components.setdefault("schemas", {}).setdefault("ProblemView", ProblemView.model_json_schema())
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                _complete(path, method, operation)
        document["paths"] |= _PLAIN_PATHS
        app.openapi_schema = document
    return app.openapi_schema


def _complete(path: str, method: str, operation: dict[str, Any]) -> None:
    if path.startswith(("/v1/", "/metrics")):
        operation["security"] = [{"api_key": []}]
        # A key in flight is answered 409: a route that cannot say so is as good twice as once, and takes no key.
        if method == "post" and "409" in operation["responses"]:
            operation.setdefault("parameters", []).append(_IDEMPOTENCY_KEY)
    for status, response in operation["responses"].items():
        if int(status) >= 400:
            response |= _PROBLEM


def _plain(summary: str, tag: str, responses: dict[str, str], **more: Any) -> dict[str, Any]:
    answers = {s: {"description": text} | (_PROBLEM if s >= "400" else {}) for s, text in responses.items()}
    return {"summary": summary, "tags": [tag], "responses": answers} | more


_PLAIN_PATHS: dict[str, Any] = {
    "/webhooks/{gateway}": {
        "post": _plain(
            "Receive a gateway's webhook",
            "webhooks",
            {
                "200": "Stored",
                "400": "Not authentic; nothing was stored",
                "404": "Unknown gateway",
                "408": "The body did not arrive within ten seconds",
                "413": "The body is larger than 64 kB",
                "503": "The database is down; deliver again",
            },
            parameters=[{"name": "gateway", "in": "path", "required": True, "schema": {"type": "string"}}],
            requestBody={"required": True, "content": {"application/json": {"schema": {"type": "object"}}}},
        )
    },
    "/healthz": {"get": _plain("Whether this process answers", "health", {"200": "It does"})},
    "/readyz": {
        "get": _plain("Whether everything it needs answers", "health", {"200": "It does", "503": "Names what is down"})
    },
}
