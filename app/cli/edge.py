"""`rushes edge`: the Procfile's process, and the change of the key that signs media addresses."""

from __future__ import annotations

import argparse
import base64
import os
import secrets
from pathlib import Path

from app.core.errors import ConfigurationError, Rejected

#: An address may live for six hours in players that cannot renew it.
LIFE_HOURS = 6


def add_arguments(parser: argparse.ArgumentParser) -> list[argparse.ArgumentParser]:
    """Nothing runs the edge; `rotate-key` works on the key ring."""
    verbs = parser.add_subparsers(dest="verb", metavar="VERB")
    rotate = verbs.add_parser("rotate-key", help="sign media addresses with a new key; the old ones still verify",
                              description="Add a new key before the others. Addresses that are out there go on working "
                              f"until they end, after {LIFE_HOURS} hours at most; then --drop-old removes all keys but "
                              "the newest. In an instance of `rushes up` it is done while that is stopped; elsewhere "
                              "it prints the new EDGE_SIGNING_KEY and what to do with it.")  # fmt: skip
    rotate.add_argument("--drop-old", action="store_true", help="keep the newest key alone")
    return list(verbs.choices.values())


def run(args: argparse.Namespace) -> int:
    """Run the guard and Caddy; with a verb, do that."""
    if args.verb == "rotate-key":
        return _rotate(args)
    from edge import run as edge_run

    return int(edge_run.main() or 0)


def new_ring(ring: str, *, drop_old: bool) -> str:
    """The value of EDGE_SIGNING_KEY after the change: newest first. Raises Rejected for one that is empty."""
    entries = [entry for entry in ring.replace(",", " ").split() if entry]
    if not entries:
        raise Rejected("no_ring", "EDGE_SIGNING_KEY is empty: there is no key to change.")
    if drop_old:
        return entries[0]
    used = {entry.partition(":")[0] for entry in entries}
    name = next(f"k{number}" for number in range(len(entries) + 1, 10_000) if f"k{number}" not in used)
    secret = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("=")
    return ",".join([f"{name}:{secret}", *entries])


def _rotate(args: argparse.Namespace) -> int:
    given = os.environ.get("EDGE_SIGNING_KEY")
    state = Path(args.instance).resolve() / "state.json"
    if given:
        print(f"EDGE_SIGNING_KEY={new_ring(given, drop_old=args.drop_old)}")
        _explain_platform(args.drop_old)
        return 0
    if not state.exists():
        raise ConfigurationError(
            [f"there is no instance in {args.instance}, and EDGE_SIGNING_KEY is not set: give it the present value"]
        )
    _rotate_instance(state, drop_old=args.drop_old)
    if args.drop_old:
        print("Only the newest key is left. Start the instance again; addresses of older keys are refused.")
    else:
        print(
            f"A new key signs from the next start on. After {LIFE_HOURS} hours stop it once more and run: "
            "rushes edge rotate-key --drop-old"
        )
    return 0


def _rotate_instance(path: Path, *, drop_old: bool) -> None:
    """While it is stopped: what runs keeps its state in memory, and writes it again. Raises Conflict."""
    from app.stack.lock import InstanceLock
    from app.stack.state import load

    lock = InstanceLock(path.parent / "lock")
    try:
        state = load(path)
        state.edge_signing_key = new_ring(state.edge_signing_key, drop_old=drop_old)
        state.save(path)
    finally:
        lock.close()


def _explain_platform(drop_old: bool) -> None:
    if drop_old:
        print("# Set it for web and edge and restart both. Addresses signed with older keys are refused from then on.")
        return
    print("# 1. Set it for the edge first and restart it: it then verifies the new key too.")
    print("# 2. Set it for the web and restart it: it signs with the first key of the list.")
    print(f"# 3. After {LIFE_HOURS} hours: rushes edge rotate-key --drop-old, again edge first.")
