//! Checks the params of a call against what the document says of its method.

use std::{error::Error, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value};

use crate::{Param, Params};

/// Messages quote at most this many characters of a name, so that an answer stays small.
const MAX_QUOTED_CHARS: usize = 64;
/// Messages quote at most this many characters of a reason, which may hold a value.
const MAX_REASON_CHARS: usize = 256;

/// Why the params of a call are refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidParams {
    /// The param or the place in it (`args.x`); `params` if they are wrong as a whole.
    pub field: String,
    /// The end of a sentence about the field: "must be at most 1048576 characters".
    pub reason: String,
}

impl InvalidParams {
    fn new(field: &str, reason: &str) -> Self {
        Self { field: cut(field, MAX_QUOTED_CHARS), reason: cut(reason, MAX_REASON_CHARS) }
    }
}

impl fmt::Display for InvalidParams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.reason)
    }
}

impl Error for InvalidParams {}

fn cut(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// Checks the JSON text of `params`, by name or by position, against the params of a method.
///
/// # Errors
///
/// The first param that is wrong: unknown, repeated, missing, or not what its schema expects.
pub fn check_params<P: Params>(params: Option<&str>) -> Result<(), InvalidParams> {
    let whole = |reason: String| InvalidParams::new("params", &reason);
    let given = match params.map(serde_json::from_str::<Given>) {
        None => Given::Names(Vec::new()),
        Some(given) => {
            given.map_err(|error| whole(format!("must be an array or an object of JSON: {error}")))?
        }
    };
    let named = match given {
        Given::Names(named) => named,
        Given::Positions(values) if values.len() > P::PARAMS.len() => {
            let (max, count) = (P::PARAMS.len(), values.len());
            return Err(whole(format!("at most {max} can be given by position, not {count}")));
        }
        Given::Positions(values) => {
            P::PARAMS.iter().zip(values).map(|(param, value)| (param.name.to_owned(), value)).collect()
        }
    };
    let value = by_name(named, P::PARAMS)?;
    match serde_path_to_error::deserialize::<_, P>(value) {
        Ok(_) => Ok(()),
        Err(error) => {
            let path = error.path().to_string();
            let field = if path == "." { "params" } else { path.as_str() };
            Err(InvalidParams::new(field, &error.inner().to_string()))
        }
    }
}

/// Returns the params as one object, after checking their names.
fn by_name(given: Vec<(String, Value)>, params: &[Param]) -> Result<Value, InvalidParams> {
    let mut named = Map::new();
    for (name, value) in given {
        if !params.iter().any(|param| param.name == name) {
            return Err(InvalidParams::new(&name, "is not a param of this method"));
        }
        if named.contains_key(&name) {
            return Err(InvalidParams::new(&name, "is given twice"));
        }
        named.insert(name, value);
    }
    match params.iter().find(|param| param.required && !named.contains_key(param.name)) {
        Some(missing) => Err(InvalidParams::new(missing.name, "is required, but missing")),
        None => Ok(Value::Object(named)),
    }
}

/// Params as they were sent. A name may be there twice.
enum Given {
    Names(Vec<(String, Value)>),
    Positions(Vec<Value>),
}

impl<'de> Deserialize<'de> for Given {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(GivenVisitor)
    }
}

struct GivenVisitor;

impl<'de> Visitor<'de> for GivenVisitor {
    type Value = Given;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array or an object")
    }

    fn visit_unit<E>(self) -> Result<Given, E> {
        Ok(Given::Names(Vec::new()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Given, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = access.next_element()? {
            values.push(value);
        }
        Ok(Given::Positions(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Given, A::Error> {
        let mut named = Vec::new();
        while let Some(entry) = access.next_entry()? {
            named.push(entry);
        }
        Ok(Given::Names(named))
    }
}

/// Returns the first param, of the JSON text of `params`, that the table does not have.
pub(crate) fn unknown_param(table: &[Param], params: &str) -> Option<String> {
    UnknownParam(table).deserialize(&mut serde_json::Deserializer::from_str(params)).ok().flatten()
}

/// Finds the first param that the table does not have, without building any value.
struct UnknownParam<'a>(&'a [Param]);

impl<'de> DeserializeSeed<'de> for UnknownParam<'_> {
    type Value = Option<String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for UnknownParam<'_> {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array or an object")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        let mut count = 0;
        while access.next_element::<IgnoredAny>()?.is_some() {
            count += 1;
        }
        Ok((count > self.0.len()).then(|| format!("position {}", self.0.len() + 1)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        let mut unknown = None;
        while let Some(name) = access.next_key_seed(UnknownName(self.0))? {
            unknown = unknown.or(name);
            access.next_value::<IgnoredAny>()?;
        }
        Ok(unknown)
    }
}

/// Reads a name; returns it if the table does not have it.
struct UnknownName<'a>(&'a [Param]);

impl<'de> DeserializeSeed<'de> for UnknownName<'_> {
    type Value = Option<String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for UnknownName<'_> {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        let known = self.0.iter().any(|param| param.name == name);
        Ok((!known).then(|| cut(name, MAX_QUOTED_CHARS)))
    }
}
