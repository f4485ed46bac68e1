"""The reader of the stream: whatever comes, it counts, and reads on."""

import json
import time
from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from blazeposer.core.face import Face, Keypoints
from blazeposer.stream.record import Counts, Reader, Record, Timing, as_line, parse_line
from breaking import damaged

POINTS = Keypoints(*((100.5 + n, 90.25 - n) for n in range(6)))
FACE = Face((71.2, 64.0, 88.1, 88.3), 0.93, POINTS, 1.2, -3.4, 0.5, 4.2, 1)


def record(seq: int, faces: int = 1) -> Record:
    return Record(seq, 33 * seq, 29.9, (FACE,) * faces, (320, 200), Timing(3.1, 60.2, 1.4))


def line(seq: int, faces: int = 1) -> bytes:
    return as_line(record(seq, faces)).encode() + b"\r\n"


LONGEST = 2.0
"""Seconds of the processor in which a delivery has to be read, whatever it holds: the worst takes a tenth of this."""


class TimedReader(Reader):
    """Knows how long the slowest delivery took."""

    longest = 0.0

    def feed(self, data: bytes) -> list[Record]:
        start = time.process_time()
        found = super().feed(data)
        self.longest = max(self.longest, time.process_time() - start)
        return found


def counted(pieces: Iterable[bytes]) -> tuple[list[int], Counts]:
    reader = Reader(midway=False)
    seen = [found.seq for piece in pieces for found in reader.feed(piece)]
    return seen, reader.counts


@pytest.mark.parametrize("faces", [0, 1, 4])
def test_a_line_comes_back(faces: int) -> None:
    assert parse_line(as_line(record(7, faces))) == record(7, faces)
    bare = replace(record(7, faces), ms=None, faces=(replace(FACE, id=None),) * faces)
    assert parse_line(as_line(bare)) == bare


def test_a_record_without_version_is_of_the_first() -> None:
    values = json.loads(as_line(record(3)))
    for name in ("v", "ms", "size"):
        del values[name]
    assert parse_line(json.dumps(values)) == replace(record(3), ms=None, size=(240, 240))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ms", [1, 2]), ("ms", [1, 2, -3]), ("ms", 3), ("size", [240]), ("size", [0, 240]), ("size", "240x240"),
        ("seq", 2**60), ("t_ms", 1.5), ("fps", -1), ("v", "1"), ("v", 2), ("faces", None),
    ],
)  # fmt: skip
def test_a_broken_value_is_no_record(name: str, value: object) -> None:
    assert parse_line(json.dumps(json.loads(as_line(record(3))) | {name: value})) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [("yaw", 181), ("pitch", -200), ("score", 1.5), ("err", -1), ("id", "1"), ("id", -1), ("box", [1e9, 0, 1, 1])],
)
def test_a_broken_face_is_no_record(name: str, value: object) -> None:
    values = json.loads(as_line(record(3)))
    values["faces"][0][name] = value
    assert parse_line(json.dumps(values)) is None


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_bytes_come_in_any_pieces(size: int) -> None:
    data = b"".join(line(n) for n in range(20))
    seen, counts = counted(data[at : at + size] for at in range(0, len(data), size))
    assert seen == list(range(20))
    assert counts == Counts(records=20)


@pytest.mark.parametrize(
    ("sequence", "seen", "counts"),
    [
        ([0, 1, 4, 5], [0, 1, 4, 5], Counts(records=4, lost=2)),
        ([0, 1, 1, 0, 2], [0, 1, 2], Counts(records=3, repeated=2)),
        ([0, 2, 1, 3], [0, 2, 1, 3], Counts(records=4, late=1)),
        ([500, 501, 0, 1], [500, 501, 0, 1], Counts(records=4, restarts=1)),
        ([0, 1, 2, 10**9, 3, 4], [0, 1, 2, 10**9, 3, 4], Counts(records=6, restarts=2)),
    ],
)
def test_what_is_lost_repeated_or_late_is_counted(sequence: list[int], seen: list[int], counts: Counts) -> None:
    assert counted(line(seq) for seq in sequence) == (seen, counts)


def test_a_restart_after_a_few_frames_is_one() -> None:
    again = [as_line(replace(record(seq), t_ms=7 + 40 * seq)).encode() + b"\n" for seq in range(3)]
    seen, counts = counted([line(0), line(1), line(2), *again])
    assert seen == [0, 1, 2, 0, 1, 2]
    assert (counts.restarts, counts.lost, counts.repeated) == (1, 0, 0)


