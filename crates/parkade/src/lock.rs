//! Locks that outlive a panic: what is locked here is whole at every step, so that what a thread has left behind that
//! ended in the middle can be used by the others.

use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Locked.
pub(crate) fn lock<T: ?Sized>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Locked with others that only read.
pub(crate) fn read<T: ?Sized>(what: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    what.read().unwrap_or_else(PoisonError::into_inner)
}

/// Locked by one that writes.
pub(crate) fn write<T: ?Sized>(what: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    what.write().unwrap_or_else(PoisonError::into_inner)
}
