"""Made-up observations that look like real ones, the same every time: a path that is policed, or a healthy one."""

from __future__ import annotations

from random import Random

from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.findings import Evidence, Finding, Remedy
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.gateway import (
    Clock,
    Gateway,
    Listener,
    Machine,
    Observations,
    Sample,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._diagnosis.path import (
    Echo,
    Hop,
    Path,
    Segment,
    Tunnel,
)

NOW = 1_795_446_000.0  # 23 November 2026, 15:00 UTC
STARTED = NOW - 90
SECONDS = 58.0
CEILING = 200e6
MBIT = 1e6
# Place, protocol, port, purpose, and what arrives when nothing is in the way.
KINDS = (
    ("outside", "tcp", 5201, "pair", 94.0),
    ("outside", "udp", 5201, "pair", 96.0),
    ("outside", "udp", 5201, "low_rate", 24.0),
    ("tunnel_udp", "tcp", 0, "full", 88.0),
    ("tunnel_tcp", "tcp", 0, "full", 83.0),
)
ROUTERS = ("192.168.178.1", "62.155.246.71", "", "80.157.200.14", "2001:db8:ffff:1::2", "198.51.100.17", "203.0.113.20")


def make_path(*, policed: float = 0.0, factor: float = 1.0, probe: str = "alice", seed: int = 7) -> Path:
    """What a probe measured.

    :param policed: All UDP is cut to so many Mbit/s. :param factor: Of all rates.
    """
    chance, segments, begin = Random(seed), [], 0.4  # noqa: S311 - the same every time
    for number in range(1, 6):
        for direction in ("down", "up"):
            for place, protocol, port, purpose, usual in KINDS:
                is_udp = protocol == "udp" or place == "tunnel_udp"
                offered = usual * factor * 1.17 * MBIT if protocol == "udp" else None
                free = usual * factor * (1 if direction == "down" else 0.42) * MBIT
                if offered is not None and direction == "up":
                    offered *= 0.42
                limit = policed * MBIT if policed and is_udp else free
                segments.append(
                    _segment(
                        chance, (number, place, protocol, direction, purpose), begin, min(free, limit), offered, port
                    )
                )
                begin += 1.15
    return Path(
        *(probe, "cambridge2", "203.0.113.20", STARTED, SECONDS, CEILING, 118_400_000, 52_100_000),
        segments=tuple(segments),
        echoes=tuple(_echoes(chance)),
        hops=tuple(_hops()),
        tunnels=(Tunnel("udp", 1194, connected=True), Tunnel("tcp", 443, connected=True)),
        clock_offset=0.012,
        unmeasured=("IPv6 was not measured: the probe has no IPv6 address",),
    )


def _segment(
    chance: Random, kind: tuple[int, str, str, str, str], begin: float, rate: float, offered: float | None, port: int
) -> Segment:
    level = rate * chance.uniform(0.97, 1.02)
    rising = [0.35, 0.8] if kind[2] == "tcp" else [1.0, 1.0]
    shares = [*rising, *(chance.uniform(0.94, 1.04) for _repeat in range(3))]
    intervals = tuple((round(begin + 0.2 * place, 3), level * share) for place, share in enumerate(shares, 1))
    lost = None if offered is None else max(0.0, 1 - level / offered) if kind[4] == "pair" else 0.0
    return Segment(
        *kind, begin, 1.0, level, offered=offered, port=port, lost=lost, datagrams=900 if offered else 0,
        retransmits=None if offered else chance.randrange(12), rtt=None if offered else 0.023, intervals=intervals,
    )  # fmt: skip


def _echoes(chance: Random) -> list[Echo]:
    usual = {"outside": (0.021, 0.034), "tunnel_udp": (0.022, 0.058), "tunnel_tcp": (0.022, 0.112)}
    found = []
    for number in range(72):
        place, loaded = tuple(usual)[number % 3], number % 2 == 1
        time = usual[place][loaded] * (1 + abs(chance.gauss(0, 0.35 if loaded else 0.05)))
        found.append(Echo(number * 0.8, place, None if number == 41 else time, loaded))
    return found


def _hops() -> list[Hop]:
    times = (0.0008, 0.0071, None, 0.0112, 0.0118, 0.0204, 0.0211)
    lost = (0.0, 0.0, 1.0, 0.0, 0.12, 0.0, 0.0)
    return [Hop(number, *rest) for number, rest in enumerate(zip(ROUTERS, lost, times, strict=True), 1)]


def make_gateway(name: str = "cambridge2", *, busy: float = 0.55, seed: int = 7) -> Gateway:
    """A gateway with two listeners.

    :param busy: How busy a process is while traffic goes through it.
    """
    chance, samples = Random(seed), []  # noqa: S311 - the same every time
    for step in range(int(SECONDS * 2)):
        at = STARTED + step / 2
        phase = (step / 2 - 0.4) % 5.75
        for listener, begin in (("udp", 3.45), ("tcp", 4.6)):
            loaded = begin <= phase <= begin + 1.15
            samples.append(Sample(at, 0.5, listener, (busy if loaded else 0.01) * chance.uniform(0.9, 1.1), 0.02))
        samples.append(Sample(at, 0.5, "", 0.16 + (busy * 0.8 if phase >= 3.45 else 0.1), steal=0.01, softirq=0.08))
    listeners = (Listener("udp", "udp", 1194, "answered", pid=812), Listener("tcp", "tcp", 443, "answered", pid=815))
    machine = Machine(2, model="AMD EPYC 7763", has_aes=True, cloud="aws", instance_type="t3a.small", burstable=True)
    return Gateway(name, STARTED, machine, Clock(synchronised=True), listeners, tuple(samples))


def make_observations(*, policed: float = 0.0, factor: float = 1.0, seed: int = 7) -> Observations:
    """One gateway and one probe."""
    return Observations(make_gateway(seed=seed), (make_path(policed=policed, factor=factor, seed=seed),), NOW)


LIMITED = Finding(
    "udp_limited", "fault", "certain", "UDP is limited to about 9.8 Mbit/s on the way to the probe",
    "TCP over the same path reached 94 Mbit/s in the same minute, so it is not the line. Somebody between the gateway"
    " and the probe, most often the provider, lets only so much UDP through. Whoever connects over UDP gets no more.",
    (
        Evidence("In 5 of 5 pairs UDP delivered 10 % of what TCP did (sign test p = 0.03).", "iperf3"),
        Evidence("At a quarter of the rate nothing was lost; at the full rate 90 % was.", "iperf3"),
        Evidence(
            "Nothing was logged, as is usual: policing leaves no line.", "journal",
            ("Nov 23 15:00:12 cambridge2 openvpn[812]: alice/192.0.2.7:50112 MULTI: Learn: 10.8.0.2 -> alice",),
        ),
    ),
    (
        Remedy("Let profiles begin with TCP for these people.", "openvpn_profile_transports", ["tcp", "udp"]),
        Remedy("Try another UDP port, since some providers limit by port; measure again afterwards.",
               "openvpn_udp_port", 443, "ansible-playbook privatespace.gateway.diagnose -e diagnosis_udp_port=443"),
    ),
    "cambridge2", "alice", "down", (("rate_bps", 9.8e6),),
)  # fmt: skip
EXPIRING = Finding(
    "expiry", "hint", "certain", "The certificate of the gateway ends in 12 days",
    "From 5 December 2026 on nobody can connect any more. It is renewed by itself when the playbook is run.",
    (Evidence("It ends on 5 December 2026, 09:12 UTC.", "/etc/openvpn/server/privatespace/server.crt"),),
    (Remedy("Run the playbook.", command="ansible-playbook privatespace.gateway.site -i inventory.yml"),),
    "cambridge2",
)  # fmt: skip
DCO = Finding(
    "dco_off", "hint", "possible", "Data channel offload is off though this kernel has it",
    "Packets go through the process and not through the kernel alone, which costs three times the CPU at high rates.",
    (Evidence("The module ovpn is there, and the configuration names no option that forbids it.", "proc"),),
    (Remedy("Switch it on.", "openvpn_dco", value=True),), "cambridge2",
)  # fmt: skip
UNKNOWN = Finding(
    "cannot_tell", "unknown", "possible", "Whether DNS leaks could not be told",
    "The probe gave no resolver of its own to compare with.",
    (Evidence("resolvectl is not installed on the probe.", "resolver"),), gateway="cambridge2", probe="alice",
)  # fmt: skip
