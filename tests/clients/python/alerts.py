"""Alerts reach others' receivers: a mail server with STARTTLS and a login, and webhooks that the library of Standard
Webhooks verifies. Runs a `louver serve` of its own, since mail and allowed receivers are settings."""

import asyncio
import http.server
import json
import logging
import os
import re
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from email import message_from_bytes, policy
from pathlib import Path

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session
from checks import Checks, equal, holds
from standardwebhooks import Webhook, WebhookVerificationError

LOUVER = sys.argv[1]
USER, PASSWORD = "louver-user", "mail-password-canary"
checks = Checks("alerts")
# The mail server writes down each refused handshake, which is what one check wants.
logging.disable(logging.CRITICAL)


class MailServer:
    """Takes mail from who has logged in over TLS; refuses the first mail to `later@…` for now."""

    def __init__(self, context):
        self.mails = []
        self.postponed = 0
        self.context = context
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        server = asyncio.run_coroutine_threadsafe(self._listen(), self.loop).result(10)
        self.port = server.sockets[0].getsockname()[1]

    async def _listen(self):
        def protocol():
            return SMTP(
                self,
                hostname="localhost",
                tls_context=self.context,
                require_starttls=True,
                auth_required=True,
                authenticator=self._login,
                loop=self.loop,
            )

        return await self.loop.create_server(protocol, "127.0.0.1", 0)

    @staticmethod
    def _login(_server, _session, _envelope, _mechanism, data):
        return AuthResult(success=(data.login, data.password) == (USER.encode(), PASSWORD.encode()))

    async def handle_DATA(self, _server, session: Session, envelope: Envelope):
        if "later@example.org" in envelope.rcpt_tos and not self.postponed:
            self.postponed += 1
            return "451 4.3.0 later-canary"
        self.mails.append((session, envelope))
        return "250 OK"

    def to(self, address):
        return [mail for mail in self.mails if address in mail[1].rcpt_tos]


class Receiver:
    """Takes webhooks over TLS."""

    def __init__(self, context):
        heard = self.heard = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                heard.append((self.path, dict(self.headers), body))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        self.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()

    def on(self, path):
        return [message for message in self.heard if message[0] == path]


class Louver:
    """A `louver serve` with its settings in a folder."""

    def __init__(self, folder, trusted):
        environment = {"PATH": os.environ["PATH"], "HOME": str(folder)}
        if trusted:
            environment["SSL_CERT_FILE"] = str(folder / "tls.crt")
        self.environment = environment
        self.config = str(folder / "louver.toml")
        self.log = ""

    def init(self):
        command = [LOUVER, "init", "--config", self.config]
        said = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=True, timeout=60)
        return re.search(r"lva_\w+", said.stdout)[0]

    def start(self):
        command = [LOUVER, "serve", "--config", self.config]
        self.process = subprocess.Popen(command, env=self.environment, stderr=subprocess.PIPE, text=True)
        while "louver serves" not in self.log:
            line = self.process.stderr.readline()
            holds(line, f"louver ended: {self.log}")
            self.log += line
        port = re.search(r"address=\S*127\.0\.0\.1:(\d+)", re.sub(r"\x1b\[[0-9;]*m", "", self.log))[1]
        self.url = f"http://127.0.0.1:{port}"
        return self

    def stop(self):
        self.process.terminate()
        self.log += self.process.communicate(timeout=60)[1]
        equal(self.process.returncode, 0, f"end of louver: {self.log}")


def admin(method, path, body=None):
    """Calls the admin API, which must answer 2xx, and answers its JSON."""
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(house.louver.url + path, method=method, data=data)
    request.add_header("Authorization", "Bearer " + house.key)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def channel(**fields):
    """Makes a channel and answers it."""
    return admin("POST", "/v1/gateway/alert-channels", fields)


def tested(made, state="delivered", seconds=30):
    """Sends a test to a channel and answers its delivery once it is in that state."""
    alert = admin("POST", f"/v1/gateway/alert-channels/{made['id']}/test")
    return delivery(alert, lambda found: found["state"] == state, seconds)


def delivery(alert, ready, seconds):
    """The one delivery of an alert once it is ready; fails when that takes longer."""
    end = time.monotonic() + seconds
    while True:
        alerts = admin("GET", "/v1/gateway/alerts")["data"]
        [found] = [shown for shown in alerts if shown["id"] == alert["id"]]
        [shown] = found["deliveries"]
        if ready(shown):
            return shown
        holds(time.monotonic() < end, f"not in time: {shown}")
        time.sleep(0.02)


class House:
    """Everything together, in a folder that goes when the process does."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory()
        folder = Path(self.folder.name)
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
            + ["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
            + ["-addext", "basicConstraints=critical,CA:FALSE"]
            + ["-keyout", str(folder / "tls.key"), "-out", str(folder / "tls.crt")],
            check=True,
            capture_output=True,
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "tls.crt", folder / "tls.key")
        self.mail, self.hooks = MailServer(context), Receiver(context)
        password = folder / "smtp.password"
        password.touch(mode=0o600)
        password.write_text(PASSWORD + "\n")
        (folder / "louver.toml").write_text(f"""
