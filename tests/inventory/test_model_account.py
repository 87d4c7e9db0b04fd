"""The model of accounts that the campaign compares stores with."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from northflank_async import ApiError, DecodeError, Northflank, NorthflankError, ServerError, TransportError
from tests.support.model_account import ListingKey, ModelAccounts, RowKey, Weather, serve_accounts

pytestmark = pytest.mark.slow

ROOT = ListingKey("acme", "projects")
ADDONS = ListingKey("acme", "addons", "", "p")
BACKUPS = ListingKey("acme", "backups", "", "p", "a")


def one_addon(backups: int = 7, **options: Any) -> tuple[ModelAccounts, str]:
    """An account with one addon, and its token."""
    model = ModelAccounts(**options)
    token = model.add_account("acme", projects=0)
    model.insert(ROOT, "p", children=0)
    model.insert(ADDONS, "a", children=0)
    for number in range(backups):
        model.insert(BACKUPS, f"b{number}")
    return model, token


async def listed(nf: Northflank) -> list[Any]:
    return [backup["id"] async for backup in nf.project("p").addon("a").backups().raw()]


async def test_every_listing_is_served_in_pages() -> None:
    model = ModelAccounts(seed=5)
    token = model.add_account("acme", projects=4)
    seen: set[RowKey] = set()
    async with serve_accounts(model), model.client(token) as nf:
        async for project in nf.projects():
            seen.add(RowKey(ROOT, project.id))
            async for addon in nf.project(project.id).addons():
                seen.add(RowKey(ROOT.child("addons", project.id), addon.id))
                resource = nf.project(project.id).addon(addon.id)
                for kind, listing in (("backups", resource.backups()), ("restores", resource.restores())):
                    key = ROOT.child("addons", project.id).child(kind, addon.id)
                    seen |= {RowKey(key, item["id"]) async for item in listing.raw()}
    assert seen == model.rows() == {RowKey(key, item_id) for key, item_id in seen}
    assert {RowKey(answer.listing, item) for answer in model.answers() if answer.listing for item in answer.ids} == seen
    assert any(answer.cursor for answer in model.answers())
    assert not model.failed_listings(datetime.min.replace(tzinfo=UTC))


async def test_accounts_do_not_see_each_other() -> None:
    model = ModelAccounts()
    tokens = [model.add_account(name, teams=("", "team"), projects=count) for name, count in (("a", 2), ("b", 3))]
    async with serve_accounts(model):
        for token, name, count in zip(tokens, ("a", "b"), (2, 3), strict=True):
            async with model.client(token) as nf:
                assert (await nf.auth()).entity_id == name
                assert len(await nf.projects().all()) == len(await nf.team("team").projects().all()) == count
        async with model.client("token-of-nobody") as nf:
            with pytest.raises(ApiError, match="401"):
                await nf.projects()


async def test_offset_cursors_shift_with_what_is_inserted_and_deleted() -> None:
    model, token = one_addon(6)
    async with serve_accounts(model), model.client(token) as nf:
        pages = nf.project("p").addon("a").backups().raw().pages()
        assert [item["id"] for item in (await anext(pages)).items] == ["b5", "b4", "b3"]
        model.insert(BACKUPS, "new")
        assert [item["id"] for item in (await anext(pages)).items] == ["b3", "b2", "b1"]
        pages = nf.project("p").addon("a").backups().raw().pages()
        await anext(pages)
        model.delete(BACKUPS, "new")
        assert [item["id"] for item in (await anext(pages)).items] == ["b2", "b1", "b0"]


@pytest.mark.parametrize("status", [500, 403, 404, 0])
async def test_a_failing_listing_is_a_failure_until_it_recovers(status: int) -> None:
    model, token = one_addon()
    started = datetime.now(UTC)
    model.failing[BACKUPS] = status
    async with serve_accounts(model), model.client(token, attempts=2) as nf:
        with pytest.raises(NorthflankError):
            await listed(nf)
        assert model.failed_listings(started) == {BACKUPS}
        assert {answer.status for answer in model.answers()} == {status}
        model.recover()
        assert len(await listed(nf)) == 7
        assert model.failed_listings(started) == set()


async def test_expired_cursors_are_rejected_with_different_statuses() -> None:
    statuses = set()
    model, token = one_addon()
    async with serve_accounts(model), model.client(token) as nf:
        for _ in range(20):
            pages = nf.project("p").addon("a").backups().pages()
            await anext(pages)
            model.expire_cursors()
            with pytest.raises(ApiError) as caught:
                await anext(pages)
            statuses.add(caught.value.status)
    assert statuses == {400, 410, 422}


async def test_a_null_listing_is_a_failure() -> None:
    model, token = one_addon()
    model.nulls.add(BACKUPS)
    started = datetime.now(UTC)
    async with serve_accounts(model), model.client(token) as nf:
        assert (await nf.request("GET", "/v1/projects/p/addons/a/backups")) == {"backups": None}
    assert model.failed_listings(started) == {BACKUPS}


async def test_a_distorted_item_is_unreadable_only_without_its_id() -> None:
    model, token = one_addon(2)
    model.distort(BACKUPS, "b0", id=7)
    model.distort(BACKUPS, "b1", completedAt=5)
    started = datetime.now(UTC)
    async with serve_accounts(model), model.client(token) as nf:
        assert await listed(nf) == ["b1", 7]
        with pytest.raises(DecodeError):
            await nf.project("p").addon("a").backups().all()
    assert model.unreadable_rows(started) == {RowKey(BACKUPS, "b0")}
    assert model.last_served(RowKey(BACKUPS, "b0")) is None
    assert model.last_served(RowKey(BACKUPS, "b1")) is not None


async def test_a_restricted_token_sees_its_projects_only() -> None:
    model = ModelAccounts()
    token = model.add_account("acme", projects=3)
    one = model.items(ROOT)[0].id
    restrictions = {"enabled": True, "projects": [one], "restrictionMode": "in"}
    model.tokens[token].restrictions = restrictions
    async with serve_accounts(model), model.client(token) as nf:
        auth = await nf.auth()
        assert auth.project_restrictions
        assert auth.project_restrictions.projects == (one,)
        assert [project.id for project in await nf.projects().all()] == [one]
        with pytest.raises(ApiError, match="403"):
            await nf.project(model.items(ROOT)[1].id).addons()
        restrictions["restrictionMode"] = "notIn"
        assert one not in [project.id for project in await nf.projects().all()]
        model.tokens[token].auth_status = 503
        with pytest.raises(ServerError):
            await nf.auth()


def test_the_truth_knows_when_something_existed() -> None:
    model, _ = one_addon(1)
    row = RowKey(BACKUPS, "b0")
    before = datetime.now(UTC)
    model.delete(BACKUPS, "b0")
    between = datetime.now(UTC)
    model.insert(BACKUPS, "b0")
    after = datetime.now(UTC)
    assert [model.existed(row, at) for at in (before, between, after)] == [True, False, True]
    assert not model.existed(row, before - timedelta(days=1))
    assert model.existed_throughout(row, after, after)
    assert not model.existed_throughout(row, before, after)
    model.delete(ROOT, "p")
    assert model.rows() == set()
    assert model.listings() == [ROOT]
    assert not model.existed(row, datetime.now(UTC))


async def storm(seed: int) -> list[Any]:
    """What happens to a reader in bad weather."""
    model, token = one_addon(9, seed=seed)
    model.weather = Weather(changes=0.5, errors=0.2, expiries=0.2, duplicates=0.5)
    seen: list[Any] = []
    async with serve_accounts(model), model.client(token, attempts=1) as nf:
        for _ in range(30):
            try:
                seen.append(await listed(nf))
            except (ApiError, TransportError) as error:
                seen.append((type(error), getattr(error, "status", 0)))
    return seen


async def test_bad_weather_has_every_kind_of_trouble_and_is_the_same_for_a_seed() -> None:
    seen = await storm(3)
    statuses = {entry[1] for entry in seen if isinstance(entry, tuple)}
    readings = [entry for entry in seen if isinstance(entry, list)]
    assert statuses >= {0, 500}
    assert statuses & {400, 410, 422}
    assert any(len(set(ids)) < len(ids) for ids in readings)
    assert len({tuple(sorted(ids)) for ids in readings}) > 1
    assert await storm(3) == seen
    assert await storm(4) != seen
