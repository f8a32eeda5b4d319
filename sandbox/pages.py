"""The frame of every page a person sees, and the index."""

from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape

from starlette.responses import HTMLResponse

from sandbox.clock import Clock
from sandbox.faults import Faults

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;margin:3rem auto;max-width:44rem;padding:0 1rem;color:#1a1f36}"
    "main{border:1px solid #e3e8ee;border-radius:12px;padding:2rem;box-shadow:0 2px 8px #0001}"
    "h1{font-size:1.4rem;margin-top:0}button,select{font:inherit;padding:.5rem 1rem;border-radius:8px;"
    "border:1px solid #c1c9d2;background:#fff;margin:.5rem .5rem 0 0}button.go{background:#0a6e4f;color:#fff}"
    "table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.3rem .6rem;border-top:1px solid #e3e8ee}"
    "code{font-size:.85em;overflow-wrap:anywhere}.note{color:#5a6572}"
)


def page(title: str, content: str, status: int = 200) -> HTMLResponse:
    """A whole page; `content` is HTML whose values are already escaped."""
    return HTMLResponse(
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>'
        f"<body><main><h1>{escape(title)}</h1>{content}</main>"
        '<p class="note">A payment sandbox: no real money moves here.</p></body></html>',
        status_code=status,
        headers={"Cache-Control": "no-store"},
    )


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """A table of cells that are already escaped."""
    if not rows:
        return '<p class="note">none</p>'
    titles = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{titles}</tr>{body}</table>"


def index(clock: Clock, faults: Faults, payments: str) -> HTMLResponse:
    """What this is, and what is going on."""
    now = datetime.fromtimestamp(clock.now(), UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    active = [
        (escape(fault["operation"]), escape(fault["kind"]), str(fault["fired"]))
        for fault in faults.listed()
        if fault["active"]
    ]
    return page(
        "Payment sandbox",
        "<p>A stateful Stripe for development: point the official SDK at this address, pay with Stripe's test cards,"
        ' and compare with the <a href="/sandbox/books">books</a>.</p>'
        f"<p>Virtual clock: <b>{now}</b> ({clock.offset:g} seconds ahead)</p>"
        f"<h2>Latest payments</h2>{payments}"
        f"<h2>Faults</h2>{table(('operation', 'kind', 'fired'), active)}",
    )
