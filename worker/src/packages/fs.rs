//! `fs`: the circle's files.

use std::time::SystemTime;

use rhai::{Array, Blob, Dynamic, EvalAltResult, ImmutableString, Map, Module};

use super::{Bytes, quoted};
use crate::{
    circle::{FileError, ResourceError},
    natives::{Checked, Natives as _, frame, request_error, throw},
};

pub(crate) fn register(fs: &mut Module) {
    fs.native("read", |path: &str| -> Checked<ImmutableString> {
        let text = String::from_utf8(read("read", path)?);
        text.map(Into::into)
            .map_err(|_| file_error("read", path, "it is not a text in UTF-8; use fs::read_blob"))
    });
    fs.native("read_blob", |path: &str| read("read_blob", path));
    fs.native("write", |path: &str, content: Dynamic| {
        let (frame, content) = (frame()?, Bytes::of("fs::write", &content)?);
        checked("write", path, frame.circle().write_file(&frame.play, path, &content))
    });
    fs.native("append", |path: &str, content: Dynamic| {
        let (frame, content) = (frame()?, Bytes::of("fs::append", &content)?);
        checked("append", path, frame.circle().append_file(&frame.play, path, &content))
    });
    fs.native("list", || list(""));
    fs.native("list", list);
    fs.native("make_dir", |path: &str| {
        let frame = frame()?;
        checked("make_dir", path, frame.circle().create_dir(&frame.play, path))
    });
    fs.native("remove", |path: &str| {
        let frame = frame()?;
        checked("remove", path, frame.circle().remove_file(&frame.play, path))
    });
    fs.native("rename", rename);
    fs.native("exists", exists);
    fs.native("stat", stat);
}

fn read(name: &str, path: &str) -> Checked<Blob> {
    let frame = frame()?;
    checked(name, path, frame.circle().read_file(&frame.play, path))
}

fn list(path: &str) -> Checked<Array> {
    let frame = frame()?;
    let names = checked("list", path, frame.circle().list_files(&frame.play, path))?;
    Ok(names.into_iter().map(Dynamic::from).collect())
}

fn rename(from: &str, to: &str) -> Checked<()> {
    let frame = frame()?;
    let renamed = frame.circle().rename_file(&frame.play, from, to);
    renamed.map_err(|error| {
        request_error(error, |why| format!("fs::rename {} to {}: {why}", quoted(from), quoted(to)))
    })
}

fn exists(path: &str) -> Checked<bool> {
    let frame = frame()?;
    match frame.circle().stat_file(&frame.play, path) {
        Ok(_) => Ok(true),
        Err(ResourceError::File(FileError::NotFound | FileError::NotADirectory)) => Ok(false),
        Err(error) => checked("exists", path, Err(error)),
    }
}

fn stat(path: &str) -> Checked<Map> {
    let frame = frame()?;
    let stat = checked("stat", path, frame.circle().stat_file(&frame.play, path))?;
    let since = stat.modified.and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
    let modified = since.and_then(|since| i64::try_from(since.as_millis()).ok());
    Ok(Map::from([
        ("size".into(), i64::try_from(stat.bytes).unwrap_or(i64::MAX).into()),
        ("is_dir".into(), stat.is_dir.into()),
        ("modified".into(), modified.map_or(Dynamic::UNIT, Dynamic::from)),
    ]))
}

fn checked<T>(name: &str, path: &str, result: Result<T, ResourceError>) -> Checked<T> {
    result.map_err(|error| request_error(error, |why| describe(name, path, &why)))
}

fn file_error(name: &str, path: &str, why: &str) -> Box<EvalAltResult> {
    throw(describe(name, path, why))
}

fn describe(name: &str, path: &str, why: &str) -> String {
    format!("fs::{name} {}: {why}", quoted(path))
}
