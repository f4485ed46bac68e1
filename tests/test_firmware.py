"""The virtual camera's imitation of OpenMV's firmware 5.0: one test a rule, each with its source.

"openmv v5.0" is github.com/openmv/openmv at that version; "ulab 6.12" is github.com/v923z/micropython-ulab.
"""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from blazeposer.camera import VirtualCamera, view
from blazeposer.core.contract import OUTPUTS
from blazeposer.core.errors import PortError
from blazeposer.core.prepare import Image, camera_input, rgb565
from blazeposer.openmv import romfs
from blazeposer.openmv.mpremote import mpremote
from blazeposer.tflite.interpreter import Network, open_network
from blazeposer.tflite.manifest import read_manifest

SENSOR = "import csi; c = csi.CSI(); c.reset(); c.pixformat(csi.RGB565); c.framesize(csi.QVGA); c.window((240, 240))\n"
MODEL = "import ml; m = ml.Model('/flash/m.tflite', postprocess=post); "
RAW = "def post(model, inputs, outputs): return [sum([q for row in o[0] for q in row]) for o in outputs]\n"


@pytest.fixture(scope="module")
def camera(needs_virtual_camera: None, portrait: Image, model_path: Path) -> Iterator[VirtualCamera]:
    with VirtualCamera([portrait, portrait[::-1].copy()]) as camera:
        shutil.copy(model_path, camera.folder / "flash" / "m.tflite")
        yield camera


@pytest.fixture(scope="module")
def network(camera: VirtualCamera) -> Network:
    """Return the camera's network, to run without the camera."""
    return open_network(camera.folder / "flash" / "m.tflite", "micro")


def run(camera: VirtualCamera, script: str, expression: str) -> Any:
    """The value of a MicroPython expression after a script, in a camera that has just been soft reset."""
    return json.loads(mpremote(camera.port, "exec", f"import json\n{script}\nprint(json.dumps({expression}))"))


def refused(camera: VirtualCamera, script: str) -> str:
    """The last line of what a script fails with."""
    with pytest.raises(PortError) as raised:
        mpremote(camera.port, "exec", script)
    return str(raised.value)


def sums(outputs: list[Any]) -> list[int]:
    return [int(output.astype(int).sum()) for output in outputs]


def test_input_is_a_bilinear_stretch_into_rgb565_and_pixel_xor_0x80(
    camera: VirtualCamera, portrait: Image, network: Network
) -> None:
    """openmv v5.0 ml: an image is stretched bilinearly into RGB565; int8 input is pixel ^ 0x80."""
    stretched = rgb565(np.asarray(cv2.resize(view(portrait)[20:200, 10:110], (128, 128)), np.uint8))
    expected = network._infer((stretched ^ 0x80).view(np.int8)[None])
    script = SENSOR + RAW + MODEL + "from ml.preprocessing import Normalization\nimg = c.snapshot()\n"
    assert run(camera, script, "m.predict([Normalization(roi=(10, 20, 100, 180))(img)])") == sums(expected)


def test_a_picture_is_mirrored_in_place(camera: VirtualCamera, portrait: Image, network: Network) -> None:
    """openmv v5.0, modules/py_image.c: scale() takes keywords only, changes the image without `copy`, and returns it;
    lib/imlib/imlib.h: the hint HMIRROR is 1 << 4."""
    script = SENSOR + RAW + MODEL + "import image; img = c.snapshot(); there = img.scale(hint=image.HMIRROR)\n"
    seen = rgb565(view(portrait))[:, ::-1]
    expected = sums(network.run(camera_input(np.ascontiguousarray(seen))))
    assert run(camera, script, "[m.predict([img]), m.predict([there]), image.HMIRROR]") == [expected, expected, 16]


def test_predict_wraps_an_image_into_a_normalization_with_its_roi(camera: VirtualCamera) -> None:
    """openmv v5.0 ml: the post-processor's inputs are Normalization instances with `roi` = the whole image."""
    script = SENSOR + "def post(model, inputs, outputs): return [inputs[0].roi, len(inputs)]\n" + MODEL
    assert run(camera, script, "m.predict([c.snapshot()])") == [[0, 0, 240, 240], 1]


