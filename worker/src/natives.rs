//! Natives in place of Rhai's own where those wait without a deadline or allocate without a bound.

use std::{
    cmp::Ordering,
    time::{Duration, Instant},
};

use rhai::{Array, Blob, Dynamic, Engine, EvalAltResult, FnPtr, ImmutableString, NativeCallContext};
use tokio::{runtime::Handle, time::timeout_at};

use crate::play::{Play, Stop};

type Checked<T> = Result<T, Box<EvalAltResult>>;

/// Bytes that a piece of a split text takes: a value, and the shared text it points to.
const PIECE: usize = 80;
/// Bytes that a byte of JSON can become: `[0,0,…]` makes a syntax node and a value of every second byte.
const JSON_GROWTH: usize = 64;

/// Puts these before Rhai's own of the same names.
pub fn register(engine: &mut Engine) {
    engine.register_fn("sleep", |seconds: i64| wait(seconds as f64));
    engine.register_fn("sleep", wait);
    texts(engine);
    containers(engine);
    engine.register_fn("parse_json", |context: NativeCallContext, json: &str| {
        charge(json.len().saturating_mul(JSON_GROWTH))?;
        context.engine().parse_json(json, true).map(Dynamic::from)
    });
}

fn texts(engine: &mut Engine) {
    engine.register_fn("pad", |text: &mut ImmutableString, length: i64, with: char| {
        pad(text, length, with.encode_utf8(&mut [0; 4]))
    });
    engine.register_fn("pad", |text: &mut ImmutableString, length: i64, with: &str| pad(text, length, with));
    engine.register_fn("replace", |text: &mut ImmutableString, from: &str, to: &str| replace(text, from, to));
    engine.register_fn("replace", |text: &mut ImmutableString, from: &str, to: char| {
        replace(text, from, to.encode_utf8(&mut [0; 4]))
    });
    engine.register_fn("replace", |text: &mut ImmutableString, from: char, to: &str| {
        replace(text, from.encode_utf8(&mut [0; 4]), to)
    });
    engine.register_fn("replace", |text: &mut ImmutableString, from: char, to: char| {
        replace(text, from.encode_utf8(&mut [0; 4]), to.encode_utf8(&mut [0; 4]))
    });
    engine.register_fn("split", |text: &str, by: &str| split(text, text.split(by)));
    engine.register_fn("split", |text: &str, by: char| split(text, text.split(by)));
    engine.register_fn("split", |text: &str| split(text, text.split_whitespace()));
    engine.register_fn("split_rev", |text: &str, by: &str| split(text, text.rsplit(by)));
    engine.register_fn("split_rev", |text: &str, by: char| split(text, text.rsplit(by)));
    engine.register_fn("to_chars", |text: &str| -> Checked<Array> {
        charge(text.len().saturating_mul(size_of::<Dynamic>()))?;
        Ok(text.chars().map(Dynamic::from).collect())
    });
}

fn containers(engine: &mut Engine) {
    engine.register_fn("blob", |length: i64| blob(length, 0));
    engine.register_fn("blob", blob);
    engine.register_fn("pad", |blob: &mut Blob, length: i64, with: i64| -> Checked<()> {
        if let Some(missing) = missing(blob.len(), length) {
            charge(missing)?;
            blob.resize(blob.len() + missing, low_byte(with));
        }
        Ok(())
    });
    engine.register_fn("pad", |array: &mut Array, length: i64, with: Dynamic| -> Checked<()> {
        if let Some(missing) = missing(array.len(), length) {
            charge(missing.saturating_mul(size_of::<Dynamic>()))?;
            // What each copy holds beyond itself is seen at the next operation only, so large ones go one by one.
            for _ in 0..missing {
                charge(0)?;
                array.push(with.clone());
            }
        }
        Ok(())
    });
    engine.register_fn("sort", sort);
}

/// Sorts by a function of the script. Rhai's own goes on when that function fails, also for a limit.
fn sort(context: NativeCallContext, array: &mut Array, compare: FnPtr) -> Checked<()> {
    let mut failed = None;
    array.sort_by(|left, right| {
        if failed.is_some() {
            return Ordering::Equal;
        }
        match compare.call_within_context::<i64>(&context, (left.clone(), right.clone())) {
            Ok(order) => order.cmp(&0),
            Err(error) => {
                failed = Some(error);
                Ordering::Equal
            }
        }
    });
    failed.map_or(Ok(()), Err)
}

/// Waits as long as the script wishes, its play may last, and somebody wants the outcome. A time that is not
/// above zero is no time; one that no clock can count ends with the play.
fn wait(seconds: f64) -> Checked<()> {
    if seconds.is_nan() || seconds <= 0.0 {
        return Ok(());
    }
    let Some(play) = Play::current() else { return Ok(()) };
    let Some(interrupt) = &play.interrupt else { return Err(play.stop(Stop::NotShort)) };
    let Ok(handle) = Handle::try_current() else { return Ok(()) };
    let wanted = Duration::try_from_secs_f64(seconds).ok();
    let until = wanted.and_then(|wanted| Instant::now().checked_add(wanted));
    let until = until.map_or(play.deadline, |until| until.min(play.deadline));
    play.is_slow();
    // Over whichever comes first; which of them it was, the clock tells.
    let _ = handle.block_on(timeout_at(until.into(), interrupt.cancelled()));
    play.look()
}

fn pad(text: &mut ImmutableString, length: i64, with: &str) -> Checked<()> {
    let Some(missing) = missing(text.chars().count(), length) else { return Ok(()) };
    let width = with.chars().count();
    if width == 0 {
        return Ok(());
    }
    // Rhai's own also stops at whole copies of a longer text.
    let copies = missing.div_ceil(width);
    charge(copies.saturating_mul(with.len()))?;
    let text = text.make_mut();
    (0..copies).for_each(|_| text.push_str(with));
    Ok(())
}

fn replace(text: &mut ImmutableString, from: &str, to: &str) -> Checked<()> {
    let grown = text.matches(from).count().saturating_mul(to.len());
    charge(text.len().saturating_add(grown))?;
    *text = text.replace(from, to).into();
    Ok(())
}

fn split<'a>(text: &str, pieces: impl Iterator<Item = &'a str> + Clone) -> Checked<Array> {
    let count = pieces.clone().count();
    charge(count.saturating_mul(PIECE).saturating_add(text.len()))?;
    Ok(pieces.map(|piece| Dynamic::from(ImmutableString::from(piece))).collect())
}

fn blob(length: i64, with: i64) -> Checked<Blob> {
    let length = usize::try_from(length).unwrap_or(0);
    charge(length)?;
    Ok(vec![low_byte(with); length])
}

/// As Rhai fills blobs.
const fn low_byte(value: i64) -> u8 {
    (value & 0xff) as u8
}

fn missing(length: usize, wanted: i64) -> Option<usize> {
    usize::try_from(wanted).ok()?.checked_sub(length).filter(|missing| *missing > 0)
}

fn charge(bytes: usize) -> Checked<()> {
    Play::current().map_or(Ok(()), |play| play.charge(bytes))
}
