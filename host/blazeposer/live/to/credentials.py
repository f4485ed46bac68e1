"""User and password, from where nobody else reads them."""

from __future__ import annotations

import netrc
import os
from pathlib import Path
from urllib.parse import SplitResult, unquote

from blazeposer.core.errors import InputError

PASSWORD = "BLAZEPOSER_MQTT_PASSWORD"
"""Environment variable."""


def credentials(name: str, url: SplitResult, file: str | None) -> tuple[str | None, str | None]:
    """Return user and password, each None if there is none.

    The user is the URL's or that of ~/.netrc; the password is the first of the URL's, the first line of `file`, the
    environment's and that of ~/.netrc for this host. Raises InputError, which holds no password.
    """
    user = unquote(url.username) if url.username else None
    if url.password is not None:
        return user, unquote(url.password)
    if file is not None:
        try:
            text = Path(file).expanduser().read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it is no text"
            raise InputError(f"{name}: cannot read the password in {file} ({reason}): check ?password-file=") from error
        return user, text.partition("\n")[0].rstrip("\r")
    if (password := os.environ.get(PASSWORD)) and user:
        return user, password
    try:
        found = netrc.netrc().authenticators(url.hostname or "")
    except FileNotFoundError:
        found = None
    except (OSError, ValueError, netrc.NetrcParseError) as error:  # the error's own words may hold a password
        where = f", line {error.lineno}" if isinstance(error, netrc.NetrcParseError) and error.lineno else ""
        raise InputError(f"{name}: cannot read ~/.netrc{where}: mend it, or let no one else read it") from error
    if found and user in (None, found[0]):
        return found[0], found[2]
    return user, None
