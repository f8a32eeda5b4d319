"""What may be sent about webhooks to shops."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from api.fields import Cursor, PageSize, Sent
from domain.timeline import EventType
from domain.webhook import ALL_EVENTS, DeliveryState, EndpointState

DEFAULT_OVERLAP_SECONDS = 86_400
LONGEST_OVERLAP_SECONDS = 7 * 86_400
_TYPES = tuple(str(event_type) for event_type in EventType)


def _known_events(values: list[str]) -> list[str]:
    if ALL_EVENTS in values and len(values) > 1:
        raise ValueError(f"'{ALL_EVENTS}' means all of them and must stand alone")
    if not {*values} <= {*_TYPES, ALL_EVENTS}:
        raise ValueError(f"must be ['{ALL_EVENTS}'] or some of: {', '.join(_TYPES)}")
    return list(dict.fromkeys(values))


Events = Annotated[
    list[Annotated[str, Field(max_length=64)]],
    Field(min_length=1, max_length=100, json_schema_extra={"items": {"enum": [ALL_EVENTS, *_TYPES]}}),
    AfterValidator(_known_events),
]
Url = Annotated[str, Field(min_length=1, max_length=2048, description="An https:// address on the public internet.")]


class NewEndpoint(Sent):
    """Where to send events to, and which."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"url": "https://shop.example/paysaga", "events": ["payment.succeeded", "refund.succeeded"]},
                {"url": "https://shop.example/everything", "events": [ALL_EVENTS]},
            ]
        }
    )

    url: Url
    events: Annotated[Events, Field(description="Types of events, or `*` alone for all that there are and will be.")]


class ChangedEndpoint(Sent):
    """What is to become different; what is left out or null stays."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"state": "enabled"}, {"events": ["dispute.opened"]}]})

    url: Url | None = None
    events: Events | None = None
    state: Literal["enabled", "disabled"] | None = Field(
        default=None, description="Enabled again it starts afresh; deliveries that ended meanwhile can be sent again."
    )


class Rotation(Sent):
    """How long the secret that is active now stays so beside the new one."""

    model_config = ConfigDict(json_schema_extra={"examples": [{}, {"overlap_seconds": 0}]})

    overlap_seconds: Annotated[int, Field(ge=0, le=LONGEST_OVERLAP_SECONDS)] = Field(
        default=DEFAULT_OVERLAP_SECONDS, description="0 ends every other secret at once, for one that has leaked."
    )


class EndpointListing(BaseModel):
    """Which endpoints to list; without a state, those that are not removed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    state: EndpointState | None = None
    cursor: Cursor | None = None
    limit: PageSize = 50


class DeliveryListing(BaseModel):
    """Which deliveries of the endpoint to list."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    state: DeliveryState | None = None
    type: EventType | None = None
    cursor: Cursor | None = None
    limit: PageSize = 50
