#!/usr/bin/env python3
"""Measures how long pages of listings and searches take over a large organization, on SQLite and PostgreSQL.

Seeds a database that `louver init` made (listing_seed.py), starts `louver serve` on it and asks for pages over HTTP, one
after the other on one kept-alive connection. README.md beside this file explains the table. Any answer that is not 200,
or that is not what was asked for, ends the run with an error.
"""

import argparse
import http.client
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

import listing_seed as seed

TARGET_MILLIS = 20.0
SIZES = {
    "keys": 100_000,
    "users": 10_000,
    "workspaces": 500,
    "groups": 200,
    "invitations": 500,
    "events": 1_000_000,
}


class Louver:
    """A `louver serve` over one database."""

    def __init__(self, program, folder, database):
        self.program, self.folder = program, folder
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "LOUVER_LISTEN": "127.0.0.1:0",
            "LOUVER_DATABASE_URL": database,
            "LOUVER_MASTER_KEY_FILE": str(folder / "master.key"),
            "LOUVER_JOURNAL_DIR": str(folder / "journal"),
            "LOUVER_UPSTREAM_URL": "http://127.0.0.1:9",
            "LOUVER_UPSTREAM_KEY": "none",
        }

    def init(self):
        """Makes the organization and answers its admin key."""
        return self.admin_key("init")

    def admin_key(self, *command):
        """The admin key that a command shows."""
        command = [self.program, *command]
        said = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        if said.returncode:
            raise SystemExit(f"{' '.join(command)} failed: {said.stderr}")
        return re.search(r"lva_\w+", said.stdout)[0]

    def verify(self):
        """Ends the run when the seeded audit log is not one chain."""
        command = [self.program, "audit", "verify"]
        said = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        if said.returncode:
            raise SystemExit(f"the seeded audit log is no chain: {said.stdout} {said.stderr}")

    def __enter__(self):
        command = [self.program, "serve"]
        started = time.monotonic()
        self.process = subprocess.Popen(command, env=self.environment, stderr=subprocess.PIPE, text=True)
        said = []
        for line in self.process.stderr:
            said.append(line)
            if address := re.search(r"louver serves.*?(127\.0\.0\.1:\d+)", line):
                print(f"  serves after {time.monotonic() - started:.1f} s", file=sys.stderr)
                threading.Thread(target=self.process.stderr.read, daemon=True).start()
                self.address = address[1]
                return self
        raise SystemExit("louver serve ended: " + "".join(said[-20:]))

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


class Pages:
    """Asks for pages and times each answer. `keys` are admin keys: nobody's own, and those of people."""

    def __init__(self, address, keys, organization):
        self.connection = http.client.HTTPConnection(address, timeout=60)
        self.keys, self.org, self.dice = keys, organization, random.Random(11)

    def get(self, path, key="organization", **query):
        """Milliseconds from the request to the last byte of its answer, and the answer."""
        target = path + ("?" + urlencode(query, doseq=True, quote_via=quote) if query else "")
        started = time.perf_counter()
        self.connection.request("GET", target, headers={"x-api-key": self.keys[key]})
        answer = self.connection.getresponse()
        body = answer.read()
        millis = (time.perf_counter() - started) * 1000
        if answer.status != 200:
            raise SystemExit(f"GET {target}: {answer.status} {body[:500].decode(errors='replace')}")
        return millis, json.loads(body)

    def workspace(self):
        """Some workspace."""
        return str(uuid.UUID(bytes=self.dice.choice(self.org.workspaces)))

    def key(self):
        """The number of some key that is not revoked: the seeds revoke each twentieth."""
        return self.dice.randrange(len(self.org.keys)) // 20 * 20 + 1


def expect(truth, what):
    if not truth:
        raise SystemExit(f"a wrong page: {what}")


def full(rows, wanted, what):
    expect(len(rows) == wanted, f"{what} has {len(rows)} rows, wanted {wanted}")


# Each kind of page: its name, and a function that asks for one (with other words each time), checks it and answers its
# milliseconds.


def short_first(pages):
    millis, page = pages.get("/v1/api-keys", limit=100)
    full(page["data"], 100, "the first page of keys")
    return millis


