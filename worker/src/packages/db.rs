//! `db`: the circle's documents, within the transaction that the play is.

use circles_store::{Json, KEY_BYTES, KeyRange};
use rhai::{Array, Dynamic, Map, Module};

use super::json;
use crate::{
    natives::{
        Checked, Frame, Natives as _, frame, throw,
        value::{Unfit, to_json_within},
    },
    play::Stop,
};

/// Documents fetched at a time: the memory of a long range is charged in small parts.
const BATCH: usize = 16;
/// Documents that `keys` and `scan` return, at most.
const MAX_DOCUMENTS: usize = 100_000;

pub(crate) fn register(db: &mut Module) {
    db.native("get", get);
    db.native("has", has);
    db.native("set", set);
    db.native("delete", delete);
    db.native("incr", |key: &str| incr(key, 1));
    db.native("incr", incr);
    db.native("keys", keys);
    db.native("scan", scan);
    db.native("scan", |prefix: &str, _: (), limit: i64| scan(prefix, "", limit));
}

fn get(key: &str) -> Checked<Dynamic> {
    let frame = frame()?;
    check(key)?;
    match document(&frame, key)? {
        Some(text) => json::read("db::get", &frame.play, text.as_bytes()),
        None => Ok(Dynamic::UNIT),
    }
}

fn has(key: &str) -> Checked<bool> {
    let frame = frame()?;
    check(key)?;
    Ok(document(&frame, key)?.is_some())
}

fn set(key: &str, value: Dynamic) -> Checked<()> {
    let frame = frame()?;
    check(key)?;
    let limits = &frame.play.limits;
    let json = to_json_within(&value, limits.document_bytes, limits.result_depth);
    let json = json.map_err(|unfit| match unfit {
        Unfit::Limit("result_depth") => throw("db::set: the value is nested too deep".to_owned()),
        Unfit::Limit(_) => frame.play.meter.stop(Stop::Limit("document_bytes")).into(),
        Unfit::Type { name, path } => throw(format!("db::set: no JSON form: {path} is a {name}")),
    })?;
    write(&frame, key, Some(json.to_string()))
}

fn delete(key: &str) -> Checked<bool> {
    let frame = frame()?;
    check(key)?;
    let exists = document(&frame, key)?.is_some();
    if exists {
        write(&frame, key, None)?;
    }
    Ok(exists)
}

fn incr(key: &str, by: i64) -> Checked<i64> {
    let frame = frame()?;
    check(key)?;
    let before = match document(&frame, key)? {
        Some(text) => {
            text.parse::<i64>().map_err(|_| throw("db::incr: the document is not an integer".to_owned()))?
        }
        None => 0,
    };
    let after = before
        .checked_add(by)
        .ok_or_else(|| throw("db::incr: the result does not fit into an integer".to_owned()))?;
    write(&frame, key, Some(after.to_string()))?;
    Ok(after)
}

fn keys(prefix: &str) -> Checked<Array> {
    let mut found = Array::new();
    each(prefix, "", MAX_DOCUMENTS + 1, |_, key, _| {
        found.push(key.into());
        Ok(())
    })?;
    if found.len() > MAX_DOCUMENTS {
        return Err(throw(format!(
            "db::keys: more than {MAX_DOCUMENTS} keys; go through them with db::scan"
        )));
    }
    Ok(found)
}

fn scan(prefix: &str, after: &str, limit: i64) -> Checked<Array> {
    let limit = usize::try_from(limit).unwrap_or(0).min(MAX_DOCUMENTS);
    let mut found = Array::new();
    each(prefix, after, limit, |frame, key, text| {
        let value = json::read("db::scan", &frame.play, text.as_bytes())?;
        let document = Map::from([("key".into(), key.into()), ("value".into(), value)]);
        found.push(document.into());
        Ok(())
    })?;
    Ok(found)
}

/// Goes through documents in order, some at a time.
fn each(
    prefix: &str,
    after: &str,
    limit: usize,
    mut take: impl FnMut(&Frame, &str, &str) -> Checked<()>,
) -> Checked<()> {
    let frame = frame()?;
    let play = &frame.play;
    let (mut left, mut after) = (limit, (!after.is_empty()).then(|| after.to_owned()));
    while left > 0 {
        play.meter.check()?;
        let range = KeyRange::of_prefix(prefix, after.as_deref());
        let wanted = left.min(BATCH);
        let batch = frame.circle().documents(play, &range, wanted)?;
        for (key, text) in &batch {
            play.meter.charge(0)?;
            take(&frame, key, text)?;
        }
        left -= batch.len();
        after = match batch.last() {
            Some((key, _)) if batch.len() == wanted => Some(key.to_string()),
            _ => break,
        };
    }
    Ok(())
}

fn document(frame: &Frame, key: &str) -> Checked<Option<Json>> {
    Ok(frame.circle().document(&frame.play, key)?)
}

fn write(frame: &Frame, key: &str, text: Option<String>) -> Checked<()> {
    Ok(frame.circle().put_document(&frame.play, key, text)?)
}

fn check(key: &str) -> Checked<()> {
    if key.is_empty() || key.len() > KEY_BYTES {
        return Err(throw(format!("db: a key has 1 to {KEY_BYTES} bytes, not {}", key.len())));
    }
    Ok(())
}
