use url::Url;

/// Why a URL names no server to connect to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAudience {
    /// The text is not a URL.
    #[error("not a URL: {0}")]
    Syntax(#[from] url::ParseError),
    /// The scheme has no WebSockets.
    #[error("expected a ws:// or wss:// URL, found {0}://")]
    Scheme(String),
    /// The URL names no host.
    #[error("the URL names no host")]
    Host,
}

/// Returns scheme and authority of a server, as a challenge spells them: `ws` or `wss` (also for `http` and
/// `https`), the host in lower case, the port unless it is the scheme's own (80, 443), no user, no path.
///
/// # Errors
///
/// Says why the URL names no server.
pub fn audience_of(url: &str) -> Result<String, InvalidAudience> {
    let url = Url::parse(url)?;
    let scheme = match url.scheme() {
        "ws" | "http" => "ws",
        "wss" | "https" => "wss",
        other => return Err(InvalidAudience::Scheme(other.to_owned())),
    };
    let host = url.host().ok_or(InvalidAudience::Host)?;
    Ok(match url.port() {
        Some(port) => format!("{scheme}://{host}:{port}"),
        None => format!("{scheme}://{host}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn audience_has_one_spelling() {
        for (url, audience) in [
            ("ws://127.0.0.1:9001", "ws://127.0.0.1:9001"),
            ("ws://127.0.0.1:9001/02ab?x#y", "ws://127.0.0.1:9001"),
            ("WSS://Circles.Example:443/", "wss://circles.example"),
            ("https://user:secret@circles.example/", "wss://circles.example"),
            ("http://[::1]:80", "ws://[::1]"),
            ("ws://bücher.example:81", "ws://xn--bcher-kva.example:81"),
        ] {
            assert_eq!(audience_of(url).as_deref(), Ok(audience), "{url}");
        }
    }

    #[test]
    fn url_without_audience_is_refused() {
        assert_eq!(audience_of("ftp://a"), Err(InvalidAudience::Scheme("ftp".into())));
        assert!(matches!(audience_of("127.0.0.1:9001"), Err(InvalidAudience::Syntax(_))));
    }
}
