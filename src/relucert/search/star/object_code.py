"""What an object file needs from outside (ELF, 64 bits, little-endian)."""

from __future__ import annotations

import struct

__all__ = ["external_symbols"]

_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_SYMBOL_TABLE = 2


def external_symbols(code: bytes) -> frozenset[str] | None:
    """Names that the object uses and does not define; None when it is no such object file."""
    try:
        header = _HEADER.unpack_from(code)
        if header[0][:6] != b"\x7fELF\x02\x01":
            return None
        start, size, count = header[6], header[11], header[12]
        sections = [_SECTION.unpack_from(code, start + size * i) for i in range(count)]
        names: set[str] = set()
        for section in sections:
            if section[1] == _SYMBOL_TABLE:
                names |= _undefined(code, section, sections[section[6]][4])
    except (struct.error, IndexError, ValueError):
        return None
    return frozenset(names)


def _undefined(code: bytes, section: tuple[int, ...], strings: int) -> set[str]:
    """The names without a section of their own in a symbol table."""
    offset, size = section[4], section[5]
    names = set()
    for place in range(offset, offset + size, _SYMBOL.size):
        name, _, _, home, _, _ = _SYMBOL.unpack_from(code, place)
        if home == 0 and name != 0:
            start = strings + name
            names.add(code[start : code.index(b"\0", start)].decode("ascii"))
    return names
