//! The style sheet, the script and the mark: under names that change with their content, kept by browsers for good.

use crate::headers::gzip;
use aws_lc_rs::digest::{SHA256, digest};
use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::get;
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue};
use louver_control::Control;
use std::sync::{Arc, LazyLock};

const FOR_GOOD: &str = "public, max-age=31536000, immutable";

/// One file.
struct Asset {
    name: String,
    kind: &'static str,
    packed: Vec<u8>,
}

impl Asset {
    fn new(stem: &str, ending: &str, kind: &'static str, content: &[u8]) -> Self {
        let hash = digest(&SHA256, content);
        let short: String = hash.as_ref().iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        // Every browser that the console is made for takes gzip.
        Self { name: format!("{stem}-{short}.{ending}"), kind, packed: gzip(content).unwrap_or_default() }
    }

    fn address(&self) -> String {
        format!("/console/assets/{}", self.name)
    }
}

static STYLE: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new("console", "css", "text/css; charset=utf-8", include_bytes!("../assets/console.css"))
});
static SCRIPT: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new("console", "js", "text/javascript; charset=utf-8", include_bytes!("../assets/console.js"))
});
static MARK: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("mark", "svg", "image/svg+xml", include_bytes!("../assets/mark.svg")));

/// Where the style sheet lies.
pub(crate) fn style() -> String {
    STYLE.address()
}

/// Where the script lies.
pub(crate) fn script() -> String {
    SCRIPT.address()
}

/// Where the mark lies.
pub(crate) fn mark() -> String {
    MARK.address()
}

pub(crate) fn pages() -> Router<Arc<Control>> {
    Router::new().route("/console/assets/{name}", get(serve))
}

async fn serve(Path(name): Path<String>) -> Response {
    let found = [&*STYLE, &*SCRIPT, &*MARK].into_iter().find(|asset| asset.name == name);
    let Some(asset) = found else {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_FOUND;
        return response;
    };
    let mut response = Response::new(Body::from(asset.packed.clone()));
    for (name, value) in [(CONTENT_TYPE, asset.kind), (CONTENT_ENCODING, "gzip"), (CACHE_CONTROL, FOR_GOOD)] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
