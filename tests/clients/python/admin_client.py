"""All operations of the Admin API through the client that openapi-python-client makes of the document, with the admin
key as x-api-key and as bearer. The client reads each answer into types, and raises on a key that is missing."""

import importlib
import json
import pkgutil
import time
import typing
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import admin_api_client.api
import gateway
from admin_api_client import AuthenticatedClient
from admin_api_client.types import UNSET
from checks import Checks, equal, holds

checks = Checks("generated client")
NOBODY = UUID("00000000-0000-4000-8000-000000000000")
DAY = 86_400
CONTRIBUTOR = "b23cd6e0-91cd-4a8a-9869-b30366bf3966"
USERS_ADMIN = "users_api_admin_users_"
WORKSPACES = "users_api_admin_workspaces_"
GROUPS = "users_api_admin_user_groups_"
GROUP_ROLES = "users_admin_user_groups_"
KEYS = "users_api_admin_api_keys_"
WORK = "v1_admin_analytics_vibe_work_usage_by"
CODE = "v1_admin_analytics_vibe_code_usage_by"


def operations():
    """The generated modules of the operations under test, by operation id."""
    api = admin_api_client.api
    for package in pkgutil.iter_modules(api.__path__, api.__name__ + "."):
        if not package.name.rpartition(".")[2].startswith(("beta_admin_", "beta_users")):
            continue
        path = importlib.import_module(package.name).__path__
        for module in pkgutil.iter_modules(path, package.name + "."):
            yield module.name.rpartition(".")[2], importlib.import_module(module.name)


OPERATIONS = dict(operations())


class Way:
    """One way to carry the key, and what the checks made with it."""

    def __init__(self, name, admin, api):
        self.name, self.admin, self.api, self.called, self.made = name, admin, api, set(), {}

    def call(self, operation, *path, status=200, **arguments):
        """Calls an operation, which must answer this status, and answers what the client read."""
        function = OPERATIONS[operation].sync_detailed
        hints = typing.get_type_hints(function)
        given = {name: typed(hints[name], value) for name, value in arguments.items()}
        client = self.api if operation.startswith("users_api_get_") or "_api_list_" in operation else self.admin
        answer = function(*path, client=client, **given)
        equal(answer.status_code, status, f"status of {operation}, which said {answer.content[:300]}")
        self.called.add(operation)
        if status >= 400:
            holds("detail" in json.loads(answer.content), f"a refusal without detail: {answer.content[:300]}")
        elif answer.parsed is not None:
            plain(answer.parsed)
        return answer.parsed

    def named(self, name):
        """A name of this way's own."""
        return f"{name} {self.name}"

    def mail(self, name):
        return f"{name}.{self.name}@example.com"


def typed(hint, value):
    """A plain value as the generated function wants it: bodies as models, words as enums."""
    options = typing.get_args(hint) if typing.get_origin(hint) is not list else ()
    for option in options or (hint,):
        if typing.get_origin(option) is list and isinstance(value, list):
            [inner] = typing.get_args(option)
            return [typed(inner, each) for each in value]
        if isinstance(value, dict) and hasattr(option, "from_dict"):
            return option.from_dict(value)
        if isinstance(value, str) and isinstance(option, type) and issubclass(option, str) and option is not str:
            return option(value)
    return value


def plain(value):
    """Raises when an answer holds a field that the document does not know."""
    if isinstance(value, list):
        for each in value:
            plain(each)
    elif hasattr(value, "to_dict"):
        own = [name for name in getattr(value, "__annotations__", {}) if name != "additional_properties"]
        extra = getattr(value, "additional_properties", {})
        # A map has no fields of its own, and may hold any name.
        holds(not own or not extra, f"unknown fields in {type(value).__name__}: {sorted(extra)}")
        for name in own:
            plain(getattr(value, name))


def role_names(way, kind):
    """The names of the roles by their UUID, as GET /v1/admin/roles tells them."""
    roles = getattr(way.call("users_api_admin_roles_get_roles"), kind)
    return {str(role.uuid): role.name for role in roles}


def member(way, email):
    """The one member of this mail address, as the list has him."""
    listed = way.call(USERS_ADMIN + "get_users", email=email)
    [found] = [member for member in listed.members if member.email == email]
    return found


