"""How values travel to and from Temporal: JSON by pydantic, strictly typed."""

from temporalio.contrib.pydantic import PydanticPayloadConverter
from temporalio.converter import CompositePayloadConverter, DataConverter

# The SDK makes a converter for every run, and each would build its own validators: 4 ms of CPU a checkout, and memory
# for as long as it is open. These are shared; they hold nothing but a bounded cache of validators by type.
_SHARED = tuple(PydanticPayloadConverter().converters.values())


class SharedPayloadConverter(CompositePayloadConverter):
    """The SDK's converter for pydantic, with one cache of validators for the whole process."""

    def __init__(self) -> None:
        super().__init__(*_SHARED)


DATA_CONVERTER = DataConverter(payload_converter_class=SharedPayloadConverter)
"""What every client and worker of ours uses; on the wire the same as the SDK's converter for pydantic."""
