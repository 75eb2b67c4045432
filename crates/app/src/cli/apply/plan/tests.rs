//! Plans of small organizations, and what holds of every plan.

use super::*;
use proptest::prelude::*;
use serde_json::json;

fn fields(value: Value) -> Fields {
    value.as_object().cloned().unwrap_or_default().into_iter().collect()
}

fn wanted(items: &[(Id, Value)]) -> Wanted {
    let mut wanted = Wanted::default();
    for (id, value) in items {
        wanted.items.insert(id.clone(), fields(value.clone()));
        let flat = matches!(id.noun, Noun::ServiceAccount | Noun::Key);
        wanted.lists.insert((id.noun, if flat { None } else { id.within.clone() }));
        wanted.equipped.insert(id.clone());
    }
    wanted
}

fn present(items: &[(Id, Value)]) -> Present {
    let found = |value: &Value| Found { fields: fields(value.clone()), ..Found::default() };
    Present { items: items.iter().map(|(id, value)| (id.clone(), found(value))).collect() }
}

fn lines(plan: &Plan) -> Vec<String> {
    plan.steps.iter().map(Step::to_string).collect()
}

fn key(name: &str) -> Id {
    Id::within(Noun::Key, "dev", name)
}

/// What a system is after a step, as Louver would do it.
fn apply(present: &mut Present, step: &Step) {
    match step.action {
        Action::Create => {
            order::foresee(present, step);
            let changes = step.changes.iter().filter(|change| change.field != ADMIN);
            let fields = changes.map(|change| (change.field.clone(), change.after.clone())).collect();
            present.items.insert(step.id.clone(), Found { fields, ..Found::default() });
        }
        Action::Update => {
            let found = present.items.get_mut(&step.id).expect("it is there");
            for change in &step.changes {
                assert_eq!(found.fields.get(&change.field).unwrap_or(&Value::Null), &change.before);
                found.fields.insert(change.field.clone(), change.after.clone());
            }
        }
        Action::Delete => drop(present.items.remove(&step.id).expect("it is there")),
    }
}

#[test]
fn each_difference_is_one_line() {
    let ann = (Id::member("ann@x.org"), json!({"roles": ["organization_admin"]}));
    let rpm = |n: u64| json!({"requests_per_minute": n});
    let channel = |host: &str| (Id::of(Noun::AlertChannel, "ops"), json!({"kind": "slack", "host": host}));
    let table = [
        (vec![], vec![], false, vec![]),
        (
            vec![ann.clone(), (Id::workspace("dev"), rpm(60))],
            vec![ann.clone()],
            false,
            vec!["+ workspace dev: requests_per_minute 60, admin ann@x.org"],
        ),
        (
            vec![(Id::workspace("dev"), rpm(100))],
            vec![(Id::workspace("dev"), json!({"requests_per_minute": 60, "tokens_per_minute": 5}))],
            true,
            vec!["~ workspace dev: requests_per_minute 60 -> 100"],
        ),
        (
            vec![(
                Id::workspace("dev"),
                json!({"requests_per_minute": null, "allowed_models": ["a b", "*"]}),
            )],
            vec![(Id::workspace("dev"), rpm(60))],
            false,
            vec!["~ workspace dev: allowed_models none -> [\"a b\",\"*\"], requests_per_minute 60 -> none"],
        ),
        (
            vec![(Id::workspace("dev"), json!({})), (key("new"), json!({"rate_limit_rpm": 5}))],
            vec![(Id::workspace("dev"), json!({})), (key("old"), json!({}))],
            true,
            vec!["+ key new in dev: rate_limit_rpm 5", "- key old in dev"],
        ),
        (
            vec![channel("a.org")],
            vec![channel("b.org")],
            false,
            vec!["~ alert channel ops: host b.org -> a.org"],
        ),
        (
            vec![(Id::member("ann@x.org"), json!({"name": "Ann"}))],
            vec![(Id::member("ann@x.org"), json!({"name": null}))],
            false,
            vec![],
        ),
    ];
    for (want, there, prune, expected) in table {
        assert_eq!(lines(&plan(&wanted(&want), &present(&there), prune).unwrap()), expected);
    }
}

