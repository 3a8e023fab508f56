//! Counts the memory of each thread, so that a play can be stopped before it takes the machine's memory.
#![allow(unsafe_code)] // `GlobalAlloc` is an unsafe trait, and mimalloc is C; each use says why it is sound.

use std::{
    alloc::{GlobalAlloc, Layout},
    cell::Cell,
};

thread_local! {
    /// Bytes allocated minus bytes freed on this thread. Memory that is freed on another thread than the one that
    /// allocated it makes the balance drift, so only differences within one play mean anything. Constant
    /// initialisation and no destructor: the allocator may be called before and after a thread's other locals live.
    static BALANCE: Cell<isize> = const { Cell::new(0) };
}

/// A global allocator that counts for each thread what it hands out. Programs that run scripts install it:
/// the memory limit rests on it.
///
/// ```no_run
/// #[global_allocator]
/// static ALLOCATOR: circles_worker::CountingAllocator<std::alloc::System> =
///     circles_worker::CountingAllocator::new(std::alloc::System);
/// ```
#[derive(Debug)]
pub struct CountingAllocator<A>(A);

impl<A> CountingAllocator<A> {
    /// Counts what `inner` hands out.
    pub const fn new(inner: A) -> Self {
        Self(inner)
    }
}

/// Bytes that this thread holds, give or take a constant.
pub(crate) fn balance() -> isize {
    BALANCE.get()
}

/// Runs `body` without counting its allocations, which are not this thread's: those of a cache, for example.
pub(crate) fn uncounted<T>(body: impl FnOnce() -> T) -> T {
    struct Restore(isize);
    impl Drop for Restore {
        fn drop(&mut self) {
            // The local is gone while a thread ends; then nothing is counted any more.
            let _ = BALANCE.try_with(|balance| balance.set(self.0));
        }
    }
    let _restore = Restore(BALANCE.try_with(Cell::get).unwrap_or(0));
    body()
}

/// Gives memory that was freed, by this thread or by threads that ended, back to the system. mimalloc by itself does
/// so only while the process allocates, so a process that idles after a burst would hold the memory for good. Takes
/// some milliseconds, and does nothing if mimalloc is not the program's allocator.
pub(crate) fn give_back() {
    // SAFETY: mimalloc's own function, which may be called on any thread at any time.
    unsafe { libmimalloc_sys::mi_collect(true) }
}

/// Returns whether [`CountingAllocator`] is the program's allocator.
pub(crate) fn is_counted() -> bool {
    let before = balance();
    let probe = std::hint::black_box(Box::new([0_u8; 64]));
    let counted = balance() > before;
    drop(probe);
    counted
}

/// Counts so many bytes as held by this thread, although another thread may have allocated them.
pub(crate) fn charge(bytes: usize) {
    // The local is gone while a thread ends; then nothing is counted any more.
    let _ = BALANCE.try_with(|balance| balance.set(balance.get().wrapping_add_unsigned(bytes)));
}

/// Takes back what [`charge`] did.
pub(crate) fn refund(bytes: usize) {
    let _ = BALANCE.try_with(|balance| balance.set(balance.get().wrapping_sub_unsigned(bytes)));
}

// SAFETY: every call is passed on unchanged to an allocator that keeps the contract of `GlobalAlloc`, and what
// it returns is returned unchanged. Counting allocates nothing, cannot panic and touches no memory but a
// thread-local `Cell`.
unsafe impl<A: GlobalAlloc> GlobalAlloc for CountingAllocator<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the contract for this very call.
        let pointer = unsafe { self.0.alloc(layout) };
        if !pointer.is_null() {
            charge(layout.size());
        }
        pointer
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        refund(layout.size());
        // SAFETY: as above.
        unsafe { self.0.dealloc(pointer, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        let pointer = unsafe { self.0.alloc_zeroed(layout) };
        if !pointer.is_null() {
            charge(layout.size());
        }
        pointer
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as above.
        let moved = unsafe { self.0.realloc(pointer, layout, size) };
        if !moved.is_null() {
            charge(size);
            refund(layout.size());
        }
        moved
    }
}
