"""What yaw, pitch and roll mean: every place agrees, and one with another sign, axis, zero or order is named."""

from __future__ import annotations

import importlib
import json
import struct
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from blazeposer.core.contract import ANGLES
from blazeposer.core.errors import MissingExtraError
from blazeposer.core.rotation import Floats, angles_from_rotation, rotation_from_angles
from blazeposer.demo.compare import TO_PICTURE
from blazeposer.evaluate import convention
from blazeposer.evaluate.convention import CAMERA, NETWORK, convention_section, picture, receivers, seen, sent
from blazeposer.evaluate.convention.seen import ORDERS, OURS, Response, composed, order_name, poses
from blazeposer.evaluate.report import Section
from blazeposer.scene.sequence import Frame
from blazeposer.stream.record import Record, StreamedFace
from conftest import CommandLine

pytest.importorskip("matplotlib", reason="the extra `validate` is not installed")

KNOWN = poses(seen.LIMITS)
NUMBER_OF_POSES = len(KNOWN)


def network_like(angles: Floats) -> Floats:
    """Rotations with a network's errors: turns shrunk, a zero a little off, some of one angle in another."""
    return rotation_from_angles(
        angles @ np.array([[0.8, 0.0, 0.06], [0, 0.65, -0.05], [0.1, 0, 0.9]]) + [-1.4, -3.0, 0]
    )


def swapped(first: int, second: int) -> Callable[[Floats], Floats]:
    def swap(angles: Floats) -> Floats:
        order = list(range(3))
        order[first], order[second] = second, first
        return angles[:, order]

    return swap


def test_a_network_s_errors_are_no_fault() -> None:
    response = Response.of(network_like(KNOWN))
    assert response.faults() == []
    assert response.found == NUMBER_OF_POSES
    np.testing.assert_allclose(np.diag(response.gain), [0.8, 0.65, 0.9], atol=1e-9)
    np.testing.assert_allclose(response.zero, [-1.4, -3.0, 0], atol=1e-9)


@pytest.mark.parametrize("angle", range(3))
def test_a_turned_sign_is_named(angle: int) -> None:
    signs = np.ones(3)
    signs[angle] = -1
    faults = Response.of(network_like(KNOWN * signs)).faults()
    assert f"{ANGLES[angle]} has the other sign" in faults
    assert not [fault for fault in faults if "sign" in fault and not fault.startswith(ANGLES[angle])]


@pytest.mark.parametrize(("first", "second"), [(0, 1), (1, 2), (0, 2)])
def test_exchanged_angles_are_named(first: int, second: int) -> None:
    faults = Response.of(network_like(swapped(first, second)(KNOWN))).faults()
    assert f"{ANGLES[first]} is read as {ANGLES[second]}" in faults
    assert f"{ANGLES[second]} is read as {ANGLES[first]}" in faults


@pytest.mark.parametrize("angle", range(3))
def test_another_zero_is_named(angle: int) -> None:
    shift = 10 * np.eye(3)[angle]
    faults = Response.of(rotation_from_angles(KNOWN + shift)).faults()
    assert faults == [f"{ANGLES[angle]} is +10.0 degrees when nothing is turned"]


@pytest.mark.parametrize("order", [number for number in range(len(ORDERS)) if number != OURS])
def test_another_order_is_named(order: int) -> None:
    faults = Response.of(composed(KNOWN, ORDERS[order])).faults()
    assert faults == [f"combined turns are composed as {order_name(order)}, not pitch, yaw, roll"]


def test_our_order_is_that_of_rotation() -> None:
    np.testing.assert_allclose(composed(KNOWN, ORDERS[OURS]), rotation_from_angles(KNOWN), atol=1e-12)


def test_heads_that_are_not_found_are_a_fault() -> None:
    read = rotation_from_angles(KNOWN)
    read[::4] = np.nan
    missed = len(read[::4])
    assert Response.of(read).faults() == [f"only {NUMBER_OF_POSES - missed} of {NUMBER_OF_POSES} heads were found"]
    read[:] = np.nan
    assert Response.of(read).faults() == [f"only 0 of {NUMBER_OF_POSES} heads were found"]


