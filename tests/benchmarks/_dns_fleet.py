"""Plays that name a fleet, for the DNS benchmark: what is in them, and what Ansible reports of them."""

from __future__ import annotations

import base64
import json
import os
import secrets
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks._dns_load import ZONE, address_of
from benchmarks._dns_servers import await_line, bind_text, start_bind, zone_head
from benchmarks._namespaces import Namespaces
from integration.run_module import collections_path

from ansible_collections.privatespace.gateway.plugins.module_utils._host.clock import utc_now
from ansible_collections.privatespace.gateway.plugins.module_utils._store.location import parse_location
from ansible_collections.privatespace.gateway.plugins.module_utils._store.session import Origin, open_store

PLACE = "fleet"
KEY_NAME, ALGORITHM = "controller", "hmac-sha256"
STATISTICS_PORT, MOTO_PORT = 8053, 5000
MOTO_READY = "Running on"
PLAY_SECONDS = 200
TTL = 60
# Names of tasks, or how they begin.
COUNT, FLOOR, ONE, PEER = "count", "floor", "one", "peer"
BIND_MESSAGES = (
    "{{ (lookup('ansible.builtin.url', 'http://127.0.0.1:%d/json/v1/server', split_lines=false) | from_json).opcodes"
    " | dict2items | selectattr('key', 'in', ['QUERY', 'UPDATE']) | map(attribute='value') | sum }}"
)
LOGGED_REQUESTS = "{{ lookup('ansible.builtin.file', '%s') | regex_findall('/2013-04-01/') | length }}"
OURS = "privatespace.gateway."
Task = Mapping[str, Any]
# Made in the play from what the module before returned: the names in full, each with its address.
RECORDS = "{{ dict(gateways | map('extract', named.names, 'fqdn') | zip(%s)) | dict2items('name', 'addresses') }}"


@dataclass(frozen=True)
class Provider:
    """Who holds the zone, and how each way reaches it.

    :param options: Of our module.
    :param peer: The module that people use, for one record at a time.
    :param peer_options: Its options, besides the record and its address.
    :param count: A template for how many messages the provider has had.
    :param before: Tasks that have to be done before.
    """

    name: str
    options: Mapping[str, Any]
    peer: str
    peer_options: Mapping[str, Any]
    count: str
    before: tuple[Task, ...] = ()


@dataclass(frozen=True)
class Step:
    """What a task took.

    :param changed: How often it changed something: a loop may do so many times.
    :param result: What its module returned.
    :param messages: How many the provider had meanwhile, where they were counted.
    """

    seconds: float
    changed: int
    result: Mapping[str, Any]
    messages: int | None = None


def gateway_names(count: int, prefix: str) -> list[str]:
    """Gateways as they are called in an inventory."""
    return [f"{prefix}{number}" for number in range(1, count + 1)]


def addresses(count: int, first: int) -> list[list[str]]:
    """An address for each gateway, for a variable."""
    return [[address_of(first + number)] for number in range(count)]


def tasks_of(provider: Provider, store: Path) -> list[Task]:
    """All gateways at once, and then the ``few`` one by one.

    At once: named, written, both again with nothing to do, every address changed. One by one: by our own modules, and
    by the module that people use.
    """
    return [
        *provider.before,
        {"name": "warm", "ansible.builtin.ping": {}},
        {"name": FLOOR, "ansible.builtin.ping": {}},
        *_our_tasks(provider, store),
        *_peer_tasks(provider, store),
    ]


def _our_tasks(provider: Provider, store: Path) -> list[Task]:
    allocate = {
        f"{OURS}gateway_name": {
            "store": str(store), "zone": ZONE,
            "gateways": "{{ gateways | map('community.general.dict_kv', 'name') }}",
        }
    }  # fmt: skip
    write, change = (
        {f"{OURS}dns_address": {**provider.options, "records": RECORDS % name}} for name in ("first", "second")
    )
    return [
        {"name": "allocate", **allocate, "register": "named"},
        {"name": "allocate again", **allocate},
        *_counted(provider, {"write": write, "write again": write, "change": change}),
    ]


