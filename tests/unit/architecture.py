"""The layer table as data, and a walk over syntax trees that finds what breaks it.

Nothing is imported or run: a file is judged by its text alone, so a self-test can judge a made-up one.
"""

from __future__ import annotations

import ast
import sys
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

OWN = "ansible_collections.privatespace.gateway.plugins."
UTILS = f"{OWN}module_utils."
CORE, PKI, HSM, STORE = "_core", "_pki", "_hsm", "_store"
OPENVPN, DNS, DIAGNOSIS, HOST, MODULE = "_openvpn", "_dns", "_diagnosis", "_host", "_module"
AGENT, PORTAL, ACME, WEB, REPORT = "_agent", "_portal", "_acme", "_web", "_report"
DOMAIN = frozenset({PKI, HSM, STORE, OPENVPN, DNS, DIAGNOSIS, PORTAL, ACME, WEB, REPORT})
PURE = frozenset({CORE, PKI, OPENVPN, DNS, DIAGNOSIS, PORTAL, ACME, WEB})

# Ways to reach the world: not for packages whose every input is an argument.
EFFECT_MODULES = frozenset(
    {
        "os",
        "subprocess",
        "socket",
        "socketserver",
        "ssl",
        "http",
        "urllib",
        "shutil",
        "tempfile",
        "fcntl",
        "signal",
        "asyncio",
    }
)
CLOCK_AND_CHANCE_MODULES = frozenset({"time", "random", "secrets", "uuid"})
EFFECT_CALLS = frozenset(
    {"open", "input", "print", "read_text", "read_bytes", "write_text", "write_bytes", "unlink", "mkdir"}
)
CLOCK_AND_CHANCE_CALLS = frozenset(
    {"now", "utcnow", "today", "random_serial_number", "generate_private_key", "generate", "urandom", "monotonic"}
)
DYNAMIC_CALLS = frozenset({"__import__", "import_module", "exec", "eval"})
SOCKET_MODULES = frozenset({"socket", "socketserver", "ssl", "asyncio", "http", "urllib"})

# About 80 and about 300 lines, with a tenth of leeway.
MODULE_LINES = 88
FILE_LINES = 330
FUNCTION_LINES = 40
VAGUE_NAMES = frozenset({"utils", "helpers", "common", "util", "helper", "misc"})
DOCUMENTATION_NAMES = frozenset({"DOCUMENTATION", "EXAMPLES", "RETURN"})


@dataclass(frozen=True)
class Layer:
    """One row of the layer table.

    :param own: Packages of module_utils that may be imported, besides the layer itself.
    :param libraries: Prefixes of importable names outside the standard library.
    :param without: Modules of the standard library that may not be imported.
    :param calls: Names that may not be called, as a function or as a method.
    """

    own: frozenset[str] = frozenset()
    libraries: tuple[str, ...] = ()
    without: frozenset[str] = frozenset()
    calls: frozenset[str] = field(default=DYNAMIC_CALLS)


_CORE_ONLY = frozenset({CORE})
_UNTOUCHED = EFFECT_MODULES | CLOCK_AND_CHANCE_MODULES
_PURE_DNS = Layer(own=_CORE_ONLY, without=_UNTOUCHED, calls=DYNAMIC_CALLS | EFFECT_CALLS | CLOCK_AND_CHANCE_CALLS)

LAYERS = {
    CORE: Layer(),
    PKI: Layer(
        own=_CORE_ONLY,
        libraries=("cryptography",),
        without=_UNTOUCHED,
        calls=DYNAMIC_CALLS | EFFECT_CALLS | CLOCK_AND_CHANCE_CALLS,
    ),
    HSM: Layer(own=_CORE_ONLY, libraries=("cryptography", "pkcs11")),
    STORE: Layer(own=_CORE_ONLY, libraries=("sqlalchemy",)),
    OPENVPN: Layer(own=_CORE_ONLY, without=SOCKET_MODULES),
    "_openvpn/management.py": Layer(own=_CORE_ONLY),
    "_openvpn/qr_code.py": Layer(own=_CORE_ONLY, libraries=("segno",), without=SOCKET_MODULES),
    DNS: _PURE_DNS,
    "_dns/providers.py": replace(_PURE_DNS, without=EFFECT_MODULES),
    "_dns/address_run.py": replace(_PURE_DNS, without=EFFECT_MODULES),
    "_dns/route53_client.py": replace(_PURE_DNS, libraries=("boto3", "botocore")),
    "_dns/rfc2136.py": replace(_PURE_DNS, libraries=("dns",)),
    "_dns/rfc2136_exchange.py": replace(_PURE_DNS, libraries=("dns",)),
    "_dns/authoritative.py": replace(_PURE_DNS, libraries=("dns",), without=_UNTOUCHED - {"socket"}),
    WEB: _PURE_DNS,
    DIAGNOSIS: Layer(own=_CORE_ONLY, without=EFFECT_MODULES, calls=DYNAMIC_CALLS | EFFECT_CALLS),
    REPORT: Layer(
        own=frozenset({CORE, DIAGNOSIS}),
        libraries=("matplotlib",),
        without=_UNTOUCHED,
        calls=DYNAMIC_CALLS | EFFECT_CALLS | CLOCK_AND_CHANCE_CALLS,
    ),
    PORTAL: Layer(
        own=_CORE_ONLY,
        libraries=("cryptography",),
        without=_UNTOUCHED,
        calls=DYNAMIC_CALLS | EFFECT_CALLS | CLOCK_AND_CHANCE_CALLS,
    ),
    ACME: _PURE_DNS,
    "_acme/questions.py": replace(_PURE_DNS, libraries=("dns",)),
    HOST: Layer(own=_CORE_ONLY),
    # Programs that a host runs by itself, without Ansible: what a module wires together, a program does, too.
    AGENT: Layer(own=DOMAIN | {CORE, HOST}),
    "_agent/portal.py": Layer(own=DOMAIN | {CORE, HOST}, libraries=("flask", "werkzeug")),
    MODULE: Layer(own=frozenset({CORE, HOST}), libraries=("ansible.module_utils",)),
    "modules": Layer(own=DOMAIN | {CORE, HOST, MODULE, AGENT}, libraries=("ansible.module_utils",)),
    "filter": Layer(own=PURE, libraries=("ansible.errors",), without=_UNTOUCHED, calls=DYNAMIC_CALLS | EFFECT_CALLS),
    "doc_fragments": Layer(),
}