#[test]
fn policies_are_set_after_the_destinations_that_they_name_and_taken_back_before_they_go() {
    let policy = |names: &[&str]| json!({"rotation": {"destinations": names}});
    let of = |name: &str, workspace: Value| {
        (Id::of(Noun::SecretDestination, name), json!({"kind": "file", "workspace": workspace}))
    };
    let ann = (Id::member("ann"), json!({}));
    let want = wanted(&[
        (Id::organization(), policy(&["new"])),
        ann.clone(),
        (Id::workspace("dev"), policy(&["new", "inner"])),
        (key("k"), policy(&["inner"])),
        of("new", Value::Null),
        of("inner", "dev".into()),
    ]);
    let there = present(&[(Id::organization(), policy(&["old"])), ann, of("old", Value::Null)]);
    assert_eq!(
        lines(&plan(&want, &there, true).unwrap()),
        [
            "+ workspace dev: admin ann",
            "+ secret destination inner: kind file, workspace dev",
            "+ secret destination new: kind file",
            "+ key k in dev: rotation {\"destinations\":[\"inner\"]}",
            "~ workspace dev: rotation none -> {\"destinations\":[\"new\",\"inner\"]}",
            "~ organization: rotation {\"destinations\":[\"old\"]} -> {\"destinations\":[\"new\"]}",
            "- secret destination old",
        ]
    );
    let moved = wanted(&[of("old", "dev".into()), (Id::workspace("dev"), json!({}))]);
    let there = present(&[of("old", Value::Null), (Id::workspace("dev"), json!({}))]);
    let errors = plan(&moved, &there, false).unwrap_err();
    assert_eq!(
        errors,
        ["secret destination old: workspace cannot be changed: give the destination another name"]
    );
}

#[test]
fn limits_are_raised_from_above_and_lowered_from_below() {
    let limits = |n: u64, m: u64| json!({"requests_per_minute": n, "tokens_per_minute": m});
    let all = |n, m| {
        [
            (Id::organization(), limits(n, m)),
            (Id::workspace("dev"), limits(n, m)),
            (key("k"), json!({"rate_limit_rpm": n})),
        ]
    };
    assert_eq!(
        lines(&plan(&wanted(&all(90, 5)), &present(&all(60, 9)), false).unwrap()),
        [
            "~ organization: requests_per_minute 60 -> 90",
            "~ workspace dev: requests_per_minute 60 -> 90",
            "~ key k in dev: rate_limit_rpm 60 -> 90",
            "~ workspace dev: tokens_per_minute 9 -> 5",
            "~ organization: tokens_per_minute 9 -> 5",
        ]
    );
}

#[test]
fn what_is_extra_is_named_or_pruned_and_only_in_lists_of_the_file() {
    let dev = (Id::workspace("dev"), json!({}));
    let there =
        [dev.clone(), (Id::workspace("old"), json!({})), (key("a"), json!({})), (key("b"), json!({}))];
    let mut there = present(&there);
    let pinned = Found { pinned: true, ..Found::default() };
    there.items.insert(Id::workspace("default"), pinned);
    let mut want = wanted(&[dev]);
    let named = plan(&want, &there, false).unwrap();
    assert!(named.steps.is_empty());
    assert!(named.left_alone().unwrap().ends_with(": workspace old"));
    assert_eq!(lines(&plan(&want, &there, true).unwrap()), ["- workspace old"]);
    want.lists.insert((Noun::Key, None));
    let emptied = plan(&want, &there, true).unwrap();
    assert_eq!(lines(&emptied), ["- key b in dev", "- key a in dev", "- workspace old"]);
    assert_eq!(emptied.left_alone(), None);
}

#[test]
fn somebody_administers_a_new_workspace() {
    let inside = |email: &str, value: Value| (Id::within(Noun::WorkspaceMember, "dev", email), value);
    let people = [
        (Id::member("a"), json!({})),
        (Id::member("b"), json!({})),
        (Id::member("c"), json!({"roles": ["organization_admin"]})),
    ];
    let dev = (Id::workspace("dev"), json!({}));
    let admin = |members: &[(Id, Value)]| {
        let plan =
            plan(&wanted(&[std::slice::from_ref(&dev), members].concat()), &present(&people), true).unwrap();
        lines(&plan)
    };
    assert_eq!(admin(&[]), ["+ workspace dev: admin c"]);
    let both = [inside("a", json!({})), inside("b", json!({"roles": ["workspace_admin"]}))];
    assert_eq!(admin(&both), ["+ workspace dev: admin b", "+ workspace member a in dev"]);
    let demoted = [inside("b", json!({"roles": ["dev"]}))];
    assert_eq!(
        admin(&demoted),
        ["+ workspace dev: admin b", "~ workspace member b in dev: roles [\"workspace_admin\"] -> [\"dev\"]"]
    );
    let other = [inside("a", json!({}))];
    let pruned = ["+ workspace dev: admin c", "+ workspace member a in dev", "- workspace member c in dev"];
    assert_eq!(admin(&other), pruned);
    let nobody = plan(&wanted(&[dev]), &Present::default(), false).unwrap_err();
    assert!(nobody[0].contains("needs a person"), "{nobody:?}");
}