def raw(values):
    """Roles as plain text: letters or UUIDs."""
    return sorted(getattr(value, "value", str(value)) for value in values)


def admin_way(name, **options):
    admin = AuthenticatedClient(base_url=gateway.URL, token=gateway._dev["admin_key"], **options)
    api = AuthenticatedClient(base_url=gateway.URL, token=gateway.DEV_KEY, prefix="", auth_header_name="x-api-key")
    return Way(name, admin, api)


WAYS = [admin_way("x-api-key", prefix="", auth_header_name="x-api-key"), admin_way("bearer")]


@checks.both("create users: ids by mail address, and an invalid address is named", WAYS)
def create_users(way):
    people = [
        {"email": way.mail("ada"), "first_name": "Ada", "last_name": "Lovelace", "role_names": ["organization_admin"]},
        {"email": way.mail("alan"), "first_name": "Alan", "last_name": "Turing", "roles": ["M"]},
        {"email": way.mail("édith"), "first_name": "Édith", "last_name": "Clarke", "role": "B"},
        {"email": "no mail address", "first_name": "No", "last_name": "Body"},
    ]
    made = way.call(USERS_ADMIN + "create_users", body=people[:2] + people[3:])
    equal(made.invalid_emails, ["no mail address"], "invalid addresses")
    way.made["users"] = {mail: UUID(id) for mail, id in made.email_to_user_id.additional_properties.items()}
    equal(sorted(way.made["users"]), [way.mail("ada"), way.mail("alan")], "mail addresses")
    way.made["ada"], way.made["alan"] = way.made["users"][way.mail("ada")], way.made["users"][way.mail("alan")]


@checks.both("a user by id, with names and role", WAYS)
def get_user(way):
    ada = way.call(USERS_ADMIN + "get_user", way.made["ada"])
    equal((ada.uuid, ada.first_name, ada.last_name), (way.made["ada"], "Ada", "Lovelace"), "id and names")
    equal((ada.email, ada.name, ada.oid_id), (way.mail("ada"), "Ada Lovelace", None), "address, name, SSO id")
    holds(raw(ada.raw_roles)[0] == raw([ada.raw_role])[0], "raw_role is among raw_roles")
    holds(datetime.now(UTC) - ada.created_at < timedelta(minutes=10), f"created at {ada.created_at}")
    way.call(USERS_ADMIN + "get_user", NOBODY, status=404)


@checks.both("the list of users: pages and the filter by address", WAYS)
def get_users(way):
    first = way.call(USERS_ADMIN + "get_users", page=1, page_size=2)
    equal((first.page, first.page_size, len(first.members)), (1, 2, 2), "page, its size, members on it")
    holds(first.total >= 6, f"total: {first.total}")
    second = way.call(USERS_ADMIN + "get_users", page=2, page_size=2)
    both = {member.uuid for member in first.members} & {member.uuid for member in second.members}
    equal(both, set(), "members on both pages")
    equal(member(way, way.mail("alan")).uuid, way.made["alan"], "the user of that address")
    equal(way.call(USERS_ADMIN + "get_users", page=1_000_000).members, [], "members far behind the last page")
    equal(way.call(USERS_ADMIN + "get_users", email="%").members, [], "members whose address has a percent sign")


@checks.both("change a user's role, by letter and by name", WAYS)
def update_user(way):
    changed = way.call(USERS_ADMIN + "update_user", way.made["alan"], body={"roles": ["B"]})
    equal(changed.uuid, way.made["alan"], "id")
    by_letter = raw(changed.raw_roles)
    changed = way.call(USERS_ADMIN + "update_user", way.made["alan"], body={"role_names": ["billing_manager"]})
    equal(raw(changed.raw_roles), by_letter, "roles: by name and by letter the same")
    changed = way.call(USERS_ADMIN + "update_user", way.made["alan"], body={"role_name": "member"})
    holds(raw(changed.raw_roles) != by_letter, "roles changed back")
    both = {"roles": ["B"], "role_names": ["member"]}
    way.call(USERS_ADMIN + "update_user", way.made["alan"], status=422, body=both)


