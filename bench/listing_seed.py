"""The rows of one large organization, written past Louver into a database that `louver init` made.

One entry of `TABLES` for each table: its columns, and a function that makes its rows. Who changes a column changes it
here. Values are integers, text, bytes or None, as the store knows no others.
"""

import hashlib
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
WORKSPACE_ADMIN = '["731eb2be-a74f-4070-b797-35bf7009e553"]'
ORGANIZATION_ADMIN = '["7bde5959-d676-47d2-b779-35b64323d278"]'
TEAMS = ["backend", "search", "billing", "mobile", "données", "Übersetzung", "研究", "support"]
EVENTS = ["api_key.create"] * 60 + ["api_key.delete"] * 20 + ["user.create"] * 12 + ["workspace.update"] * 8
# One event in a thousand: what a person looks for is seldom.
SELDOM = "organization.invite.revoked"
# The kind of target of each, and whether it is in a workspace.
TARGETS = {
    "api_key.create": "API_KEY",
    "api_key.delete": "API_KEY",
    "user.create": "USER",
    "workspace.update": "WORKSPACE",
    SELDOM: "ORGANIZATION",
}
# This person is an organization admin, and the next one an admin of some workspaces only.
ADMIN, LEAD = 0, 1
LED_WORKSPACES = 20
# The first group has everybody in it, and roles in the first workspaces.
EVERYBODY_WORKSPACES = 3
GROUP_MEMBERS = 50
ADDRESS = "203.0.113.7"
LETTERS = "0123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


class Organization:
    """How large it is, and what of it the pages ask for. `head` is the end of its audit log so far."""

    def __init__(self, id, head, now, sizes):
        self.id, self.head, self.now, self.sizes = id, head, now, sizes
        self.dice = random.Random(7)
        self.workspaces = [self.new_id() for _ in range(sizes["workspaces"] - 1)]
        self.users = [self.new_id() for _ in range(sizes["users"])]
        self.groups = [self.new_id() for _ in range(sizes["groups"])]
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
        roles = ORGANIZATION_ADMIN if number == ADMIN else MEMBER
        yield (id, org.id, email(number), *names, NO_LIMITS, roles, org.moment(number, len(org.users)), None)


def workspaces(org):
    for number, id in enumerate(org.workspaces):
        name = f"{TEAMS[number % len(TEAMS)]}{' 50%' if number % 50 == 0 else ''} {number:03}"
        yield (id, org.id, name, folded(name), "", None, 0, NO_LIMITS, org.moment(number, len(org.workspaces)), None)


def memberships(org):
    for number, user in enumerate(org.users):
        places = {number % len(org.workspaces), number * 7 % len(org.workspaces)}
        if number == LEAD:
            places = set(range(min(LED_WORKSPACES, len(org.workspaces))))
        for workspace in sorted(places):
            roles = WORKSPACE_ADMIN if number == LEAD else CONTRIBUTOR
            yield (org.workspaces[workspace], user, None, roles)


def user_groups(org):
    for number, id in enumerate(org.groups):
        name = f"{TEAMS[number % len(TEAMS)]}{' 50%' if number % 50 == 0 else ''} group {number:03}"
        made = org.moment(number, len(org.groups))
        yield (id, org.id, name, folded(name), None, None, None, 0, made)


