use std::{borrow::Cow, fmt};

use circles_api::Error;
use jsonrpsee::types::{ErrorObject, ErrorObjectOwned, Id, Request};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

/// Bytes of a request's id at most, since its answer repeats them.
const MAX_ID_BYTES: usize = 1_024;

/// The content of one text from a client.
pub(crate) enum Message<'a> {
    /// One entry.
    Single(Entry<'a>),
    /// Several entries with one answer.
    Batch(Vec<Entry<'a>>),
}

/// An element of a batch, or a whole message.
pub(crate) enum Entry<'a> {
    /// A call, which gets an answer.
    Call(Request<'a>),
    /// A request without an id. JSON-RPC forbids an answer, and no method is worth calling without one, so it is
    /// dropped.
    Notification,
    /// No call. The refusal repeats the id if there is a valid one.
    Invalid(Refusal<'a>),
}

/// The answer to an entry that is no call.
pub(crate) struct Refusal<'a> {
    id: Option<&'a RawValue>,
    error: Error,
}

impl<'a> Message<'a> {
    /// Parses a text. Refuses a batch of more than `max_batch` entries. The codes are those of JSON-RPC 2.0.
    pub(crate) fn parse(text: &'a str, max_batch: usize) -> Self {
        if !text.trim_start_matches([' ', '\t', '\r', '\n']).starts_with('[') {
            return Self::Single(Entry::parse(text));
        }
        let refuse = |error| Self::Single(Entry::Invalid(Refusal { id: None, error }));
        match serde_json::from_str::<Vec<&RawValue>>(text) {
            Err(_) => refuse(Error::Parse),
            Ok(entries) if entries.is_empty() => refuse(invalid("the batch is empty")),
            Ok(entries) if entries.len() > max_batch => {
                refuse(invalid(format!("a batch has at most {max_batch} calls")))
            }
            Ok(entries) => Self::Batch(entries.into_iter().map(|entry| Entry::parse(entry.get())).collect()),
        }
    }
}

impl<'a> Entry<'a> {
    fn parse(text: &'a str) -> Self {
        match serde_json::from_str::<Request<'a>>(text) {
            Ok(request) if matches!(&request.id, Id::Str(id) if id.len() > MAX_ID_BYTES) => {
                let error = invalid(format!("the id must have at most {MAX_ID_BYTES} bytes"));
                Self::Invalid(Refusal { id: None, error })
            }
            Ok(request) => Self::Call(request),
            Err(_) => Self::diagnose(text),
        }
    }

    /// Explains a text that jsonrpsee cannot parse as a call. Ids that it cannot represent (negative, fractional, above
    /// u64) end here too; otherwise they would count as notifications and get no answer.
    fn diagnose(text: &'a str) -> Self {
        let refuse = |id, error| Self::Invalid(Refusal { id, error });
        let loose: Loose<'a> = match serde_json::from_str(text) {
            Ok(loose) => loose,
            Err(error) if error.is_data() => return refuse(None, invalid("not a request object")),
            Err(_) => return refuse(None, Error::Parse),
        };
        let echo = loose.id.filter(|id| {
            id.get().starts_with(|first: char| first == '-' || first == '"' || first.is_ascii_digit())
        });
        let has_method = loose.method.is_some_and(|method| method.get().starts_with('"'));
        let version =
            loose.jsonrpc.and_then(|version| serde_json::from_str::<Cow<'_, str>>(version.get()).ok());
        if let Some(name) = loose.duplicate {
            // With two ids, neither is repeated.
            let echo = echo.filter(|_| name != "id");
            refuse(echo, invalid(format!("duplicate member {name}")))
        } else if version.as_deref() != Some("2.0") {
            refuse(echo, invalid("the member jsonrpc must be \"2.0\""))
        } else if !has_method {
            refuse(echo, invalid("the member method must be a string"))
        } else if loose.id.is_none() {
            Self::Notification
        } else {
            refuse(echo, invalid("the id must be a string or a whole number from 0 to 2^64 - 1"))
        }
    }
}

/// The members of an object that may be no request, unparsed.
#[derive(Default)]
struct Loose<'a> {
    jsonrpc: Option<&'a RawValue>,
    id: Option<&'a RawValue>,
    method: Option<&'a RawValue>,
    params: Option<&'a RawValue>,
    /// The first duplicate member.
    duplicate: Option<&'static str>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Loose<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(LooseVisitor)
    }
}

struct LooseVisitor;

impl<'de> Visitor<'de> for LooseVisitor {
    type Value = Loose<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a request object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Loose<'de>, A::Error> {
        let mut loose = Loose::default();
        while let Some((name, value)) = access.next_entry::<Cow<'de, str>, &'de RawValue>()? {
            let (name, member) = match &*name {
                "jsonrpc" => ("jsonrpc", &mut loose.jsonrpc),
                "id" => ("id", &mut loose.id),
                "method" => ("method", &mut loose.method),
                "params" => ("params", &mut loose.params),
                _ => continue,
            };
            if member.replace(value).is_some() {
                loose.duplicate = loose.duplicate.or(Some(name));
            }
        }
        Ok(loose)
    }
}

impl Refusal<'_> {
    /// Returns the answer as JSON.
    pub(crate) fn into_json(self) -> String {
        match self.id {
            Some(id) => error_answer(id, self.error.into()),
            None => error_answer(&Id::Null, self.error.into()),
        }
    }
}

/// Returns an error answer without a call's id as JSON.
pub(crate) fn error_text(error: Error) -> String {
    error_answer(&Id::Null, error.into())
}

