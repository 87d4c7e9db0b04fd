"""Links and keys of a mirror are in no span, log line or message."""

import logging
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from opentelemetry.instrumentation.aiohttp_client import AioHttpClientInstrumentor
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from northflank_async import Northflank
from northflank_async.mirror import mirror
from tests.support.dumps import SIGNATURE, DumpAccount, dump
from tests.support.scripted_server import ScriptedServer, serve

WORDS = ("s3cret", "X-Signature", "/storage/")


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    """Trace every session that is opened, as `opentelemetry-instrument` does."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    instrumentor = AioHttpClientInstrumentor()
    instrumentor.instrument(tracer_provider=provider)
    try:
        yield exporter
    finally:
        instrumentor.uninstrument()
        provider.shutdown()


def text_of(spans: tuple[ReadableSpan, ...]) -> str:
    return "\n".join(span.to_json() for span in spans)


def redirecting(request: web.Request) -> web.Response | None:
    """Redirect each link to another signed URL."""
    if not request.path.startswith("/storage") or "signed" in request.query:
        return None
    return web.Response(status=302, headers={"Location": f"{request.path}?signed=1&{SIGNATURE}"})


async def mirror_with(server: ScriptedServer, folder: Path, **options: Any) -> None:
    async with Northflank("token", base_url=server.url, attempts=2, **options) as nf:
        await mirror(str(folder), nf)


@pytest.mark.parametrize("own_session", [False, True])
async def test_a_link_is_in_no_span(tmp_path: Path, spans: InMemorySpanExporter, own_session: bool) -> None:
    account = DumpAccount({"p": {"a": [dump("b")]}}, instead=redirecting)
    async with serve(account.respond) as server:
        if own_session:
            async with aiohttp.ClientSession() as session:
                await mirror_with(server, tmp_path, session=session)
        else:
            await mirror_with(server, tmp_path)
    traced = text_of(spans.get_finished_spans())
    assert "/download-link" in traced, "requests to the API are traced"
    assert account.downloads
    assert not [word for word in WORDS if word in traced]


async def test_the_instrumentation_traces_a_link_that_is_requested_otherwise(spans: InMemorySpanExporter) -> None:
    account = DumpAccount({"p": {"a": [dump("b")]}})
    async with serve(account.respond) as server, aiohttp.ClientSession() as session:
        await session.get(f"{server.url}/storage/p/a/b?{SIGNATURE}")
    assert "s3cret" in text_of(spans.get_finished_spans())


@pytest.mark.parametrize("status", [200, 403, 500])
async def test_a_link_is_in_no_log_line_or_failure(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, spans: InMemorySpanExporter, status: int
) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("aiohttp.access").setLevel(logging.CRITICAL)  # the server's
    account = DumpAccount({"p": {"a": [dump("b")]}})
    if status != 200:
        account.instead = lambda request: (
            web.Response(status=status, text=str(request.url)) if request.path.startswith("/storage") else None
        )
    async with serve(account.respond) as server, server.client(attempts=2) as nf:
        outcome = await mirror(str(tmp_path), nf)
    assert bool(outcome.failures) is (status != 200)
    lines = [record.getMessage() for record in caplog.records if record.name != "aiohttp.access"]
    lines += [f"{failure} {failure!r}" for failure in outcome.failures]
    lines += ["".join(traceback.format_exception(failure.error)) for failure in outcome.failures]
    lines.append(text_of(spans.get_finished_spans()))
    assert not [word for word in WORDS for line in lines if word in line]
