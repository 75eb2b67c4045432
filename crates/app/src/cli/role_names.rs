//! Roles as commands take them, by name or id, in the two members that the API has for that.

use super::failure::Failure;
use super::lookup::is_id;
use serde_json::Value;

/// Puts roles into a body; none leaves what is usual.
pub(super) fn into(body: &mut Value, roles: &[String]) -> Result<(), Failure> {
    let member = match roles {
        [] => return Ok(()),
        ids if ids.iter().all(|role| is_id(role)) => "roles",
        names if names.iter().any(|role| is_id(role)) => {
            return Err(Failure::usage("give the roles all by name, or all by id"));
        }
        _ => "role_names",
    };
    if let Some(members) = body.as_object_mut() {
        members.insert(member.to_owned(), roles.into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn roles_stand_by_name_or_by_id() {
        let id = "7bde5959-d676-47d2-b779-35b64323d278".to_owned();
        for (roles, body) in [
            (vec![], Some(json!({}))),
            (vec!["member".to_owned()], Some(json!({"role_names": ["member"]}))),
            (vec![id.clone()], Some(json!({"roles": [id]}))),
            (vec![id.clone(), "member".to_owned()], None),
        ] {
            let mut made = json!({});
            assert_eq!(into(&mut made, &roles).ok().map(|()| made), body);
        }
    }
}
