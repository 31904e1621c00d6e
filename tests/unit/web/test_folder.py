# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of the configuration: which are written, and what nginx is asked to judge before."""

from __future__ import annotations

import pytest

from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import InputError, StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._web.folder import plan_folder
from ansible_collections.privatespace.gateway.plugins.module_utils._web.nginx_config import as_trial, render_files
from ansible_collections.privatespace.gateway.plugins.module_utils._web.settings import WebSettings

FILES = render_files(WebSettings(server_names=("cambridge2.example.net",)))


def test_nothing_is_written_twice() -> None:
    change, _trial = plan_folder(FILES, FILES)
    assert not change.needed
    assert change.before == {}
    assert change.after == {}


def test_an_empty_text_removes_a_file() -> None:
    present = {**FILES, "http.d/old.conf": "# old\n"}
    change, trial = plan_folder(present, {"http.d/old.conf": "", "http.d/never.conf": ""})
    assert change.steps == ("http.d/old.conf",)
    assert "http.d/old.conf" not in trial


def test_the_pages_are_judged_also_before_there_is_a_certificate() -> None:
    _change, trial = plan_folder(FILES, {"server443.d/new.conf": "# new\n"})
    assert trial["enabled/https.conf"] == FILES["available/https.conf"]


def test_the_pages_are_judged_as_they_will_be() -> None:
    new = FILES["available/https.conf"] + "# new\n"
    _change, trial = plan_folder({**FILES, "enabled/https.conf": "# old\n"}, {"available/https.conf": new})
    assert trial["enabled/https.conf"] == new


def test_a_trial_touches_nothing_but_its_own_folder() -> None:
    text = "".join(as_trial(text, folder="/tmp/trial") for text in FILES.values())
    assert "/var/lib/privatespace/web/run" not in text
    assert "/etc/privatespace/tls" not in text
    assert "user root;" in text
    assert "pid /tmp/trial/nginx.pid;" in text
    assert text.count("ssl_reject_handshake on;") == 2


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/b/c", "x\n.conf", ".hidden", "a/..", "", "Ä.conf"])
def test_a_file_elsewhere_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="cannot be a file"):
        plan_folder(FILES, {name: "x"})


def test_a_text_that_is_none_is_refused() -> None:
    with pytest.raises(InputError, match="its text is none"):
        plan_folder(FILES, {"http.d/x.conf": {"server": 1}})


def test_a_part_of_a_web_server_that_is_not_there_is_refused() -> None:
    with pytest.raises(StateError, match=r"Run the role privatespace\.gateway\.web"):
        plan_folder({}, {"http.d/x.conf": "# x\n"})
