//! Single values of the documents, and what becomes of them.

#![allow(clippy::unwrap_used, reason = "what is missing here fails the test")]

#[allow(unreachable_pub, reason = "generated for crates that export it too")]
mod documents {
    include!(concat!(env!("OUT_DIR"), "/documents.rs"));
}

use documents::{alternatives, arrays, errors, names, nulls, numbers, objects};
use jsonrpsee::types::ErrorObjectOwned;
use serde_json::{Value, json};

/// Reads a text as a type of a document and writes it again.
fn again(document: &str, schema: &str, text: &str) -> Option<String> {
    let (_, document) = documents::ALL.iter().find(|(name, _)| *name == document).unwrap();
    let pointer = format!("/components/schemas/{schema}");
    let probe = document.probes.iter().find(|probe| probe.pointer == pointer).unwrap();
    (probe.read)(text).ok()
}

/// Each text must be written as it was read; `one => two` must be written as `two`.
fn reads(document: &str, schema: &str, texts: &[&str]) {
    for text in texts {
        let (text, expected) = text.split_once(" => ").unwrap_or((text, text));
        let same = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        let written = again(document, schema, text);
        assert_eq!(written.as_deref().map(same), Some(same(expected)), "{schema}: {text}");
    }
}

fn refuses(document: &str, schema: &str, texts: &[&str]) {
    for text in texts {
        assert_eq!(again(document, schema, text), None, "{schema}: {text}");
    }
}

