//! Invitations: sent, sent anew, taken back; with the link where no mail carries it.

use super::{ALL, INVITE};
use crate::answer::{Answer, go};
use crate::confirm::Question;
use crate::fields::Fields;
use crate::figures::distance;
use crate::frame::{Here, Visit};
use crate::kit::form::{Faults, Field};
use crate::kit::table::{Column, table};
use crate::kit::{Card, Head, Tone, badge, chips, copy, note};
use crate::limits_form::{picker_of, words};
use crate::workspaces::{names, read_roles, role_ticks};
use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::{get, post};
use http::StatusCode;
use louver_control::Control;
use louver_control::actions::invitations::{self as actions, Invited, NewInvitations};
use louver_control::actions::{custom_roles, workspaces};
use louver_control::error::ControlError;
use louver_domain::access::Action;
use louver_domain::id::{InvitationId, WorkspaceId};
use louver_domain::roles::{MEMBER, RoleLevel};
use maud::{Markup, html};
use std::sync::Arc;

/// The most that are shown below the people.
const MOST: usize = 200;

pub(super) fn pages() -> Router<Arc<Control>> {
    Router::new()
        .route(INVITE, get(ask).post(send))
        .route("/console/members/invitations/{invitation}/resend", post(resend))
        .route("/console/members/invitations/{invitation}/revoke", post(revoke))
}

/// Those that nobody has taken up.
pub(super) async fn card(control: &Control, visit: &Visit) -> Result<Markup, ControlError> {
    let context = &visit.context;
    let (all, roles) = actions::list(control, context).await?;
    if all.is_empty() {
        return Ok(html! {});
    }
    let mut rows: Vec<Vec<Markup>> = vec![];
    for stored in all.iter().take(MOST) {
        let invitation = &stored.invitation;
        let link = actions::link(control, context, &roles, stored)?;
        let element = format!("link-{}", invitation.id);
        let at = format!("/console/members/invitations/{}", invitation.id);
        rows.push(vec![
            html! { span.title title=(invitation.email) { (invitation.email) } },
            chips(&names(&roles, &invitation.roles)),
            html! {
                @if invitation.is_expired(context.now) { (badge(Tone::Off, "Expired")) }
                @else { "expires " (distance(invitation.expires_at, context.now)) }
            },
            html! {
                @match &link {
                    Some(link) => { code.mono.small id=(element) { (link.expose()) } " " (copy(&element, "Copy link")) },
                    None => { "sent by mail" },
                }
            },
            html! {
                div.acts {
                    @if visit.may(Action::ResendInvitation) {
                        form method="post" action={ (at) "/resend" } { button.btn.tiny { "Resend" span.sr { " to " (invitation.email) } } }
                    }
                    @if visit.may(Action::RevokeInvitation) {
                        form method="post" action={ (at) "/revoke" } data-confirm="The link stops to work." data-confirm-title="Take the invitation back?" data-confirm-yes="Take back" {
                            button.btn.tiny.danger { "Take back" span.sr { " the invitation of " (invitation.email) } }
                        }
                    }
                }
            },
        ]);
    }
    let columns = [
        Column::text("Invited"),
        Column::text("Roles"),
        Column::text("Until"),
        Column::text("Link"),
        Column::text("Actions"),
    ];
    let sub = html! { (all.len()) " open" };
    let flush = Some(table("Invitations", &columns, &rows));
    Ok(Card { id: "invitations", title: "Invitations", sub: Some(sub), flush, ..Card::default() }.draw())
}

async fn ask(State(control): State<Arc<Control>>, visit: Visit) -> Answer {
    if !visit.may(Action::SendInvitation) {
        return Err(ControlError::Lacking(Action::SendInvitation).into());
    }
    let fields = Fields::of(vec![("roles".into(), MEMBER.to_string())]);
    Ok(form(&control, &visit, StatusCode::OK, &fields, &Faults::none(), None).await?)
}

