//! The settings of upstream: named servers, retries, when credentials rest, and how often models are compared.
//!
//! Only the file names servers: nobody who can merely talk to Louver can make it talk to somebody.

use super::Environment;
use crate::upstream::Address;
use louver_domain::health::Policy;
use louver_domain::limits::Region;
use louver_gateway::ServerKind;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// An upstream key from the settings. It is not shown.
#[derive(Clone)]
pub struct UpstreamKey(louver_domain::secret::Secret<String>);

impl UpstreamKey {
    /// Takes the key under guard.
    pub fn new(key: String) -> Self {
        Self(louver_domain::secret::Secret::new(key))
    }

    /// The key itself.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl std::fmt::Debug for UpstreamKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("UpstreamKey(…)")
    }
}

/// The sections as given: `[upstreams.NAME]`.
pub(super) type Files = BTreeMap<String, File>;

/// One named server as given.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct File {
    url: Option<String>,
    kind: Option<String>,
    region: Option<String>,
    key: Option<String>,
    key_file: Option<PathBuf>,
    key_variable: Option<String>,
    keyless: bool,
}

impl std::fmt::Debug for File {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("File").field("url", &self.url).finish_non_exhaustive()
    }
}

/// A named server that was checked.
#[derive(Clone, Debug)]
pub struct Server {
    /// Its name.
    pub name: String,
    /// Scheme, host and port.
    pub url: String,
    /// What it is.
    pub kind: ServerKind,
    /// Where it answers calls.
    pub region: Option<Region>,
    /// The credential for those who stored none.
    pub key: Option<UpstreamKey>,
    /// Whether calls without a credential are sent too.
    pub keyless: bool,
}

/// `[retries]` as given.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Retries {
    attempts: Option<u32>,
}

/// `[breaker]` as given.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Breaker {
    failures: Option<u32>,
    window_seconds: Option<u32>,
    longest_rest_seconds: Option<u32>,
}

/// How calls meet trouble upstream.
#[derive(Clone, Copy, Debug)]
pub struct Care {
    /// Further attempts at a call that provably was not worked on.
    pub retries: u32,
    /// When credentials rest.
    pub health: Policy,
    /// How often the lists of models are compared; `None` is never.
    pub catalogue_sync: Option<Duration>,
}

const MOST_SERVERS: usize = 32;
const MOST_RETRIES: u32 = 5;
const SECOND: i64 = 1_000_000;

/// Checks the servers.
pub(super) fn servers(files: Files, environment: &Environment, errors: &mut Vec<String>) -> Vec<Server> {
    if files.len() > MOST_SERVERS {
        errors.push(format!("upstreams: at most {MOST_SERVERS} can be named"));
    }
    let mut check = |(name, file): (String, File)| {
        server(&name, file, environment)
            .map_err(|error| errors.push(format!("upstreams.{name}: {error}")))
            .ok()
    };
    files.into_iter().filter_map(&mut check).collect()
}

fn server(name: &str, file: File, environment: &Environment) -> Result<Server, String> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if !(1..=32).contains(&name.len()) || !name.bytes().all(plain) {
        return Err("a name is 1 to 32 of a-z, 0-9 and -".into());
    }
    let url = file.url.clone().ok_or("url is not set")?;
    let address = Address::parse(&url)?;
    let kind = match file.kind.as_deref() {
        Some("mistral") => ServerKind::Mistral,
        Some("compatible") => ServerKind::Compatible,
        None if address.is_mistrals() => ServerKind::Mistral,
        None => ServerKind::Compatible,
        Some(other) => return Err(format!("kind must be mistral or compatible, not {other:?}")),
    };
    let key = key(&file, environment)?;
    if file.keyless && key.is_some() {
        return Err("keyless and a key exclude each other".into());
    }
    Ok(Server {
        name: name.to_owned(),
        url,
        kind,
        region: region(file.region.as_deref())?,
        key,
        keyless: file.keyless,
    })
}

/// Reads `eu` or `us`.
pub(super) fn region(text: Option<&str>) -> Result<Option<Region>, String> {
    match text {
        None => Ok(None),
        Some("eu") => Ok(Some(Region::Eu)),
        Some("us") => Ok(Some(Region::Us)),
        Some(other) => Err(format!("region must be eu or us, not {other:?}")),
    }
}

