//! `time`: moments as milliseconds since 1970, UTC.

use std::time::{Duration, SystemTime};

use rhai::{ImmutableString, Module};

use super::{Checked, throw};
use crate::natives::Natives as _;

pub fn register(time: &mut Module) {
    time.native("now", || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, millis));
    time.native("format", format);
    time.native("parse", |text: &str| {
        parse(text)
            .ok_or_else(|| throw("time::parse: not a moment of RFC 3339 between 1970 and 9999".to_owned()))
    });
}

fn millis(since_1970: Duration) -> i64 {
    i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX)
}

fn format(millis: i64) -> Checked<ImmutableString> {
    /// RFC 3339 ends where years need five digits.
    const YEAR_10000: u64 = 253_402_300_800_000;
    let millis = u64::try_from(millis).ok().filter(|millis| *millis < YEAR_10000);
    let millis = millis.ok_or_else(|| throw("time::format: not between 1970 and 9999".to_owned()))?;
    let moment = SystemTime::UNIX_EPOCH + Duration::from_millis(millis);
    Ok(humantime::format_rfc3339_millis(moment).to_string().into())
}

/// A moment, with `Z` or an offset at its end.
fn parse(text: &str) -> Option<i64> {
    let (local, ahead) = match text.strip_suffix(['Z', 'z']) {
        Some(local) => (local, 0),
        None => {
            let (local, offset) = text.split_at_checked(text.len().checked_sub(6)?)?;
            (local, minutes(offset)?)
        }
    };
    let moment = humantime::parse_rfc3339(&format!("{local}Z")).ok()?;
    let millis = millis(moment.duration_since(SystemTime::UNIX_EPOCH).ok()?);
    Some(millis - ahead * 60_000)
}

/// The minutes that `+hh:mm` lies ahead of UTC.
fn minutes(offset: &str) -> Option<i64> {
    let (sign, rest) = offset.split_at_checked(1)?;
    let sign = match sign {
        "+" => 1,
        "-" => -1,
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    let number = |text: &str, below: i64| {
        let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|number: &i64| digits && *number < below)
    };
    Some(sign * (number(hours, 24)? * 60 + number(minutes, 60)?))
}
