"""Each fault of an MQTT broker or its address, as its user reads it."""

import shutil
import subprocess
import time
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from blazeposer.core.errors import InputError
from blazeposer.live.session import Moment, run
from blazeposer.live.to import open_output
from blazeposer.stream.record import as_line
from brokers import SECRET, Peer, RealBroker, ScriptedBroker, takes_all
from conftest import CommandLine
from live import Keeper, ListLink, free_port, moment, nodding
from waiting import until

# amqtt leaves its connections to the garbage collector, see brokers.py
pytestmark = [pytest.mark.filterwarnings("ignore::ResourceWarning"), pytest.mark.usefixtures("empty_home")]
READ_WITHIN = 60.0
"""Seconds from a fault to its reason on the screen, at most, on a busy PC too; a session that hangs never says it."""


def refuses(code: int) -> Any:
    return lambda peer: peer.answer(code)


def says_nothing(peer: Peer) -> None:
    peer.sleep()


def hangs_up(peer: Peer) -> None:
    peer.packet()


def is_tls(peer: Peer) -> None:
    """Answer as OpenSSL does to a client without TLS: an alert, and the end."""
    peer.packet()
    peer.send(b"\x15\x03\x01\x00\x02\x02\x46")


def goes_away(peer: Peer) -> None:
    peer.answer(0)
    peer.acknowledge(4)
    peer.broker.leave()


def falls_silent(peer: Peer) -> None:
    peer.answer(0)
    peer.acknowledge(4)
    peer.sleep()


def takes_nothing(peer: Peer) -> None:
    """MQTT 5.0, 3.4.2.1: PUBACK with 0x87, not authorized."""
    peer.answer(0)
    while True:
        packet = peer.packet()
        if packet[0] & 0xF0 == 0x30:
            length = int.from_bytes(packet[1:3], "big")
            peer.send(b"\x40\x04" + packet[3 + length : 5 + length] + b"\x87\x00")


def sends_away(peer: Peer) -> None:
    """MQTT 5.0, 3.14.2.1: DISCONNECT with 0x8b, server shutting down."""
    peer.answer(0)
    peer.acknowledge(2)
    peer.send(b"\xe0\x02\x8b\x00")
    peer.broker.leave()


FAULTS = [
    # MQTT 3.1.1, 3.2.2.3
    (refuses(1), "", r"refuses the connection \(Unsupported protocol version\): give another \?version="),
    (refuses(2), "", r"refuses the connection \(Client identifier not valid\)"),
    (refuses(3), "", r"refuses the connection \(Server unavailable\): it will be asked again"),
    (refuses(4), "", r"\(Bad user name or password\): check user, password"),
    (refuses(5), "", r"\(Not authorized\): check user, password"),
    # MQTT 5.0, 3.2.2.2
    (refuses(0x84), "?version=5", r"\(Unsupported protocol version\): give another \?version="),
    (refuses(0x86), "?version=5", r"\(Bad user name or password\): check user, password"),
    (refuses(0x87), "?version=5", r"\(Not authorized\): check user, password"),
    (refuses(0x88), "?version=5", r"\(Server unavailable\): it will be asked again"),
    (refuses(0x89), "?version=5", r"\(Server busy\): it will be asked again"),
    (refuses(0x8A), "?version=5", r"\(Banned\): ask the administrator"),
    (takes_nothing, "?version=5", r"refuses the records \(Not authorized\)"),
    (
        sends_away,
        "?version=5",
        r"was lost \(Server shutting down\): waiting until the broker answers again|no MQTT broker",
    ),
    (says_nothing, "", r"does not answer: check that "),
    (hangs_up, "", r"closed the connection before it answered: if this is its TLS port, write mqtts://"),
    (is_tls, "", r"closed the connection before it answered: if this is its TLS port, write mqtts://"),
    (goes_away, "", r"was lost: waiting until the broker answers again|no MQTT broker is at"),
    (falls_silent, "", r"does not answer: check that it runs"),
]


