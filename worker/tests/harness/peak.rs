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
/// Bytes beyond which the process gets no more memory, and so ends.
static LIMIT: AtomicIsize = AtomicIsize::new(isize::MAX);
static TURN: Mutex<()> = Mutex::new(());

/// Counts for the whole process what the system hands out.
pub(crate) struct Peak;

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
        // Both blocks may exist for a moment.
        Self::add(signed(size));
        Self::add(-signed(layout.size()));
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// Waits for this test's turn to measure the process: tests of one program run at the same time.
pub(crate) fn turn() -> MutexGuard<'static, ()> {
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    reset_peak();
    turn
}

/// Measures the peak from here on.
pub(crate) fn reset_peak() {
    PEAK.store(live(), Ordering::Relaxed);
}

/// The most that the process held since [`reset_peak`].
pub(crate) fn peak() -> isize {
    PEAK.load(Ordering::Relaxed)
}

/// Bytes that the process holds now.
pub(crate) fn live() -> isize {
    LIVE.load(Ordering::Relaxed)
}

/// Limits the process to so many bytes: a larger request ends it.
pub(crate) fn limit(bytes: isize) {
    LIMIT.store(bytes, Ordering::Relaxed);
}
