"""Watch the virtual camera for minutes at its full rate, with page and recording: `make soak`.

Prints how many records were lost, and how the memory of `blazeposer watch` went; exits with 1 if one was lost, or if
memory grew by more than `GROWTH` after the first fifth.
"""

import http.client
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from blazeposer.live.recording import read
from blazeposer.stream.record import Reader
from live import free_port, streaming_camera

MINUTES = 10.0
GROWTH = 8 * 1024 * 1024
"""Bytes. What leaks with each record would be more: a few hundred bytes, some 15,000 times in ten minutes."""
SAMPLES = 20


def resident(process: int) -> int:
    """Bytes of memory that a process has (Linux, as the virtual camera)."""
    pages = Path(f"/proc/{process}/statm").read_text().split()[1]
    return int(pages) * 4096


def read_events(port: int) -> None:
    """Read as a browser does, until the server ends."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", "/events")
    response = connection.getresponse()
    while response.read1(1 << 16):
        pass


def soak(minutes: float) -> bool:
    """Return whether nothing was lost and memory stayed flat."""
    camera, port = streaming_camera(), free_port()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "session.jsonl")
        command = [sys.executable, "-m", "blazeposer", "watch", "--port", camera.port, "--record", str(path)]
        command += ["--web", "--web-port", str(port)]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as watch:
            try:
                while not path.exists() or not path.stat().st_size:
                    if watch.poll() is not None:
                        return False
                    time.sleep(0.1)
                threading.Thread(target=read_events, args=(port,), daemon=True).start()
                start, memory = time.monotonic(), []
                for sample in range(1, SAMPLES + 1):
                    time.sleep(max(0.0, start + 60 * minutes * sample / SAMPLES - time.monotonic()))
                    memory.append(resident(watch.pid))
                    minute = (time.monotonic() - start) / 60
                    left = minutes - minute
                    print(f"{minute:5.1f} min: {memory[-1] / 2**20:.1f} MB, {max(0.0, left):.1f} min left", flush=True)
            finally:
                watch.send_signal(signal.SIGINT)
                watch.wait()
                camera.stop()
        reader = Reader(midway=False)
        records = list(read(path, reader))
    counts, first = reader.counts, len(memory) // 5
    growth = max(memory[first:]) - memory[first]
    rate = (len(records) - 1) / max(1e-3, (records[-1].t_ms - records[0].t_ms) / 1000)
    print(f"{len(records)} records at {rate:.1f} a second, {counts.lost} lost, {counts.garbled} garbled, ", end="")
    print(f"{counts.restarts} restarts; memory grew by {growth / 2**20:.1f} MB after the first fifth")
    return not counts.lost and not counts.garbled and not counts.restarts and growth <= GROWTH


if __name__ == "__main__":
    sys.exit(0 if soak(float(sys.argv[1]) if len(sys.argv) > 1 else MINUTES) else 1)
