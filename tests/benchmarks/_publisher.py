"""The authority's web server with the CRL, as the role sets it up, in a namespace of its own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jinja2
import yaml
from benchmarks._crl_lab import revocations
from benchmarks._namespaces import Namespaces, run
from benchmarks._sessions import wait_for
from conftest import CHECKOUT
from integration.openvpn.vpn import Authority

from ansible_collections.privatespace.gateway.plugins.filter.pki_publication import pki_publication
from ansible_collections.privatespace.gateway.plugins.module_utils._host.published_files import write_pieces
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.crl_entries import encode_entries
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.crl_pem import pem_pieces
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.revocation_list import CrlFields, sign_crl

NAMESPACE = "web"
ADDRESS = "10.77.1.1"
PORT = 80
ROLE = CHECKOUT / "roles" / "pki"
# It has no rights at all on an authority; here it is somebody who is there.
USER = "www-data"


def configuration(public: Path, folder: Path) -> str:
    """What the role's template gives, with these folders."""
    variables = yaml.safe_load((ROLE / "vars" / "main.yml").read_text())
    template = jinja2.Template((ROLE / "templates" / "publish.conf.j2").read_text(), trim_blocks=True)
    text: str = template.render(
        ansible_managed="", pki_publish_access_log=False, pki_public_folder=public,
        __pki_endpoint_user=USER, __pki_endpoint_folder=folder,
        __pki_endpoint_waiting=variables["__pki_endpoint_waiting"],
        __pki_publication=pki_publication([], PORT, ipv6=False),
    )  # fmt: skip
    return text


def file_limit() -> int:
    """How many files the role's unit lets the web server have open.

    :raises ValueError: the unit does not say so.
    """
    found = re.search(r"^LimitNOFILE=(\d+)$", (ROLE / "templates" / "publish.service.j2").read_text(), re.MULTILINE)
    if found is None:
        raise ValueError("the unit of the web server says nothing of LimitNOFILE")
    return int(found[1])


@dataclass
class Publisher:
    """A folder that is published, and the web server.

    :param count: How many certificates are revoked.
    """

    spaces: Namespaces
    folder: Path
    count: int
    authority: Authority = field(default_factory=Authority)
    _number: int = 0
    _pid: int = 0

    @property
    def crl(self) -> Path:
        return self.folder / "public" / "crl.pem"

    @property
    def url(self) -> str:
        return f"http://{ADDRESS}:{PORT}/{self.crl.name}"

    def publish(self) -> None:
        """Sign the next CRL, by the collection's own builder, and put it in place."""
        self._number += 1
        begin = datetime.now(UTC) - timedelta(hours=1) + timedelta(seconds=self._number)
        fields = CrlFields(self._number, begin, begin + timedelta(days=30))
        parts = sign_crl(
            encode_entries(revocations(self.count)), fields,
            issuer_certificate=self.authority.certificate, issuer_key=self.authority.key,
        )  # fmt: skip
        self.crl.parent.mkdir(exist_ok=True)
        write_pieces(self.crl, pem_pieces(parts), mode=0o644)

    def start(self, configuration: str) -> None:
        """Start the web server."""
        path = self.folder / "nginx.conf"
        path.write_text(configuration)
        argv = ["prlimit", f"--nofile={file_limit()}", "nginx", "-e", "stderr", "-c", str(path), "-g", "daemon off;"]
        self._pid = self.spaces.start(NAMESPACE, argv, folder=self.folder, log=self.folder / "nginx.log")
        wait_for("nginx", lambda: len(self._processes()) > 1)

    def cpu_seconds(self) -> float:
        """What all of its processes have used so far."""
        return sum(cpu_seconds(pid) for pid in self._processes())

    def _processes(self) -> Sequence[int]:
        children = run("pgrep", "--parent", str(self._pid), check=False).split()
        return [self._pid, *map(int, children)]


def cpu_seconds(pid: int) -> float:
    """What a process with one thread has used so far, to the nanosecond."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9
