//! The admin side of a node: the admin API and the console, on the program's own event loop.

use crate::config::Config;
use crate::openapi;
use axum::Router;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use louver_control::Control;
use louver_control::context::RequestContext;
use louver_gateway::{Body, Fallback, Plane, Visitor};
use std::sync::Arc;
use std::time::Duration;
use tower::ServiceExt;

/// For an admin request as a whole, its body included.
const ADMIN_TIMEOUT: Duration = Duration::from_secs(30);

/// The admin API with its description, and the console.
pub(crate) fn of(config: &Config, control: &Arc<Control>) -> Result<Fallback, String> {
    let site = config.openapi_access.map(openapi::site).transpose()?;
    let admin_api = louver_control::router_with(Arc::clone(control), site);
    Ok(fallback(admin_api, louver_console::router(Arc::clone(control))))
}

/// Answers what the data plane has no endpoint for. The admin side runs on the program's own event loop, so that it
/// never holds up a worker.
fn fallback(admin_api: Router, console: Router) -> Fallback {
    let handle = tokio::runtime::Handle::current();
    Arc::new(move |visitor, plane, request| {
        let router = if is_page(request.uri().path()) { console.clone() } else { admin_api.clone() };
        let handle = handle.clone();
        Box::pin(async move {
            match request.uri().path() {
                path if openapi::HEALTH.contains(&path) => full(StatusCode::OK, b"{\"status\":\"ok\"}"),
                _ if plane == Plane::Data => full(StatusCode::NOT_FOUND, louver_mistral::error::NO_ROUTE),
                _ => admin(router, &handle, visitor, request).await,
            }
        })
    })
}

/// Whether the console answers, and not the admin API.
fn is_page(path: &str) -> bool {
    let rest = path.strip_prefix(louver_console::HOME);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

async fn admin(
    router: Router,
    handle: &tokio::runtime::Handle,
    visitor: Visitor,
    request: Request<Incoming>,
) -> Response<Body> {
    let mut request = request.map(axum::body::Body::new);
    request
        .extensions_mut()
        .insert(RequestContext { request_id: visitor.request_id, address: visitor.address });
    let mut task = handle.spawn(router.oneshot(request));
    let Ok(finished) = tokio::time::timeout(ADMIN_TIMEOUT, &mut task).await else {
        task.abort();
        return full(StatusCode::REQUEST_TIMEOUT, b"{\"detail\":\"The request took too long\"}");
    };
    match finished {
        Ok(Ok(response)) => response.map(|body| Body::Boxed(body.map_err(Into::into).boxed_unsync())),
        Ok(Err(never)) => match never {},
        Err(error) => {
            tracing::error!(%error, "an admin request did not finish");
            full(StatusCode::INTERNAL_SERVER_ERROR, b"{\"detail\":\"Internal error\"}")
        }
    }
}

fn full(status: StatusCode, body: &'static [u8]) -> Response<Body> {
    let mut response = Response::new(Body::Full(Some(bytes::Bytes::from_static(body))));
    *response.status_mut() = status;
    let json = http::HeaderValue::from_static("application/json");
    response.headers_mut().insert(http::header::CONTENT_TYPE, json);
    response
}
