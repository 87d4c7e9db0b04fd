"""Whether a token sees everything that another token of the same account saw."""

from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from northflank_async import Auth, AuthPermissions, AuthRole, ProjectRestrictions, structure
from northflank_async.errors import DecodeError
from northflank_async.inventory.identity import Visibility, covers

READER = AuthRole(role_id="reader", name="Reader", role_type="team")
ADMIN = AuthRole(role_id="admin", name="Admin", role_type="team")
READ = AuthPermissions(org_scope=(), team_scope=("Account",), project_scope=("Addons > Read",))
MORE = AuthPermissions(org_scope=("Org",), team_scope=("Account",), project_scope=("Backups > Read", "Addons > Read"))


def restricted(mode: str | None, *projects: str, enabled: bool | None = True) -> ProjectRestrictions:
    return ProjectRestrictions(enabled=enabled, projects=projects, restriction_mode=mode)


def only(restrictions: ProjectRestrictions | None) -> Visibility:
    return Visibility(permissions=READ, project_restrictions=restrictions)


@pytest.mark.parametrize(
    ("present", "former", "expected"),
    [
        # Permissions: a superset covers, whatever the role.
        (Visibility(permissions=READ), Visibility(permissions=READ), True),
        (Visibility(permissions=MORE), Visibility(permissions=READ), True),
        (Visibility(permissions=READ), Visibility(permissions=MORE), False),
        (Visibility(role=READER, permissions=MORE), Visibility(role=ADMIN, permissions=READ), True),
        (Visibility(role=READER, permissions=READ), Visibility(role=READER, permissions=MORE), False),
        (Visibility(permissions=AuthPermissions()), Visibility(permissions=READ), False),
        (Visibility(permissions=READ), Visibility(permissions=AuthPermissions()), True),
        # Without permissions, the role decides.
        (Visibility(role=READER), Visibility(role=READER), True),
        (Visibility(role=READER), Visibility(role=evolve(READER, name="Renamed")), True),
        (Visibility(role=READER), Visibility(role=evolve(READER, role_type="org")), False),
        (Visibility(role=ADMIN), Visibility(role=READER), False),
        (Visibility(role=READER), Visibility(role=READER, permissions=READ), True),
        (Visibility(role=READER, permissions=READ), Visibility(role=READER), True),
        (Visibility(role=ADMIN, permissions=READ), Visibility(role=READER), False),
        (Visibility(role=AuthRole(name="A")), Visibility(role=AuthRole(name="B")), False),
        (Visibility(), Visibility(role=READER), False),
        (Visibility(), Visibility(permissions=READ), False),
        (Visibility(permissions=READ), Visibility(), False),
        (Visibility(), Visibility(), True),
        # Restrictions: none, equal ones, or those that leave everything visible that was.
        (only(None), only(restricted("in", "a")), True),
        (only(restricted("in", "a", enabled=False)), only(None), True),
        (only(restricted("in", "a")), only(None), False),
        (only(restricted("in", "a")), only(restricted("in", "b", enabled=False)), False),
        (only(restricted("in", "a", enabled=None)), only(None), False),
        (only(restricted("in", "a")), only(restricted("in", "a")), True),
        (only(restricted("in", "b", "a")), only(restricted("in", "a")), True),
        (only(restricted("in", "a")), only(restricted("in", "a", "b")), False),
        (only(restricted("notIn", "a")), only(restricted("notIn", "b", "a")), True),
        (only(restricted("notIn", "a", "b")), only(restricted("notIn", "a")), False),
        (only(restricted("notIn", "a")), only(None), False),
        (only(restricted("notIn", "a")), only(restricted("in", "b")), True),
        (only(restricted("notIn", "a")), only(restricted("in", "a", "b")), False),
        (only(restricted("in", "a")), only(restricted("notIn", "b")), False),
        (only(restricted("near", "a")), only(restricted("near", "a")), True),
        (only(restricted("near", "a", "b")), only(restricted("near", "a")), False),
        (only(restricted(None, "a", "b")), only(restricted("in", "a")), False),
        (only(ProjectRestrictions(enabled=True)), only(restricted("in", "a")), False),
        (only(restricted("in", "a")), only(ProjectRestrictions(enabled=True, restriction_mode="in")), False),
        # Both have to hold.
        (evolve(only(restricted("in", "a")), permissions=MORE), only(None), False),
        (evolve(only(None), permissions=AuthPermissions()), only(restricted("in", "a")), False),
    ],
)
def test_a_visibility_covers_another(present: Visibility, former: Visibility, expected: bool) -> None:
    assert covers(present, former) is expected


