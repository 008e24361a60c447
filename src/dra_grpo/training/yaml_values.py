"""YAML as a run's settings mean it: 1e-3 is a number, and a key that is there twice is a mistake."""

from __future__ import annotations

import re
from typing import Any

import yaml
from yaml.composer import ComposerError


def yaml_value(text: str) -> Any:
    """The value of a YAML text.

    PyYAML reads YAML 1.1, whose floats need a point, and lets the last of two equal keys win.

    Raises:
        yaml.YAMLError: the text is no YAML, or a mapping has a key twice.

    >>> yaml_value("{jitter: 1e-3, clamp: no}")
    {'jitter': 0.001, 'clamp': False}
    """
    return yaml.load(text, _Loader)


class _Loader(yaml.SafeLoader):
    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if (key.tag, key.value) in seen:
                    raise ComposerError(None, None, f"the key {key.value!r} is there twice", key.start_mark)
                seen.add((key.tag, key.value))
        return node


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?(\.\d+|\d+(\.\d*)?)[eE][-+]?\d+$"), list("-+.0123456789")
)
