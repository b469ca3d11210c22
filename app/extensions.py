"""Flask extensions, made once and bound to an app by the factory."""

from __future__ import annotations

from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_login import LoginManager
from flask_sqlalchemy import SQLAlchemy
from flask_wtf import CSRFProtect

#: The models stay plain: workers use the same classes through a bare sessionmaker.
#: Rows stay readable after a commit, so that no connection is held while S3 is asked.
db = SQLAlchemy(session_options={"expire_on_commit": False})
login_manager = LoginManager()
csrf = CSRFProtect()
limiter = Limiter(get_remote_address, headers_enabled=False)
