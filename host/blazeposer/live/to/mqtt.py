"""Send the pose records of each camera to an MQTT broker. The page docs/live.md describes the MQTT topics. If the
connection between this PC and the broker is lost, the broker sends the status "offline" to the subscribers of the
topic. The broker acknowledges each pose record (quality of service 1), so BlazePoser can count lost pose records."""

import netrc
import os
import re
import ssl
import sys
import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from secrets import token_hex
from typing import Any
from urllib.parse import SplitResult, unquote

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode

from blazeposer.core.errors import InputError
from blazeposer.live.session import Moment
from blazeposer.live.to import url_options
from blazeposer.live.to.home_assistant import Summary, discovery
from blazeposer.stream.record import as_line

PORT, TLS_PORT = 1883, 8883
TOPIC = "blazeposer"
VERSIONS = {"3.1.1": MQTTProtocolVersion.MQTTv311, "5": MQTTProtocolVersion.MQTTv5}
OPTIONS = ("ca", "discovery", "password-file", "version")
PASSWORD = "BLAZEPOSER_MQTT_PASSWORD"
"""Name of the environment variable with the password for the broker."""
ANSWER = 3.0
"""Longest time, in seconds, to wait for an answer of the broker."""
_KEEP_ALIVE = 5  # seconds without a message after which broker and PC check the connection
_WAITING = 20  # records that may wait for the broker's acknowledgement; more are left out
_NO_USER = f"give the user in the URL, and the password in a file (?password-file=), in {PASSWORD} or in ~/.netrc"
_ADVICE = {
    "Server unavailable": "it will be asked again",
    "Server busy": "it will be asked again",
    "Unsupported protocol version": "give another ?version=",
}


class MqttView:
    """A `Sender` that sends pose records to an MQTT broker. Pose records that arrive while there is no connection to
    the broker are lost. Methods with names that start with `_on_` run in the thread of the MQTT client."""

    def __init__(self, name: str, client: Client, topic: str, encrypted: bool, discover: str | None) -> None:
        self.name = name
        self.missed = 0
        self._client = client
        self._topic = topic
        self._encrypted = encrypted
        self._discover = discover
        self._summary = Summary()
        self._online = False
        self._reason = ""
        self._refused = False
        self._sent = self._arrived = 0  # number of messages sent, and number acknowledged by the broker
        self._since = time.monotonic()  # time of the last request to the broker, or of its last answer
        self._known = threading.Event()  # set when the broker has accepted or refused the connection
        client.on_pre_connect = self._on_pre_connect
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish

    @property
    def state(self) -> str:
        waits = not self._client.is_connected() or self._sent > self._arrived
        if not self._reason and waits and time.monotonic() - self._since > ANSWER:
            return "the broker does not answer: check that it runs, and that this is the port of an MQTT broker"
        return self._reason

    def show(self, moment: Moment) -> None:
        if moment.record or moment.state:
            before, self._online = self._online, moment.record is not None
            if before != self._online and self._client.is_connected():  # otherwise `_on_connect` sends the status
                self._publish("status", "online" if self._online else "offline")
        if not moment.record:
            return
        if not self._client.is_connected() or self._sent - self._arrived >= _WAITING:
            self.missed += 1
            return
        self._publish("faces", as_line(replace(moment.record, faces=moment.faces)))
        if self._discover and (news := self._summary.news(moment)):
            self._publish("summary", news)

    def __enter__(self) -> "MqttView":
        self._client.loop_start()
        self._known.wait(ANSWER)
        return self

    def __exit__(self, *_: object) -> None:
        try:
            if self._client.is_connected():
                with suppress(ValueError, RuntimeError):  # the broker may have disconnected
                    self._publish("status", "offline").wait_for_publish(ANSWER)
            waits, self._reason = self._sent > self._arrived, self.state
            if waits and not self._reason:
                self._reason = "the broker has not acknowledged the last records"
            self.missed += self._sent - self._arrived
        finally:
            self._client.on_disconnect = None
            self._client.disconnect()
            self._client.loop_stop()

    def _publish(self, topic: str, payload: str) -> Any:
        if self._sent == self._arrived:
            self._since = time.monotonic()
        self._sent += 1
        return self._client.publish(f"{self._topic}/{topic}", payload, qos=1, retain=topic == "status")

    def _on_pre_connect(self, *_: object) -> None:
        self._since, self._refused = time.monotonic(), False

    def _on_connect(self, client: Client, data: object, flags: object, code: ReasonCode, *_: object) -> None:
        self._refused = code.is_failure
        if self._refused:
            advice = _ADVICE.get(str(code), "ask the administrator of the broker")
            if str(code) in ("Bad user name or password", "Not authorized"):
                advice = _NO_USER if client.username is None else "check user, password and the user's rights"
            self._fail(f"the broker refuses the connection ({code}): {advice}")
            return
        self._reason, self._since = "", time.monotonic()
        self._known.set()
        self._publish("status", "online" if self._online else "offline")
        if self._discover:
            topic, payload = discovery(self._discover, self._topic)
            self._sent += 1
            client.publish(topic, payload, qos=1, retain=True)

    def _on_connect_fail(self, *_: object) -> None:
        error = sys.exc_info()[1]  # the client calls this in its error handler, and does not pass the error
        if isinstance(error, ssl.SSLCertVerificationError):
            advice = "give the authority's certificate file with ?ca=, or use the host name of the certificate"
            self._fail(f"the broker's certificate is not trusted ({error.verify_message}): {advice}")
        elif isinstance(error, TimeoutError):
            self._fail("the broker does not answer: check host and port")
        elif isinstance(error, ConnectionRefusedError) or not (
            self._encrypted and isinstance(error, (ssl.SSLError, ConnectionError))
        ):
            reason = getattr(error, "strerror", None) or "no connection"
            self._fail(f"no MQTT broker is at this address ({reason}): check host and port")
        else:
            self._fail("the broker does not speak TLS at this port: write mqtt:// or give its TLS port")

    def _on_disconnect(self, client: Client, data: object, flags: Any, code: ReasonCode, *_: object) -> None:
        if self._refused:
            return  # the disconnection after a refusal is no new information
        if self._known.is_set() and not self._reason:
            why = f" ({code})" if flags.is_disconnect_packet_from_server else ""
            self._fail(f"the connection to the broker was lost{why}: waiting until the broker answers again")
        elif str(code) == "Keep alive timeout":
            self._fail("the broker does not answer: check that this is the port of an MQTT broker")
        elif not self._reason:
            advice = "" if self._encrypted else ": if this is its TLS port, write mqtts://"
            self._fail(f"the broker closed the connection before it answered{advice}")

    def _on_publish(self, client: Client, data: object, number: int, code: ReasonCode, *_: object) -> None:
        self._arrived += 1
        self._since = time.monotonic()
        if code.is_failure:  # only MQTT 5 reports this
            self.missed += 1
        self._reason = f"the broker refuses the records ({code})" if code.is_failure else ""

    def _fail(self, reason: str) -> None:
        self._reason = reason
        self._known.set()


