use std::{convert::Infallible, fmt, str::FromStr};

use crate::client::address::Address;

/// A URL of Redis that a flag takes. `Display` and `Debug` show neither its user nor its password.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisUrl(String);

impl RedisUrl {
    /// Returns the URL with its password, for [`RedisStore::connect`](crate::RedisStore::connect).
    ///
    /// # Errors
    ///
    /// Returns a sentence that names the fault and does not quote the URL.
    pub fn checked(&self) -> Result<&str, String> {
        Address::parse(&self.0).map(|_| &*self.0)
    }
}

/// Accepts any text. clap would show an error of this together with the value, and so with the password.
impl FromStr for RedisUrl {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&Address::name_of(&self.0).unwrap_or_else(|| "(not a URL of Redis)".to_owned()))
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn url_shows_neither_user_nor_password() {
        for text in ["redis://user:hush@a:6379/1", "redis://user:hush@a:port", "hush", "valkey://user:hush@a"]
        {
            let url: RedisUrl = text.parse().unwrap();
            assert!(!format!("{url} {url:?}").contains("hush"), "{text}: {url}");
            if let Err(sentence) = url.checked() {
                assert!(!sentence.contains("hush"), "{text}: {sentence}");
            }
        }
    }
}
