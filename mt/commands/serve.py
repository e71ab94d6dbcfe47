"""`mt serve`: a page and a JSON endpoint that put systems side by side on a pasted text."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, fields
from importlib.util import find_spec
from ipaddress import ip_network
from typing import Any

from mt.commands.environment import quiet_libraries
from mt.commands.options import NOT_FOR_DECODING, typed_sections
from mt.config import DecodingConfig, ModelConfig
from mt.config.parsing import QuietParser, parse_or_help
from mt.config.serving import ServingConfig
from mt.errors import RunError, UsageError
from mt.experiment.early_checks import check_tables
from mt.files import printable
from mt.systems.names import check_systems

logger = logging.getLogger(__name__)

MAX_SYSTEMS = 4
_HOST = re.compile(r"[\w.-]+|\[?[\da-f:.]+\]?", re.IGNORECASE)
_NEEDED = ("starlette", "uvicorn")


def run(argv: Sequence[str], prog: str) -> int:
    """Serve until SIGTERM or Ctrl-C. Raises `UserError`s."""
    command = parse_serve(argv, prog)
    check_serve(command)
    quiet_libraries()
    from mt.serving.sockets import open_socket

    with open_socket(command.host, command.port) as found:
        return _serve(command, found)


def _serve(command: ServeCommand, found: Any) -> int:
    """Load the systems, and answer requests at a socket."""
    from mt.serving.app import Described, Service, make_app
    from mt.serving.protection import AllowedHosts
    from mt.serving.queue import Queue
    from mt.serving.served_system import check_servable, load_served
    from mt.serving.server import serve
    from mt.serving.sockets import is_local, url_of
    from mt.systems.pairs import compared_pair
    from mt.systems.system import resolve_systems
    from mt.text.glossary import read_glossary

    systems = resolve_systems(command.systems, command.model, command.decoding)
    for system in systems:
        check_servable(system)
    languages = compared_pair(systems, command.model)
    glossary = read_glossary(command.glossary, languages)
    loaded = [load_served(system) for system in systems]
    queue = Queue({each.label: each for each in loaded})
    described = [Described(each.label, str(each.engine), each.is_calibrated) for each in loaded]
    hosts = AllowedHosts(command.allowed_hosts, is_local=is_local(found))
    app = make_app(Service(queue, described, languages, glossary, command.limits), hosts)
    if not is_local(found):
        logger.warning(
            "--host %s: everybody who reaches this machine can use the server, without a password, and reads along, as "
            "nothing is encrypted; put a proxy in front of it that does both",
            command.host,
        )
    names = ", ".join(each.label for each in loaded)
    serve(app, queue, found, f"{url_of(found)} translates by {names}; Ctrl-C stops it", command.trusted_proxy)
    print("stopped", file=sys.stderr)
    return 0


@dataclass(frozen=True)
class ServeCommand:
    """What `mt serve` was asked to do."""

    systems: list[str]
    host: str
    port: int
    allowed_hosts: list[str]
    trusted_proxy: str | None
    glossary: str | None
    limits: ServingConfig
    model: dict[str, Any]
    """The typed options by name, as in `decoding`; for the others a run has its own values."""
    decoding: dict[str, Any]


def serve_parser(prog: str) -> QuietParser:
    """The parser behind `mt serve --help`."""
    parser = QuietParser(
        prog=prog,
        usage="%(prog)s SYSTEM [SYSTEM ...] [--host ADDRESS] [--port NUMBER] [--section.key VALUE ...]",
        description="Put one to four systems side by side on pasted text: a page for people at /, JSON for programs at "
        "/translate.",
    )
    parser.add_argument(
        "systems",
        nargs="+",
        metavar="SYSTEM",
        help="a run directory, a model directory (CTranslate2's, too), a hub name, or tiny-en-ar, which comes with "
        "this project; label=SYSTEM names it; a run translates as it was scored",
    )
    parser.add_argument(
        "--host",
        metavar="ADDRESS",
        type=str,
        default="127.0.0.1",
        help="where to listen: 127.0.0.1 for this machine only, 0.0.0.0 for all its networks, without a password",
    )
    parser.add_argument("--port", metavar="NUMBER", type=int, default=8000, help="0: any that is free")
    parser.add_argument(
        "--allowed_host",
        action="append",
        default=[],
        metavar="NAME",
        type=str,
        help="a further name by which browsers call the server, as behind a proxy; may be given several times",
    )
    parser.add_argument(
        "--trusted_proxy",
        metavar="ADDRESS",
        type=str | None,
        default=None,
        help="the address, or network, of a proxy whose X-Forwarded-For header says who the client is",
    )
    parser.add_argument(
        "--glossary",
        metavar="FILE",
        type=str | None,
        default=None,
        help="terms to highlight and check: a table of english, arabic and kind; default: the one included in mt",
    )
    parser.add_class_arguments(ServingConfig)
    parser.add_class_arguments(ModelConfig, "model", skip=NOT_FOR_DECODING)
    parser.add_class_arguments(DecodingConfig, "decoding")
    return parser


def parse_serve(argv: Sequence[str], prog: str) -> ServeCommand:
    """The command in `argv`. Raises `UsageError` or `ConfigError`."""
    parser = serve_parser(prog)
    options = parse_or_help(parser, argv)
    if len(options.systems) > MAX_SYSTEMS:
        raise UsageError(f"at most {MAX_SYSTEMS} systems can be shown side by side, got {len(options.systems)}")
    if not 0 <= options.port < 2**16:
        raise UsageError(f"--port must be from 0 to 65535, got {options.port}")
    _check_proxy(options.allowed_host, options.trusted_proxy)
    return ServeCommand(
        options.systems,
        options.host,
        options.port,
        options.allowed_host,
        options.trusted_proxy,
        options.glossary,
        ServingConfig(**{each.name: options[each.name] for each in fields(ServingConfig)}),
        *typed_sections(parser, argv, is_scored=True),
    )


def _check_proxy(names: Sequence[str], trusted_proxy: str | None) -> None:
    """Raise `UsageError` for what would never be the name or address of any request, and so be of no effect."""
    for name in names:
        if not _HOST.fullmatch(name):
            raise UsageError(
                f"--allowed_host {printable(name)}: give a name only, as in mt.example.org, without http:// or port"
            )
    try:
        _ = trusted_proxy and ip_network(trusted_proxy)
    except ValueError:
        raise UsageError(
            f"--trusted_proxy {printable(str(trusted_proxy))}: give an address, as in 127.0.0.1, or a network, as in "
            "10.0.0.0/8"
        ) from None


def check_serve(command: ServeCommand) -> None:
    """What can be found wrong before anything is imported that takes seconds. Raises `UserError`s."""
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise RunError(f"needs {' and '.join(missing)}, not installed here: pip install 'mt-conflict-news[serve]'")
    check_systems(command.systems)
    check_tables([command.glossary, command.decoding.get("terminology")])