@checks.both("roles: the built-in ones with their UUIDs", WAYS)
def get_roles(way):
    workspace, organization = role_names(way, "workspace_roles"), role_names(way, "organization_roles")
    equal(workspace[CONTRIBUTOR], "workspace_contributor", "name of the contributor's UUID")
    holds({"user", "dev", "workspace_admin", "billing"} <= set(workspace.values()), f"workspace roles: {workspace}")
    holds({"member", "billing_manager", "organization_admin"} <= set(organization.values()), f"{organization}")


@checks.both("invitations: invite, list, revoke", WAYS)
def invites(way):
    grace, bob, ada = way.mail("grace"), way.mail("bob"), way.mail("ada")
    body = {"email": f"{grace},{bob}\nnonsense,{ada}", "role_names": ["member"]}
    said = way.call(USERS_ADMIN + "invite_users", body=body)
    equal((said.invalid_emails, said.already_members), (["nonsense"], [ada]), "invalid, and members already")
    equal(said.invited_members_count, 2, "invited")
    pending = {invite.email: invite for invite in way.call(USERS_ADMIN + "get_invite")}
    holds({grace, bob} <= set(pending), f"pending: {sorted(pending)}")
    holds(isinstance(pending[bob].invite_uuid, UUID), "an invitation has an id")
    together = way.call(USERS_ADMIN + "get_users", page_size=1000).invites
    holds(any(invite.email == grace and not invite.expired for invite in together), "the users' page lists it too")
    holds(way.call(USERS_ADMIN + "delete_invite", pending[bob].invite_uuid).message, "a message")
    holds(bob not in {invite.email for invite in way.call(USERS_ADMIN + "get_invite")}, "revoked, and yet listed")
    way.call(USERS_ADMIN + "delete_invite", pending[bob].invite_uuid, status=404)


@checks.both("workspaces: create, find, change", WAYS)
def workspaces(way):
    body = {"name": way.named("Product Team"), "description": "Product and design", "icon": "★"}
    made = way.call(WORKSPACES + "create_workspace", body={**body, "admin_user_id": str(way.made["ada"])})
    equal((made.name, made.description, made.icon, made.is_default), (*body.values(), False), "what was made")
    way.made["workspace"] = made.uuid
    for name in ("Old 100%", "Research"):
        other = {"name": way.named(name), "admin_user_id": str(way.made["ada"])}
        way.made[name] = way.call(WORKSPACES + "create_workspace", body=other).uuid
    way.call(WORKSPACES + "create_workspace", status=409, body={**body, "admin_user_id": str(way.made["ada"])})
    found = way.call(WORKSPACES + "get_workspaces", search=way.named("product team").lower())
    equal([workspace.uuid for workspace in found.items], [made.uuid], "found by a part of the name")
    equal((found.total, found.page, found.page_size, found.object_.value), (1, 1, 25, "list"), "the page")
    percent = way.call(WORKSPACES + "get_workspaces", search="0%").items
    holds(all("0%" in workspace.name for workspace in percent) and percent, "a percent sign is text")
    changed = way.call(WORKSPACES + "update_workspaces", made.uuid, body={"description": "Changed"})
    equal((changed.name, changed.description, changed.icon), (body["name"], "Changed", "★"), "what was changed")


@checks.both("members of a workspace: add, change, remove", WAYS)
def workspace_members(way):
    alan = {"user_uuid": str(way.made["alan"])}
    workspace = way.made["workspace"]
    added = way.call(
        WORKSPACES + "add_users_workspaces", workspace, body={"members": [{**alan, "role_names": ["dev"]}]}
    )
    equal(added.added_members_count, 1, "added")
    there = {info.uuid: info for info in member(way, way.mail("alan")).workspaces or []}
    equal(there[workspace].name, way.named("Product Team"), "the workspace of the member")
    both = [
        {**alan, "role_names": ["dev", "workspace_admin"]},
        {"user_uuid": gateway._dev["users"]["admin@example.com"]},
    ]
    said = way.call(WORKSPACES + "add_or_update_users_workspaces", workspace, body={"members": both})
    equal((said.added_members_count, said.updated_members_count), (1, 1), "added and updated")
    strangers = {"members": [alan, {"user_uuid": str(NOBODY)}]}
    gone = way.call(WORKSPACES + "remove_users_workspaces", workspace, body=strangers)
    equal((gone.deleted_members_count, gone.not_deleted_members), (1, [NOBODY]), "removed, and not removed")


