//! `time`: moments as milliseconds since 1970, UTC.

use std::time::{Duration, SystemTime};

use jiff::{
    SignedDuration,
    civil::{DateTime, date},
};
use rhai::{ImmutableString, Module};

use super::{Checked, throw};
use crate::natives::Natives as _;

/// In UTC. `jiff`'s own timestamps end a day before the year 10000, so that every zone has a name for them.
const EPOCH: DateTime = date(1970, 1, 1).at(0, 0, 0, 0);
/// RFC 3339 ends where years need five digits, in milliseconds.
const YEAR_10000_MILLIS: i64 = 253_402_300_800_000;
/// A date and a time without a fraction.
const LOCAL: &str = "0000-00-00T00:00:00";
/// Longer texts have more digits of a second than any use needs.
const TEXT_BYTES: usize = 256;

pub(crate) fn register(time: &mut Module) {
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
    let moment = Some(millis).filter(|millis| (0..YEAR_10000_MILLIS).contains(millis));
    let moment = moment.and_then(|millis| EPOCH.checked_add(SignedDuration::from_millis(millis)).ok());
    let moment = moment.ok_or_else(|| throw("time::format: not between 1970 and 9999".to_owned()))?;
    Ok(format!("{moment:.3}Z").into())
}

/// A moment of RFC 3339: what `jiff` reads, without its extensions, and with leap seconds. These stand at the end of a
/// June or December, and are the second that follows, as in Unix time.
fn parse(text: &str) -> Option<i64> {
    if text.len() > TEXT_BYTES {
        return None;
    }
    // `t` and `z` mean the same (RFC 3339, 5.6).
    let text = text.to_ascii_uppercase();
    let (local, rest) = text.split_at_checked(LOCAL.len()).filter(|(local, _)| is_like(local, LOCAL))?;
    let (fraction, offset) = rest.split_at(rest.find(['Z', '+', '-'])?);
    let (minute, second) = local.split_at_checked(LOCAL.len() - 2)?;
    let leap = second == "60";
    let local: DateTime = if leap { format!("{minute}59").parse() } else { local.parse() }.ok()?;
    let utc = local.checked_sub(SignedDuration::from_mins(minutes_ahead(offset)?)).ok()?;
    if leap && !is_last_of_half_year(utc) {
        return None;
    }
    let seconds = utc.duration_since(EPOCH).as_secs() + i64::from(leap);
    let millis = seconds * 1_000 + millis_of(fraction)?;
    (0..YEAR_10000_MILLIS).contains(&millis).then_some(millis)
}

/// Returns whether a text has digits where the form has `0`, and otherwise its characters.
fn is_like(text: &str, form: &str) -> bool {
    let fits = |(byte, wanted): (u8, u8)| if wanted == b'0' { byte.is_ascii_digit() } else { byte == wanted };
    text.len() == form.len() && text.bytes().zip(form.bytes()).all(fits)
}

/// The minutes that an offset lies ahead of UTC: `Z`, or `+hh:mm` or `-hh:mm`, as a clock shows it.
fn minutes_ahead(offset: &str) -> Option<i64> {
    if offset == "Z" {
        return Some(0);
    }
    let clock = offset.strip_prefix(['+', '-']).filter(|clock| is_like(clock, "00:00"))?;
    let (hours, minutes) = clock.split_once(':')?;
    let (hours, minutes): (i64, i64) = (hours.parse().ok()?, minutes.parse().ok()?);
    let ahead = hours * 60 + minutes;
    (hours < 24 && minutes < 60).then_some(if offset.starts_with('-') { -ahead } else { ahead })
}

fn is_last_of_half_year(utc: DateTime) -> bool {
    matches!((utc.month(), utc.day()), (6, 30) | (12, 31)) && (utc.hour(), utc.minute()) == (23, 59)
}

/// The milliseconds of a fraction of a second: nothing, or a point and digits.
fn millis_of(fraction: &str) -> Option<i64> {
    if fraction.is_empty() {
        return Some(0);
    }
    let digits = fraction.strip_prefix('.').filter(|digits| !digits.is_empty())?;
    if !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let digits = digits.bytes().chain([b'0'; 3]).take(3);
    Some(digits.fold(0, |millis, digit| millis * 10 + i64::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_3339_texts_are_parsed() {
        for (text, millis) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1970-01-01t00:00:00z", 0),
            ("1970-01-01T00:00:00-00:00", 0),
            ("1970-01-01T01:00:00+01:00", 0),
            ("1969-12-31T23:00:00-01:00", 0),
            ("1985-04-12T23:20:50.52Z", 482_196_050_520),
            ("1996-12-19T16:39:57-08:00", 851_042_397_000),
            ("1990-12-31T23:59:60Z", 662_688_000_000),
            ("1990-12-31T15:59:60.250-08:00", 662_688_000_250),
            ("2000-02-29T00:00:00.000999999999999999Z", 951_782_400_000),
            ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
            ("2026-11-21T12:00:00+23:59", 1_795_176_060_000),
        ] {
            assert_eq!(parse(text), Some(millis), "{text}");
        }
    }

    #[test]
    fn other_texts_are_not_rfc_3339() {
        for text in [
            "",
            "1970-01-01T00:00:00",
            "1970-01-01T00:00:00ZZ",
            "1970-01-01T00:00:00Z!!!Z",
            "1970-01-01 00:00:00Z",
            "1970-01-01T00:00Z",
            "1970-01-01T00:00:00,5Z",
            "1970-01-01T00:00:00+01",
            "1970-01-01T00:00:00+0100",
            "1970-01-01T00:00:00+24:00",
            "1970-01-02T00:00:00+01:60",
            "1970-01-02T00:00:00+01:00:00",
            "1970-01-01T00:00:00+01:00",
            "1970-01-01T00:00:00Z[UTC]",
            "+001970-01-01T00:00:00Z",
            "19700101T000000Z",
            "2018-02-14T00:28:07.Z",
            "2018-06-15T12:30:60Z",
            "2018-06-30T12:30:60Z",
            "2016-12-31T23:59:61Z",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-11-21T12:00:00Z+02:00",
            "9999-12-31T23:59:59-00:01",
            "1969-12-31T23:59:59.999Z",
            "٢٠٢٦-11-21T12:00:00Z",
            " 1970-01-01T00:00:00Z",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
