//! The most memory that a test's process held.
#![allow(unsafe_code)] // `GlobalAlloc` is an unsafe trait; every call is passed on unchanged.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicIsize, Ordering},
    },
};

static LIVE: AtomicIsize = AtomicIsize::new(0);
static PEAK: AtomicIsize = AtomicIsize::new(0);
/// Beyond it the process gets no more memory, and so ends.
static LIMIT: AtomicIsize = AtomicIsize::new(isize::MAX);
static TURN: Mutex<()> = Mutex::new(());

/// Counts for the whole process what the system hands out.
pub struct Peak;

impl Peak {
    fn add(bytes: isize) {
        let live = LIVE.fetch_add(bytes, Ordering::Relaxed) + bytes;
        PEAK.fetch_max(live, Ordering::Relaxed);
    }
}

fn signed(bytes: usize) -> isize {
    isize::try_from(bytes).unwrap_or(isize::MAX)
}

// SAFETY: every call is passed on unchanged to an allocator that keeps the contract; counting touches atomics alone.
unsafe impl GlobalAlloc for Peak {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if live().saturating_add(signed(layout.size())) > LIMIT.load(Ordering::Relaxed) {
            return std::ptr::null_mut();
        }
        Self::add(signed(layout.size()));
        // SAFETY: the caller keeps the contract for this very call.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        Self::add(-signed(layout.size()));
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if live().saturating_add(signed(size)) > LIMIT.load(Ordering::Relaxed) {
            return std::ptr::null_mut();
        }
        // Both may be there for a moment.
        Self::add(signed(size));
        Self::add(-signed(layout.size()));
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// A turn to measure what the process holds: tests of one program run beside each other.
pub fn turn() -> MutexGuard<'static, ()> {
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    again();
    turn
}

/// Measures the peak from here on.
pub fn again() {
    PEAK.store(live(), Ordering::Relaxed);
}

/// The most that the process held since [`again`].
pub fn peak() -> isize {
    PEAK.load(Ordering::Relaxed)
}

/// What the process holds now.
pub fn live() -> isize {
    LIVE.load(Ordering::Relaxed)
}

/// Lets the process hold so many bytes and no more: what asks for one more ends it.
pub fn limit(bytes: isize) {
    LIMIT.store(bytes, Ordering::Relaxed);
}
