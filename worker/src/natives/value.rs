//! Values of scripts as JSON, and back.
//!
//! A value may be nested as deep as memory allows and, through shared variables, may contain itself. So no function
//! here recurses beyond a given depth, and a value that passed [`to_json`] is safe for code that recurses.

use std::time::{Duration, Instant, SystemTime};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use circles_config::Limits;
use jiff::Timestamp;
use rhai::{Array, Blob, Dynamic, ImmutableString, Map};
use serde_json::{Number, Value};

use super::Frame;
use crate::play::json_length;

/// Nesting of arguments: as deep as `serde_json` parses.
const ARGS_DEPTH: usize = 128;
/// RFC 3339 ends where years need five digits.
const YEAR_10000: Duration = Duration::from_secs(253_402_300_800);

/// Why a value has no JSON form.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// It passes the limit of this name.
    Limit(&'static str),
    /// It holds a value of this type, which JSON lacks, at this path.
    Type { name: String, path: String },
}

/// Bytes of a value's node in memory, besides its text.
const NODE_BYTES: usize = 8;

/// A script's value as JSON: integers with all their digits; floats that JSON lacks as the texts `NaN`,
/// `Infinity` and `-Infinity`, as protobuf's JSON mapping has it; blobs as Base64; timestamps as RFC 3339.
pub(crate) fn to_json(value: &Dynamic, limits: &Limits) -> Result<Value, Unfit> {
    to_json_within(value, limits.result_bytes, limits.result_depth)
}

/// As [`to_json`]; also the length of the JSON text.
pub(crate) fn to_json_with_length(value: &Dynamic, limits: &Limits) -> Result<(Value, usize), Unfit> {
    let mut writer = Writer::new(limits.result_bytes, limits.result_depth, 0);
    let json = writer.value(value)?;
    Ok((json, limits.result_bytes - writer.left))
}

/// As [`to_json`], within so many bytes of JSON text and levels.
pub(crate) fn to_json_within(value: &Dynamic, bytes: usize, depth: usize) -> Result<Value, Unfit> {
    Writer::new(bytes, depth, 0).value(value)
}

/// As [`to_json_within`], where the bytes stand for memory: a small value takes more memory than text.
pub(crate) fn to_json_in_memory(value: &Dynamic, bytes: usize, depth: usize) -> Result<Value, Unfit> {
    Writer::new(bytes, depth, NODE_BYTES).value(value)
}

/// As [`to_json_in_memory`], of a map.
pub(crate) fn map_to_json(map: &Map, bytes: usize, depth: usize) -> Result<Value, Unfit> {
    Writer::new(bytes, depth, NODE_BYTES).map(map)
}

/// Arguments as a script sees them. The error names the value that does not fit by its path.
pub(crate) fn from_json(args: &Value) -> Result<Dynamic, String> {
    read(args, ARGS_DEPTH).map_err(|(path, why)| format!("ARGS{path}: {why}"))
}

/// A path within a value, and what is wrong there.
type PathError = (String, String);

fn read(value: &Value, depth: usize) -> Result<Dynamic, PathError> {
    if !Frame::current_allows_step() {
        return Err((String::new(), "the play was stopped".to_owned()));
    }
    Ok(match value {
        Value::Null => Dynamic::UNIT,
        Value::Bool(truth) => (*truth).into(),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(integer), _) => integer.into(),
            (None, Some(float)) if !number.is_u64() => float.into(),
            _ => return Err((String::new(), format!("{number} is above 2^63 - 1, the largest integer"))),
        },
        Value::String(text) => text.as_str().into(),
        Value::Array(items) => {
            let depth = deeper(depth)?;
            let items = items.iter().enumerate().map(|(index, item)| {
                read(item, depth).map_err(|(path, why)| (format!("[{index}]{path}"), why))
            });
            items.collect::<Result<Array, _>>()?.into()
        }
        Value::Object(members) => {
            let depth = deeper(depth)?;
            let members = members.iter().map(|(name, member)| {
                let member = read(member, depth).map_err(|(path, why)| (format!(".{name}{path}"), why))?;
                Ok::<_, PathError>((name.into(), member))
            });
            members.collect::<Result<Map, _>>()?.into()
        }
    })
}

fn deeper(depth: usize) -> Result<usize, PathError> {
    depth.checked_sub(1).ok_or_else(|| (String::new(), format!("nested deeper than {ARGS_DEPTH}")))
}

