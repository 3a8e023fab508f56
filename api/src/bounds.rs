//! Bounds that both ends of a connection rely on.

/// The most bytes of one answer or notification. The result of a play is bounded so that its answer fits.
pub const ANSWER_BYTES: usize = 4 << 20;
