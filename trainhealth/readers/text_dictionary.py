"""Dictionaries at the end of printed lines: what trainers write that print their rows."""

from __future__ import annotations

import ast
import json
import re
import warnings
from typing import Any

from trainhealth.readers.json_document import flat


def dictionary_of(text: str) -> dict[str, object] | None:
    """Return the numbers of a JSON object or Python dictionary that ends the line; None where there is none.

    >>> dictionary_of('Step:200 {"metric": {"eval_loss": 0.625}, "step": 200}')
    {'metric/eval_loss': 0.625, 'step': 200}
    """
    begin, end = text.find("{"), text.rstrip().endswith("}")
    if begin < 0 or not end:
        return None
    written = text[begin:].rstrip()
    parsed: Any = None
    try:
        parsed = json.loads(written)
    except (ValueError, RecursionError):
        try:
            with warnings.catch_warnings(action="ignore"):  # of Python's grammar: the line is no program of ours
                parsed = ast.literal_eval(re.sub(r"(?<=[:\s])(nan|-?inf)(?=[,}\s])", r"'\1'", written))
        except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
            return None
    if not isinstance(parsed, dict):
        return None
    return {str(key): value for key, value in flat(parsed).items() if isinstance(value, int | float | str)}
