"""Compare the poses for other programs with references: opentrack's packet, VMC's bones."""

import socket
import struct
import threading
from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray
from pythonosc.osc_packet import OscPacket

from blazeposer.core.errors import InputError
from blazeposer.core.rotation import rotation_from_angles
from blazeposer.live.centre import Leader
from blazeposer.live.to import open_output, udp
from blazeposer.live.to.opentrack import packet
from blazeposer.live.to.vmc import quaternion
from live import free_port, moment, seen_face
from receivers import from_opentrack_angles, from_quaternion, unity_rotated
from waiting import HANG, until

Floats = NDArray[np.float64]
Angles = tuple[float, float, float]
POSES: list[Angles] = [(0, 0, 0), (25, 0, 0), (0, -20, 0), (0, 0, 30), (40, 25, -15), (-60, -30, 45)]


@pytest.fixture
def receiver() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(HANG)
        yield receiver


@pytest.mark.parametrize("angles", POSES)
def test_opentrack_packet_is_the_same_rotation(angles: Angles) -> None:
    rotation = rotation_from_angles(angles)
    sent = struct.unpack("<6d", packet((1.0, -2.0, 60.0), rotation))
    assert sent[:3] == (1.0, -2.0, 60.0)
    np.testing.assert_allclose(from_opentrack_angles(np.array(sent[3:])), rotation, atol=1e-12)


@pytest.mark.parametrize(("angles", "index"), [((25.0, 0.0, 0.0), 0), ((0.0, 25.0, 0.0), 1), ((0.0, 0.0, 25.0), 2)])
def test_opentrack_signs_are_those_of_its_own_webcam_tracker(angles: Angles, index: int) -> None:
    """ftnoir_tracker_neuralnet.cpp, `data`: with the face's axes in a frame of x to the camera, y up, z to the
    image's left, yaw is atan2(mx.z, mx.x), pitch the elevation of mx, roll atan2(-my.z, mz.z)."""
    frame = np.array([[0, 0, 1], [0, 1, 0], [-1, 0, 0]])
    mx, my, mz = (frame @ rotation_from_angles(angles) @ frame.T).T
    reference = [np.arctan2(mx[2], mx[0]), np.arctan2(mx[1], np.hypot(mx[0], mx[2])), np.arctan2(-my[2], mz[2])]
    sent = struct.unpack("<6d", packet((0, 0, 60), rotation_from_angles(angles)))[3:]
    np.testing.assert_allclose(sent, np.degrees(reference), atol=1e-9)
    assert sent[index] == pytest.approx(25)


def test_opentrack_gets_the_place_and_the_angles_to_the_camera(receiver: socket.socket) -> None:
    face = seen_face((0, 0, 0), (10.0, 5.0, 50.0))
    with open_output(f"opentrack://127.0.0.1:{receiver.getsockname()[1]}", "camera") as view:
        view.show(moment())  # nobody is there: nothing is sent
        view.show(moment(face))
    now = moment(face)
    (sent,) = now.faces
    assert sent.position
    values = struct.unpack("<6d", receiver.recv(100))
    assert values[:3] == pytest.approx(sent.position)
    assert values[0] > 5  # to the image's right
    assert values[1] > 2  # up
    assert 40 < values[2] < 60  # away
    # To the line of sight it is straight; so it looks back to the camera, to the image's left and down.
    assert values[3] > 5
    assert values[4] < -2
    assert packet(sent.position, now.to_axis(sent).rotation) == struct.pack("<6d", *values)


def unity_angle_axis(degrees: float, axis: list[float]) -> tuple[float, ...]:
    """Unity's Quaternion.AngleAxis."""
    half = np.radians(degrees) / 2
    return (*(np.array(axis) * np.sin(half)).tolist(), float(np.cos(half)))


def test_reference_is_unitys() -> None:
    """Unity's manual, "Quaternion.Euler" and "Left-handed coordinates": 90 degrees about y take forward to right."""
    np.testing.assert_allclose(unity_rotated(unity_angle_axis(90, [0, 1, 0]), [0, 0, 1]), [1, 0, 0], atol=1e-12)