def test_normalization_that_is_used_again_keeps_the_first_roi(camera: VirtualCamera) -> None:
    """openmv v5.0 ml.preprocessing: a reused instance keeps the first image's roi."""
    script = SENSOR + (
        "from ml.preprocessing import Normalization\n"
        "n = Normalization(); first = n(c.snapshot()).roi; c.window((100, 100))\n"
    )
    assert run(camera, script, "[first, n(c.snapshot()).roi]") == [[0, 0, 240, 240]] * 2


def test_post_processor_gets_raw_int8_of_rank_3(camera: VirtualCamera, portrait: Image, network: Network) -> None:
    """openmv v5.0 ml: a post-processor gets raw int8 values; ulab 6.12: iterating gives integers."""
    expected = network.run(camera_input(view(portrait)))
    script = SENSOR + RAW + MODEL + "shapes = m.output_shape"
    assert run(camera, script, "[m.predict([c.snapshot()]), shapes]") == [
        sums(expected),
        [list(output.shape) for output in OUTPUTS],
    ]


def test_outputs_are_views_onto_tensor_memory(camera: VirtualCamera) -> None:
    """openmv v5.0 ml: the next predict writes over what a post-processor got."""
    script = (
        SENSOR
        + "def post(model, inputs, outputs): return outputs\n"
        + MODEL
        + (
            "a = m.predict([c.snapshot()])[1]; before = [a[0, i, 0] for i in range(512)]\n"
            "m.predict([c.snapshot()]); after = [a[0, i, 0] for i in range(512)]\n"
        )
    )
    assert run(camera, script, "before != after") is True


def test_without_post_processor_predict_returns_dequantized_copies(
    camera: VirtualCamera, portrait: Image, network: Network
) -> None:
    """openmv v5.0 ml: without a post-processor predict returns dequantized float copies."""
    expected = network.outputs(camera_input(view(portrait)))
    script = (
        SENSOR + "import ml; m = ml.Model('/flash/m.tflite'); o = m.predict([c.snapshot()]); m.predict([c.snapshot()])"
    )
    found = run(camera, script, "[[v for v in o[4][0, 7]], o[1][0, 100, 0]]")
    np.testing.assert_allclose(found[0], expected[4][0, 7], atol=1e-5)
    assert found[1] == pytest.approx(float(expected[1][0, 100, 0]), abs=1e-5)


def test_model_attributes(camera: VirtualCamera, network: Network) -> None:
    """openmv v5.0 ml: len, input_* and output_*; a dtype is a character."""
    script = RAW + MODEL
    names = (
        "m.len, m.input_shape, m.input_dtype, m.input_zero_point, m.output_dtype, m.output_scale, m.output_zero_point"
    )
    length, shape, dtype, zero, output_dtype, scales, zeros = run(camera, script, f"[{names}]")
    assert (length, shape, dtype, zero) == (
        (camera.folder / "flash" / "m.tflite").stat().st_size,
        [[1, 128, 128, 3]],
        ["b"],
        [0],
    )
    assert output_dtype == ["b"] * len(OUTPUTS)
    assert list(zip(scales, zeros, strict=True)) == [
        (pytest.approx(scale), zero_point) for scale, zero_point in network.quantization
    ]


def test_ram_is_the_arena(camera: VirtualCamera, model_path: Path) -> None:
    """openmv v5.0 modules/py_ml.c: `ram` is the size of the arena; here as TFLite Micro counts it on the PC."""
    assert run(camera, RAW + MODEL, "m.ram") == read_manifest(model_path).arena_bytes


def test_missing_and_corrupt_models_raise(camera: VirtualCamera) -> None:
    """openmv v5.0 ml: a model that cannot be loaded is an exception."""
    (camera.folder / "flash" / "bad.tflite").write_bytes(b"bad" * 100)
    assert "OSError" in refused(camera, "import ml; ml.Model('/flash/none.tflite')")
    assert "bad.tflite" in refused(camera, "import ml; ml.Model('/flash/bad.tflite')")


def test_sensor_without_colour_refuses_rgb565(portrait: Image) -> None:
    """openmv v5.0 csi: pixformat() is a RuntimeError where the sensor's driver refuses (common/omv_csi.c)."""
    with VirtualCamera([portrait], gray=True) as camera:
        assert "RuntimeError" in refused(camera, "import csi; csi.CSI().pixformat(csi.RGB565)")
        script = "import csi; c = csi.CSI(); c.pixformat(csi.GRAYSCALE); c.framesize(csi.VGA)"
        assert run(camera, script, "[c.snapshot().width(), c.snapshot().height()]") == [640, 480]


