//! Where a Redis is, and how it is to be spoken with, as a URL says it.

use std::{path::Path, sync::Arc};

use fred::{
    rustls::{
        ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    },
    rustls_native_certs::load_native_certs,
    types::config::{Config, TlsConfig, TlsConnector, TlsHostMapping},
};
use url::{Host, Url};

/// What a URL may begin with.
const SCHEMES: [&str; 14] = [
    "redis",
    "rediss",
    "redis-sentinel",
    "rediss-sentinel",
    "redis-cluster",
    "rediss-cluster",
    "redis+unix",
    "valkey",
    "valkeys",
    "valkey-sentinel",
    "valkeys-sentinel",
    "valkey-cluster",
    "valkeys-cluster",
    "valkey+unix",
];
/// Other nodes; which Redis the sentinels watch, and what they let one in with; files in PEM: who signed the
/// certificates of servers, and our own with its key.
const PARAMETERS: [&str; 7] =
    ["node", "sentinelServiceName", "sentinelUsername", "sentinelPassword", "ca", "cert", "key"];

/// A Redis, a cluster of them, or one that sentinels watch.
#[derive(Clone)]
pub struct Address {
    pub config: Config,
    /// Without what must stay secret.
    pub name: Arc<str>,
}

impl Address {
    /// Reads a URL. No error shows its password.
    pub fn parse(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|error| wrong(&format!("cannot be read: {error}")))?;
        let scheme = url.scheme();
        if !SCHEMES.contains(&scheme) {
            return Err(wrong(&format!(
                "begins with {scheme}://, not with redis:// or rediss:// for TLS (or valkey://, valkeys://), with \
                 -cluster or -sentinel behind the scheme, or redis+unix://"
            )));
        }
        if !scheme.ends_with("+unix") && url.host_str().is_none_or(str::is_empty) {
            return Err(wrong("names no host"));
        }
        if let Some((name, _)) = url.query_pairs().find(|(name, _)| !PARAMETERS.contains(&&**name)) {
            return Err(wrong(&format!("has a parameter {name:?}; known are {}", PARAMETERS.join(", "))));
        }
        // The client library would trust the system's certificates alone, so TLS is set up here.
        let plain_scheme = scheme.replacen("rediss", "redis", 1).replacen("valkeys", "valkey", 1);
        let tls = plain_scheme != scheme;
        let mut plain = url.clone();
        plain.set_scheme(&plain_scheme).map_err(|()| wrong("cannot be read"))?;
        let mut config = Config::from_url(plain.as_str())
            .map_err(|error| wrong(&format!("cannot be read: {}", error.details())))?;
        if config.username.is_some() && config.password.is_none() {
            return Err(wrong("names a user and no password: write redis://user:password@host"));
        }
        if tls {
            config.tls = Some(tls_of(&url)?);
        }
        Ok(Self { config, name: name_of(&url).into() })
    }
}

/// A sentence about the URL that does not quote it.
fn wrong(what: &str) -> String {
    format!("expected a URL such as redis://127.0.0.1:6379, or rediss:// for TLS; this one {what}")
}

fn name_of(url: &Url) -> String {
    let scheme = url.scheme();
    match (url.host_str(), url.port()) {
        _ if scheme.ends_with("+unix") => format!("{scheme}://{}", url.path()),
        (Some(host), Some(port)) => format!("{scheme}://{host}:{port}"),
        (Some(host), None) => format!("{scheme}://{host}"),
        (None, _) => format!("{scheme}://"),
    }
}

/// Whom to trust, and how to show who we are.
fn tls_of(url: &Url) -> Result<TlsConfig, String> {
    let file =
        |name: &str| url.query_pairs().find(|(known, _)| known == name).map(|(_, path)| path.into_owned());
    let roots = file("ca").map_or_else(system_roots, |path| roots_of(&path))?;
    // One provider by name: where a program has two, rustls would not choose.
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(&format!("asks for TLS: {error}")))?
        .with_root_certificates(roots);
    let config = match (file("cert"), file("key")) {
        (None, None) => builder.with_no_client_auth(),
        (Some(cert), Some(key)) => builder
            .with_client_auth_cert(certificates_of(&cert)?, key_of(&key)?)
            .map_err(|error| wrong(&format!("names a certificate and a key that do not fit: {error}")))?,
        _ => return Err(wrong("has one of the parameters cert and key, which belong together")),
    };
    // Nodes of a cluster call each other by address; a certificate mostly names hosts.
    let hostnames = match url.host() {
        Some(Host::Domain(name)) if name.parse::<std::net::IpAddr>().is_err() => TlsHostMapping::DefaultHost,
        _ => TlsHostMapping::None,
    };
    Ok(TlsConfig { hostnames, ..TlsConfig::from(TlsConnector::from(config)) })
}