struct Writer {
    /// Bytes that may still be written.
    left: usize,
    depth: usize,
    /// Bytes that each value takes besides its text.
    node: usize,
}

impl Writer {
    const fn new(bytes: usize, depth: usize, node: usize) -> Self {
        Self { left: bytes, depth, node }
    }

    fn value(&mut self, value: &Dynamic) -> Result<Value, Unfit> {
        if let Some(array) = value.read_lock::<Array>() {
            return self.nested(array.len(), |writer| {
                let items = array.iter().enumerate();
                items.map(|(index, item)| writer.member(|| format!("[{index}]"), item)).collect()
            });
        }
        if let Some(map) = value.read_lock::<Map>() {
            return self.map(&map);
        }
        self.leaf(value)
    }

    fn map(&mut self, map: &Map) -> Result<Value, Unfit> {
        self.nested(map.len(), |writer| {
            let members = map.iter().map(|(name, member)| {
                // A colon behind the name.
                writer.spend(json_length(name) + 1)?;
                Ok((name.to_string(), writer.member(|| format!(".{name}"), member)?))
            });
            members.collect::<Result<_, _>>().map(Value::Object)
        })
    }

    fn leaf(&mut self, value: &Dynamic) -> Result<Value, Unfit> {
        self.spend(self.node)?;
        let json = if value.is_unit() {
            Value::Null
        } else if let Ok(truth) = value.as_bool() {
            Value::Bool(truth)
        } else if let Ok(integer) = value.as_int() {
            integer.into()
        } else if let Ok(float) = value.as_float() {
            number(float)
        } else if let Ok(character) = value.as_char() {
            character.to_string().into()
        } else if let Some(text) = value.read_lock::<ImmutableString>() {
            // Before it is copied.
            self.spend(json_length(&text))?;
            return Ok(text.as_str().into());
        } else if let Some(blob) = value.read_lock::<Blob>() {
            self.spend(blob.len().div_ceil(3).saturating_mul(4).saturating_add(2))?;
            return Ok(STANDARD.encode(&*blob).into());
        } else if let Some(instant) = value.read_lock::<Instant>() {
            let Some(text) = moment(*instant) else {
                let name = "timestamp before 1970 or after 9999".to_owned();
                return Err(Unfit::Type { name, path: "value".to_owned() });
            };
            text.into()
        } else {
            // Rhai has no name of its own for ranges.
            let name = if value.type_name().contains("Range") { "range" } else { value.type_name() };
            return Err(Unfit::Type { name: name.to_owned(), path: "value".to_owned() });
        };
        self.spend(match &json {
            Value::Null | Value::Bool(true) => 4,
            Value::Bool(false) => 5,
            Value::String(text) => json_length(text),
            other => other.to_string().len(),
        })?;
        Ok(json)
    }

    fn member(&mut self, name: impl FnOnce() -> String, value: &Dynamic) -> Result<Value, Unfit> {
        // Only a type without a JSON form needs its path, so it is put together on the way back.
        self.value(value).map_err(|unfit| match unfit {
            Unfit::Type { name: kind, path } => {
                Unfit::Type { name: kind, path: path.replacen("value", &format!("value{}", name()), 1) }
            }
            limit => limit,
        })
    }

    fn nested(
        &mut self,
        values: usize,
        content: impl FnOnce(&mut Self) -> Result<Value, Unfit>,
    ) -> Result<Value, Unfit> {
        // Brackets, and commas between the values.
        self.spend(values.saturating_sub(1) + 2 + self.node)?;
        self.depth = self.depth.checked_sub(1).ok_or(Unfit::Limit("result_depth"))?;
        let value = content(self);
        self.depth += 1;
        value
    }

    fn spend(&mut self, bytes: usize) -> Result<(), Unfit> {
        if !Frame::current_allows_step() {
            // The meter knows why the play was stopped.
            return Err(Unfit::Limit("memory_bytes"));
        }
        self.left = self.left.checked_sub(bytes).ok_or(Unfit::Limit("result_bytes"))?;
        Ok(())
    }
}

fn number(float: f64) -> Value {
    match Number::from_f64(float) {
        Some(number) => Value::Number(number),
        None if float.is_nan() => "NaN".into(),
        None if float > 0.0 => "Infinity".into(),
        None => "-Infinity".into(),
    }
}

