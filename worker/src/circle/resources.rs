use std::time::SystemTime;

use circles_store::{CircleId, Json, Key, KeyRange, LogLine, Outcome, Source};

use super::{
    files::FileError,
    library::{LibraryError, LibraryId, LibraryRead, Version},
};
use crate::play::{Play, Stop};

/// Everything that a script reaches beyond its own values, of the one circle that its play runs in.
///
/// Each method is one request with plain data, so that a script in a process of its own can send them as messages. The
/// side that answers keeps the limits: it counts what it reads and writes on the play, and stops the play where a limit
/// is passed.
pub(crate) trait Resources {
    /// The secret of this name.
    fn secret(&self, play: &Play, name: &str) -> Result<Option<String>, ResourceError>;

    /// The text with the name of each secret in place of its value; no more of it than about `max_bytes`.
    fn mask_secrets(&self, text: &str, max_bytes: usize) -> String;

    /// Identifies the library among those of all circles.
    fn library_id(&self) -> LibraryId;

    /// A script of the library as it stands now, unless it still has the `known` version. May block on the disk.
    fn read_script(
        &self,
        play: &Play,
        name: &str,
        known: Option<&Version>,
    ) -> Result<LibraryRead, LibraryError>;

    /// The names of the library's scripts, sorted, the first thousand. May block on the disk.
    fn script_names(&self, play: &Play) -> Result<Vec<String>, LibraryError>;

    /// The content of a file.
    fn read_file(&self, play: &Play, path: &str) -> Result<Vec<u8>, ResourceError>;

    /// Puts a file with this content in place of the file of that name.
    fn write_file(&self, play: &Play, path: &str, content: &[u8]) -> Result<(), ResourceError>;

    /// Adds to the end of a file, and creates the file if there is none.
    fn append_file(&self, play: &Play, path: &str, content: &[u8]) -> Result<(), ResourceError>;

    /// The names in a directory, sorted.
    fn list_files(&self, play: &Play, path: &str) -> Result<Vec<String>, ResourceError>;

    /// Creates a directory and its missing parents.
    fn create_dir(&self, play: &Play, path: &str) -> Result<(), ResourceError>;

    /// Removes a file or an empty directory.
    fn remove_file(&self, play: &Play, path: &str) -> Result<(), ResourceError>;

    /// Gives a file or directory another name, in place of a file of that name.
    fn rename_file(&self, play: &Play, from: &str, to: &str) -> Result<(), ResourceError>;

    /// The size and times of a file or directory.
    fn stat_file(&self, play: &Play, path: &str) -> Result<Stat, ResourceError>;

    /// A document, as it was when the play first read one. May block on the disk.
    fn document(&self, play: &Play, key: &str) -> Result<Option<Json>, ResourceError>;

    /// The first `limit` documents of a range, in order.
    fn documents(
        &self,
        play: &Play,
        range: &KeyRange,
        limit: usize,
    ) -> Result<Vec<(Key, Json)>, ResourceError>;

    /// Writes a document within the play's transaction, or deletes it.
    fn put_document(&self, play: &Play, key: &str, value: Option<String>) -> Result<(), ResourceError>;

    /// Plays in another circle and waits for the outcome.
    fn call_circle(&self, play: &Play, call: CircleCall) -> Result<Outcome, ResourceError>;

    /// Shows a log line to callers who watch the play.
    fn publish_log(&self, line: &LogLine);
}

/// The way out of a circle: calls into other circles.
pub(crate) trait Egress {
    /// Plays `call` for the play `caller`, on this thread.
    fn call(
        &self,
        play: &Play,
        caller: &circles_store::Task,
        call: CircleCall,
    ) -> Result<Outcome, ResourceError>;
}

/// A call into another circle.
pub(crate) struct CircleCall {
    pub circle: CircleId,
    pub source: Source,
    pub args: serde_json::Value,
}

/// The metadata of a file or directory.
pub(crate) struct Stat {
    pub bytes: u64,
    pub is_dir: bool,
    pub modified: Option<SystemTime>,
}

/// Why a circle did not answer a request.
#[derive(Debug)]
pub enum ResourceError {
    /// The play was stopped.
    Stopped(Stop),
    /// The circle's policy decides, and may change nothing.
    ReadOnly,
    File(FileError),
    /// The circle that was called is not served here.
    UnknownCircle,
    /// The thread has no runtime on which a call could wait.
    NoRuntime,
}

impl From<Stop> for ResourceError {
    fn from(stop: Stop) -> Self {
        Self::Stopped(stop)
    }
}

impl From<FileError> for ResourceError {
    fn from(error: FileError) -> Self {
        Self::File(error)
    }
}
