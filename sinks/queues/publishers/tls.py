"""Encrypted connections: the other side's certificate is always verified."""

from __future__ import annotations

import ssl

from pipeline.errors import ConfigError
from pipeline.sink_config import SinkConfig


def tls_context(settings: SinkConfig) -> ssl.SSLContext:
    """What a client needs that trusts the system's certificates, or those of a file alone.

    Raises:
        ConfigError: the file holds no certificates.
    """
    try:
        return ssl.create_default_context(cafile=settings.ca)
    except OSError as error:
        why = "holds no certificates (PEM)" if isinstance(error, ssl.SSLError) else error.strerror
        raise ConfigError(f"{settings.ca}: cannot be used as ca: {why}") from error
