//! `fs`: the circle's files.

use std::{io::Read as _, rc::Rc, time::SystemTime};

use rhai::{Array, Blob, Dynamic, EvalAltResult, ImmutableString, Map, Module};

use super::{Bytes, Checked, play, quoted, throw};
use crate::{
    circle::{FileFault, Reservation},
    natives::Natives as _,
    play::{Play, Stop},
};

/// Bytes that may take the disk long enough for others to go on meanwhile.
const SLOW_BYTES: usize = 1 << 20;
/// Bytes read between looks at the clock.
const CHUNK: u64 = 256 << 10;
/// Bytes that a listed name takes beside its own.
const ENTRY: usize = 128;

pub fn register(fs: &mut Module) {
    fs.native("read", |path: &str| -> Checked<ImmutableString> {
        let text = String::from_utf8(read("read", path)?);
        text.map(Into::into).map_err(|_| fault("read", path, "it is no text; read_blob reads it"))
    });
    fs.native("read_blob", |path: &str| read("read_blob", path));
    fs.native("write", |path: &str, content: Dynamic| {
        let content = Bytes::of("fs::write", &content)?;
        let (play, _reserved) = makes("write", path, 1, content.len())?;
        done("write", path, play.circle.files.write(path, &content))
    });
    fs.native("append", |path: &str, content: Dynamic| {
        let content = Bytes::of("fs::append", &content)?;
        let (play, _reserved) = makes("append", path, 1, content.len())?;
        let may_grow_to = |bytes| bytes <= play.limits.file_bytes;
        match done("append", path, play.circle.files.append(path, &content, may_grow_to))? {
            true => Ok(()),
            false => Err(play.stop(Stop::Limit("file_bytes"))),
        }
    });
    fs.native("list", || list(""));
    fs.native("list", list);
    fs.native("make_dir", |path: &str| {
        let (play, _reserved) = makes("make_dir", path, path.split('/').count(), 0)?;
        done("make_dir", path, play.circle.files.make_dir(path))
    });
    fs.native("remove", |path: &str| {
        done("remove", path, changes("remove", path, 0)?.circle.files.remove(path))
    });
    fs.native("rename", |from: &str, to: &str| {
        let renamed = changes("rename", from, 0)?.circle.files.rename(from, to);
        renamed.map_err(|why| throw(format!("fs::rename {} to {}: {why}", quoted(from), quoted(to))))
    });
    fs.native("exists", |path: &str| match looks()?.circle.files.stat(path) {
        Ok(_) => Ok(true),
        Err(FileFault::NotFound | FileFault::NotADirectory) => Ok(false),
        Err(why) => Err(fault("exists", path, why)),
    });
    fs.native("stat", stat);
}

fn read(name: &str, path: &str) -> Checked<Blob> {
    let play = looks()?;
    let (file, bytes) = done(name, path, play.circle.files.open(path))?;
    let most = play.limits.file_bytes;
    if bytes > most {
        return Err(play.stop(Stop::Limit("file_bytes")));
    }
    let expected = usize::try_from(bytes).unwrap_or(usize::MAX);
    play.charge(expected)?;
    waits(&play, expected);
    let mut content = Vec::with_capacity(expected);
    // It may have grown since it was measured.
    let mut file = file.take(most + 1);
    loop {
        let chunk = (&mut file).take(CHUNK).read_to_end(&mut content);
        if done(name, path, chunk.map_err(FileFault::from))? == 0 {
            break;
        }
        if content.len() as u64 > most {
            return Err(play.stop(Stop::Limit("file_bytes")));
        }
        play.charge(0)?;
        play.look()?;
    }
    Ok(content)
}

/// Why a walk over files ended early.
enum End {
    Fault(FileFault),
    Stop(Box<EvalAltResult>),
}

impl From<FileFault> for End {
    fn from(fault: FileFault) -> Self {
        Self::Fault(fault)
    }
}

impl End {
    fn into_error(self, name: &str, path: &str) -> Box<EvalAltResult> {
        match self {
            Self::Stop(stop) => stop,
            Self::Fault(why) => fault(name, path, why),
        }
    }
}

fn list(path: &str) -> Checked<Array> {
    let play = looks()?;
    let mut names = Vec::new();
    let listed = play.circle.files.list(path, |name| {
        if names.len() >= play.limits.list_entries {
            return Err(End::Stop(play.stop(Stop::Limit("list_entries"))));
        }
        play.charge(name.len() + ENTRY).and_then(|()| play.look_at_tick()).map_err(End::Stop)?;
        names.push(name);
        Ok(())
    });
    listed.map_err(|end| end.into_error("list", path))?;
    names.sort_unstable();
    Ok(names.into_iter().map(Dynamic::from).collect())
}

fn stat(path: &str) -> Checked<Map> {
    let stat = done("stat", path, looks()?.circle.files.stat(path))?;
    let since = stat.modified.and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
    let modified = since.and_then(|since| i64::try_from(since.as_millis()).ok());
    Ok(Map::from([
        ("size".into(), i64::try_from(stat.bytes).unwrap_or(i64::MAX).into()),
        ("is_dir".into(), stat.is_dir.into()),
        ("modified".into(), modified.map_or(Dynamic::UNIT, Dynamic::from)),
    ]))
}

/// The play, before it looks at files.
fn looks() -> Checked<Rc<Play>> {
    let play = play()?;
    play.touches()?;
    Ok(play)
}

/// The play, before it makes so many files with so many bytes; and their room, to be held until they are made.
fn makes(name: &str, path: &str, files: usize, bytes: usize) -> Checked<(Rc<Play>, Reservation)> {
    let play = changes(name, path, bytes)?;
    let (files, bytes, most) = (files as u64, bytes as u64, play.limits.disk_bytes);
    let look = || play.look_at_tick().map_err(End::Stop);
    let fits = play.circle.files.reserve(files, bytes, most, look);
    match fits.map_err(|end| end.into_error(name, path))? {
        Some(reserved) => Ok((play, reserved)),
        None => Err(play.stop(Stop::Limit("disk_bytes"))),
    }
}

/// The play, before it changes files; so many bytes are to be written.
fn changes(name: &str, path: &str, bytes: usize) -> Checked<Rc<Play>> {
    let play = play()?;
    let limits = &play.limits;
    let (writes, written) = (play.file_writes.get() + 1, play.written_bytes.get() + bytes as u64);
    let passed = [
        (bytes as u64 > limits.file_bytes, "file_bytes"),
        (writes > limits.file_writes, "file_writes"),
        (written > limits.written_bytes, "written_bytes"),
    ];
    if let Some((_, limit)) = passed.into_iter().find(|(passed, _)| *passed) {
        return Err(play.stop(Stop::Limit(limit)));
    }
    if !play.circle.files.are_there() {
        return Err(fault(name, path, FileFault::NoFiles));
    }
    play.reach_outside()?;
    play.file_writes.set(writes);
    play.written_bytes.set(written);
    waits(&play, bytes);
    Ok(play)
}

/// Lets others run beside this play if the disk may take long over so many bytes.
fn waits(play: &Play, bytes: usize) {
    if bytes >= SLOW_BYTES {
        play.is_slow();
    }
}

fn done<T>(name: &str, path: &str, result: Result<T, FileFault>) -> Checked<T> {
    result.map_err(|why| fault(name, path, why))
}

fn fault(name: &str, path: &str, why: impl std::fmt::Display) -> Box<EvalAltResult> {
    throw(format!("fs::{name} {}: {why}", quoted(path)))
}
