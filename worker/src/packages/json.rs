//! `json`: values as JSON texts, and back.

use std::{fmt, io};

use circles_store::integers_fit;
use rhai::{Array, Dynamic, ImmutableString, Map, Module};
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::ser::{PrettyFormatter, Serializer};

use super::Bytes;
use crate::{
    natives::{
        Checked, Natives as _, frame, throw,
        value::{Unfit, to_json_in_memory},
    },
    play::{Play, Stop},
};

/// Bytes of the values behind a byte of JSON, at most.
const GROWTH: usize = 16;

pub(crate) fn register(json: &mut Module) {
    json.native("parse", parse);
    json.native("stringify", |value: Dynamic| stringify(&value, false));
    json.native("stringify_pretty", |value: Dynamic| stringify(&value, true));
}

pub(crate) fn parse(text: Dynamic) -> Checked<Dynamic> {
    let frame = frame()?;
    read("json::parse", &frame.play, &Bytes::of("json::parse", &text)?)
}

/// The value of a JSON text, for the native of this name, within the memory that its play has left.
pub(crate) fn read(native: &str, play: &Play, text: &[u8]) -> Checked<Dynamic> {
    // The parser would make floats of them.
    integers_fit(text).map_err(|why| throw(format!("{native}: {why}")))?;
    let mut reader = serde_json::Deserializer::from_slice(text);
    let value = ValueReader(play).deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    match (value, play.meter.stopped()) {
        (_, Some(stop)) => Err(stop.into()),
        (Ok(value), None) => Ok(value),
        (Err(why), None) => Err(throw(format!("{native}: {why}"))),
    }
}

/// Reads one value, within the memory that its play has left.
#[derive(Clone, Copy)]
struct ValueReader<'a>(&'a Play);

impl ValueReader<'_> {
    /// Checked for every value. A container that grows takes as much again as it holds.
    fn fits<E: serde::de::Error>(self, held: usize) -> Result<(), E> {
        let meter = &self.0.meter;
        let charged = meter.charge(held.saturating_mul(size_of::<Dynamic>()));
        charged.and_then(|()| meter.check_at_tick()).map_err(|_| E::custom("stopped"))
    }
}

impl<'de> DeserializeSeed<'de> for ValueReader<'_> {
    type Value = Dynamic;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Dynamic, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ValueReader<'_> {
    type Value = Dynamic;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Dynamic, E> {
        Ok(Dynamic::UNIT)
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Dynamic, E> {
        Ok(truth.into())
    }

    fn visit_i64<E>(self, integer: i64) -> Result<Dynamic, E> {
        Ok(integer.into())
    }

    /// `integers_fit` has refused integers above 2^63 - 1 already.
    fn visit_u64<E: serde::de::Error>(self, integer: u64) -> Result<Dynamic, E> {
        i64::try_from(integer).map(Dynamic::from).map_err(|_| E::custom("an integer above 2^63 - 1"))
    }

    fn visit_f64<E>(self, float: f64) -> Result<Dynamic, E> {
        Ok(float.into())
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Dynamic, E> {
        self.fits(text.len() / size_of::<Dynamic>() + 1)?;
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Dynamic, A::Error> {
        let mut array = Array::new();
        while let Some(item) = items.next_element_seed(self)? {
            self.fits(if array.len() == array.capacity() { array.len() } else { 0 })?;
            array.push(item);
        }
        Ok(Dynamic::from_array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Dynamic, A::Error> {
        let mut map = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            self.fits(0)?;
            map.insert(name.into(), members.next_value_seed(self)?);
        }
        Ok(Dynamic::from_map(map))
    }
}

fn stringify(value: &Dynamic, pretty: bool) -> Checked<ImmutableString> {
    let frame = frame()?;
    let meter = &frame.play.meter;
    let json = to_json_in_memory(value, meter.available_bytes() / GROWTH, frame.play.limits.result_depth);
    let json = json.map_err(|unfit| match unfit {
        Unfit::Limit("result_bytes") => meter.stop(Stop::Limit("memory_bytes")).into(),
        Unfit::Limit(name) => meter.stop(Stop::Limit(name)).into(),
        Unfit::Type { name, path } => throw(format!("json::stringify: no JSON form: {path} is a {name}")),
    })?;
    // Spaces can be most of a text, and a text that grows is copied.
    let mut text = Text { bytes: Vec::new(), left: meter.available_bytes() / 2 };
    let written = if pretty {
        let mut writer = Serializer::with_formatter(&mut text, PrettyFormatter::new());
        serde::Serialize::serialize(&json, &mut writer)
    } else {
        serde_json::to_writer(&mut text, &json)
    };
    written.map_err(|_| meter.stop(Stop::Limit("memory_bytes")))?;
    let text = String::from_utf8(text.bytes);
    text.map(Into::into).map_err(|_| throw("json::stringify: not a text".to_owned()))
}

/// A writer of a bounded text.
struct Text {
    bytes: Vec<u8>,
    left: usize,
}

impl io::Write for Text {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        self.left = self.left.checked_sub(part.len()).ok_or(io::ErrorKind::OutOfMemory)?;
        self.bytes.extend_from_slice(part);
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
