//! Hashes passwords and compares them: argon2id with the cost that OWASP names, a few at a time and off the event loop.

use crate::error::ControlError;
use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use louver_domain::entropy::Entropy;
use louver_domain::secret::Secret;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// As many at a time: each takes its memory and a core.
const AT_ONCE: usize = 2;

/// As many wait for their turn; more are asked to come again.
const MOST_WAITING: usize = 50;

/// Hashes and compares.
pub struct Passwords {
    turns: Arc<Semaphore>,
    places: Arc<Semaphore>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self { turns: Arc::new(Semaphore::new(AT_ONCE)), places: Arc::new(Semaphore::new(MOST_WAITING)) }
    }
}

impl Passwords {
    /// The hash of a password, in the PHC format.
    pub(crate) async fn hash(
        &self,
        password: Secret<String>,
        entropy: &dyn Entropy,
    ) -> Result<String, ControlError> {
        let mut salt = [0; 16];
        entropy.fill(&mut salt);
        self.work(move || {
            let hash: Result<PasswordHash, _> =
                hasher()?.hash_password_with_salt(password.expose().as_bytes(), &salt);
            hash.map(|hash| hash.to_string()).map_err(internal)
        })
        .await
    }

    /// Whether it is that password. Without a hash it takes as long, and is never.
    pub(crate) async fn is(
        &self,
        password: Secret<String>,
        hash: Option<String>,
    ) -> Result<bool, ControlError> {
        self.work(move || {
            let hasher = hasher()?;
            let Some(hash) = hash else {
                let nobodys: Result<PasswordHash, _> =
                    hasher.hash_password_with_salt(password.expose().as_bytes(), &[0; 16]);
                return nobodys.map(|_| false).map_err(internal);
            };
            Ok(hasher.verify_password(password.expose().as_bytes(), hash.as_str()).is_ok())
        })
        .await
    }

    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, ControlError> + Send + 'static,
    ) -> Result<T, ControlError> {
        let full = |_| ControlError::Unavailable("too many passwords are compared at once".into());
        let _place = self.places.try_acquire().map_err(full)?;
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(internal)?;
        let task = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work()
        });
        task.await.map_err(internal)?
    }
}

fn hasher() -> Result<Argon2<'static>, ControlError> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(internal)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn internal(error: impl std::fmt::Display) -> ControlError {
    ControlError::Internal(format!("a password could not be hashed: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed;
    impl Entropy for Fixed {
        fn fill(&self, out: &mut [u8]) {
            out.fill(7);
        }
    }

    #[tokio::test]
    async fn a_password_is_itself_and_no_other() {
        let passwords = Passwords::default();
        let secret = |text: &str| Secret::new(text.to_owned());
        let hash = passwords.hash(secret("correct horse battery"), &Fixed).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(passwords.is(secret("correct horse battery"), Some(hash.clone())).await.unwrap());
        assert!(!passwords.is(secret("correct horse batterx"), Some(hash)).await.unwrap());
        assert!(!passwords.is(secret("anything"), None).await.unwrap());
    }
}
