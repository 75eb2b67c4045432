//! The pages behind an invitation's link: plain HTML that loads nothing and runs nothing.

use axum::body::Body;
use axum::response::Response;
use http::header::{
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderValue, StatusCode};

const POLICY: &str = "default-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The form, with what was wrong with the one before.
pub(super) fn form(status: StatusCode, fault: Option<&str>) -> Response {
    let fault = fault.map(|text| format!("<p role=\"alert\">{}</p>\n", escaped(text))).unwrap_or_default();
    let text = format!(
        "<h1>You are invited to Louver</h1>\n{fault}<form method=\"post\">\n\
         <p><label>First name<br><input name=\"first_name\" required maxlength=\"255\" autocomplete=\"given-name\"></label></p>\n\
         <p><label>Last name<br><input name=\"last_name\" maxlength=\"255\" autocomplete=\"family-name\"></label></p>\n\
         <p><button>Accept the invitation</button></p>\n</form>\n"
    );
    answer(status, &text)
}

/// It worked.
pub(super) fn done(email: &str, organization: &str) -> Response {
    let (email, organization) = (escaped(email), escaped(organization));
    let text = format!(
        "<h1>Done</h1>\n<p>{email} is now a member of {organization}.</p>\n\
         <p>An administrator can now give you access to workspaces.</p>\n"
    );
    answer(StatusCode::OK, &text)
}

/// It did not, and which of the reasons it was is not told.
pub(super) fn gone() -> Response {
    let text = "<h1>This link does not work</h1>\n\
                <p>It was used already, it has expired, or it was replaced by a newer one. Ask whoever invited you for \
                another.</p>\n";
    answer(StatusCode::NOT_FOUND, text)
}

fn answer(status: StatusCode, text: &str) -> Response {
    let whole = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>Invitation</title>\n<main>\n{text}</main>\n</html>\n"
    );
    let mut response = Response::new(Body::from(whole));
    *response.status_mut() = status;
    let headers: [(HeaderName, &'static str); 5] = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (HeaderName::from_static("x-robots-tag"), "noindex"),
    ];
    for (name, value) in headers {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}