def open_view(url: SplitResult, camera: str) -> MqttView:
    encrypted = url.scheme == "mqtts"
    host, port = url.hostname or "", url.port or (TLS_PORT if encrypted else PORT)
    name = f"{url.scheme}://{host}:{port}"
    given = url_options(url, OPTIONS)
    if (version := given.get("version", "3.1.1")) not in VERSIONS:
        raise InputError(f"{name}: not a version of MQTT: give ?version={' or '.join(VERSIONS)}")
    topic = _checked(name, unquote(url.path).strip("/") or TOPIC)
    topic += "/" + (re.sub(r"[^\w.-]+", "-", camera).strip("-.") or "camera")
    discover = _checked(name, given["discovery"].strip("/")) if "discovery" in given else None
    client = Client(CallbackAPIVersion.VERSION2, f"blazeposer{token_hex(4)}", protocol=VERSIONS[version])
    if encrypted:
        try:
            client.tls_set(given.get("ca"))
        except (OSError, ValueError) as error:
            reason = f"{given.get('ca')} contains no certificate of an authority"
            raise InputError(f"{name}: {reason}: give a PEM file with ?ca=") from error
    elif "ca" in given:
        raise InputError(f"{name}: ?ca= is for encrypted connections: write mqtts://")
    client.username_pw_set(*credentials(name, url, given.get("password-file")))
    client.connect_timeout = ANSWER
    client.reconnect_delay_set(1, 5)
    client.will_set(f"{topic}/status", "offline", qos=1, retain=True)
    client.connect_async(host, port, keepalive=_KEEP_ALIVE)
    return MqttView(name, client, topic, encrypted, discover)


def credentials(name: str, url: SplitResult, file: str | None) -> tuple[str | None, str | None]:
    """Return the user name and the password for the broker, with None in place of a value that is not found. The
    function looks for the password first in the URL, then in the first line of `file`, in the environment variable
    `PASSWORD`, and in ~/.netrc. Raises InputError if `file` or ~/.netrc cannot be read. The error message contains no
    password."""
    user = unquote(url.username) if url.username else None
    if url.password is not None:
        return user, unquote(url.password)
    if file is not None:
        try:
            text = Path(file).expanduser().read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it is not a text file"
            raise InputError(f"{name}: cannot read the password in {file} ({reason}): check ?password-file=") from error
        return user, text.partition("\n")[0].rstrip("\r")
    if (password := os.environ.get(PASSWORD)) and user:
        return user, password
    try:
        found = netrc.netrc().authenticators(url.hostname or "")
    except FileNotFoundError:
        found = None
    except (OSError, ValueError, netrc.NetrcParseError) as error:  # the error's text may contain a password
        where = f", line {error.lineno}" if isinstance(error, netrc.NetrcParseError) and error.lineno else ""
        raise InputError(
            f"{name}: cannot read ~/.netrc{where}: correct the file, and make it readable only for you"
        ) from error
    if found and user in (None, found[0]):
        return found[0], found[2]
    return user, None


def _checked(name: str, topic: str) -> str:
    """Return `topic`. Raises InputError if MQTT does not allow messages to `topic` (MQTT 5.0, section 4.7)."""
    if re.search(r"[+#]", topic) or not topic.isprintable() or topic.startswith("$") or len(topic.encode()) > 1000:
        advice = "use a topic without +, # and control characters, outside $SYS"
        raise InputError(f"{name}: not a topic to publish to: {advice}")
    return topic
