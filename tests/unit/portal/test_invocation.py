"""What Ansible writes of a call into the log of the gateway, where a task has no ``no_log``."""

from __future__ import annotations

from unittest.mock import patch

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.testing import patch_module_args

from ansible_collections.privatespace.gateway.plugins.modules.profile_link import argument_spec

PROFILE = "client\n<key>\n-----BEGIN PRIVATE KEY-----\ncanary'\n-----END PRIVATE KEY-----\n</key>\n"


def log_of(profile: object) -> str:
    links = [{"user": "alice", "device": "laptop"}]
    lines: list[str] = []
    with (
        patch_module_args({"links": links, "profiles": {"alice@laptop": profile}, "host": "a.example.net"}),
        patch.object(AnsibleModule, "log", lambda _self, msg, **_more: lines.append(str(msg))),
    ):
        AnsibleModule(argument_spec=argument_spec())
    return "\n".join(lines)


@pytest.mark.parametrize("profile", [PROFILE, [PROFILE], {"text": PROFILE}])
def test_no_line_of_a_profile_is_logged(profile: object) -> None:
    logged = log_of(profile)
    assert "Invoked with" in logged
    assert "alice" in logged, "names are no secret, and not masked elsewhere"
    assert "canary" not in logged
    assert "PRIVATE KEY" not in logged