#[test]
fn tuples_may_be_open_and_short() {
    reads("arrays", "LongerThanPrefix", &["[1,2,3]"]);
    reads("arrays", "LongerThanTwo", &[r#"["a","b",1,null]"#]);
    refuses("arrays", "LongerThanTwo", &[r#"["a","b"]"#, r#"["a","b",1]"#, r#"["a","b",1,2,3]"#]);
    for open in ["Open", "OpenOlder", "Untyped"] {
        reads("arrays", open, &["[]", r#"["a"]"#, r#"["a",1]"#, r#"["a",1,true]"#]);
        refuses("arrays", open, &["[1]", r#"["a","b"]"#, "{}"]);
    }
    for short in ["Short", "ShortNewer"] {
        reads("arrays", short, &[r#"["a"]"#, r#"["a",1]"#]);
        refuses("arrays", short, &["[]", r#"["a",1,2]"#]);
    }
    for exact in ["Exact", "ExactByCount"] {
        reads("arrays", exact, &[r#"["a",1]"#]);
        refuses("arrays", exact, &["[]", r#"["a"]"#, r#"["a",1,2]"#]);
    }
    reads("arrays", "OneOpen", &["[]", r#"["a","b"]"#, r#"["a",1]"#]);
    reads("arrays", "Rest", &["[]", r#"["a",1,2]"#]);
    refuses("arrays", "Rest", &[r#"["a","b"]"#]);
    refuses("arrays", "Empty", &["[1]", "null"]);
    let pair: arrays::types::Rest = serde_json::from_str(r#"["a",1,2]"#).unwrap();
    assert_eq!((pair.item_0.as_deref(), pair.rest.len()), (Some("a"), 2));
}

#[test]
fn null_differs_from_absence() {
    for name in [
        "byType",
        "byFlag",
        "byOther",
        "byName",
        "byReference",
        "byAllOf",
        "byEnum",
        "null",
        "nullConst",
        "anyThing",
    ] {
        let with_null = format!(r#"{{"{name}":null}}"#);
        reads("nulls", "May", &["{}", &with_null]);
    }
    refuses("nulls", "May", &[r#"{"refused":null}"#, r#"{"solid":null}"#, r#"{"refusedObject":null}"#]);
    refuses("nulls", "Must", &["{}"]);
    for name in ["may", "one", "const", "orNull", "nullable", "typed"] {
        reads("nulls", "Inline", &[&format!(r#"{{"{name}":null}}"#)]);
    }
    for name in ["text", "number", "integer", "list", "map", "either"] {
        refuses("nulls", "Inline", &[&format!(r#"{{"{name}":null}}"#)]);
    }
    refuses("nulls", "ObjectWithNull", &["{}"]);
    reads("nulls", "ObjectWithNull", &["null", r#"{"x":null}"#]);
    let members = nulls::types::Inline { text: Some("a".to_owned()), ..nulls::types::Inline::default() };
    assert_eq!(serde_json::to_value(members).unwrap(), json!({ "text": "a" }));
}

#[test]
fn arrays_are_not_objects() {
    for name in [
        "Closed",
        "ClosedEmpty",
        "ClosedOptional",
        "Open",
        "OpenTyped",
        "Map",
        "Tagged",
        "TaggedMixed",
        "External",
        "PatternedClosed",
    ] {
        refuses("objects", name, &["[]", r#"["v"]"#, r#"["circle",1]"#, r#"[{"a":"v"}]"#]);
    }
    reads("objects", "Tagged", &[r#"{"kind":"dot"}"#, r#"{"radius":1,"kind":"circle"}"#]);
    refuses(
        "objects",
        "Tagged",
        &[r#"{"kind":"dot","x":1}"#, r#"{"kind":"circle","radius":1,"x":1}"#, r#"{"kind":1}"#],
    );
    reads("objects", "TaggedMixed", &[r#"{"kind":"open","zz":1}"#, r#"{"kind":"bare","zz":1}"#]);
    refuses("objects", "TaggedMixed", &[r#"{"kind":"closed","zz":1}"#]);
    refuses(
        "objects",
        "External",
        &[r#"{"one":null}"#, r#"{"three":1,"four":{"a":""}}"#, "{}", r#""three""#],
    );
    refuses("objects", "Texts", &[r#"{"one":null}"#, r#"["one"]"#]);
    assert!(serde_json::from_str::<objects::ZParams>(r#"["a"]"#).is_err(), "params by name are no array");
    let params: objects::ZParams = serde_json::from_str(r#"{"a":"v"}"#).unwrap();
    assert_eq!((params.a.as_str(), params.b), ("v", None));
}

#[test]
fn pattern_properties_are_checked() {
    reads("objects", "Patterned", &[r#"{"other":"text","n":1}"#]);
    reads("objects", "PatternedNamed", &[r#"{"other":"text","a":"","n1":1}"#]);
    refuses("objects", "Patterned", &[r#"{"n":"text"}"#]);
    refuses("objects", "PatternedClosed", &[r#"{"other":1}"#, r#"{"n":"text"}"#]);
    refuses("objects", "PatternedNamedClosed", &[r#"{"a":"","m":1}"#, r#"{"n":1}"#, r#"{"a":"","b":""}"#]);
    reads("objects", "PatternedTyped", &[r#"{"n":1,"b":"text"}"#]);
    refuses("objects", "PatternedTyped", &[r#"{"n":1,"b":2}"#]);
}

#[test]
fn integers_match_json_schema() {
    for (name, texts) in [
        (
            "Integer",
            &["1.0 => 1", "18446744073709551615", "-9223372036854775808", "1e30", "1e300"] as &[&str],
        ),
        ("FromZero", &["1.0 => 1", "18446744073709551615", "1e30"]),
        ("FromOne", &["1.0 => 1", "18446744073709551615"]),
        ("Byte", &["255.0 => 255"]),
        ("Int32", &["-1.0 => -1"]),
        ("Nullable", &["1.0 => 1", "null"]),
        ("List", &["[1.0,18446744073709551615] => [1,18446744073709551615]"]),
    ] {
        reads("numbers", name, texts);
        refuses("numbers", name, &["1.5", "\"1\"", "[1.5]", "{\"a\":1.5}"]);
    }
    refuses("numbers", "FromZero", &["-1", "-1e30"]);
    refuses("numbers", "Int32", &["2147483648"]);
}

#[test]
fn whole_numbers_are_written_without_fraction() {
    for name in ["Number", "Float", "Range", "NumberOrText"] {
        assert_eq!(again("numbers", name, "7").as_deref(), Some("7"), "{name}");
        assert_eq!(again("numbers", name, "7.0").as_deref(), Some("7"), "{name}");
    }
    for text in ["7.5", "9007199254740993", "18446744073709551615", "1e300"] {
        reads("numbers", "Number", &[text]);
    }
    assert_eq!(serde_json::to_string(&numbers::support::Number::from(7.0)).unwrap(), "7");
    assert!(serde_json::to_string(&numbers::support::Number::from(f64::NAN)).is_err());
    let params = numbers::SendParams { a: 7.0.into(), b: None, c: Vec::new() };
    assert_eq!(serde_json::to_string(&params).unwrap(), r#"{"a":7,"c":[]}"#);
}

#[test]
fn constants_are_compared_by_value() {
    reads("numbers", "ConstantObject", &[r#"{"a":[1,{"b":2.0}]} => {"a":[1.0,{"b":2}]}"#]);
    reads("numbers", "Constants", &[r#"{"a":1} => {"a":1.0}"#, "1.0 => 1", "\"1\""]);
    refuses("numbers", "Constants", &["2", "1.5"]);
    refuses("numbers", "TypedValues", &["\"3\""]);
}

#[test]
fn errors_of_methods_keep_their_own_names() {
    let object = |code: i32, message: &str| ErrorObjectOwned::owned(code, message, None::<()>);
    assert!(matches!(errors::AError::from(object(4, "Gone")), errors::AError::Gone(None)));
    assert!(matches!(errors::BError::from(object(-32602, "Invalid")), errors::BError::Invalid(None)));
    assert!(matches!(errors::CError::from(object(4, "Gone")), errors::CError::Gone(None)));
    assert_eq!((errors::codes::GONE, errors::codes::INVALID), (4, -32602));
    let other = errors::DError::from(object(-32000, "disk full"));
    assert_eq!((other.code(), other.message()), (-32000, "disk full"));
    assert!(matches!(errors::DError::from(object(-32000, "Not yours")), errors::DError::NotYours(_)));
    assert!(matches!(errors::EError::from(object(5, "Gone")), errors::EError::Gone(_)));
    assert!(matches!(errors::EError::from(object(4, "Gone")), errors::EError::Gone4(_)));
}

#[test]
fn params_with_numeric_names_have_setters() {
    let params = names::XParams::new(1.into()).n0("a".to_owned()).n1("b".to_owned());
    assert_eq!(serde_json::to_value(params).unwrap(), json!({ "0": "a", "1": "b", "2": 1 }));
}

#[test]
fn union_reads_what_any_alternative_allows() {
    reads("alternatives", "OneOf", &[r#"{"a":"x"}"#, r#"{"b":"x","c":1}"#]);
    refuses("alternatives", "OneOf", &["{}", "[]"]);
    reads("alternatives", "KindsRuled", &["\"ab\"", "[1]"]);
    let value: alternatives::types::RangesApart = serde_json::from_str("4.0").unwrap();
    assert_eq!(serde_json::to_string(&value).unwrap(), "4");
}
