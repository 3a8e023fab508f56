//! What a thread has allocated, so that a play can be stopped before it takes the machine's memory.
#![allow(unsafe_code)] // `GlobalAlloc` is an unsafe trait, and mimalloc is C; what makes this sound stands there.

use std::{
    alloc::{GlobalAlloc, Layout},
    cell::Cell,
};

thread_local! {
    /// Bytes allocated minus bytes freed on this thread. What is freed on another thread than it was allocated
    /// on makes it drift, so only differences within one play mean anything. Constant initialisation and no
    /// destructor: the allocator may be asked before and after a thread's other locals live.
    static BALANCE: Cell<isize> = const { Cell::new(0) };
}

/// A global allocator that counts for each thread what it hands out. Programs that run scripts install it;
/// without it the memory limit cannot be held.
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

/// Runs what allocates or frees memory that is not this thread's to answer for, such as an entry of a cache.
pub(crate) fn uncounted<T>(body: impl FnOnce() -> T) -> T {
    struct Restore(isize);
    impl Drop for Restore {
        fn drop(&mut self) {
            // Gone while a thread ends; then nothing is counted any more.
            let _ = BALANCE.try_with(|balance| balance.set(self.0));
        }
    }
    let _restore = Restore(BALANCE.try_with(Cell::get).unwrap_or(0));
    body()
}

/// Gives memory that was freed, by this thread or by threads that ended, back to the system. mimalloc does so by
/// itself only while somebody allocates, so a burst would be held for good by a process that idles after it. Takes
/// some milliseconds. Where mimalloc is not the program's allocator this does nothing.
pub(crate) fn give_back() {
    // SAFETY: mimalloc's own function, which may be called on any thread at any time.
    unsafe { libmimalloc_sys::mi_collect(true) }
}

/// Whether the program counts at all.
pub(crate) fn is_counted() -> bool {
    let before = balance();
    let probe = std::hint::black_box(Box::new([0_u8; 64]));
    let counted = balance() > before;
    drop(probe);
    counted
}

/// Counts so many bytes as held by this thread, whoever allocated them.
pub(crate) fn charge(bytes: usize) {
    // Gone while a thread ends; then nothing is counted any more.
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
