"""`rushes setup`: the first organisation, its administrator and the demo project. Asks nothing."""

from __future__ import annotations

import json
import os
import sys

from app.core.errors import ConfigurationError
from app.core.settings import ReleaseSettings, load

#: The passwords come by environment, as a command line is for all to read.
VARIABLES = ("ADMIN_EMAIL", "ADMIN_PASSWORD", "ORGANIZATION_NAME")


def run() -> None:
    """Make what is missing; print `{userId, projectId, apiToken}` (the token only when it is new)."""
    from sqlalchemy import create_engine
    from sqlalchemy.orm import Session

    from app.workflows.set_up import set_up

    missing = [f"{name} is not set" for name in VARIABLES if not os.environ.get(name)]
    if missing:
        raise ConfigurationError(missing)
    email, password, organization = (os.environ[name] for name in VARIABLES)
    settings = load(ReleaseSettings, os.environ)
    engine = create_engine(settings.database_url.get_secret_value())
    with Session(engine) as session, session.begin():
        done = set_up(session, email=email, password=password, organization=organization)
        answer = {"userId": str(done.user_id), "projectId": str(done.project_id), "apiToken": done.api_token}
    json.dump(answer, sys.stdout)
    sys.stdout.write("\n")