@pytest.fixture(scope="module")
def section() -> Section:
    """Of the network on the PC and all formats; the virtual camera has a test of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(convention, "check_platform", lambda: (_ for _ in ()).throw(MissingExtraError("micro", "demo")))
        return convention_section()


def test_the_network_and_all_formats_agree(section: Section) -> None:
    assert section.verdict == "passed"
    assert section.data["faults"] == []
    assert list(section.data["seen"]) == [NETWORK]
    assert section.data["seen"][NETWORK]["found"] == NUMBER_OF_POSES
    assert set(section.data["sent_off_degrees"]) == set(sent.FORMATS)
    assert max(section.data["sent_off_degrees"].values()) <= sent.EXACT
    verdict = str(section.parts[0])
    assert "All 7 places agree" in verdict
    assert "Not run: virtual camera's stream (micro is not installed" in verdict


def test_a_camera_s_records_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Out of order, and with a face where nobody is. `test_demo.py` has the real MicroPython's."""

    def stream(frames: Sequence[Frame], model: Path | None) -> Iterator[tuple[int, Record]]:
        for number in reversed(range(len(frames))):
            (person,) = frames[number].people
            x, y, width, height = (value / TO_PICTURE for value in person.box)
            yaw, pitch, roll = angles_from_rotation(network_like(np.array(person.angles))).tolist()
            face = StreamedFace((x, y, width, height), 0.9, ((x, y),) * 6, yaw, pitch, roll, 4.0)
            stranger = StreamedFace((0.0, 0.0, 9.0, 9.0), 0.99, ((x, y),) * 6, 40.0, 0.0, 0.0, 4.0)
            yield number, Record(number, 0, 10.0, (stranger, face))

    done = []
    monkeypatch.setattr(seen, "stream", stream)
    response = Response.of(seen.streamed_by_camera(None, lambda: done.append(1)))
    assert response.faults() == []
    assert response.found == len(done) == NUMBER_OF_POSES
    np.testing.assert_allclose(np.diag(response.gain), [0.8, 0.65, 0.9], atol=1e-6)


def exchanged(line: str) -> str:
    return line.replace('"yaw":', '"x":').replace('"pitch":', '"yaw":').replace('"x":', '"pitch":')


