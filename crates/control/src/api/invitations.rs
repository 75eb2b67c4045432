//! `/v1/gateway/invitations`, and the pages behind the links of invitations.

mod page;

use super::users::names;
use super::{Answer, Shared};
use crate::actions::invitations as actions;
use crate::actions::invitations::acceptance::{self, Acceptance};
use crate::context::{Context, RequestContext};
use crate::error::ControlError;
use crate::intake::params::Params;
use crate::intake::{Body, Named, Object};
use crate::openapi::about::PAGE;
use crate::openapi::shapes;
use crate::page::{Asked, Page};
use crate::reply;
use crate::routes::{Access, Routes};
use axum::Extension;
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, State};
use axum::response::Response;
use http::{Method, StatusCode};
use louver_domain::access::Action;
use louver_domain::deliveries::DeliveryState;
use louver_domain::id::{InvitationId, OrganizationId, RoleId, UserId, WorkspaceId};
use louver_domain::roles::Roles;
use louver_domain::time::Timestamp;
use louver_store::invitations::StoredInvitation;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

const LINK: &str = "/invitations/{token}";
const TOKEN: &str = "The secret of the link.";
const PAGE_KIND: &str = "text/html";

pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("/v1/gateway/invitations", Action::ReadInvitations, list)
        .named("list_invitations", "Open invitations, with their mail, and the link while no mail carries it")
        .query(PAGE)
        .answers::<Page<ShownWithLink>>()
        .route(Method::POST, "/v1/gateway/invitations/accept", Access::Link, accept)
        .named("accept_invitation", "Accept an invitation with the secret of its link")
        .takes::<AcceptanceIn>()
        .answers::<Accepted>()
        .refuses(&[404, 409])
        .route(Method::GET, LINK, Access::Link, ask)
        .named("get_invitation_page", "The page behind the link of an invitation, which asks for a name")
        .text("token", TOKEN)
        .answers_as(200, PAGE_KIND)
        .route(Method::POST, LINK, Access::Link, answer)
        .named("post_invitation_page", "Accept an invitation in that page")
        .text("token", TOKEN)
        .takes_form::<NamesIn>()
        .answers_as(200, PAGE_KIND)
        .answers_as(404, PAGE_KIND)
        .answers_as(422, PAGE_KIND)
        .refuses(&[409])
        .tagged("gateway.invitations")
}

/// An invitation as shown.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Shown {
    #[schemars(with = "shapes::Id")]
    id: InvitationId,
    #[schemars(extend("const" = "invitation"))]
    object: &'static str,
    email: String,
    #[schemars(with = "Vec<shapes::Id>")]
    roles: Vec<RoleId>,
    role_names: Vec<String>,
    #[schemars(with = "Vec<shapes::Id>")]
    workspaces: Vec<WorkspaceId>,
    #[schemars(with = "shapes::Time")]
    created_at: Timestamp,
    #[schemars(with = "shapes::Time")]
    expires_at: Timestamp,
    expired: bool,
}

impl Shown {
    pub(crate) fn of(stored: &StoredInvitation, roles: &Roles, now: Timestamp) -> Self {
        let invitation = &stored.invitation;
        Self {
            id: invitation.id,
            object: "invitation",
            email: invitation.email.clone(),
            roles: invitation.roles.clone(),
            role_names: names(roles, &invitation.roles),
            workspaces: invitation.workspaces.clone(),
            created_at: invitation.created_at,
            expires_at: invitation.expires_at,
            expired: invitation.is_expired(now),
        }
    }
}

/// An invitation with its mail, and the link while no mail carries it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Invitation")]
struct ShownWithLink {
    #[serde(flatten)]
    shown: Shown,
    #[schemars(extend("enum" = ["not_set_up", "pending", "sent", "failed"]))]
    mail: &'static str,
    /// Why the last attempt to send it failed.
    mail_error: Option<String>,
    link: Option<String>,
}

fn mail_word(stored: &StoredInvitation) -> &'static str {
    stored.mail.as_ref().map_or("not_set_up", |mail| match mail.state {
        DeliveryState::Pending => "pending",
        DeliveryState::Delivered => "sent",
        DeliveryState::Failed => "failed",
    })
}

