"""The socket of a server, opened before anything slow, so that a taken port shows at once."""

from __future__ import annotations

import errno
import socket
from ipaddress import ip_address

from mt.errors import RunError

_REMEDY = "127.0.0.1 is this machine, 0.0.0.0 all its networks"


def open_socket(host: str, port: int) -> socket.socket:
    """A socket at this address, which does not listen yet. port: 0 for any that is free.

    Raises `RunError` for an address that is not this machine's, and for a port that is taken or reserved.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError) as error:
        raise RunError(f"--host {host}: there is no such address; {_REMEDY}") from error
    found = socket.socket(family, kind, protocol)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
    except OSError as error:
        found.close()
        raise RunError(_fault(error, host, port)) from error
    return found


def _fault(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"--port {port}: another program has it already; choose another port, or 0 for any that is free"
    if error.errno in (errno.EACCES, errno.EPERM):
        return (
            f"--port {port}: the system reserves ports below 1024; choose a larger one, and put a proxy in front of it"
        )
    return f"--host {host}: is no address of this machine ({error.strerror}); {_REMEDY}"


def is_local(found: socket.socket) -> bool:
    """Whether only programs on this machine reach the socket."""
    return ip_address(str(found.getsockname()[0]).partition("%")[0]).is_loopback


def url_of(found: socket.socket) -> str:
    """The address to type into a browser."""
    host, port = found.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
