"""The files of the webhook's TLS are looked at before they are used."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot import tls
from bot.config import Telegram
from bot.errors import ConfigError


def make(folder: Path, *key: str) -> tuple[Path, Path]:
    """A certificate and its key; ``key`` are options of openssl."""
    certificate, key_file = folder / "own.pem", folder / "own.key"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", *key]
    files = ["-subj", "/CN=127.0.0.1", "-keyout", str(key_file), "-out", str(certificate)]
    subprocess.run([*command, *files], check=True, capture_output=True)
    return certificate, key_file


def settings(certificate: Path, key: Path) -> Telegram:
    return Telegram(
        webhook_url="https://127.0.0.1:8443/x", webhook_certificate=str(certificate), webhook_key=str(key)
    )


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_text_around_the_certificate_is_left_alone(tmp_path: Path, encoding: str) -> None:
    """openssl x509 -text writes the owner's name above it, in any letters."""
    certificate, key = make(tmp_path, "-nodes")
    certificate.write_bytes("# Müller\n".encode(encoding) + certificate.read_bytes())
    assert tls.context(settings(certificate, key)) is not None


def test_an_encrypted_key_is_told(tmp_path: Path) -> None:
    """Nobody is asked for a password."""
    with pytest.raises(ConfigError, match="webhook_key is encrypted"):
        tls.context(settings(*make(tmp_path, "-passout", "pass:secret")))


def test_files_that_are_no_certificate_are_told(tmp_path: Path) -> None:
    """Other text, the key in its place, an empty file, a folder, nothing."""
    certificate, key = make(tmp_path, "-nodes")
    (tmp_path / "text").write_bytes("Müller".encode())
    (tmp_path / "empty").touch()
    for bad in (tmp_path / "text", key, tmp_path / "empty", tmp_path, tmp_path / "absent"):
        with pytest.raises(ConfigError, match=r"telegram\.webhook_certificate"):
            tls.context(settings(bad, key))
    with pytest.raises(ConfigError, match="no PEM key of the certificate"):
        tls.context(settings(certificate, certificate))


@pytest.mark.parametrize("days", [20, 20_000])
def test_the_end_of_a_certificate_is_read(tmp_path: Path, days: int) -> None:
    """From 2050 on a certificate writes years in another way. A file without a certificate tells nothing."""
    certificate, key = make(tmp_path, "-nodes", "-days", str(days))
    until = tls.valid_until(str(certificate))
    assert until is not None
    assert abs(until - datetime.now(UTC) - timedelta(days=days)) < timedelta(hours=1)
    assert tls.valid_until(str(key)) is None