#[test]
fn what_cannot_be_is_refused_with_every_reason() {
    let channel = |kind: &str| (Id::of(Noun::AlertChannel, "ops"), json!({"kind": kind}));
    let mut want = wanted(&[
        channel("email"),
        (key("k"), json!({"owner": "ann", "role": "writer"})),
        (key("l"), json!({"role": "analyst", "service_account": "ci"})),
        (Id::within(Noun::ServiceAccount, "dev", "bot"), json!({"roles": ["boss", "dev"]})),
    ]);
    want.equipped.clear();
    let there = [
        channel("slack"),
        (Id::workspace("dev"), json!({})),
        (key("k"), json!({"owner": "bob"})),
        (Id::of(Noun::Role, "boss"), json!({"level": "organization"})),
        (Id::within(Noun::ServiceAccount, "dev", "ci"), json!({})),
    ];
    let mut errors = plan(&want, &present(&there), false).unwrap_err();
    errors.sort();
    assert_eq!(
        errors,
        [
            "alert channel ops: kind cannot be changed: give the channel another name",
            "key k in dev: owner cannot be changed: make a key of another name",
            "key k in dev: there is no member ann in this organization",
            "key k in dev: there is no model role writer in this organization",
            "key l in dev: a new key needs secret_file: a file, not there yet, that its secret is written to",
            "key l in dev: there is no service account ci in dev in the file",
            "service account bot in dev: there is no workspace role boss in this organization",
        ]
    );
}

#[test]
fn namesakes_are_refused_when_named_and_pruned_together() {
    let mut there = present(&[(Id::workspace("dev"), json!({})), (key("k"), json!({}))]);
    there.items.get_mut(&key("k")).unwrap().namesakes.push("2".into());
    let named = plan(&wanted(&[(key("k"), json!({}))]), &there, true).unwrap_err();
    assert!(named[0].contains("several of that name"));
    let mut empty = Wanted::default();
    empty.lists.insert((Noun::Key, None));
    assert_eq!(lines(&plan(&empty, &there, true).unwrap()), ["- key k in dev"]);
}

#[test]
fn groups_come_after_those_they_are_nested_in() {
    let group = |name: &str, parents: &[&str]| (Id::of(Noun::Group, name), json!({"parents": parents}));
    let want = wanted(&[group("a", &["c"]), group("b", &["a"]), group("c", &[])]);
    let made: Vec<String> =
        plan(&want, &Present::default(), false).unwrap().steps.iter().map(|s| s.id.name.clone()).collect();
    assert_eq!(made, ["c", "a", "b"]);
    assert!(checks::nesting(&want).is_empty());
    let circle = wanted(&[group("a", &["c"]), group("b", &[]), group("c", &["a"])]);
    assert_eq!(checks::nesting(&circle), ["group a: is nested in itself", "group c: is nested in itself"]);
}

#[test]
fn an_expiry_beyond_the_longest_life_is_the_longest_life() {
    let day = 86_400;
    let at = |days: i64| {
        Value::from(louver_domain::time::Timestamp::from_micros(0).plus_seconds(days * day).rfc3339())
    };
    let there = |expiry: Value| {
        let dev = (Id::workspace("dev"), json!({"max_key_lifetime_days": 30}));
        let organization = (Id::organization(), json!({"max_key_lifetime_days": 90}));
        let mut there = present(&[dev, organization, (key("k"), json!({"expires_at": expiry}))]);
        there.items.get_mut(&key("k")).unwrap().created = Some(100 * day);
        there
    };
    let steps = |asked: Value, expiry: Value| {
        lines(&plan(&wanted(&[(key("k"), json!({"expires_at": asked}))]), &there(expiry), false).unwrap())
            .len()
    };
    assert_eq!(steps(at(500), at(130)), 0);
    assert_eq!(steps(Value::Null, at(130)), 0);
    assert_eq!(steps(at(120), at(120)), 0);
    assert_eq!(steps(at(120), at(130)), 1);
    assert_eq!(steps(at(500), at(120)), 1);
}

