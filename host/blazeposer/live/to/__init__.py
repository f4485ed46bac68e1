"""Send poses to other programs, each by its own protocol and with its own signs.

opentrack.py  opentrack's UDP packet: simulators and games
vmc.py        the VMC protocol over OSC: avatars
mqtt.py       an MQTT broker: any number of cameras and listeners
leader.py     whose head it is where there is but one
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from importlib import import_module
from urllib.parse import urlsplit

from blazeposer.core.errors import InputError, MissingExtraError
from blazeposer.live.session import View

SCHEMES = "opentrack://HOST:PORT, osc://HOST:PORT (VMC), mqtt://HOST:PORT/TOPIC"
_MODULES = {"opentrack": "opentrack", "osc": "vmc", "mqtt": "mqtt", "mqtts": "mqtt"}


def open_output(target: str, camera: str) -> AbstractContextManager[View]:
    """The view that passes poses on to a URL; `camera` names where they are from.

    Raises InputError if the URL is none of `SCHEMES` or nobody answers where somebody has to.
    """
    try:
        url = urlsplit(target)
        known = url.scheme in _MODULES and bool(url.hostname) and url.port != 0
    except ValueError:  # a port that is no number, a broken IPv6 address
        known = False
    if not known:
        raise InputError(f"{target}: not an address to send to: give {SCHEMES}")
    try:
        module = import_module(f"{__name__}.{_MODULES[url.scheme]}")
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "a module", "watch") from error
    output: AbstractContextManager[View] = module.open_view(url, camera)
    return output
