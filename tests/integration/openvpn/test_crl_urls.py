"""Where the role sends a gateway for the CRL, by what the inventory says of the authority."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from integration.openvpn.run_playbook import local, run_playbook

ROLE = {"name": "privatespace.gateway.openvpn", "tasks_from": "preflight_revocation.yml"}
SHOW = {"ansible.builtin.debug": {"msg": "URLS {{ openvpn_crl_urls | join(' ') }} END"}}
ELSEWHERE = {"ansible_host": "192.0.2.1"}
GATEWAY = {"ansible_host": "192.0.2.9"}


@pytest.mark.parametrize(
    ("authority", "gateway", "url"),
    [
        (ELSEWHERE, GATEWAY, "http://192.0.2.1/crl.pem"),
        (
            {**ELSEWHERE, "pki_publish_addresses": ["::"], "pki_publish_port": 81},
            GATEWAY,
            "http://192.0.2.1:81/crl.pem",
        ),
        ({**ELSEWHERE, "pki_publish_addresses": ["127.0.0.1", "192.0.2.2"]}, GATEWAY, "http://192.0.2.2/crl.pem"),
        (ELSEWHERE, ELSEWHERE, "http://127.0.0.1/crl.pem"),
        (local(), local(), "http://127.0.0.1/crl.pem"),
        ({"ansible_host": "localhost"}, GATEWAY, ""),
        (local(ansible_host="127.0.0.1"), GATEWAY, ""),
        (local(ansible_host="127.0.0.1"), {**GATEWAY, "openvpn_crl_urls": []}, "URLS  END"),
    ],
)
def test_a_gateway_asks_itself_only_where_it_is_the_authority(
    tmp_path: Path, authority: dict[str, Any], gateway: dict[str, Any], url: str
) -> None:
    hosts = {"authority": {"hosts": {"ca": authority}}, "gateways": {"hosts": {"gateway1": gateway}}}
    tasks = [{"ansible.builtin.import_role": {**ROLE, "public": True}}, SHOW]
    done = run_playbook(tmp_path, [{"hosts": "gateways", "gather_facts": False, "tasks": tasks}], hosts)
    assert (done.returncode == 0) is bool(url), done.stdout
    assert (url or "Set openvpn_crl_urls to where gateways reach the authority") in done.stdout.replace("\n", " ")
