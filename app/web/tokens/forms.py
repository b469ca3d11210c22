"""The form for a new API token."""

from __future__ import annotations

from datetime import datetime, timedelta

from flask_wtf import FlaskForm
from wtforms import SelectField, SelectMultipleField, StringField
from wtforms.validators import DataRequired, Length

from app.models import utc_now
from app.workflows.make_token import MAX_NAME

#: Value, name and what it means for a person.
SCOPES = (
    ("read", "Read", "See projects, assets and comments, and play previews"),
    ("upload", "Upload", "Send files and have them locked; follow only its own uploads"),
    ("comment", "Comment", "Read comments and write them in your name"),
    ("all", "Everything I may do", "Whatever your roles allow, now and later"),
)
LIVES = (("30", "30 days"), ("90", "90 days"), ("365", "One year"), ("never", "Never, until it is revoked"))


class TokenForm(FlaskForm):  # type: ignore[misc]  # untyped
    """What a token is called, may do, and how long it lives."""

    name = StringField(
        "Name",
        validators=[DataRequired("Give the token a name."), Length(max=MAX_NAME)],
    )
    scopes = SelectMultipleField(
        "May",
        choices=[(value, name) for value, name, _ in SCOPES],
        validators=[DataRequired("Choose what the token may do.")],
        default=["read"],
    )
    expires = SelectField("Ends after", choices=list(LIVES), default="90")

    @property
    def chosen_scopes(self) -> list[str] | None:
        """None for everything."""
        chosen = list(self.scopes.data or [])
        return None if "all" in chosen else chosen

    @property
    def expires_at(self) -> datetime | None:
        """None for never."""
        return None if self.expires.data == "never" else utc_now() + timedelta(days=int(self.expires.data))
