"""Servers that secrets are written to: OpenBao and moto for AWS. As a program it starts both, prints one line of JSON that
says where they are, and ends them when its stdin ends."""

import atexit
import json
import logging
import os
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from moto.server import ThreadedMotoServer

ROOT = "root-token-canary"
# moto's server writes down each request.
logging.getLogger("werkzeug").setLevel(logging.ERROR)

POLICY = """
path "secret/data/louver/*" { capabilities = ["create", "read", "update"] }
"""


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


class Bao:
    """An OpenBao in memory; over TLS with a certificate authority of its own, or in clear."""

    def __init__(self, folder, tls):
        self.certificates = folder / "bao" if tls else None
        self.ca = self.context = None
        command = [str(Path(sys.executable).with_name("bao")), "server", "-dev", "-dev-no-store-token"]
        command += [f"-dev-root-token-id={ROOT}"]
        if tls:
            self.certificates.mkdir()
            command += ["-dev-tls", f"-dev-tls-cert-dir={self.certificates}"]
        # Somebody else may take the port before it does.
        for _ in range(5):
            address = f"127.0.0.1:{free_port()}"
            self.url = f"{'https' if tls else 'http'}://{address}"
            environment = {"PATH": os.environ["PATH"], "HOME": str(folder)}
            self.process = subprocess.Popen(
                [*command, f"-dev-listen-address={address}"],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            # A server in memory may go at any time.
            atexit.register(self.process.kill)
            if self._answers():
                return
        raise AssertionError("bao does not start")

    def _answers(self):
        end = time.monotonic() + 30
        while self.process.poll() is None and time.monotonic() < end:
            try:
                if self.certificates:
                    self.ca = next(self.certificates.glob("*ca.pem")).read_text()
                    self.context = ssl.create_default_context(cadata=self.ca)
                self.call("GET", "sys/mounts")
                return True
            except (StopIteration, OSError, ssl.SSLError):
                time.sleep(0.05)
        self.process.kill()
        return False

    def call(self, method, path, body=None):
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(f"{self.url}/v1/{path}", method=method, data=data)
        request.add_header("X-Vault-Token", ROOT)
        with urllib.request.urlopen(request, timeout=10, context=self.context) as answer:
            return json.loads(answer.read() or b"null")

    def role(self, uses):
        """A role that may do no more than documented; its tokens are good for so many requests."""
        self.call("PUT", "sys/policies/acl/louver", {"policy": POLICY})
        role = {"token_policies": "louver", "token_num_uses": uses, "token_ttl": "5m"}
        self.call("POST", "auth/approle/role/louver", role)
        role_id = self.call("GET", "auth/approle/role/louver/role-id")["data"]["role_id"]
        secret_id = self.call("POST", "auth/approle/role/louver/secret-id", {})["data"]["secret_id"]
        return {"role_id": role_id, "secret_id": secret_id}


def start_moto():
    """moto's AWS on a thread of this process, and its address."""
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    return moto, f"http://{host}:{port}"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        bao = Bao(Path(folder), tls=False)
        moto, moto_url = start_moto()
        said = {"openbao_url": bao.url, "openbao_token": ROOT, "moto_url": moto_url}
        print(json.dumps(said), flush=True)
        sys.stdin.read()
        bao.process.kill()
        bao.process.wait()
        moto.stop()