class Reader:
    """A view that notes when a trouble of an output is first shown, and ends the session then."""

    def __init__(self) -> None:
        self.at = 0.0

    def show(self, moment: Moment) -> None:
        for trouble in moment.troubles.values():
            self.at = time.monotonic()
            raise InputError(trouble)


@pytest.mark.parametrize(("script", "query", "words"), FAULTS)
def test_the_reason_of_each_fault_is_read(script: Any, query: str, words: str) -> None:
    caused: list[float] = []

    def played(peer: Peer) -> None:
        try:
            script(peer)
        finally:
            caused.append(time.monotonic())

    begin, reader = time.monotonic(), Reader()
    with ScriptedBroker(played) as broker:
        output = open_output(f"mqtt://anna:{SECRET}@127.0.0.1:{broker.port}/class{query}", "camera")
        with pytest.raises(InputError, match=words) as raised, output as view:
            run(ListLink(cycle(nodding(50)), pause=0.02), [reader], [view])
    cause = caused[0] if caused and caused[0] < reader.at else begin  # who falls silent did so at the start, or later
    assert reader.at - cause < READ_WITHIN
    assert SECRET not in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1


@pytest.mark.parametrize("code", [4, 5])
def test_a_missing_user_is_said(code: int) -> None:
    with ScriptedBroker(refuses(code)) as broker, open_output(f"mqtt://127.0.0.1:{broker.port}", "camera") as view:
        assert "give the user in the URL, and the password in a file (?password-file=), in BLAZE" in view.state


def test_a_broker_that_is_none_is_waited_for() -> None:
    port = free_port()
    with open_output(f"mqtt://127.0.0.1:{port}", "camera") as view:
        assert view.state.startswith("no MQTT broker")
        assert "check host and port" in view.state
        view.show(moment())
        assert view.missed == 1
        broker = RealBroker(port)
        until(lambda: view.state == "", "the broker")
        view.show(moment(seq=1))
    broker.stop()
    assert (view.state, view.missed) == ("", 1)


