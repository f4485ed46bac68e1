"""Describe a camera to the program Home Assistant, with a retained MQTT message in the format "device discovery"
(https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery, version 2024.11 and later)."""

import json
import re
import time
from typing import Any

from blazeposer import __version__
from blazeposer.core.contract import ANGLES
from blazeposer.live.centre import Leader
from blazeposer.live.session import Moment

LOOKING = 20.0
"""Largest yaw and pitch of a face that looks at the camera, in degrees, as in board/examples/attention_light.py."""
PAUSE = 1.0
"""Shortest time between two messages with a camera's values, in seconds. The limit keeps the history in Home Assistant
short."""


class Summary:
    """An object that makes JSON texts for Home Assistant. A text contains the number of faces, the angles of one face,
    and whether a face looks at the camera."""

    def __init__(self) -> None:
        self._leader = Leader()
        self._last = ""
        self._at = -PAUSE

    def news(self, moment: Moment) -> str:
        """Return the values as a JSON text, or "" if they have not changed or the last text is younger than `PAUSE`."""
        leader, now = self._leader.of(moment), time.monotonic()
        if now - self._at < PAUSE:
            return ""
        angles = [round(angle) for angle in leader.angles] if leader else [None] * len(ANGLES)
        looks = any(max(abs(face.yaw), abs(face.pitch)) < LOOKING for face in moment.faces)
        told = {"faces": len(moment.faces), **dict(zip(ANGLES, angles, strict=True)), "looks": "ON" if looks else "OFF"}
        if (text := json.dumps(told)) == self._last:
            return ""
        self._last, self._at = text, now
        return text


def discovery(prefix: str, topic: str) -> tuple[str, str]:
    """Return the topic and the payload of the message that describes a camera. `prefix` is Home Assistant's discovery
    prefix, and `topic` is the MQTT topic of the camera."""
    device = re.sub(r"[^A-Za-z0-9_-]+", "-", topic)

    def entity(key: str, name: str, platform: str, **more: str) -> dict[str, Any]:
        value = f"{{{{ value_json.{key} }}}}"
        return {"platform": platform, "unique_id": f"{device}_{key}", "name": name, "value_template": value, **more}

    angle = {"unit_of_measurement": "°", "state_class": "measurement", "icon": "mdi:angle-acute"}
    payload = {
        "device": {
            "identifiers": [device],
            "name": f"BlazePoser {topic.rpartition('/')[2]}",
            "model": "Camera with head pose",
            "manufacturer": "BlazePoser",
        },
        "origin": {"name": "BlazePoser", "sw_version": __version__},
        "state_topic": f"{topic}/summary",
        "availability_topic": f"{topic}/status",
        "payload_available": "online",
        "payload_not_available": "offline",
        "components": {
            "faces": entity("faces", "Faces", "sensor", state_class="measurement", icon="mdi:face-recognition"),
            **{name: entity(name, name.capitalize(), "sensor", **angle) for name in ANGLES},
            "looks": entity("looks", "Looks here", "binary_sensor", icon="mdi:eye"),
        },
    }
    return f"{prefix}/device/{device}/config", json.dumps(payload, ensure_ascii=False)
