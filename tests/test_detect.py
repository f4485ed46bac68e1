"""The detector and the `detect` subcommand on real images."""

from pathlib import Path

import numpy as np
import pytest

from blazeposer.core.contract import ANGLES
from blazeposer.core.prepare import Image
from blazeposer.core.rotation import geodesic_degrees
from blazeposer.faces.detector import Detector
from blazeposer.media.output import VideoWriter, write_image
from blazeposer.media.sources import open_source, read_image
from blazeposer.stream.record import Record, parse_line
from conftest import CommandLine

FACE = (225, 128)  # centre of the portrait's face, pixels, read off the image
HEAD = (80, 300)  # x and side of a square of the portrait, from its top, with the head in it


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector()


@pytest.fixture(scope="module")
def head(portrait: Image) -> Image:
    x, side = HEAD
    return portrait[:side, x : x + side]


def beside(head: Image, left: int, right: int) -> Image:
    """The head with grey on its left and right."""
    return np.pad(head, ((0, 0), (left, right), (0, 0)), constant_values=128)


def centre(box: list[float] | tuple[float, ...]) -> tuple[float, float]:
    return box[0] + box[2] / 2, box[1] + box[3] / 2


def records_of(printed: str) -> list[Record]:
    """Return the records of what was printed, each line one of the stream's form."""
    records = [record for line in printed.splitlines() if (record := parse_line(line))]
    assert len(records) == printed.count("\n")
    return records


def test_the_portrait_has_one_face(detector: Detector, portrait: Image) -> None:
    (face,) = detector(portrait)
    assert centre(face.box) == pytest.approx(FACE, abs=10)
    assert 70 < face.box[2] < 110
    assert face.score > 0.75
    points = face.keypoints
    assert points.right_ear[0] < points.right_eye[0] < points.left_eye[0] < points.left_ear[0]
    assert points.right_eye[1] < points.nose[1] < points.mouth[1]


def test_the_portrait_s_pose(detector: Detector, portrait: Image, portrait_path: Path) -> None:
    """Against the rotation of the demo's head, which 468 landmarks of another network gave."""
    with np.load(portrait_path.with_name("head.npz")) as head:
        expected = head["rotation"]
    (face,) = detector(portrait)
    assert geodesic_degrees(face.rotation, expected) < 15


def test_a_face_is_where_it_is_in_a_wide_picture(detector: Detector, head: Image) -> None:
    (face,) = detector(beside(head, 200, 0))
    assert centre(face.box) == pytest.approx((FACE[0] - HEAD[0] + 200, FACE[1]), abs=12)


def test_camera_input_sees_the_centred_square_only(head: Image) -> None:
    camera = Detector(input="camera")
    assert camera(beside(head, 600, 0)) == []
    (face,) = camera(beside(head, 150, 150))
    assert centre(face.box) == pytest.approx((FACE[0] - HEAD[0] + 150, FACE[1]), abs=12)


def test_every_runtime_finds_it(portrait: Image) -> None:
    for runtime in ("reference", "xnnpack"):
        (face,) = Detector(runtime=runtime)(portrait)
        assert centre(face.box) == pytest.approx(FACE, abs=10)


def test_threshold_and_max_faces_reach_the_decoder(head: Image) -> None:
    two = np.concatenate([head, head], axis=1)
    assert len(Detector()(two)) == 2
    assert len(Detector(max_faces=1)(two)) == 1
    assert Detector(threshold=0.9999)(two) == []


def test_json_of_a_picture(blazeposer_command: CommandLine, detector: Detector, portrait_path: Path) -> None:
    run = blazeposer_command("detect", portrait_path, "--json")
    assert (run.status, run.err) == (0, "")
    (record,) = records_of(run.out)
    assert (record.source, record.seq, record.size) == ("portrait.jpg", 0, (512, 512))
    (face,) = record.faces
    (expected,) = detector(read_image(portrait_path))
    assert face.box == pytest.approx(expected.box, abs=0.006)
    assert face.score == pytest.approx(expected.score, abs=0.0006)
    assert face.angles == pytest.approx(expected.angles, abs=0.006)
    assert face.err == pytest.approx(expected.err, abs=0.006)
    assert face.points == pytest.approx(expected.points, abs=0.006)


