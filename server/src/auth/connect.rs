use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use circles_auth::audience_of;
use url::{Host, Url};

/// The server's address as clients see it.
#[derive(Clone, Debug, Default)]
pub struct Audience {
    public: Option<String>,
    tls: bool,
}

impl Audience {
    /// The audience of a server with this `--public-url`, or of one known by the addresses of its sockets.
    pub const fn new(public: Option<String>, tls: bool) -> Self {
        Self { public, tls }
    }

    /// Returns the audience of the challenges on a connection: the address that the client dialled, if this server
    /// can tell that it is its own.
    ///
    /// A `Host` header alone proves nothing: a relay in the middle would send its own name and have the client sign
    /// for it. So a name counts if it is the address of the socket, or a loopback name with the same port and a
    /// socket on loopback. For any other name, the server answers with the socket's address and the client notices
    /// the difference. Operators of servers with a domain name set `--public-url`.
    pub fn of(&self, host: Option<&str>, local: SocketAddr) -> String {
        if let Some(public) = &self.public {
            return public.clone();
        }
        let scheme = if self.tls { "wss" } else { "ws" };
        let local = SocketAddr::new(local.ip().to_canonical(), local.port());
        let own = audience_of(&format!("{scheme}://{local}")).unwrap_or_default();
        let Some(dialled) = host.and_then(|host| audience_of(&format!("{scheme}://{host}")).ok()) else {
            return own;
        };
        let same_port = port_of(&dialled) == Some(local.port());
        let both_loopback = local.ip().is_loopback() && is_loopback(&dialled);
        if dialled == own || (same_port && both_loopback) { dialled } else { own }
    }
}

