"""MQTT: each camera's records under a topic of its own, for any number of listeners.

TOPIC/CAMERA/faces   each record as a JSON line of the stream, smoothed if so asked, with ids and positions
TOPIC/CAMERA/status  "online" or "offline", retained, so that who comes later knows; the broker says "offline" itself
                     when this PC is lost
"""

from __future__ import annotations

import re
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from urllib.parse import SplitResult, unquote

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from blazeposer.core.errors import InputError
from blazeposer.live.session import Moment
from blazeposer.stream.record import as_line

PORT, TLS_PORT = 1883, 8883
TOPIC = "blazeposer"


class MqttView:
    """Publishes to a broker. One that goes away is waited for, and misses what comes meanwhile."""

    def __init__(self, client: Client, topic: str) -> None:
        self._client = client
        self._topic = topic

    def show(self, moment: Moment) -> None:
        """See `session.View`."""
        if moment.record and self._client.is_connected():
            self._client.publish(f"{self._topic}/faces", as_line(replace(moment.record, faces=moment.faces)))


@contextmanager
def open_view(url: SplitResult, camera: str) -> Generator[MqttView, None, None]:
    """See `open_output`. The URL may hold user and password, and the topic; mqtts:// is encrypted."""
    name = re.sub(r"[^\w.-]+", "-", camera).strip("-.")  # no level and no wildcard of MQTT's
    topic = f"{unquote(url.path).strip('/') or TOPIC}/{name}"
    client = Client(CallbackAPIVersion.VERSION2)
    tls = url.scheme == "mqtts"
    if tls:
        client.tls_set()
    if url.username:
        client.username_pw_set(unquote(url.username), unquote(url.password or ""))

    def greet(client: Client, *_: object) -> None:
        client.publish(f"{topic}/status", "online", qos=1, retain=True)

    client.on_connect = greet
    client.will_set(f"{topic}/status", "offline", qos=1, retain=True)
    where = f"{url.scheme}://{url.hostname}:{url.port or (TLS_PORT if tls else PORT)}"  # without the password
    try:
        client.connect(url.hostname or "", url.port or (TLS_PORT if tls else PORT))
    except (OSError, ValueError) as error:
        raise InputError(f"{where}: no MQTT broker answers ({error}): check host and port") from error
    client.loop_start()
    try:
        yield MqttView(client, topic)
        client.publish(f"{topic}/status", "offline", qos=1, retain=True).wait_for_publish(2)
    finally:
        client.disconnect()
        client.loop_stop()