@pytest.mark.parametrize(
    ("angles", "degrees", "axis"),
    [
        ((25.0, 0.0, 0.0), 25, [0, 1, 0]),  # to the image's left is the person's, and the avatar's, right
        ((0.0, 25.0, 0.0), -25, [1, 0, 0]),  # up: forward goes to +y
        ((0.0, 0.0, 25.0), 25, [0, 0, 1]),  # clockwise in the image: up goes to the avatar's left
    ],
)
def test_vmc_signs_are_unitys(angles: Angles, degrees: float, axis: list[float]) -> None:
    sent = quaternion(rotation_from_angles(angles))
    np.testing.assert_allclose(sent, unity_angle_axis(degrees, axis), atol=1e-12)


@pytest.mark.parametrize("angles", POSES)
def test_vmc_avatar_does_as_the_person_does(angles: Angles) -> None:
    rotation = rotation_from_angles(angles)
    np.testing.assert_allclose(from_quaternion(np.array(quaternion(rotation))), rotation, atol=1e-12)


def test_vmc_messages(receiver: socket.socket) -> None:
    """https://protocol.vmc.info/marionette-spec: /VMC/Ext/OK, /VMC/Ext/T, /VMC/Ext/Bone/Pos (name, p, q)."""
    face = seen_face((20, 10, 5))
    with open_output(f"osc://127.0.0.1:{receiver.getsockname()[1]}", "camera") as view:
        view.show(moment(face))
    messages = {item.message.address: item.message.params for item in OscPacket(receiver.recv(1000)).messages}
    assert messages["/VMC/Ext/OK"] == [1]
    assert [type(value) for value in messages["/VMC/Ext/T"]] == [float]
    name, *place_and_turn = messages["/VMC/Ext/Bone/Pos"]
    assert name == "Head"
    seen = moment(face).faces[0].rotation
    assert place_and_turn == pytest.approx([0, 0, 0, *quaternion(seen)], abs=1e-6)


def test_a_leader_is_kept_while_there() -> None:
    near, far = seen_face((0, 0, 0)), seen_face((0, 0, 0), (15, 0, 90))
    leader, both = Leader(), moment(near, far)
    assert leader.of(both) is both.faces[0]
    swapped = moment(far, near)  # ids 1 and 2 now are the far and the near one
    assert leader.of(swapped) is swapped.faces[0]
    assert leader.of(moment()) is None
    assert leader.of(both) is both.faces[0]


@pytest.mark.parametrize(
    "target",
    ["opentrack://", "nonsense://x:1", "127.0.0.1:4242", "osc://127.0.0.1:many", "mqtt://[::1", "opentrack://h:99999"],
)
def test_an_address_that_is_none(target: str) -> None:
    with pytest.raises(InputError, match="give opentrack://"):
        open_output(target, "camera")


def test_a_name_that_is_known_later(receiver: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    known, look_up = threading.Event(), socket.getaddrinfo

    def names(host: str, *arguments: object, **named: object) -> object:
        if not known.is_set():
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return look_up("127.0.0.1", *arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", names)
    monkeypatch.setattr(udp, "PAUSE", 0.05)
    with open_output(f"opentrack://gaming-pc:{receiver.getsockname()[1]}", "camera") as view:
        assert view.state.startswith("no such host (Name or service not known): check the name")
        view.show(moment(seen_face((0, 0, 0))))
        assert view.missed == 1
        known.set()
        until(lambda: view.state == "", "the name")
        view.show(moment(seen_face((0, 0, 0))))
        assert len(receiver.recv(100)) == 48
        assert view.missed == 1


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_localhost_is_wherever_somebody_listens(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Test both addresses, because ::1 comes first on some PCs."""
    both = [("::1", socket.AF_INET6), ("127.0.0.1", socket.AF_INET)]
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, port, **_: [(kind, 2, 17, "", (to, port)) for to, kind in both]
    )
    with socket.socket(dict(both)[address], socket.SOCK_DGRAM) as receiver:
        try:
            receiver.bind((address, 0))
        except OSError:
            pytest.skip(f"this PC has no {address}")
        receiver.settimeout(HANG)
        with open_output(f"opentrack://localhost:{receiver.getsockname()[1]}", "camera") as view:
            view.show(moment(seen_face((0, 0, 0))))
            assert len(receiver.recv(100)) == 48
            assert view.state == ""


def test_nobody_need_listen(receiver: socket.socket) -> None:
    port = free_port(socket.SOCK_DGRAM)
    for scheme in ("opentrack", "osc"):
        with open_output(f"{scheme}://127.0.0.1:{port}", "camera") as view:
            for seq in range(5):
                view.show(moment(seen_face((0, 0, 0)), seq=seq))