def short_after(pages):
    after = "key_" + pages.org.keys[pages.key()].hex()
    millis, page = pages.get("/v1/api-keys", limit=100, after=after)
    expect(after not in [key["id"] for key in page["data"]], f"{after} comes after itself")
    return millis


def short_unused(pages):
    millis, page = pages.get("/v1/api-keys", limit=100, unused_days=30)
    full(page["data"], 100, "keys unused for 30 days")
    return millis


def short_workspace(pages):
    workspace = pages.workspace()
    millis, page = pages.get("/v1/api-keys", limit=100, workspace_id=workspace)
    ours = "ws_" + workspace.replace("-", "")
    expect(page["data"] and all(key["workspace_id"] == ours for key in page["data"]), "keys of a workspace")
    return millis


def short_name(pages):
    name = seed.key_name(pages.key())
    millis, page = pages.get("/v1/api-keys", limit=100, name=name)
    expect([key["name"] for key in page["data"]] == [name], f"keys named {name!r}")
    return millis


def short_expired(pages):
    millis, page = pages.get("/v1/api-keys", limit=100, status="expired")
    expect(page["data"] and all(key["status"] == "expired" for key in page["data"]), "expired keys")
    return millis


def short_expired_after(pages):
    """Near the end there are none: everything behind is looked through."""
    after = "key_" + max(pages.org.keys[: len(pages.org.keys) // 2]).hex()
    millis, page = pages.get("/v1/api-keys", limit=100, status="expired", after=after)
    expect(len(page["data"]) < 2, "expired keys at the end")
    return millis


def short_disabled(pages):
    millis, page = pages.get("/v1/api-keys", limit=100, status="disabled")
    full(page["data"], 0, "disabled keys")
    return millis


def short_revoked(pages):
    millis, page = pages.get("/v1/api-keys", limit=100, status="revoked")
    full(page["data"], 100, "revoked keys")
    return millis


def short_unused_none(pages):
    millis, page = pages.get("/v1/api-keys", limit=100, unused_days=400)
    full(page["data"], 0, "keys unused for 400 days")
    return millis


def short_unused_expired_none(pages):
    millis, page = pages.get("/v1/api-keys", limit=100, unused_days=400, status="expired")
    full(page["data"], 0, "expired keys unused for 400 days")
    return millis


def short_person(pages):
    millis, page = pages.get("/v1/api-keys", key="admin", limit=100)
    full(page["data"], 100, "the first page of keys")
    return millis


def short_person_workspace(pages):
    workspace = str(uuid.UUID(bytes=pages.org.workspaces[0]))
    millis, page = pages.get("/v1/api-keys", key="lead", limit=100, workspace_id=workspace)
    expect(page["data"], "keys of a workspace")
    return millis


def keys_first(pages):
    millis, page = pages.get("/v1/admin/api-keys")
    full(page["keys"], 100, "the first page of keys")
    return millis


def keys_offset(pages):
    offset = pages.dice.randrange(len(pages.org.keys) * 9 // 10)
    millis, page = pages.get("/v1/admin/api-keys", limit=100, offset=offset)
    full(page["keys"], 100, f"keys at offset {offset}")
    return millis


def keys_last_four(pages):
    last = pages.org.last_four[pages.key()]
    millis, page = pages.get("/v1/admin/api-keys", name=last)
    expect(any(key["hidden_key"].endswith(last) for key in page["keys"]), f"keys that end with {last}")
    return millis


def keys_accent(pages):
    # Each seventh name has an accent; 21 keeps clear of the revoked ones.
    number = pages.key() // 140 * 140 + 21
    wanted = seed.key_name(number)
    millis, page = pages.get("/v1/admin/api-keys", name=seed.folded(wanted).upper())
    expect([key["name"] for key in page["keys"]] == [wanted], f"keys like {wanted}")
    return millis


def keys_many(pages):
    millis, page = pages.get("/v1/admin/api-keys", name="backend")
    full(page["keys"], 100, "keys of backend")
    return millis


def keys_percent(pages):
    millis, page = pages.get("/v1/admin/api-keys", name="00%")
    expect(page["keys"] and all("00%" in key["name"] for key in page["keys"]), "keys with a percent sign")
    return millis


def keys_none(pages):
    millis, page = pages.get("/v1/admin/api-keys", name=f"no such key {pages.key()}")
    full(page["keys"], 0, "keys that are not there")
    return millis


def keys_none_short(pages):
    """Of four letters, so that the ends of secrets are looked at, too."""
    millis, page = pages.get("/v1/admin/api-keys", name="l!l!")
    full(page["keys"], 0, "keys that are not there")
    return millis


def users_first(pages):
    millis, page = pages.get("/v1/admin/users")
    full(page["members"], 25, "the first page of users")
    return millis


def users_page(pages):
    last = len(pages.org.users) // 100
    millis, page = pages.get("/v1/admin/users", page=pages.dice.randrange(1, last + 1), page_size=100)
    full(page["members"], 100, "a page of users")
    expect(page["total"] >= len(pages.org.users), f"total of users: {page['total']}")
    return millis


def users_email(pages):
    email = seed.email(pages.dice.randrange(len(pages.org.users)))
    millis, page = pages.get("/v1/admin/users", email=email)
    expect([member["email"] for member in page["members"]] == [email], f"users with {email}")
    return millis


def users_none(pages):
    millis, page = pages.get("/v1/admin/users", email="nobody%")
    full(page["members"], 0, "users that are not there")
    return millis


def users_largest(pages):
    millis, page = pages.get("/v1/admin/users", page_size=10**9)
    full(page["members"], min(1000, len(pages.org.users)), "the largest page of users")
    return millis


def users_invited(pages):
    last = (len(pages.org.users) + pages.org.sizes["invitations"]) // 100
    millis, page = pages.get("/v1/admin/users", page=last, page_size=100)
    expect(page["invites"], "users who are invited")
    return millis


def invites(pages):
    millis, page = pages.get("/v1/admin/users-invite")
    full(page, pages.org.sizes["invitations"], "invitations")
    return millis


def invitations(pages):
    millis, page = pages.get("/v1/gateway/invitations", limit=100)
    full(page["data"], min(100, pages.org.sizes["invitations"]), "invitations")
    return millis


def gateway_users(pages):
    after = str(uuid.UUID(bytes=pages.dice.choice(pages.org.users[: len(pages.org.users) // 2])))
    millis, page = pages.get("/v1/gateway/users", limit=100, after=after)
    full(page["data"], 100, "users after one")
    return millis


def gateway_workspaces(pages):
    return pages.get("/v1/gateway/workspaces", limit=100)[0]


def gateway_workspaces_lead(pages):
    millis, page = pages.get("/v1/gateway/workspaces", key="lead", limit=100)
    expect(page["data"], "workspaces that somebody leads")
    return millis


def members_first(pages):
    millis, page = pages.get(f"/v1/gateway/workspaces/{pages.workspace()}/members", limit=100)
    expect(page["data"], "members of a workspace")
    return millis


def members_everybody(pages):
    """Of a workspace that everybody is in through a group, after somebody."""
    workspace = uuid.UUID(bytes=pages.org.workspaces[0])
    after = str(uuid.UUID(bytes=pages.dice.choice(sorted(pages.org.users)[: len(pages.org.users) // 2])))
    millis, page = pages.get(f"/v1/gateway/workspaces/{workspace}/members", limit=100, after=after)
    full(page["data"], 100, "members of the workspace of everybody")
    return millis


def groups_first(pages):
    return pages.get("/v1/admin/user-groups", page_size=100)[0]


def groups_search(pages):
    millis, page = pages.get("/v1/admin/user-groups", search="50%")
    expect(page["items"] and all("50%" in item["name"] for item in page["items"]), "groups with a percent sign")
    return millis


def group_members(pages):
    group, last = uuid.UUID(bytes=pages.org.groups[0]), len(pages.org.users) // 100
    path = f"/v1/admin/user-groups/{group}/members"
    millis, page = pages.get(path, page=pages.dice.randrange(1, last + 1), page_size=100)
    full(page["members"], 100, "members of the largest group")
    return millis


def group_workspaces(pages):
    group = uuid.UUID(bytes=pages.dice.choice(pages.org.groups))
    millis, page = pages.get(f"/v1/admin/user-groups/{group}/workspaces", page_size=100)
    expect(page["items"], "workspaces of a group")
    return millis


def workspaces_largest(pages):
    millis, page = pages.get("/v1/admin/workspaces", page_size=10**9)
    full(page["items"], len(pages.org.workspaces) + 1, "all workspaces")
    return millis


def workspaces_lead(pages):
    millis, page = pages.get("/v1/admin/workspaces", key="lead", page_size=100)
    expect(page["items"], "workspaces that somebody leads")
    return millis


def workspaces_page(pages):
    last = max(1, len(pages.org.workspaces) // 25)
    millis, page = pages.get("/v1/admin/workspaces", page=pages.dice.randrange(1, last + 1))
    expect(page["items"], "a page of workspaces")
    return millis


def workspaces_search(pages):
    millis, page = pages.get("/v1/admin/workspaces", search="donnees", page_size=100)
    expect(page["items"] and all("données" in item["name"] for item in page["items"]), "workspaces like données")
    return millis


def workspaces_percent(pages):
    millis, page = pages.get("/v1/admin/workspaces", search="%")
    expect(page["items"] and all("%" in item["name"] for item in page["items"]), "workspaces with a percent sign")
    return millis


def events(pages, wanted, **query):
    millis, page = pages.get("/v1/admin/audit-logs", **query)
    full(page, wanted, f"events with {query}")
    return millis, page


def moment(pages):
    """Some moment of the middle of the year that the events fill, as RFC 3339."""
    at = pages.org.now - seed.YEAR // 10 - pages.dice.randrange(seed.YEAR * 8 // 10)
    return datetime.fromtimestamp(at / seed.MICROS, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def events_newest(pages):
    return events(pages, 20)[0]


def events_hundred(pages):
    return events(pages, 100, limit=100, sort="ascending")[0]


def events_after(pages):
    after = moment(pages)
    millis, page = events(pages, 100, limit=100, sort="ascending", after=after)
    expect(page[0]["created_at"] >= after[:-1], f"events after {after}")
    return millis


def events_before(pages):
    before = moment(pages)
    millis, page = events(pages, 100, limit=100, before=before)
    expect(page[0]["created_at"] <= before, f"events before {before}")
    return millis


def events_common(pages):
    return events(pages, 100, limit=100, event_type=["user.create", "workspace.update"], before=moment(pages))[0]


def events_seldom(pages):
    millis, page = events(pages, 20, event_type=seed.SELDOM)
    expect(all(event["event_type"] == seed.SELDOM for event in page), "seldom events")
    return millis


def events_none(pages):
    return events(pages, 0, event_type="library.delete")[0]


def events_actor(pages):
    actor = str(uuid.UUID(bytes=pages.dice.choice(pages.org.users)))
    millis, page = pages.get("/v1/admin/audit-logs", limit=20, actor_user_uuid=actor)
    expect(page, f"events of the user {actor}")
    return millis


def log(pages, wanted, **query):
    millis, page = pages.get("/v1/gateway/audit", limit=100, **query)
    expect(len(page["data"]) >= wanted, f"events with {query}")
    return millis


def log_after(pages):
    number = pages.dice.randrange(pages.org.sizes["events"] // 2, pages.org.sizes["events"])
    return log(pages, 100, after=str(uuid.UUID(bytes=seed.event_id(number))))


def log_target(pages):
    return log(pages, 1, target_id=str(uuid.UUID(bytes=pages.dice.choice(pages.org.keys))))


def log_workspace(pages):
    return log(pages, 1, workspace_id=pages.workspace())


def log_refused(pages):
    return log(pages, 20, outcome="refused")


def log_workspace_refused(pages):
    return log(pages, 0, workspace_id=pages.workspace(), outcome="refused")


def log_event_refused(pages):
    return log(pages, 0, event=seed.SELDOM, outcome="refused")


def log_common_refused_none(pages):
    """A common event with an outcome that it never had: neither index alone finds that soon."""
    return log(pages, 0, event="workspace.update", outcome="refused")


def log_actor_event(pages):
    return log(pages, 0, actor_id=str(uuid.UUID(bytes=pages.dice.choice(pages.org.users))), event="user.create")


KINDS = [
    ("/v1/api-keys limit=100", short_first),
    ("/v1/api-keys after=…", short_after),
    ("/v1/api-keys unused_days=30", short_unused),
    ("/v1/api-keys workspace_id=…", short_workspace),
    ("/v1/api-keys name=…", short_name),
    ("/v1/api-keys unused_days=none", short_unused_none),
    ("/v1/api-keys status=expired", short_expired),
    ("/v1/api-keys status=expired after=most", short_expired_after),
    ("/v1/api-keys status=revoked", short_revoked),
    ("/v1/api-keys status=none", short_disabled),
    ("/v1/api-keys status=expired unused_days=none", short_unused_expired_none),
    ("/v1/api-keys by a person", short_person),
    ("/v1/api-keys workspace_id=… by a person", short_person_workspace),
    ("admin/api-keys", keys_first),
    ("admin/api-keys offset=…", keys_offset),
    ("admin/api-keys name=last four", keys_last_four),
    ("admin/api-keys name=with accent", keys_accent),
    ("admin/api-keys name=many", keys_many),
    ("admin/api-keys name=00%", keys_percent),
    ("admin/api-keys name=none", keys_none),
    ("admin/api-keys name=none of 4 letters", keys_none_short),
    ("admin/users", users_first),
    ("admin/users page=… page_size=100", users_page),
    ("admin/users email=…", users_email),
    ("admin/users email=none", users_none),
    ("admin/users page_size=10⁹", users_largest),
    ("admin/users page=invited page_size=100", users_invited),
    ("admin/users-invite", invites),
    ("gateway/invitations limit=100", invitations),
    ("gateway/users after=… limit=100", gateway_users),
    ("gateway/workspaces limit=100", gateway_workspaces),
    ("gateway/workspaces limit=100 by a person", gateway_workspaces_lead),
    ("gateway/workspaces/…/members limit=100", members_first),
    ("gateway/workspaces/…/members of everybody after=…", members_everybody),
    ("admin/user-groups page_size=100", groups_first),
    ("admin/user-groups search=50%", groups_search),
    ("admin/user-groups/…/members page=…", group_members),
    ("admin/user-groups/…/workspaces", group_workspaces),
    ("admin/workspaces page=…", workspaces_page),
    ("admin/workspaces page_size=10⁹", workspaces_largest),
    ("admin/workspaces by a person", workspaces_lead),
    ("admin/workspaces search=accent", workspaces_search),
    ("admin/workspaces search=%", workspaces_percent),
    ("admin/audit-logs", events_newest),
    ("admin/audit-logs ascending limit=100", events_hundred),
    ("admin/audit-logs after=…", events_after),
    ("admin/audit-logs before=…", events_before),
    ("admin/audit-logs event_type=two before=…", events_common),
    ("admin/audit-logs event_type=seldom", events_seldom),
    ("admin/audit-logs event_type=none", events_none),
    ("admin/audit-logs actor_user_uuid=…", events_actor),
    ("gateway/audit after=…", log_after),
    ("gateway/audit target_id=…", log_target),
    ("gateway/audit workspace_id=…", log_workspace),
    ("gateway/audit outcome=refused", log_refused),
    ("gateway/audit workspace_id=… outcome=refused", log_workspace_refused),
    ("gateway/audit event=seldom outcome=refused", log_event_refused),
    ("gateway/audit event=common outcome=never", log_common_refused_none),
    ("gateway/audit actor_id=… event=…", log_actor_event),
]


def percentile(values, share):
    """The smallest value that at least this share of the values does not pass (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * share // 100) - 1)]


def measure(engine, program, folder, database, seeder, options):
    """Seeds one database, asks for every kind of page and answers the rows of the table."""
    louver = Louver(program, folder, database)
    keys = {"organization": louver.init()}
    sizes = {name: getattr(options, name) for name in SIZES}
    organization = seed.Organization(*seeder.organization(), time.time_ns() // 1000, sizes)
    started = time.monotonic()
    print(f"{engine}: seeding {sizes}", file=sys.stderr)
    seeder.fill(organization)
    louver.verify()
    print(f"  seeded in {time.monotonic() - started:.1f} s", file=sys.stderr)
    for name, number in (("admin", seed.ADMIN), ("lead", seed.LEAD)):
        keys[name] = louver.admin_key("admin-key", "create", "--name", name, "--user", seed.email(number))
    with louver:
        pages = Pages(louver.address, keys, organization)
        kinds = [(name, ask) for name, ask in KINDS if not options.only or options.only in name]
        rounds = [one_round(pages, kinds, options) for _ in range(options.rounds)]
    return [(engine, name, *summary([taken[name] for taken in rounds])) for name, _ in kinds]


def one_round(pages, kinds, options):
    """The milliseconds of so many pages of each kind."""
    taken = {}
    for name, ask in kinds:
        for _ in range(options.warm_up):
            ask(pages)
        taken[name] = [ask(pages) for _ in range(options.pages)]
    worst = max(taken, key=lambda name: percentile(taken[name], 95))
    load = f"load {os.getloadavg()[0]:.1f}"
    print(f"  a round, {load}; slowest: {worst}, p95 {percentile(taken[worst], 95):.1f} ms", file=sys.stderr)
    return taken


def summary(rounds):
    """p50 and p95 of the quietest round, and the median of the rounds' p95."""
    best = min(rounds, key=lambda values: percentile(values, 95))
    return percentile(best, 50), percentile(best, 95), percentile([percentile(r, 95) for r in rounds], 50)


def on_sqlite(program, folder, options):
    path = folder / "louver.db"
    return measure("SQLite", program, folder, f"sqlite:{path}", seed.Sqlite(path), options)


def on_postgres(program, folder, options):
    """In a database of its own, which goes afterwards."""
    server = os.environ.get("BENCH_POSTGRES_URL")
    if not server:
        raise SystemExit("BENCH_POSTGRES_URL names no PostgreSQL where a database can be made; or say --engines sqlite")
    name = f"louver_listing_{os.getpid()}"
    seed.psql(server, f"CREATE DATABASE {name}")
    url = urlunsplit(urlsplit(server)._replace(path="/" + name))
    try:
        return measure("PostgreSQL", program, folder, url, seed.Postgres(url), options)
    finally:
        seed.psql(server, f"DROP DATABASE {name} WITH (FORCE)")


def table(rows):
    lines = ["| engine | page | p50 ms | p95 ms | median p95 ms | target |", "|---|---|---:|---:|---:|---|"]
    for engine, name, p50, p95, median in rows:
        share = p95 / TARGET_MILLIS
        verdict = "met" if share < 1 else f"MISSED: p95 is {share:.1f} times {TARGET_MILLIS:.0f} ms"
        lines.append(f"| {engine} | {name.replace('|', '/')} | {p50:.2f} | {p95:.2f} | {median:.2f} | {verdict} |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--louver", required=True, help="the program")
    parser.add_argument("--engines", default="sqlite,postgres", help="sqlite, postgres or both (%(default)s)")
    parser.add_argument("--only", default="", help="only pages whose name has this text")
    for name, size in (SIZES | {"rounds": 4, "pages": 100, "warm-up": 10}).items():
        parser.add_argument(f"--{name}", type=int, default=size, help="%(default)s")
    parser.add_argument("--keep", type=Path, help="the file that the table goes to as well")
    options = parser.parse_args()
    engines = {"sqlite": on_sqlite, "postgres": on_postgres}
    rows = []
    for engine in options.engines.split(","):
        with tempfile.TemporaryDirectory() as folder:
            rows += engines[engine](str(Path(options.louver).resolve()), Path(folder), options)
    print(table(rows), end="")
    if options.keep:
        options.keep.write_text(table(rows))
    missed = sum(row[3] >= TARGET_MILLIS for row in rows)
    print(f"{len(rows) - missed} of {len(rows)} pages within {TARGET_MILLIS:.0f} ms at the 95th percentile")
    sys.exit(1 if missed or not rows else 0)


if __name__ == "__main__":
    main()
