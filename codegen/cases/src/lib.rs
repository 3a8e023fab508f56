//! Documents in `documents/`, each about one part of JSON Schema, and tests of what is generated from them.
//!
//! `tests/differential.rs` holds every type against an independent validator; `tests/values.rs` names single values
//! and what becomes of them. The build script generates each document; clippy sees what comes out.
