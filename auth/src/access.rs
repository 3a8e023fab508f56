use std::{collections::BTreeSet, fmt};

use circles_api::CircleId;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Which callers may play and run in a circle. The owner, who holds the circle's own key, may always do both.
///
/// A circle without any access settings (the default) is open to everyone, so that a server started plainly is of
/// use. Once one permission is set, an omitted one belongs to the owner alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Access {
    /// Callers that may play scripts of their own.
    #[serde(default = "AccessList::empty")]
    pub play: AccessList,
    /// Callers that may run scripts of the circle's library.
    #[serde(default = "AccessList::empty")]
    pub run: AccessList,
}

/// The callers that have a permission: `"*"`, or a list of public keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AccessList {
    /// All callers, also those without a proved key.
    #[default]
    Everyone,
    /// The holders of these keys.
    Only(BTreeSet<CircleId>),
}

/// The right that an [`AccessList`] grants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// To play a script that the caller sends.
    Play,
    /// To run a script of the circle's library.
    Run,
}

impl Access {
    /// Access for the owner alone.
    pub const fn closed() -> Self {
        Self { play: AccessList::empty(), run: AccessList::empty() }
    }

    /// Returns whether a caller has this permission in `circle`, whose access this is. `caller` is the key that the
    /// caller proved, if any.
    pub fn allows(&self, circle: &CircleId, caller: Option<&CircleId>, permission: Permission) -> bool {
        let list = match permission {
            Permission::Play => &self.play,
            Permission::Run => &self.run,
        };
        caller == Some(circle) || list.contains(caller)
    }

    /// Returns whether the caller is the owner or on a list. A caller that only `"*"` lets in is a guest.
    pub fn lists(&self, circle: &CircleId, caller: Option<&CircleId>) -> bool {
        caller == Some(circle) || self.play.names(caller) || self.run.names(caller)
    }
}

impl AccessList {
    /// A list without any key.
    pub const fn empty() -> Self {
        Self::Only(BTreeSet::new())
    }

    fn contains(&self, caller: Option<&CircleId>) -> bool {
        *self == Self::Everyone || self.names(caller)
    }

    fn names(&self, caller: Option<&CircleId>) -> bool {
        matches!((self, caller), (Self::Only(keys), Some(key)) if keys.contains(key))
    }
}

impl FromIterator<CircleId> for AccessList {
    fn from_iter<I: IntoIterator<Item = CircleId>>(keys: I) -> Self {
        Self::Only(keys.into_iter().collect())
    }
}

impl Serialize for AccessList {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Everyone => serializer.serialize_str("*"),
            Self::Only(keys) => serializer.collect_seq(keys),
        }
    }
}

impl<'de> Deserialize<'de> for AccessList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = AccessList;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"*\" or a list of public keys")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<AccessList, E> {
                match text {
                    "*" => Ok(AccessList::Everyone),
                    other => Err(E::invalid_value(de::Unexpected::Str(other), &self)),
                }
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut keys: A) -> Result<AccessList, A::Error> {
                let mut only = BTreeSet::new();
                while let Some(key) = keys.next_element()? {
                    only.insert(key);
                }
                Ok(AccessList::Only(only))
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

    /// Returns for an anonymous caller, a listed key, another key and the owner: may play, may run.
    fn verdicts(access: Value) -> [(bool, bool); 4] {
        let access: Access = from_value(access).unwrap();
        [None, Some(key(7)), Some(key(8)), Some(key(1))].map(|caller| {
            let allows = |permission| access.allows(&key(1), caller.as_ref(), permission);
            (allows(Permission::Play), allows(Permission::Run))
        })
    }

    const NEITHER: (bool, bool) = (false, false);
    const BOTH: (bool, bool) = (true, true);

    #[test]
    fn access_allows_owner_and_listed_callers() {
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
    fn unlisted_callers_are_guests() {
        let access: Access = from_value(json!({ "play": "*", "run": [key(7)] })).unwrap();
        let callers = [None, Some(key(8)), Some(key(7)), Some(key(1))];
        assert_eq!(callers.map(|caller| access.lists(&key(1), caller.as_ref())), [false, false, true, true]);
        assert!(!Access::default().lists(&key(1), Some(&key(7))));
    }

    #[test]
    fn access_defaults_to_everyone_and_closed_to_owner() {
        for (access, expected) in [(Access::default(), true), (Access::closed(), false)] {
            for permission in [Permission::Play, Permission::Run] {
                assert_eq!(access.allows(&key(1), None, permission), expected);
                assert!(access.allows(&key(1), Some(&key(1)), permission));
            }
        }
    }

    #[test]
    fn access_survives_serialization() {
        for text in [json!({ "play": "*", "run": [] }), json!({ "play": [key(1), key(7)], "run": "*" })] {
            assert_eq!(to_value(from_value::<Access>(text.clone()).unwrap()).unwrap(), text);
        }
    }

    #[test]
    fn invalid_access_is_refused_with_a_reason() {
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
