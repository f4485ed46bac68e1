"""Send poses to other programs, which use different protocols and sign conventions for angles."""

import re
from collections.abc import Collection
from contextlib import AbstractContextManager
from importlib import import_module
from urllib.parse import SplitResult, parse_qsl, urlsplit

from blazeposer.core.errors import InputError, needs
from blazeposer.live.session import Sender

SCHEMES = "opentrack://HOST:PORT, osc://HOST:PORT (VMC), mqtt://HOST:PORT/TOPIC"
_MODULES = {"opentrack": "opentrack", "osc": "vmc", "mqtt": "mqtt", "mqtts": "mqtt"}


def open_output(target: str, camera: str) -> AbstractContextManager[Sender]:
    """Return the `Sender` that sends the poses of `camera` to the URL `target`. Raises InputError if `target` does not
    begin with one of the `SCHEMES`. The function does not check whether a program answers at `target`."""
    try:
        url = urlsplit(target)
        known = url.scheme in _MODULES and bool(url.hostname) and url.port != 0
    except ValueError:  # the port is not a number, or an IPv6 address is broken
        known = False
    if not known:
        shown = re.sub(r"(?<=://).*@", "", target)  # a message must not show a password
        raise InputError(f"{shown}: not an address to send to: give {SCHEMES}")
    if "#" in target:  # urlsplit cuts the topic off at #
        raise InputError(
            f"{url.scheme}://{url.hostname}: the address contains #, which a topic cannot contain: leave it out"
        )
    with needs("watch"):
        module = import_module(f"{__name__}.{_MODULES[url.scheme]}")
    output: AbstractContextManager[Sender] = module.open_view(url, camera)
    return output


def url_options(url: SplitResult, known: Collection[str]) -> dict[str, str]:
    """Return the options in a URL. Raises InputError if an option is not in `known`, has no value, or appears twice."""
    pairs = parse_qsl(url.query, keep_blank_values=True)
    found = dict(pairs)
    odd = next((name for name, value in pairs if name not in known or not value), None)
    if odd is not None or len(found) < len(pairs) or (url.query and not pairs):
        asked = ", ".join(f"?{name}=" for name in known) or "none"
        what = f"?{odd}= is not an option, or it has no value" if odd is not None else "an option is given twice"
        raise InputError(f"{url.scheme}://{url.hostname}: {what}: the options are {asked}")
    return found
