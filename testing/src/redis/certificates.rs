use std::{
    net::{IpAddr, Ipv4Addr},
    path::Path,
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SanType};

/// PEM files: `ca.pem`, which signed `server.pem` and `client.pem`; their keys `server.key` and `client.key`; and
/// `other.pem`, another CA that signed neither.
pub struct Certificates;

impl Certificates {
    /// Creates the files, for a server at this address.
    pub fn make(directory: &Path, server: Ipv4Addr) {
        let write = |name: &str, text: String| std::fs::write(directory.join(name), text).expect("a file");
        let authority = authority();
        write("ca.pem", authority.pem());
        write("other.pem", self::authority().pem());
        for name in ["server", "client"] {
            let key = KeyPair::generate().expect("a key");
            let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
            // Without a name of its own it would have its issuer's, as a self-signed certificate has.
            params.distinguished_name.push(DnType::CommonName, name);
            params.subject_alt_names.push(SanType::IpAddress(IpAddr::V4(server)));
            let certificate = params.signed_by(&key, &authority).expect("a certificate");
            write(&format!("{name}.pem"), certificate.pem());
            write(&format!("{name}.key"), key.serialize_pem());
        }
    }
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a certificate")
}
