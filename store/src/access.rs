use std::{collections::BTreeSet, fmt};

use circles_api::CircleId;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::Caller;

/// Who may do what in a circle. Its owner, the holder of the circle's own key, may do everything.
///
/// Nothing said at all (the default) lets everyone in, so that a server started plainly is of use. Once
/// something is said, what it leaves out is the owner's alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Access {
    /// Who may play scripts of their own.
    #[serde(default = "Who::nobody")]
    pub play: Who,
    /// Who may run scripts of the circle's library.
    #[serde(default = "Who::nobody")]
    pub run: Who,
}

/// Some callers: `"*"`, or a list of public keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Who {
    /// Whoever calls, also those who proved nothing.
    #[default]
    Everyone,
    /// The holders of these keys.
    Only(BTreeSet<CircleId>),
}

/// What somebody would like to do in a circle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Play a script that the caller brings along.
    Play,
    /// Run a script of the circle's library.
    Run,
}

impl Access {
    /// Nobody but the owner.
    pub const fn closed() -> Self {
        Self { play: Who::nobody(), run: Who::nobody() }
    }

    /// Whether `caller` may do this in `circle`, whose access this is.
    pub fn allows(&self, circle: &CircleId, caller: &Caller, verb: Verb) -> bool {
        let who = match verb {
            Verb::Play => &self.play,
            Verb::Run => &self.run,
        };
        *caller == Caller::Peer(*circle) || who.includes(caller)
    }
}

impl Access {
    /// Whether `caller` is the owner or stands on a list; one that only `"*"` lets in is a guest.
    pub fn names(&self, circle: &CircleId, caller: &Caller) -> bool {
        *caller == Caller::Peer(*circle) || self.play.names(caller) || self.run.names(caller)
    }
}

impl Who {
    fn names(&self, caller: &Caller) -> bool {
        matches!((self, caller), (Self::Only(keys), Caller::Peer(key)) if keys.contains(key))
    }

    /// A list with nobody on it.
    pub const fn nobody() -> Self {
        Self::Only(BTreeSet::new())
    }

    fn includes(&self, caller: &Caller) -> bool {
        match (self, caller) {
            (Self::Everyone, _) => true,
            (Self::Only(_), Caller::Anonymous) => false,
            (Self::Only(keys), Caller::Peer(key)) => keys.contains(key),
        }
    }
}

impl FromIterator<CircleId> for Who {
    fn from_iter<I: IntoIterator<Item = CircleId>>(keys: I) -> Self {
        Self::Only(keys.into_iter().collect())
    }
}

impl Serialize for Who {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Everyone => serializer.serialize_str("*"),
            Self::Only(keys) => serializer.collect_seq(keys),
        }
    }
}

impl<'de> Deserialize<'de> for Who {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Who;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"*\" or a list of public keys")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Who, E> {
                match text {
                    "*" => Ok(Who::Everyone),
                    other => Err(E::invalid_value(de::Unexpected::Str(other), &self)),
                }
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut keys: A) -> Result<Who, A::Error> {
                let mut only = BTreeSet::new();
                while let Some(key) = keys.next_element()? {
                    only.insert(key);
                }
                Ok(Who::Only(only))
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, from_value, json, to_value};

    use super::*;

    fn key(last: u8) -> CircleId {
        let mut bytes = [2; 33];
        bytes[32] = last;
        CircleId::from_bytes(bytes).unwrap()
    }

    /// For nobody in particular, a listed key, another one and the owner: whether they may play, and run.
    fn verdicts(access: Value) -> [(bool, bool); 4] {
        let access: Access = from_value(access).unwrap();
        [Caller::Anonymous, Caller::Peer(key(7)), Caller::Peer(key(8)), Caller::Peer(key(1))].map(|caller| {
            let may = |verb| access.allows(&key(1), &caller, verb);
            (may(Verb::Play), may(Verb::Run))
        })
    }

    const NEITHER: (bool, bool) = (false, false);
    const BOTH: (bool, bool) = (true, true);

    #[test]
    fn the_owner_always_may_and_others_if_they_are_named() {
        let list = json!([key(7)]);
        for (access, expected) in [
            (json!({}), [NEITHER, NEITHER, NEITHER, BOTH]),
            (json!({ "play": [], "run": [] }), [NEITHER, NEITHER, NEITHER, BOTH]),
            (json!({ "play": "*", "run": "*" }), [BOTH; 4]),
            (json!({ "play": "*" }), [(true, false), (true, false), (true, false), BOTH]),
            (json!({ "run": "*" }), [(false, true), (false, true), (false, true), BOTH]),
            (json!({ "play": list }), [NEITHER, (true, false), NEITHER, BOTH]),
            (json!({ "play": list, "run": "*" }), [(false, true), BOTH, (false, true), BOTH]),
        ] {
            assert_eq!(verdicts(access.clone()), expected, "{access}");
        }
    }

    #[test]
    fn callers_that_no_list_names_are_guests() {
        let access: Access = from_value(json!({ "play": "*", "run": [key(7)] })).unwrap();
        let callers = [Caller::Anonymous, Caller::Peer(key(8)), Caller::Peer(key(7)), Caller::Peer(key(1))];
        assert_eq!(callers.map(|caller| access.names(&key(1), &caller)), [false, false, true, true]);
        assert!(!Access::default().names(&key(1), &Caller::Peer(key(7))));
    }

    #[test]
    fn nothing_said_is_everyone_and_closed_is_nobody() {
        for (access, expected) in [(Access::default(), true), (Access::closed(), false)] {
            for verb in [Verb::Play, Verb::Run] {
                assert_eq!(access.allows(&key(1), &Caller::Anonymous, verb), expected);
                assert!(access.allows(&key(1), &Caller::Peer(key(1)), verb));
            }
        }
    }

    #[test]
    fn it_comes_back_as_it_was_written() {
        for text in [json!({ "play": "*", "run": [] }), json!({ "play": [key(1), key(7)], "run": "*" })] {
            assert_eq!(to_value(from_value::<Access>(text.clone()).unwrap()).unwrap(), text);
        }
    }

    #[test]
    fn what_is_no_access_is_said() {
        for (access, part) in [
            (json!({ "play": "everyone" }), "expected \"*\" or a list of public keys"),
            (json!({ "play": 5 }), "expected \"*\" or a list of public keys"),
            (json!({ "play": null }), "expected \"*\" or a list of public keys"),
            (json!({ "play": ["02ab"] }), "66 lower-case hex"),
            (json!({ "write": "*" }), "unknown field `write`"),
            (json!("*"), "struct Access"),
        ] {
            let error = from_value::<Access>(access.clone()).unwrap_err().to_string();
            assert!(error.contains(part), "{access}: {error}");
        }
    }
}