listen = "127.0.0.1:0"
database_url = "sqlite:{folder}/louver.db"
master_key_file = "{folder}/master.key"
log = "info"
webhook_allowed_targets = ["localhost:{self.hooks.port}"]
[smtp]
host = "localhost"
port = {self.mail.port}
tls = "starttls"
username = "{USER}"
password_file = "{password}"
from = "Louver <louver@example.com>"
""")
        self.louver = Louver(folder, trusted=True)
        self.key = self.louver.init()
        self.louver.start()

    def hook(self, path):
        return f"https://localhost:{self.hooks.port}{path}"


@checks.check("a webhook arrives once, and the standard's own library verifies it")
def webhook():
    made = channel(name="hook", kind="webhook", url=house.hook("/signed?token=token-canary"))
    holds("token-canary" not in json.dumps(made) and made["secret"].startswith("whsec_"), f"made: {made}")
    equal(tested(made)["attempts"], 1, "attempts")
    [(_, headers, body)] = house.hooks.on("/signed?token=token-canary")
    headers = {name.lower(): value for name, value in headers.items()}
    Webhook(made["secret"]).verify(body, headers)
    content = json.loads(body)
    equal((content["type"], content["data"]["name"]), ("alert_channel.test", "hook"), "content")
    for changed in [body.replace(b"hook", b"look"), body + b" "]:
        try:
            Webhook(made["secret"]).verify(changed, headers)
        except WebhookVerificationError:
            continue
        raise AssertionError("a changed body is verified")
    shown = json.dumps([admin("GET", "/v1/gateway/alert-channels"), admin("GET", "/v1/gateway/alerts")])
    holds(made["secret"] not in shown and "token-canary" not in shown, f"shown again: {shown}")


@checks.check("a secret of one's own signs")
def own_secret():
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    made = channel(name="own", kind="webhook", url=house.hook("/own"), secret=secret)
    holds("secret" not in made, f"made: {made}")
    tested(made)
    [(_, headers, body)] = house.hooks.on("/own")
    Webhook(secret).verify(body, {name.lower(): value for name, value in headers.items()})


@checks.check("Slack gets its text")
def slack():
    tested(channel(name="chat", kind="slack", url=house.hook("/services/T0/B0/slack-canary")))
    [(_, _, body)] = house.hooks.on("/services/T0/B0/slack-canary")
    equal(list(json.loads(body)), ["text"], "fields")
    holds("test of the alert channel chat" in json.loads(body)["text"], f"text: {body}")


@checks.check("one mail arrives for all addresses, over STARTTLS and after a login")
def mail():
    equal(tested(channel(name="mäil", kind="email", to=["ann@example.org", "bob@example.org"]))["attempts"], 1, "attempts")
    [(session, envelope)] = house.mail.to("ann@example.org")
    equal(envelope.rcpt_tos, ["ann@example.org", "bob@example.org"], "recipients")
    equal((envelope.mail_from, session.authenticated), ("louver@example.com", True), "sender and login")
    holds(session.ssl is not None, "no TLS")
    message = message_from_bytes(envelope.content, policy=policy.default)
    equal(message["subject"], "[Louver] test of the alert channel mäil", "subject")
    equal(message["auto-submitted"], "auto-generated", "auto-submitted")
    equal(message.get_content_type(), "text/plain", "type")
    equal(message.get_content().strip(), "This is a test: the alert channel mäil works.", "text")


@checks.check("a mail that the server wants later is sent later")
def later():
    made = channel(name="later", kind="email", to=["later@example.org"])
    shown = tested(made)
    equal((shown["attempts"], shown["last_error"]), (2, None), "attempts and error")
    equal((house.mail.postponed, len(house.mail.to("later@example.org"))), (1, 1), "refused and taken")


@checks.check("an address inside is refused, whatever it is called")
def inside():
    for url in ["https://127.0.0.1/", "http://localhost/", "https://localhost:1/", "https://[::1]/", "file:///etc/passwd"]:
        try:
            channel(name="inside", kind="slack", url=url)
        except urllib.error.HTTPError as error:
            equal(error.code, 422, url)
        else:
            raise AssertionError(f"{url} is taken")
    shown = tested(channel(name="inside", kind="slack", url="https://localhost/"), "pending")
    while shown["last_error"] is None:
        shown = admin("GET", "/v1/gateway/alerts")["data"][0]["deliveries"][0]
    equal(shown["last_error"], "the receiver could not be reached", "error")


@checks.check("who is not trusted gets neither mail nor message")
def untrusted():
    house.louver.stop()
    known, house.louver = house.louver, Louver(Path(house.folder.name), trusted=False).start()
    before = (len(house.mail.mails), len(house.hooks.heard))
    channels = {made["name"]: made for made in admin("GET", "/v1/gateway/alert-channels")["data"]}
    for name, error in [("mäil", "the mail server did not take it"), ("chat", "the receiver could not be reached")]:
        alert = admin("POST", f"/v1/gateway/alert-channels/{channels[name]['id']}/test")
        shown = delivery(alert, lambda found: found["last_error"], 30)
        equal((shown["state"], shown["last_error"]), ("pending", error), name)
    equal((len(house.mail.mails), len(house.hooks.heard)), before, "mails and messages")
    house.louver.stop()
    for log in [known.log, house.louver.log]:
        holds(not re.search("canary|whsec_|example.org", log), f"the log holds what it must not: {log}")


@checks.check("everything arrived once")
def once():
    equal((len(house.mail.mails), len(house.hooks.heard)), (2, 3), "mails and messages")


house = House()
checks.run()
