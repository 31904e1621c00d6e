# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The images of the hosts: Debian from packages by mmdebstrap, cached under the hash of all that goes into them.

The machine's own package sources, proxy settings and certificates go in as well: what this machine can install, a
host of the lab can install.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from privatespace_lab.engine import STATE, LabError, podman, run, say, step

RECIPE = Path(__file__).resolve().parents[1] / "image"
CERTIFICATES = Path("/usr/local/share/ca-certificates")
FLAVOURS = ("base", "client", "internet", "nameserver")
PACKAGES = (
    *("systemd", "systemd-sysv", "dbus", "python3", "python3-apt", "sudo", "iproute2", "nftables", "iputils-ping"),
    *("curl", "openssh-server", "ca-certificates", "procps"),
)
# Left out: they reach for the machine's hardware or kernel settings, or wake up to no use.
MASKED_UNITS = (
    *("systemd-modules-load.service", "systemd-udevd.service", "systemd-udev-trigger.service"),
    *("console-getty.service", "getty.target", "e2scrub_reap.service"),
    *("apt-daily.timer", "apt-daily-upgrade.timer", "fstrim.timer", "e2scrub_all.timer", "dpkg-db-backup.timer"),
)
MASKED_FILES = ("etc/sysctl.d/50-pid-max.conf", "etc/sysctl.d/99-protect-links.conf")
IMAGE_CHANGES = ('--change=CMD ["/sbin/init"]', "--change=STOPSIGNAL SIGRTMIN+3", "--change=ENV LANG C.UTF-8")
APT_SETTINGS = re.compile(r"Acquire::(https?::|Check-|Retries|ForceIPv)")


@dataclass(frozen=True)
class Recipe:
    """All that decides what an image holds: files by path inside the image, package sources, and hashes by flavour."""

    suite: str
    sources: str
    apt_settings: str
    files: Mapping[str, bytes]
    digests: Mapping[str, str]

    def image(self, flavour: str) -> str:
        """Name of an image in the engine's store."""
        return f"localhost/psg-lab-{flavour}:{self.suite}-{self.digests[flavour]}"

    @property
    def digest(self) -> str:
        """The hash of all images together."""
        return hash_content(*sorted(self.digests.items()))


def hash_content(*content: object) -> str:
    """A short name for plain values."""
    return hashlib.sha256(repr(content).encode()).hexdigest()[:12]


def _split_stages(recipe: str) -> list[tuple[str, str, str]]:
    """The stages of a Containerfile as name, parent and text; the first stands on the base image."""
    parts = re.split(r"^FROM (\S+) AS (\w+)\n", recipe, flags=re.MULTILINE)[1:]
    return [
        (name, "base" if parent == "${BASE}" else parent, text)
        for parent, name, text in zip(parts[::3], parts[1::3], parts[2::3])
    ]


def hash_flavours(base: str, recipe: str, files: Mapping[str, bytes]) -> dict[str, str]:
    """Hash of every image: a host is made again for a change of its own image, or of one that it is built upon.

    :param base: The hash of the base image.
    :param recipe: The text of the Containerfile.
    :param files: What lies beside it, by path; the first folder is a flavour.
    """
    digests = {"base": base}
    for name, parent, text in _split_stages(recipe):
        own = sorted((path, content) for path, content in files.items() if path.split("/")[0] == name)
        digests[name] = hash_content(digests[parent], text, own)
    return digests


def render_sources(lines: Iterable[str], machine_suite: str, suite: str) -> str:
    """Package sources of a suite, from lines ``URI RELEASE COMPONENT ORIGIN`` of the machine: Debian's alone."""
    entries = []
    for line in lines:
        uri, release, component, origin = (*line.split(), "", "", "", "")[:4]
        if origin == "Debian" and (release == machine_suite or release.startswith(f"{machine_suite}-")):
            entries.append(f"deb {uri} {release.replace(machine_suite, suite, 1)} {component}")
    return "".join(f"{entry}\n" for entry in dict.fromkeys(entries))