/// Returns the address at which this machine reaches a socket: clients cannot dial an unspecified address such as
/// 0.0.0.0.
pub(crate) fn dialled(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip().to_canonical() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// The web pages and apps in web views that may connect. Other programs send no `Origin` and are not checked.
#[derive(Clone, Debug, Default)]
pub struct Origins {
    allowed: Vec<String>,
}

impl Origins {
    /// Allows these origins in addition to the server's own and the web pages of loopback.
    ///
    /// # Errors
    ///
    /// Returns the first text that is no origin.
    pub fn new(allowed: &[String]) -> Result<Self, String> {
        let allowed = allowed.iter().map(|text| origin(text).ok_or_else(|| text.clone()));
        Ok(Self { allowed: allowed.collect::<Result<_, _>>()? })
    }

    /// Returns whether a page of this origin may connect to a server whose audience is `audience`.
    pub fn allow(&self, header: &str, audience: &str) -> bool {
        let Some(origin) = origin(header) else { return false };
        let own = audience.replacen("ws", "http", 1);
        // Only the host of a web page tells its origin: any app may use `tauri://localhost`.
        let is_local = origin.starts_with("http") && is_loopback(&origin);
        origin == own || is_local || self.allowed.contains(&origin)
    }
}

/// Returns the one spelling of an origin: scheme and authority of a web page, an extension or an app, `file://`, or
/// `null`.
fn origin(text: &str) -> Option<String> {
    if matches!(text, "null" | "file://") {
        return Some(text.to_owned());
    }
    let url = Url::parse(text).ok()?;
    let bare = url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    let host = url.host_str().filter(|host| bare && !host.is_empty())?;
    match (url.scheme(), url.path()) {
        ("http" | "https", "/") => Some(url.origin().ascii_serialization()),
        ("http" | "https" | "ws" | "wss" | "ftp" | "file", _) => None,
        (scheme, "" | "/") => {
            let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
            Some(format!("{scheme}://{}{port}", host.to_ascii_lowercase()))
        }
        _ => None,
    }
}

fn is_loopback(url: &str) -> bool {
    match Url::parse(url).ok().as_ref().and_then(Url::host) {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => IpAddr::V6(ip).to_canonical().is_loopback(),
        None => false,
    }
}

fn port_of(url: &str) -> Option<u16> {
    Url::parse(url).ok()?.port_or_known_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(local: &str, host: Option<&str>) -> String {
        Audience::default().of(host, local.parse().unwrap())
    }

    #[test]
    fn audience_is_the_dialled_name_of_this_server() {
        assert_eq!(at("127.0.0.1:9001", Some("127.0.0.1:9001")), "ws://127.0.0.1:9001");
        assert_eq!(at("127.0.0.1:9001", Some("LocalHost:9001")), "ws://localhost:9001");
        assert_eq!(at("[::ffff:127.0.0.1]:9001", Some("127.0.0.1:9001")), "ws://127.0.0.1:9001");
        assert_eq!(at("[::1]:9001", Some("[::1]:9001")), "ws://[::1]:9001");
        assert_eq!(at("192.0.2.7:80", Some("192.0.2.7")), "ws://192.0.2.7");
    }

    #[test]
    fn audience_ignores_host_header_of_a_relay() {
        for host in
            [Some("evil.example"), Some("127.0.0.1:9002"), Some("evil.example:9001"), Some("::"), None]
        {
            assert_eq!(at("127.0.0.1:9001", host), "ws://127.0.0.1:9001", "{host:?}");
        }
        // A loopback name is not the server's own if the socket is not on loopback.
        assert_eq!(at("192.0.2.7:9001", Some("localhost:9001")), "ws://192.0.2.7:9001");
    }

    #[test]
    fn public_url_is_the_only_audience() {
        let audience = Audience::new(Some("wss://circles.example".into()), false);
        let local = "127.0.0.1:9001".parse().unwrap();
        assert_eq!(audience.of(Some("127.0.0.1:9001"), local), "wss://circles.example");
    }

    #[test]
    fn own_loopback_and_listed_origins_may_connect() {
        let origins = Origins::new(&["https://App.example".into()]).unwrap();
        let own = "wss://circles.example";
        for origin in [
            "https://circles.example",
            "http://localhost:3000",
            "http://127.0.0.9",
            "http://[::1]:8",
            "https://app.example",
        ] {
            assert!(origins.allow(origin, own), "{origin}");
        }
    }

    #[test]
    fn apps_extensions_and_files_connect_if_listed() {
        let own = "ws://127.0.0.1:9001";
        for origin in [
            "null",
            "file://",
            "chrome-extension://abcdefghijklmnopabcdefghijklmnop",
            "moz-extension://0b8e7a8c-6f3d-4f3c-9a53-0d8e1f5b7a11",
            "app://circles",
            "tauri://localhost",
            "capacitor://localhost",
            "ionic://localhost",
            "app://localhost:3000",
        ] {
            let listed = Origins::new(&[origin.to_owned()]).unwrap();
            assert!(listed.allow(origin, own), "{origin}");
            assert!(!Origins::default().allow(origin, own), "{origin} is not listed");
        }
        let listed = Origins::new(&["Tauri://LocalHost/".into()]).unwrap();
        assert!(listed.allow("tauri://localhost", own));
        for bad in [
            "",
            "*",
            "app",
            "data:x",
            "file:///etc",
            "wss://a",
            "tauri://localhost/x",
            "app://u@a",
            "about:blank",
        ] {
            assert!(Origins::new(&[bad.to_owned()]).is_err(), "{bad}");
        }
    }

    #[test]
    fn other_origins_may_not_connect() {
        let origins = Origins::new(&["https://app.example".into()]).unwrap();
        for origin in [
            "null",
            "",
            "https://evil.example",
            "http://circles.example",
            "https://app.example:8443",
            "https://localhost.evil.example",
            "https://app.example.evil.example",
            "file://",
            "http://127.0.0.1.evil.example",
        ] {
            assert!(!origins.allow(origin, "wss://circles.example"), "{origin}");
        }
        assert!(Origins::new(&["app.example".into()]).is_err());
    }
}
