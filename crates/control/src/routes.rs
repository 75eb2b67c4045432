//! The table of routes: each with the permission that it asks for, so that none can be served without one.

use crate::Control;
use crate::error::ControlError;
use crate::idempotency::Once;
use crate::openapi::about::{About, Parameter};
use axum::Router;
use axum::extract::{Request, State};
use axum::handler::Handler;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter};
use http::Method;
use louver_domain::access::{Action, Actor};
use schemars::JsonSchema;
use std::sync::Arc;

/// What a request must bring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// An admin key whose holder has this permission somewhere; the action then judges the very object.
    Admin(Action),
    /// An admin key that is accepted: it is asked about its holder.
    AnyAdmin,
    /// An API key that is accepted: it is asked about itself.
    ApiKey,
    /// The one-time secret of a link.
    Link,
    /// Nothing.
    Open,
}

/// One route.
#[derive(Clone, Debug)]
pub struct Operation {
    /// The method.
    pub method: Method,
    /// The path, with its parameters in braces.
    pub path: &'static str,
    /// What a request must bring.
    pub access: Access,
    /// What the description of the API says of it.
    pub about: About,
}

impl Operation {
    /// Whether it is carried out once for one `Idempotency-Key`.
    pub(crate) fn is_once(&self) -> bool {
        self.method == Method::POST && matches!(self.access, Access::Admin(_) | Access::AnyAdmin)
    }
}

/// Routes that answer, with their rows in the table.
pub(crate) struct Routes {
    guarded: Router<Arc<Control>>,
    open: Router<Arc<Control>>,
    operations: Vec<Operation>,
}

macro_rules! methods {
    ($($name:ident $method:ident;)*) => {$(
        /// Adds a route of that method that admins ask.
        pub(crate) fn $name<H, T>(self, path: &'static str, action: Action, handler: H) -> Self
        where
            H: Handler<T, Arc<Control>>,
            T: 'static,
        {
            self.route(Method::$method, path, Access::Admin(action), handler)
        }
    )*};
}

impl Routes {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self { guarded: Router::new(), open: Router::new(), operations: Vec::new() }
    }

    methods! {
        get GET;
        post POST;
        put PUT;
        patch PATCH;
        delete DELETE;
    }

    /// Adds a route.
    pub(crate) fn route<H, T>(
        mut self,
        method: Method,
        path: &'static str,
        access: Access,
        handler: H,
    ) -> Self
    where
        H: Handler<T, Arc<Control>>,
        T: 'static,
    {
        // Every method that the table names has a filter.
        let filter = MethodFilter::try_from(method.clone()).unwrap_or(MethodFilter::GET);
        let operation = Operation { method, path, access, about: About::default() };
        let route = match operation.is_once() {
            true => MethodRouter::new().on(filter, Once(handler)),
            false => MethodRouter::new().on(filter, handler),
        };
        match access {
            Access::Admin(action) => {
                let gate = middleware::from_fn_with_state(action, gate);
                self.guarded = self.guarded.route(path, route.route_layer(gate));
            }
            Access::AnyAdmin => self.guarded = self.guarded.route(path, route),
            Access::ApiKey | Access::Link | Access::Open => self.open = self.open.route(path, route),
        }
        self.operations.push(operation);
        self
    }

    /// Gives the route that was added last its id, which is unique, and one line that says what it does.
    pub(crate) fn named(self, id: &'static str, summary: &'static str) -> Self {
        self.with(|about| about.named(id, summary))
    }

    /// More to say about the last route.
    pub(crate) fn saying(self, description: &'static str) -> Self {
        self.with(|about| about.saying(description))
    }

    /// Parameters of the query of the last route.
    pub(crate) fn query(self, parameters: &'static [Parameter]) -> Self {
        self.with(|about| about.query(parameters))
    }

    /// The last route has a text, and no id, as that parameter of its path.
    pub(crate) fn text(self, parameter: &'static str, description: &'static str) -> Self {
        self.with(|about| about.text(parameter, description))
    }

    /// The body that the last route reads.
    pub(crate) fn takes<T: JsonSchema>(self) -> Self {
        self.with(About::takes::<T>)
    }

    /// What the last route answers with a 200.
    pub(crate) fn answers<T: JsonSchema>(self) -> Self {
        self.with(|about| about.answers::<T>(200))
    }

    /// What the last route answers in another media type than JSON.
    pub(crate) fn answers_as(self, status: u16, kind: &'static str) -> Self {
        self.with(|about| about.answers_as(status, kind))
    }

    /// The last route reads a form of a page.
    pub(crate) fn takes_form<T: JsonSchema>(self) -> Self {
        self.with(About::takes_form::<T>)
    }

    /// The last route also answers in CSV.
    pub(crate) fn csv(self) -> Self {
        self.with(About::csv)
    }

    /// The last route shows and heeds the state that `If-Match` names.
    pub(crate) fn edited(self) -> Self {
        self.with(About::edited)
    }

    /// Refusals of the last route besides those that follow from its access, path and body.
    pub(crate) fn refuses(self, statuses: &'static [u16]) -> Self {
        self.with(|about| about.refuses(statuses))
    }

    /// The chapter of all routes so far that have none.
    pub(crate) fn tagged(mut self, tag: &'static str) -> Self {
        for operation in self.operations.iter_mut().filter(|operation| operation.about.tag.is_empty()) {
            operation.about.tag = tag;
        }
        self
    }

    fn with(mut self, change: impl FnOnce(About) -> About) -> Self {
        if let Some(operation) = self.operations.last_mut() {
            operation.about = change(std::mem::take(&mut operation.about));
        }
        self
    }

    /// These and those.
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.guarded = self.guarded.merge(other.guarded);
        self.open = self.open.merge(other.open);
        self.operations.extend(other.operations);
        self
    }

    /// The table.
    pub(crate) fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// The routes that need an admin key, and the others.
    pub(crate) fn into_routers(self) -> (Router<Arc<Control>>, Router<Arc<Control>>) {
        (self.guarded, self.open)
    }
}

/// The permission that the route of an answer asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AskedFor(pub(crate) Action);

/// Lets nobody near a route who has nothing there that they may do this to.
async fn gate(State(action): State<Action>, request: Request, next: Next) -> Result<Response, ControlError> {
    let actor = request.extensions().get::<Actor>().ok_or(ControlError::Unauthorized)?;
    let mut response = match actor.may_somewhere(action) {
        true => next.run(request).await,
        false => ControlError::lacking(action).into_response(),
    };
    response.extensions_mut().insert(AskedFor(action));
    Ok(response)
}
