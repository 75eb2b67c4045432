"""What schemathesis must know beyond the document: what it says only in words, and which failures are meant.

conformance.toml loads this file. CONFORMANCE_DOCUMENT says whose document it is: a `foreign` one names no refusals, our
`own` is taken as it is. The folder CONFORMANCE_RECORDS takes what happened, for conformance_verdict.py.
"""

import json
import os
import re
import unicodedata
from pathlib import Path

import conformance_excuses
import schemathesis

RECORDS = Path(os.environ["CONFORMANCE_RECORDS"])
FOREIGN = os.environ["CONFORMANCE_DOCUMENT"] == "foreign"
EXCUSES = conformance_excuses.read(os.environ["CONFORMANCE_DOCUMENT"])
OURS = re.compile("^/v1/(admin|users/me)")
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
    for schema in objects(raw_schema):
        exclude(schema)
    if FOREIGN:
        for schema in objects(raw_schema):
            # Unknown fields are refused, and answers have none: strict clients would break.
            schema.setdefault("additionalProperties", False)
        schemes = raw_schema["components"]["securitySchemes"]
        schemes["AdminKeyHeader"] = {"type": "apiKey", "in": "header", "name": "x-api-key"}
        for path, methods in raw_schema["paths"].items():
            for method, operation in methods.items():
                follow_guides(path, method, operation)


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
    elif body:
        # The body may name an object that is not there.
        refusals["404"] = TEXT
    if method in WRITES:
        refusals["409"] = TEXT
    for status, schema in refusals.items():
        answer = {"description": "refused", "content": {"application/json": {"schema": schema}}}
        operation["responses"].setdefault(status, answer)


@schemathesis.hook
def before_call(context, case, kwargs):
    """Keeps control and invisible characters out of bodies.

    Names with them are refused by a rule of our own (tested elsewhere); random text is full of them, and nothing
    behind that refusal would be tested. One for one, so that no length and no type changes.
    """
    if isinstance(case.body, (dict, list)):
        case.body = visible(case.body)


def visible(value):
    """The same with a plain letter in place of each control, invisible or direction character."""
    if isinstance(value, str):
        return "".join("x" if unicodedata.category(letter)[0] in "CZ" and letter != " " else letter for letter in value)
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
    record("failures", [failure.operation, list(failure.checks), failure.title, str(failure), answer[:500]])
    return True
