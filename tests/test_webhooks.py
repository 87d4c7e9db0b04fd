"""Events of notification integrations, and the example that mirrors an addon."""

import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestServer
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict, CIMultiDictProxy

from examples.mirror_on_backup import application
from northflank_async import ConfigurationError, InvalidEvent
from northflank_async.webhooks import Event, EventName, parse_event
from tests.support.clocks import wait_until
from tests.support.dumps import DumpAccount, dump, entries_in
from tests.support.scripted_server import serve

TOKEN = "webhook-token-0123456789"
PREFIX = "X-Northflank-Notification-Integration-"
HEADERS = {
    f"{PREFIX}Id": "integration",
    f"{PREFIX}Name": "Offsite copies",
    f"{PREFIX}Token": TOKEN,
    f"{PREFIX}Event-Id": "event-1",
    f"{PREFIX}Event-Type": "addon-backup:success",
}
DATA = {"project": {"id": "p", "name": "P"}, "addon": {"id": "a", "name": "A"}}
BODY = json.dumps({"event": "addon-backup:success", "data": DATA})


def without(*names: str) -> dict[str, str]:
    return {name: value for name, value in HEADERS.items() if name.removeprefix(PREFIX) not in names}


def body(**changes: Any) -> str:
    return json.dumps({**json.loads(BODY), **changes})


def test_an_event_names_what_happened_and_where() -> None:
    event = parse_event(HEADERS, BODY.encode(), TOKEN)
    assert event == Event(
        name=EventName.BACKUP_SUCCESS,
        id="event-1",
        integration_id="integration",
        integration_name="Offsite copies",
        project_id="p",
        addon_id="a",
        data=DATA,
    )


@pytest.mark.parametrize("change", [str.lower, str.upper])
def test_the_case_of_headers_does_not_matter(change: Any) -> None:
    headers = {change(name): value for name, value in HEADERS.items()}
    assert parse_event(headers, BODY, TOKEN) == parse_event(HEADERS, BODY, TOKEN)
    multi = CIMultiDictProxy(CIMultiDict(headers))
    assert parse_event(multi, BODY, TOKEN) == parse_event(HEADERS, BODY, TOKEN)


@pytest.mark.parametrize("name", list(EventName))
def test_events_of_backups_and_restores_are_known(name: EventName) -> None:
    for text in (name.value, f"trigger:{name}"):
        found = parse_event(HEADERS, body(event=text), TOKEN).name
        assert isinstance(found, EventName)
        assert found == name


def test_an_unknown_event_is_kept() -> None:
    data = {"service": {"id": "s"}, "more": [1]}
    event = parse_event(HEADERS, body(event="build:success", data=data), TOKEN)
    assert (event.name, event.project_id, event.addon_id, event.data) == ("build:success", None, None, data)


@pytest.mark.parametrize("data", [None, {}, {"project": None}, {"project": "p", "addon": []}, {"addon": {"id": 1}}])
def test_an_event_may_lack_its_place(data: Any) -> None:
    event = parse_event(HEADERS, body(data=data), TOKEN)
    assert (event.project_id, event.addon_id) == (None, None)


def test_the_name_may_be_in_the_header_only() -> None:
    assert parse_event(HEADERS, json.dumps({"data": DATA}), TOKEN).name is EventName.BACKUP_SUCCESS


@pytest.mark.parametrize("token", ["", "x", TOKEN[:-1], f"{TOKEN}x", TOKEN.upper(), "é", "\udcff", f" {TOKEN}"])
def test_a_wrong_token_is_a_401(token: str) -> None:
    with pytest.raises(InvalidEvent, match="the token is wrong") as caught:
        parse_event({**HEADERS, f"{PREFIX}Token": token}, BODY, TOKEN)
    assert caught.value.status == 401
    assert TOKEN not in repr(caught.value)


def test_tokens_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[Any, Any]] = []

    def compare(one: Any, other: Any) -> bool:
        compared.append((one, other))
        return True

    monkeypatch.setattr("hmac.compare_digest", compare)
    parse_event({**HEADERS, f"{PREFIX}Token": "anything"}, BODY, TOKEN)
    assert compared == [(b"anything", TOKEN.encode())]