async fn list(State(control): Shared, context: Context, mut params: Params) -> Answer {
    let asked = Asked::read(&mut params)?;
    params.done()?;
    let (all, roles) = actions::list(&control, &context).await?;
    let is_after =
        |stored: &StoredInvitation, after: &str| InvitationId::parse(after) == Some(stored.invitation.id);
    let mut failed = None;
    let page = Page::cut(all, &asked, is_after)?.map(|stored| {
        let link = actions::link(&control, &context, &roles, &stored).unwrap_or_else(|error| {
            failed = Some(error);
            None
        });
        ShownWithLink {
            mail: mail_word(&stored),
            mail_error: stored.mail.as_ref().and_then(|mail| mail.error.clone()),
            link: link.map(|link| link.expose().clone()),
            shown: Shown::of(&stored, &roles, context.now),
        }
    });
    failed.map_or_else(|| Ok(reply::ok(&page)), Err)
}

#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "InvitationAcceptance")]
#[serde(deny_unknown_fields)]
struct AcceptanceIn {
    #[schemars(with = "shapes::Hidden")]
    token: String,
    #[serde(default)]
    first_name: Option<String>,
    #[serde(default)]
    last_name: Option<String>,
}

impl AcceptanceIn {
    fn into_acceptance(self) -> Acceptance {
        Acceptance {
            token: self.token,
            first_name: trimmed(self.first_name.as_deref()),
            last_name: trimmed(self.last_name.as_deref()),
        }
    }
}

/// A name without the spaces around it; none when nothing is left.
pub(super) fn trimmed(name: Option<&str>) -> Option<String> {
    name.map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned)
}

/// Whom an accepted invitation made a member, and of what.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AcceptedInvitation")]
struct Accepted {
    #[schemars(extend("const" = "invitation.accepted"))]
    object: &'static str,
    #[schemars(with = "shapes::Id")]
    user_id: UserId,
    email: String,
    name: Option<String>,
    #[schemars(with = "shapes::Id")]
    organization_id: OrganizationId,
    organization_name: String,
}

async fn accept(
    State(control): Shared,
    Extension(origin): Extension<RequestContext>,
    Body(Object(given)): Body<Object<AcceptanceIn>>,
) -> Answer {
    let (user, organization) = acceptance::accept(&control, origin, given.into_acceptance()).await?;
    Ok(reply::ok(&Accepted {
        object: "invitation.accepted",
        user_id: user.id,
        email: user.email,
        name: user.name,
        organization_id: organization.id,
        organization_name: organization.name,
    }))
}

/// Asks for names. It is not looked up whether the link is good: who opens a link has not used it.
async fn ask() -> Response {
    page::form(StatusCode::OK, None)
}

#[derive(Default, Deserialize, JsonSchema)]
#[schemars(rename = "InvitationNames")]
struct NamesIn {
    #[serde(default)]
    first_name: String,
    #[serde(default)]
    last_name: String,
}

async fn answer(
    State(control): Shared,
    Extension(origin): Extension<RequestContext>,
    Named(token): Named<String>,
    given: Result<Form<NamesIn>, FormRejection>,
) -> Answer {
    let Ok(Form(given)) = given else {
        return Ok(page::form(StatusCode::UNPROCESSABLE_ENTITY, Some("The form could not be read.")));
    };
    let acceptance = Acceptance {
        token,
        first_name: trimmed(Some(&given.first_name)),
        last_name: trimmed(Some(&given.last_name)),
    };
    if acceptance.first_name.is_none() {
        return Ok(page::form(StatusCode::UNPROCESSABLE_ENTITY, Some("Please enter your first name.")));
    }
    match acceptance::accept(&control, origin, acceptance).await {
        Ok((user, organization)) => Ok(page::done(&user.email, &organization.name)),
        Err(ControlError::NotFound) => Ok(page::gone()),
        Err(ControlError::Invalid(fault)) => {
            let field = fault.param().replace('_', " ");
            let text = format!("The {field} {}.", fault.message);
            Ok(page::form(StatusCode::UNPROCESSABLE_ENTITY, Some(&text)))
        }
        Err(other) => Err(other),
    }
}
