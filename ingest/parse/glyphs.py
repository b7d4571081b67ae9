"""A PDF page open in pdfium in, its runs of text with positions out.

A run is a piece of one line drawn in one size without a wide gap: a prose line, a table cell, a superscript. Characters
are fetched one call each (0.25 microseconds through a bare function pointer, against 2 through the wrapper) and put
together with NumPy, because Python objects for each of 600,000 characters are what makes PDF layout slow.
"""

import ctypes
from collections import deque
from dataclasses import dataclass
from itertools import repeat

import numpy as np
import pypdfium2  # type: ignore[import-untyped]
import pypdfium2.raw as pdfium  # type: ignore[import-untyped]
from numpy.typing import NDArray

_PAGE, _INDEX, _OUT = ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p
_get_unicode = ctypes.CFUNCTYPE(ctypes.c_uint, _PAGE, _INDEX)(
    ctypes.cast(pdfium.FPDFText_GetUnicode, ctypes.c_void_p).value or 0
)
_get_loose_box = ctypes.CFUNCTYPE(ctypes.c_int, _PAGE, _INDEX, _OUT)(
    ctypes.cast(pdfium.FPDFText_GetLooseCharBox, ctypes.c_void_p).value or 0
)
_get_angle = ctypes.CFUNCTYPE(ctypes.c_float, _PAGE, _INDEX)(
    ctypes.cast(pdfium.FPDFText_GetCharAngle, ctypes.c_void_p).value or 0
)
_get_font = ctypes.CFUNCTYPE(ctypes.c_ulong, _PAGE, _INDEX, _OUT, ctypes.c_ulong, _OUT)(
    ctypes.cast(pdfium.FPDFText_GetFontInfo, ctypes.c_void_p).value or 0
)

BOLD, ITALIC = 1, 2

# All gaps are in heights of the glyph box, which is about 1.15 em.
RUN_GAP = 0.95  # wider: another run
SPACE_GAP = 0.3  # wider: a space even where pdfium saw none
OVERLAP = (
    -0.12
)  # a space between glyphs that overlap more is no space; an italic f reaches into the one before
_HYPHEN_AT_LINE_END = 2  # what pdfium makes of a hyphen that it thinks divides a word
_FIXES: dict[int, str | None] = {
    0xFB00: "ff", 0xFB01: "fi", 0xFB02: "fl", 0xFB03: "ffi", 0xFB04: "ffl", 0xFB05: "st", 0xFB06: "st",
    0xF0B7: "•", 0xF0A7: "▪", 0xF0D8: "➢", 0xF0A8: "☐", 0xF0FE: "☒", 0xF06F: "☐", 0xF0A3: "☐", 0xF078: "☒",
    0xF020: " ", 0xE000: None, 0xE001: None, 0xE002: None, 0xE003: None,
    0x00AD: "-", _HYPHEN_AT_LINE_END: "-", 0x2010: "-", 0x2011: "-",
}  # fmt: skip


@dataclass(slots=True)
class Run:
    """Text drawn in one go. x0, x1, bottom, height in points, y upwards; style: BOLD and ITALIC bits."""

    x0: float
    x1: float
    bottom: float
    height: float
    text: str
    style: int


@dataclass(slots=True)
class Sheet:
    """What one page holds: its size in points as displayed, and its runs in the order of drawing."""

    width: float
    height: float
    runs: list[Run]


def read_sheet(page: pypdfium2.PdfPage) -> Sheet:
    """The runs of a page, turned upright; text at an angle to the page (stamps, margin codes) is left out."""
    textpage = page.get_textpage()
    try:
        width, height = page.get_size()
        handle = ctypes.cast(textpage.raw, ctypes.c_void_p).value or 0
        return Sheet(
            width, height, _runs(handle, textpage.count_chars(), page.get_rotation(), width, height)
        )
    finally:
        textpage.close()


