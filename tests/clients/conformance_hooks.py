"""What schemathesis must know beyond the document: what it says only in words, and which failures are meant.

conformance.toml loads this file. CONFORMANCE_DOCUMENT says whose document it is: a `foreign` one names no refusals, our
`own` is taken as it is. The folder CONFORMANCE_RECORDS takes what happened, for conformance_verdict.py.
"""

import json
import os
import random
import re
import unicodedata
from pathlib import Path

import conformance_excuses
import requests
import schemathesis

RECORDS = Path(os.environ["CONFORMANCE_RECORDS"])
FOREIGN = os.environ["CONFORMANCE_DOCUMENT"] == "foreign"
EXCUSES = conformance_excuses.read(os.environ["CONFORMANCE_DOCUMENT"])
OURS = re.compile("^/v1/(admin|users/me)")
UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
USERS = ("/v1/admin/users?page_size=100", "members", "uuid")
WORKSPACES = ("/v1/admin/workspaces?page_size=100", "items", "uuid")
GROUPS = ("/v1/admin/user-groups?page_size=100", "items", "uuid")
# What a name of an id means: the list that has such objects, its key there, and the key of the id.
IDS = {
    **dict.fromkeys(["user_id", "user_uuid", "user_uuids", "admin_user_id"], USERS),
    **dict.fromkeys(["workspace_uuid", "workspace_uuids", "workspace_id"], WORKSPACES),
    **dict.fromkeys(["group_uuid", "user_group_uuid", "parent_group_ids", "child_group_uuids"], GROUPS),
    "invite_uuid": ("/v1/admin/users-invite", None, "invite_uuid"),
    "key_id": ("/v1/admin/api-keys", "keys", "key_id"),
}
NOBODY = "00000000-0000-4000-8000-000000000000"
MANY = 12
DICE = random.Random(os.environ["CONFORMANCE_SEED"])
SESSION = requests.Session()
SESSION.headers["Authorization"] = "Bearer " + os.environ["CONFORMANCE_ADMIN_KEY"]
WRITES = {"post", "put", "patch", "delete"}
EXCLUSIVE = re.compile(r"Mutually exclusive with '(\w+)'")

# How a refusal looks. A document that names no refusals leaves that to the guides, which show these two.
TEXT = {"type": "object", "required": ["detail"], "properties": {"detail": {"type": "string"}}}
PLACES = {
    "type": "object",
    "required": ["detail"],
    "properties": {
        "detail": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["type", "loc", "msg"],
                "properties": {
                    "type": {"type": "string"},
                    "loc": {"type": "array", "minItems": 1, "items": {"type": ["string", "integer"]}},
                    "msg": {"type": "string"},
                },
            },
        }
    },
}
# What the gateway in front of Mistral says to a path that it does not know; a strange path parameter makes one.
NO_ROUTE = {"type": "object", "required": ["message"], "properties": {"message": {"type": "string"}}}


def record(name, value):
    """Adds a line to a file of records."""
    with (RECORDS / name).open("a", encoding="utf-8") as file:
        file.write(json.dumps(value) + "\n")


@schemathesis.hook
def before_load_schema(context, raw_schema):
    """Writes down what the document says in words only. It may add demands on requests; answers stay as strict."""
    for item in raw_schema["paths"].values():
        for operation in item.values():
            if isinstance(operation, dict) and "parameters" in operation:
                # A text that another request had is refused, and the same texts are drawn for all of them.
                named = operation["parameters"]
                operation["parameters"] = [one for one in named if one.get("name") != "Idempotency-Key"]
    if FOREIGN:
        for schema in objects(raw_schema):
            # Unknown fields are refused, and answers have none: strict clients would break.
            schema.setdefault("additionalProperties", False)
        schemes = raw_schema["components"]["securitySchemes"]
        schemes["AdminKeyHeader"] = {"type": "apiKey", "in": "header", "name": "x-api-key"}
        for path, methods in raw_schema["paths"].items():
            for method, operation in methods.items():
                follow_guides(path, method, operation)
    # At the end: what it adds has properties too, and would hold for nothing if it forbade all others.
    for schema in list(objects(raw_schema)):
        exclude(schema)


@schemathesis.hook
def after_load_schema(context, schema):
    """Furnishes the organization, so that the run does not at once delete the last object of a kind."""
    people = [{"email": f"p{n}@example.com", "first_name": "P", "last_name": str(n)} for n in range(MANY)]
    users = list(post("/v1/admin/users", people).get("email_to_user_id", {}).values()) or [NOBODY]
    post("/v1/admin/users-invite", {"email": ",".join(f"i{n}@example.com" for n in range(MANY))})
    for number in range(MANY):
        workspace = post("/v1/admin/workspaces", {"name": f"Workspace {number}", "admin_user_id": users[0]})
        group = post("/v1/admin/user-groups", {"name": f"Group {number}"})
        there = {"workspace_uuid": workspace.get("uuid", NOBODY)}
        post(f"/v1/admin/user-groups/{group.get('uuid', NOBODY)}/workspaces", {**there, "role_names": ["user"]})
        post("/v1/admin/api-keys", {"name": f"Key {number}", "user_id": users[0], **there})


def post(path, body):
    """The answer of a POST, or nothing where it was refused: the run itself will tell what is wrong."""
    answer = SESSION.post(os.environ["CONFORMANCE_URL"] + path, json=body, timeout=30)
    return answer.json() if answer.ok and answer.content else {}


