use std::{cell::RefCell, sync::Arc};

use circles_store::{Claim, Json, Key, KeyRange, LogLine, Outcome, Settlement};

use super::{
    Circle,
    disk_usage::DiskReservation,
    documents::{Documents, stop_for},
    files::{self, FileError},
    library::{LibraryError, LibraryId, LibraryRead, Version},
    resources::{CircleCall, Egress, ResourceError, Resources, Stat},
};
use crate::play::{Play, Stop};

/// One play's access to its circle, within the claim of its task.
pub(crate) struct Session {
    circle: Arc<Circle>,
    documents: RefCell<Documents>,
    /// `None` without a task: on the fast path, and where a program lists the library.
    link: Option<Link>,
}

struct Link {
    claim: Claim,
    egress: Box<dyn Egress>,
}

impl Session {
    pub(crate) fn new(circle: Arc<Circle>, claim: Claim, egress: Box<dyn Egress>) -> Self {
        Self { circle, documents: RefCell::default(), link: Some(Link { claim, egress }) }
    }

    /// A session without documents and calls, since no task is claimed.
    pub(crate) fn without_task(circle: Arc<Circle>) -> Self {
        Self { circle, documents: RefCell::default(), link: None }
    }

    fn claim(&self) -> Option<&Claim> {
        self.link.as_ref().map(|link| &link.claim)
    }

    /// The claim, and what is to be settled with it: `outcome` and the play's documents.
    pub(crate) fn into_settlement(self, outcome: Outcome) -> Option<(Claim, Settlement)> {
        let (reads, writes) = self.documents.into_inner().into_parts();
        let settlement = Settlement { reads, writes, ..outcome.into() };
        self.link.map(|link| (link.claim, settlement))
    }

    fn check_writable(play: &Play) -> Result<(), ResourceError> {
        if play.effects.is_read_only() { Err(ResourceError::ReadOnly) } else { Ok(()) }
    }

    /// Must precede every effect that outlives the play and that no transaction takes back. Returns once it is certain
    /// that the task is not run again after a crash.
    fn begin_side_effect(&self, play: &Play) -> Result<(), ResourceError> {
        play.begin_io()?;
        Self::check_writable(play)?;
        if !play.effects.has_side_effects() {
            if let Some(claim) = self.claim() {
                claim.mark_side_effects().map_err(|error| stop_for(play, error))?;
            }
            play.effects.note_side_effects();
        }
        Ok(())
    }

    /// Must precede every change of files that writes so many bytes.
    fn begin_file_change(&self, play: &Play, bytes: usize) -> Result<(), ResourceError> {
        play.meter.enforce(play.usage.check_file_write(bytes as u64, &play.limits))?;
        if !self.circle.files.is_enabled() {
            return Err(FileError::NoFiles.into());
        }
        self.begin_side_effect(play)?;
        play.usage.count_file_write(bytes as u64);
        files::mark_slow(play, bytes);
        Ok(())
    }

    /// Must precede the creation of so many files with so many bytes; the result is held until they are written.
    fn begin_file_creation(
        &self,
        play: &Play,
        files: usize,
        bytes: usize,
    ) -> Result<DiskReservation, ResourceError> {
        self.begin_file_change(play, bytes)?;
        let look = || play.meter.check_at_tick().map_err(ResourceError::from);
        let reserved = self.circle.files.reserve(files as u64, bytes as u64, play.limits.disk_bytes, look)?;
        reserved.ok_or_else(|| play.meter.stop(Stop::Limit("disk_bytes")).into())
    }
}

impl Resources for Session {
    fn secret(&self, play: &Play, name: &str) -> Result<Option<String>, ResourceError> {
        play.begin_io()?;
        Ok(self.circle.secret(name).map(str::to_owned))
    }

    fn mask_secrets(&self, text: &str, max_bytes: usize) -> String {
        self.circle.mask_secrets(text, max_bytes)
    }

    fn library_id(&self) -> LibraryId {
        self.circle.library.id()
    }

    fn read_script(
        &self,
        play: &Play,
        name: &str,
        known: Option<&Version>,
    ) -> Result<LibraryRead, LibraryError> {
        self.circle.library.read(play, name, known)
    }

    fn script_names(&self, play: &Play) -> Result<Vec<String>, LibraryError> {
        self.circle.library.names(play)
    }