def _runs(handle: int, count: int, rotation: int, width: float, height: float) -> list[Run]:
    codes = np.fromiter(map(_get_unicode, repeat(handle), range(count)), np.uint32, count)
    drawn = np.flatnonzero(_is_ink(codes))
    if not len(drawn):
        return []
    boxes = _boxes(handle, drawn)
    left, top, right, bottom = _upright(boxes, rotation, width, height)
    codes = codes[drawn]
    high = top - bottom
    spaced = np.diff(drawn) > 1  # something invisible stands between, mostly a space
    gap = left[1:] - right[:-1]
    tall = np.maximum(high[1:], high[:-1])
    low = np.minimum(high[1:], high[:-1])
    breaks = (np.abs(np.diff(bottom)) > 0.12 * tall) | (low < 0.85 * tall) | (gap > RUN_GAP * tall)
    breaks |= gap < -0.6 * tall
    space = ~breaks & ((gap > SPACE_GAP * tall) | (spaced & (gap > OVERLAP * tall)))
    starts = np.concatenate(([0], np.flatnonzero(breaks) + 1))
    ends = np.append(starts[1:], len(codes))
    spaces_before = np.concatenate(([0], np.cumsum(space)))
    text = _decode(np.insert(codes, np.flatnonzero(space) + 1, 32))
    if len(text) != len(codes) + int(
        spaces_before[-1]
    ):  # a pair of surrogates became one character
        text = "".join(chr(c) if c < 0xD800 or 0xDFFF < c <= 0x10FFFF else "\ufffd" for c in
                       np.insert(codes, np.flatnonzero(space) + 1, 32).tolist())  # fmt: skip
    x0s, x1s = (
        np.minimum.reduceat(left, starts).tolist(),
        np.maximum.reduceat(right, starts).tolist(),
    )
    bottoms, heights = (
        np.minimum.reduceat(bottom, starts).tolist(),
        np.maximum.reduceat(high, starts).tolist(),
    )
    froms, tos = (
        (starts + spaces_before[starts]).tolist(),
        (ends + spaces_before[ends - 1]).tolist(),
    )
    first, last = drawn[starts].tolist(), drawn[ends - 1].tolist()
    fonts: dict[bytes, int] = {}
    runs = []
    for n, (start, end) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
        if end - start < 3 and _tilted(handle, first[n], rotation):
            continue
        words = text[froms[n] : tos[n]]
        if _looks_letter_spaced(words):
            words = _close_up(
                _decode(codes[start:end]), gap[start : end - 1] / tall[start : end - 1]
            )
        style = _style(handle, first[n], fonts) & _style(handle, last[n], fonts)
        runs.append(Run(x0s[n], x1s[n], bottoms[n], heights[n], words.translate(_FIXES), style))
    return runs


def _is_ink(codes: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """Not a space, a control, a zero-width mark or a byte-order mark; pdfium's hyphen mark is ink."""
    ink = (codes > 32) & (codes != 0x7F) & (codes != 0xA0) & (codes != 0x3000)
    ink &= ~(((codes >= 0x2000) & (codes <= 0x200F)) | ((codes >= 0x2028) & (codes <= 0x202F)))
    ink &= (codes != 0x205F) & (codes != 0x2060) & (codes < 0xFFFE) | (codes > 0xFFFF)
    ink &= (codes != 0xFEFF) & (codes != 0xF020)
    return np.asarray(ink | (codes == _HYPHEN_AT_LINE_END))


def _boxes(handle: int, indices: NDArray[np.intp]) -> NDArray[np.float32]:
    """(n, 4) left, top, right, bottom: the advance box, as tall as the font, so that a line's boxes are equal."""
    boxes = np.zeros((len(indices), 4), np.float32)
    base = boxes.ctypes.data
    out = range(base, base + 16 * len(indices), 16)
    deque(map(_get_loose_box, repeat(handle), indices.tolist(), out), maxlen=0)
    return boxes


Edges = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]


def _upright(boxes: NDArray[np.float32], rotation: int, width: float, height: float) -> Edges:
    """Left, top, right, bottom as the page is displayed; `width` and `height` are those of the displayed page."""
    left, top, right, bottom = boxes.T
    if rotation == 90:
        return bottom, height - left, top, height - right
    if rotation == 180:
        return width - right, height - bottom, width - left, height - top
    if rotation == 270:
        return width - top, right, width - bottom, left
    return left, top, right, bottom


def _tilted(handle: int, index: int, rotation: int) -> bool:
    degrees = np.degrees(_get_angle(handle, index)) - rotation
    return bool(abs((degrees + 180) % 360 - 180) > 10)


def _decode(codes: NDArray[np.uint32]) -> str:
    if bool(((codes >= 0xD800) & (codes <= 0xDFFF)).any()) or bool((codes > 0x10FFFF).any()):
        units = np.where(codes > 0xFFFF, 0xFFFD, codes).astype("<u2")
        return units.tobytes().decode("utf-16-le", errors="replace")
    return codes.astype("<u4").tobytes().decode("utf-32-le")


def _looks_letter_spaced(words: str) -> bool:
    """'M a r c h 3 1' but not 'A B' or '1 2 3' in a form's row of boxes."""
    parts = words.split(" ")
    single = sum(len(part) == 1 and part.isalnum() for part in parts)
    return len(parts) >= 5 and single >= 0.7 * len(parts) and any(map(str.isalpha, parts))


def _close_up(letters: str, gaps: NDArray[np.float32]) -> str:
    """Letter-spaced words with spaces only where the gap is clearly wider than the usual one."""
    usual = float(np.median(gaps))
    if usual > 0.6:
        return " ".join(letters)
    limit = usual + max(0.12, 0.5 * usual)
    return letters[0] + "".join(
        (" " + letter) if gap > limit else letter
        for letter, gap in zip(letters[1:], gaps.tolist(), strict=True)
    )


_name = ctypes.create_string_buffer(128)
_flags = ctypes.c_int()


def _style(handle: int, index: int, known: dict[bytes, int]) -> int:
    """What the font's name says (the weight that pdfium reports is a guess for most embedded fonts)."""
    size = _get_font(handle, index, ctypes.addressof(_name), 128, ctypes.addressof(_flags))
    name = _name.raw[: min(size, 128)]
    if name not in known:
        lower = name.lower()
        bold = any(word in lower for word in (b"bold", b"black", b"heavy", b"demi", b"-bd", b",bd"))
        known[name] = BOLD * bold | ITALIC * (b"italic" in lower or b"oblique" in lower)
    return known[name]
