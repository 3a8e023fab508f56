//! Explains errors of Redis and of the client library to the operator.

use std::sync::Arc;

use fred::error::{Error, ErrorKind};

/// The first word of an error of Redis, and what it means.
const REFUSALS: [(&str, &str); 12] = [
    ("OOM", "it is full: free memory, or raise its maxmemory"),
    ("READONLY", "it is a replica, which refuses writes: connect to its primary, or to its sentinels"),
    ("MISCONF", "it cannot write to its disk and refuses writes"),
    ("NOAUTH", "it asks for a password: redis://user:password@host"),
    ("WRONGPASS", "it does not know this user with this password"),
    ("NOPERM", "its user may not do this"),
    ("LOADING", "it is still loading its data"),
    ("MASTERDOWN", "it is a replica that has lost its primary"),
    ("MOVED", "it is a node of a cluster: the URL must begin with redis-cluster://"),
    ("CLUSTERDOWN", "its cluster does not serve all slots"),
    ("NOREPLICAS", "fewer replicas follow it than its min-replicas-to-write demands"),
    ("BUSY", "a script blocks it"),
];

/// Returns what went wrong, in words for the log.
pub(crate) fn cause_of(error: &Error) -> Arc<str> {
    let details = error.details();
    if let Some((_, meaning)) = REFUSALS.iter().find(|(prefix, _)| details.starts_with(prefix)) {
        return format!("{meaning} ({details})").into();
    }
    if details.contains("cluster support disabled") {
        return "it is not a cluster: the URL must begin with redis:// or rediss://".into();
    }
    if details.contains("unable to authenticate")
        || details.contains("AUTH <password> called without any password")
    {
        return "it does not know this user with this password".into();
    }
    match error.kind() {
        ErrorKind::Timeout => "no answer in time".into(),
        ErrorKind::Routing => "the slot is moving to another node of the cluster".into(),
        ErrorKind::Canceled => "connection lost".into(),
        ErrorKind::Sentinel => format!("its sentinels: {}", plain(details)).into(),
        _ => plain(details).into(),
    }
}

/// Removes the `Debug` form in which the client library writes errors of the system and of TLS.
fn plain(details: &str) -> String {
    let part = |from: &str, to: &str| details.split_once(from)?.1.rsplit_once(to).map(|(part, _)| part);
    if let Some(reason) = part("error: InvalidCertificate(", ") }") {
        return format!("its certificate is not trusted ({reason})");
    }
    if let Some(reason) = part("error: AlertReceived(", ") }") {
        return format!("it rejects our certificate ({reason})");
    }
    part("message: \"", "\" }").or_else(|| part("error: ", " }")).unwrap_or(details).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(kind: ErrorKind, details: &'static str) -> String {
        cause_of(&Error::new(kind, details)).to_string()
    }

    #[test]
    fn library_errors_are_explained_in_words() {
        use ErrorKind::{IO, Timeout, Unknown};
        for (kind, details, cause) in [
            (
                IO,
                "Os { code: 111, kind: ConnectionRefused, message: \"Connection refused\" }",
                "Connection refused",
            ),
            (IO, "Custom { kind: Uncategorized, error: \"no such name\" }", "\"no such name\""),
            (
                IO,
                "Custom { kind: InvalidData, error: InvalidCertificate(UnknownIssuer) }",
                "its certificate is not trusted (UnknownIssuer)",
            ),
            (
                IO,
                "Custom { kind: InvalidData, error: AlertReceived(CertificateRequired) }",
                "it rejects our certificate (CertificateRequired)",
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
            assert_eq!(self::cause(kind, details), cause);
        }
    }
}
