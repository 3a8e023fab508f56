use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks a mutex under which no code can panic, so that a poisoned one still holds sound data.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
