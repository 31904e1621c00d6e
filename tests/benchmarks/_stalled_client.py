"""A user whose device stops reading while somebody sends to it: the gateway's queue for it is full, and drops.

The device is in a network of its own behind the router, so that the path that is measured has nothing of it.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks._diagnosis_gateway import Gateway
from benchmarks._diagnosis_path import Stage
from benchmarks._tunnels import CONNECTED

SUBNET = "10.74.1"
SECONDS = 10.0
# A conference that goes on, 1.2 Mbit/s; the beginning fills what lies between.
SENDER = """
import itertools, socket, sys, time
one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for number in itertools.count():
    one.sendto(bytes(1200), (sys.argv[1], 7777))
    if number > 1000:
        time.sleep(1 / 120)
"""


@contextmanager
def stalled_client(stage: Stage, gateway: Gateway) -> Iterator[None]:
    """A client over TCP that stops reading, and a sender behind the gateway that does not care."""
    device, spaces = stage.add_user("u", SUBNET), stage.spaces
    profile = spaces.folder / "stalled.ovpn"
    profile.touch(mode=0o600)
    tcp_only = [line for line in gateway.profile_of("dave@phone").splitlines() if not line.endswith(" udp")]
    profile.write_text("\n".join((*tcp_only, "route-nopull", "dev tun-stalled", "dev-type tun", "")))
    log = spaces.folder / "stalled.log"
    pid = spaces.start(device, ["openvpn", "--config", str(profile)], folder=spaces.folder, log=log)
    deadline = time.monotonic() + SECONDS
    while CONNECTED not in (text := log.read_text(errors="replace")):
        if time.monotonic() > deadline:
            raise RuntimeError(f"the other user does not connect: {text[-800:]}")
        time.sleep(0.05)
    address = spaces.ip(device, "-4", "-o", "address", "show", "dev", "tun-stalled").split()[3].partition("/")[0]
    os.kill(pid, signal.SIGSTOP)
    unit = "conference.service"
    gateway.host.write("/run/conference.py", SENDER)
    gateway.host.unit(unit, f"[Service]\nExecStart={sys.executable} /run/conference.py {address}\n")
    try:
        yield
    finally:
        gateway.host.run("systemctl", "stop", unit)
        os.kill(pid, signal.SIGKILL)
