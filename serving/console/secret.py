"""The secret that sessions are signed with: the settings', or one made once and kept in the state folder."""

import contextlib
import hashlib
import hmac
import os
import secrets
from pathlib import Path

from features.errors import AuguryError
from serving.settings import Settings

_FILE = "console.key"
_BYTES = 32


class ConsoleKeyError(AuguryError, RuntimeError):
    """A secret that cannot be kept or read."""


def signing_key(settings: Settings) -> bytes:
    """Returns what signs the sessions of all workers of a state folder, 32 bytes.

    It is another one as soon as a key of the service is: whoever signed in with a key that was taken away is out. It
    cannot be guessed from a session by someone who knows some of the keys, because it hangs on a random secret as well.

    Raises:
        ConsoleKeyError: the secret cannot be kept or read.
    """
    given = settings.console_key.get_secret_value().encode()
    secret = given or _kept(settings.state_dir / _FILE)
    keys = [
        f"{kind}:{key.get_secret_value()}"
        for kind, held in (("write", settings.write_keys), ("admin", settings.admin_keys))
        for key in held
    ]
    return hmac.digest(secret, "\n".join(sorted(keys)).encode(errors="surrogatepass"), hashlib.sha256)


def _kept(path: Path) -> bytes:
    """Returns the secret in a file, made if there is none; of several workers that begin at once, one's stays."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            own = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
            try:
                with open(os.open(own, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                    file.write(secrets.token_bytes(_BYTES))
                    file.flush()
                    os.fsync(file.fileno())
                with contextlib.suppress(FileExistsError):
                    os.link(own, path)  # appears whole, and not over another's
            finally:
                own.unlink(missing_ok=True)
        found = path.read_bytes()
    except OSError as e:
        raise ConsoleKeyError(
            f"the console's secret cannot be kept in {path} ({e.strerror}); set AUGURY_CONSOLE_KEY, or "
            "AUGURY_CONSOLE=false"
        ) from e
    if len(found) != _BYTES:
        raise ConsoleKeyError(
            f"{path} holds {len(found)} bytes, expected {_BYTES}; remove it, and everybody signs in anew"
        )
    return found
