"""Message queues and webhooks: an address and what goes with it, in one URL or in several keys."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from pydantic import Field, PlainValidator, SecretStr, ValidationError, field_validator
from pydantic_core import PydanticCustomError

from pipeline.config_parts import MAX_ID_LENGTH, SLUG
from pipeline.settings import FilePath, Settings, between, explain

Dialect = Literal["watchline", "frigate", "deepstream-minimal", "deepstream", "dlstreamer", "onvif"]

_TIMEOUT_S = between(0.1, 30)
_MAX_LEN = between(1, 10**9)
_MAX_BYTES = between(2**20, 2**40)
_MAX_AGE_S = between(1, 10 * 365 * 86_400)
_FORM = (
    "must be like scheme://host:port/..., with 'user:password@' before the host if need be,"
    " and '/', '@' and ':' in a password written as %2F, %40 and %3A"
)
_HOST = re.compile(r"(\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9._*-]+)(?::([0-9]{1,5}))?")
_BAD_TOPIC = re.compile(r"[+#\0\s]")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The parts of an address."""

    scheme: str
    hosts: tuple[tuple[str, int], ...]
    """Names or numbers, and ports."""
    user: str | None
    password: str | None
    path: str
    """Without the first slash, decoded."""


class SinkConfig(Settings):
    """One destination of events; each kind has keys of its own besides these."""

    ports: ClassVar[Mapping[str, int]] = {}
    """The schemes of the kind, and the port of each if the address names none; 0 for must name."""
    many_hosts: ClassVar[bool] = False
    parameters_in: ClassVar[Literal["query", "fragment"]] = "query"
    """The part of the URL that keys may be given in."""

    url: str
    """Its address, without these."""
    id: str | None = Field(default=None, max_length=MAX_ID_LENGTH)
    """Its name in logs, and that of its outbox; made from the address if not given."""
    dialect: Dialect = "watchline"
    """Whose words events are written in."""
    timeout_s: Annotated[float, *_TIMEOUT_S] = 5.0
    """For the receiver to connect, and to acknowledge what it was sent."""
    ca: FilePath | None = None
    """Certificates that the receiver's must be signed by; None for the system's."""

    @field_validator("url")
    @classmethod
    def _check_url(cls, value: str) -> str:
        parse_endpoint(value, cls)
        return value

    @field_validator("id")
    @classmethod
    def _check_id(cls, value: str | None) -> str | None:
        if value is not None and not SLUG.fullmatch(value):
            raise ValueError("may hold letters, digits, '_' and '-' only")
        return value

    @field_validator("topic", check_fields=False)
    @classmethod
    def _check_topic(cls, value: str) -> str:
        if not value or _BAD_TOPIC.search(value):
            raise ValueError("must be a name without spaces, '+' and '#'")
        return value

    @property
    def endpoint(self) -> Endpoint:
        """The parts of the address."""
        return parse_endpoint(self.url, type(self))


class MqttSink(SinkConfig):
    """An MQTT broker."""

    ports = {"mqtt": 1883, "mqtts": 8883}  # noqa: RUF012 (a ClassVar of the base)
    version: Literal["5", "3.1.1"] = "5"
    """Of the protocol."""
    topic: str = ""
    """What all topics begin with; by default the address's path, or else the dialect's own."""
    discovery: bool = False
    """Whether Home Assistant is told of the sources."""

    @property
    def base_topic(self) -> str:
        """What all topics begin with."""
        usual = "frigate" if self.dialect == "frigate" else "watchline"
        return self.topic or self.endpoint.path.strip("/") or usual

    @property
    def available_topic(self) -> str:
        """Where it says `online` and `offline`."""
        return f"{self.base_topic}/available"


class KafkaSink(SinkConfig):
    """A Kafka cluster."""

    ports = {"kafka": 9092}  # noqa: RUF012
    many_hosts = True
    topic: str = "watchline"
    tls: bool = False
    sasl: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    """How to log in, where the address has a user."""


class RedisSink(SinkConfig):
    """A Redis stream."""

    ports = {"redis": 6379, "rediss": 6379}  # noqa: RUF012
    topic: str = "watchline"
    """The stream's key."""
    max_len: Annotated[int, *_MAX_LEN] = 100_000
    """Entries that the stream keeps, about."""


class AmqpSink(SinkConfig):
    """An AMQP 0.9.1 broker, such as RabbitMQ."""

    ports = {"amqp": 5672, "amqps": 5671}  # noqa: RUF012
    topic: str = "watchline"
    """The routing key; without an exchange, the name of the queue."""
    exchange: str = ""
    """A durable topic exchange; by default messages go straight to a durable queue."""


