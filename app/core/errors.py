"""Every error that the product raises on purpose.

    RushesError
    ├── Rejected       the request or the file is wrong; trying again cannot help      (422)
    │   └── TooLarge   more than a stated limit                                        (413)
    ├── Denied         known, but not allowed                                          (403)
    ├── Unauthenticated nobody is signed in, or the token is not valid                 (401)
    ├── NotFound       unknown, or none of the caller's business: both look alike      (404)
    ├── Conflict       somebody was faster, or the state does not allow it             (409)
    ├── TooMany        a rate limit                                                    (429)
    ├── Unavailable    a part of ours is away; the same request may work later         (503)
    └── ConfigurationError  raised at boot only, lists every fault of the environment

The numbers say where `app/web/errors.py` maps them; nothing else in the code knows HTTP.
"""

from __future__ import annotations


class RushesError(Exception):
    """Base of the tree.

    `code` is for machines (snake_case, stable), `sentence` for people: it says what happened and what
    to do next. `fields` names the inputs concerned, each with its own sentence.
    """

    def __init__(self, code: str, sentence: str, *, fields: dict[str, str] | None = None) -> None:
        super().__init__(f"{code}: {sentence}")
        self.code = code
        self.sentence = sentence
        self.fields = fields or {}


class Rejected(RushesError):
    """The input is wrong for good: the same input is refused again."""


class TooLarge(Rejected):
    """The input is larger than a stated limit."""


class Denied(RushesError):
    """The caller is known and may not do this."""


class Unauthenticated(RushesError):
    """There is no session and no valid token."""


class NotFound(RushesError):
    """Unknown or invisible; callers cannot tell which."""


class Conflict(RushesError):
    """The state that the caller relied on has changed, or forbids the act."""


class TooMany(RushesError):
    """A rate limit. `retry_after` is in seconds."""

    def __init__(self, code: str, sentence: str, *, retry_after: int) -> None:
        super().__init__(code, sentence)
        self.retry_after = retry_after


class Unavailable(RushesError):
    """A server that we need does not answer; the work is kept and tried again."""


class ConfigurationError(RushesError):
    """The environment is not usable. `faults` has one line per variable."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("configuration", "The environment is not complete:\n  " + "\n  ".join(faults))
        self.faults = faults
