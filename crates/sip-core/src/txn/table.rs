//! The table in which a message finds its transaction: rows by mark (what is read off a message)
//! and by key (what the layer's user holds).

use std::hash::Hash;

use base::Changes;
use rustc_hash::FxHashMap;
use slab::Slab;

use super::key::Key;

/// Rows of `T`, each found by its mark or by its key. A mark must not be one that a peer can choose
/// freely: it is hashed fast, not safely.
#[derive(Debug)]
pub(super) struct Table<M, T> {
    rows: Slab<Row<M, T>>,
    by_mark: FxHashMap<M, u32>,
    generation: u32,
    pub(super) changes: Changes<Key>,
}

#[derive(Debug)]
struct Row<M, T> {
    generation: u32,
    mark: M,
    entry: T,
}

impl<M: Copy + Eq + Hash, T> Table<M, T> {
    pub(super) fn new() -> Table<M, T> {
        Table {
            rows: Slab::new(),
            by_mark: FxHashMap::default(),
            generation: 0,
            changes: Changes::default(),
        }
    }

    /// Puts `entry` under `mark`, in place of any that the mark led to.
    pub(super) fn insert(&mut self, mark: M, entry: T) -> Key {
        self.generation = self.generation.wrapping_add(1);
        let generation = self.generation;
        let row = self.rows.insert(Row { generation, mark, entry });
        let row = u32::try_from(row).unwrap_or(u32::MAX);
        if let Some(old) = self.by_mark.insert(mark, row)
            && let Some(old_row) = self.rows.try_remove(old as usize)
        {
            self.changes.note(Key { row: old, generation: old_row.generation });
        }
        let key = Key { generation, row };
        self.changes.note(key);
        key
    }

    /// The key to which a mark leads.
    pub(super) fn find(&self, mark: &M) -> Option<Key> {
        let row = *self.by_mark.get(mark)?;
        Some(Key { generation: self.rows.get(row as usize)?.generation, row })
    }

    pub(super) fn contains(&self, mark: &M) -> bool {
        self.by_mark.contains_key(mark)
    }

    pub(super) fn get(&self, key: Key) -> Option<&T> {
        let row = self.rows.get(key.row as usize)?;
        (row.generation == key.generation).then_some(&row.entry)
    }

    pub(super) fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        let row = self.rows.get_mut(key.row as usize)?;
        if row.generation != key.generation {
            return None;
        }
        self.changes.note(key);
        Some(&mut row.entry)
    }

    pub(super) fn remove(&mut self, key: Key) -> Option<T> {
        self.get(key)?;
        let row = self.rows.try_remove(key.row as usize)?;
        self.by_mark.remove(&row.mark);
        self.changes.note(key);
        Some(row.entry)
    }

    /// All rows, by row number. Whoever changes one says so ([`changes`](Table::changes)).
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (Key, &mut T)> {
        self.rows.iter_mut().map(|(number, row)| {
            let number = u32::try_from(number).unwrap_or(u32::MAX);
            (Key { row: number, generation: row.generation }, &mut row.entry)
        })
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }
}

#[cfg(test)]
mod tests {
    use super::Table;

    #[test]
    fn a_key_that_outlived_its_row_opens_nothing_even_when_the_row_is_let_again() {
        let mut table = Table::new();
        let first = table.insert('a', 1);
        assert_eq!(table.remove(first), Some(1));
        let second = table.insert('b', 2);
        assert_eq!(first.row, second.row);
        assert_eq!(table.get(first), None);
        assert_eq!(table.get_mut(first), None);
        assert_eq!(table.remove(first), None);
        assert_eq!(table.find(&'a'), None);
        assert_eq!(table.find(&'b'), Some(second));
        assert_eq!(table.len(), 1);
    }
}
