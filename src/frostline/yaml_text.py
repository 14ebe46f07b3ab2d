"""Plain values as YAML, by libyaml where it writes the text that PyYAML itself would write.

libyaml is several times as fast. The two differ in characters that one of them escapes (emoji, some
line ends), in where a text with escapes is folded, and in keys without a character; what has one of
these is written by PyYAML.
"""

from typing import Any

import yaml

# An escape, and a key that is an empty text: see above.
_DIFFERENT = ("\\", "'':")


def yaml_text(values: Any) -> str:
    """Mappings, lists, numbers and texts as `yaml.safe_dump` writes them, keys in their order."""
    return dumped(values, yaml.SafeDumper, getattr(yaml, "CSafeDumper", None))


def dumped(values: Any, dumper: type[Any], fast: type[Any] | None) -> str:
    """Values as a dumper of PyYAML writes them, in block style, keys in their order.

    Args:
        values: Plain values.
        dumper: Of PyYAML.
        fast: The same dumper over libyaml; None where PyYAML was built without it.
    """
    options: Any = {"sort_keys": False, "allow_unicode": True, "default_flow_style": False}
    if fast is not None:
        text: str = yaml.dump(values, Dumper=fast, **options)
        if not any(each in text for each in _DIFFERENT):
            return text
    return str(yaml.dump(values, Dumper=dumper, **options))
