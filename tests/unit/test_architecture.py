"""The layer table of the design, enforced from the first day: who may import whom, and what stays small."""

from __future__ import annotations

from pathlib import Path

import pytest
from unit.architecture import FILE_LINES, FUNCTION_LINES, MODULE_LINES, OWN, UTILS, find_violations

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"
ROLES = PLUGINS.parent / "roles"
TASK_FILE_LINES = 66  # about 60, with a tenth of leeway


def test_every_plugin_file_keeps_to_its_layer() -> None:
    files = sorted(path for path in PLUGINS.rglob("*.py") if "__pycache__" not in path.parts)
    assert files, "no plugin file was found"
    violations = [
        str(violation)
        for path in files
        for violation in find_violations(path.relative_to(PLUGINS).as_posix(), path.read_text(encoding="utf-8"))
    ]
    assert not violations, "\n" + "\n".join(violations)


def test_task_files_of_roles_stay_readable() -> None:
    long = {
        path.relative_to(ROLES).as_posix(): size
        for path in ROLES.glob("*/tasks/**/*.yml")
        if (size := sum(bool(line.strip()) for line in path.read_text(encoding="utf-8").splitlines())) > TASK_FILE_LINES
    }
    assert not long, f"a task file has at most {TASK_FILE_LINES} lines that are not blank"


CLEAN = [
    ("module_utils/_core/change.py", "from dataclasses import dataclass\n"),
    ("module_utils/_core/text.py", f"from {UTILS}_core.errors import InputError\n"),
    ("module_utils/_pki/profiles.py", f"from cryptography import x509\nfrom {UTILS}_core.errors import InputError\n"),
    ("module_utils/_hsm/token.py", "import pkcs11\nimport os\n"),
    ("module_utils/_store/schema.py", "import sqlalchemy as sa\n"),
    ("module_utils/_openvpn/management.py", "import socket\n"),
    ("module_utils/_dns/route53_client.py", "import boto3\n"),
    ("module_utils/_host/clock.py", "import time\n\nNOW = time.time()\n"),
    (
        "module_utils/_module/run.py",
        f"from ansible.module_utils.basic import AnsibleModule\nimport {UTILS}_host.clock\n",
    ),
    ("modules/pki_crl.py", f"from {UTILS}_pki import plan\nfrom {UTILS}_module.run import run\n"),
    ("filter/openvpn_profile.py", "from ansible.errors import AnsibleFilterError\n"),
    ("module_utils/__init__.py", ""),
]

VIOLATING = [
    ("module_utils/_core/x.py", "from ansible.module_utils.basic import AnsibleModule\n", "library ansible"),
    ("module_utils/_core/x.py", f"from {UTILS}_host.clock import utc_now\n", "_core may not import _host"),
    ("module_utils/_core/x.py", "import cryptography\n", "library cryptography"),
    ("module_utils/_core/x.py", "def late():\n    import yaml\n", "library yaml"),
    ("module_utils/_pki/x.py", "import random\n", "may not import random"),
    ("module_utils/_pki/x.py", "from os import path\n", "may not import os"),
    ("module_utils/_pki/x.py", "from datetime import datetime\nNOW = datetime.now()\n", "now() is not called"),
    (
        "module_utils/_pki/x.py",
        "from cryptography import x509\nN = x509.random_serial_number()\n",
        "random_serial_number()",
    ),
    ("module_utils/_pki/x.py", "DATA = open('ca.pem')\n", "open() is not called"),
    ("module_utils/_pki/x.py", f"from {UTILS[:-1]} import _store\n", "_pki may not import _store"),
    ("module_utils/_pki/x.py", f"from {UTILS}_store.schema import x\n", "_pki may not import _store"),
    ("module_utils/_hsm/x.py", f"import {UTILS}_pki.names\n", "_hsm may not import _pki"),
    ("module_utils/_hsm/x.py", "import sqlalchemy\n", "library sqlalchemy"),
    ("module_utils/_store/x.py", "import ansible\n", "library ansible"),
    ("module_utils/_openvpn/server.py", "import socket\n", "may not import socket"),
    ("module_utils/_dns/plan.py", "import boto3\n", "library boto3"),
    ("module_utils/_dns/rfc2136.py", "import boto3\n", "library boto3"),
    ("module_utils/_diagnosis/x.py", "import subprocess\n", "may not import subprocess"),
    ("module_utils/_host/x.py", f"from {UTILS}_openvpn.removal import x\n", "_host may not import _openvpn"),
    ("module_utils/_host/x.py", "from ansible.module_utils.basic import AnsibleModule\n", "library ansible"),
    ("module_utils/_module/x.py", f"from {UTILS}_pki.names import x\n", "_module may not import _pki"),
    ("module_utils/_module/x.py", "from ansible.plugins.filter.core import x\n", "library ansible.plugins"),
    (
        "module_utils/_module/x.py",
        "from ansible.module_utils_of_mine import x\n",
        "library ansible.module_utils_of_mine",
    ),
    ("module_utils/_new/x.py", "", "not a layer of the table"),
    ("module_utils/loose.py", "", "not a layer of the table"),
    ("callback/x.py", "", "not a layer of the table"),
    ("modules/x.py", f"from {OWN}modules.pki_crl import main\n", "only packages of module_utils"),
    (
        "modules/x.py",
        "from ansible_collections.community.crypto.plugins.module_utils import x\n",
        "only packages of module_utils",
    ),
    ("modules/x.py", "import cryptography\n", "library cryptography"),
    ("modules/x.py", "\n".join(f"x{n} = {n}" for n in range(MODULE_LINES + 1)), "lines beside its documentation"),
    ("filter/x.py", f"from {UTILS}_host.files import x\n", "filter may not import _host"),
    ("filter/x.py", "import subprocess\n", "may not import subprocess"),
    ("doc_fragments/x.py", f"from {UTILS}_core.text import x\n", "doc_fragments may not import _core"),
    ("module_utils/_core/x.py", "from .errors import CollectionError\n", "imports are absolute"),
    (
        "module_utils/_core/x.py",
        "import importlib\nimportlib.import_module('ansible')\n",
        "import_module() is not called",
    ),
    ("module_utils/_core/x.py", "assert True\n", "never assert"),
    ("module_utils/_core/utils.py", "", "says nothing"),
    ("module_utils/_core/__init__.py", '"""Words."""\n', "__init__.py is empty"),
    ("module_utils/_core/x.py", "\n" * (FILE_LINES + 1), f"at most {FILE_LINES} lines"),
    ("module_utils/_core/x.py", "def f():\n" + "    x = 1\n" * (FUNCTION_LINES + 1), "rarely needs"),
]


@pytest.mark.parametrize(("path", "source"), CLEAN)
def test_what_the_table_allows_is_accepted(path: str, source: str) -> None:
    assert find_violations(path, source) == []


@pytest.mark.parametrize(("path", "source", "words"), VIOLATING)
def test_what_the_table_forbids_is_found(path: str, source: str, words: str) -> None:
    assert any(words in str(violation) for violation in find_violations(path, source))


def test_documentation_does_not_count_towards_the_size_of_a_module() -> None:
    source = 'DOCUMENTATION = r"""\n' + "words\n" * (2 * MODULE_LINES) + '"""\n'
    assert find_violations("modules/x.py", source) == []
