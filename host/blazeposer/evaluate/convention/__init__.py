"""What yaw, pitch and roll mean, proved: known rotations go in, and every place where angles come out has to answer.

receivers.py  how the programs that poses are sent to read them
seen.py       the textured head against the network and a camera's stream
sent.py       known rotations through every format
picture.py    the three angles on a head
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.progress import Progress

from blazeposer.camera.micropython import check_platform
from blazeposer.core.contract import ANGLES
from blazeposer.core.errors import BlazePoserError, MissingExtraError
from blazeposer.core.rotation import Floats, geodesic_degrees, rotation_from_angles
from blazeposer.evaluate.convention import picture, seen, sent
from blazeposer.evaluate.convention.seen import Response, order_name
from blazeposer.evaluate.report import Picture, Section, Table

TITLE = "Convention: sign, axis, zero and order of the angles"
TURNS = ", ".join(f"{name} by {limit:.0f}" for name, limit in zip(ANGLES, seen.LIMITS, strict=True))
PREAMBLE = f"""\
The demo's textured head turns to both sides, {TURNS} degrees: each angle alone, then all three at
{seen.COMBINED} of that. A network is never exact: it is judged by how its angles answer. Per degree turned it has to
read {seen.LEAST_GAIN} to {seen.MOST_GAIN} degrees of the same angle (a sign that is turned gives a negative value) and
less than {seen.MOST_CROSSTALK} of the others (angles that are exchanged give as much there), a head that looks straight
within {seen.MOST_ZERO:.0f} degrees of zero, and combined turns have to fit our order of composition better than any
other. Formats are exact: known rotations up to {", ".join(f"{limit:.0f}" for limit in sent.WIDEST)} degrees are sent,
and read back as the receiving program defines them, within {sent.EXACT} degrees: records hold hundredths, OSC
numbers of single precision."""
NETWORK, CAMERA = "network on the PC", "virtual camera's stream"


class Sending(NamedTuple):
    """What a format sent of the three examples, and by how many degrees it was read wrong at most."""

    examples: list[Floats]
    off: float


def convention_section(model: Path | None = None) -> Section:
    """The proof for a report: failed where any place has another sign, axis, zero or order. Within a minute.

    `model`: a tflite file, by default the INT8 one that comes along; a BlazePoserError if it cannot be run. What lacks
    its extra is named as not run.
    """
    responses, missing = _seen(model)
    sendings = dict[str, Sending]()
    known = rotation_from_angles(sent.known_angles())
    for name, through in sent.FORMATS.items():
        try:
            read = through(sent.moments())
        except MissingExtraError as error:
            missing.append(f"{name} ({error})")
            continue
        off = geodesic_degrees([one.rotation for one in read], known)
        sendings[name] = Sending([one.numbers for one in read[: len(ANGLES)]], float(off.max()))

    faults = [f"{name}: {fault}" for name, response in responses.items() for fault in response.faults()]
    faults += [f"{name}: read back {s.off:.2f} degrees off" for name, s in sendings.items() if s.off > sent.EXACT]
    verdict = "; ".join(faults) if faults else f"All {len(responses) + len(sendings)} places agree on the convention"
    return Section(
        TITLE,
        [
            f"{verdict}." + (f" Not run: {'; '.join(missing)}." if missing else ""),
            PREAMBLE,
            Picture(picture.draw(), picture.TEXT),
            _seen_table(responses),
            _orders_table(responses),
            _sent_table(sendings),
        ],
        "failed" if faults else "passed",
        {
            "seen": {name: response.as_dict() for name, response in responses.items()},
            "sent_off_degrees": {name: round(sending.off, 4) for name, sending in sendings.items()},
            "faults": faults,
            "not_run": missing,
        },
    )


def _seen(model: Path | None) -> tuple[dict[str, Response], list[str]]:
    """Responses of the network and of a camera, and what was not run."""
    places = {NETWORK: seen.seen_by_network, CAMERA: seen.streamed_by_camera}
    missing = []
    try:
        check_platform()
    except BlazePoserError as error:
        del places[CAMERA]
        missing.append(f"{CAMERA} ({error})")
    responses = {}
    with Progress(console=Console(stderr=True)) as progress:
        for name, look in places.items():
            task = progress.add_task(f"convention: {name}", total=len(seen.poses(seen.LIMITS)))
            responses[name] = Response.of(look(model, partial(progress.advance, task)))
    return responses, missing


def _seen_table(responses: Mapping[str, Response]) -> Table:
    rows = [
        [name, turned, *(f"{gain:+.2f}" for gain in response.gain[index]), f"{response.zero[index]:+.1f}"]
        for name, response in responses.items()
        for index, turned in enumerate(ANGLES)
    ]
    head = ["", "turned", *(f"{name} read per degree" for name in ANGLES), "read at 0, degrees"]
    return Table(head, rows, "The head's angles against what is read of them")


def _orders_table(responses: Mapping[str, Response]) -> Table:
    rows = [[name, *(f"{off:.1f}" for off in response.orders)] for name, response in responses.items()]
    caption = "Combined turns: mean degrees to the head's rotation if it were composed in this order, outermost first"
    return Table(["", *map(order_name, range(len(seen.ORDERS)))], rows, caption)


def _sent_table(sendings: Mapping[str, Sending]) -> Table:
    rows = [
        [name, *(", ".join(f"{value:.4g}" for value in np.round(numbers, 3) + 0.0) for numbers in s.examples),
         f"{s.off:.4f}"]
        for name, s in sendings.items()
    ]  # fmt: skip
    head = ["sent as", *(f"{name} {sent.EXAMPLE:+.0f}" for name in ANGLES), "largest difference read back, degrees"]
    return Table(head, rows, "Known rotations in every format")
