//! The small pictures beside words. They say nothing by themselves: words do.

use maud::{Markup, html};

/// A picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Icon {
    Overview,
    Workspaces,
    Keys,
    Members,
    Groups,
    Roles,
    Access,
    Usage,
    Limits,
    Alerts,
    Audit,
    Upstreams,
    Models,
    Rotations,
    Api,
    Plus,
    Copy,
    Check,
    Cross,
    UpDown,
    Menu,
    Down,
    Warn,
    Info,
    Minus,
    Out,
}

impl Icon {
    /// The outline, in a square of sixteen.
    const fn path(self) -> &'static str {
        match self {
            Self::Overview => "M2.2 11.5a5.8 5.8 0 1 1 11.6 0M8 11l2.6-3.8",
            Self::Workspaces => "M2.5 2.5H7V7H2.5zM9 2.5h4.5V7H9zM2.5 9H7v4.5H2.5zM9 9h4.5v4.5H9z",
            Self::Keys => "M8.5 10.5a3 3 0 1 1-6 0 3 3 0 0 1 6 0zM7.7 8.3l5.8-5.8M11 5l2 2",
            Self::Members => {
                "M10.5 5a2.5 2.5 0 1 1-5 0 2.5 2.5 0 0 1 5 0zM3 13.5c.4-2.7 2.4-4 5-4s4.6 1.3 5 4"
            }
            Self::Groups => {
                "M8 6a2.2 2.2 0 1 1-4.4 0A2.2 2.2 0 0 1 8 6zM1.6 13c.4-2.3 2-3.5 4.2-3.5S9.6 10.7 10 13M10.3 3.9a2.2 2.2 0 0 1 0 4.2M12 9.8c1.3.5 2.1 1.6 2.4 3.2"
            }
            Self::Roles => "M8 1.8l5 1.8v4.2c0 3-2 5.2-5 6.4-3-1.2-5-3.4-5-6.4V3.6zM5.8 8l1.6 1.6 2.8-3",
            Self::Access => {
                "M11.5 7a4.5 4.5 0 1 1-9 0 4.5 4.5 0 0 1 9 0zM10.3 10.3L14 14M5.2 7.1l1.3 1.3L9 5.8"
            }
            Self::Usage => "M2.8 13.5V9.5M6.3 13.5v-8M9.7 13.5v-5M13.2 13.5v-11",
            Self::Limits => {
                "M2 5h6.5M11.5 5H14M2 11h2.5M7.5 11H14M11.5 5a1.5 1.5 0 1 1-3 0 1.5 1.5 0 0 1 3 0zM7.5 11a1.5 1.5 0 1 1-3 0 1.5 1.5 0 0 1 3 0z"
            }
            Self::Alerts => "M4 11.5V7a4 4 0 0 1 8 0v4.5l1 1H3zM6.8 14.3h2.4",
            Self::Audit => "M3.5 1.8H10l2.5 2.5v9.9h-9zM6 7.3h4M6 10.3h4",
            Self::Upstreams => "M4.5 12.5a3 3 0 0 1-.3-6 4 4 0 0 1 7.7.8 2.6 2.6 0 0 1-.4 5.2z",
            Self::Models => "M8 1.8L13.5 5v6L8 14.2 2.5 11V5zM2.5 5L8 8.1 13.5 5M8 8.1v6",
            Self::Rotations => {
                "M13 6.5A5.3 5.3 0 0 0 3.2 5.3M3 9.5a5.3 5.3 0 0 0 9.8 1.2M3 2.5v2.8h2.8M13 13.5v-2.8h-2.8"
            }
            Self::Api => "M5.5 4L1.8 8l3.7 4M10.5 4l3.7 4-3.7 4",
            Self::Plus => "M8 3v10M3 8h10",
            Self::Copy => "M5.5 5.5h8v8h-8zM3 10.5h-.5v-8h8V3",
            Self::Check => "M3 8.5l3.3 3.3L13 4.8",
            Self::Cross => "M4 4l8 8M12 4l-8 8",
            Self::UpDown => "M5 6l3-3 3 3M5 10l3 3 3-3",
            Self::Menu => "M2.5 4.5h11M2.5 8h11M2.5 11.5h11",
            Self::Down => "M8 2.5v8M4.5 7.5L8 11l3.5-3.5M3 13.5h10",
            Self::Warn => "M8 2l6.5 11.5h-13zM8 6.5v3M8 11.5v.1",
            Self::Info => "M14 8A6 6 0 1 1 2 8a6 6 0 0 1 12 0zM8 7.5V11M8 5v.1",
            Self::Minus => "M4.5 8h7",
            Self::Out => "M6.5 2.5h-4v11h4M10 5l3 3-3 3M13 8H6",
        }
    }
}

/// Draws it.
pub(crate) fn icon(which: Icon) -> Markup {
    html! { svg.ico viewBox="0 0 16 16" aria-hidden="true" { path d=(which.path()) {} } }
}

/// The mark of Louver: slats that let light through.
pub(crate) fn mark() -> Markup {
    html! {
        svg.mark viewBox="0 0 24 24" aria-hidden="true" {
            rect."m-0" width="24" height="24" rx="6" {}
            path."m-1" d="M7.2 5h11.3l-1.7 1.4H5.5z" {}
            path."m-2" d="M7.2 9.2h11.3l-1.7 2.6H5.5z" {}
            path."m-3" d="M7.2 14.4h11.3l-1.7 4.2H5.5z" {}
        }
    }
}
