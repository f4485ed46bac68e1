"""Send over MQTT through a real broker: records, discovery by Home Assistant, passwords."""

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from blazeposer.core.errors import InputError
from blazeposer.live.session import Moment, Sender
from blazeposer.live.to import home_assistant, open_output
from blazeposer.live.to.mqtt import PASSWORD
from blazeposer.stream.record import Counts, parse_line
from brokers import SECRET, RealBroker, ScriptedBroker, takes_all
from live import free_port, moment, seen_face
from waiting import HANG, until

# amqtt leaves its connections to the garbage collector, see brokers.py
pytestmark = [pytest.mark.filterwarnings("ignore::ResourceWarning"), pytest.mark.usefixtures("empty_home")]


@pytest.fixture
def broker() -> Iterator[RealBroker]:
    broker = RealBroker()
    yield broker
    broker.stop()


class Listener:
    """Hears all that a broker passes on."""

    def __init__(self, port: int, topic: str = "#") -> None:
        self.heard: list[tuple[str, str]] = []
        self._client = Client(CallbackAPIVersion.VERSION2)
        subscribed = threading.Event()
        self._client.on_subscribe = lambda *_: subscribed.set()
        self._client.on_message = lambda client, data, message: self.heard.append(
            (message.topic, message.payload.decode())
        )
        self._client.connect("127.0.0.1", port)
        self._client.subscribe(topic)
        self._client.loop_start()
        assert subscribed.wait(HANG)

    def last(self, topic: str) -> str | None:
        return next((text for at, text in reversed(self.heard) if at == topic), None)

    def __enter__(self) -> "Listener":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def test_records_come_through_a_broker(broker: RealBroker) -> None:
    topic = "class/socket-127.0.0.1-4000"
    with Listener(broker.port, "class/#") as listener:
        now = moment(seen_face((20, 10, 5)), seen_face((0, 0, 0), (15, 0, 60)), seq=7)
        with open_output(f"mqtt://127.0.0.1:{broker.port}/class", "socket://127.0.0.1:4000") as view:
            until(lambda: listener.last(f"{topic}/status") == "offline", "the greeting")
            view.show(now)
            until(lambda: listener.last(f"{topic}/status") == "online", "that the camera sends")
            until(lambda: listener.last(f"{topic}/faces") is not None, "a record")
            view.show(Moment("camera", "camera was unplugged: waiting", Counts()))
            until(lambda: listener.last(f"{topic}/status") == "offline", "that the camera is gone")
            view.show(replace(now, record=replace(now.record, seq=8) if now.record else None))
            until(lambda: listener.last(f"{topic}/status") == "online", "that it is back")
        until(lambda: listener.last(f"{topic}/status") == "offline", "the farewell")
        assert (view.state, view.missed) == ("", 0)
        got = parse_line(next(text for at, text in listener.heard if at == f"{topic}/faces"))
    assert got
    assert now.record
    assert (
        replace(got, faces=tuple(replace(face, position=None) for face in got.faces)) == now.record
    )  # nothing smoothed
    assert all(face.position for face in got.faces)
    assert [face.id for face in got.faces] == [1, 2]


DEVICE = {"identifiers", "name", "model", "manufacturer"}
SHARED = {"state_topic", "availability_topic", "payload_available", "payload_not_available"}
ENTITY = {"platform", "unique_id", "name", "value_template", "icon"}
SENSOR = ENTITY | {"unit_of_measurement", "state_class"}


