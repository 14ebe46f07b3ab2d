"""Whether a key takes a value, asked of the schema without composing a config."""

from collections.abc import Iterator
from typing import Annotated, Any

import yaml
from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from frostline.config.schema import Settings
from frostline.config.strict_model import members_of


def accepts(key: str, text: str) -> bool:
    """Whether any choice of the key's group has the key and takes the value.

    Args:
        key: With dots, such as `head.dropout`.
        text: As typed.
    """
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        return False
    return any(_is_valid(field, value) for field in _fields(key))


def _fields(key: str) -> Iterator[FieldInfo]:
    name, _, inner = key.partition(".")
    field = Settings.model_fields.get(name)
    if field is None:
        return
    models = list(members_of(field.annotation))
    if not inner and not models:
        yield field
    for model in models:
        if inner in model.model_fields:
            yield model.model_fields[inner]


def _is_valid(field: FieldInfo, value: Any) -> bool:
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(Annotated[field.annotation, field])  # type: ignore[arg-type]
        adapter.validate_python(value)
    except ValidationError:
        return False
    return True
