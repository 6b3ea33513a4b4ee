"""The tables of config.toml as frozen models. A plugin's own `Settings` checks the keys that belong to it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator

from ..domain.send_hours import SendHours
from ..events.groups import kinds_of_all
from ..money.budget import Beyond, Ceilings, counted
from ..people.language import Language
from ..settings import Duration, seconds
from ..values import replace
from .locations import DEFAULT_FOLDERS

ROUTE_NAME = re.compile(r"[^\W_][\w .+-]*")
"""The pattern of names in table headers. Folders get the names of routes, so no slash and no leading dot."""


MIN_RETENTION = 3_600.0
MAX_PER_MILLION = 10**9
"""The highest price, in units of the currency for a million tokens. A higher one is a mistake."""


class Table(BaseModel):
    """Refuses unknown keys, and converts no types of TOML: `"3"` is not a number."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    @classmethod
    def own_keys(cls) -> frozenset[str]:
        """The keys that batchd reads itself; all others are the plugin's."""
        return frozenset(name for name, field in cls.model_fields.items() if not field.exclude)


def _amount(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("write an amount of money as a number, such as 5.0")
    if not math.isfinite(value):
        raise ValueError("an amount of money cannot be infinite")
    if value < 0:
        raise ValueError("an amount of money cannot be negative")
    return Decimal(str(value))


def _price(value: Any) -> Decimal:
    price = _amount(value)
    if price > MAX_PER_MILLION:
        raise ValueError("is more than 1,000 units of the currency for one token; write the price of a million tokens")
    return price


def _discount(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError("write the part that a batch takes off, from 0 to 1: 0.5 is half price")
    return Decimal(str(value))


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError('write a duration, such as "500ms", "2s", "10m", "6h" or "30d"')
    return value


def _positive(value: float) -> float:
    if _finite(value) == 0:
        raise ValueError("a duration of zero is not possible here")
    return value


def _currency(value: str) -> str:
    if re.fullmatch(r"[A-Z]{3}", value) is None:
        raise ValueError('write a currency as three capital letters, such as "USD"')
    return value


def _not_empty(value: str) -> str:
    if not value.strip():
        raise ValueError("is empty")
    return value


def _share(value: Any) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*%", value.strip()) if isinstance(value, str) else None
    if match is None or float(match[1]) > 100:
        raise ValueError('write a percentage from "0%" to "100%"')
    return float(match[1]) / 100


def _send_hours(value: Any) -> SendHours:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not texts or not all(isinstance(each, str) for each in texts):
        raise ValueError('should be hours such as "00:30-08:30 Asia/Shanghai", or a list of such')
    return SendHours.read(texts)


def _reuse(value: Any) -> float | None:
    if value == "off":
        return None
    try:
        return _positive(seconds(value))
    except ValueError:
        raise ValueError('write "off", or a duration such as "30d"') from None


def _pattern(value: str) -> str:
    _not_empty(value)
    if value.startswith(("/", "./")) or ".." in value.split("/") or "\\" in value:
        raise ValueError(f'"{value}" is not a pattern for files; write one such as "reviews/**" or "*.csv"')
    return value


def _endpoint(value: str) -> str:
    if re.fullmatch(r"/\S+", value) is None:
        raise ValueError('write an endpoint such as "/v1/chat/completions"')
    return value


def _known_timezone(name: str) -> str:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        advice = 'write one such as "Asia/Ho_Chi_Minh" or "Europe/Berlin"'
        raise ValueError(f'there is no time zone "{name}" on this machine; {advice}') from None
    return name


Amount = Annotated[Decimal, BeforeValidator(_amount)]
PerMillion = Annotated[Decimal, BeforeValidator(_price)]
Discount = Annotated[Decimal, BeforeValidator(_discount)]
Currency = Annotated[str, AfterValidator(_currency)]
Length = Annotated[Duration, AfterValidator(_finite)]
Interval = Annotated[Duration, AfterValidator(_positive)]
Text = Annotated[str, AfterValidator(_not_empty)]
Count = Annotated[int, Field(ge=1)]


def octal(value: Any, *, example: str) -> int:
    """Read the mode of a file, written as for chmod. Raise ValueError if it is not one."""
    if not isinstance(value, str) or re.fullmatch(r"0?[0-7]{3}", value) is None:
        raise ValueError(f'write it in quotes, as chmod takes it, such as "{example}"')
    return int(value, 8)


def _mode(value: Any) -> int | None:
    if value is None:
        return None
    mode = octal(value, example="0640")
    if mode & 0o600 != 0o600 or mode & 0o111:
        raise ValueError('must let batchd itself read and write, and nobody execute it, such as "0640"')
    return mode


class FolderNames(Table):
    """`[folders]`, as written."""

    inbox: Text = DEFAULT_FOLDERS["inbox"]
    outbox: Text = DEFAULT_FOLDERS["outbox"]
    archive: Text = DEFAULT_FOLDERS["archive"]
    rejected: Text = DEFAULT_FOLDERS["rejected"]
    held: Text = DEFAULT_FOLDERS["held"]
    state: Text = DEFAULT_FOLDERS["state"]
    spool: Text | None = None


class Intake(Table):
    """`[intake]`: when batchd claims a dropped file. Times are in seconds.

    `keep_finished` is how long the working files of a finished job stay, for `batchd retry` and for delivering the
    same file again. Files and folders that match `ignore` stay in the inbox.
    """

    settle: Length = 2.0
    rescan: Interval = 5.0
    observer: Literal["auto", "inotify", "polling"] = "auto"
    duplicates: Literal["redeliver", "process", "reject"] = "redeliver"
    keep_finished: Length = 7 * 86_400.0
    ignore: list[Annotated[str, AfterValidator(_pattern)]] = Field(default_factory=list)


class CeilingsTable(Table):
    """`[providers.NAME.budget]`: the most to spend there per job, day and month. None is no limit."""

    per_job: Amount | None = None
    per_day: Amount | None = None
    per_month: Amount | None = None

    def ceilings(self, currency: str) -> Ceilings:
        """The same in subunits of the currency."""
        per_job, per_day, per_month = (
            None if limit is None else counted(limit, currency)
            for limit in (self.per_job, self.per_day, self.per_month)
        )
        return Ceilings(per_job, per_day, per_month)


class RouteBudgetTable(CeilingsTable):
    """`[routes.NAME.budget]`: the most to spend on files of the route. `beyond` is that of `[budget]`, unless set."""

    beyond: Beyond | None = None

    def ceilings(self, currency: str) -> Ceilings:
        return replace(super().ceilings(currency), beyond=self.beyond)


class BudgetTable(CeilingsTable):
    """`[budget]`: the most to spend in total, and the reaction to a job that would cost more."""

    currency: Currency = "USD"
    beyond: Beyond = "hold"
    approve_in_folder: bool = False


class PluginsTable(Table):
    """`[plugins]`: the plugins, distributions and kinds that batchd does not use, by name.

    If a plugin blocks the event loop for more than `may_block` seconds, batchd ends the process and keeps it off.
    """

    disabled: list[Text] = Field(default_factory=list)
    may_block: Interval = 15.0


class ReuseTable(Table):
    """`[reuse]`: the store of answers for the routes that reuse them."""

    max_bytes: Count = 1_000_000_000


def _retention(value: float) -> float:
    if _finite(value) < MIN_RETENTION:
        raise ValueError('is less than an hour, in which nobody can fetch a result; write it like "90d"')
    return value


Retained = Annotated[Duration, AfterValidator(_retention)]


class RetentionTable(Table):
    """`[retention]`: how long after a job's end its files stay in the folders that people see. None: for good."""

    outbox: Retained | None = None
    archive: Retained | None = None
    rejected: Retained | None = None


class PeopleTable(Table):
    """`[people]`: the language and the place of those who read the results. Without a `timezone`, times are in UTC."""

    language: Literal["en", "vi"] = "en"
    timezone: Annotated[str, AfterValidator(_known_timezone)] = ""
    html_report: bool = True
    waiting_notes: bool = True

    def reader(self) -> Language:
        return Language(self.language, self.timezone)


class SinkTable(Table):
    """`[sinks.NAME]`: the plugin, the seconds it may take without reading a row, and its settings as written."""

    plugin: Text
    publish_timeout: Interval = 300.0
    settings: Mapping[str, Any] = Field(default_factory=dict, repr=False, exclude=True)


class ObserverTable(Table):
    """`[observers.NAME]`: the plugin, which events of which routes it gets, and its settings as written.

    None means all events, or all routes.
    """

    plugin: Text
    events: list[Text] | None = Field(default=None, min_length=1)
    routes: list[Text] | None = Field(default=None, min_length=1)
    settings: Mapping[str, Any] = Field(default_factory=dict, repr=False, exclude=True)

    def kinds(self) -> frozenset[str]:
        """The names of the events that it gets, without groups."""
        return kinds_of_all(self.events)


class WorkersTable(Table):
    """`[workers]`: where workers run, how many tasks at a time (0: the executor decides), and its settings.

    Plugins may take `row_timeout` seconds for a row, and a reader `read_timeout` from one row to the next.
    """

    executor: Text = "local"
    number: Annotated[int, Field(ge=0)] = 0
    row_timeout: Interval = 10.0
    read_timeout: Interval = 120.0
    settings: Mapping[str, Any] = Field(default_factory=dict, repr=False, exclude=True)


class RouteTable(Table):
    """`[routes.NAME]`, as written."""

    match: list[Annotated[str, AfterValidator(_pattern)]] | None = Field(default=None, min_length=1)
    provider: Text
    model: Text
    endpoint: Annotated[str, AfterValidator(_endpoint)] = "/v1/chat/completions"
    params: dict[str, Any] = Field(default_factory=dict)
    formats: list[Text] | None = Field(default=None, min_length=1)
    sinks: list[Text] = Field(default=["csv"], min_length=1)
    attempts: Count = 3
    # A part's results are all in memory while they are sorted.
    part_rows: Annotated[int, Field(ge=1, le=100_000)] = 10_000
    reuse: Annotated[float | None, BeforeValidator(_reuse)] = None
    identical_rows: Literal["auto", "once", "each"] = "auto"
    empty_rows: Literal["skip", "ask"] = "skip"
    finish_within: Interval | None = None
    send_between: Annotated[SendHours | None, PlainValidator(_send_hours)] = None
    fallback: Text | None = None
    fallback_model: Text | None = None
    fallback_after: Interval | None = None
    # Each row of a spread sample is a part of its own.
    pilot: Annotated[int, Field(ge=0, le=1_000)] = 0
    pilot_sample: Literal["first", "spread"] = "first"
    review: Annotated[int, Field(ge=0, le=10_000)] = 0
    max_failed: Annotated[float, BeforeValidator(_share)] = 1.0
    group: Text | None = None
    mode: Annotated[int | None, BeforeValidator(_mode)] = None
    questions: Literal["folder"] | None = None
    then: Text | None = None
    files: Text | None = None
    max_file_bytes: Annotated[int, Field(ge=1, le=100_000_000)] = 20_000_000
    budget: RouteBudgetTable | None = None
    priority: Count = 1
    prompt: dict[str, Any]
    reader: dict[str, Any] | None = None
