//! The Redis server that tests start.

use std::process::Command;

use crate::{
    debian,
    run::{Result, output},
};

/// The oldest version that the store works with (docs/operations.md).
const OLDEST: (u32, u32) = (6, 2);

/// Installs Redis if it is missing, and refuses one that is too old.
pub(crate) fn prepare() -> Result {
    let version = || output(Command::new("redis-server").arg("--version"));
    if version().is_none() {
        debian::install("the test suite of the Redis store", &["redis-server"])?;
    }
    let said = version().ok_or("redis-server is installed but does not start")?;
    match numbers(&said) {
        Some(found) if found < OLDEST => {
            let (major, minor) = OLDEST;
            Err(format!("tests need redis-server {major}.{minor} or later, found {}", said.trim()))
        }
        _ => Ok(()),
    }
}

/// The version in `Redis server v=7.0.15 sha=…`; Valkey prints the same form.
fn numbers(said: &str) -> Option<(u32, u32)> {
    let mut numbers = said.split_once("v=")?.1.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_is_read_from_redis_and_valkey() {
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
