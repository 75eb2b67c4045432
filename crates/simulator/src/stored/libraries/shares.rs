//! With whom a library is shared: with users, workspaces and organizations of the upstream.

use serde_json::{Map, Value, json};

use super::{Ask, World, absent, found, library, nowhere, wrong};
use crate::reply::Reply;

pub(crate) fn answer(world: &mut World, ask: &Ask<'_>, id: &str) -> Result<Reply, Reply> {
    let (organization, user) = (world.owners().0.to_owned(), world.owners().1.to_owned());
    let library = library(world, id)?;
    let with = |share: &Map<String, Value>, body: &Map<String, Value>| {
        share.get("share_with_uuid") == body.get("share_with_uuid")
    };
    match ask.method {
        "GET" => found(&json!({"data": library.shares})),
        "PUT" => {
            let body = ask.object()?;
            for name in ["level", "share_with_uuid", "share_with_type"] {
                if !body.get(name).is_some_and(Value::is_string) {
                    return Err(wrong(name, "missing", "Field required", Value::Object(body.clone())));
                }
            }
            let field = |name: &str| body.get(name).cloned().unwrap_or_default();
            let org = body.get("org_id").filter(|id| !id.is_null()).cloned().unwrap_or(json!(organization));
            let share = json!({"library_id": id, "user_id": user, "org_id": org, "role": field("level"),
                "share_with_type": field("share_with_type"), "share_with_uuid": field("share_with_uuid")});
            library.shares.retain(|share| !with(share, body));
            library.shares.extend(share.as_object().cloned());
            found(&share)
        }
        "DELETE" => {
            let body = ask.object()?;
            let at = library.shares.iter().position(|share| with(share, body));
            let share = at.map(|at| library.shares.remove(at)).ok_or_else(|| absent("Sharing"))?;
            found(&Value::Object(share))
        }
        _ => nowhere(),
    }
}