    fn read_file(&self, play: &Play, path: &str) -> Result<Vec<u8>, ResourceError> {
        play.begin_io()?;
        let (file, bytes) = self.circle.files.open(path)?;
        files::read(play, file, bytes)
    }

    fn write_file(&self, play: &Play, path: &str, content: &[u8]) -> Result<(), ResourceError> {
        let _reserved = self.begin_file_creation(play, 1, content.len())?;
        Ok(self.circle.files.write(path, content)?)
    }

    fn append_file(&self, play: &Play, path: &str, content: &[u8]) -> Result<(), ResourceError> {
        let _reserved = self.begin_file_creation(play, 1, content.len())?;
        let may_grow_to = |bytes| bytes <= play.limits.file_bytes;
        match self.circle.files.append(path, content, may_grow_to)? {
            true => Ok(()),
            false => Err(play.meter.stop(Stop::Limit("file_bytes")).into()),
        }
    }

    fn list_files(&self, play: &Play, path: &str) -> Result<Vec<String>, ResourceError> {
        /// Bytes that a listed name takes besides its own.
        const ENTRY: usize = 128;
        play.begin_io()?;
        let mut names = Vec::new();
        self.circle.files.list(path, |name| {
            if names.len() >= play.limits.list_entries {
                return Err(ResourceError::Stopped(play.meter.stop(Stop::Limit("list_entries"))));
            }
            play.meter.charge(name.len() + ENTRY)?;
            play.meter.check_at_tick()?;
            names.push(name);
            Ok(())
        })?;
        names.sort_unstable();
        Ok(names)
    }

    fn create_dir(&self, play: &Play, path: &str) -> Result<(), ResourceError> {
        let _reserved = self.begin_file_creation(play, path.split('/').count(), 0)?;
        Ok(self.circle.files.create_dir(path)?)
    }

    fn remove_file(&self, play: &Play, path: &str) -> Result<(), ResourceError> {
        self.begin_file_change(play, 0)?;
        Ok(self.circle.files.remove(path)?)
    }

    fn rename_file(&self, play: &Play, from: &str, to: &str) -> Result<(), ResourceError> {
        self.begin_file_change(play, 0)?;
        Ok(self.circle.files.rename(from, to)?)
    }

    fn stat_file(&self, play: &Play, path: &str) -> Result<Stat, ResourceError> {
        play.begin_io()?;
        Ok(self.circle.files.stat(path)?)
    }

    fn document(&self, play: &Play, key: &str) -> Result<Option<Json>, ResourceError> {
        play.begin_io()?;
        Ok(self.documents.borrow_mut().get(play, self.claim(), key)?)
    }

    fn documents(
        &self,
        play: &Play,
        range: &KeyRange,
        limit: usize,
    ) -> Result<Vec<(Key, Json)>, ResourceError> {
        play.begin_io()?;
        Ok(self.documents.borrow_mut().scan(play, self.claim(), range, limit)?)
    }

    fn put_document(&self, play: &Play, key: &str, value: Option<String>) -> Result<(), ResourceError> {
        let bytes = key.len() + value.as_ref().map_or(0, String::len);
        play.meter.enforce(play.usage.count_document_bytes(bytes, &play.limits))?;
        Self::check_writable(play)?;
        play.begin_io()?;
        let written = self.documents.borrow_mut().put(play, self.claim(), key, value)?;
        if written > play.limits.db_writes {
            return Err(play.meter.stop(Stop::Limit("db_writes")).into());
        }
        Ok(())
    }

    fn call_circle(&self, play: &Play, call: CircleCall) -> Result<Outcome, ResourceError> {
        // Marked before the other circle is looked for: whether it is here is for that circle to say.
        self.begin_side_effect(play)?;
        let Some(Link { claim, egress }) = &self.link else {
            return Err(play.meter.stop(Stop::BudgetExceeded).into());
        };
        if claim.task().depth() >= usize::from(play.limits.circle_depth) {
            return Err(play.meter.stop(Stop::Limit("circle_depth")).into());
        }
        play.meter.enforce(play.usage.count_circle_call(&play.limits))?;
        egress.call(play, claim.task(), call)
    }

    fn publish_log(&self, line: &LogLine) {
        if let Some(claim) = self.claim() {
            claim.log(line);
        }
    }
}
