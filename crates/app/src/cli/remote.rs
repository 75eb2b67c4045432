//! Where commands find the Louver that runs, and the admin key they speak with.

use crate::client::Client;
use crate::config::Environment;
use clap::Args;
use louver_domain::secret::Secret;

/// The Louver that a command speaks to.
#[derive(Args)]
pub(super) struct Remote {
    /// Its address; LOUVER_URL says it too, and else it is http://127.0.0.1:8080
    #[arg(long)]
    url: Option<String>,
}

const USUAL: &str = "http://127.0.0.1:8080";

impl Remote {
    /// A client with the admin key of the environment. There is no argument for the key: those can be seen by others.
    pub(super) fn client(&self, environment: &Environment) -> Result<Client, Vec<String>> {
        let key = environment.get("LOUVER_ADMIN_KEY").filter(|key| !key.is_empty());
        let key = key.ok_or_else(|| vec!["LOUVER_ADMIN_KEY is not set: it holds an admin key".to_owned()])?;
        let named = environment.get("LOUVER_URL").filter(|url| !url.is_empty());
        let url = self.url.as_ref().or(named).map_or(USUAL, String::as_str);
        Client::new(url, &Secret::new(key.trim().to_owned())).map_err(|error| vec![error])
    }
}