def render_pip_config(settings: str) -> str:
    """A host's pip.conf from the output of ``pip config list``: indexes on the network, the system's certificates."""
    lines = ["[global]", "cert = /etc/ssl/certs/ca-certificates.crt"]
    for key in ("index-url", "extra-index-url", "trusted-host"):
        found = re.search(rf"^(?:global|:env:)\.{key}='(.*)'$", settings, re.MULTILINE)
        values = [value for value in re.split(r"\s+|\\n", found.group(1)) if value] if found else []
        values = [value for value in values if key == "trusted-host" or value.startswith(("http://", "https://"))]
        if values:
            lines.append(f"{key} = {' '.join(values)}")
    return "\n".join(lines) + "\n"


def load_recipe(suite: str) -> Recipe:
    """Read the recipe of a suite from the checkout and from the machine's settings."""
    release = Path("/etc/os-release").read_text()
    machine_suite = (re.search(r"^VERSION_CODENAME=(\w+)", release, re.MULTILINE) or ["", "bookworm"])[1]
    columns = "$(REPO_URI) $(RELEASE) $(COMPONENT) $(ORIGIN)"
    targets = run(["apt-get", "indextargets", "--format", columns, "Created-By: Packages"])
    sources = render_sources(targets.stdout.decode().splitlines(), machine_suite, suite)
    if not sources:
        raise LabError(f"this machine has no Debian package source for {machine_suite}: apt-get update, then again")
    dump = run(["apt-config", "dump"]).stdout.decode().splitlines()
    apt_settings = "".join(f"{line}\n" for line in dump if APT_SETTINGS.match(line) and not line.endswith(' "";'))
    base = RECIPE / "base"
    files = {str(path.relative_to(base)): path.read_bytes() for path in base.rglob("*") if path.is_file()}
    files["etc/pip.conf"] = render_pip_config(run(["pip", "config", "list"]).stdout.decode()).encode()
    for path in sorted(CERTIFICATES.glob("**/*.crt")):
        files[f"{CERTIFICATES}/{path.name}".lstrip("/")] = path.read_bytes()
    bootstrap = _bootstrap_command(suite, Path("work"))
    digest = hash_content(sources, apt_settings, sorted(files.items()), bootstrap, IMAGE_CHANGES)
    beside = {str(path.relative_to(RECIPE)): path.read_bytes() for path in RECIPE.rglob("*") if path.is_file()}
    digests = hash_flavours(digest, (RECIPE / "Containerfile").read_text(), beside)
    return Recipe(suite, sources, apt_settings, files, digests)


def ensure_images(recipe: Recipe) -> None:
    """Have the images of a suite in the store: from the store, the cache, or built (about two minutes)."""
    if all(_exists(recipe.image(each)) for each in FLAVOURS):
        return
    cache = Path(os.environ.get("PRIVATESPACE_LAB_CACHE") or STATE / "images")
    cache.mkdir(parents=True, exist_ok=True)
    archive = cache / f"{recipe.suite}-{recipe.digest}.tar.zst"
    if not _load(archive):
        with step(f"building the {recipe.suite} images (once)"):
            _build(recipe)
            _save(recipe, archive)
    _remove_old(recipe, archive)


def _exists(image: str) -> bool:
    return run(["podman", "image", "exists", image], check=False).returncode == 0


def _load(archive: Path) -> bool:
    """Load the images from the cache; a broken archive is removed."""
    if not archive.is_file():
        return False
    unpack = ["zstd", "-qdc", str(archive)]
    with step(f"loading the images from {archive}"), subprocess.Popen(unpack, stdout=subprocess.PIPE) as reader:
        done = subprocess.run(["podman", "load", "--quiet"], stdin=reader.stdout, capture_output=True, check=False)
    if done.returncode == 0 and reader.returncode == 0:
        return True
    say(f"{archive} is broken: building again")
    archive.unlink()
    return False


