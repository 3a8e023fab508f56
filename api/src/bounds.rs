//! Bounds that both ends of a connection rest on.

/// Bytes of one answer or notification, at most. What a play leaves is bounded so that its answer fits.
pub const ANSWER_BYTES: usize = 4 << 20;
