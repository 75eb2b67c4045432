"""The Louver under test: its addresses and keys, and the admin API as far as these tests need it."""

import json
import sys
import time
import urllib.request

# What Louver says; the tests compare whole sentences, since people search for them.
MODEL_NOT_ALLOWED = "The model does not exist or this key may not use it; GET /v1/models lists those it may."
NO_SUCH_MODEL = "There is no such model, or this key may not use it."
BROKE_OFF = "The answer broke off upstream."
LONGEST_WAIT = 61

SMALL = "mistral-small-latest"
LARGE = "mistral-large-latest"
CODE = "codestral-latest"
EMBED = "mistral-embed"
DIMENSIONS = 1024

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}

with open(sys.argv[1], encoding="utf-8") as _file:
    _dev = json.load(_file)

URL = _dev["api_url"]
OPENAI_URL = URL + "/v1"
# All models of the workspace, and 200 requests a minute.
ML_KEY = _dev["workspaces"]["ml-workspace"]["keys"]["ml-team-key"]
# The workspace of the keys that `new_key` makes.
WORKSPACE = _dev["workspaces"]["default"]["uuid"]
# mistral-small and codestral only.
DEV_KEY = _dev["workspaces"]["dev-workspace"]["keys"]["dev-team-key"]


def admin(method, path, body=None):
    """Calls the admin API, which must answer 2xx, and answers its JSON."""
    request = urllib.request.Request(URL + path, method=method, data=body and json.dumps(body).encode())
    request.add_header("Authorization", "Bearer " + _dev["admin_key"])
    request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def new_key(name, **rules):
    """Makes a key in the default workspace, which has no limits, and answers it with its secret in `key`."""
    return admin("POST", "/v1/api-keys", {"name": name, **rules})


def revoke(key):
    """Revokes a key that `new_key` made."""
    admin("DELETE", "/v1/api-keys/" + key["id"])


def steered(**directions):
    """The `metadata` that makes the simulator answer in so many tokens or chunks."""
    return {"simulator": directions}


def rate_limited(limit, wait):
    """What a key over its limit of requests is told."""
    used_up = f"the key's limit of {limit} requests per minute is used up"
    return f"Requests rate limit exceeded: {used_up}. Try again in {wait} s."


def broken_off():
    """The `metadata` that makes the simulator cut its stream off after three events."""
    return steered(fault="reset_after", after=3, chunks=50)


def until(ready, read, seconds):
    """What `read` answers once it is ready, or after so many seconds. Records are written a moment after the answer."""
    end = time.monotonic() + seconds
    while not ready(found := read()) and time.monotonic() < end:
        time.sleep(0.02)
    return found


def usage_of(key, requests):
    """The usage of a key once so many requests are recorded."""

    def mine():
        rows = admin("GET", "/v1/gateway/usage?group_by=key")["data"]
        return [row for row in rows if row["key_id"] == key["id"]]

    return until(lambda rows: sum(row["requests"] for row in rows) >= requests, mine, 5)


def used_key(name, workspace):
    """The key of that name once its last use is known, which may take most of a minute."""
    path = f"/v1/api-keys?name={name}&workspace_id={_dev['workspaces'][workspace]['uuid']}"
    [found] = until(lambda keys: keys[0]["last_used_at"], lambda: admin("GET", path)["data"], 60)
    return found
