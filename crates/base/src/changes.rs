//! What may have changed in a table since somebody has last asked.

/// Keys of what was lent out for changing, put in or taken out of a table.
#[derive(Debug)]
pub struct Changes<K> {
    keys: Vec<K>,
}

impl<K> Default for Changes<K> {
    fn default() -> Changes<K> {
        Changes { keys: Vec::new() }
    }
}

impl<K: Copy + Ord> Changes<K> {
    /// It may have changed.
    pub fn note(&mut self, key: K) {
        // Most often a room takes the same thing several times in a row.
        if self.keys.last() != Some(&key) {
            self.keys.push(key);
        }
    }

    /// Whether there are any.
    pub fn are_some(&self) -> bool {
        !self.keys.is_empty()
    }

    /// Gives each key once, and begins anew.
    pub fn take(&mut self) -> Vec<K> {
        let mut keys = std::mem::take(&mut self.keys);
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    /// Begins anew: nobody wants to know.
    pub fn forget(&mut self) {
        self.keys.clear();
    }
}