def objects(value):
    """All schemas with properties in the document."""
    if isinstance(value, dict):
        if isinstance(value.get("properties"), dict):
            yield value
        for inner in value.values():
            yield from objects(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from objects(inner)


def exclude(schema):
    """Makes a constraint of `Mutually exclusive with 'other'`: both at once are no valid request."""
    properties = schema["properties"]
    pairs = set()
    for name, property in properties.items():
        said = EXCLUSIVE.search(property.get("description", "")) if isinstance(property, dict) else None
        if said and said[1] in properties:
            pairs.add(frozenset((name, said[1])))
    given = {"not": {"type": "null"}}
    for pair in sorted(map(sorted, pairs)):
        both = {"required": pair, "properties": dict.fromkeys(pair, given)}
        schema.setdefault("allOf", []).append({"not": both})


def follow_guides(path, method, operation):
    """Documents what the guides say of this operation: the key as x-api-key, and the refusals that can come of it."""
    if method not in WRITES | {"get"} or not OURS.match(path):
        return
    if operation["security"] == [{"AdminApiKey": []}]:
        operation["security"].append({"AdminKeyHeader": []})
    body = "requestBody" in operation
    refusals = {"401": TEXT, "403": TEXT, "422": {"anyOf": [TEXT, PLACES]}}
    if body:
        refusals |= {"400": TEXT, "413": TEXT, "415": TEXT}
    if "{" in path:
        refusals["404"] = {"anyOf": [TEXT, NO_ROUTE]}
    elif body or any(each.get("name") in IDS for each in operation.get("parameters", [])):
        # The body or the query may name an object that is not there.
        refusals["404"] = TEXT
    if method in WRITES:
        refusals["409"] = TEXT
    for status, schema in refusals.items():
        answer = {"description": "refused", "content": {"application/json": {"schema": schema}}}
        operation["responses"].setdefault(status, answer)


@schemathesis.hook
def before_call(context, case, kwargs):
    """Makes of a random request one that gets further, without making a valid one invalid or the other way round."""
    if isinstance(case.body, (dict, list)):
        change(case, "body", visible(case.body))
    # The stateful phase brings ids of its own.
    if case.meta and case.meta.generation.mode.is_positive and case.meta.phase.name.value in ("coverage", "fuzzing"):
        gone = (
            case.path.rpartition("/")[2].strip("{}") if case.method == "DELETE" and case.path.count("{") == 1 else None
        )
        path = {name: real(name, value, name == gone) for name, value in case.path_parameters.items()}
        if "workspaces/{workspace_uuid}" in case.path and "user-groups" in case.path:
            path = assignment() or path
        change(case, "path_parameters", path)
        change(case, "query", {name: real(name, value) for name, value in case.query.items()})
        change(case, "body", real("", case.body))


def change(case, part, value):
    """Sets a part of a request only where it differs: schemathesis judges a part that was set anew."""
    if getattr(case, part) != value:
        setattr(case, part, value)


def real(name, value, gone=False):
    """The same with ids of objects that are there in place of most that name nothing: seldom when it goes by that."""
    if isinstance(value, dict):
        return {inner: real(inner, each) for inner, each in value.items()}
    if isinstance(value, list):
        return [real(name, each) for each in value]
    if name in IDS and isinstance(value, str) and UUID.fullmatch(value):
        found = existing(*IDS[name]) if DICE.random() < (0.3 if gone else 0.75) else []
        # Some are left over for other operations.
        return DICE.choice(found) if len(found) > (2 if gone else 0) else value
    return value


def assignment():
    """A group and a workspace that it has a role in, or nothing."""
    for group in existing(*GROUPS):
        if there := existing(f"/v1/admin/user-groups/{group}/workspaces", "items", "workspace_uuid"):
            return {"group_uuid": group, "workspace_uuid": DICE.choice(there)} if DICE.random() < 0.75 else None
    return None


def existing(path, members, id):
    """The ids of all objects of a list, at this moment."""
    answer = SESSION.get(os.environ["CONFORMANCE_URL"] + path, timeout=30)
    if answer.status_code != 200:
        return []
    listed = answer.json()
    return [each[id] for each in (listed[members] if members else listed)]


def visible(value):
    """The same with a plain letter in place of each control, invisible or direction character, and of space around it.

    Names with them are refused by a rule of our own (tested elsewhere); random text is full of them, and nothing
    behind that refusal would be tested. One for one, so that no length and no type changes.
    """
    if isinstance(value, str):
        inner = "".join(
            "x" if letter != " " and unicodedata.category(letter)[0] in "CZ" else letter for letter in value
        )
        return re.sub("^ | $", "x", inner)
    if isinstance(value, list):
        return [visible(inner) for inner in value]
    if isinstance(value, dict):
        return {name: visible(inner) for name, inner in value.items()}
    return value


@schemathesis.hook
def after_call(context, case, response):
    """Counts the call."""
    record("calls", [case.operation.label, response.status_code])


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """Drops a failure that is excused by name, and notes that the excuse occurred."""
    answer = f"{response.status_code} {response.text}"
    for excuse in EXCUSES:
        if excuse.covers(failure.operation, failure.checks, answer):
            record("excused", excuse.line)
            return False
    sent = f"{response.request.method} {response.request.url} {response.request.body or ''}"
    record("failures", [failure.operation, list(failure.checks), failure.title, str(failure), answer[:500], sent[:800]])
    return True
