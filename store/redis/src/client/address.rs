//! Reads URLs of Redis.

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

/// The schemes that a URL may have.
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
/// The parameters that a URL may have: further nodes; the name and credentials for sentinels; PEM files with the CA
/// certificates, the client certificate, and its key.
const PARAMETERS: [&str; 7] =
    ["node", "sentinelServiceName", "sentinelUsername", "sentinelPassword", "ca", "cert", "key"];

/// One Redis, a cluster, or a Redis behind sentinels.
#[derive(Clone)]
pub(crate) struct Address {
    pub(super) config: Config,
    /// The address without its credentials, for logs and errors.
    pub(crate) name: Arc<str>,
}

impl Address {
    /// Returns the name of the Redis in a URL, without credentials; `None` for another text. It reads no files.
    pub(crate) fn name_of(text: &str) -> Option<String> {
        let url = Url::parse(text).ok().filter(|url| SCHEMES.contains(&url.scheme()))?;
        Some(public_name(&url))
    }

    /// Reads a URL.
    ///
    /// # Errors
    ///
    /// Returns a sentence that names the fault and does not quote the URL, which may hold a password.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|error| invalid(&format!("cannot be parsed: {error}")))?;
        let scheme = url.scheme();
        if !SCHEMES.contains(&scheme) {
            return Err(invalid(&format!(
                "begins with {scheme}://, not with redis:// or rediss:// for TLS (or valkey://, valkeys://), with \
                 -cluster or -sentinel behind the scheme, or redis+unix://"
            )));
        }
        if !scheme.ends_with("+unix") && url.host_str().is_none_or(str::is_empty) {
            return Err(invalid("names no host"));
        }
        if let Some((name, _)) = url.query_pairs().find(|(name, _)| !PARAMETERS.contains(&&**name)) {
            let known = PARAMETERS.join(", ");
            return Err(invalid(&format!("has an unknown parameter {name:?}; known are {known}")));
        }
        // The client library would trust the system's certificates only, so it reads the URL without TLS.
        let plain_scheme = scheme.replacen("rediss", "redis", 1).replacen("valkeys", "valkey", 1);
        let uses_tls = plain_scheme != scheme;
        let mut plain = url.clone();
        plain.set_scheme(&plain_scheme).map_err(|()| invalid("cannot be parsed"))?;
        let mut config = Config::from_url(plain.as_str())
            .map_err(|error| invalid(&format!("cannot be parsed: {}", error.details())))?;
        if config.username.is_some() && config.password.is_none() {
            return Err(invalid("names a user and no password: write redis://user:password@host"));
        }
        if uses_tls {
            config.tls = Some(tls_config(&url)?);
        }
        Ok(Self { config, name: public_name(&url).into() })
    }
}

/// A sentence about the fault that does not quote the URL.
fn invalid(fault: &str) -> String {
    format!("expected a URL such as redis://127.0.0.1:6379, or rediss:// for TLS; this one {fault}")
}

/// The address without credentials.
fn public_name(url: &Url) -> String {
    let scheme = url.scheme();
    match (url.host_str(), url.port()) {
        _ if scheme.ends_with("+unix") => format!("{scheme}://{}", url.path()),
        (Some(host), Some(port)) => format!("{scheme}://{host}:{port}"),
        (Some(host), None) => format!("{scheme}://{host}"),
        (None, _) => format!("{scheme}://"),
    }
}

/// The trusted CA certificates, and the client certificate.
fn tls_config(url: &Url) -> Result<TlsConfig, String> {
    let file =
        |name: &str| url.query_pairs().find(|(known, _)| known == name).map(|(_, path)| path.into_owned());
    let roots = file("ca").map_or_else(system_roots, |path| roots_of(&path))?;
    // rustls would refuse to choose in a program that has two providers.
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| invalid(&format!("asks for TLS, which is not possible: {error}")))?
        .with_root_certificates(roots);
    let config = match (file("cert"), file("key")) {
        (None, None) => builder.with_no_client_auth(),
        (Some(cert), Some(key)) => {
            builder.with_client_auth_cert(certificates_of(&cert)?, key_of(&key)?).map_err(|error| {
                invalid(&format!("has parameters \"cert\" and \"key\" that do not fit together: {error}"))
            })?
        }
        _ => return Err(invalid("has only one of the parameters \"cert\" and \"key\"")),
    };
    // The nodes of a cluster know each other by address, and a certificate mostly names hosts.
    let hostnames = match url.host() {
        Some(Host::Domain(name)) if name.parse::<std::net::IpAddr>().is_err() => TlsHostMapping::DefaultHost,
        _ => TlsHostMapping::None,
    };
    Ok(TlsConfig { hostnames, ..TlsConfig::from(TlsConnector::from(config)) })
}

/// The CA certificates of the system, or of the variables `SSL_CERT_FILE` and `SSL_CERT_DIR`.
fn system_roots() -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(load_native_certs().certs);
    if added == 0 {
        return Err(invalid("asks for TLS, and this system has no CA certificates; add `?ca=FILE` to it"));
    }
    Ok(roots)
}

fn roots_of(path: &str) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates_of(path)? {
        roots
            .add(certificate)
            .map_err(|error| invalid(&format!("names an unusable certificate in {path}: {error}")))?;
    }
    Ok(roots)
}

fn certificates_of(path: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let unreadable = |error| invalid(&format!("names certificates in {path} that cannot be read: {error}"));
    let found = CertificateDer::pem_file_iter(Path::new(path)).map_err(unreadable)?;
    let certificates = found.collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
    if certificates.is_empty() {
        return Err(invalid(&format!("names {path}, which has no certificate")));
    }
    Ok(certificates)
}

fn key_of(path: &str) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_file(Path::new(path))
        .map_err(|error| invalid(&format!("names a key in {path} that cannot be read: {error}")))
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
    fn url_errors_name_the_fault_and_not_the_password() {
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
            ("redis://hush@host", "a user and no password"),
            ("redis://:hush@host?tls=yes", "parameter \"tls\""),
            ("redis-sentinel://:hush@host", "service name"),
            ("redis-cluster://:hush@host?node=other", "Invalid host:port"),
            ("rediss://:hush@host?ca=/nowhere.pem", "/nowhere.pem"),
            ("rediss://:hush@host?cert=/nowhere.pem", "one of the parameters \"cert\" and \"key\""),
            ("valkeys://:hush@host?ca=/nowhere.pem", "/nowhere.pem"),
        ] {
            let fault = fault(url);
            assert!(fault.contains(part), "{url}: {fault}");
            assert!(!fault.contains(":hush") && !fault.contains("hush@"), "{fault}");
        }
    }

    #[test]
    fn address_name_holds_no_credentials() {
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
    fn users_and_passwords_are_percent_decoded() {
        let config = Address::parse("redis://us%40er:p%25a%2Fss%3A@localhost").unwrap().config;
        assert_eq!(config.username.as_deref(), Some("us@er"));
        assert_eq!(config.password.as_deref(), Some("p%a/ss:"));
    }
}
