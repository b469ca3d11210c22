"""What a check has found, and how a check that breaks becomes a finding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from botocore.exceptions import ClientError

from app.core.errors import RushesError
from app.stack.service import NotReady


@dataclass(frozen=True)
class Finding:
    """One part: how it is, and for what is not well how to mend it. `skip`: could not be tried."""

    sign: Literal["ok", "warn", "FAIL", "skip"]
    part: str
    text: str
    mend: str = ""


def tried(part: str, do: Callable[[], str], mend: str) -> Finding:
    """`ok` with what `do` says, `FAIL` with why it broke. Secrets are never in the text."""
    try:
        return Finding("ok", part, do())
    except RushesError as error:
        return Finding("FAIL", part, " ".join(error.sentence.split()), mend)
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "an error")
        return Finding("FAIL", part, f"{error.operation_name}: the storage answers {code}", mend)
    except (NotReady, OSError) as error:
        return Finding("FAIL", part, str(error) or type(error).__name__, mend)