class NatsSink(SinkConfig):
    """A NATS server with JetStream."""

    ports = {"nats": 4222}  # noqa: RUF012
    many_hosts = True
    topic: str = "watchline.events"
    """The subject."""
    stream: str = "WATCHLINE"
    """The JetStream stream, made if no stream has the subject."""
    tls: bool = False


class ZmqSink(SinkConfig):
    """A ZeroMQ PULL socket, which acknowledges nothing."""

    ports = {"zmq+tcp": 0}  # noqa: RUF012
    topic: str = "watchline"
    """The first frame of each message."""


class WebhookSink(SinkConfig):
    """A web server, which gets a POST for each message."""

    ports = {"http": 80, "https": 443}  # noqa: RUF012
    parameters_in = "fragment"
    secret: SecretStr | None = None
    """Signs the body."""


KINDS: tuple[type[SinkConfig], ...] = (
    *(MqttSink, KafkaSink, RedisSink, AmqpSink, NatsSink, ZmqSink, WebhookSink),
)
SCHEMES: Mapping[str, type[SinkConfig]] = {scheme: kind for kind in KINDS for scheme in kind.ports}


class OutboxConfig(Settings):
    """Where events wait until they are delivered."""

    path: FilePath | None = None
    """A folder; None for one in the user's own state folder."""
    max_bytes: Annotated[int, *_MAX_BYTES] = 256 * 2**20
    """Of each destination; when there are more, the oldest go."""
    max_age_s: Annotated[float, *_MAX_AGE_S] = 7 * 86_400.0
    """Older events go too."""


def parse_endpoint(url: str, kind: type[SinkConfig]) -> Endpoint:
    """Take an address apart.

    Raises:
        ValueError: it is not one of its kind; the words hold nothing of it.
    """
    parts = _split(url)
    logon, at, hosts = parts.netloc.rpartition("@")
    user, colon, password = logon.partition(":")
    names = hosts.split(",")
    if len(names) > 1 and not kind.many_hosts:
        raise ValueError("must name one host")
    return Endpoint(
        parts.scheme,
        tuple(_host(name, kind.ports[parts.scheme]) for name in names),
        unquote(user) if at else None,
        unquote(password) if colon else None,
        unquote(parts.path.removeprefix("/")),
    )


def _split(url: str) -> SplitResult:
    """Split an address.

    Raises:
        ValueError: it cannot be split; unlike Python's own words, these hold nothing of it.
    """
    try:
        return urlsplit(url)
    except ValueError:
        raise ValueError(_FORM) from None


def _host(text: str, default_port: int) -> tuple[str, int]:
    match = _HOST.fullmatch(text)
    port = int(match[2] or default_port) if match else 0
    if match is None or not 1 <= port <= 65_535:
        raise ValueError(_FORM)
    return match[1].strip("[]"), port


def _parse(value: object) -> SinkConfig:
    """The settings of whatever kind an address is of, from its parameters and other keys."""
    if isinstance(value, SinkConfig):
        return value
    given = dict(value) if isinstance(value, Mapping) else {"url": value}
    url = given.get("url")
    scheme = url.partition("://")[0].lower() if isinstance(url, str) and "://" in url else ""
    kind = SCHEMES.get(scheme)
    if kind is None or not isinstance(url, str):
        known = ", ".join(f"{name}://" for name in SCHEMES)
        raise PydanticCustomError("sink", "url: must begin with one of {known}", {"known": known})
    try:
        parameters = _parameters(url, kind)
        for name in parameters:
            if name in given:
                raise ValueError(f"{name}: is given both in the url and beside it")
        bare = _without_parameters(url, kind)
        # What a URL holds is text, whatever it stands for.
        return kind.model_validate({**given, **parameters, "url": bare}, strict=not parameters)
    except ValidationError as error:
        raise _fault(explain(error, kind, secret=("url", "secret"))) from None
    except ValueError as error:
        raise _fault(str(error)) from None


def _fault(message: str) -> PydanticCustomError:
    return PydanticCustomError("sink", "{message}", {"message": message})


def _parameters(url: str, kind: type[SinkConfig]) -> dict[str, Any]:
    parts = _split(url)
    text = parts.query if kind.parameters_in == "query" else parts.fragment
    pairs = parse_qsl(text, keep_blank_values=True)
    parameters = dict(pairs)
    if len(parameters) < len(pairs):
        raise ValueError("url: gives a parameter twice")
    return parameters


def _without_parameters(url: str, kind: type[SinkConfig]) -> str:
    parts = _split(url)
    if kind.parameters_in == "query":
        return parts._replace(query="", fragment="").geturl()
    return parts._replace(fragment="").geturl()


AnySink = Annotated[SinkConfig, PlainValidator(_parse)]
"""A URL, or a mapping with `url` and other keys."""