/// The moment of a script's timestamp, which counts from a start that only this process knows. `None` if RFC 3339 or
/// the clock cannot express it.
fn moment(instant: Instant) -> Option<String> {
    let now = Instant::now();
    let time = match now.checked_duration_since(instant) {
        Some(ago) => SystemTime::now().checked_sub(ago)?,
        None => SystemTime::now().checked_add(instant.checked_duration_since(now)?)?,
    };
    let since_1970 = time.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    if since_1970 >= YEAR_10000 {
        return None;
    }
    Timestamp::try_from(time).ok().map(|moment| format!("{moment:.6}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>()
                .prop_filter("JSON has no such number", |float| float.is_finite())
                .prop_map(Value::from),
            ".{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(6, 64, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::vec((".{0,6}", inner), 0..6)
                    .prop_map(|members| members.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn json_survives_a_round_trip(value in any_json()) {
            prop_assert_eq!(to_json(&from_json(&value).unwrap(), &Limits::default()), Ok(value));
        }
    }

    #[test]
    fn values_without_json_form_become_texts() {
        for (value, expected) in [
            (Dynamic::from(f64::NAN), json!("NaN")),
            (f64::INFINITY.into(), json!("Infinity")),
            (f64::NEG_INFINITY.into(), json!("-Infinity")),
            ('ü'.into(), json!("ü")),
            (Dynamic::from_blob(vec![0, 255]), json!("AP8=")),
        ] {
            assert_eq!(to_json(&value, &Limits::default()), Ok(expected));
        }
    }

    #[test]
    fn unsupported_value_is_reported_with_its_path() {
        let pointer = rhai::FnPtr::new("f").unwrap();
        let value =
            Dynamic::from_map([("a".into(), Dynamic::from_array(vec![1.into(), pointer.into()]))].into());
        let unfit = to_json(&value, &Limits::default()).unwrap_err();
        assert_eq!(unfit, Unfit::Type { name: "Fn".into(), path: "value.a[1]".into() });
    }

    #[test]
    fn json_size_and_depth_are_bounded() {
        let limits = Limits { result_bytes: 100, result_depth: 3, ..Limits::default() };
        assert_eq!(to_json(&"x".repeat(101).into(), &limits), Err(Unfit::Limit("result_bytes")));
        let mut value = Dynamic::from(1);
        for _ in 0..4 {
            value = Dynamic::from_array(vec![value]);
        }
        assert_eq!(to_json(&value, &limits), Err(Unfit::Limit("result_depth")));
    }

    proptest! {
        #[test]
        fn counted_bytes_equal_length_of_json(value in any_json()) {
            let script_value = from_json(&value).unwrap();
            let (json, length) = to_json_with_length(&script_value, &Limits::default()).unwrap();
            prop_assert_eq!(length, json.to_string().len());
            // So many are enough, and one less is not.
            let limits = |result_bytes| Limits { result_bytes, ..Limits::default() };
            prop_assert!(to_json(&script_value, &limits(length)).is_ok());
            prop_assert_eq!(to_json(&script_value, &limits(length - 1)), Err(Unfit::Limit("result_bytes")));
        }

        #[test]
        fn json_length_equals_length_of_json_string(text in any::<String>()) {
            prop_assert_eq!(json_length(&text), serde_json::to_string(&text).unwrap().len());
        }
    }

    #[test]
    fn unsupported_argument_is_reported_with_its_path() {
        let fault = from_json(&json!({ "a": [1, { "b": u64::MAX }] })).unwrap_err();
        assert_eq!(fault, "ARGS.a[1].b: 18446744073709551615 is above 2^63 - 1, the largest integer");
        let deep = (0..200).fold(json!(1), |value, _| json!([value]));
        assert!(from_json(&deep).unwrap_err().ends_with("nested deeper than 128"));
    }

    #[test]
    fn timestamp_becomes_rfc_3339() {
        let hour = Duration::from_secs(3_600);
        let read = |instant| to_json(&Dynamic::from(instant), &Limits::default());
        for instant in [Instant::now() + hour, Instant::now()] {
            let text = read(instant).unwrap();
            let time: SystemTime = text.as_str().unwrap().parse::<Timestamp>().unwrap().into();
            let expected = SystemTime::now() + instant.saturating_duration_since(Instant::now());
            let off = expected.duration_since(time).unwrap_or_else(|early| early.duration());
            assert!(off < Duration::from_secs(60), "{text}");
        }
        let long_ago = Instant::now().checked_sub(hour * 24 * 366 * 300);
        if let Some(long_ago) = long_ago {
            assert!(matches!(read(long_ago), Err(Unfit::Type { .. })));
        }
    }
}