@pytest.fixture
def formats_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No network and no picture."""
    monkeypatch.setattr(convention, "_seen", lambda model: ({}, []))
    monkeypatch.setattr(picture, "draw", lambda: b"")


def mirrored(record: Record) -> Record:
    (face,) = record.faces
    return replace(record, faces=(replace(face, yaw=-face.yaw),))


def other_signs(quaternion: tuple[float, ...]) -> tuple[float, ...]:
    x, y, z, w = quaternion
    return -x, -y, -z, w


@pytest.mark.parametrize(
    ("module", "name", "change", "format_name"),
    [
        ("to.vmc", "quaternion", lambda right: lambda rotation: other_signs(right(rotation)), "VMC over OSC"),
        ("to.opentrack", "packet", lambda right: lambda place, rotation: right(place, rotation.T), "opentrack"),
        ("to.mqtt", "as_line", lambda right: lambda record: exchanged(right(record)), "MQTT"),
        ("packed", "values", lambda right: lambda data: json.loads(exchanged(json.dumps(right(data)))), "Protocol V2"),
        ("recording", "_rows", lambda right: lambda record: right(mirrored(record)), "recording"),
    ],
)
@pytest.mark.usefixtures("formats_alone")
def test_a_format_with_other_signs_fails(
    monkeypatch: pytest.MonkeyPatch, module: str, name: str, change: Callable[..., object], format_name: str
) -> None:
    pytest.importorskip("pythonosc", reason="the extra `watch` is not installed")
    sender = importlib.import_module(f"blazeposer.live.{module}")
    monkeypatch.setattr(sender, name, change(getattr(sender, name)))
    section = convention_section()
    assert section.verdict == "failed"
    assert len(section.data["faults"]) == 1
    assert section.data["faults"][0].startswith(format_name)
    assert section.data["faults"][0] in str(section.parts[0])


@pytest.mark.usefixtures("formats_alone")
def test_a_format_without_its_extra_is_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("pythonosc.udp_client", "paho.mqtt.client", "blazeposer.live.to.vmc", "blazeposer.live.to.mqtt"):
        monkeypatch.setitem(sys.modules, module, None)
    section = convention_section()
    assert section.verdict == "passed"
    assert len(section.data["not_run"]) == 2
    assert all("blazeposer[watch]" in text for text in section.data["not_run"])
    assert "All 4 places agree on the convention. Not run: VMC" in str(section.parts[0])


def test_opentrack_reads_as_its_source_says() -> None:
    """compat/euler.cpp, `euler_to_rmat`: element by element, of H, P, B = the negated yaw, pitch, roll."""
    yaw, pitch, roll = angles = np.array([40.0, 25.0, -15.0])
    h, p, b = -np.radians(angles)
    expected = np.array([
        [np.cos(h) * np.cos(p), np.cos(h) * np.sin(p) * np.sin(b) - np.sin(h) * np.cos(b),
         np.cos(h) * np.sin(p) * np.cos(b) + np.sin(h) * np.sin(b)],
        [np.sin(h) * np.cos(p), np.sin(h) * np.sin(p) * np.sin(b) + np.cos(h) * np.cos(b),
         np.sin(h) * np.sin(p) * np.cos(b) - np.cos(h) * np.sin(b)],
        [-np.sin(p), np.cos(p) * np.sin(b), np.cos(p) * np.cos(b)],
    ])  # fmt: skip
    ours = receivers.from_opentrack_angles(angles)
    axes = np.array([[0, 0, 1], [1, 0, 0], [0, 1, 0]])  # x to the camera, y to the picture's right, z up
    np.testing.assert_allclose(axes @ ours @ axes.T, expected, atol=1e-12)
    packet = struct.pack("<6d", 1, 2, 3, yaw, pitch, roll)
    assert receivers.opentrack_angles(packet).tolist() == [yaw, pitch, roll]


def test_the_picture_shows_known_turns(tmp_path: Path) -> None:
    path = tmp_path / "docs" / "convention.jpg"
    picture.write(path)
    drawn = cv2.imread(str(path))
    assert drawn is not None
    assert drawn.shape[1] == 1200
    committed = cv2.imread(str(Path(__file__).parents[1] / "docs" / "convention.jpg"))
    assert committed is not None
    # Reduced, so that another version's letters make no difference: heads turned the other way would be 12 levels off.
    reduced = [cv2.resize(image, (150, 64), interpolation=cv2.INTER_AREA).astype(int) for image in (committed, drawn)]
    assert np.abs(reduced[0] - reduced[1]).mean() < 8


def test_the_command_prints_draws_and_fails(
    blazeposer_command: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(picture, "draw", lambda: b"a picture")
    monkeypatch.setattr(convention, "_seen", lambda model: ({NETWORK: Response.of(network_like(KNOWN))}, []))
    run = blazeposer_command("convention", "--picture", tmp_path / "c.jpg")
    assert run.status == 0
    assert (tmp_path / "c.jpg").read_bytes() == b"a picture"
    assert "All 7 places agree on the convention." in run.out
    assert "yaw, pitch, roll" in run.out

    turned = Response.of(network_like(KNOWN * [-1, 1, 1]))
    monkeypatch.setattr(convention, "_seen", lambda model: ({CAMERA: turned}, []))
    run = blazeposer_command("convention")
    assert run.status == 1
    assert f"the convention is broken: {CAMERA}: yaw has the other sign" in run.err.splitlines()[-1]


@pytest.mark.parametrize("name", ["c.png", "taken/c.jpg"])
def test_a_picture_that_cannot_be_written(blazeposer_command: CommandLine, tmp_path: Path, name: str) -> None:
    (tmp_path / "taken").write_bytes(b"")
    run = blazeposer_command("convention", "--picture", tmp_path / name)
    assert (run.status, run.err.count("\n")) == (1, 1)


def test_a_model_that_is_none(blazeposer_command: CommandLine, tmp_path: Path) -> None:
    run = blazeposer_command("convention", "--model", tmp_path / "none.tflite")
    assert run.status == 1
    assert "none.tflite: cannot read the model" in run.err.splitlines()[-1]


def test_angles_are_read_as_they_are_known() -> None:
    np.testing.assert_allclose(angles_from_rotation(composed(KNOWN, ORDERS[OURS])), KNOWN, atol=1e-9)
