"""The options behind the question mark of a URL to send to."""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import SplitResult, parse_qsl

from blazeposer.core.errors import InputError


def options(url: SplitResult, known: Collection[str]) -> dict[str, str]:
    """Return them by name. Raises InputError for one that is not `known`, without its value, or twice there."""
    pairs = parse_qsl(url.query, keep_blank_values=True)
    found = dict(pairs)
    odd = next((name for name, value in pairs if name not in known or not value), None)
    if odd is not None or len(found) < len(pairs) or (url.query and not pairs):
        asked = ", ".join(f"?{name}=" for name in known) or "none"
        what = f"?{odd}= is no option or has no value" if odd is not None else "an option is there twice"
        raise InputError(f"{url.scheme}://{url.hostname}: {what}: the options are {asked}")
    return found
