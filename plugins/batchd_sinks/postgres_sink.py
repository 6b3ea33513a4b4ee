"""The sink `postgres`: the rows in a table of PostgreSQL, all of a job at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import msgspec
from pydantic import Field

from batchd import (
    DeliveryJob,
    Duration,
    Json,
    OptionalPackage,
    Receipt,
    RejectedError,
    ResultRows,
    Secret,
    Settings,
    Sink,
    TransientError,
    cell_text,
)

from .postgres_errors import explained, place_of, unreachable, unusable
from .tables import FIRST, KEY, creating, names_of, placed, quoted, replacing

if TYPE_CHECKING:
    import asyncpg

_PACKAGE = OptionalPackage("asyncpg", "postgres", "sink postgres")
_LONGEST_NAME = 63
_TEXTS = frozenset({"text", "character varying", "character"})
_encode = msgspec.json.Encoder().encode


class PostgresSettings(Settings):
    """The table of a `postgres` sink."""

    url: Secret
    """The server: `"env:NAME"` and so on, of a `postgresql://user:password@host:5432/database`."""
    table: Annotated[str, Field(pattern=r"^[^.]+(\.[^.]+)?$")] = "results"
    """The table, or `schema.table`. It is made if it is not there."""
    timeout: Duration = 30.0
    """How long the server may take to accept a connection."""


_HAS_KEY = """SELECT EXISTS (
    SELECT 1 FROM pg_index WHERE indrelid = to_regclass($1) AND indisunique AND indpred IS NULL AND indnatts = 2
    AND (SELECT count(*) FROM pg_attribute
         WHERE attrelid = indrelid AND attnum = ANY (indkey) AND attname = ANY ($2::text[])) = 2)"""
"""Whether a unique index keeps the table from having the same row of a job twice."""


@dataclass(frozen=True, slots=True)
class _Column:
    name: str
    type: str

    @property
    def is_text(self) -> bool:
        return self.type.partition("(")[0] in _TEXTS

    @property
    def is_json(self) -> bool:
        return self.type in {"json", "jsonb"}


class PostgresSink(Sink[PostgresSettings]):
    """Puts a job's rows into the table in one transaction: others see all of them or none.

    `job` and `row` identify a row: delivered again, it replaces itself. Columns that the table lacks are added as text;
    columns that a person has made with other types are filled by a cast.
    """

    Settings = PostgresSettings

    async def publish(self, job: DeliveryJob, rows: ResultRows) -> Receipt:
        names = names_of(rows, longest=_LONGEST_NAME)
        types: dict[str, str] = {}
        unread: list[OSError] = []
        async with self._connected(types, unread) as connection:
            async with connection.transaction():
                columns = await self._columns(connection, names)
            types |= {column.name: column.type for column in columns[len(KEY) :] if not column.is_text}
            done = await self._copied(connection, columns, job, rows, unread)
            if done is None:
                async with connection.transaction():
                    staging = ["bigint" if place == KEY.index("row") else "text" for place in range(len(columns))]
                    staged = ", ".join(f"c{place} {type_}" for place, type_ in enumerate(staging))
                    await connection.execute(f"CREATE TEMPORARY TABLE batchd_rows ({staged}) ON COMMIT DROP")
                    records = _records(
                        job, rows, unread, [_json if column.is_json else _text for column in columns[len(KEY) :]]
                    )
                    done = await connection.copy_records_to_table("batchd_rows", records=records)
                    await connection.execute(self._upsert(columns, answers=len(FIRST) + len(rows.columns)))
        return Receipt(self._where, table=self.settings.table, rows=int(done.rpartition(" ")[2]))

    async def _copied(
        self,
        connection: asyncpg.Connection,
        columns: Sequence[_Column],
        job: DeliveryJob,
        rows: ResultRows,
        unread: list[OSError],
    ) -> str | None:
        """Copy the rows straight into the table, in half the time. None if they must go through a temporary table."""
        import asyncpg

        job_column, row_column, *others = columns
        if row_column.type != "bigint" or not all(each.is_text for each in (job_column, *others)):
            return None
        known = f"SELECT EXISTS (SELECT 1 FROM {self._table} WHERE {quoted(job_column.name)} = $1)"  # noqa: S608  # quoted
        key = [job_column.name, row_column.name]
        *schema, table = self.settings.table.split(".")
        try:
            if await connection.fetchval(known, job.id) or not await connection.fetchval(_HAS_KEY, self._table, key):
                return None
            async with connection.transaction():
                records = _records(job, rows, unread, [_text] * len(others))
                names = [each.name for each in columns]
                done: str = await connection.copy_records_to_table(
                    table, columns=names, schema_name=schema[0] if schema else None, records=records
                )
                return done
        except asyncpg.PostgresError:
            # An earlier delivery may have been committed, or the table takes no copies. If the temporary table cannot
            # do it either, that says what is wrong.
            return None

    async def check(self) -> Sequence[str]:
        try:
            async with self._connected() as connection:
                transaction = connection.transaction()
                await transaction.start()
                await self._columns(connection, FIRST)
                await transaction.rollback()
        except (RejectedError, TransientError) as error:
            return [str(error)]
        return ()

    async def _columns(self, connection: asyncpg.Connection, names: Sequence[str]) -> list[_Column]:
        """The table's columns for these names. Makes the table, or adds the columns that it lacks."""
        # Two jobs may find at once that the same column is missing.
        await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", f"batchd {self._table}")
        found = await connection.fetch(
            "SELECT attname, format_type(atttypid, atttypmod) AS type FROM pg_attribute "
            "WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped",
            self._table,
        )
        if not found:
            columns = [_Column(name, "bigint" if name == "row" else "text") for name in names]
            await connection.execute(creating(self._table, ((each.name, each.type) for each in columns)))
            return columns
        types = {str(each["attname"]): str(each["type"]) for each in found}
        placed_at, missing = placed(names, types)
        if set(missing) & set(KEY):
            raise explained("42P10", "", where=self._where, table=self.settings.table, types={})
        for name in missing:
            await connection.execute(f"ALTER TABLE {self._table} ADD COLUMN {quoted(name)} text")
        return [_Column(name, types.get(name, "text")) for name in placed_at]

    def _upsert(self, columns: Sequence[_Column], *, answers: int) -> str:
        names = [quoted(column.name) for column in columns]
        status = f"c{len(columns) - 2}"
        values = []
        for place, column in enumerate(columns):
            value = f"c{place}"
            if place >= len(KEY) and not column.is_text:
                value = f"CAST(NULLIF({value}, '') AS {column.type})"
                if answers <= place < len(columns) - 2:
                    # A row that failed may keep its answer, which need not be of this type.
                    value = f"CASE WHEN {status} = 'ok' THEN {value} END"
            values.append(value)
        into = f"INSERT INTO {self._table} ({', '.join(names)}) SELECT {', '.join(values)} FROM batchd_rows"  # noqa: S608  # quoted
        return f"{into} {replacing(names)}"

    @property
    def _table(self) -> str:
        return ".".join(map(quoted, self.settings.table.split(".")))

    @property
    def _where(self) -> str:
        return place_of(self.settings.url.reveal())

    @asynccontextmanager
    async def _connected(
        self, types: Mapping[str, str] | None = None, unread: Sequence[OSError] = ()
    ) -> AsyncIterator[asyncpg.Connection]:
        """Yield a connection, and put its errors into words. Errors in `unread` came from the rows and pass through."""
        _PACKAGE.require()
        import asyncpg

        try:
            connection = await self._connect()
            try:
                yield connection
            except BaseException:
                # Do not wait for anything: the server rolls the transaction back.
                connection.terminate()
                raise
            # What was committed stays, even if the server does not say goodbye.
            with suppress(Exception):
                await asyncio.wait_for(connection.close(), 5)
        except asyncpg.PostgresError as error:
            message = " ".join(str(error.args[0] if error.args else error).split()).rstrip(".")
            code = error.sqlstate or ""
            raise explained(code, message, where=self._where, table=self.settings.table, types=types or {}) from error
        except (OSError, asyncpg.InterfaceError) as error:
            if error in unread:
                raise
            raise unreachable(self._where, error) from error

    async def _connect(self) -> asyncpg.Connection:
        import asyncpg

        url = self.settings.url.reveal()
        if not url.startswith(("postgresql://", "postgres://")):
            raise unusable(self.settings.url.where)
        try:
            # Without a cache of statements, which poolers between us and the server would lose.
            return await asyncpg.connect(url, timeout=self.settings.timeout, statement_cache_size=0)
        except (asyncpg.exceptions.ClientConfigurationError, ValueError):
            raise unusable(self.settings.url.where) from None


async def _records(
    job: DeliveryJob, rows: ResultRows, unread: list[OSError], writers: Sequence[Callable[[Json], str | None]]
) -> AsyncIterator[tuple[str | int | None, ...]]:
    try:
        async for row in rows:
            cells = (job.source, *row.cells)
            yield (job.id, row.number, *(write(cell) for write, cell in zip(writers, cells, strict=True)))
    except OSError as error:
        unread.append(error)
        raise


def _text(value: Json) -> str | None:
    if value is None:
        return None
    text = value if type(value) is str else cell_text(value)
    if text.isascii() and "\0" not in text:
        return text
    # NUL and lone surrogates are the only characters that a table cannot hold.
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def _json(value: Json) -> str | None:
    return None if value is None else _text(_encode(value).decode().replace("\\u0000", "\\ufffd"))
