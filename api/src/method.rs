//! What the document says of methods, for code that handles them all alike.

use std::fmt;

use schemars::{JsonSchema, Schema};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{DeserializeOwned, DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value};

/// Texts from outside are cut to this many characters in messages, so that an answer stays small.
const QUOTED: usize = 64;
/// As [`QUOTED`], for reasons, which may quote a value.
const REASON: usize = 256;

/// A method of the document.
#[derive(Debug)]
pub struct Method {
    /// Its name on the wire.
    pub name: &'static str,
    /// Who may call it.
    pub auth: Auth,
    /// Whether it needs a connection that lasts, so that HTTP POST cannot carry it.
    pub connection: bool,
    /// Its params, in the order of their positions.
    pub params: &'static [Param],
    /// The codes of the errors that it declares.
    pub errors: &'static [i32],
    /// Says which of the params (the JSON text of `params`; `None` if the call has none) is wrong, and why.
    ///
    /// It reads everything and allocates: for the road on which a call has failed already.
    pub check_params: fn(Option<&str>) -> Result<(), InvalidParams>,
}

impl Method {
    /// The first param, of the JSON text of `params`, that the document does not know; by position, "position 4".
    ///
    /// `None` also for a text that is no array or object: others refuse that. It allocates only for its answer.
    pub fn unknown_param(&self, params: Option<&str>) -> Option<String> {
        let mut deserializer = serde_json::Deserializer::from_str(params?);
        Unknown(self.params).deserialize(&mut deserializer).ok().flatten()
    }
}

/// Who may call a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// Anyone.
    None,
    /// Only who holds a session, where the server asks for sessions.
    Session,
}

/// A param of a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Param {
    /// Its name on the wire.
    pub name: &'static str,
    /// Whether a call must have it.
    pub required: bool,
}

/// The params of one method as a type.
pub trait Params: DeserializeOwned {
    /// As the document lists them.
    const PARAMS: &'static [Param];
}

/// The params of a method that has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoParams {}

impl Params for NoParams {
    const PARAMS: &'static [Param] = &[];
}

/// A schema of the document and the type that carries it.
#[derive(Debug)]
pub struct Type {
    /// Its name in the document.
    pub name: &'static str,
    /// What the type says of itself.
    pub schema: fn() -> Schema,
    /// Reads a value as the type and writes it again.
    pub round_trip: fn(Value) -> Result<Value, serde_json::Error>,
}

impl Type {
    /// The type `T` under the name that the document gives it.
    pub const fn of<T: JsonSchema + Serialize + DeserializeOwned>(name: &'static str) -> Self {
        Self {
            name,
            schema: || schemars::SchemaGenerator::default().into_root_schema_for::<T>(),
            round_trip: |value| serde_json::to_value(serde_json::from_value::<T>(value)?),
        }
    }
}

/// What is wrong with the params of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidParams {
    /// The param, or the place in it: `args.x`; `params` for the whole.
    pub field: String,
    /// What is expected: "must be at most 1048576 characters".
    pub reason: String,
}

impl InvalidParams {
    fn new(field: &str, reason: &str) -> Self {
        Self { field: cut(field, QUOTED), reason: cut(reason, REASON) }
    }
}

impl fmt::Display for InvalidParams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.reason)
    }
}

impl std::error::Error for InvalidParams {}

fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
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
            let (most, count) = (P::PARAMS.len(), values.len());
            return Err(whole(format!("at most {most} can be given by position, not {count}")));
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

/// Params as one object, once their names are sure.
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

/// Params as they were sent; a name may stand in them twice.
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

/// Looks for the first param beyond a table, building nothing.
struct Unknown<'a>(&'a [Param]);

impl<'de> DeserializeSeed<'de> for Unknown<'_> {
    type Value = Option<String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Unknown<'_> {
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

/// A name, if the table does not hold it.
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
        Ok((!known).then(|| cut(name, QUOTED)))
    }
}
