"""Runs a program that this host has from the collection: ``run_program.py NAME ARGUMENT…``."""

import sys
from importlib import import_module
from pathlib import Path

PROGRAMS = "ansible_collections.privatespace.gateway.plugins.module_utils._agent"

sys.path.insert(0, str(Path(__file__).resolve().with_name("python")))
sys.exit(import_module(f"{PROGRAMS}.{sys.argv[1]}").main(sys.argv[2:]))
