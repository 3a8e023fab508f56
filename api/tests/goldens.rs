//! Compiles the accepted goldens of the generator, with warnings as errors.

#![allow(clippy::unwrap_used, reason = "what is missing here fails the test")]

use circles_api::Error;

macro_rules! goldens {
    ($($name:ident),*) => {
        $(
            #[doc = "A golden."]
            #[deny(warnings, missing_docs)]
            #[allow(
                dead_code, missing_debug_implementations, unreachable_pub, unused_qualifications,
                reason = "a crate would export these items; this test does not use them"
            )]
            pub mod $name {
                include!(concat!("../../codegen/tests/golden/", stringify!($name), "/expected.rs"));
            }
        )*

        const COMPILED: &[&str] = &[$(stringify!($name)),*];
    };
}

goldens!(
    accepted_colliding_names,
    accepted_minimal,
    accepted_names,
    accepted_no_methods,
    accepted_required_after_optional,
    accepted_schemas,
    accepted_subscriptions,
    accepted_unnameable,
    circles
);

#[test]
fn every_accepted_golden_is_compiled() {
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/../codegen/tests/golden");
    let directories = std::fs::read_dir(golden).unwrap().map(|entry| entry.unwrap().path());
    let accepted = directories.filter(|directory| directory.join("expected.rs").exists());
    let mut accepted =
        accepted.map(|directory| directory.file_name().unwrap().to_owned()).collect::<Vec<_>>();
    accepted.sort();
    assert_eq!(accepted, COMPILED);
}

#[test]
fn alternatives_are_read_by_their_content() {
    use accepted_schemas::types::{Either, Inner, Shape};
    use serde_json::{from_value, json, to_value};

    for value in [json!({ "kind": "circle", "radius": 1.5 }), json!({ "kind": "square", "side": 2.5 })] {
        assert_eq!(to_value(from_value::<Shape>(value.clone()).unwrap()).unwrap(), value);
    }
    for value in [json!("text"), json!(3)] {
        assert_eq!(to_value(from_value::<Either>(value.clone()).unwrap()).unwrap(), value);
    }
    assert!(from_value::<Either>(json!("longer")).is_err());
    assert!(from_value::<Either>(json!(4)).is_err());
    let deep = json!({ "deeper": { "level": "low" } });
    let inner = json!({ "deep": deep, "list": [{ "x": 2 }, {}], "map": { "a": "bc" }, "any": null });
    assert_eq!(to_value(from_value::<Inner>(inner.clone()).unwrap()).unwrap(), inner);
    for (place, wrong) in
        [("/deep/deeper/level", json!("middle")), ("/list/0/x", json!(3)), ("/map/a", json!("bcd"))]
    {
        let mut inner = inner.clone();
        *inner.pointer_mut(place).unwrap() = wrong;
        assert!(from_value::<Inner>(inner).is_err(), "{place}");
    }
}

#[test]
fn names_are_unchanged_on_the_wire() {
    use accepted_names::{TypeParams, types::Option as Named};
    use serde_json::{from_value, json, to_value};

    let params =
        json!({ "type": "1", "self": "2", "params": "3", "ext": "4", "camelCase": "5", "kebab-case": "6" });
    let read = from_value::<TypeParams>(params.clone()).unwrap();
    assert_eq!(to_value(&read).unwrap(), params);
    assert_eq!(json!(read.into_positional().unwrap()), json!(["1", "2", "3", "4", "5", "6"]));
    let named = json!({ "type": "t", "match": null, "camelCase": 7 });
    assert_eq!(to_value(from_value::<Named>(named.clone()).unwrap()).unwrap(), named);
}