fn error_answer(id: &(impl Serialize + ?Sized), error: ErrorObjectOwned) -> String {
    #[derive(Serialize)]
    struct ErrorAnswer<'a, I: ?Sized> {
        jsonrpc: &'static str,
        id: &'a I,
        error: ErrorObject<'static>,
    }
    // Serializing strings and numbers into memory cannot fail.
    serde_json::to_string(&ErrorAnswer { jsonrpc: "2.0", id, error }).unwrap_or_default()
}

fn invalid(message: impl Into<Cow<'static, str>>) -> Error {
    Error::invalid_request(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> Option<serde_json::Value> {
        match Message::parse(text, 3) {
            Message::Single(Entry::Invalid(refusal)) => {
                Some(serde_json::from_str(&refusal.into_json()).unwrap())
            }
            _ => None,
        }
    }

    #[test]
    fn call_is_parsed() {
        for text in [
            r#"{"jsonrpc":"2.0","id":1,"method":"m"}"#,
            r#" {"jsonrpc":"2.0","id":"a","method":"m","params":[]}"#,
            r#"{"jsonrpc":"2.0","id":null,"method":"m","params":{}}"#,
            r#"{"jsonrpc":"2.0","id":18446744073709551615,"method":"m"}"#,
        ] {
            assert!(matches!(Message::parse(text, 3), Message::Single(Entry::Call(_))), "{text}");
        }
    }

    #[test]
    fn notification_gets_no_answer() {
        let text = r#"{"jsonrpc":"2.0","method":"m"}"#;
        assert!(matches!(Message::parse(text, 3), Message::Single(Entry::Notification)));
    }

    #[test]
    fn invalid_id_is_refused_and_repeated() {
        for id in ["-1", "1.5", "18446744073709551616", "1e400", "-0.0"] {
            let answer = match Message::parse(&format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"m"}}"#), 3) {
                Message::Single(Entry::Invalid(refusal)) => refusal.into_json(),
                _ => panic!("{id} was taken"),
            };
            assert!(answer.contains(&format!("\"id\":{id},")), "{answer}");
            assert!(answer.contains("-32600"), "{answer}");
        }
    }

    #[test]
    fn long_id_is_refused() {
        let call = |length| format!(r#"{{"jsonrpc":"2.0","id":"{}","method":"m"}}"#, "i".repeat(length));
        assert!(matches!(Message::parse(&call(MAX_ID_BYTES), 3), Message::Single(Entry::Call(_))));
        let answer = refusal(&call(MAX_ID_BYTES + 1)).unwrap();
        assert_eq!((&answer["error"]["code"], &answer["id"]), (&(-32600).into(), &serde_json::Value::Null));
    }

    #[test]
    fn invalid_requests_have_standard_codes() {
        for (text, code, id) in [
            ("", -32700, "null"),
            ("{", -32700, "null"),
            (r#"{"jsonrpc":"2.0","id":1,"method":"m""#, -32700, "null"),
            ("[1,", -32700, "null"),
            ("1", -32600, "null"),
            ("\"x\"", -32600, "null"),
            ("null", -32600, "null"),
            ("{}", -32600, "null"),
            ("[]", -32600, "null"),
            ("[1,2,3,4]", -32600, "null"),
            (r#"{"jsonrpc":"2.0","id":7,"method":1}"#, -32600, "7"),
            (r#"{"jsonrpc":"1.0","id":7,"method":"m"}"#, -32600, "7"),
            (r#"{"id":7,"method":"m"}"#, -32600, "7"),
            (r#"{"jsonrpc":"2.0","id":true,"method":"m"}"#, -32600, "null"),
            (r#"{"jsonrpc":"2.0","id":[1],"method":"m"}"#, -32600, "null"),
        ] {
            let answer = refusal(text).unwrap_or_else(|| panic!("{text} was taken"));
            assert_eq!(answer["error"]["code"], code, "{text}");
            assert_eq!(answer["id"].to_string(), id, "{text}");
        }
    }

    #[test]
    fn duplicate_member_is_named() {
        let call = r#"{"jsonrpc":"2.0","id":7,"method":"m","params":[],"params":[]}"#;
        let refused = refusal(call).unwrap();
        assert_eq!(refused["error"]["message"], "invalid request: duplicate member params");
        assert_eq!((&refused["error"]["code"], &refused["id"]), (&(-32600).into(), &7.into()));
        for (call, name, id) in [
            (r#"{"jsonrpc":"2.0","jsonrpc":"2.0","id":7,"method":"m"}"#, "jsonrpc", 7.into()),
            (r#"{"jsonrpc":"2.0","id":7,"method":"m","method":"m"}"#, "method", 7.into()),
            (r#"{"jsonrpc":"2.0","id":7,"id":8,"method":"m"}"#, "id", serde_json::Value::Null),
        ] {
            let refused = refusal(call).unwrap();
            let message = refused["error"]["message"].as_str().unwrap();
            assert!(message.ends_with(&format!("duplicate member {name}")), "{message}");
            assert_eq!(refused["id"], id, "{call}");
        }
    }

    #[test]
    fn entries_of_a_batch_are_parsed_separately() {
        let text = r#"[{"jsonrpc":"2.0","id":1,"method":"m"}, 1, {"jsonrpc":"2.0","method":"m"}]"#;
        let Message::Batch(entries) = Message::parse(text, 3) else { panic!("no batch") };
        assert!(matches!(&entries[..], [Entry::Call(_), Entry::Invalid(_), Entry::Notification]));
    }
}