texts = st.text(max_size=3) | st.sampled_from("abc")
roles = st.builds(AuthRole, role_id=st.none() | texts, name=st.none() | texts, role_type=st.sampled_from([None, "org"]))
lists = st.none() | st.lists(texts, max_size=4).map(tuple)
permissions = st.builds(AuthPermissions, org_scope=lists, project_scope=lists, team_scope=lists)
restrictions = st.builds(
    ProjectRestrictions,
    enabled=st.none() | st.booleans(),
    projects=lists,
    restriction_mode=st.sampled_from(["in", "notIn", "near", None]),
)
visibilities = st.builds(
    Visibility,
    role=st.none() | roles,
    permissions=st.none() | permissions,
    project_restrictions=st.none() | restrictions,
)


@given(visibilities)
def test_a_visibility_covers_itself(visibility: Visibility) -> None:
    assert covers(visibility, visibility)


@given(visibilities, visibilities, visibilities)
def test_what_covers_one_covers_what_that_one_covers_if_both_name_their_permissions(
    one: Visibility, two: Visibility, three: Visibility
) -> None:
    named = [evolve(visibility, permissions=visibility.permissions or READ) for visibility in (one, two, three)]
    if covers(named[0], named[1]) and covers(named[1], named[2]):
        assert covers(named[0], named[2])


@given(visibilities, visibilities, st.sampled_from(["org_scope", "project_scope", "team_scope"]), st.integers(0, 3))
def test_a_permission_less_never_covers_more(present: Visibility, former: Visibility, scope: str, index: int) -> None:
    if present.permissions is None:
        return
    kept = list(getattr(present.permissions, scope) or ())
    del kept[index : index + 1]
    narrower = evolve(present, permissions=evolve(present.permissions, **{scope: tuple(kept)}))
    assert covers(narrower, former) <= covers(present, former)


@given(visibilities, visibilities, lists, st.integers(0, 3))
def test_a_project_less_never_covers_more(
    present: Visibility, former: Visibility, projects: tuple[str, ...] | None, index: int
) -> None:
    kept = list(projects or ())
    wider = evolve(present, project_restrictions=restricted("in", *kept))
    del kept[index : index + 1]
    narrower = evolve(present, project_restrictions=restricted("in", *kept))
    assert covers(narrower, former) <= covers(wider, former) <= covers(evolve(wider, project_restrictions=None), former)


@given(visibilities, visibilities, st.sets(st.sampled_from("abcd")))
def test_a_covering_visibility_sees_every_project_of_the_other(
    present: Visibility, former: Visibility, named: set[str]
) -> None:
    def sees(visibility: Visibility, project: str) -> bool:
        restrictions = visibility.project_restrictions
        if restrictions is None or not restrictions.enabled:
            return True
        return (project in (restrictions.projects or ())) is (restrictions.restriction_mode == "in")

    known = [
        evolve(visibility, project_restrictions=restricted(mode, *sorted(named)[: 1 + index]))
        for index, (visibility, mode) in enumerate(
            [(present, "in"), (former, "notIn"), (present, "notIn"), (former, "in")]
        )
    ] + [evolve(present, project_restrictions=None)]
    for one in known:
        for other in known:
            if covers(one, other):
                assert all(sees(one, project) for project in "abcde" if sees(other, project))


@pytest.mark.parametrize(
    "raw",
    [
        {},
        {"role": {"roleId": "reader"}, "permissions": {"teamScope": ["a", "b"]}},
        {"projectRestrictions": {"enabled": True, "projects": ["a"], "restrictionMode": "in"}},
        {"role": {"name": "nul \0 and half \ud800"}, "permissions": {"orgScope": ["\0"]}},
    ],
)
def test_a_visibility_survives_the_store(raw: dict[str, Any]) -> None:
    visibility = Visibility.of(structure({"entityId": "acme", **raw}, Auth))
    text = visibility.to_json()
    text.encode()
    assert "\\u0000" not in text
    assert Visibility.from_json(text) == visibility
    assert Visibility.from_json(text).to_json() == text


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({"scope": "role", "workload": {"projectId": "p"}}, None),
        ({"scope": "own-project", "workload": {"projectId": "p"}}, restricted("in", "p")),
        ({"scope": "own-project"}, ProjectRestrictions(enabled=True, restriction_mode="in")),
        (
            {
                "scope": "own-project",
                "projectRestrictions": {"enabled": True, "projects": ["q"], "restrictionMode": "in"},
            },
            restricted("in", "q"),
        ),
    ],
)
def test_the_token_of_a_workload_sees_its_own_project_only(
    raw: dict[str, Any], expected: ProjectRestrictions | None
) -> None:
    visibility = Visibility.of(structure({"entityId": "acme", **raw}, Auth))
    assert visibility.project_restrictions == expected


@pytest.mark.parametrize("text", ["", "no JSON", "[]", '{"role": 7}'])
def test_a_damaged_text_is_an_error(text: str) -> None:
    with pytest.raises((ValueError, DecodeError)):
        Visibility.from_json(text)
