"""The frame of every page a person sees, and the index."""

from collections.abc import Mapping, Sequence
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


BUTTONS = (
    '<button class="go" name="outcome" value="approve">Approve</button>'
    '<button name="outcome" value="decline">Decline</button>'
    '<button name="outcome" value="cancel">Walk away</button></form>'
)
"""What a customer can do on every page, and the end of the form they are in."""
OUTCOMES = ("approve", "decline", "cancel")


def chooser(label: str, field: str, means: Mapping[str, str]) -> str:
    """The beginning of a form in which a customer picks what to pay with: value to description."""
    options = "".join(f'<option value="{escape(name)}">{escape(said)}</option>' for name, said in means.items())
    return f"<form method='post'><label>{escape(label)}<br><select name='{field}'>{options}</select></label><br>"


def told(message: str, amount: str, status: str, payment: str, return_url: str | None) -> str:
    """How a payment stands, with the way back to the shop; only `message` is HTML already."""
    back = (
        f'<p><a href="{escape(return_url)}" rel="noreferrer">Back to the shop</a></p>'
        if return_url and _safe(return_url)
        else ""
    )
    return (
        f"<p>{message}</p><p>{escape(amount)} · status <b id='status'>{escape(status)}</b> ·"
        f" <code>{escape(payment)}</code></p>{back}"
    )


def unknown() -> HTMLResponse:
    """An address that belongs to nothing."""
    return page("No such payment", "<p>This address belongs to no payment, or to an attempt that is over.</p>", 404)


def _safe(url: str) -> bool:
    """Whether a link leads to a web page and does not run as a script in this one."""
    return url.startswith(("http://", "https://"))


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """A table of cells that are already escaped."""
    if not rows:
        return '<p class="note">none</p>'
    titles = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{titles}</tr>{body}</table>"


def index(clock: Clock, faults: Faults, latest: dict[str, list[tuple[str, ...]]]) -> HTMLResponse:
    """What this is, and what is going on."""
    now = datetime.fromtimestamp(clock.now(), UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    active = [
        (escape(fault["operation"]), escape(fault["kind"]), str(fault["fired"]))
        for fault in faults.listed()
        if fault["active"]
    ]
    payments = "".join(
        f"<h2>Latest payments: {escape(name)}</h2>{table(('payment', 'amount', 'status', 'checkout'), rows)}"
        for name, rows in latest.items()
    )
    return page(
        "Payment sandbox",
        "<p>Stateful payment gateways for development: point a client at this address, pay with test means,"
        ' and compare with the <a href="/sandbox/books">books</a>.</p>'
        f"<p>Virtual clock: <b>{now}</b> ({clock.offset:g} seconds ahead)</p>"
        f"{payments}<h2>Faults</h2>{table(('operation', 'kind', 'fired'), active)}",
    )
