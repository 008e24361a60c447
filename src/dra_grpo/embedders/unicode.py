"""Text that can be sent on: half surrogate pairs occur in Python strings (from JSON escapes) and in no UTF."""

from __future__ import annotations

import re
from collections.abc import Iterable

_SURROGATE = re.compile("[\ud800-\udfff]")


def encodable(texts: Iterable[str]) -> list[str]:
    """The texts with every lone surrogate replaced by U+FFFD, which tokenizers and JSON parsers accept.

    >>> encodable(["half a pair: \\ud83d", "whole: 😀"])
    ['half a pair: �', 'whole: 😀']
    """
    return [_SURROGATE.sub("\ufffd", text) for text in texts]
