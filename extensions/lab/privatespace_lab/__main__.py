# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Command line behind ``./lab up`` and ``./lab down``; ``./lab`` starts it in the engine's mount namespace."""

from __future__ import annotations

import argparse
import sys
from typing import NoReturn

from privatespace_lab import hosts, topology
from privatespace_lab.engine import LabError, configure_engine, say


class Parser(argparse.ArgumentParser):
    """Says in one line what is wrong with the arguments."""

    def error(self, message: str) -> NoReturn:
        """Print the line and exit with status 2."""
        say(f"{message}; ./lab prints what there is")
        sys.exit(2)


def main() -> int:
    """Do what the arguments say; 1 with one line for a person when it cannot be done, 2 for wrong arguments."""
    parser = Parser(prog="./lab", allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("up", "down"):
        command = commands.add_parser(name, prog=f"./lab {name}", allow_abbrev=False)
        command.add_argument("--instance", choices=sorted(topology.SECOND_OCTETS), default="demo")
        if name == "up":
            command.add_argument("--debian12", metavar="HOST[,HOST]", default="")
            command.add_argument("--debian13", metavar="HOST[,HOST]", default="")
        else:
            command.add_argument("--all", action="store_true")
    arguments = parser.parse_args()
    configure_engine()
    try:
        if arguments.command == "up":
            hosts.up(arguments.instance, arguments.debian12, arguments.debian13)
        elif arguments.all:
            hosts.down_all()
        else:
            hosts.down(arguments.instance)
    except ValueError as error:
        say(str(error))
        return 2
    except LabError as error:
        say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
