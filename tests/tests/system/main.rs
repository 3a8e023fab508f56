//! The system from outside: what SPEC promises to users, operators and clients in other languages.

mod cli;
mod frames;
mod http;
mod peers;
mod plays;
mod programs;
mod sessions;