@checks.both("groups: create, nest, find, change", WAYS)
def groups(way):
    for name, parents in (("Engineering", []), ("Backend", ["Engineering"]), ("Platform", [])):
        body = {"name": way.named(name), "description": f"All of {name}", "target_type": "W"}
        body["parent_group_ids"] = [str(way.made[parent]) for parent in parents]
        made = way.call(GROUPS + "create_user_group", body=body)
        equal((made.name, made.description), (body["name"], body["description"]), "name and description")
        way.made[name] = made.uuid
    backend = way.call(GROUPS + "get_user_group", way.made["Backend"])
    equal(backend.parent_group_ids, [way.made["Engineering"]], "parents")
    way.call(GROUPS + "set_nested_groups", way.made["Backend"], status=204, body=children(way, "Platform"))
    nested = way.call(GROUPS + "get_nested_groups", way.made["Backend"]).children
    equal([(child.uuid, child.name) for child in nested], [(way.made["Platform"], way.named("Platform"))], "children")
    way.call(GROUPS + "set_nested_groups", way.made["Platform"], status=409, body=children(way, "Engineering"))
    found = way.call(GROUPS + "get_user_groups", search=way.named("backend"), page_size=100)
    equal(([group.uuid for group in found.items], found.total), ([way.made["Backend"]], 1), "found by name")
    changed = way.call(GROUPS + "update_user_group", way.made["Platform"], body={"description": "Changed"})
    equal((changed.name, changed.description), (way.named("Platform"), "Changed"), "what was changed")


def children(way, *names):
    return {"child_group_uuids": [str(way.made[name]) for name in names]}


@checks.both("members of a group: add, list, remove", WAYS)
def group_members(way):
    group, body = way.made["Backend"], {"user_uuids": [str(way.made["alan"]), str(way.made["ada"])]}
    way.call(GROUPS + "assign_users_to_group", group, status=204, body=body)
    page = way.call(GROUPS + "get_user_group_members", group, page=1, page_size=1)
    equal((page.total, len(page.members), page.page, page.page_size), (2, 1, 1, 1), "the page")
    holds(page.members[0].email in (way.mail("ada"), way.mail("alan")), f"member: {page.members[0]}")
    one = {"user_uuids": [str(way.made["ada"])]}
    way.call(GROUPS + "remove_users_from_group", group, status=204, body=one)
    left = way.call(GROUPS + "get_user_group_members", group).members
    equal([(member.user_uuid, member.name) for member in left], [(way.made["alan"], "Alan Turing")], "who is left")


@checks.both("a group's roles in workspaces and in the organization", WAYS)
def group_roles(way):
    group, product, research = way.made["Backend"], way.made["workspace"], way.made["Research"]
    names = {"workspace_uuid": str(product), "role_names": ["dev", "billing"]}
    way.call(GROUPS + "assign_group_to_workspace", group, status=201, body=names)
    ids = {"user_group_uuid": str(group), "workspace_uuid": str(research), "workspace_role_name": "user"}
    way.call(GROUPS + "provision_group_to_workspace", status=204, body=ids)
    page = way.call(GROUP_ROLES + "get_group_workspace_assignments", group)
    roles = {item.workspace_uuid: sorted(role.name for role in item.roles) for item in page.items}
    equal((page.total, roles), (2, {product: ["billing", "dev"], research: ["user"]}), "assignments")
    update = GROUP_ROLES + "update_group_workspace_assignment"
    way.call(update, group, product, status=204, body={"role_names": ["workspace_admin"]})
    [item] = [
        item
        for item in way.call(GROUP_ROLES + "get_group_workspace_assignments", group).items
        if item.workspace_uuid == product
    ]
    equal([role.name for role in item.roles], ["workspace_admin"], "roles after the change")
    way.call(GROUP_ROLES + "remove_group_from_workspace", group, research, status=204)
    equal(way.call(GROUP_ROLES + "get_group_workspace_assignments", group).total, 1, "assignments left")
    role = GROUP_ROLES + "update_user_group_organization_role"
    way.call(role, group, status=204, body={"organization_role": "B"})
    holds(way.call(GROUPS + "get_user_group", group).organization_role, "the organization role is shown")