/// Those of the system, or of the variables `SSL_CERT_FILE` and `SSL_CERT_DIR`.
fn system_roots() -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    let (taken, _) = roots.add_parsable_certificates(load_native_certs().certs);
    if taken == 0 {
        return Err(wrong("asks for TLS, and this system has no CA certificates; add `?ca=FILE` to it"));
    }
    Ok(roots)
}

fn roots_of(path: &str) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates_of(path)? {
        roots.add(certificate).map_err(|error| wrong(&format!("names a certificate in {path}: {error}")))?;
    }
    Ok(roots)
}

fn certificates_of(path: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let unreadable = |error| wrong(&format!("names a file of certificates, {path}: {error}"));
    let found = CertificateDer::pem_file_iter(Path::new(path)).map_err(unreadable)?;
    let certificates = found.collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
    if certificates.is_empty() {
        return Err(wrong(&format!("names a file without certificates, {path}")));
    }
    Ok(certificates)
}

fn key_of(path: &str) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_file(Path::new(path))
        .map_err(|error| wrong(&format!("names a file with a key, {path}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(url: &str) -> String {
        match Address::parse(url) {
            Ok(address) => panic!("{url} is {}", address.name),
            Err(sentence) => sentence,
        }
    }

    #[test]
    fn what_is_wrong_with_a_url_is_said_without_its_password() {
        for (url, part) in [
            ("", "relative URL without a base"),
            ("localhost:6379", "begins with localhost://"),
            ("http://:hush@localhost", "begins with http://"),
            ("redishush://a", "begins with redishush://"),
            ("redis:hush", "names no host"),
            ("redis://", "names no host"),
            ("valkeys-hush://a", "begins with valkeys-hush://"),
            ("redis://:hush@host:99999", "invalid port"),
            ("redis://:hush@host/one", "Invalid integer"),
            ("redis://:hush@host/999", "Invalid integer"),
            ("redis://hush@host", "names a user and no password"),
            ("redis://:hush@host?tls=yes", "parameter \"tls\""),
            ("redis-sentinel://:hush@host", "service name"),
            ("redis-cluster://:hush@host?node=other", "Invalid host:port"),
            ("rediss://:hush@host?ca=/nowhere.pem", "/nowhere.pem"),
            ("rediss://:hush@host?cert=/nowhere.pem", "cert and key"),
            ("valkeys://:hush@host?ca=/nowhere.pem", "/nowhere.pem"),
        ] {
            let fault = fault(url);
            assert!(fault.contains(part), "{url}: {fault}");
            assert!(!fault.contains(":hush") && !fault.contains("hush@"), "{fault}");
        }
    }

    #[test]
    fn a_name_holds_nothing_secret() {
        for (url, name) in [
            ("redis://user:hush@localhost/3", "redis://localhost"),
            ("redis://:hush@[::1]:7000", "redis://[::1]:7000"),
            ("redis+unix://user:hush@any/run/redis.sock", "redis+unix:///run/redis.sock"),
            (
                "redis-sentinel://a:hush@one:1/2?node=two:2&sentinelServiceName=mine&sentinelPassword=hush",
                "redis-sentinel://one:1",
            ),
            ("redis-cluster://:hush@one:1?node=two:2", "redis-cluster://one:1"),
            ("valkey://user:hush@localhost/3", "valkey://localhost"),
            ("valkey+unix://user:hush@any/run/valkey.sock", "valkey+unix:///run/valkey.sock"),
        ] {
            assert_eq!(&*Address::parse(url).unwrap().name, name);
        }
    }

    #[test]
    fn users_and_passwords_may_hold_any_character() {
        let config = Address::parse("redis://us%40er:p%25a%2Fss%3A@localhost").unwrap().config;
        assert_eq!(config.username.as_deref(), Some("us@er"));
        assert_eq!(config.password.as_deref(), Some("p%a/ss:"));
    }
}
