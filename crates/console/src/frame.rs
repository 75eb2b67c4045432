//! What surrounds every page of somebody who is signed in: where they can go, as who, and in which workspace they look.

use crate::answer;
use crate::kit::alone::head;
use crate::kit::icons::{Icon, icon, mark};
use crate::kit::{Tone, initials, note, tile, workspace_tile};
use axum::extract::FromRequestParts;
use axum::response::Response;
use http::StatusCode;
use http::request::Parts;
use louver_control::Control;
use louver_control::actions::surroundings::{self, Surroundings};
use louver_control::context::Context;
use louver_domain::access::Action;
use louver_domain::id::WorkspaceId;
use louver_domain::workspaces::Workspace;
use maud::{DOCTYPE, Markup, html};
use std::sync::Arc;

use crate::failure::Failure;

/// Somebody who is signed in and asks for a page.
pub(crate) struct Visit {
    /// Who, and by what.
    pub(crate) context: Context,
    /// Their organization, and the workspaces that they see.
    pub(crate) around: Surroundings,
    /// What was just done, told by the address.
    done: Option<&'static str>,
    theme: Option<&'static str>,
}

impl FromRequestParts<Arc<Control>> for Visit {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, control: &Arc<Control>) -> Result<Self, Failure> {
        let context = Context::from_request_parts(parts, control).await?;
        let around = surroundings::of(control, &context).await?;
        let done = parts.uri.query().and_then(told);
        Ok(Self { context, around, done, theme: theme(&parts.headers) })
    }
}

/// What a page says after something was done, by the word in its address: none of it is anybody's text.
const TOLD: &[(&str, &str)] = &[
    ("created", "It is there."),
    ("saved", "The changes are saved."),
    ("password", "Your new password is set, and all your other sessions have ended."),
    ("ended", "The session has ended."),
    ("factor-off", "Your second factor is off."),
    ("archived", "The workspace is archived."),
    ("revoked", "The key is revoked: calls with it are refused from now on."),
    ("removed", "It is removed."),
    ("key-disabled", "The key is disabled: calls with it are refused until it is enabled."),
    ("key-enabled", "The key is enabled."),
    ("exempt", "The key stays although nobody uses it, until the day that you gave."),
    ("exemption-lifted", "The exemption is taken away."),
    ("rotation-begun", "The rotation has begun. It goes on by itself."),
    ("none-chosen", "Nothing was chosen, and nothing was done."),
    ("keys-disabled", "The keys are disabled."),
    ("keys-revoked", "The keys are revoked."),
    ("examined", "Everything since the last checkpoint is as it was written, and is signed now."),
    ("dismissed", "It is noted that somebody has looked."),
    ("rotating", "The rotation has begun."),
    ("retried", "The step is tried again now."),
    ("cancelling", "The rotation is being called off."),
    ("invited", "They are invited. Where no mail carries the link, it stands below."),
    ("sessions", "Their sessions have ended."),
    ("tested", "A test message is on its way: the list of alerts shows whether it arrived."),
    ("enabled", "The channel is enabled: alerts are sent there from now on."),
    ("disabled", "The channel is disabled: no alerts are sent there."),
    ("unblocked", "The budget is given out again."),
    ("released", "What was stranded is released."),
];

fn told(query: &str) -> Option<&'static str> {
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    let (_, word) = pairs.find(|(name, _)| name == "done")?;
    TOLD.iter().find(|(name, _)| *name == word).map(|(_, sentence)| *sentence)
}

/// The cookie that keeps how the reader wants to see pages.
pub(crate) const THEME: &str = "theme";

fn theme(headers: &http::HeaderMap) -> Option<&'static str> {
    let text = headers.get_all(http::header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = text.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    match pairs.find(|(name, _)| *name == THEME)?.1 {
        "light" => Some("light"),
        "dark" => Some("dark"),
        _ => None,
    }
}

/// The places of the console.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Here {
    /// The overview.
    Overview,
    /// Workspaces.
    Workspaces,
    /// Keys.
    Keys,
    /// People, invitations.
    Members,
    /// Groups.
    Groups,
    /// Roles, and who may do what.
    Roles,
    /// Access check.
    Access,
    /// Usage and billing.
    Usage,
    /// Budgets and limits.
    Limits,
    /// Alerts and their channels.
    Alerts,
    /// Keys for programs that administer Louver.
    AdminKeys,
    /// Upstream credentials.
    Upstreams,
    /// Models and prices.
    Models,
    /// Rotations, policies and destinations.
    Rotations,
    /// Audit log.
    Audit,
    /// The description of the API, which is no page of the console.
    Docs,
    /// What is the reader's own.
    Account,
}

