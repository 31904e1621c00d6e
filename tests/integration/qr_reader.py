"""A real reader of QR codes, Debian's ``zbarimg``, for images as the collection writes them."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

_PIXELS = 4


def read_image(path: Path) -> bytes:
    """What an image says, byte for byte; it must hold one QR code."""
    argv = ("zbarimg", "--quiet", "--nodbus", "--raw", "--oneshot", "-Sdisable", "-Sqrcode.enable", "-Sbinary")
    return subprocess.run((*argv, str(path)), capture_output=True, check=True, timeout=60).stdout


def read_svg(text: str, folder: Path) -> bytes:
    """The same for an SVG, which a browser would show: its one path of horizontal strokes is drawn first."""
    size = re.search(r'width="(\d+)" height="\1".*scale\(4\)', text)
    path = re.search(r'stroke="#000" d="([^"]+)"', text)
    if size is None or path is None:
        raise AssertionError(f"not the SVG of a QR code: {text[:200]}")
    modules = int(size[1]) // _PIXELS
    rows = [bytearray(b"\xff" * modules) for _row in range(modules)]
    x, y = 0, 0.0
    for step, dx, dy in re.findall(r"([Mmh])(-?[\d.]+)(?: (-?[\d.]+))?", path[1]):
        if step == "h":
            rows[int(y)][x : x + int(dx)] = bytes(int(dx))
        x, y = (int(dx), float(dy)) if step == "M" else (x + int(dx), y + float(dy or 0))
    lines = [bytes(pixel for pixel in row for _x in range(_PIXELS)) for row in rows for _y in range(_PIXELS)]
    image = folder / "code.pgm"
    image.write_bytes(b"P5 %d %d 255\n" % (modules * _PIXELS, modules * _PIXELS) + b"".join(lines))
    return read_image(image)