def test_a_host_that_is_none() -> None:
    with open_output("mqtt://no-such-host.invalid", "camera") as view:
        assert view.state.endswith(": check host and port") or "does not answer" in view.state


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a certificate of 127.0.0.1, signed by itself, with its key."""
    if not shutil.which("openssl"):
        pytest.skip("openssl, which makes a certificate for this test, is not installed")
    path = tmp_path_factory.mktemp("tls") / "broker.pem"
    arguments = "req -x509 -newkey rsa:2048 -noenc -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
    command = ["openssl", *arguments.split(), "-keyout", str(path), "-out", f"{path}.cert"]
    subprocess.run(command, check=True, capture_output=True)
    with path.open("a") as file:
        file.write(Path(f"{path}.cert").read_text())
    return path


def test_a_certificate_is_trusted_by_its_authority(certificate: Path) -> None:
    with ScriptedBroker(takes_all, certificate) as broker:
        where = f"mqtts://127.0.0.1:{broker.port}"
        with open_output(where, "camera") as view:
            assert "certificate is not trusted" in view.state
            assert "?ca=" in view.state
        with open_output(f"{where}?ca={certificate}.cert", "camera") as view:
            assert view.state == ""
            view.show(moment())
        assert (view.state, view.missed) == ("", 0)


def test_tls_at_a_plain_port_is_said() -> None:
    with ScriptedBroker(hangs_up_at_once) as broker, open_output(f"mqtts://127.0.0.1:{broker.port}", "camera") as view:
        assert "TLS" in view.state
        assert "mqtt://" in view.state


def hangs_up_at_once(peer: Peer) -> None:
    peer._read(5)


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("mqtt://b/class/%2B", "not a topic to publish to"),
        ("mqtt://b/class/+/a", "not a topic to publish to"),
        ("mqtt://b/class/%23", "not a topic to publish to"),
        ("mqtt://b/class/#", "contains #"),
        ("mqtt://b/%00", "not a topic to publish to"),
        ("mqtt://b/$SYS/broker", "not a topic to publish to"),
        ("mqtt://b/?discovery=a/%23", "not a topic to publish to"),
        ("mqtt://b/?discovery=", "?discovery= is not an option, or it has no value: the options are ?ca=, ?discovery="),
        ("mqtt://b/?password=geheim", "?password= is not an option"),
        ("mqtt://b/?version=4", "not a version of MQTT: give ?version=3.1.1 or 5"),
        ("mqtt://b/?ca=a.pem", "?ca= is for encrypted connections: write mqtts://"),
        ("mqtts://b/?ca=no-such.pem", "no-such.pem contains no certificate of an authority"),
        ("mqtt://u@b/?password-file=no-such", "cannot read the password in no-such (No such file"),
        ("opentrack://b/?ca=a", "?ca= is not an option, or it has no value: the options are none"),
    ],
)
def test_what_cannot_be_is_one_line(target: str, words: str) -> None:
    target = target.replace("://b", "://anna:geheim@b" if "@" not in target else "://b")
    with pytest.raises(InputError) as raised, open_output(target, "camera"):
        pass
    assert words in str(raised.value)
    assert SECRET not in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1


@pytest.fixture
def talk(tmp_path: Path) -> Path:
    """A recording of a second."""
    path = tmp_path / "talk.jsonl"
    path.write_text("".join(as_line(record) + "\n" for record in nodding(25)))
    return path


def test_the_session_goes_on_and_the_status_tells(talk: Path, blazeposer_command: CommandLine) -> None:
    with ScriptedBroker(refuses(4)) as broker:
        where = f"127.0.0.1:{broker.port}"
        ended = blazeposer_command("replay", talk, "--to", f"mqtt://anna:{SECRET}@{where}")
    assert ended.status == 1
    assert f"Sending to mqtt://{where}\n" in ended.out
    assert "the broker refuses the connection (Bad user name or password)" in ended.out
    assert ended.out.count("face 1") == 25
    assert f"mqtt://{where}: 25 records were not delivered" in ended.out
    assert ended.err.startswith(f"blazeposer: mqtt://{where}: the broker refuses")
    assert SECRET not in ended.out + ended.err


def test_the_session_ends_if_so_asked(talk: Path, blazeposer_command: CommandLine) -> None:
    with ScriptedBroker(refuses(5)) as broker:
        where = f"mqtt://127.0.0.1:{broker.port}"
        ended = blazeposer_command("replay", talk, "--lost-output", "end", "--to", where)
    assert ended.status == 1
    assert "face 1" not in ended.out
    assert ended.err.startswith(f"blazeposer: {where}: the broker refuses the connection (Not authorized)")


def test_a_broker_that_comes_back_gets_the_rest(blazeposer_command: CommandLine) -> None:
    """It hangs up after some records; the next connection is taken."""
    connections: list[Peer] = []

    def script(peer: Peer) -> None:
        connections.append(peer)
        peer.answer(0)
        peer.acknowledge(10 if len(connections) == 1 else 10**6)

    keeper = Keeper()
    with ScriptedBroker(script) as broker, open_output(f"mqtt://127.0.0.1:{broker.port}", "camera") as view:

        class Enough(Exception):
            pass

        class Stop:
            def show(self, moment: Moment) -> None:
                if len(connections) > 1 and not moment.troubles:
                    raise Enough

        with pytest.raises(Enough):
            run(ListLink(cycle(nodding(50)), pause=0.01), [keeper, Stop()], [view])
    assert any(
        "connection to the broker was lost" in text for moment in keeper.moments for text in moment.troubles.values()
    )
    assert view.state == ""
    assert view.missed > 0
