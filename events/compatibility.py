"""What a change of a published JSON Schema breaks for those who read by the old one.

Everything that the new schema allows must be allowed by the old one, and what the old one names must still be named.
Only what pydantic makes of models is understood; another keyword that changes counts as a break.
"""

from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]

_WORDS = frozenset({"$defs", "$schema", "$id", "$ref", "title", "description", "default", "examples"})
"""What allows or forbids nothing by itself."""
_ROOMIER = {"minimum": -1, "minLength": -1, "exclusiveMinimum": -1, "maximum": 1, "maxLength": 1, "exclusiveMaximum": 1}
"""In which direction a limit lets more through."""
_LOOKED_AT = frozenset({"type", "enum", "const", "required", "properties", "additionalProperties", "items", "anyOf"})


def breaks(old: Schema, new: Schema | None) -> list[str]:
    """Each break in words; none where every reader of the old schema can read what the new one describes."""
    return ["it is gone"] if new is None else list(_Comparison(old, new).of("data", old, new))


class _Comparison:
    def __init__(self, old: Schema, new: Schema) -> None:
        self._old, self._new = old.get("$defs", {}), new.get("$defs", {})

    def of(self, path: str, old: Any, new: Any) -> Iterator[str]:
        old, new = _resolved(old, self._old), _resolved(new, self._new)
        if "anyOf" in old or "anyOf" in new:
            yield from self._choices(path, old, new)
            return
        yield from self._values(path, old, new)
        yield from self._limits(path, old, new)
        yield from self._fields(path, old, new)
        if "items" in old:
            yield from self.of(f"{path}[]", old["items"], new.get("items", {}))

    def _choices(self, path: str, old: Schema, new: Schema) -> Iterator[str]:
        """Each choice that there is now must be one that there was."""
        had = old.get("anyOf", [old])
        for choice in new.get("anyOf", [new]):
            if not any(self._fits(path, before, choice) for before in had):
                yield f"{path} may now be what it could not be: {choice.get('$ref') or choice.get('type', choice)}"

    def _fits(self, path: str, old: Any, new: Any) -> bool:
        return not list(self.of(path, old, new))

    def _values(self, path: str, old: Schema, new: Schema) -> Iterator[str]:
        if "type" in old and not _types(new) <= _types(old) - {"any"}:
            yield f"{path} changes its type"
        allowed, wanted = _enumerated(old), _enumerated(new)
        if allowed is not None and (wanted is None or not all(value in allowed for value in wanted)):
            yield f"{path} takes values that it did not"

    def _limits(self, path: str, old: Schema, new: Schema) -> Iterator[str]:
        for name, direction in _ROOMIER.items():
            if name in old and (name not in new or (new[name] - old[name]) * direction > 0):
                yield f"{path}: {name} lets more through"
        for name in sorted(old.keys() - _WORDS - _LOOKED_AT - _ROOMIER.keys()):
            if old[name] != new.get(name):
                yield f"{path}: {name} changes"

    def _fields(self, path: str, old: Schema, new: Schema) -> Iterator[str]:
        fields, others = new.get("properties", {}), old.get("additionalProperties", True)
        for name, before in old.get("properties", {}).items():
            if name not in fields:
                yield f"{path}.{name} is gone"
            else:
                yield from self.of(f"{path}.{name}", before, fields[name])
        for name in old.get("required", ()):
            if name not in new.get("required", ()) and name in fields:
                yield f"{path}.{name} may be missing"
        for name in fields.keys() - old.get("properties", {}).keys():
            if others is False:
                yield f"{path}.{name} is new where nothing may be added"
            elif others is not True:
                yield from self.of(f"{path}.{name}", others, fields[name])
        more = new.get("additionalProperties", True)
        if others is not True and (more is True or (more is not False and not self._fits(path, others, more))):
            yield f"{path} takes further fields that it did not"


def _resolved(schema: Any, definitions: Schema) -> Schema:
    """What a reference stands for, with what is said beside it."""
    while isinstance(schema, Mapping) and "$ref" in schema:
        beside = {name: value for name, value in schema.items() if name != "$ref"}
        schema = {**definitions[schema["$ref"].removeprefix("#/$defs/")], **beside}
    return schema if isinstance(schema, Mapping) else {}


def _types(schema: Schema) -> set[str]:
    named = schema.get("type", "any")
    return {named} if isinstance(named, str) else set(named)


def _enumerated(schema: Schema) -> list[Any] | None:
    return [schema["const"]] if "const" in schema else schema.get("enum")