/// A small world in which many things meet.
fn ids() -> Vec<Id> {
    let mut all = vec![Id::organization()];
    for name in ["a", "b"] {
        all.extend(
            [
                Noun::Role,
                Noun::ModelRole,
                Noun::Member,
                Noun::Workspace,
                Noun::Group,
                Noun::SecretDestination,
                Noun::AlertChannel,
            ]
            .map(|noun| Id::of(noun, name)),
        );
        for within in ["a", "b"] {
            let nested = [
                Noun::GroupMember,
                Noun::WorkspaceMember,
                Noun::WorkspaceGroup,
                Noun::ServiceAccount,
                Noun::Key,
            ];
            all.extend(nested.map(|noun| Id::within(noun, within, name)));
        }
    }
    all
}

fn some_fields() -> impl Strategy<Value = Fields> {
    let value = prop_oneof![Just(Value::Null), (1_u64..4).prop_map(Value::from)];
    let name = prop::sample::select(vec![
        "requests_per_minute",
        "tokens_per_minute",
        "description",
        "rotation",
        "x",
    ]);
    prop::collection::btree_map(name.prop_map(str::to_owned), value, 0..4)
}

/// What something stands in: itself when in nothing.
fn home(id: &Id) -> Id {
    let place = match id.noun {
        Noun::GroupMember => Noun::Group,
        Noun::WorkspaceMember | Noun::WorkspaceGroup | Noun::ServiceAccount | Noun::Key => Noun::Workspace,
        noun => noun,
    };
    Id::of(place, id.within.as_deref().unwrap_or(&id.name))
}

fn some_present() -> impl Strategy<Value = Present> {
    let items = prop::collection::vec(prop::option::of((some_fields(), any::<bool>())), ids().len());
    items.prop_map(|found| {
        let items = ids().into_iter().zip(found).filter_map(|(id, found)| {
            let (fields, pinned) = found?;
            Some((id, Found { fields, pinned, ..Found::default() }))
        });
        let mut present = Present { items: items.collect() };
        let houses = present.clone();
        present.items.retain(|id, _| houses.items.contains_key(&home(id)));
        present.items.entry(Id::organization()).or_default();
        present
    })
}

/// A file that names only what it lists; people and what else is named by others are in it.
fn some_wanted() -> impl Strategy<Value = Wanted> {
    let items = prop::collection::vec(prop::option::of(some_fields()), ids().len());
    (items, any::<bool>()).prop_map(|(fields, people)| {
        let mut wanted = Wanted::default();
        for (id, fields) in ids().into_iter().zip(fields) {
            let housed = home(&id) == id || wanted.items.contains_key(&home(&id));
            let person = matches!(id.noun, Noun::Member | Noun::Group | Noun::Workspace) && people;
            let Some(fields) = fields.or(person.then(Fields::new)).filter(|_| housed) else { continue };
            let flat = matches!(id.noun, Noun::ServiceAccount | Noun::Key);
            wanted.lists.insert((id.noun, if flat { None } else { id.within.clone() }));
            wanted.equipped.insert(id.clone());
            wanted.items.insert(id, fields);
        }
        wanted
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_plan_leaves_nothing_to_be_done(want in some_wanted(), there in some_present(), prune: bool) {
        let Ok(first) = plan(&want, &there, prune) else { return Ok(()) };
        let mut after = there.clone();
        first.steps.iter().for_each(|step| apply(&mut after, step));
        let second = plan(&want, &after, prune).unwrap();
        prop_assert_eq!(lines(&second), Vec::<String>::new());
        prop_assert!(!prune || second.extra.is_empty());
        for (id, fields) in &want.items {
            for (field, value) in fields {
                prop_assert_eq!(&after.field(id, field), value);
            }
        }
        for (id, found) in &there.items {
            let touched = want.items.contains_key(id) || (prune && want.covers(id));
            prop_assert!(touched && !found.pinned || want.items.contains_key(id) || after.items.get(id).is_some_and(|a| a.fields == found.fields), "{} was touched", id);
        }
    }
}
