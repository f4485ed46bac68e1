"""Make network files for boards with an NPU. Vela compiles files for the Ethos-U55, the NPU of the AE3. ST's stedgeai
compiles files for the Neural-ART, the NPU of the N6. Nobody has run a compiled file on a camera."""

import csv
import importlib.util
import subprocess
import sys
import tempfile
from importlib.resources import files
from pathlib import Path

from blazeposer.core.boards import Board
from blazeposer.core.errors import BlazePoserError, MissingExtraError, ModelError
from blazeposer.tflite import firmware
from blazeposer.tflite.check import STEDGEAI_MAGIC
from blazeposer.tflite.graph import Graph, read_graph, read_model

UNVERIFIED = "not verified without a camera"
_STEDGEAI = "stedgeai generate --target stm32n6 --st-neural-art default@neuralart.json --relocatable --model"
"""Command with the arguments from OpenMV's boards.json. The PyPI package `openmv-ota` 1.0.7 contains boards.json and
neuralart.json."""


def compile_for(board: Board, model_path: Path, stedgeai_file: Path | None = None) -> bytes:
    """Return the bytes of the file that a board loads. If the board has an NPU, the model is compiled for the NPU.
    Raises BlazePoserError."""
    if stedgeai_file and board.npu != "neural-art":
        raise BlazePoserError(f"{board.name} cannot use a file of stedgeai: use --board n6, or leave --stedgeai out")
    if board.npu == "neural-art":
        return _neural_art(board, model_path, stedgeai_file)
    return _ethos_u(model_path) if board.npu else read_model(model_path)


def ae3_cycles(model_path: Path) -> int:
    """Return the cycles that Vela estimates for one inference on the AE3's NPU. Raises BlazePoserError."""
    with tempfile.TemporaryDirectory() as folder:
        compiled = _graph(run_vela(model_path, Path(folder)))
        if firmware.ETHOS_U not in {operation.name for operation in compiled.operations}:
            raise BlazePoserError(
                f"Vela cannot compile any operation of {model_path.name} for the NPU: use an INT8 network"
            )
        with open(next(Path(folder).glob("*summary*.csv")), newline="") as stream:
            return round(float(next(csv.DictReader(stream))["cycles_total"]))


def run_vela(path: Path, folder: Path) -> Path:
    """Compile a tflite file for the AE3 with Vela, and return the path of the compiled file in `folder`. Vela also
    writes tables with its estimates into `folder`. Raises BlazePoserError."""
    if importlib.util.find_spec("ethosu") is None:
        raise MissingExtraError("ethos-u-vela", "npu")
    # The options are for the AE3's fast core (boards.json of openmv-ota). vela.ini describes the core's memories.
    config = files("openmv_ota") / "data" / "firmware" / "OPENMV_AE3" / "vela.ini"
    command = [
        sys.executable, "-m", "ethosu.vela", str(path), "--output-dir", str(folder),
        "--accelerator-config", "ethos-u55-256", "--config", str(config), "--system-config", "RTSS_HP_SRAM_OSPI",
        "--memory-mode", "Shared_Sram", "--optimise", "Performance",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    compiled = folder / f"{path.stem}_vela.tflite"
    if done.returncode or not compiled.is_file():
        reason = ((done.stderr or done.stdout).strip().splitlines() or ["no reason given"])[-1]
        raise BlazePoserError(f"Vela cannot compile {path.name} ({reason}): use an INT8 network of standard operations")
    return compiled


def _ethos_u(model_path: Path) -> bytes:
    """Return a model compiled for the AE3. Raises BlazePoserError if the compiled file contains operations for the CPU,
    or if its inputs or outputs differ from those of the original file."""
    source = _graph(model_path)
    with tempfile.TemporaryDirectory() as folder:
        path = run_vela(model_path, Path(folder))
        data, compiled = path.read_bytes(), _graph(path)
    if left := sorted({operation.name for operation in compiled.operations} - {firmware.ETHOS_U}):
        raise BlazePoserError(
            f"Vela cannot compile {', '.join(left)} of {model_path.name} for the NPU: replace these operations"
        )
    if _interface(compiled) != _interface(source):
        raise BlazePoserError(f"Vela changed the inputs or outputs of {model_path.name}: install ethos-u-vela 5.2.0")
    return data


def _neural_art(board: Board, model_path: Path, stedgeai_file: Path | None) -> bytes:
    if stedgeai_file is None:
        raise BlazePoserError(
            f"the {board.name} needs a file that ST's stedgeai has compiled (ST Edge AI Core, from st.com): "
            f"run `{_STEDGEAI} {model_path}`, then run `blazeposer package --board {board.key} --stedgeai "
            "network_rel.bin` with the compiled file, and give the bundle's folder to `blazeposer deploy`"
        )
    data = read_model(stedgeai_file)
    if not data.startswith(STEDGEAI_MAGIC):
        what = "a tflite file" if data[4:8] == b"TFL3" else "not a relocatable network"
        raise ModelError(f"{stedgeai_file}: {what}: use the network_rel.bin that stedgeai writes for the {board.name}")
    return data


def _interface(graph: Graph) -> list[list[tuple[object, ...]]]:
    """Return the shape, type, scale and zero point of each input and output. A compiled file must have the same
    values as the original file, because a camera's script can read these values."""
    return [
        [(tensor.shape, tensor.dtype, tensor.scale, tensor.zero_point) for tensor in tensors]
        for tensors in (graph.input_tensors, graph.output_tensors)
    ]


def _graph(path: Path) -> Graph:
    return read_graph(read_model(path), str(path))
