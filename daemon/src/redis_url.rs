use std::{fmt, str::FromStr};

use url::Url;

/// Where a Redis is, perhaps with the password to it. Shown, it names neither user nor password.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisUrl(String);

impl RedisUrl {
    /// The URL whole, for whoever connects; or what is wrong with it, in words that do not quote it.
    pub fn checked(&self) -> Result<&str, String> {
        const EXPECTED: &str = "expected a URL such as redis://127.0.0.1:6379, or rediss:// for TLS";
        let url = Url::parse(&self.0).map_err(|error| format!("--redis-url: {EXPECTED}: {error}"))?;
        let scheme = url.scheme();
        let kind = ["rediss", "redis", "valkeys", "valkey"].iter().find_map(|name| scheme.strip_prefix(name));
        if !matches!(kind, Some("" | "-cluster" | "-sentinel" | "+unix")) {
            return Err(format!(
                "--redis-url: {EXPECTED}, with -cluster or -sentinel where there is one, or +unix"
            ));
        }
        if kind != Some("+unix") && url.host_str().is_none_or(str::is_empty) {
            return Err(format!("--redis-url: {EXPECTED}; this one names no host"));
        }
        Ok(&self.0)
    }
}

/// Takes any text: an error of the command line would quote it.
impl FromStr for RedisUrl {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Url::parse(&self.0) {
            Ok(url) => {
                write!(f, "{}://{}", url.scheme(), url.host_str().unwrap_or_default())?;
                url.port().map_or(Ok(()), |port| write!(f, ":{port}"))?;
                f.write_str(url.path())
            }
            Err(_) => f.write_str("(no URL)"),
        }
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

    fn url(text: &str) -> RedisUrl {
        text.parse().unwrap()
    }

    #[test]
    fn what_names_a_redis_is_taken() {
        for text in [
            "redis://127.0.0.1:6379",
            "redis://127.0.0.1",
            "rediss://user:hush@redis.example:6380/3",
            "redis-cluster://a:7000?node=b:7001",
            "valkeys-sentinel://a:26379/1?sentinelServiceName=circles",
            "redis+unix:///run/redis.sock",
        ] {
            assert_eq!(url(text).checked(), Ok(text), "{text}");
        }
    }

    #[test]
    fn what_does_not_is_refused_in_words_that_do_not_quote_it() {
        for text in [
            "",
            "hush",
            "http://u:hush@a",
            "redis:hush",
            "redis://",
            "redis://a:hush",
            "redishush://a",
            "redis-hush://a",
        ] {
            let refusal = url(text).checked().unwrap_err();
            assert!(refusal.starts_with("--redis-url: expected"), "{text}: {refusal}");
            assert!(!refusal.contains("hush"), "{text}: {refusal}");
        }
    }

    #[test]
    fn a_password_is_not_shown() {
        for text in ["redis://user:hush@a:6379/1?key=hush", "redis://:hush@a:port", "hush"] {
            let url = url(text);
            assert!(!format!("{url} {url:?}").contains("hush"), "{text}: {url}");
        }
        assert_eq!(url("redis://user:hush@a:6379/1").to_string(), "redis://a:6379/1");
    }
}
