"""Events as they travel: CloudEvents 1.0 in JSON, structured mode, so that any broker carries them as plain bytes."""

import json
import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from events.broker.contract import Message
from events.contract import SOURCE, Event, UnreadableEventError

CONTENT_TYPE = "application/cloudevents+json"
_SEQUENCE_DIGITS = 10
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}[Tt]", re.ASCII)


def _written_out(value: object) -> object:
    """RFC 3339, as CloudEvents wants it: pydantic would take a number for seconds since 1970."""
    if not isinstance(value, str) or _DATE.match(value) is None:
        raise ValueError("no RFC 3339")
    return value


class Envelope(BaseModel):
    """What is around every event's data. Attributes that others add on the way are no reason to refuse it."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)

    specversion: Literal["1.0"] = Field(description="The version of CloudEvents.")
    id: Annotated[str, Field(min_length=1)] = Field(description="The same however often the event comes.")
    source: Literal["/paysaga"] = Field(description="Tells our events from those of other services.")
    type: Annotated[str, Field(min_length=1)] = Field(description="What happened.")
    subject: Annotated[str, Field(min_length=1)] = Field(description="What it happened to: a checkout's id for most.")
    time: Annotated[AwareDatetime, BeforeValidator(_written_out), Field(strict=False)] = Field(
        description="When it went on the books, in UTC."
    )
    datacontenttype: Literal["application/json"] = Field(description="How the data is written.")
    dataschema: str = Field(description="The name of the published JSON Schema of the data.")
    sequence: Annotated[str, Field(pattern=r"^[0-9]{10}$")] = Field(
        description="Counts the subject's events from 1 without gaps; ten digits, so that it is ordered as text."
    )
    schemaversion: Annotated[str, Field(pattern=r"^[1-9][0-9]{0,4}$")] = Field(
        description="The version of the data; it grows only with a change that would break who reads the one before."
    )
    data: dict[str, Any] = Field(description="What happened, amounts in minor units of the currency.")


def data_schema(event_type: str, version: int) -> str:
    """What the JSON Schema of this type's data is called; CloudEvents wants an absolute URI, wherever the API is."""
    return f"urn:paysaga:events:{event_type}:{version}"


def to_message(event: Event) -> Message:
    """The event as what a broker carries: messages about one subject keep their order."""
    envelope = {
        "specversion": "1.0",
        "id": event.id,
        "source": SOURCE,
        "type": event.type,
        "subject": event.subject,
        "time": event.time.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        "dataschema": data_schema(event.type, event.schema_version),
        "sequence": f"{event.sequence:0{_SEQUENCE_DIGITS}}",
        "schemaversion": str(event.schema_version),
        "data": dict(event.data),
    }
    body = json.dumps(envelope, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    return Message(event.id, event.subject, event.type, body, (("content-type", CONTENT_TYPE),))


def from_message(message: Message) -> Event:
    """The event that the message carries. Raises UnreadableEventError without a word of what the message holds."""
    try:
        envelope = Envelope.model_validate(json.loads(message.body, parse_constant=_refuse))
    except ValidationError as error:
        wrong = ", ".join(".".join(map(str, problem["loc"])) or "the whole" for problem in error.errors())
        raise UnreadableEventError(f"no event of ours: {wrong}") from None
    except (ValueError, RecursionError) as error:
        raise UnreadableEventError(f"no JSON: {type(error).__name__}") from None
    return _event(envelope)


def _event(envelope: Envelope) -> Event:
    sequence, version = int(envelope.sequence), int(envelope.schemaversion)
    if sequence < 1:
        raise UnreadableEventError("no event of ours: sequence counts from 1")
    time: datetime = envelope.time.astimezone(UTC)
    return Event(envelope.id, envelope.type, envelope.subject, sequence, time, envelope.data, version)


def _refuse(constant: str) -> float:
    raise ValueError(constant)
