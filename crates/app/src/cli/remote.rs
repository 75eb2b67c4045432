//! Where commands find the Louver that runs, and the admin key they speak with.

use super::failure::{End, Failure};
use crate::client::Client;
use crate::config::Environment;
use clap::Args;
use louver_domain::secret::Secret;

/// The Louver that a command speaks to.
#[derive(Args)]
pub(super) struct Remote {
    /// The address of Louver; LOUVER_URL says it too, and else it is http://127.0.0.1:8080
    #[arg(long, global = true, help_heading = super::session::HEADING)]
    url: Option<String>,
}

const NO_KEY: &str = "LOUVER_ADMIN_KEY is not set: it holds an admin key, which `louver init` and `louver dev` print \
                      once and `louver admin-key create` makes, on the machine of the data";
const USUAL: &str = "http://127.0.0.1:8080";

impl Remote {
    /// A client with the admin key of the environment. There is no argument for the key: those can be seen by others.
    pub(super) fn client(&self, environment: &Environment) -> Result<Client, Vec<String>> {
        let url = self.address(environment);
        let key = environment.get("LOUVER_ADMIN_KEY").filter(|key| !key.is_empty());
        let key = key.ok_or_else(|| vec![NO_KEY.to_owned()])?;
        Client::new(url, &Secret::new(key.trim().to_owned())).map_err(|error| vec![error])
    }

    /// The same, for commands whose ends scripts can tell apart.
    pub(super) fn reach(&self, environment: &Environment) -> Result<Client, Failure> {
        self.client(environment).map_err(|errors| {
            let wrong_address = environment.get("LOUVER_ADMIN_KEY").is_some_and(|key| !key.is_empty());
            let end = if wrong_address { End::Usage } else { End::NotAllowed };
            Failure::new(end, errors.join("\n"))
        })
    }

    /// The address that it would speak to.
    pub(super) fn address<'a>(&'a self, environment: &'a Environment) -> &'a str {
        let named = environment.get("LOUVER_URL").filter(|url| !url.is_empty());
        self.url.as_ref().or(named).map_or(USUAL, String::as_str)
    }

    /// Whether somebody said where it is.
    pub(super) fn is_named(&self, environment: &Environment) -> bool {
        self.url.is_some() || environment.get("LOUVER_URL").is_some_and(|url| !url.is_empty())
    }
}
