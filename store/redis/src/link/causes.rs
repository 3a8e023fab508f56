//! What the errors of a Redis, and of the client library, mean for who runs it.

use std::sync::Arc;

use fred::error::{Error, ErrorKind};

/// How an error of Redis begins, and what it means.
const REFUSALS: [(&str, &str); 12] = [
    ("OOM", "it is full: free memory, or raise its maxmemory"),
    ("READONLY", "it is a replica, which takes no writes: name its primary, or its sentinels"),
    ("MISCONF", "it cannot write to its disk, and so takes no writes"),
    ("NOAUTH", "it asks for a password: redis://user:password@host"),
    ("WRONGPASS", "it does not know this user with this password"),
    ("NOPERM", "its user may not do this"),
    ("LOADING", "it is still loading its data"),
    ("MASTERDOWN", "it is a replica that has lost its primary"),
    ("MOVED", "it is a node of a cluster: the URL must begin with redis-cluster://"),
    ("CLUSTERDOWN", "its cluster does not serve all slots"),
    ("NOREPLICAS", "fewer replicas follow it than its min-replicas-to-write demands"),
    ("BUSY", "a script holds it up"),
];

/// What went wrong, in words for the log.
pub fn cause_of(error: &Error) -> Arc<str> {
    let said = error.details();
    if let Some((_, meaning)) = REFUSALS.iter().find(|(begins, _)| said.starts_with(begins)) {
        return format!("{meaning} ({said})").into();
    }
    if said.contains("cluster support disabled") {
        return "it is not a cluster: the URL must begin with redis:// or rediss://".into();
    }
    if said.contains("unable to authenticate") || said.contains("AUTH <password> called without any password")
    {
        return "it does not know this user with this password".into();
    }
    match error.kind() {
        ErrorKind::Timeout => "no answer in time".into(),
        ErrorKind::Routing => "the slot is on its way to another node of the cluster".into(),
        ErrorKind::Canceled => "the connection broke".into(),
        ErrorKind::Sentinel => format!("its sentinels: {}", plain(said)).into(),
        _ => plain(said).into(),
    }
}

/// The client library writes down errors of the system, and of TLS, as Rust shows them to programmers.
fn plain(said: &str) -> String {
    let part = |from: &str, to: &str| said.split_once(from)?.1.rsplit_once(to).map(|(part, _)| part);
    if let Some(reason) = part("error: InvalidCertificate(", ") }") {
        return format!("its certificate is not one to trust ({reason})");
    }
    if let Some(reason) = part("error: AlertReceived(", ") }") {
        return format!("it does not take the certificate shown to it ({reason})");
    }
    part("message: \"", "\" }").or_else(|| part("error: ", " }")).unwrap_or(said).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(kind: ErrorKind, said: &'static str) -> String {
        cause_of(&Error::new(kind, said)).to_string()
    }

    #[test]
    fn what_programmers_are_shown_is_said_in_words() {
        use ErrorKind::{IO, Timeout, Unknown};
        for (kind, said, cause) in [
            (
                IO,
                "Os { code: 111, kind: ConnectionRefused, message: \"Connection refused\" }",
                "Connection refused",
            ),
            (IO, "Custom { kind: Uncategorized, error: \"no such name\" }", "\"no such name\""),
            (
                IO,
                "Custom { kind: InvalidData, error: InvalidCertificate(UnknownIssuer) }",
                "its certificate is not one to trust (UnknownIssuer)",
            ),
            (
                IO,
                "Custom { kind: InvalidData, error: AlertReceived(CertificateRequired) }",
                "it does not take the certificate shown to it (CertificateRequired)",
            ),
            (IO, "Connection closed.", "Connection closed."),
            (Timeout, "Request timed out.", "no answer in time"),
            (
                Unknown,
                "OOM command not allowed when used memory > 'maxmemory'.",
                "it is full: free memory, or raise its maxmemory \
                 (OOM command not allowed when used memory > 'maxmemory'.)",
            ),
        ] {
            assert_eq!(self::cause(kind, said), cause);
        }
    }
}