@checks.both("keys: create, find by name and by last four, revoke", WAYS)
def api_keys(way):
    expiration = date.today() + timedelta(days=30)
    body = {
        "name": way.named("Clé 100% prod"),
        "workspace_uuid": str(way.made["workspace"]),
        "user_id": str(way.made["ada"]),
    }
    made = way.call(KEYS + "create_api_key", body={**body, "expiration": expiration.isoformat()})
    equal((made.name, made.expiration_date), (body["name"], expiration), "name and expiration")
    holds(made.key and made.key.endswith(made.hidden_key[-4:]) and made.hidden_key != made.key, "the secret, once")
    for wanted in ("cle 100%", made.key[-4:]):
        keys = way.call(KEYS + "get_api_keys", name=wanted).keys
        [found] = [key for key in keys if key.key_id == made.key_id]
        equal((found.key, found.hidden_key, found.workspace_id), (None, made.hidden_key, way.made["workspace"]), wanted)
        equal(found.workspace_name, way.named("Product Team"), "workspace")
    equal(len(way.call(KEYS + "get_api_keys", limit=1, offset=1).keys), 1, "keys on a page of one")
    identity = Way(
        "key", way.admin, AuthenticatedClient(gateway.URL, token=made.key, prefix="", auth_header_name="x-api-key")
    )
    equal(identity.call("users_api_get_identity").email, way.mail("ada"), "whose key it is")
    holds(way.call(KEYS + "delete_api_key", made.key_id).detail, "a detail")
    identity.call("users_api_get_identity", status=401)
    way.call(KEYS + "delete_api_key", made.key_id, status=404)


@checks.both("users/me: who the key is, and its organizations and workspaces", WAYS)
def users_me(way):
    who = way.call("users_api_get_identity")
    holds(who.id and who.api_key and who.api_key.name == "dev-team-key", f"identity: {who}")
    [organization] = way.call("users_api_list_organizations", limit=10).organizations
    equal(who.organization.id, organization.id, "organization")
    found = way.call("users_api_list_workspaces", organization_id=UUID(organization.id)).workspaces
    holds(gateway._dev["workspaces"]["dev-workspace"]["uuid"] in {each.id for each in found}, f"workspaces: {found}")
    equal({each.organization_id for each in found}, {organization.id}, "organization of the workspaces")


@checks.both("limits: rates are read, the organization's spend limit is set", WAYS)
def limits(way):
    rates = way.call("users_api_admin_rate_limits_get_rate_limits")
    holds(isinstance(rates.requests_per_second, int), "requests per second")
    by_model = rates.tokens_limits_by_model.additional_properties
    holds(by_model and all(each.tokens_per_minute >= 0 for each in by_model.values()), "token limits by model")
    amount = 5000 + len(way.name)
    set_to = way.call("users_api_admin_spend_limits_update_spend_limits", body={"amount": amount}).limits
    read = way.call("users_api_admin_spend_limits_get_spend_limits").limits
    equal((set_to.completion.usage_limit, read.completion.usage_limit), (amount, amount), "limit")
    equal((read.completion.no_monthly_limit, read.last_payment_failure), (False, False), "no limit, payment failure")
    without = {"amount": amount, "no_monthly_limit": True}
    way.call("users_api_admin_spend_limits_update_spend_limits", body=without)
    equal(
        way.call("users_api_admin_spend_limits_get_spend_limits").limits.completion.no_monthly_limit, True, "no limit"
    )


@checks.both("usage of a month, of all and of one workspace", WAYS)
def usage(way):
    now = datetime.now(UTC)
    for month in (f"{now.month}", f"{now.month:02}"):
        found = way.call("users_api_admin_usage_get_usage", month=month, year=str(now.year), api_zone="global")
        equal((found.start_date.month, found.vibe_usage), (now.month, 0), "month, and usage of Vibe")
        holds(found.start_date < found.end_date, "the start is before the end")
    way.call("users_api_admin_usage_get_usage", workspace_id=way.made["workspace"])
    way.call("users_api_admin_usage_get_usage", month=UNSET)


