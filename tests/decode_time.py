"""Time and heap of one call of board/blazeposer.py in MicroPython's unix build: `make decode-time`."""

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from blazeposer.camera.micropython import check_platform
from blazeposer.core.contract import OUTPUTS, SCORE_THRESHOLD
from blazeposer.core.errors import BlazePoserError
from blazeposer.core.resources import board_dir
from outputs import QUANTIZATION, Outputs, dequantized, synthetic_outputs

REPEATS = 50

# Run by MicroPython with the folder of blazeposer.py, a file of raw outputs and what is in it as JSON.
_SCRIPT = """
import gc, json, sys, time
from array import array
folder, path, text, repeats = sys.argv[1:]
sys.path.insert(0, folder)
from blazeposer import BlazePoser

class Model: pass
class Input: roi = (0, 0, 240, 240)

about = json.loads(text)
Model.output_scale = [scale for scale, _ in about["quantization"]]
Model.output_zero_point = [zero for _, zero in about["quantization"]]
poser = BlazePoser()
inputs = [Input()]
with open(path, "rb") as file:
    for _ in range(about["frames"]):
        outputs = []
        for size in about["sizes"]:
            outputs.append(array("b", file.read(size)))
        faces = poser(Model, inputs, outputs)
        gc.collect()
        gc.disable()
        before = gc.mem_alloc()
        poser(Model, inputs, outputs)
        allocated = gc.mem_alloc() - before
        gc.enable()
        times = []
        for _ in range(int(repeats)):
            start = time.ticks_us()
            poser(Model, inputs, outputs)
            times.append(time.ticks_diff(time.ticks_us(), start))
        print(json.dumps([len(faces), sorted(times)[len(times) // 2], allocated]))
"""


@dataclass(frozen=True)
class Decoded:
    """One frame."""

    faces: int
    microseconds: int
    """Median of the repeated calls."""
    allocated: int
    """Bytes of heap that one call takes; of this 64-bit build with double precision, not a camera's."""


def decode_on_unix(frames: list[Outputs], repeats: int = REPEATS) -> list[Decoded]:
    """Decode each frame in MicroPython. Raises BlazePoserError where its unix build is not to be had."""
    check_platform()
    about = {
        "quantization": QUANTIZATION,
        "sizes": [int(np.prod(output.shape)) for output in OUTPUTS],
        "frames": len(frames),
    }
    with tempfile.TemporaryDirectory() as folder:
        script, data = Path(folder, "script.py"), Path(folder, "outputs.bin")
        script.write_text(_SCRIPT)
        data.write_bytes(b"".join(tensor.tobytes() for frame in frames for tensor in frame))
        command = [sys.executable, "-m", "micropython_unix", str(script), str(board_dir()), str(data)]
        command += [json.dumps(about), str(repeats)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BlazePoserError(f"MicroPython failed: {(done.stdout + done.stderr).strip().splitlines()[-1]}")
    return [Decoded(*json.loads(line)) for line in done.stdout.splitlines()]


def survivors(frame: Outputs) -> int:
    """Anchors that reach the threshold."""
    least = np.log(SCORE_THRESHOLD / (1 - SCORE_THRESHOLD))
    return sum(int((scores >= least).sum()) for scores in dequantized(frame)[1:3])


def main() -> int:
    """Print the median time for 0, 1 and 4 faces. 1 with one line on stderr where MicroPython is missing."""
    try:
        check_platform()
        frames = [synthetic_outputs(seed, seed % 5) for seed in range(100)]
        decoded = decode_on_unix(frames)
    except BlazePoserError as error:
        print(error, file=sys.stderr)
        return 1
    print("board/blazeposer.py in MicroPython's unix build on this PC, made-up outputs, medians")
    print(f"{'faces':>6} {'frames':>7} {'anchors':>8} {'decode':>10}")
    for faces in (0, 1, 4):
        found = [(one, survivors(frame)) for one, frame in zip(decoded, frames, strict=True) if one.faces == faces]
        time = float(np.median([one.microseconds for one, _ in found])) / 1000
        anchors = float(np.median([count for _, count in found]))
        print(f"{faces:>6} {len(found):>7} {anchors:>8.0f} {time:>7.2f} ms")
    return 0


if __name__ == "__main__":
    sys.exit(main())
