"""``python -m airflow_segments_provider.testing.sandbox``: runs the sandbox until it is interrupted."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from airflow_segments_provider.testing.sandbox.extra import ExtraMissing, require_extra

if TYPE_CHECKING:
    from airflow_segments_provider.testing.sandbox.server import SandboxServer


PASSWORD = "SEGMENTS_SANDBOX_PASSWORD"
_WARNING = (
    "warning: other machines can reach {host}. The printed connections allow changes of the sandbox's vendors; "
    f"its control requires the password in {PASSWORD}. Nothing is encrypted."
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the sandbox, and return the exit status.

    :param arguments: those of the command line, when None
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        require_extra()
    except ExtraMissing as error:
        print(error, file=sys.stderr)
        return 2
    from airflow_segments_provider.testing.sandbox.server import SandboxServer

    try:
        server = SandboxServer(
            options.host, options.port, options.database, os.environ.get(PASSWORD), **_settings(options)
        )
    except (OSError, ValueError) as error:
        parser.error(str(error))
    if server.is_public:
        print(_WARNING.format(host=options.host), file=sys.stderr)
    with suppress(KeyboardInterrupt):
        server.serve(on_ready=lambda: print(_welcome(server), flush=True))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m airflow_segments_provider.testing.sandbox",
        description="A local server that speaks the vendors' APIs.",
        epilog=f"{PASSWORD} is the password of its control API, required where other machines can reach it.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8780, help="port to listen on, 0 for a free one (%(default)s)")
    parser.add_argument(
        "--database", default=":memory:", metavar="FILE", help="SQLite file that keeps the state (default: in memory)"
    )
    parser.add_argument(
        "--editor-lag", type=float, metavar="SECONDS", help="until WalkMe's Editor shows a new segment (600)"
    )
    parser.add_argument("--token-lifetime", type=float, metavar="SECONDS", help="until WalkMe's token expires (86400)")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        type=_setting,
        metavar="VENDOR.NAME=VALUE",
        help="any other setting, such as walkme.create_reply=location; may be repeated",
    )
    return parser


def _setting(text: str) -> tuple[str, str, str]:
    name, equals, value = text.partition("=")
    vendor, dot, field = name.partition(".")
    if not (equals and dot and vendor and field):
        raise argparse.ArgumentTypeError(f"{text!r} is not VENDOR.NAME=VALUE")
    return vendor, field, value


def _settings(options: argparse.Namespace) -> dict[str, dict[str, object]]:
    settings: dict[str, dict[str, object]] = {}
    for vendor, field, value in options.set:
        settings.setdefault(vendor, {})[field] = value
    for field in ("editor_lag", "token_lifetime"):
        if (value := getattr(options, field)) is not None:
            settings.setdefault("walkme", {})[field] = value
    return settings


def _welcome(server: SandboxServer) -> str:
    lines = [f"Segments sandbox on {server.url} (control: {server.url}/_sandbox/docs)", ""]
    password = f' -u "sandbox:${PASSWORD}"' if os.environ.get(PASSWORD) else ""
    for vendor in server.world.vendors.values():
        connection = vendor.connection(server.url)
        variable = f"AIRFLOW_CONN_{connection['conn_type']}_DEFAULT".upper()
        lines.append(f"export {variable}={shlex.quote(json.dumps(connection))}")
    lines += ["", "Add users, where a vendor has a list of them (WalkMe accepts any user ID), and a WalkMe segment:"]
    vendors = [vendor.name for vendor in server.world.vendors.values() if hasattr(vendor, "seed_users")]
    seeding: dict[str, object] = {f"{vendor}/seed_users": {"count": 100} for vendor in vendors}
    seeding["walkme/create_segment"] = {"name": "Trial users", "user_ids": ["ada", "grace"]}
    for operation, arguments in seeding.items():
        lines.append(f"curl{password} {server.url}/_sandbox/{operation} -d {shlex.quote(json.dumps(arguments))}")
    return "\n".join([*lines, "", "Ctrl-C stops it."])


if __name__ == "__main__":
    sys.exit(main())