def _peer_tasks(provider: Provider, store: Path) -> list[Task]:
    one = {"name": "own{{ item }}", "addresses": "{{ first[item] }}"}
    tasks: dict[str, Task] = {f"{ONE} write": {f"{OURS}dns_address": {**provider.options, **one}}}
    for step, variable in (("write", "first"), ("write again", "first"), ("change", "second")):
        value = f"{{{{ {variable}[item][0] }}}}"
        record = {"record": f"peer{{{{ item }}}}.{ZONE}.", "value": value}
        tasks[f"{PEER} {step}"] = {provider.peer: {**provider.peer_options, **record}}
    looped = {name: {**task, "loop": "{{ range(few | length) | list }}"} for name, task in tasks.items()}
    single = {f"{OURS}gateway_name": {"store": str(store), "zone": ZONE, "gateways": [{"name": "{{ item }}"}]}}
    return [{"name": f"{ONE} allocate", **single, "loop": "{{ few }}"}, *_counted(provider, looped)]


def _counted(provider: Provider, tasks: Mapping[str, Task]) -> list[Task]:
    # A task of the controller, which takes no module.
    count = {"name": COUNT, "ansible.builtin.debug": {"msg": provider.count}}
    return [count, *(each for name, task in tasks.items() for each in ({"name": name, **task}, count))]


def read_report(text: str) -> dict[str, Step]:
    """What ``ansible.posix.json`` printed of a play on this machine: the tasks by name, without those that count.

    :raises ValueError: there is none, or a task failed.
    """
    start = text.find("{")
    if start < 0:
        raise ValueError(f"the play printed no report: {text[-400:]}")
    (play,) = json.JSONDecoder().raw_decode(text[start:])[0]["plays"]
    steps: dict[str, Step] = {}
    counted: int | None = None
    last = ""
    for task in play["tasks"]:
        name, result = task["task"]["name"], task["hosts"]["localhost"]
        if result.get("failed") or result.get("unreachable"):
            faults = [item.get("msg") for item in result.get("results", ()) if item.get("failed")]
            raise ValueError(f"the task '{name}' failed: {[result.get('msg'), *faults]}")
        if name == COUNT:
            now = int(result["msg"])
            if last and counted is not None:
                steps[last] = replace(steps[last], messages=now - counted)
            counted, last = now, ""
        else:
            counted, last = None if last else counted, name
            steps[name] = Step(_seconds(task["task"]["duration"]), _changes(result), result)
    return steps


def _seconds(duration: Mapping[str, str]) -> float:
    began, ended = (datetime.fromisoformat(duration[key]) for key in ("start", "end"))
    return (ended - began).total_seconds()


def _changes(result: Mapping[str, Any]) -> int:
    return sum(bool(item.get("changed")) for item in result.get("results", (result,)))


def read_zone(text: str) -> dict[str, str]:
    """The addresses of a zone, by first label, as ``dig`` prints a transfer."""
    rows = [line.split() for line in text.splitlines()]
    return {row[0].partition(".")[0]: row[4] for row in rows if len(row) == 5 and row[3] == "A"}


