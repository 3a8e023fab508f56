use std::cell::Cell;

use circles_config::Limits;

use super::Stop;

/// The use of the limits that count over a whole play. [`Meter::enforce`](super::Meter::enforce) stops
/// the play where a count passes its limit.
#[derive(Default)]
pub(crate) struct Usage {
    document_bytes: Cell<usize>,
    circle_calls: Cell<usize>,
    file_writes: Cell<usize>,
    written_bytes: Cell<u64>,
}

impl Usage {
    /// Counts bytes that are about to be written into documents.
    pub(crate) fn count_document_bytes(&self, bytes: usize, limits: &Limits) -> Result<(), Stop> {
        let written = self.document_bytes.get().saturating_add(bytes);
        if written > limits.db_write_bytes {
            return Err(Stop::Limit("db_write_bytes"));
        }
        self.document_bytes.set(written);
        Ok(())
    }

    /// Counts a call into another circle.
    pub(crate) fn count_circle_call(&self, limits: &Limits) -> Result<(), Stop> {
        if self.circle_calls.replace(self.circle_calls.get() + 1) >= limits.circle_calls {
            return Err(Stop::Limit("circle_calls"));
        }
        Ok(())
    }

    /// Checks that a change of files that writes so many bytes is within the limits; counts nothing.
    pub(crate) fn check_file_write(&self, bytes: u64, limits: &Limits) -> Result<(), Stop> {
        let (writes, written) = (self.file_writes.get() + 1, self.written_bytes.get() + bytes);
        let passed = [
            (bytes > limits.file_bytes, "file_bytes"),
            (writes > limits.file_writes, "file_writes"),
            (written > limits.written_bytes, "written_bytes"),
        ];
        match passed.into_iter().find(|(passed, _)| *passed) {
            Some((_, limit)) => Err(Stop::Limit(limit)),
            None => Ok(()),
        }
    }

    /// Counts a change of files that was checked.
    pub(crate) fn count_file_write(&self, bytes: u64) {
        self.file_writes.set(self.file_writes.get() + 1);
        self.written_bytes.set(self.written_bytes.get() + bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_writes_count_once_they_are_made() {
        let limits = Limits { file_writes: 2, file_bytes: 10, written_bytes: 15, ..Limits::default() };
        let usage = Usage::default();
        assert_eq!(usage.check_file_write(11, &limits), Err(Stop::Limit("file_bytes")));
        usage.count_file_write(10);
        assert_eq!(usage.check_file_write(6, &limits), Err(Stop::Limit("written_bytes")));
        assert_eq!(usage.check_file_write(5, &limits), Ok(()));
        usage.count_file_write(5);
        assert_eq!(usage.check_file_write(0, &limits), Err(Stop::Limit("file_writes")));
    }

    #[test]
    fn refused_document_bytes_are_not_counted() {
        let limits = Limits { db_write_bytes: 10, ..Limits::default() };
        let usage = Usage::default();
        assert_eq!(usage.count_document_bytes(11, &limits), Err(Stop::Limit("db_write_bytes")));
        assert_eq!(usage.count_document_bytes(10, &limits), Ok(()));
        assert_eq!(usage.count_document_bytes(1, &limits), Err(Stop::Limit("db_write_bytes")));
    }
}
