"""`rushes audit …`: prove the activity log, publish its heads, erase personal fields."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from app.cli import place
from app.core.errors import ConfigurationError, Rejected
from app.core.settings import DatabaseSettings, StorageSettings, load

if TYPE_CHECKING:
    from app.core.heads import Head
    from app.core.storage import Storage
    from app.models import Organization
    from app.workflows.verify_audit import Verdict

#: The exit code of a log that is not whole.
BROKEN = 3


class _HeadSettings(StorageSettings, DatabaseSettings):
    ROLES = ("docs-writer",)

    object_lock_default_days: int = 30
    object_lock_mode: Literal["GOVERNANCE", "COMPLIANCE"] = "GOVERNANCE"


def add_arguments(parser: argparse.ArgumentParser) -> list[argparse.ArgumentParser]:
    """verify, publish, erase."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    verify = verbs.add_parser(
        "verify",
        help="prove that no activity was changed, removed or moved",
        description="Follow the chain of every organisation from its first row and compare it with the head that "
        "was published under lock. Exit code 3 when a log is not whole.",
    )
    verify.add_argument("--organization", help="only this one (its name or id)")
    verify.add_argument("--head", metavar="SEQUENCE:HASH", help="compare with a head that you noted, too")
    verify.add_argument("--json", action="store_true", help="as JSON")
    verbs.add_parser("publish", help="write the heads to docs under lock now, not within the hour")
    erase = verbs.add_parser("erase", help="erase addresses and user agents; the chain stays whole")
    erase.add_argument("--user", metavar="EMAIL", help="of this person alone")
    erase.add_argument("--before", metavar="YYYY-MM-DD", help="of activities before this day (UTC)")
    erase.add_argument("--organization", help="its name or id, where there are several")
    return list(verbs.choices.values())


def run(args: argparse.Namespace) -> int:
    """Do it; 3 when a log is not whole, else 0. Raises NotFound, Rejected, Unavailable."""
    return {"verify": _verify, "publish": _publish, "erase": _erase}[args.verb](args)


def _verify(args: argparse.Namespace) -> int:
    from app.workflows.verify_audit import verify_audit

    unit_of_work, storage, kept = place.database(args, os.environ), _storage(args), _head(args.head)
    with unit_of_work() as session:
        houses = _houses(session, args.organization)
    if kept and len(houses) != 1:
        raise Rejected("which_organization", "A head belongs to one organisation: say which with --organization.")
    answers, whole = [], True
    for house in houses:
        with unit_of_work() as session:
            verdict = verify_audit(session, storage, house.id, kept=kept)
        whole = whole and verdict.fault is None
        answers.append(_answer(house, verdict))
        if not args.json:
            print("\n".join(_lines(house, verdict, storage is not None)))
    if args.json:
        print(json.dumps(answers, indent=1, default=str))
    return 0 if whole else BROKEN


def _lines(house: Organization, verdict: Verdict, has_storage: bool) -> list[str]:
    published, fault = verdict.published, verdict.fault
    if fault:
        lines = [f"{house.name}: NOT WHOLE at row {fault.sequence}. {fault.sentence}"]
        if fault.row:
            lines.append(f"  activity {fault.row}")
        lines.append(f"  {_rows(verdict.head.sequence)} before it fit together")
        return lines
    if published is None:
        why = "no head was published yet" if has_storage else "the storage of the heads is not known here"
        rest = f"{_rows(verdict.unsealed)} not sealed yet"
        return [f"{house.name}: {_rows(verdict.sealed)} fit together, but {why}; {rest}"]
    head = f"proven up to head {published.hash} (sequence {published.sequence})"
    lines = [f"{house.name}: {head}; {_rows(verdict.not_yet)} after it not yet"]
    until = published.locked_until
    lock = f"locked ({published.lock_mode}) until {until:%Y-%m-%d %H:%M} UTC" if until else "NOT under lock"
    lines.append(f"  published {published.at:%Y-%m-%d %H:%M} UTC, {lock}")
    if verdict.erased:
        lines.append(f"  personal fields of {_rows(verdict.erased)} were erased; that is no fault")
    return lines


def _rows(count: int) -> str:
    return f"{count:,} row{'' if count == 1 else 's'}"


def _answer(house: Organization, verdict: Verdict) -> dict[str, Any]:
    published, fault = verdict.published, verdict.fault
    return {
        "organization": {"id": house.id, "name": house.name},
        "whole": fault is None,
        "proven": verdict.proven,
        "notYet": verdict.not_yet,
        "sealed": verdict.sealed,
        "unsealed": verdict.unsealed,
        "erased": verdict.erased,
        "head": {"sequence": verdict.head.sequence, "hash": verdict.head.hash},
        "published": {"sequence": published.sequence, "hash": published.hash, "lockedUntil": published.locked_until}
        if published
        else None,
        "fault": {"kind": fault.kind, "sequence": fault.sequence, "row": fault.row, "sentence": fault.sentence}
        if fault
        else None,
    }


def _publish(args: argparse.Namespace) -> int:
    from app.core.heads import LockFor
    from app.core.storage import Storage
    from app.workflows.publish_heads import publish_heads
    from app.workflows.seal_activities import seal_activities

    known = place.settings(_HeadSettings, args, os.environ)
    unit_of_work = place.database(args, os.environ)
    seal_activities(unit_of_work)
    lock = LockFor(known.object_lock_mode, known.object_lock_default_days)
    broken = publish_heads(unit_of_work, Storage(known), lock)
    if broken:
        print(f"{len(broken)} logs contradict their published head; run: rushes audit verify")
        return BROKEN
    print("The heads of all logs are published.")
    return 0


def _erase(args: argparse.Namespace) -> int:
    from app.core.audit import SYSTEM
    from app.workflows.erase_personal import erase_personal

    try:
        before = datetime.fromisoformat(args.before).replace(tzinfo=UTC) if args.before else None
    except ValueError:
        raise Rejected("bad_day", f"--before {args.before}: write a day as 2026-01-31.") from None
    with place.session_of(args, os.environ) as session:
        user = place.person(session, args.user) if args.user else None
        house = user.organization_id if user else place.organization(session, args.organization).id
        count = erase_personal(session, SYSTEM, house, of=user.id if user else None, before=before)
    print(f"Personal fields of {count} activities were erased.")
    return 0


def _houses(session: Any, name: str | None) -> Sequence[Organization]:
    from sqlalchemy import select

    from app.models import Organization

    if name:
        return [place.organization(session, name)]
    return list(session.scalars(select(Organization).order_by(Organization.created_at)))


def _storage(args: argparse.Namespace) -> Storage | None:
    """The storage where the heads are; None where its keys are not known."""
    from app.core.storage import Storage

    try:
        return Storage(load(_HeadSettings, place.environment(args, os.environ)))
    except ConfigurationError:
        return None


def _head(text: str | None) -> Head | None:
    from app.core.heads import Head

    if text is None:
        return None
    sequence, _, hash_ = text.partition(":")
    if not sequence.isdigit() or len(hash_) != 64:
        raise Rejected("bad_head", "--head: write the number of the row, a colon and the 64 digits of its hash.")
    return Head(int(sequence), hash_.lower())
