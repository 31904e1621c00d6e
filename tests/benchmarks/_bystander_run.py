"""What somebody in a call loses while a diagnosis runs, on a gateway whose own line is the bottleneck."""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks import _bystander
from benchmarks._bystander import Quality, parse_packets, quality
from benchmarks._diagnosis_gateway import Gateway, Keys
from benchmarks._diagnosis_path import KNOWN_ADDRESS, Line, Stage
from benchmarks._diagnosis_run import Limits, Modules, diagnose, prepare_probe
from benchmarks._namespaces import Namespaces
from benchmarks._tunnels import CONNECTED

SUBNET = "10.75.1"
CARD = "tun-call"
CONNECTING_SECONDS = 10.0
QUIET_SECONDS = 8.0
LINE = Line(mbit=100, narrow_at_gateway=True)


@dataclass(frozen=True)
class Disturbance:
    """The same call before and while somebody measures."""

    before: Quality
    during: Quality
    seconds: float


def measure_disturbance(modules: Modules, keys: Keys, limits: Limits) -> Disturbance:
    """Measure, on a stage of its own."""
    with tempfile.TemporaryDirectory(prefix="psgb", dir="/tmp") as name, Namespaces(Path(name)) as spaces:
        Path(name).chmod(0o755)
        with Stage(spaces, "b", LINE) as stage:
            stage.start_name_server()
            gateway = Gateway(stage.gateway, keys)
            gateway.install()
            prepare_probe(stage, gateway)
            log = _start_call(stage, gateway)
            time.sleep(1.0)
            begin = time.time()
            time.sleep(QUIET_SECONDS)
            middle = time.time()
            done = diagnose(stage, modules, limits)
            end = time.time()
            time.sleep(2 * _bystander.LATE_SECONDS)
            packets = parse_packets(log.read_text().splitlines(keepends=True))
    return Disturbance(quality(packets, begin, middle), quality(packets, middle, end), done.seconds)


def _start_call(stage: Stage, gateway: Gateway) -> Path:
    """Have a user connected who is in a call with somebody behind the gateway; where the packets are written down."""
    spaces, folder = stage.spaces, stage.spaces.folder
    user = stage.add_user("c", SUBNET)
    profile = folder / "call.ovpn"
    profile.touch(mode=0o600)
    more = ("route-nopull", f"route {KNOWN_ADDRESS}", f"dev {CARD}", "dev-type tun", "")
    profile.write_text(gateway.profile_of("erin@desk") + "\n".join(more))
    tunnel_log = folder / "call-tunnel.log"
    spaces.start(user, ["openvpn", "--config", str(profile)], folder=folder, log=tunnel_log)
    deadline = time.monotonic() + CONNECTING_SECONDS
    while CONNECTED not in (text := tunnel_log.read_text(errors="replace")):
        if time.monotonic() > deadline:
            raise RuntimeError(f"the user does not connect: {text[-800:]}")
        time.sleep(0.05)
    program, log = [sys.executable, str(Path(_bystander.__file__))], folder / "call.log"
    spaces.start(stage.router, [*program, "echo", KNOWN_ADDRESS], folder=folder, log=folder / "echo.log")
    spaces.start(user, [*program, "call", CARD, KNOWN_ADDRESS], folder=folder, log=log)
    return log
