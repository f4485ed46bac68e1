"""Send poses to other programs, each by its own protocol and with its own signs.

opentrack.py       opentrack's UDP packet: simulators and games
vmc.py             the VMC protocol over OSC: avatars
mqtt.py            an MQTT broker: any number of cameras and listeners
home_assistant.py  the messages to Home Assistant by MQTT
udp.py             packets to a host by its name
"""

from __future__ import annotations

import re
from collections.abc import Collection
from contextlib import AbstractContextManager
from importlib import import_module
from urllib.parse import SplitResult, parse_qsl, urlsplit

from blazeposer.core.errors import InputError, needs
from blazeposer.live.session import Output

SCHEMES = "opentrack://HOST:PORT, osc://HOST:PORT (VMC), mqtt://HOST:PORT/TOPIC"
_MODULES = {"opentrack": "opentrack", "osc": "vmc", "mqtt": "mqtt", "mqtts": "mqtt"}


def open_output(target: str, camera: str) -> AbstractContextManager[Output]:
    """Return the view that passes poses on to a URL; `camera` names where they are from.

    Raises InputError if the URL is none of `SCHEMES`. Whether anybody is there, the output's state tells.
    """
    try:
        url = urlsplit(target)
        known = url.scheme in _MODULES and bool(url.hostname) and url.port != 0
    except ValueError:  # a port that is no number, a broken IPv6 address
        known = False
    if not known:
        shown = re.sub(r"(?<=://).*@", "", target)  # a password is for nobody's eyes
        raise InputError(f"{shown}: not an address to send to: give {SCHEMES}")
    if "#" in target:  # begins what a URL does not send
        raise InputError(f"{url.scheme}://{url.hostname}: has a # in it: leave it out, no topic to publish to has one")
    with needs("watch"):
        module = import_module(f"{__name__}.{_MODULES[url.scheme]}")
    output: AbstractContextManager[Output] = module.open_view(url, camera)
    return output


def url_options(url: SplitResult, known: Collection[str]) -> dict[str, str]:
    """Return the options behind the question mark of a URL, by name.

    Raises InputError for one that is not `known`, has no value, or is there twice.
    """
    pairs = parse_qsl(url.query, keep_blank_values=True)
    found = dict(pairs)
    odd = next((name for name, value in pairs if name not in known or not value), None)
    if odd is not None or len(found) < len(pairs) or (url.query and not pairs):
        asked = ", ".join(f"?{name}=" for name in known) or "none"
        what = f"?{odd}= is no option or has no value" if odd is not None else "an option is there twice"
        raise InputError(f"{url.scheme}://{url.hostname}: {what}: the options are {asked}")
    return found