fn key(file: &File, environment: &Environment) -> Result<Option<UpstreamKey>, String> {
    let key = match (&file.key, &file.key_file, &file.key_variable) {
        (None, None, None) => return Ok(None),
        (Some(key), None, None) => key.clone(),
        (None, Some(path), None) => {
            let text =
                std::fs::read_to_string(path).map_err(|e| format!("key_file {}: {e}", path.display()))?;
            text.trim_end_matches(['\r', '\n']).to_owned()
        }
        (None, None, Some(name)) => {
            environment.get(name).cloned().ok_or_else(|| format!("the variable {name} is not set"))?
        }
        _ => return Err("key, key_file and key_variable exclude each other".into()),
    };
    let sound = !key.is_empty() && key.bytes().all(|b| b.is_ascii_graphic());
    sound
        .then(|| Some(UpstreamKey::new(key)))
        .ok_or_else(|| "the key must be visible ASCII characters only".into())
}

/// Checks how trouble is met.
pub(super) fn care(
    retries: &Retries,
    breaker: &Breaker,
    rest_seconds: Option<u32>,
    sync_seconds: Option<u32>,
    errors: &mut Vec<String>,
) -> Care {
    let attempts = retries.attempts.unwrap_or(0);
    if attempts > MOST_RETRIES {
        errors.push(format!("retries.attempts must be at most {MOST_RETRIES}"));
    }
    let longest = breaker.longest_rest_seconds.unwrap_or(60);
    if longest == 0 {
        errors.push("breaker.longest_rest_seconds must be at least 1".into());
    }
    let micros = |seconds: u32| i64::from(seconds).saturating_mul(SECOND);
    let sync = sync_seconds.unwrap_or(3600);
    if sync != 0 && sync < 60 {
        errors.push("catalogue_sync_seconds must be 0 (never) or at least 60".into());
    }
    Care {
        retries: attempts,
        health: Policy {
            rest_micros: micros(rest_seconds.unwrap_or(5)),
            longest_rest_micros: micros(longest),
            failures: breaker.failures.unwrap_or(10),
            window_micros: micros(breaker.window_seconds.unwrap_or(30)),
            trial_micros: micros(longest),
        },
        catalogue_sync: (sync != 0).then(|| Duration::from_secs(sync.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(toml: &str) -> Result<Vec<Server>, Vec<String>> {
        let files: Files = toml::from_str(toml).map_err(|e| vec![e.to_string()])?;
        let mut errors = Vec::new();
        let environment = [("LAB_KEY".to_owned(), "from-the-environment".to_owned())].into();
        let servers = servers(files, &environment, &mut errors);
        if errors.is_empty() { Ok(servers) } else { Err(errors) }
    }

    #[test]
    fn f8_a_server_is_an_origin_over_tls_with_a_clear_key() {
        let servers = read(
            "[eu]\nurl = 'https://api.eu.mistral.ai'\nregion = 'eu'\nkey = 'abc'\n\
             [lab]\nurl = 'http://127.0.0.1:8000'\nkey_variable = 'LAB_KEY'\n[open]\nurl = 'http://[::1]:1'\nkeyless = true\n\
             [fake]\nurl = 'https://api.mistral.ai.example.com'\n",
        )
        .unwrap();
        let kinds: Vec<_> =
            servers.iter().map(|s| (s.name.as_str(), s.kind == ServerKind::Mistral)).collect();
        assert_eq!(kinds, [("eu", true), ("fake", false), ("lab", false), ("open", false)]);
        assert_eq!((servers[0].region, servers[2].region), (Some(Region::Eu), None));
        assert_eq!(servers[2].key.as_ref().unwrap().expose(), "from-the-environment");
        assert!(!format!("{servers:?}").contains("abc"));
        for bad in [
            "[a]\nkeyless = true",
            "[a]\nurl = 'http://10.0.0.1'",
            "[a]\nurl = 'http://api.eu.mistral.ai'",
            "[a]\nurl = 'https://x/v1'",
            "[a]\nurl = 'https://x/../y'",
            "[a]\nurl = 'https://x#y'",
            "[a]\nurl = 'https://u@x'",
            "[a]\nurl = 'https://x?y'",
            "[a]\nurl = 'https://x'\nregion = 'cn'",
            "[a]\nurl = 'https://x'\nkind = 'openai'",
            "[a]\nurl = 'https://x'\nkey = 'a b'",
            "[a]\nurl = 'https://x'\nkey = ''",
            "[a]\nurl = 'https://x'\nkey = 'a'\nkeyless = true",
            "[a]\nurl = 'https://x'\nkey = 'a'\nkey_variable = 'LAB_KEY'",
            "[a]\nurl = 'https://x'\nkey_variable = 'NOT_SET'",
            "[a]\nurl = 'https://x'\nkey_file = '/nonexistent'",
            "[a]\nurl = 'https://x'\nproxy = 'y'",
            "[A]\nurl = 'https://x'",
            "['']\nurl = 'https://x'",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
