"""A `louver dev` in front of the upstream of this test, with the keys that the requests carry."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
import urllib.request

from endpoints import CLASSIFIER, JUDGE

CREDENTIAL = "upstream-credential-canary"
MODELS = [
    "mistral-small-latest", "codestral-latest", "mistral-embed", JUDGE, "mistral-ocr-latest", "voxtral-mini-tts-latest",
    CLASSIFIER,
]  # fmt: skip
MODERATION = "mistral-moderation-2603"
# The most tokens that a call of the bounded key may use, answers times length included.
MOST_TOKENS = 2_000


class Louver:
    """The program, its admin API, and two keys: one without limits, and one whose role bounds each call."""

    def __init__(self, program: str, upstream: str):
        self.folder = tempfile.TemporaryDirectory()
        command = [program, "dev", "--listen", "127.0.0.1:0", "--data-dir", self.folder.name + "/data", "--json"]
        environment = {"PATH": os.environ["PATH"], "HOME": self.folder.name, "LOUVER_LOG": "error"}
        environment |= {"LOUVER_UPSTREAM_URL": upstream, "LOUVER_UPSTREAM_KEY": CREDENTIAL}
        # Its log goes where this test's does.
        self.process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        try:
            self._set_up()
        except BaseException:
            self.stop()
            raise

    def _set_up(self):
        started = json.loads(self.process.stdout.readline())
        self.url, self._admin_key = started["api_url"], started["admin_key"]
        self.host = self.url.removeprefix("http://")
        self._add_classifier()
        self.admin("POST", "/v1/gateway/roles", {
            "name": "bounded", "allowed_models": [*MODELS, MODERATION], "max_tokens_per_request": MOST_TOKENS,
        })  # fmt: skip
        self.keys = [self._key(allowed_models=MODELS), self._key(role="bounded")]
        catalogue = self.admin("GET", "/v1/gateway/models")["data"]
        # Each name of a model, and the id that upstream is to be told.
        self.canonical = {name: model["id"] for model in catalogue for name in [model["id"], *model["aliases"]]}
        self.allowed = [self._models_of(key["key"]) for key in self.keys]

    def _add_classifier(self):
        catalogue = self.admin("GET", "/v1/gateway/models")["data"]
        judge = next(model for model in catalogue if model["id"] == JUDGE)
        served = {"endpoints": ["classifications", "chat.classifications"], "name": "Classifier", "family": CLASSIFIER}
        self.admin("PUT", "/v1/gateway/models", {"models": [*catalogue, {**judge, **served, "id": CLASSIFIER, "aliases": []}]})

    def _key(self, **rules) -> dict:
        return self.admin("POST", "/v1/api-keys", {"name": f"differential {rules}"[:60], **rules})

    def _models_of(self, secret: str) -> set[str]:
        return {model["id"] for model in self._get("/v1/models", secret)["data"]}

    def _get(self, path: str, secret: str):
        request = urllib.request.Request(self.url + path, headers={"Authorization": "Bearer " + secret})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def admin(self, method: str, path: str, body=None):
        """Calls the admin API, which must answer 2xx, and answers its JSON."""
        headers = {"Authorization": "Bearer " + self._admin_key, "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, method=method, data=data, headers=headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def usage(self, wanted: dict) -> dict:
        """Requests and tokens by key and model, once as many are recorded as are wanted, or after five seconds."""
        end = time.monotonic() + 5
        while True:
            rows = self.admin("GET", "/v1/gateway/usage?group_by=key,model")["data"]
            found: dict = {}
            for row in rows:
                # An hour or a day may turn while the test runs: rows of two periods are one here.
                place = row["key_id"], row["model"]
                counts = row["requests"], row["input_tokens"], row["output_tokens"]
                found[place] = tuple(map(sum, zip(found.get(place, (0, 0, 0)), counts, strict=True)))
            if time.monotonic() > end or sum(row[0] for row in found.values()) >= sum(row[0] for row in wanted.values()):
                return found
            time.sleep(0.05)

    def stop(self) -> int:
        """Asks it to stop, and answers what it ended with."""
        self.process.terminate()
        ended = self.process.wait(60)
        self.folder.cleanup()
        return ended