def test_a_request_without_a_token_is_a_401_before_its_body_is_read() -> None:
    with pytest.raises(InvalidEvent, match="Token is missing: set a secret") as caught:
        parse_event(without("Token"), "no JSON", TOKEN)
    assert caught.value.status == 401


@pytest.mark.parametrize("token", ["", None])
def test_an_empty_token_is_refused(token: Any) -> None:
    with pytest.raises(ConfigurationError):
        parse_event({**HEADERS, f"{PREFIX}Token": ""}, BODY, token)


@pytest.mark.parametrize(
    ("headers", "text", "message"),
    [
        (HEADERS, "", "the body is not JSON"),
        (HEADERS, b"\xff\xfe\xfd", "the body is not JSON"),
        (HEADERS, "[" * 100_000, "the body is not JSON"),
        (HEADERS, "[]", "the body is not a JSON object"),
        (HEADERS, "null", "the body is not a JSON object"),
        (HEADERS, body(event=None), "the event has no name"),
        (HEADERS, body(event=""), "the event has no name"),
        (HEADERS, body(event="trigger:"), "the event has no name"),
        (HEADERS, body(event={}), "the event has no name"),
        (HEADERS, body(data=[]), "the event's data is not an object"),
        (without("Event-Id"), BODY, "Event-Id is missing"),
        (without("Event-Type"), json.dumps({}), "the event has no name"),
    ],
)
def test_what_is_not_an_event_is_a_400(headers: dict[str, str], text: Any, message: str) -> None:
    with pytest.raises(InvalidEvent, match=message) as caught:
        parse_event(headers, text, TOKEN)
    assert caught.value.status == 400


@given(
    st.binary()
    | st.text()
    | st.recursive(st.none() | st.text(), lambda x: st.dictionaries(st.text(), x)).map(json.dumps)
)
def test_any_body_is_an_event_or_invalid(text: Any) -> None:
    try:
        parse_event(HEADERS, text, TOKEN)
    except InvalidEvent as error:
        assert error.status == 400


def test_the_repr_of_an_event_hides_its_data() -> None:
    event = parse_event(HEADERS, body(data={**DATA, "password": "s3cret"}), TOKEN)
    assert "s3cret" not in repr(event)


async def test_the_example_mirrors_the_addon_of_an_event_once(tmp_path: Path) -> None:
    account = DumpAccount({"p": {"a": [dump("b")], "other": [dump("c")]}, "q": {"a": [dump("d")]}})
    async with serve(account.respond) as server, server.client() as nf:
        service = TestServer(application(nf, str(tmp_path), TOKEN))
        async with service, aiohttp.ClientSession() as http:

            async def send(headers: dict[str, str] = HEADERS, text: str = BODY) -> int:
                async with http.post(service.make_url("/"), headers=headers, data=text) as response:
                    return response.status

            assert await send(headers={**HEADERS, f"{PREFIX}Token": "wrong"}) == 401
            assert await send(text="[]") == 400
            assert (
                await send(text=body(event="addon-backup:failure"), headers={**HEADERS, f"{PREFIX}Event-Id": "0"})
                == 200
            )
            assert not server.requests
            assert await send() == 202
            await wait_until(lambda: len(entries_in(tmp_path)) == 1)
            before = len(server.requests)
            assert await send() == 200  # it was sent again
            account.tree["p"]["a"].append(dump("b2"))
            assert await send(headers={**HEADERS, f"{PREFIX}Event-Id": "event-2"}) == 202
            await wait_until(lambda: len(entries_in(tmp_path)) == 2)
            await asyncio.sleep(0)
    assert account.links == ["p/a/b", "p/a/b2"]
    paths = [request.path for request in server.requests[:before] if not request.path.startswith("/storage")]
    assert paths == [
        "/v1/auth",
        "/v1/projects/p/addons",
        "/v1/projects/p/addons/a/backups",
        "/v1/projects/p/addons/a/backups/b/download-link",
    ]
