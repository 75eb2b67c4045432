//! Things by their id, in the order in which they were put there.

use std::collections::{BTreeMap, HashMap};

/// Things of one kind.
pub(crate) struct Shelf<T> {
    numbers: HashMap<String, u64>,
    things: BTreeMap<u64, T>,
    next: u64,
}

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self { numbers: HashMap::new(), things: BTreeMap::new(), next: 0 }
    }
}

impl<T> Shelf<T> {
    /// Puts a thing behind all others.
    pub(crate) fn put(&mut self, id: &str, thing: T) {
        self.numbers.insert(id.to_owned(), self.next);
        self.things.insert(self.next, thing);
        self.next += 1;
    }

    pub(crate) fn get(&self, id: &str) -> Option<&T> {
        self.things.get(self.numbers.get(id)?)
    }

    pub(crate) fn get_mut(&mut self, id: &str) -> Option<&mut T> {
        self.things.get_mut(self.numbers.get(id)?)
    }

    pub(crate) fn remove(&mut self, id: &str) -> Option<T> {
        self.things.remove(&self.numbers.remove(id)?)
    }

    /// All things, oldest first.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.things.values()
    }
}