def test_window_is_centred_and_cut_to_the_frame(camera: VirtualCamera, portrait: Image, network: Network) -> None:
    """openmv v5.0 csi: window((w, h)) is centred, and cut to the frame (modules/py_csi.c)."""
    script = (
        SENSOR
        + RAW
        + MODEL
        + "c.window((100, 60)); a = m.predict([c.snapshot()])\nc.window((999, 200)); i = c.snapshot()"
    )
    found = run(camera, script, "[a, i.width(), i.height()]")
    assert found == [sums(network.run(camera_input(view(portrait, window=(110, 90, 100, 60))))), 320, 200]


def test_width_and_height_are_those_of_the_frame(camera: VirtualCamera) -> None:
    """openmv v5.0 csi: width() and height() are the frame size's, whatever the window (modules/py_csi.c)."""
    assert run(camera, SENSOR, "[c.width(), c.height()]") == [320, 240]


def test_snapshot_needs_format_and_size(camera: VirtualCamera) -> None:
    """openmv v5.0 csi: a snapshot before pixformat and framesize, or a window before framesize, is a RuntimeError."""
    for call in ("snapshot()", "window((9, 9))", "height()"):
        assert "RuntimeError" in refused(camera, f"import csi; csi.CSI().{call}")


def test_frame_buffer_is_reused(camera: VirtualCamera) -> None:
    """openmv v5.0 csi: a snapshot is the frame buffer's image, until the next one; ours then refuses it."""
    script = SENSOR + RAW + MODEL + "old = c.snapshot(); c.snapshot(); m.predict([old])"
    assert "this image is gone" in refused(camera, script)


def test_rom_is_read_only(camera: VirtualCamera) -> None:
    """MicroPython vfs.VfsRom, openmv v5.0 ROMFS: /rom is read-only."""
    assert "OSError" in refused(camera, "open('/rom/x', 'w')")
    assert not romfs.read(camera.device.rom.read_bytes())


def test_working_directory_and_path(camera: VirtualCamera) -> None:
    """openmv v5.0: the working directory is /flash where no card is in, and scripts there can be imported."""
    (camera.folder / "flash" / "mine.py").write_text("value = 7")
    assert run(camera, "import os, mine", "[os.getcwd(), mine.value]") == ["/flash", 7]


def test_omv_identifies_the_camera(camera: VirtualCamera) -> None:
    """openmv v5.0 omv: version_string(), board_type(), arch()."""
    version, *names = run(camera, "import omv", "[omv.version_string(), omv.board_type(), omv.arch()]")
    assert version == "5.0.0"
    assert all(isinstance(name, str) and name for name in names)


def test_clock_measures_frames(camera: VirtualCamera) -> None:
    """openmv v5.0 time.clock(): tick() begins a frame, fps() is the mean rate."""
    script = "import time; k = time.clock()\nfor _ in range(3): k.tick(); time.sleep_ms(50); f = k.fps()"
    assert 0 < run(camera, script, "f") <= 20


def test_row_of_one_value_is_an_array(camera: VirtualCamera, portrait: Image, network: Network) -> None:
    """ulab 6.12 code/ndarray.c: each index takes one dimension away, and only the last one leaves a number."""
    script = SENSOR + "def post(model, inputs, outputs): return [len(outputs[6][0, 7]), outputs[6][0, 7, 0]]\n" + MODEL
    expected = network.run(camera_input(view(portrait)))[6][0, 7, 0]
    assert run(camera, script, "m.predict([c.snapshot()])") == [1, int(expected)]


def test_array_gives_its_memory(camera: VirtualCamera, portrait: Image, network: Network) -> None:
    """ulab 6.12 code/ndarray.c, ndarray_get_buffer: memoryview() of an int8 array is that memory, signed and flat."""
    script = SENSOR + "def post(model, inputs, outputs): return [list(memoryview(o)) for o in outputs[6:]]\n" + MODEL
    expected = network.run(camera_input(view(portrait)))[6:]
    assert run(camera, script, "m.predict([c.snapshot()])") == [output.ravel().tolist() for output in expected]


