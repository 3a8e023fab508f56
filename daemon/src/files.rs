use rustix::process::{Resource, getrlimit, setrlimit};

/// Raises this process's limit of open files to the most that its user may set, and returns it; `None` if there is no
/// limit, or no known one.
pub fn raise_file_limit() -> Option<u64> {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        let raised = rustix::process::Rlimit { current: limit.maximum, ..limit };
        match setrlimit(Resource::Nofile, raised) {
            Ok(()) => limit.current = limit.maximum,
            Err(error) => tracing::debug!(%error, "cannot raise the limit of open files"),
        }
    }
    limit.current
}
