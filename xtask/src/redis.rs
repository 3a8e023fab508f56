//! The Redis that tests start, each its own.

use std::process::Command;

use crate::{
    debian,
    run::{Result, output},
};

/// The oldest that the store works with (docs/operations.md).
const OLDEST: (u32, u32) = (6, 2);

/// Installs a Redis where there is none; says what is wrong with one that is too old.
pub fn prepare() -> Result {
    let version = || output(Command::new("redis-server").arg("--version"));
    if version().is_none() {
        debian::install("the tests of what goes through Redis", &["redis-server"])?;
    }
    let said = version().ok_or("redis-server does not start, although it is installed")?;
    match numbers(&said) {
        Some(found) if found < OLDEST => {
            let (major, minor) = OLDEST;
            Err(format!("tests need redis-server {major}.{minor} or later, and this is {}", said.trim()))
        }
        _ => Ok(()),
    }
}

/// The version of what prints `Redis server v=7.0.15 sha=…`; Valkey prints the same.
fn numbers(said: &str) -> Option<(u32, u32)> {
    let mut numbers = said.split_once("v=")?.1.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_where_there_is_one() {
        for (said, expected) in [
            ("Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=ae4", Some((7, 0))),
            ("Valkey server v=8.1.1 sha=0:0", Some((8, 1))),
            ("Redis server v=255.255.255", Some((255, 255))),
            ("Redis server", None),
            ("v=seven", None),
        ] {
            assert_eq!(numbers(said), expected, "{said}");
        }
    }
}