def test_text_of_a_picture(blazeposer_command: CommandLine, portrait_path: Path) -> None:
    run = blazeposer_command("detect", portrait_path)
    assert run.status == 0
    assert run.out.count("\n") == 1
    assert run.out.startswith("portrait.jpg: face at x ")
    assert all(f"  {name} " in run.out for name in (*ANGLES, "err"))


def test_no_face_is_no_failure(blazeposer_command: CommandLine, tmp_path: Path) -> None:
    write_image(tmp_path / "grey.png", np.full((200, 300, 3), 90, np.uint8))
    run = blazeposer_command("detect", tmp_path / "grey.png")
    assert run == (0, "grey.png: no face of at least 24 pixels\n", "")
    assert records_of(blazeposer_command("detect", tmp_path / "grey.png", "--json").out)[0].faces == ()


def test_a_folder_goes_on_after_a_damaged_picture(
    blazeposer_command: CommandLine, portrait: Image, tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    write_image(folder / "a.jpg", portrait)
    (folder / "b.jpg").write_bytes(b"no picture")
    write_image(folder / "c.webp", portrait[::2, ::2])
    (folder / "notes.txt").write_text("not a picture either")
    run = blazeposer_command("detect", folder, "--json", "--output", tmp_path / "out")
    assert run.status == 1
    assert [record.source for record in records_of(run.out)] == ["a.jpg", "c.webp"]
    damaged, summary, wrote = run.err.splitlines()
    assert "b.jpg" in damaged
    assert summary == "in: 3 images, 2 with faces, 1 failed; 1 other files left out: notes.txt"
    assert wrote == f"Wrote {tmp_path / 'out' / 'a.jpg'} and 1 more files"
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == ["a.jpg", "c.png"]
    assert read_image(tmp_path / "out" / "c.png").shape == (256, 256, 3)


def test_small_faces_of_a_video_are_followed(blazeposer_command: CommandLine, head: Image, tmp_path: Path) -> None:
    small = np.pad(head, ((450, 450), (450, 450), (0, 0)), constant_values=128)
    with VideoWriter(tmp_path / "clip.mp4", 12.0) as video:
        for _ in range(5):
            video.write(small)
    found = {}
    for option in ("--fast", "--closer"):
        run = blazeposer_command("detect", tmp_path / "clip.mp4", "--json", option)
        assert (run.status, run.err) == (0, "")
        found[option] = [face.id for record in records_of(run.out) for face in record.faces]
    assert found["--closer"] == [1] * 4  # the first frame gives the guess
    assert len(found["--fast"]) < 3


def test_a_video_makes_a_video(blazeposer_command: CommandLine, head: Image, tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "clip.mp4", 12.0) as video:
        for shift in range(5):
            video.write(np.roll(head, 4 * shift, axis=1))
    run = blazeposer_command("detect", tmp_path / "clip.mp4", "--json", "--output", tmp_path / "out")
    assert (run.status, run.err) == (0, f"Wrote {tmp_path / 'out' / 'clip.mp4'}\n")
    records = records_of(run.out)
    assert [record.seq for record in records] == list(range(5))
    moved = [centre(record.faces[0].box)[0] for record in records]
    assert moved[-1] - moved[0] == pytest.approx(16, abs=6)
    drawn = open_source(str(tmp_path / "out" / "clip.mp4"))
    assert (drawn.total, drawn.fps) == (5, 12.0)
    assert [frame.read().shape for frame in drawn.frames] == [(300, 300, 3)] * 5


def test_frames_stops_a_video(blazeposer_command: CommandLine, head: Image, tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "clip.mp4", 12.0) as video:
        for _ in range(4):
            video.write(head)
    run = blazeposer_command("detect", tmp_path / "clip.mp4", "--frames", "2")
    assert run.status == 0
    assert [line.split(":")[0] for line in run.out.splitlines()] == ["clip.mp4 frame 0", "clip.mp4 frame 1"]


def test_a_webcam_runs_until_interrupted(
    blazeposer_command: CommandLine, head: Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Webcam:
        """Three frames, then ^C."""

        reads = 0
        released = False

        def __init__(self, index: int) -> None:
            assert index == 2

        def read(self) -> tuple[bool, Image]:
            Webcam.reads += 1
            if Webcam.reads > 3:
                raise KeyboardInterrupt
            return True, np.ascontiguousarray(head[..., ::-1])

        def get(self, _: int) -> float:
            return 0.0

        def release(self) -> None:
            Webcam.released = True

    with monkeypatch.context() as patch:
        patch.setattr("cv2.VideoCapture", Webcam)
        run = blazeposer_command("detect", "2", "--json", "--output", tmp_path)
    assert (run.status, run.err) == (0, f"Wrote {tmp_path / 'camera2.mp4'}\n")
    records = records_of(run.out)
    assert [(record.source, record.seq, len(record.faces)) for record in records] == [
        ("camera 2", frame, 1) for frame in range(3)
    ]
    assert Webcam.released
    assert open_source(str(tmp_path / "camera2.mp4")).total == 3


@pytest.mark.parametrize("target", ["drawn.png", "folder"])
def test_output_is_the_annotated_picture(
    blazeposer_command: CommandLine, portrait_path: Path, portrait: Image, tmp_path: Path, target: str
) -> None:
    assert blazeposer_command("detect", portrait_path, "--output", tmp_path / target).status == 0
    written = tmp_path / target / "portrait.jpg" if target == "folder" else tmp_path / target
    difference = np.abs(read_image(written).astype(int) - portrait)
    assert difference[60:200, 150:300].max() > 100  # round the face
    assert difference[300:].mean() < 3  # far from it: JPEG only


def test_micro_runtime_from_the_command_line(blazeposer_command: CommandLine, portrait_path: Path) -> None:
    pytest.importorskip("tflite_micro", reason="TFLite Micro has no wheel for this system")
    runs = [blazeposer_command("detect", portrait_path, "--json", "--runtime", name) for name in ("reference", "micro")]
    assert runs[0] == runs[1]
    assert runs[0].status == 0


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["missing.jpg"], "missing.jpg: cannot read the image (No such file or directory)"),
        (["text.jpg"], "text.jpg: OpenCV cannot read this image"),
        (["half.png"], "half.png: OpenCV cannot read this image"),
        (["empty.jpg"], "empty.jpg: OpenCV cannot read this image"),
        (["missing.mp4"], "missing.mp4: cannot read the video (no such file)"),
        (["noise.mp4"], "noise.mp4: OpenCV cannot read this video"),
        (["bare"], "bare: this folder contains no images"),
        (["99"], "camera 99: no such camera"),
        (["good.png", "--model", "missing.tflite"], "missing.tflite: cannot read the model"),
        (["good.png", "--model", "text.jpg"], "text.jpg: not a tflite file"),
        (["good.png", "--threshold", "1.5"], "the threshold is 1.5"),
        (["good.png", "--runtime", "gpu"], "'gpu' is not one of"),
        (["good.png", "--output", "good.png"], "would overwrite the input"),
        (["good.png", "--output", "drawn.xyz"], "OpenCV cannot write .xyz"),
        (["good.png", "--output", "text.jpg/drawn.png"], "cannot make this folder"),
        (["folder", "--output", "drawn.png"], "--output needs a folder"),
        (["folder", "--output", "folder"], "would overwrite the images"),
        (["clip.mp4", "--output", "text.jpg/drawn.mp4"], "cannot make this folder"),
        (["clip.mp4", "--output", "drawn.xyz"], "use a file name that ends with .mp4"),
        ([], "Missing argument 'SOURCE'"),
    ],
)
def test_bad_input_is_one_line(
    blazeposer_command: CommandLine,
    head: Image,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    complaint: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    write_image(Path("good.png"), head)
    write_image(Path("folder/good.png"), head)
    with VideoWriter(Path("clip.mp4"), 10.0) as video:
        video.write(head)
    Path("bare").mkdir()
    Path("text.jpg").write_text("no picture")
    Path("empty.jpg").touch()
    Path("half.png").write_bytes(Path("good.png").read_bytes()[:20_000])
    Path("noise.mp4").write_bytes(np.random.default_rng(0).bytes(5000))
    run = blazeposer_command("detect", *arguments)
    assert run.status != 0
    assert run.err.count("\n") == 1
    assert complaint in run.err
    assert "\n" not in run.out.rstrip("\n")
