"""Destinations of secrets against the servers themselves: OpenBao over TLS, by token and by AppRole with no more rights
than it needs, and AWS's API as moto has it. Runs a `louver serve` of its own, since what destinations may do is settings."""

import atexit
import json
import os
import re
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

import boto3
from checks import Checks, equal, holds
from secret_servers import ROOT, Bao, start_moto

LOUVER = sys.argv[1]
checks = Checks("secret destinations")

class Louver:
    """A `louver serve` in a folder."""

    def __init__(self, folder, settings):
        config = folder / "louver.toml"
        config.write_text(f"""
listen = "127.0.0.1:0"
database_url = "sqlite:{folder}/louver.db"
master_key_file = "{folder}/master.key"
log = "info"
{settings}
""")
        environment = {"PATH": os.environ["PATH"], "HOME": str(folder)}
        command = [LOUVER, "init", "--config", str(config)]
        said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60)
        self.key = re.search(r"lva_\w+", said.stdout)[0]
        command = [LOUVER, "serve", "--config", str(config)]
        self.process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
        atexit.register(self.process.kill)
        self.log = ""
        while "louver serves" not in self.log:
            line = self.process.stderr.readline()
            holds(line, f"louver ended: {self.log}")
            self.log += line
        port = re.search(r"address=\S*127\.0\.0\.1:(\d+)", re.sub(r"\x1b\[[0-9;]*m", "", self.log))[1]
        self.url = f"http://127.0.0.1:{port}"

    def call(self, method, path, body=None):
        """Calls the admin API, which must answer 2xx, and answers its JSON."""
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(f"{self.url}/v1/gateway/{path}", method=method, data=data)
        request.add_header("Authorization", "Bearer " + self.key)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def stop(self):
        self.process.terminate()
        self.log += self.process.communicate(timeout=60)[1]
        equal(self.process.returncode, 0, f"end of louver: {self.log}")


class House:
    """Everything together, in a folder that goes when the process does."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory()
        folder = self.path = Path(self.folder.name)
        (folder / "keys").mkdir()
        self.bao = Bao(folder, tls=True)
        self.bao.call("POST", "sys/auth/approle", {"type": "approle"})
        self.moto, self.aws_url = start_moto()
        self.aws = boto3.client(
            "secretsmanager",
            endpoint_url=self.aws_url,
            region_name="eu-west-1",
            aws_access_key_id="AKIDCANARY",
            aws_secret_access_key="aws-canary",
        )
        targets = [self.bao.url.removeprefix("https://"), self.aws_url.removeprefix("http://")]
        self.louver = Louver(
            folder,
            f"""
