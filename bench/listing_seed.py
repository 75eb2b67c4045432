"""The rows of one large organization, written past Louver into a database that `louver init` made.

One entry of `TABLES` for each table: its columns, and a function that makes its rows. Who changes a column changes it
here. Values are integers, text, bytes or None, as the store knows no others.
"""

import json
import random
import sqlite3
import subprocess
import uuid

MICROS = 1_000_000
YEAR = 365 * 86_400 * MICROS
NO_LIMITS = json.dumps(
    dict.fromkeys(
        [
            "allowed_models", "requests_per_second", "requests_per_minute", "tokens_per_minute", "tokens_per_month",
            "max_concurrent_requests", "hourly_budget_usd", "daily_budget_usd", "monthly_budget_usd",
            "alert_thresholds", "max_key_lifetime_days", "key_creation", "mode", "timezone",
        ]
    ),
    separators=(",", ":"),
)  # fmt: skip
MEMBER = '["0d48f530-095c-43fe-8aea-6673bcacabe6"]'
CONTRIBUTOR = '["b23cd6e0-91cd-4a8a-9869-b30366bf3966"]'
TEAMS = ["backend", "search", "billing", "mobile", "données", "Übersetzung", "研究", "support"]
EVENTS = ["api_key.create"] * 60 + ["api_key.delete"] * 20 + ["user.create"] * 12 + ["workspace.update"] * 8
# One event in a thousand: what a person looks for is seldom.
SELDOM = "organization.invite.revoked"
LETTERS = "0123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