@dataclass(frozen=True)
class Violation:
    """A rule that a file breaks.

    :param path: The file, relative to ``plugins``.
    :param line: Where, counted from 1.
    :param rule: What is wrong, in words.
    """

    path: str
    line: int
    rule: str

    def __str__(self) -> str:
        return f"plugins/{self.path}:{self.line}: {self.rule}"


def find_violations(path: str, source: str) -> list[Violation]:
    """Judge one Python file below ``plugins``.

    :param path: Relative to ``plugins``, with forward slashes; it decides which row of the table holds.
    :param source: The text of the file.
    """
    layer_name, layer = _layer_of(path)
    if layer is None:
        return [Violation(path, 1, f"'{layer_name}' is not a layer of the table; add a row before adding files")]
    if PurePosixPath(path).name == "__init__.py":
        return [Violation(path, 1, "an __init__.py is empty")] if source else []
    tree = ast.parse(source)
    found = [
        *_name_violations(path),
        *_import_violations(tree, layer_name, layer),
        *_call_violations(tree, layer),
        *_size_violations(tree, source, is_module=layer_name == "modules"),
    ]
    return [Violation(path, line, rule) for line, rule in found]


def _layer_of(path: str) -> tuple[str, Layer | None]:
    parts = PurePosixPath(path).parts
    if parts[0] != "module_utils":
        return parts[0], LAYERS.get(parts[0])
    if len(parts) == 2:
        # module_utils/FILE belongs to no layer, unless it is the empty __init__.py
        return parts[1], Layer() if parts[1] == "__init__.py" else None
    name = parts[1]
    return name, LAYERS.get("/".join(parts[1:]), LAYERS.get(name))


def _name_violations(path: str) -> Iterator[tuple[int, str]]:
    for part in PurePosixPath(path).with_suffix("").parts:
        if part.lstrip("_") in VAGUE_NAMES:
            yield 1, f"'{part}' says nothing about what is in it"


def _import_violations(tree: ast.Module, layer_name: str, layer: Layer) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _judge_import(node.lineno, alias.name, layer_name, layer)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                yield node.lineno, "imports are absolute"
            elif f"{node.module}." in (UTILS, OWN):
                for alias in node.names:
                    yield from _judge_import(node.lineno, f"{node.module}.{alias.name}", layer_name, layer)
            else:
                yield from _judge_import(node.lineno, node.module or "", layer_name, layer)
        elif isinstance(node, ast.Assert):
            yield node.lineno, "plugins raise, they never assert"


def _judge_import(line: int, name: str, layer_name: str, layer: Layer) -> Iterator[tuple[int, str]]:
    top = name.split(".", maxsplit=1)[0]
    if name.startswith(UTILS):
        package = name[len(UTILS) :].split(".", maxsplit=1)[0]
        if package != layer_name and package not in layer.own:
            yield line, f"{layer_name} may not import {package}"
    elif top == "ansible_collections":
        yield line, f"{layer_name} may not import {name}: only packages of module_utils are imported"
    elif any(name == library or name.startswith(f"{library}.") for library in layer.libraries):
        return
    elif top not in sys.stdlib_module_names:
        yield line, f"{layer_name} may not import the library {name}"
    elif top in layer.without:
        yield line, f"{layer_name} may not import {top}"


def _call_violations(tree: ast.Module, layer: Layer) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in layer.calls:
                yield node.lineno, f"{name}() is not called in this layer"


def _size_violations(tree: ast.Module, source: str, *, is_module: bool) -> Iterator[tuple[int, str]]:
    lines = source.splitlines()
    if is_module:
        documentation = {
            line
            for node in tree.body
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in DOCUMENTATION_NAMES
            for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
        }
        size = sum(_is_code(text) for number, text in enumerate(lines, 1) if number not in documentation)
        if size > MODULE_LINES:
            yield 1, f"a module has at most {MODULE_LINES} lines beside its documentation; this one has {size}"
        return
    if len(lines) > FILE_LINES:
        yield 1, f"a file has at most {FILE_LINES} lines; this one has {len(lines)}"
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            first = body[0].lineno if body else node.lineno
            size = sum(_is_code(text) for text in lines[first - 1 : node.end_lineno])
            if size > FUNCTION_LINES:
                yield node.lineno, f"{node.name}() has {size} lines; a function rarely needs {FUNCTION_LINES}"


def _is_code(text: str) -> bool:
    return bool(text.strip()) and not text.lstrip().startswith("#")
