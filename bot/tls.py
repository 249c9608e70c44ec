"""The certificate of a webhook whose TLS the bot ends itself, or that Telegram must be given."""

from __future__ import annotations

import re
import ssl
from datetime import UTC, datetime
from pathlib import Path

from bot.config import Telegram
from bot.errors import ConfigError

PEM = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
# Validity of RFC 5280, 4.1.2.5: a SEQUENCE of two UTCTime (YYMMDDhhmmssZ) or GeneralizedTime (YYYYMMDDhhmmssZ).
VALIDITY = re.compile(
    rb"\x30[\x1e\x20\x22](?:\x17\x0d\d{12}|\x18\x0f\d{14})Z(?:\x17\x0d(\d{12})|\x18\x0f(\d{14}))Z"
)


def valid_until(certificate: str) -> datetime | None:
    """When the first certificate of a PEM file ends, in UTC; None if the file does not tell. Raises OSError."""
    pem = PEM.search(Path(certificate).read_bytes())
    found = pem and VALIDITY.search(ssl.PEM_cert_to_DER_cert(pem[0].decode("ascii")))
    if not found:
        return None
    text = (found[2] or b"20" + found[1]).decode()
    return datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=UTC)


def context(settings: Telegram) -> ssl.SSLContext | None:
    """The server's side of TLS; None behind a proxy that ends it. Raises ConfigError for files that cannot be used."""
    if not settings.webhook_url:
        return None
    if settings.webhook_certificate:
        _check_certificate(settings.webhook_certificate)
    if not settings.webhook_key:
        return None
    if not settings.webhook_certificate:
        raise ConfigError("telegram.webhook_key needs its telegram.webhook_certificate")
    made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        made.load_cert_chain(settings.webhook_certificate, settings.webhook_key, password=_no_password)
    except ssl.SSLError as error:
        reason = error.reason or "no key in it"
        raise ConfigError(
            f"telegram.webhook_key = {settings.webhook_key!r} is no PEM key of the certificate ({reason})"
        ) from error
    except OSError as error:
        raise ConfigError(
            f"telegram.webhook_key: {settings.webhook_key} cannot be read: {error.strerror or error}"
        ) from error
    return made


def _check_certificate(path: str) -> None:
    try:
        ssl.create_default_context(cafile=path)
    except (ssl.SSLError, ValueError) as error:
        raise ConfigError(f"telegram.webhook_certificate: {path} is no certificate in a PEM file") from error
    except OSError as error:
        raise ConfigError(f"telegram.webhook_certificate: {path} cannot be read: {error.strerror}") from error


def _no_password() -> str:
    raise ConfigError(
        "telegram.webhook_key is encrypted: the bot cannot ask for its password, so store it without"
    )
