//! `db`: the circle's documents, within the transaction that the play is.

use circles_store::{KEY_BYTES, KeyRange};
use rhai::{Array, Dynamic, Map, Module};

use super::{Checked, json, play, throw};
use crate::{
    natives::Natives as _,
    play::{Play, Stop},
    value::{Unfit, to_json_within},
};

/// Documents fetched at a time, so that a long range is not in memory before it is counted.
const BATCH: usize = 16;
/// What `keys` and `scan` hand out at most.
const MOST: usize = 100_000;

pub fn register(db: &mut Module) {
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
    let play = play()?;
    check(key)?;
    match play.document(key)? {
        Some(text) => json::read("db::get", &play, text.as_bytes()),
        None => Ok(Dynamic::UNIT),
    }
}

fn has(key: &str) -> Checked<bool> {
    check(key)?;
    Ok(play()?.document(key)?.is_some())
}

fn set(key: &str, value: Dynamic) -> Checked<()> {
    let play = play()?;
    check(key)?;
    let limits = &play.limits;
    let json = to_json_within(&value, limits.document_bytes, limits.result_depth);
    let json = json.map_err(|unfit| match unfit {
        Unfit::Limit("result_depth") => throw("db::set: the value is nested too deep".to_owned()),
        Unfit::Limit(_) => play.stop(Stop::Limit("document_bytes")),
        Unfit::Type { name, path } => throw(format!("db::set: no JSON form: {path} is a {name}")),
    })?;
    write(&play, key, Some(json.to_string()))
}

fn delete(key: &str) -> Checked<bool> {
    let play = play()?;
    check(key)?;
    let there = play.document(key)?.is_some();
    if there {
        write(&play, key, None)?;
    }
    Ok(there)
}

fn incr(key: &str, by: i64) -> Checked<i64> {
    let play = play()?;
    check(key)?;
    let before = match play.document(key)? {
        Some(text) => {
            text.parse::<i64>().map_err(|_| throw("db::incr: the document is no integer".to_owned()))?
        }
        None => 0,
    };
    let after =
        before.checked_add(by).ok_or_else(|| throw("db::incr: passes the largest integer".to_owned()))?;
    write(&play, key, Some(after.to_string()))?;
    Ok(after)
}

fn keys(prefix: &str) -> Checked<Array> {
    let mut found = Array::new();
    each(prefix, "", MOST + 1, |_, key, _| {
        found.push(key.into());
        Ok(())
    })?;
    if found.len() > MOST {
        return Err(throw(format!("db::keys: more than {MOST} keys; go through them with db::scan")));
    }
    Ok(found)
}

fn scan(prefix: &str, after: &str, limit: i64) -> Checked<Array> {
    let limit = usize::try_from(limit).unwrap_or(0).min(MOST);
    let mut found = Array::new();
    each(prefix, after, limit, |play, key, text| {
        let value = json::read("db::scan", play, text.as_bytes())?;
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
    mut take: impl FnMut(&Play, &str, &str) -> Checked<()>,
) -> Checked<()> {
    let play = play()?;
    let (mut left, mut after) = (limit, (!after.is_empty()).then(|| after.to_owned()));
    while left > 0 {
        play.look()?;
        let range = KeyRange::of_prefix(prefix, after.as_deref());
        let wanted = left.min(BATCH);
        let batch = play.scan(&range, wanted)?;
        for (key, text) in &batch {
            play.charge(0)?;
            take(&play, key, text)?;
        }
        left -= batch.len();
        after = match batch.last() {
            Some((key, _)) if batch.len() == wanted => Some(key.to_string()),
            _ => break,
        };
    }
    Ok(())
}

fn write(play: &Play, key: &str, text: Option<String>) -> Checked<()> {
    let bytes = key.len() + text.as_ref().map_or(0, String::len);
    let written = play.document_bytes.get().saturating_add(bytes);
    if written > play.limits.db_write_bytes {
        return Err(play.stop(Stop::Limit("db_write_bytes")));
    }
    play.document_bytes.set(written);
    let count = play.write(key, text)?;
    if count > play.limits.db_writes { Err(play.stop(Stop::Limit("db_writes"))) } else { Ok(()) }
}

fn check(key: &str) -> Checked<()> {
    if key.is_empty() || key.len() > KEY_BYTES {
        return Err(throw(format!("db: a key has 1 to {KEY_BYTES} bytes, not {}", key.len())));
    }
    Ok(())
}
