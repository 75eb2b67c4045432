//! The counters of shared limits, in the memory of one node.
//!
//! A window outlives the snapshots of the rules: it is found again by its scope, so that a changed limit does not
//! forget what was used.

use louver_domain::limits::Level;
use louver_domain::rates::MinuteWindow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a window counts for: a level and the id at it.
pub type Scope = (Level, [u8; 16]);

/// A window that many calls share.
#[derive(Default)]
pub struct SharedWindow(Mutex<MinuteWindow>);

impl SharedWindow {
    /// Locks the window. Calls lock from the organization down to the key, always in that order.
    pub fn lock(&self) -> MutexGuard<'_, MinuteWindow> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All windows of one node.
#[derive(Default)]
pub struct Counters {
    windows: Mutex<HashMap<Scope, Arc<SharedWindow>>>,
}

impl Counters {
    /// The window of a scope, made when it is new.
    pub fn window(&self, scope: Scope) -> Arc<SharedWindow> {
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(windows.entry(scope).or_default())
    }

    /// Forgets the windows that nobody holds any more and that have emptied; call it now and then.
    pub fn forget_unused(&self, now_micros: i64) {
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        windows.retain(|_, window| Arc::strong_count(window) > 1 || window.lock().used(now_micros) > 0);
    }
}
