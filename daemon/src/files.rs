use rustix::process::{Resource, getrlimit, setrlimit};

/// Lets this process open as many files as its user may have it do, and returns how many that are; nothing if there is
/// no bound, or none that is known.
pub fn raise_file_limit() -> Option<u64> {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        let raised = rustix::process::Rlimit { current: limit.maximum, ..limit };
        match setrlimit(Resource::Nofile, raised) {
            Ok(()) => limit.current = limit.maximum,
            Err(error) => tracing::debug!(%error, "the limit of open files stays as it is"),
        }
    }
    limit.current
}
