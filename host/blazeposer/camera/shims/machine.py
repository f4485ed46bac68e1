# Adds a camera's reset, serial number, LEDs, pins and buses to the unix build's `machine`. The PC records the values
# that scripts write. The behaviour follows docs.openmv.io, machine.LED, machine.PWM and machine.UART. An LED is on if
# its pin is low.

import time as _time

from _link import ask as _ask
from _link import refuse as _refuse
from umachine import *


def reset():
    while True:  # the program on the PC ends this process
        try:
            _ask("reset")
            _time.sleep(1)
        except KeyboardInterrupt:  # a camera cannot stop its reset
            pass


def unique_id():
    return bytes.fromhex(_ask("hello")["id"])


class LED:
    def __init__(self, pin_name):
        if pin_name not in ("LED_RED", "LED_GREEN", "LED_BLUE"):
            _refuse("LEDs except LED_RED, LED_GREEN and LED_BLUE")
        self._name = pin_name
        self.off()

    def on(self):
        self.value(1)

    def off(self):
        self.value(0)

    def value(self, v):
        _ask("write", to=self._name, value=int(not v))


class PWM:
    def __init__(self, dest, freq, duty_ns):
        self._pin = dest
        self._freq = freq
        self.duty_ns(duty_ns)

    def duty_ns(self, value):
        if not isinstance(value, int) or not 0 <= value <= 1000000000 // self._freq:
            raise ValueError("duty_ns")
        _ask("write", to=self._pin, value=[self._freq, value])


class UART:
    def __init__(self, id, baudrate=9600):
        self._name = "UART%d" % id

    def write(self, buf):
        _ask("write", to=self._name, value=buf if isinstance(buf, str) else buf.decode())
        return len(buf)
