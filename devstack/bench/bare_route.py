"""A route that reads the body and commits one insert: the yardstick for webhooks.

FastAPI, SQLAlchemy core, asyncpg and uvicorn with uvloop and httptools, as anybody would write it. A process of its own
like our API: `python -m devstack.bench.bare_route <port>`.
"""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI, Request, Response
from sqlalchemy import BigInteger, Column, DateTime, Identity, LargeBinary, MetaData, Table, func, insert

from ledger.engine import create_engine

PATH = "/deliveries"
_metadata = MetaData()
_deliveries = Table(
    "bench_deliveries",
    _metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("body", LargeBinary, nullable=False),
    Column("received_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)


def bare_app(database_url: str) -> FastAPI:
    """The application; its table exists while it runs."""
    # The owner makes the table; our own role may not.
    engine = create_engine(database_url, as_owner=True)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with engine.begin() as connection:
            await connection.run_sync(_metadata.create_all)
        yield
        async with engine.begin() as connection:
            await connection.run_sync(_metadata.drop_all)
        await engine.dispose()

    app = FastAPI(lifespan=lifespan)

    @app.get("/healthz")
    async def health() -> Response:
        return Response()

    @app.post(PATH)
    async def receive(request: Request) -> Response:
        body = await request.body()
        async with engine.begin() as connection:
            await connection.execute(insert(_deliveries).values(body=body))
        return Response(b'{"received":true}', media_type="application/json")

    return app


if __name__ == "__main__":
    uvicorn.run(
        bare_app(os.environ["DATABASE_URL"]),
        host="127.0.0.1",
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        ws="none",
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=2048,
    )