@dataclass
class Fleet:
    """A namespace with nothing but a loopback, in which the plays run beside the providers."""

    spaces: Namespaces
    folder: Path

    def bind(self) -> Provider:
        """A real BIND that takes updates with a key."""
        folder, secret = self.folder / "bind", base64.b64encode(secrets.token_bytes(32)).decode()
        folder.mkdir()
        (folder / "zone").write_text(zone_head())
        configuration = folder / "named.conf"
        configuration.touch(mode=0o600)
        configuration.write_text(
            bind_text(
                folder, f'key "{KEY_NAME}" {{ algorithm {ALGORITHM}; secret "{secret}"; }};',
                f"statistics-channels {{ inet 127.0.0.1 port {STATISTICS_PORT} allow {{ 127.0.0.1; }}; }};",
                zone=f'file "zone"; update-policy {{ grant {KEY_NAME} zonesub ANY; }};',
            )
        )  # fmt: skip
        start_bind(self.spaces, PLACE, folder)
        key = {"key_name": KEY_NAME, "key_secret": secret, "key_algorithm": ALGORITHM, "zone": ZONE}
        return Provider(
            "rfc2136",
            {"provider": "rfc2136", "servers": ["127.0.0.1"], "ttl": TTL, **key},
            "community.general.nsupdate",
            {"server": "127.0.0.1", "type": "A", "ttl": TTL, **key},
            BIND_MESSAGES % STATISTICS_PORT,
        )

    def route53(self) -> Provider:
        """Route 53 as moto imitates it."""
        log = self.folder / "moto.log"
        argv = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(MOTO_PORT)]
        self.spaces.start(PLACE, argv, folder=self.folder, log=log)
        await_line(log, MOTO_READY)
        account = {
            "endpoint_url": f"http://127.0.0.1:{MOTO_PORT}", "access_key": "bench", "secret_key": "bench",
        }  # fmt: skip
        peer = {**account, "zone": ZONE}
        return Provider(
            "route53",
            {"provider": "route53", "zone": ZONE, "ttl": TTL, **account},
            "amazon.aws.route53",
            {"state": "present", "type": "A", "ttl": TTL, "overwrite": True, **peer},
            LOGGED_REQUESTS % log,
            ({"name": "zone", "amazon.aws.route53_zone": peer},),
        )

    def store(self, name: str) -> Path:
        """An authority's store with nothing in it."""
        path = self.folder / name / "authority.db"
        with open_store(parse_location(str(path)), origin=Origin("bench"), clock=utc_now, create=True):
            return path

    def play(self, name: str, tasks: Sequence[Task], variables: Mapping[str, Any]) -> dict[str, Step]:
        """Run a play to its end, whatever it starts included.

        :raises ValueError: it failed.
        """
        home, report = self.folder / "ansible", self.folder / f"{name}.json"
        home.mkdir(exist_ok=True)
        (home / "ansible.cfg").touch()
        playbook = self.folder / f"{name}.play.json"
        playbook.touch(mode=0o600)
        play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "vars": variables, "tasks": tasks}
        playbook.write_text(json.dumps([play]))
        settings = {
            "ANSIBLE_CONFIG": str(home / "ansible.cfg"), "ANSIBLE_HOME": str(home), "ANSIBLE_NOCOLOR": "true",
            "ANSIBLE_COLLECTIONS_PATH": str(collections_path()), "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
            "ANSIBLE_PYTHON_INTERPRETER": sys.executable, "ANSIBLE_PIPELINING": "true",
            "AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": os.devnull, "AWS_DEFAULT_REGION": "us-east-1",
        }  # fmt: skip
        ansible = Path(sys.executable).with_name("ansible-playbook")
        # Whatever Ansible starts is in a namespace of processes that ends with its first one.
        contained = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--", "timeout", str(PLAY_SECONDS))
        into_file = ("sh", "-c", 'exec "$@" >"$0"', str(report))
        environment = ("env", *(f"{name}={value}" for name, value in settings.items()))
        argv = (*contained, *into_file, *environment, str(ansible), "-i", "localhost,", str(playbook))
        try:
            self.spaces.inside(PLACE, *argv, seconds=PLAY_SECONDS + 10)
        except RuntimeError:
            read_report(report.read_text())
            raise
        return read_report(report.read_text())

    def zone(self) -> dict[str, str]:
        """What BIND has by now."""
        argv = ("dig", "+noall", "+answer", "@127.0.0.1", ZONE, "AXFR")
        return read_zone(self.spaces.inside(PLACE, *argv, seconds=30))
