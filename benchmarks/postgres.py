"""A private PostgreSQL with blipserver's tables, the peer of the history.

Tables and statements are those that blipserver (Studentergaarden) documents and uses;
`minutely` is Labitat's. What else is here is ours.
"""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
import os
from pathlib import Path
import shutil
import socket
import subprocess
import tempfile
from typing import Final

import asyncpg

# Debian keeps the server's programs out of the PATH
BIN: Final = "/usr/lib/postgresql"

SCHEMA: Final = """
CREATE TABLE readings (
    id integer NOT NULL, stamp bigint NOT NULL, ms integer NOT NULL,
    PRIMARY KEY (id, stamp)
);
CREATE TABLE readings_hourly (
    id integer NOT NULL, stamp bigint NOT NULL, events integer NOT NULL,
    sum_ms integer NOT NULL, min_ms integer NOT NULL, max_ms integer NOT NULL,
    PRIMARY KEY (id, stamp)
);
CREATE TABLE readings_minutely (LIKE readings_hourly INCLUDING ALL);
CREATE VIEW usage_hourly AS
    SELECT id, stamp, 3600000.0::double precision * events / sum_ms AS wh,
           min_ms, max_ms, events FROM readings_hourly;
CREATE VIEW usage_minutely AS
    SELECT id, stamp, 3600000.0::double precision * events / sum_ms AS wh,
           min_ms, max_ms, events FROM readings_minutely;
"""

# Both rollups at once; blipserver fills them row by row in a trigger
ROLLUP: Final = """
INSERT INTO readings_{name}
SELECT id, 1000 * extract(epoch FROM
           date_trunc('{unit}', to_timestamp(stamp / 1000)))::bigint AS began,
       count(*), sum(ms), min(ms), max(ms)
FROM readings GROUP BY id, began
"""

# As blipserver prepares them: the types of the parameters are left to the server
STATEMENTS: Final = {
    "get": "SELECT stamp, ms FROM readings WHERE id = $1 AND stamp >= $2"
    " ORDER BY stamp LIMIT 20000",
    "last": "SELECT stamp, ms FROM readings WHERE id = $1 ORDER BY stamp DESC LIMIT 1",
    "aggregate": "SELECT $3*DIV(stamp - $2, $3) hour_stamp, COUNT(ms) FROM readings"
    " WHERE id = $1 and stamp >=$2 AND stamp < $2+$3*$4"
    " GROUP BY hour_stamp ORDER BY hour_stamp",
    "hourly": "SELECT stamp, events, wh, min_ms, max_ms FROM usage_hourly"
    " WHERE id = $1 AND stamp >= $2 AND stamp <= $3 ORDER BY stamp",
    "usage": "SELECT COUNT(*) FROM readings WHERE id = $1 AND stamp >= $2",
    "aggregate_hourly": "SELECT $3*DIV(stamp - $2, $3) hour_stamp, SUM(wh)"
    " FROM usage_hourly WHERE id = $1 and stamp >=$2 AND stamp < $2+$3*$4"
    " GROUP BY hour_stamp ORDER BY hour_stamp",
    "range": "SELECT stamp, ms FROM readings WHERE id = $1 AND stamp >= $2"
    " AND stamp <= $3 ORDER BY stamp LIMIT 100000",
    "minutely": "SELECT stamp, events, wh, min_ms, max_ms FROM usage_minutely"
    " WHERE id = $1 AND stamp >= $2 AND stamp <= $3 ORDER BY stamp LIMIT 100000",
}

# The same questions, asked so that the index serves them
FRIENDLY: Final = {
    **STATEMENTS,
    "aggregate": "SELECT $3::bigint*((stamp-$2::bigint)/$3::bigint) AS offset_ms,"
    " count(*) FROM readings WHERE id = $1::integer AND stamp >= $2::bigint"
    " AND stamp < $2::bigint+$3::bigint*$4::bigint GROUP BY 1 ORDER BY 1",
    # exact on the hour only, from the table that blipserver itself fills
    "aggregate_rollup": "SELECT $3::bigint*((stamp-$2::bigint)/$3::bigint) AS offset_ms,"
    " sum(events) FROM readings_hourly WHERE id = $1::integer AND stamp >= $2::bigint"
    " AND stamp < $2::bigint+$3::bigint*$4::bigint GROUP BY 1 ORDER BY 1",
}


def program(name: str) -> str:
    """Return where a program of the server is."""
    found = [*sorted(Path(BIN).glob(f"*/bin/{name}"), reverse=True)]
    if not found and (path := shutil.which(name)):
        return path
    assert found, "PostgreSQL is missing: script/setup test installs it"
    return str(found[0])


class Cluster:
    """A server of our own, on a free port, in a directory that goes with it."""

    def __init__(self, directory: Path) -> None:
        """Choose a port."""
        self.directory = directory
        # the server refuses to run as root
        self._user = "postgres" if os.geteuid() == 0 else None
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            self.port: int = sock.getsockname()[1]

    def run(self, *command: str) -> None:
        """Run a program of the server."""
        subprocess.run(
            [program(command[0]), *command[1:]],
            user=self._user,
            cwd="/",
            check=True,
            stdout=subprocess.DEVNULL,
        )

    def make(self, zone: str) -> None:
        """Make the cluster, with PostgreSQL's own settings but for the port."""
        if self._user:
            shutil.chown(self.directory, self._user)
        data = str(self.directory / "data")
        self.run("initdb", "-D", data, "-A", "trust", "-U", "blip", "--no-sync")
        with (self.directory / "data" / "postgresql.conf").open("a") as config:
            config.write(
                f"port = {self.port}\nlisten_addresses = '127.0.0.1'\n"
                f"unix_socket_directories = ''\ntimezone = '{zone}'\n"
            )

    def start(self) -> None:
        """Start it."""
        log = str(self.directory / "log")
        self.run("pg_ctl", "-D", str(self.directory / "data"), "-l", log, "-w", "start")

    def stop(self) -> None:
        """Stop it."""
        data = str(self.directory / "data")
        self.run("pg_ctl", "-D", data, "-m", "fast", "-w", "stop")

    async def connect(self) -> asyncpg.Connection:
        """Return a connection that speaks as blipserver's does."""
        db = await asyncpg.connect(
            host="127.0.0.1", port=self.port, user="blip", database="postgres"
        )
        # what the server takes for numeric are whole numbers here
        await db.set_type_codec(
            "numeric", schema="pg_catalog", encoder=str, decoder=int, format="text"
        )
        return db


@asynccontextmanager
async def postgres(zone: str = "Europe/Copenhagen") -> AsyncIterator[Cluster]:
    """Run a fresh server with blipserver's tables."""
    with tempfile.TemporaryDirectory(prefix="rackwatt-pg-") as directory:
        cluster = Cluster(Path(directory))
        cluster.make(zone)
        cluster.start()
        try:
            db = await cluster.connect()
            await db.execute(SCHEMA)
            await db.close()
            yield cluster
        finally:
            cluster.stop()


async def fill(
    db: asyncpg.Connection, rows: Iterable[tuple[int, int, int]], minutes: bool = True
) -> None:
    """Fill the tables with readings, and their sums by the session's time zone."""
    await db.copy_records_to_table("readings", records=rows)
    await db.execute(ROLLUP.format(name="hourly", unit="hour"))
    if minutes:
        await db.execute(ROLLUP.format(name="minutely", unit="minute"))
    await db.execute("VACUUM ANALYZE readings")