@checks.both("the audit log tells what was done: newest first, by event, by time", WAYS)
def audit_logs(way):
    def read(**filters):
        return way.call("users_api_admin_audit_logs_get_audit_logs", **filters)

    newest = read(limit=5)
    equal(len(newest), 5, "events")
    ids = [event.log_id for event in newest]
    equal(ids, sorted(ids, reverse=True), "order")
    made = read(event_type=["workspace.create", "user_group.create"], target_type=["WORKSPACE"], limit=100)
    holds(made, "no workspace.create of a WORKSPACE")
    equal({event.event_type.value for event in made}, {"workspace.create"}, "events")
    mine = [event for event in made if event.workspace_uuid == way.made["workspace"]]
    equal(len(mine), 1, f"events of the workspace in {[event.target_metadata for event in made]}")
    equal(read(after=newest[0].created_at + timedelta(hours=1)), [], "events of the future")


@checks.both("SCIM: a sync is refused or runs; a run that is not there is 404", WAYS)
def scim(way):
    run = OPERATIONS["users_api_admin_scim_sync_trigger_scim_sync"]
    body = typed(typing.get_type_hints(run.sync_detailed)["body"], {"dry_run": True})
    answer = run.sync_detailed(client=way.admin, body=body)
    said = f"{answer.status_code}: {answer.content[:300]}"
    if int(answer.status_code) == 404:
        holds("detail" in json.loads(answer.content), said)
    else:
        holds(int(answer.status_code) in (202, 409) and isinstance(answer.parsed.run_id, UUID), said)
    way.called.add("users_api_admin_scim_sync_trigger_scim_sync")
    way.call("users_api_admin_scim_sync_get_scim_sync_run", NOBODY, status=404)


@checks.both("analytics: series that can be read, empty where there is nothing", WAYS)
def analytics(way):
    span = {"start_time": int(time.time()) - 30 * DAY, "end_time": int(time.time())}
    for operation in ("get_by_user_stats_" + WORK + "_user_stats", "get_by_agent_stats_" + WORK + "_agent_stats"):
        holds(way.call(operation, **span) is not None, operation)
    way.call("get_by_time_stats_" + WORK + "_time_stats", granularity="day", **span)
    way.call("get_workspace_stats_" + CODE + "_workspace", workspace_id=str(way.made["workspace"]), **span)
    way.call("get_organization_stats_" + CODE + "_organization", **span)


@checks.both("what goes is gone: group, workspace, user", WAYS)
def deletions(way):
    for name in ("Platform", "Backend", "Engineering"):
        way.call(GROUPS + "delete_user_group", way.made[name], status=204)
        way.call(GROUPS + "get_user_group", way.made[name], status=404)
    way.call(WORKSPACES + "delete_workspaces", way.made["Old 100%"], status=204)
    old = way.named("Old 100%")
    equal(way.call(WORKSPACES + "get_workspaces", search=old).items, [], "among the active ones")
    archived = way.call(WORKSPACES + "get_workspaces", search=old, is_archived=True).items
    equal([workspace.uuid for workspace in archived], [way.made["Old 100%"]], "among the archived ones")
    holds(way.call(USERS_ADMIN + "delete_user", way.made["alan"]).message, "a message")
    way.call(USERS_ADMIN + "get_user", way.made["alan"], status=404)


@checks.both("a wrong key is refused", WAYS)
def wrong_key(way):
    options = {"prefix": way.admin.prefix, "auth_header_name": way.admin.auth_header_name}
    for token in ("lva_wrong", gateway.DEV_KEY):
        client = AuthenticatedClient(base_url=gateway.URL, token=token, **options)
        answer = OPERATIONS["users_api_admin_roles_get_roles"].sync_detailed(client=client)
        # Our own document names the refusal, so that the client knows its shape; Mistral's does not.
        said = answer.parsed.to_dict() if answer.parsed else json.loads(answer.content)
        equal((int(answer.status_code), said), (401, {"detail": "Unauthorized"}), "status and answer")


@checks.both("all 50 operations were called", WAYS)
def complete(way):
    equal(len(OPERATIONS), 50, f"operations in {sorted(OPERATIONS)}")
    equal(sorted(set(OPERATIONS) - way.called), [], "operations that were not called")


checks.run()
