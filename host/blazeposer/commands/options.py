"""Define the options that several commands of `blazeposer` share, and the types of the options' values."""

from pathlib import Path

import click

from blazeposer.core.boards import BOARDS

PATH = click.Path(path_type=Path)
FOLDER = click.Path(path_type=Path, file_okay=False)
BOARD_NAMES = ", ".join(board.key for board in BOARDS)

model_option = click.option("--model", type=PATH, help="Path of a tflite file.  [default: BlazePoser's INT8 network]")
data_option = click.option(
    "--data",
    "folder",
    help="Folder of the data set or of the pools (data sets in BlazePoser's format).  "
    "[default: the folder in BLAZEPOSER_DATA]",
)
port_option = click.option(
    "--port",
    help="Port of the camera, for example /dev/ttyACM0, COM3 or socket://... The option --port is needed if several "
    "cameras are connected.",
)
