"""The certificate of a webhook whose TLS the bot ends itself, or that Telegram must be given."""

from __future__ import annotations

import ssl

from bot.config import Telegram
from bot.errors import ConfigError


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