@pytest.mark.parametrize(
    ("module", "names"),
    [
        ("csi", "CSI GRAYSCALE QVGA RGB565 VGA"),
        ("image", "CENTER GRAYSCALE HMIRROR Image RGB565 SCALE_ASPECT_KEEP"),
        ("ml", "Model preprocessing"),
        ("ml.preprocessing", "Normalization"),
        ("omv", "arch board_type version_string"),
        ("protocol", "is_active register"),
        ("ulab", "numpy"),
        ("ulab.numpy", "ndarray"),
    ],
)
def test_modules_have_the_names_that_the_scripts_use(camera: VirtualCamera, module: str, names: str) -> None:
    """Ours: nothing else is in them by chance."""
    found = run(camera, f"import {module}", f"[n for n in dir({module}) if not n.startswith('_')]")
    assert sorted(found) == names.split()


ARRAY = SENSOR + "def post(model, inputs, outputs): return outputs\n" + MODEL + "a = m.predict([c.snapshot()])[0]\n"


@pytest.mark.parametrize(
    ("script", "error"),
    [
        ("import csi; csi.CSI().auto_gain(False)", "AttributeError"),
        ("import csi; csi.HD", "AttributeError"),
        ("import csi; csi.CSI(1)", "TypeError"),
        ("import csi; csi.CSI().framesize((320, 240))", "NotOnCamera"),
        ("import csi; csi.CSI().pixformat(9)", "NotOnCamera"),
        (SENSOR + "c.window(240, 240)", "TypeError"),
        (SENSOR + "c.window([240, 240])", "NotOnCamera"),
        (SENSOR + "c.snapshot().draw_rectangle(1, 2, 3, 4)", "TypeError"),  # the form before firmware 5.0
        (SENSOR + "c.snapshot().draw_line((1, 2, 3.5, 4))", "NotOnCamera"),
        (SENSOR + "c.snapshot().draw_line((1, 2, 3))", "NotOnCamera"),
        (SENSOR + "c.snapshot().get_pixel(1, 2)", "AttributeError"),
        (SENSOR + "c.snapshot().replace(hmirror=True)", "AttributeError"),  # on firmware 5.0 it raises, too
        (SENSOR + "import image; c.snapshot().scale(image.HMIRROR)", "TypeError"),
        (SENSOR + "import image; c.snapshot().scale(hint=image.HMIRROR, copy=True)", "NotOnCamera"),
        (SENSOR + "c.snapshot().scale(x_scale=0.5)", "TypeError"),
        (SENSOR + "c.snapshot().scale()", "NotOnCamera"),
        ("import image; image.SEARCH_EX", "AttributeError"),
        ("import omv; omv.disable_fb(True)", "AttributeError"),
        ("import ml; ml.Model('/flash/m.tflite', load_to_fb=True)", "TypeError"),
        (SENSOR + RAW + MODEL + "m.predict(c.snapshot())", "NotOnCamera"),
        (SENSOR + RAW + MODEL + "m.predict([[1, 2]])", "NotOnCamera"),
        (SENSOR + RAW + MODEL + "m.predict([c.snapshot()], callback=print)", "NotOnCamera"),
        ("import ml; ml.preprocessing.Normalization(scale=(0, 1))", "TypeError"),
        ("import ml; ml.preprocessing.Normalization(roi=(0, 1))", "NotOnCamera"),
        ("import ml; ml.postprocessing", "AttributeError"),
        ("from ulab import numpy as np; np.int32", "AttributeError"),
        ("from ulab import numpy as np; np.array([1])", "AttributeError"),
        ("from ulab import scipy", "ImportError"),
        ("import image; image.Image(2, 2, image.GRAYSCALE)", "NotOnCamera"),
        ("import image; image.Image('/flash/x.pgm', 0)", "NotOnCamera"),
        ("from ulab import numpy as np; np.ndarray(bytes(1), (1,) * 5)", "ValueError"),  # at most 4 dimensions
        (ARRAY + "a[0, :, 0]", "NotOnCamera"),
        (ARRAY + "a[0, 512]", "IndexError"),
        (ARRAY + "a[0, 0, 0, 0]", "IndexError"),
        (ARRAY + "a + 1", "TypeError"),
        (ARRAY + "a[0, 0] = 1", "NotOnCamera"),
        (ARRAY + "a.tolist()", "AttributeError"),
        (ARRAY + "a.dtype", "AttributeError"),
    ],
)  # fmt: skip
def test_what_the_scripts_do_not_use_raises(camera: VirtualCamera, script: str, error: str) -> None:
    """Ours: names, forms, dtypes and ranks that the virtual camera does not know are errors, never guesses."""
    assert f"{error}:" in refused(camera, script)
