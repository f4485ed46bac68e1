"""The network's input, clean and as a camera makes it."""

import numpy as np
import pytest

from blazeposer.core.prepare import Image, camera_input, clean_input, rgb565, square_crop, square_pad, to_float, to_int8


@pytest.fixture
def noise() -> Image:
    return np.random.default_rng(0).integers(0, 256, (90, 150, 3), dtype=np.uint8)


def test_crop_is_the_centred_square(noise: Image) -> None:
    view, (x, y, side) = square_crop(noise)
    assert (x, y, side) == (30, 0, 90)
    assert np.array_equal(view, noise[:, 30:120])
    assert square_crop(noise.transpose(1, 0, 2))[1] == (0, 30, 90)


def test_pad_keeps_the_picture_and_says_where_it_lies(noise: Image) -> None:
    padded, (x, y, side) = square_pad(noise)
    assert (x, y, side) == (0, -30, 150)
    assert np.array_equal(padded[30:120], noise)
    assert not padded[:30].any()
    assert not padded[120:].any()


@pytest.mark.parametrize("prepare", [clean_input, camera_input])
def test_a_wide_picture_is_stretched(prepare: object) -> None:
    """openmv v5.0 ml.preprocessing.Normalization: the aspect ratio is ignored, nothing is padded."""
    assert callable(prepare)
    image = np.zeros((100, 400, 3), np.uint8)
    image[:, 200:] = 255
    out = prepare(image)
    assert out.shape == (128, 128, 3)
    assert (out[:, :63] == 0).all()
    assert (out[:, 65:] == 255).all()


def test_camera_samples_where_clean_averages() -> None:
    """openmv v5.0 ml: plain bilinear. Columns of one pixel, 8 apart, fall between its samples."""
    image = np.zeros((1024, 1024, 3), np.uint8)
    image[:, ::8] = 255
    assert not camera_input(image).any()
    assert np.allclose(clean_input(image), 255 / 8, atol=1)


def test_rgb565_keeps_the_high_bits_and_both_ends() -> None:
    """openmv: a frame holds 5, 6 and 5 bits a channel."""
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    red, green, blue = np.moveaxis(rgb565(ramp)[0], -1, 0)
    assert [len(set(channel.tolist())) for channel in (red, green, blue)] == [32, 64, 32]
    assert (red[0], red[255], green[0], green[255]) == (0, 255, 0, 255)
    assert (red >> 3 == np.arange(256) >> 3).all()
    assert (green >> 2 == np.arange(256) >> 2).all()
    assert np.array_equal(rgb565(rgb565(ramp)), rgb565(ramp))


def test_camera_input_is_rgb565(noise: Image) -> None:
    out = camera_input(noise)
    assert np.array_equal(rgb565(out), out)


def test_int8_is_the_pixel_with_its_top_bit_flipped() -> None:
    """openmv v5.0 ml: an int8 input is written as pixel ^ 0x80, whatever the tensor's scale and zero point."""
    pixels = np.array([0, 1, 127, 128, 255], np.uint8)
    assert to_int8(pixels).tolist() == [-128, -127, -1, 0, 127]
    assert to_int8(pixels).dtype == np.int8


def test_float_is_minus_one_to_one() -> None:
    assert to_float(np.array([0, 255], np.uint8)).tolist() == [-1, 1]
