"""Connections in, refusals out: only this machine's loopback may be reached, from this process and its children.

An audit hook sees what Python's sockets do, whoever calls them, and cannot be undone by a library. ATTEMPTS keeps what
was refused, for a library that swallows the error.
"""

import ipaddress
import os
import sys

ATTEMPTS: list[str] = []

_NAMES = {"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"}
_ADDRESSES = {"socket.connect", "socket.sendto", "socket.sendmsg"}


def _refuse_outside(event: str, args: tuple[object, ...]) -> None:
    if event in _NAMES:
        host = args[0]
    elif event in _ADDRESSES and isinstance(args[1], tuple):
        host = args[1][0]
    else:
        return
    name = host.decode() if isinstance(host, bytes) else host
    if name is None or _is_here(str(name)):
        return
    ATTEMPTS.append(f"{event} {name}")
    raise AssertionError(f"a test tried to reach {name} ({event})")


def _is_here(host: str) -> bool:
    if host in ("", "localhost"):
        return True
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


if os.environ.get("REGTAPE_TESTS_OFFLINE") == "1":
    sys.addaudithook(_refuse_outside)
