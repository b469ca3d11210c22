"""`rushes …`: one command, for people and for the Procfile. Subcommands import what they need.

docs/cli.md shows each.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from app.core.errors import RushesError

_EXITS = (
    "Exit codes: 0 done; 1 not done, and a sentence says why; 2 wrong usage; 3 `audit verify` or `audit publish` has "
    "found a log that is not whole; 130 interrupted."
)


def main(argv: list[str] | None = None) -> int:
    """Run one subcommand; 0 when it did its work. Errors of ours end with a sentence and 1."""
    args = _parser().parse_args(argv)
    try:
        return _COMMANDS[args.command](args) or 0
    except RushesError as error:
        print(error.sentence, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="rushes", description="Video masters in, locked, previewed, reviewed.", epilog=_EXITS
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, text: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=text, description=text, epilog=_EXITS)

    up = add("up", "start everything on this machine and stay in the foreground")
    up.add_argument("--port", type=int, help="where the site is opened (8080, or the next free one)")
    up.add_argument("--no-demo", action="store_true", help="no sample clip")
    up.add_argument("--only-servers", action="store_true", help="PostgreSQL, Redis and S3 alone")
    up.add_argument("--email", help="address of the first administrator (first start only)")
    up.add_argument("--organization", help="name of the organisation (first start only)")
    upload = add("upload", "upload files to a project")
    upload.add_argument("files", nargs="+", metavar="FILE")
    upload.add_argument("--project", required=True, help="id of the project")
    upload.add_argument("--title", help="title of the asset (the file's name)")
    upload.add_argument("--url", help="address of Rushes (RUSHES_URL, or the instance that runs here)")
    demo = add("demo", "draw the sample clip and send it through (run by `up`)")
    demo.add_argument("--project", required=True)
    doctor = add("doctor", "try every part of this instance, and say how to mend what is not well")
    doctor.add_argument("--json", action="store_true", help="as JSON")
    located = [up, upload, demo, doctor, *_groups(add)]
    for each in located:
        each.add_argument("--instance", default="instance", metavar="DIR", help="folder of the instance (./instance)")
    add("migrate", "bring the database to this release (Procfile)")
    add("setup", "make the first administrator from ADMIN_EMAIL, ADMIN_PASSWORD, ORGANIZATION_NAME")
    return parser


def _groups(add: Callable[[str, str], argparse.ArgumentParser]) -> list[argparse.ArgumentParser]:
    """Commands with verbs; returns the parsers that work on an instance."""
    from app.cli import audit, backup, edge, jobs, tokens, users

    return [
        *users.add_arguments(add("user", "accounts: add, list, deactivate, reactivate, password")),
        *tokens.add_arguments(add("token", "API tokens: make, list, revoke")),
        *jobs.add_arguments(add("jobs", "work: list, retry, cancel")),
        *audit.add_arguments(add("audit", "the sealed activity log: verify, publish, erase")),
        *backup.add_arguments(add),
        *edge.add_arguments(add("edge", "run the guard and Caddy (Procfile); rotate-key changes the signing key")),
    ]


def _up(args: argparse.Namespace) -> None:
    from app.cli import up

    up.run(args)


def _upload(args: argparse.Namespace) -> None:
    from app.cli import upload

    upload.run(args)


def _demo(args: argparse.Namespace) -> None:
    from app.cli import demo

    demo.run(args)


def _doctor(args: argparse.Namespace) -> int:
    from app.cli import doctor

    return doctor.run(args)


def _edge(args: argparse.Namespace) -> int:
    from app.cli import edge

    return edge.run(args)


def _user(args: argparse.Namespace) -> int:
    from app.cli import users

    return users.run(args)


def _token(args: argparse.Namespace) -> int:
    from app.cli import tokens

    return tokens.run(args)


def _jobs(args: argparse.Namespace) -> int:
    from app.cli import jobs

    return jobs.run(args)


def _backup(args: argparse.Namespace) -> int:
    from app.cli import backup

    return backup.backup(args)


def _restore(args: argparse.Namespace) -> int:
    from app.cli import backup

    return backup.restore(args)


def _rebuild(args: argparse.Namespace) -> int:
    from app.cli import backup

    return backup.rebuild_catalogue(args)


def _audit(args: argparse.Namespace) -> int:
    from app.cli import audit

    return audit.run(args)


def _migrate(_args: argparse.Namespace) -> None:
    from app.cli import migrate

    migrate.run()


def _setup(_args: argparse.Namespace) -> None:
    from app.cli import setup

    setup.run()


_COMMANDS = {
    "up": _up, "upload": _upload, "demo": _demo, "doctor": _doctor, "edge": _edge, "migrate": _migrate,
    "setup": _setup, "user": _user, "token": _token, "jobs": _jobs, "audit": _audit,
    "backup": _backup, "restore": _restore, "rebuild-catalogue": _rebuild,
}  # fmt: skip

if __name__ == "__main__":
    sys.exit(main())
