"""The envelope: what leaves can be read by anybody's CloudEvents library, and what comes is read with care."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from hypothesis import given
from hypothesis import strategies as st

from events.broker.contract import Message
from events.contract import Event, UnreadableEventError, event_id
from events.wire import CONTENT_TYPE, data_schema, from_message, to_message

EVENT = Event(
    id=event_id("chk_1", 7),
    type="payment.succeeded",
    subject="chk_1",
    sequence=3,
    time=datetime(2026, 3, 4, 5, 6, 7, 890123, tzinfo=UTC),
    data={"amount": 4200, "details": {"märz": "ö", "none": None}},
)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def test_others_libraries_read_it() -> None:
    """The CloudEvents SDK finds every attribute, and nothing that the standard does not allow."""
    message = to_message(EVENT)
    seen = JSONFormat().read(None, message.body)
    assert isinstance(seen, CloudEvent)
    assert seen.get_attributes() == {
        "specversion": "1.0",
        "id": "chk_1:7",
        "source": "/paysaga",
        "type": "payment.succeeded",
        "subject": "chk_1",
        "time": EVENT.time,
        "datacontenttype": "application/json",
        "dataschema": "urn:paysaga:events:payment.succeeded:1",
        "sequence": "0000000003",
        "schemaversion": "1",
    }
    assert seen.get_data() == EVENT.data
    assert (message.id, message.key, message.topic) == (EVENT.id, "chk_1", "payment.succeeded")
    assert message.headers == (("content-type", CONTENT_TYPE),)


def test_what_another_library_writes_is_read() -> None:
    """The same event, put together by the CloudEvents SDK with an attribute that we do not know."""
    attributes: dict[str, Any] = {
        "id": EVENT.id,
        "source": "/paysaga",
        "type": EVENT.type,
        "specversion": "1.0",
        "subject": "chk_1",
        "time": EVENT.time.astimezone(timezone(timedelta(hours=2))),
        "datacontenttype": "application/json",
        "dataschema": data_schema(EVENT.type, 1),
        "sequence": "0000000003",
        "schemaversion": "1",
        "traceparent": "00-1-1-01",
    }
    body = JSONFormat().write(CloudEvent(attributes, dict(EVENT.data)))
    assert from_message(Message("x", "y", "z", body)) == EVENT


@given(
    id_=st.text(min_size=1),
    subject=st.text(min_size=1),
    sequence=st.integers(1, 9_999_999_999),
    time=st.datetimes(timezones=st.timezones()),
    data=st.dictionaries(st.text(), _JSON, max_size=4),
)
def test_an_event_comes_out_as_it_went_in(
    id_: str, subject: str, sequence: int, time: datetime, data: dict[str, Any]
) -> None:
    """Whatever is in it, to the microsecond."""
    try:
        at = time.astimezone(UTC)
        f"{id_}{subject}{json.dumps(data, ensure_ascii=False)}".encode()
    except (OverflowError, UnicodeEncodeError):
        return  # Neither the calendar's ends nor lone surrogates can be on the books.
    event = Event(id_, "case.opened", subject, sequence, at, data)
    assert from_message(to_message(event)) == event


def test_sequences_are_ordered_as_texts() -> None:
    """Whoever compares them as the CloudEvents extension says gets the order of the numbers."""
    numbers = [1, 2, 9, 10, 11, 99, 100, 1_000_000, 9_999_999_999]
    texts = [json.loads(to_message(replace(EVENT, sequence=number)).body)["sequence"] for number in numbers]
    assert texts == sorted(texts)


def _changed(**changes: object) -> bytes:
    envelope = json.loads(to_message(EVENT).body) | changes
    return json.dumps({name: value for name, value in envelope.items() if value is not ...}).encode()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"specversion": NaN}',
        _changed(specversion="0.3"),
        _changed(id=""),
        _changed(id=7),
        _changed(source="/another"),
        _changed(type=...),
        _changed(subject=None),
        _changed(time="yesterday"),
        _changed(time="2026-03-04T05:06:07"),
        _changed(time=1_772_600_767),
        _changed(time="1772600767"),
        _changed(datacontenttype="text/plain"),
        _changed(sequence=3),
        _changed(sequence="3"),
        _changed(sequence="0000000000"),
        _changed(sequence="-000000003"),
        _changed(sequence="٠٠٠٠٠٠٠٠٠٣"),
        _changed(schemaversion="0"),
        _changed(schemaversion=1),
        _changed(data="secret"),
        _changed(data=...),
        _changed(data=["secret"]),
    ],
)
def test_what_is_no_event_is_refused(body: bytes) -> None:
    """With the one error that leads to the dead letters, and without a word of what it holds."""
    with pytest.raises(UnreadableEventError) as caught:
        from_message(Message("x", "y", "z", body))
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_numbers_that_json_does_not_have_never_leave() -> None:
    """NaN is no JSON, whatever Python says."""
    with pytest.raises(ValueError, match="JSON"):
        to_message(replace(EVENT, data={"amount": float("nan")}))