/// One way in the column of ways: the place, the picture, what it is called, where it leads, and what one must be allowed to.
type Way = (Here, Icon, &'static str, &'static str, Option<Action>);

const WAYS: [(&str, &[Way]); 5] = [
    ("", &[(Here::Overview, Icon::Overview, "Overview", "/console", None)]),
    (
        "Access",
        &[
            (Here::Workspaces, Icon::Workspaces, "Workspaces", "/console/workspaces", None),
            (Here::Keys, Icon::Keys, "Keys", "/console/keys", Some(Action::ReadApiKeys)),
            (Here::Members, Icon::Members, "Members", "/console/members", Some(Action::ReadUsers)),
            (Here::Groups, Icon::Groups, "Groups", "/console/groups", Some(Action::ReadGroups)),
            (Here::Roles, Icon::Roles, "Roles", "/console/roles", Some(Action::ReadRoles)),
            (Here::Access, Icon::Access, "Access check", "/console/access", Some(Action::Explain)),
            (Here::AdminKeys, Icon::Api, "Admin keys", "/console/admin-keys", Some(Action::ReadAdminKeys)),
        ],
    ),
    (
        "Spend",
        &[
            (Here::Usage, Icon::Usage, "Usage & billing", "/console/usage", Some(Action::ReadUsage)),
            (Here::Limits, Icon::Limits, "Budgets & limits", "/console/limits", Some(Action::ReadBudgets)),
            (Here::Alerts, Icon::Alerts, "Alerts", "/console/alerts", Some(Action::ReadAlerts)),
        ],
    ),
    (
        "Gateway",
        &[
            (
                Here::Upstreams,
                Icon::Upstreams,
                "Upstreams",
                "/console/upstreams",
                Some(Action::ReadUpstreams),
            ),
            (Here::Models, Icon::Models, "Models & prices", "/console/models", Some(Action::ReadModels)),
            (
                Here::Rotations,
                Icon::Rotations,
                "Rotations",
                "/console/rotations",
                Some(Action::ReadRotations),
            ),
        ],
    ),
    (
        "Record",
        &[
            (Here::Audit, Icon::Audit, "Audit log", "/console/audit", Some(Action::ReadAuditLog)),
            (Here::Docs, Icon::Api, "API reference", "/docs", None),
        ],
    ),
];

impl Visit {
    /// Whether the reader may do this somewhere.
    pub(crate) fn may(&self, action: Action) -> bool {
        self.context.actor.may_somewhere(action)
    }

    /// Whether the reader may do this in that workspace, to what is anybody's.
    pub(crate) fn may_in(&self, workspace: WorkspaceId, action: Action) -> bool {
        self.context.actor.workspaces_with(action).is_none_or(|among| among.contains(&workspace))
    }

    /// Whether the reader may do this everywhere in the organization.
    pub(crate) fn may_everywhere(&self, action: Action) -> bool {
        self.context.actor.workspaces_with(action).is_none()
    }

    /// The page with what surrounds it. `way` leads from the organization to here, the page itself last.
    pub(crate) fn page(&self, here: Here, way: &[(&str, &str)], body: &Markup) -> Response {
        self.page_with(StatusCode::OK, here, way, body)
    }

    /// The same with a status, for a form that came back.
    pub(crate) fn page_with(
        &self,
        status: StatusCode,
        here: Here,
        way: &[(&str, &str)],
        body: &Markup,
    ) -> Response {
        answer::page(status, self.markup(here, way, body, false))
    }

    /// The page whose live parts come anew by themselves until the reader stops them.
    pub(crate) fn live_page(&self, here: Here, way: &[(&str, &str)], body: &Markup) -> Response {
        answer::page(StatusCode::OK, self.markup(here, way, body, true))
    }

    /// The same for a page that shows a secret.
    pub(crate) fn secret_page(&self, here: Here, way: &[(&str, &str)], body: &Markup) -> Response {
        answer::secret_page(self.markup(here, way, body, false))
    }

