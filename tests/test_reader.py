"""The reader of the stream: whatever comes, it counts, and reads on."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest

from blazeposer.core.face import Face, Keypoints
from blazeposer.stream.record import Counts, Reader, Record, Timing, as_line, parse_line

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


def _flipped(data: bytes, chance: random.Random) -> bytes:
    flipped = bytearray(data)
    for _ in range(chance.randint(1, 12)):
        flipped[chance.randrange(len(flipped))] ^= 1 << chance.randrange(8)
    return bytes(flipped)


def _cut(data: bytes, chance: random.Random) -> bytes:
    return data[: chance.randrange(len(data))] + b"\n" * chance.randint(0, 1)


def _without_middle(data: bytes, chance: random.Random) -> bytes:
    start, end = sorted(chance.sample(range(len(data)), 2))
    return data[:start] + data[end:]


def _odd_value(data: bytes, chance: random.Random) -> bytes:
    values = json.loads(data)
    odd = [float("nan"), float("inf"), -1e308, 10**400, "x" * 50, None, [], {}, True, [[[[]]]], "</script>", 2]
    target = chance.choice([values, values["faces"][0]])
    target[chance.choice(list(target))] = chance.choice(odd)
    return json.dumps(values).encode() + b"\n"


def _noise(data: bytes, chance: random.Random) -> bytes:
    return chance.randbytes(chance.randint(1, 300))


def _deep(data: bytes, chance: random.Random) -> bytes:
    return chance.choice([b"[", b'{"a":', b'{"faces":[', b"{"]) * chance.randint(1, 1000) + b"\n" * chance.randint(0, 1)


def _huge(data: bytes, chance: random.Random) -> bytes:
    return chance.choice([data * 40, b"9" * 60_000, b'{"seq":' + b"1" * 30_000, chance.randbytes(40_000)])


COMMON = (_flipped, _cut, _without_middle, _odd_value, _noise)
RARE = (_deep, _huge)


def _broken(seq: int, chance: random.Random) -> bytes:
    """Something that never is the record `seq`, which is missing then."""
    make: Callable[[bytes, random.Random], bytes] = chance.choice(RARE if chance.random() < 0.01 else COMMON)
    return make(line(seq, 1 + (seq % 50 == 1)), chance)


@pytest.mark.slow
def test_a_hundred_thousand_broken_records() -> None:
    """After each broken one comes an intact one, on a line of its own or on the same; all of these are read at once."""
    chance = random.Random(20)
    reader = TimedReader()
    for seq in range(0, 200_000, 2):
        broken = _broken(seq, chance)
        intact = replace(record(seq + 1), t_ms=10**9 + seq)
        data = broken + as_line(intact).encode() + b"\n"
        cut = chance.randrange(len(data))
        found = reader.feed(data[:cut]) + reader.feed(data[cut:])
        assert found, data
        assert found[-1] == intact, data
    counts = reader.counts
    assert min(counts.garbled, counts.lost, counts.repeated, counts.other_version, counts.late, counts.restarts) > 0
    assert counts.records >= 100_000
    assert reader.longest < LONGEST


def test_streams_of_nothing_but_noise() -> None:
    chance = random.Random(21)
    reader = TimedReader()
    for _ in range(300):
        reader.feed(b"".join(_broken(chance.randrange(10**6), chance) for _ in range(10)).replace(b"\n", b""))
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
