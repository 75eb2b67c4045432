//! A value that cannot be printed by accident and is wiped when dropped.

use zeroize::Zeroize;

/// Wraps a secret. It has no `Debug`, `Display` or `Serialize`; the only way in is [`Secret::expose`],
/// which is easy to search for.
#[derive(Clone)]
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    /// Takes `value` under guard.
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// Hands out the secret itself. Every call site is a place to review.
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}