def test_home_assistant_finds_each_camera(broker: RealBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    """https://www.home-assistant.io/integrations/mqtt, "Device discovery payload": <prefix>/device/<object_id>/config,
    object_id of letters, digits, _ and -; `device` with identifiers and `origin` with a name are required, and of each
    component `platform` and `unique_id`; sensor.mqtt and binary_sensor.mqtt have the other keys. A template's "None" is
    an unknown state; a binary sensor is ON or OFF."""
    monkeypatch.setattr(home_assistant, "PAUSE", 0.0)
    seen: set[str] = set()
    with Listener(broker.port) as listener:
        for camera in ("/dev/ttyACM0", "/dev/ttyACM1"):
            with open_output(f"mqtt://127.0.0.1:{broker.port}/home?discovery=homeassistant", camera) as view:
                topic = "home/" + camera.strip("/").replace("/", "-")
                config = f"homeassistant/device/{topic.replace('/', '-')}/config"
                until(lambda config=config: listener.last(config) is not None, "the discovery")  # type: ignore[misc]
                found = json.loads(listener.last(config) or "")
                for faces in ((), (seen_face((5, -8, 2)), seen_face((50, 0, 0), (20, 0, 90)))):
                    view.show(moment(*faces))
                    until(
                        lambda faces=faces, topic=topic: (  # type: ignore[misc]
                            json.loads(listener.last(f"{topic}/summary") or "{}").get("faces") == len(faces)
                        ),
                        "a summary",
                    )
                told = json.loads(listener.last(f"{topic}/summary") or "")
            assert set(found) == {"device", "origin", "components"} | SHARED
            assert set(found["device"]) == DEVICE
            assert set(found["origin"]) == {"name", "sw_version"}
            assert found["state_topic"] == f"{topic}/summary"
            assert found["availability_topic"] == f"{topic}/status"
            assert {found["payload_available"], found["payload_not_available"]} == {
                text for at, text in listener.heard if at == f"{topic}/status"
            }
            assert set(found["components"]) == {"faces", "yaw", "pitch", "roll", "looks"} == set(told)
            for name, entity in found["components"].items():
                assert entity["platform"] == ("binary_sensor" if name == "looks" else "sensor")
                assert ENTITY <= set(entity) <= (ENTITY if name == "looks" else SENSOR)
                assert entity["value_template"] == f"{{{{ value_json.{name} }}}}"
                assert entity["unique_id"] not in seen
                seen.add(entity["unique_id"])
            assert (told["faces"], told["looks"]) == (2, "ON")
            assert [told[name] for name in ("yaw", "pitch", "roll")] == pytest.approx([5, -8, 2], abs=1)
            first = json.loads(next(text for at, text in listener.heard if at == f"{topic}/summary"))
            assert first == {"faces": 0, "yaw": None, "pitch": None, "roll": None, "looks": "OFF"}
    assert len(seen) == 10


def login(target: str) -> list[bytes]:
    """User and password that a broker gets (MQTT 3.1.1, 3.1.3: strings with their length, after the will)."""
    with ScriptedBroker(takes_all) as broker:
        with open_output(target.replace("PORT", str(broker.port)), "camera"):
            pass
        connect = broker.heard[0]
    return connect[connect.rindex(b"offline") + 7 :].split(b"\0")[1:]


def strings(*values: str) -> list[bytes]:
    return [bytes([len(value)]) + value.encode() for value in values]


def test_where_the_password_comes_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert login("mqtt://127.0.0.1:PORT") == []
    file = tmp_path / "password"
    file.write_text(f"{SECRET}-1\nmore\n")
    in_netrc = tmp_path / ".netrc"
    in_netrc.write_text(f"machine 127.0.0.1 login bert password {SECRET}-3\n")
    in_netrc.chmod(0o600)
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert login("mqtt://127.0.0.1:PORT") == strings("bert", f"{SECRET}-3")
    assert login("mqtt://anna@127.0.0.1:PORT") == strings("anna")
    monkeypatch.setenv(PASSWORD, f"{SECRET}-2")
    assert login("mqtt://anna@127.0.0.1:PORT") == strings("anna", f"{SECRET}-2")
    assert login(f"mqtt://anna@127.0.0.1:PORT?password-file={file}") == strings("anna", f"{SECRET}-1")
    assert login(f"mqtt://anna:{SECRET}%40@127.0.0.1:PORT") == strings("anna", f"{SECRET}@")


def test_a_broken_netrc_tells_no_password(tmp_path: Path) -> None:
    path = tmp_path / ".netrc"
    path.write_text(f"machine 127.0.0.1 login bert pasword {SECRET}\n")
    path.chmod(0o600)
    with pytest.raises(InputError, match=r"cannot read ~/.netrc, line \d") as raised:
        login("mqtt://127.0.0.1:PORT")
    assert SECRET not in str(raised.value)


def test_outputs_are_outputs() -> None:
    """Each kind has what a session asks of an output."""
    views: list[Sender] = []
    for target in ("opentrack://127.0.0.1:9", "osc://127.0.0.1:9", f"mqtt://127.0.0.1:{free_port()}"):
        with open_output(target, "camera") as view:
            views.append(view)
    assert [view.name.partition(":")[0] for view in views] == ["opentrack", "osc", "mqtt"]