def user_group_parents(org):
    """Each lies in another, up to seven deep; the first one in none and none in it."""
    for number in range(2, len(org.groups)):
        yield (org.groups[number], org.groups[number // 2])


def user_group_members(org):
    for user in org.users:
        yield (org.groups[0], user)
    for number, group in enumerate(org.groups[1:]):
        for member in range(min(GROUP_MEMBERS, len(org.users))):
            yield (group, org.users[(number * 37 + member) % len(org.users)])


def user_group_workspaces(org):
    for number, group in enumerate(org.groups):
        first = 0 if number == 0 else number * 2
        for workspace in range(first, first + EVERYBODY_WORKSPACES):
            place = org.workspaces[workspace % len(org.workspaces)]
            yield (group, place, CONTRIBUTOR, None, org.moment(number, len(org.groups)))


def invitations(org):
    for number in range(org.sizes["invitations"]):
        made = org.moment(number, org.sizes["invitations"])
        proof = (org.dice.randbytes(32), org.dice.randbytes(60))
        yield (org.new_id(), org.id, f"new{number:05}@example.com", MEMBER, "[]", *proof, made, org.now, None, 0, 0, None)


def api_keys(org):
    for number, id in enumerate(org.keys):
        name, made = key_name(number), org.moment(number, len(org.keys))
        workspace, user = org.workspaces[number % len(org.workspaces)], org.users[number % len(org.users)]
        used = made if number % 3 else None
        ends = org.now - 1 if number % 1000 == 3 else None
        secret = (f"k{number:011}", org.dice.randbytes(32), org.last_four[number])
        status = "revoked" if number % 20 == 0 else "active"
        yield (id, org.id, workspace, user, name, folded(name), *secret, NO_LIMITS, made, ends, used, status, email(1))


def event_id(number):
    """Its bytes come from the number, so that no two are equal."""
    return number.to_bytes(6, "big") + b"\x70\x00\x80" + bytes(3) + number.to_bytes(4, "big")


def audit_events(org):
    """The chain goes on where `louver init` left it."""
    count, (place, hash) = org.sizes["events"], org.head
    actors = [str(uuid.UUID(bytes=user)) for user in org.users]
    for number in range(count):
        event = SELDOM if number % 1000 == 0 else EVENTS[number % len(EVENTS)]
        actor = number % len(actors)
        target = str(uuid.UUID(bytes=org.keys[number % len(org.keys)]))
        id = event_id(number)
        who = ("HUMAN", "user", actors[actor], email(actor))
        what = (event, event, TARGETS[event], target, "a key")
        where = org.workspaces[number % len(org.workspaces)] if event.startswith("api_key") else None
        outcome = "refused" if number % 500 == 1 else "done"
        state = '{"name":"key","status":"active"}'
        place += 1
        record = (org.id, place, id, org.moment(number, count), *who, *what, where, outcome, None, state, None, ADDRESS)
        hash = link(hash, record)
        yield (*record, hash)
    org.head = (place, hash)


def link(previous, record):
    """The hash of a record, as `domain/audit/chain.rs` reckons it."""
    org, place, id, at, kind, identity, actor, name, event, permission, target, *rest = record
    target_id, target_name, workspace, outcome, before, after, request, address = rest
    numbers = (org, place.to_bytes(8, "big"), id, at.to_bytes(8, "big"))
    words = (kind, identity, actor, name, event, permission, target, target_id, target_name, outcome)
    parts = [b"\x01", previous]
    for field in (*numbers, *map(str.encode, words)):
        parts += (len(field).to_bytes(8, "big"), field)
    for field in (workspace, *(text and text.encode() for text in (before, after, request, address))):
        given, field = bytes([field is not None]), field or b""
        parts += (b"\0\0\0\0\0\0\0\x01", given, len(field).to_bytes(8, "big"), field)
    return hashlib.sha256(b"".join(parts)).digest()


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
        "user_groups",
        "id, organization_id, name, folded, description, target, organization_role, externally_managed, created_at",
        user_groups,
    ),
    ("user_group_parents", "child_id, parent_id", user_group_parents),
    ("user_group_members", "group_id, user_id", user_group_members),
    ("user_group_workspaces", "group_id, workspace_id, roles, model_role, created_at", user_group_workspaces),
    (
        "invitations",
        "id, organization_id, email, roles, workspaces, fingerprint, sealed_token, created_at, expires_at, "
        "mail_state, mail_attempts, mail_next_at, mail_error",
        invitations,
    ),
    (
        "audit_events",
        "organization_id, place, id, at, actor_kind, identity, actor_id, actor_name, event, permission, target_type, "
        "target_id, target_name, workspace_id, outcome, before_state, after_state, request_id, address, hash",
        audit_events,
    ),
]

class Sqlite:
    """The file of one node."""

    def __init__(self, path):
        self.path = path

    def organization(self):
        """The id of the one organization, and the end of its audit log."""
        with sqlite3.connect(self.path) as database:
            (id,) = database.execute("SELECT id FROM organizations").fetchone()
            return id, database.execute("SELECT place, hash FROM audit_heads").fetchone()

    def fill(self, organization):
        """Writes all rows, in one transaction. No statistics are gathered, since Louver gathers none."""
        database = sqlite3.connect(self.path)
        with database:
            for table, columns, rows in TABLES:
                marks = ", ".join("?" * len(columns.split(",")))
                database.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", rows(organization))
            database.execute("UPDATE audit_heads SET place = ?, hash = ?", organization.head)
        database.close()


class Postgres:
    """A database of a server, by its URL."""

    def __init__(self, url):
        self.url = url

    def organization(self):
        """The id of the one organization, and the end of its audit log."""
        id = psql(self.url, "SELECT encode(id, 'hex') FROM organizations")
        place, hash = psql(self.url, "SELECT place, encode(hash, 'hex') FROM audit_heads").split("|")
        return bytes.fromhex(id), (int(place), bytes.fromhex(hash))

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
        place, hash = organization.head
        psql(self.url, f"UPDATE audit_heads SET place = {place}, hash = '\\x{hash.hex()}'")
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