def _build(recipe: Recipe) -> None:
    """Bootstrap the base image, then add the layers of the hosts that no role manages; what is there stays."""
    (STATE / "log").mkdir(parents=True, exist_ok=True)
    if not _exists(recipe.image("base")):
        _build_base(recipe)
    for flavour in FLAVOURS[1:]:
        if _exists(recipe.image(flavour)):
            continue
        command = [
            *("podman", "build", "--isolation=chroot", "--network=host", f"--target={flavour}"),
            *(f"--build-arg=BASE={recipe.image('base')}", f"--tag={recipe.image(flavour)}"),
            *(f"--file={RECIPE / 'Containerfile'}", str(RECIPE)),
        ]
        _run_logged(command, f"image-{flavour}.log")


def _build_base(recipe: Recipe) -> None:
    """Bootstrap the base image."""
    with tempfile.TemporaryDirectory(dir=STATE) as folder:
        work = Path(folder)
        tree = work / "tree"
        for name, content in recipe.files.items():
            path = tree / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        (work / "sources.list").write_text(recipe.sources)
        (work / "apt.conf").write_text(recipe.apt_settings)
        _run_logged(_bootstrap_command(recipe.suite, work), "image-base.log")
        podman("import", "--quiet", *IMAGE_CHANGES, str(work / "base.tar"), recipe.image("base"))


def _bootstrap_command(suite: str, work: Path) -> list[str]:
    """The mmdebstrap command line. ``force-unsafe-io`` stays in the image: a lab host need not survive a power cut."""
    masks = [f'ln -sf /dev/null "$1/etc/systemd/system/{unit}"' for unit in MASKED_UNITS]
    masks += [f'ln -sf /dev/null "$1/{name}"' for name in MASKED_FILES]
    return [
        *(
            "mmdebstrap",
            "--mode=root",
            "--variant=minbase",
            f"--include={','.join(PACKAGES)}",
            f"--aptopt={work / 'apt.conf'}",
        ),
        *(
            "--dpkgopt=force-unsafe-io",
            "--dpkgopt=path-exclude=/usr/share/doc/*",
            "--dpkgopt=path-exclude=/usr/share/man/*",
        ),
        *("--dpkgopt=path-exclude=/usr/share/locale/*", '--aptopt=Acquire::Languages "none"'),
        f'--customize-hook=sync-in "{work / "tree"}" /',
        '--customize-hook=chroot "$1" update-ca-certificates',
        '--customize-hook=rm -f "$1"/etc/ssh/ssh_host_* "$1"/etc/hostname "$1"/etc/resolv.conf; : >"$1"/etc/machine-id',
        *(f"--customize-hook={mask}" for mask in masks),
        *(suite, str(work / "base.tar"), str(work / "sources.list")),
    ]


def _run_logged(argv: list[str], log: str) -> None:
    """Run a long program with its output in ``.lab/log``. C(LabError) names that file."""
    path = STATE / "log" / log
    with path.open("wb") as output:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        lines = path.read_text(errors="replace").strip().splitlines() or ["no message"]
        raise LabError(f"{argv[0]} failed: {lines[-1]} (all of it in {path})")


def _save(recipe: Recipe, archive: Path) -> None:
    """Keep the images of a suite in one archive, complete or not at all."""
    part = archive.with_suffix(f".{os.getpid()}.part")
    plain = part.with_suffix(".tar")
    try:
        images = [recipe.image(flavour) for flavour in FLAVOURS]
        podman("save", "--quiet", "--multi-image-archive", "--output", str(plain), *images)
        run(["zstd", "-q", "-T0", "-3", "-f", plain, "-o", part])
        part.replace(archive)
    finally:
        plain.unlink(missing_ok=True)
        part.unlink(missing_ok=True)


def _remove_old(recipe: Recipe, archive: Path) -> None:
    """Remove what earlier recipes of the suite left; a shared cache is left alone."""
    current = {recipe.image(flavour) for flavour in FLAVOURS}
    for name in podman("images", "--format", "{{.Repository}}:{{.Tag}}").split():
        if re.fullmatch(rf"localhost/psg-lab-\w+:{recipe.suite}-\w+", name) and name not in current:
            podman("rmi", name, check=False)  # an image that a host still uses stays
    if archive.parent == STATE / "images":
        for path in archive.parent.glob(f"{recipe.suite}-*"):
            if path != archive:
                path.unlink()