async fn form(
    control: &Control,
    visit: &Visit,
    status: StatusCode,
    fields: &Fields,
    faults: &Faults,
    said: Option<&Markup>,
) -> Result<Response, ControlError> {
    let roles = custom_roles::list(control, &visit.context).await?;
    let spaces: Vec<(String, String)> = visit
        .around
        .workspaces
        .iter()
        .filter(|workspace| workspace.archived_at.is_none())
        .map(|workspace| (workspace.id.to_string(), workspace.name.clone()))
        .collect();
    let body = html! {
        (Head { title: "Invite people", ..Head::default() }.draw())
        (faults.summary())
        @if let Some(said) = said { (note(Tone::Warn, said, None)) }
        section.card {
            form.form.body method="post" action=(INVITE) {
                (Field::new("emails", "Mail addresses").required().hint("One a line, or parted by commas").filled(fields, faults).lines(4))
                (role_ticks(&roles, RoleLevel::Organization, &fields.list("roles")))
                fieldset { legend { "Member of these workspaces" } (picker_of("Workspaces", "workspaces", &spaces, &fields.list("workspaces"))) }
                div.acts { button.btn.main { "Send invitations" } a.btn.plain href=(ALL.1) { "Cancel" } }
            }
        }
    };
    Ok(visit.page_with(status, Here::Members, &[ALL, ("Invite people", "")], &body))
}

async fn send(State(control): State<Arc<Control>>, visit: Visit, fields: Fields) -> Answer {
    let status = StatusCode::UNPROCESSABLE_ENTITY;
    match send_all(&control, &visit, &fields).await {
        Ok(invited) if invited.refused.is_empty() && invited.members.is_empty() => {
            Ok(go("/console/members?done=invited"))
        }
        Ok(invited) => {
            let said = html! {
                @if !invited.sent.is_empty() { p { (invited.sent.len()) " invited." } }
                @if !invited.refused.is_empty() { p { "No mail address: " (invited.refused.join(", ")) } }
                @if !invited.members.is_empty() { p { "Members already: " (invited.members.join(", ")) } }
            };
            Ok(form(&control, &visit, status, &fields, &Faults::none(), Some(&said)).await?)
        }
        Err(error) => Ok(form(&control, &visit, status, &fields, &Faults::of(error)?, None).await?),
    }
}

async fn send_all(control: &Control, visit: &Visit, fields: &Fields) -> Result<Invited, ControlError> {
    let emails = words(fields.text("emails"));
    if emails.is_empty() {
        return Err(ControlError::field("emails", "name at least one"));
    }
    let wrong = || ControlError::field("workspaces", "names a workspace that is not there");
    let chosen = fields.list("workspaces");
    let workspaces = chosen.iter().map(|id| WorkspaceId::parse(id).ok_or_else(wrong));
    let new = NewInvitations {
        emails,
        roles: read_roles(fields)?,
        workspaces: workspaces.collect::<Result<_, _>>()?,
    };
    for id in &new.workspaces {
        workspaces::get(control, &visit.context, *id).await?;
    }
    actions::send(control, &visit.context, new).await
}

async fn resend(State(control): State<Arc<Control>>, visit: Visit, Path(id): Path<String>) -> Answer {
    let id = InvitationId::parse(&id).ok_or(ControlError::NotFound)?;
    let (all, _) = actions::list(&control, &visit.context).await?;
    let stored = all.into_iter().find(|stored| stored.invitation.id == id).ok_or(ControlError::NotFound)?;
    let invitation = stored.invitation;
    let new = NewInvitations {
        emails: vec![invitation.email],
        roles: invitation.roles,
        workspaces: invitation.workspaces,
    };
    actions::send(&control, &visit.context, new).await?;
    Ok(go("/console/members?done=invited"))
}

async fn revoke(
    State(control): State<Arc<Control>>,
    visit: Visit,
    Path(id): Path<String>,
    fields: Fields,
) -> Answer {
    let id = InvitationId::parse(&id).ok_or(ControlError::NotFound)?;
    let question = Question {
        action: &format!("/console/members/invitations/{id}/revoke"),
        title: "Take the invitation back?",
        text: "The link stops to work.",
        yes: "Take back",
        back: ALL.1,
    };
    if let Some(page) = question.unless_answered(&fields) {
        return Ok(page);
    }
    actions::revoke(&control, &visit.context, id).await?;
    Ok(go("/console/members?done=removed"))
}