    fn markup(&self, here: Here, way: &[(&str, &str)], body: &Markup, live: bool) -> Markup {
        let title = way.last().map_or("Overview", |(text, _)| *text);
        html! {
            (DOCTYPE)
            html lang="en" data-theme=[self.theme] {
                (head(title))
                body {
                    a.skip href="#main" { "Skip to content" }
                    div.shell {
                        nav.side #side popover aria-label="Main" { (self.side(here)) }
                        div.col {
                            header.bar {
                                button.btn.plain."menu-open" type="button" popovertarget="side" aria-label="Open menu" {
                                    (icon(Icon::Menu))
                                }
                                (self.crumbs(way))
                                @if live { (self.freshness()) }
                            }
                            main #main tabindex="-1" {
                                @if let Some(done) = self.done { div role="status" { (note(Tone::Good, &html! { p { (done) } }, None)) } }
                                (body)
                            }
                        }
                    }
                }
            }
        }
    }

    fn side(&self, here: Here) -> Markup {
        html! {
            a.brand href="/console" { (mark()) "Louver" }
            button.btn.plain."menu-close" type="button" popovertarget="side" popovertargetaction="hide"
                aria-label="Close menu" { (icon(Icon::Cross)) }
            (self.switcher())
            @for (at, (title, ways)) in WAYS.iter().enumerate() {
                @let open: Vec<&Way> = ways.iter().filter(|way| way.4.is_none_or(|action| self.may(action))).collect();
                @if !open.is_empty() {
                    @if !title.is_empty() { h2 id={ "nav-" (at) } { (title) } }
                    ul aria-labelledby=[(!title.is_empty()).then(|| format!("nav-{at}"))] {
                        @for (place, picture, text, href, _) in open {
                            li { a href=(href) aria-current=[(*place == here).then_some("page")] { (icon(*picture)) (text) } }
                        }
                    }
                }
            }
            div.foot { (self.own_menu()) }
        }
    }

    fn switcher(&self) -> Markup {
        let around = &self.around;
        html! {
            details.menu.boxed {
                summary {
                    (tile(&initials(&around.organization), ""))
                    span.two { b { (around.organization) } small.quiet { (workspaces_in_words(&around.workspaces)) } }
                    span.sr { " – go to a workspace" }
                    (icon(Icon::UpDown))
                }
                div.pop {
                    p { (around.organization) }
                    ul {
                        @for workspace in around.workspaces.iter().filter(|one| one.archived_at.is_none()).take(50) {
                            li {
                                a.item href={ "/console/workspaces/" (workspace.id) } {
                                    (workspace_tile(&workspace.name, workspace.icon.as_deref())) (workspace.name)
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    fn own_menu(&self) -> Markup {
        let who = self.context.actor.name();
        let name = self.around.person.as_deref().unwrap_or(who);
        html! {
            details.menu.above {
                summary {
                    (tile(&initials(name), "round"))
                    span.two { b { (name) } small.quiet { (who) } }
                    (icon(Icon::UpDown))
                }
                div.pop {
                    a.item href="/console/me" { (icon(Icon::Overview)) "Yours" }
                    a.item href="/console/account" { (icon(Icon::Roles)) "Password and sessions" }
                    hr;
                    (self.themes())
                    hr;
                    form method="post" action="/console/sign-out" { button.item { (icon(Icon::Out)) "Sign out" } }
                }
            }
        }
    }

    fn themes(&self) -> Markup {
        html! {
            form method="post" action="/console/account/theme" data-theme-form {
                p #theme-label { "Theme" }
                div.seg role="group" aria-labelledby="theme-label" {
                    @for (value, text) in [("light", "Light"), ("dark", "Dark"), ("system", "System")] {
                        @let pressed = self.theme.unwrap_or("system") == value;
                        button name="theme" value=(value) aria-pressed=(pressed) { (text) }
                    }
                }
            }
        }
    }

    fn freshness(&self) -> Markup {
        let text = self.context.now.rfc3339();
        html! {
            span.live {
                span {
                    span.sr { "As of " }
                    time data-live-at datetime=(text) data-time="clock" { (text.get(11..19).unwrap_or_default()) " UTC" }
                }
                button.btn.plain.tiny type="button" hidden data-js data-live aria-pressed="true" { "Live" }
            }
        }
    }

    fn crumbs(&self, way: &[(&str, &str)]) -> Markup {
        html! {
            nav.crumbs aria-label="Breadcrumb" {
                ol {
                    li { a href="/console" { (self.around.organization) } }
                    @for (at, (text, href)) in way.iter().enumerate() {
                        @if at.saturating_add(1) == way.len() {
                            li { span aria-current="page" { (text) } }
                        } @else {
                            li { a href=(href) { (text) } }
                        }
                    }
                }
            }
        }
    }
}

fn workspaces_in_words(workspaces: &[Workspace]) -> String {
    match workspaces.iter().filter(|workspace| workspace.archived_at.is_none()).count() {
        1 => "1 workspace".to_owned(),
        many => format!("{many} workspaces"),
    }
}
