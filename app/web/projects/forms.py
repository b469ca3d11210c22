"""The form for a new project."""

from __future__ import annotations

from flask_wtf import FlaskForm
from wtforms import StringField
from wtforms.validators import DataRequired, Length


class ProjectForm(FlaskForm):  # type: ignore[misc]  # untyped
    """A project's name."""

    name = StringField("Name", validators=[DataRequired("Give the project a name."), Length(max=120)])