class Organization:
    """How large it is, and what of it the pages ask for."""

    def __init__(self, id, now, sizes):
        self.id, self.now, self.sizes = id, now, sizes
        self.dice = random.Random(7)
        self.workspaces = [self.new_id() for _ in range(sizes["workspaces"] - 1)]
        self.users = [self.new_id() for _ in range(sizes["users"])]
        self.keys = [self.new_id() for _ in range(sizes["keys"])]
        self.last_four = ["".join(self.dice.choices(LETTERS, k=4)) for _ in self.keys]

    def new_id(self):
        """A UUID of version 7, of some moment of the last year."""
        millis = (self.now - self.dice.randrange(YEAR)) // 1000
        bits = millis << 80 | 7 << 76 | self.dice.getrandbits(12) << 64 | 2 << 62 | self.dice.getrandbits(62)
        return bits.to_bytes(16, "big")

    def moment(self, number, all):
        """When the number-th of all was made: one after the other through the last year."""
        return self.now - YEAR + number * (YEAR // all)


def email(number):
    return f"user{number:05}@example.com"


def key_name(number):
    """One name in a hundred has a percent sign, one in seven an accent."""
    share = " 100%" if number % 100 == 1 else ""
    return f"{'clé' if number % 7 == 0 else 'key'} {TEAMS[number % len(TEAMS)]}{share} {number:06}"


def folded(text):
    """As `domain/folding.rs` folds these names."""
    return text.lower().translate(str.maketrans("éü", "eu"))


def users(org):
    for number, id in enumerate(org.users):
        names = (f"User {number:05}", "User", f"{number:05}")
        yield (id, org.id, email(number), *names, NO_LIMITS, MEMBER, org.moment(number, len(org.users)), None)


def workspaces(org):
    for number, id in enumerate(org.workspaces):
        name = f"{TEAMS[number % len(TEAMS)]}{' 50%' if number % 50 == 0 else ''} {number:03}"
        yield (id, org.id, name, folded(name), "", None, 0, NO_LIMITS, org.moment(number, len(org.workspaces)), None)


def memberships(org):
    for number, user in enumerate(org.users):
        for workspace in {number % len(org.workspaces), number * 7 % len(org.workspaces)}:
            yield (org.workspaces[workspace], user, None, CONTRIBUTOR)


def api_keys(org):
    for number, id in enumerate(org.keys):
        name, made = key_name(number), org.moment(number, len(org.keys))
        workspace, user = org.workspaces[number % len(org.workspaces)], org.users[number % len(org.users)]
        used = made if number % 3 else None
        secret = (f"k{number:011}", org.dice.randbytes(32), org.last_four[number])
        status = "revoked" if number % 20 == 0 else "active"
        yield (id, org.id, workspace, user, name, folded(name), *secret, NO_LIMITS, made, None, used, status, email(1))


def audit_events(org):
    count = org.sizes["events"]
    actors = [str(uuid.UUID(bytes=user)) for user in org.users]
    for number in range(count):
        action = SELDOM if number % 1000 == 0 else EVENTS[number % len(EVENTS)]
        actor = number % len(actors)
        target = str(uuid.UUID(bytes=org.keys[number % len(org.keys)]))
        # The bytes of the id come from the number, so that no two are equal.
        id = number.to_bytes(6, "big") + b"\x70\x00\x80" + bytes(3) + number.to_bytes(4, "big")
        who = ("user", actors[actor], email(actor))
        state = '{"name":"key","status":"active"}'
        yield (id, org.id, org.moment(number, count), *who, action, target, "a key", None, state, None, "203.0.113.7")


TABLES = [
    (
        "users",
        "id, organization_id, email, name, first_name, last_name, limits, roles, created_at, removed_at",
        users,
    ),
    (
        "workspaces",
        "id, organization_id, name, folded, description, icon, is_default, limits, created_at, archived_at",
        workspaces,
    ),
    ("memberships", "workspace_id, user_id, model_role, roles", memberships),
    (
        "api_keys",
        "id, organization_id, workspace_id, user_id, name, folded, public_id, fingerprint, last_four, limits, "
        "created_at, expires_at, last_used_at, status, created_by",
        api_keys,
    ),
    (
        "audit_events",
        "id, organization_id, at, actor_kind, actor_id, actor_name, action, target_id, target_name, before_state, "
        "after_state, request_id, address",
        audit_events,
    ),
]


class Sqlite:
    """The file of one node."""

    def __init__(self, path):
        self.path = path

    def organization(self):
        """The id of the one organization."""
        with sqlite3.connect(self.path) as database:
            return database.execute("SELECT id FROM organizations").fetchone()[0]

    def fill(self, organization):
        """Writes all rows, in one transaction."""
        database = sqlite3.connect(self.path)
        with database:
            for table, columns, rows in TABLES:
                marks = ", ".join("?" * len(columns.split(",")))
                database.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", rows(organization))
        database.execute("ANALYZE")
        database.close()


class Postgres:
    """A database of a server, by its URL."""

    def __init__(self, url):
        self.url = url

    def organization(self):
        """The id of the one organization."""
        return bytes.fromhex(psql(self.url, "SELECT encode(id, 'hex') FROM organizations"))

    def fill(self, organization):
        """Copies all rows, one table after the other."""
        for table, columns, rows in TABLES:
            command = ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", self.url]
            command += ["-c", f"COPY {table} ({columns}) FROM STDIN"]
            with subprocess.Popen(command, stdin=subprocess.PIPE, text=True, encoding="utf-8") as copy:
                for row in rows(organization):
                    copy.stdin.write("\t".join(map(copied, row)) + "\n")
            if copy.returncode:
                raise SystemExit(f"psql could not copy {table}")
        psql(self.url, "VACUUM ANALYZE")


def psql(url, *commands):
    """Runs commands with psql and answers what they print."""
    wanted = [part for command in commands for part in ("-c", command)]
    options = ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", url]
    return subprocess.run(options + wanted, check=True, text=True, stdout=subprocess.PIPE).stdout.strip()


def copied(value):
    """A value as COPY's text format writes it."""
    if value is None:
        return "\\N"
    if isinstance(value, bytes):
        return "\\\\x" + value.hex()
    return str(value).replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")