def test_garbled_lines_and_talk_are_told_apart() -> None:
    reader = Reader(midway=False)
    reader.feed(b"MPY: soft reboot\r\n" + line(0)[:50] + b"\n" + b"\x1b[2J[red]hello\xff\n")
    assert reader.counts.garbled == 1
    assert reader.said == "\N{REPLACEMENT CHARACTER}[2J[red]hello\N{REPLACEMENT CHARACTER}"


def test_the_end_of_a_line_at_the_start_is_no_loss() -> None:
    reader = Reader()
    assert [found.seq for found in reader.feed(line(0)[60:] + line(1))] == [1]
    assert reader.counts == Counts(records=1)


@pytest.mark.parametrize("seq", [1, 3, 6, 900])
def test_a_lost_link_is_a_restart_and_loses_nothing(seq: int) -> None:
    reader = Reader()
    reader.feed(line(2) + line(3) + line(4)[:50])
    for _ in range(3):  # as often as the port is tried
        reader.resume()
    assert [found.seq for found in reader.feed(line(seq - 1)[20:] + line(seq))] == [seq]
    assert reader.counts == Counts(records=3, restarts=1)


def test_another_version_is_counted() -> None:
    other = line(1).replace(b'"v":1', b'"v":2')
    seen, counts = counted([line(0), other, line(2)])
    assert seen == [0, 2]
    assert counts == Counts(records=2, lost=1, other_version=1)


@pytest.mark.parametrize("before", [b"MPY: soft reboot", b"\xff\x00", line(1)[:90], line(1).strip(), b"{" * 9000])
def test_a_record_is_read_behind_what_lacks_its_line_s_end(before: bytes) -> None:
    seen, counts = counted([line(0), before + line(2), line(3)])
    assert seen == [0, 2, 3]
    assert (counts.lost, counts.garbled) == (1, b"{" in before)


def _with_odd_value(data: bytes) -> SearchStrategy[bytes]:
    """One of a record's values, or of its face's, is something else."""
    odd = [float("nan"), float("inf"), -1e308, 10**400, "x" * 50, None, [], {}, True, [[[[]]]], "</script>", 2]

    def put(place: tuple[bool, int, object]) -> bytes:
        in_face, number, value = place
        values = json.loads(data)
        target = values["faces"][0] if in_face else values
        target[list(target)[number % len(target)]] = value
        return json.dumps(values).encode() + b"\n"

    return st.tuples(st.booleans(), st.integers(0, 20), st.sampled_from(odd)).map(put)


DEEP = st.tuples(st.sampled_from([b"[", b'{"a":', b'{"faces":[', b"{"]), st.integers(1, 1000)).map(
    lambda n: n[0] * n[1]
)
HUGE = st.sampled_from([line(0) * 40, b"9" * 60_000, b'{"seq":' + b"1" * 30_000, bytes(range(256)) * 160])
BROKEN = st.integers(0, 10**6).map(line).flatmap(lambda data: damaged(data) | _with_odd_value(data)) | DEEP | HUGE
"""Damaged bytes, which are seldom a record."""


@given(st.lists(st.tuples(BROKEN, st.sampled_from([b"", b"\n"]), st.integers(0, 10**6)), max_size=8))
def test_a_record_is_read_after_whatever_is_broken(pieces: list[tuple[bytes, bytes, int]]) -> None:
    """The intact one is on a line of its own or on the same, comes in two deliveries, and is read at once."""
    reader = TimedReader()
    for number, (broken, end, cut) in enumerate(pieces):
        intact = replace(record(10**7 + number), t_ms=10**9 + number)
        data = broken + end + as_line(intact).encode() + b"\n"
        middle = cut % len(data)
        assert (reader.feed(data[:middle]) + reader.feed(data[middle:]))[-1] == intact
    assert reader.longest < LONGEST


@given(st.lists(BROKEN, max_size=20))
def test_streams_of_nothing_but_noise(noise: list[bytes]) -> None:
    reader = TimedReader()
    reader.feed(b"".join(noise).replace(b"\n", b""))
    assert [found.seq for found in reader.feed(b"\n" + line(5))][-1] == 5
    assert reader.longest < LONGEST


@pytest.mark.parametrize("end", [b"", b"\n"])
@pytest.mark.parametrize("piece", [b"{", b'{"":', b'{"faces":[', b'{"a":"{', b"[{", b'{"faces":[{},', b'{"":{"":0}}'])
def test_braces_that_never_close_do_not_stall(piece: bytes, end: bytes) -> None:
    """Each may be the first of a record, and all after it in it."""
    reader = TimedReader()
    for _ in range(5):
        reader.feed((piece * 4096)[:4096] + end)
    assert [found.seq for found in reader.feed(b"\n" + line(5))] == [5]
    assert reader.longest < LONGEST