destination_allowed_targets = {json.dumps(targets)}
destination_folders = ["{folder}/keys"]
[destination_commands]
keep = ["/bin/sh", "-c", 'cat > "$0"', "{folder}/given"]
""",
        )

    def stop(self):
        self.louver.stop()
        self.moto.stop()
        self.bao.process.terminate()
        self.bao.process.wait(30)


def tested(name, kind, settings, credentials, outcomes):
    """Makes a destination, presses its button, and answers what that said."""
    body = {"name": name, "kind": kind, "settings": settings, "credentials": credentials}
    made = house.louver.call("POST", "secret-destinations", body)
    said = house.louver.call("POST", f"secret-destinations/{made['id']}/test")
    equal([step["outcome"] for step in said["steps"]], outcomes, f"steps of {said}")
    return said


def bao(**settings):
    return {"address": house.bao.url, "ca_certificate": house.bao.ca, **settings}


def aws(**settings):
    return {"region": "eu-west-1", "endpoint": house.aws_url, **settings}


KEYS = {"access_key_id": "AKIDCANARY", "secret_access_key": "aws-canary", "session_token": "session-canary"}


@checks.check("OpenBao takes a probe by token, gives it back and forgets it")
def token():
    said = tested("token", "vault", bao(location="by-token/{id}"), {"token": ROOT}, ["done"] * 3)
    holds(said["works"], said)
    try:
        house.bao.call("GET", f"secret/metadata/{said['location']}")
    except urllib.error.HTTPError as error:
        equal(error.code, 404, "the probe")
    else:
        raise AssertionError("the probe is still there")


@checks.check("OpenBao takes it by AppRole with no more rights than documented, beside the fields of others")
def approle():
    there = {"data": {"theirs": "stays", "api_key": "old"}}
    house.bao.call("POST", "secret/data/louver/probe/probe-louver-probe", there)
    settings = bao(location="louver/{workspace}/{key}")
    said = tested("role", "vault", settings, house.bao.role(0), ["done", "done", "failed"])
    equal((said["works"], said["location"]), (True, "louver/probe/probe-louver-probe"), "test")
    found = house.bao.call("GET", f"secret/data/{said['location']}")["data"]
    equal(found["metadata"]["version"], 2, "version")
    equal(found["data"]["theirs"], "stays", "the field of others")
    holds(found["data"]["api_key"].startswith("louver-probe-"), found)
    equal(sorted(found["data"]), ["api_key", "louver_key_id", "louver_rotation_id", "theirs"], "fields")


@checks.check("tokens of a role that are good for one request are asked for anew")
def used_up():
    settings = bao(location="louver/once/{id}")
    holds(tested("once", "vault", settings, house.bao.role(1), ["done", "done", "failed"])["works"], "works")


@checks.check("what OpenBao refuses is told without what it said")
def refused():
    settings = bao(location="elsewhere/{id}")
    said = tested("denied", "vault", settings, house.bao.role(0), ["failed", "skipped", "skipped"])
    holds(not said["works"] and "403" in said["steps"][0]["reason"], said)
    wrong = {"role_id": "canary-role", "secret_id": "canary-secret-id"}
    said = tested("unknown", "vault", settings, wrong, ["failed", "skipped", "skipped"])
    holds("403" in said["steps"][0]["reason"] and said["steps"][0]["retryable"] is False, said)
    untrusted = {"address": house.bao.url, "location": "x/{id}"}
    said = tested("untrusted", "vault", untrusted, {"token": ROOT}, ["failed", "skipped", "skipped"])
    holds("certificate" in said["steps"][0]["reason"], said)


@checks.check("AWS makes a secret, and it is gone after")
def aws_new():
    said = tested("aws", "aws", aws(location="louver/{workspace}/{id}"), KEYS, ["done"] * 3)
    names = [secret["Name"] for secret in house.aws.list_secrets()["SecretList"]]
    holds(said["location"] not in names, names)


@checks.check("AWS moves its stages from one version to the next, and other members stay")
def aws_stages():
    name = "louver/staged/probe-louver-probe"
    house.aws.create_secret(Name=name, SecretString=json.dumps({"theirs": "stays", "api_key": "old"}))
    # Whatever is done to it is written down: the probe itself is gone in the end.
    MOTO_HEARD.clear()
    settings = aws(location="louver/staged/{key}", field="api_key")
    holds(tested("staged", "aws", settings, KEYS, ["done"] * 3)["works"], "works")
    deeds = list(MOTO_HEARD)
    equal(
        [target.removeprefix("secretsmanager.") for target, _ in deeds],
        ["GetSecretValue", "PutSecretValue", "UpdateSecretVersionStage", "GetSecretValue", "DeleteSecret"],
        "deeds",
    )
    put, moved = json.loads(deeds[1][1]), json.loads(deeds[2][1])
    equal(put["VersionStages"], ["AWSPENDING"], "stage")
    equal(json.loads(put["SecretString"])["theirs"], "stays", "the member of others")
    equal((moved["VersionStage"], moved["MoveToVersionId"]), ("AWSCURRENT", put["ClientRequestToken"]), "move")


@checks.check("a file is written in its folder, and a command is given the probe")
def local():
    location = f"{house.path}/keys/{{workspace}}/{{id}}"
    holds(tested("file", "file", {"location": location}, {}, ["done"] * 3)["works"], "file")
    said = tested("command", "command", {"command": "keep"}, {}, ["done", "skipped", "skipped"])
    holds(said["works"], said)
    holds((house.path / "given").read_text().startswith("louver-probe-"), "what the command was given")


@checks.check("nothing of it is in the log, the answers or the database")
def silent():
    shown = json.dumps(house.louver.call("GET", "secret-destinations"))
    house.stop()
    database = b"".join(path.read_bytes() for path in house.path.glob("louver.db*") if path.is_file())
    for canary in [ROOT, "aws-canary", "session-canary", "canary-secret-id", "louver-probe-0"]:
        holds(canary not in shown and canary not in house.louver.log, f"{canary} is shown")
        holds(canary.encode() not in database, f"{canary} is stored")


MOTO_HEARD = []


def listen_in():
    """Has moto write down what it is asked."""
    from moto.secretsmanager.responses import SecretsManagerResponse

    dispatch = SecretsManagerResponse.call_action

    def listening(self):
        MOTO_HEARD.append((self.headers.get("X-Amz-Target", ""), self.body))
        return dispatch(self)

    SecretsManagerResponse.call_action = listening


listen_in()
house = House()
checks.run()
