//! Values for a schema: ones that should be valid, and ones with a flaw. The same seed makes the same values.

use proptest::{
    strategy::{Strategy, ValueTree as _},
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use serde_json::{Map, Number, Value, json};

use crate::bundle::implied;

/// Below this depth of objects, only required members are made.
const SMALL_VALUES_DEPTH: usize = 4;
/// Below this depth nothing is made: a schema that needs more includes itself.
const MAX_VALUE_DEPTH: usize = 24;
/// The most items of an array, unless the schema asks for more.
const MAX_EXTRA_ITEMS: usize = 3;
/// The number of texts for each pattern.
const TEXTS_PER_PATTERN: usize = 4;

/// Makes values; choices follow the generator splitmix64.
pub(crate) struct Generator<'b> {
    defs: &'b Map<String, Value>,
    state: u64,
    runner: TestRunner,
}

impl<'b> Generator<'b> {
    pub(crate) fn new(defs: &'b Map<String, Value>, seed: u64) -> Self {
        let mut bytes = [0; 32];
        bytes.iter_mut().zip(seed.to_le_bytes()).for_each(|(byte, seed)| *byte = seed);
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        Self { defs, state: seed, runner: TestRunner::new_with_rng(Config::default(), rng) }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`; 0 if `end` is 0.
    fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.next() % end).unwrap_or(0)
    }

    fn chance(&mut self, of_ten: usize) -> bool {
        self.below(10) < of_ten
    }

    fn pick<'v, T>(&mut self, from: &'v [T]) -> Option<&'v T> {
        let index = self.below(from.len());
        from.get(index)
    }

    /// A value that the schema should let in.
    pub(crate) fn value(&mut self, schema: &Value, depth: usize) -> Value {
        let schema = self.flat(schema, 0);
        if depth > MAX_VALUE_DEPTH || schema.get("never").is_some() {
            return Value::Null;
        }
        if let Some(value) = schema.get("const") {
            return value.clone();
        }
        if let Some(values) = schema.get("enum").and_then(Value::as_array) {
            return self.pick(values).cloned().unwrap_or_default();
        }
        let kinds = match schema.get("type") {
            Some(Value::String(kind)) => vec![kind.as_str()],
            Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect(),
            _ => implied(&schema),
        };
        match self.pick(&kinds).copied() {
            Some("null") => Value::Null,
            Some("boolean") => Value::Bool(self.chance(5)),
            Some(kind @ ("integer" | "number")) => self.number(&schema, kind == "integer"),
            Some("string") => Value::String(self.text(&schema)),
            Some("array") => self.array(&schema, depth),
            Some("object") => self.object(&schema, depth),
            _ => self.any(),
        }
    }

    fn any(&mut self) -> Value {
        let values = [
            json!(null),
            json!(true),
            json!(0),
            json!(7),
            json!(1.5),
            json!(-1),
            json!("text"),
            json!(""),
            json!([]),
            json!({}),
            json!([1, "a"]),
            json!({ "a": 1 }),
            json!(u64::MAX),
        ];
        self.pick(&values).cloned().unwrap_or_default()
    }

    /// Merges a schema with its references, its branches and one of its alternatives, as far as that is possible.
    fn flat(&mut self, schema: &Value, depth: usize) -> Map<String, Value> {
        let Some(schema) = schema.as_object() else {
            return if schema == &Value::Bool(false) {
                Map::from_iter([("never".to_owned(), json!(true))])
            } else {
                Map::new()
            };
        };
        let mut flat = Map::new();
        if depth > MAX_VALUE_DEPTH {
            return flat;
        }
        for (key, member) in schema {
            match key.as_str() {
                "$ref" => {
                    let key =
                        member.as_str().and_then(|text| text.strip_prefix("#/$defs/")).unwrap_or_default();
                    if let Some(target) = self.defs.get(key) {
                        let other = self.flat(target, depth + 1);
                        merge(&mut flat, other);
                    }
                }
                "allOf" => {
                    for branch in member.as_array().into_iter().flatten() {
                        let other = self.flat(branch, depth + 1);
                        merge(&mut flat, other);
                    }
                }
                "anyOf" | "oneOf" => {
                    let branches = member.as_array().map_or(&[] as &[Value], Vec::as_slice);
                    if let Some(branch) = self.pick(branches).cloned() {
                        let other = self.flat(&branch, depth + 1);
                        merge(&mut flat, other);
                    }
                }
                "then" | "else" | "if" if schema.get("if") == Some(&json!({ "type": "integer" })) => {
                    if let Some(bounds) = (key == "then").then(|| member.as_object()).flatten() {
                        merge(&mut flat, bounds.clone());
                    }
                }
                _ => merge(&mut flat, Map::from_iter([(key.clone(), member.clone())])),
            }
        }
        flat
    }

    fn number(&mut self, schema: &Map<String, Value>, integer: bool) -> Value {
        let bound = |key: &str| schema.get(key).filter(|bound| bound.is_number());
        let (least, most) =
            (bound("minimum").or(bound("exclusiveMinimum")), bound("maximum").or(bound("exclusiveMaximum")));
        let mut numbers = vec![
            json!(0),
            json!(1),
            json!(7),
            json!(-1),
            json!(255),
            json!(256),
            json!(65_536),
            json!(4_294_967_296_i64),
            json!(9_007_199_254_740_993_i64),
            json!(i64::MAX),
            json!(i64::MIN),
            json!(u64::MAX),
            json!(2.0),
            json!(1e20),
            json!(-1e30),
            json!(1e300),
        ];
        if !integer {
            numbers.extend([
                json!(0.5),
                json!(-1.25),
                json!(19.99),
                json!(1e-7),
                json!(7.0),
                json!(123_456.789),
            ]);
        }
        for end in [least, most].into_iter().flatten() {
            numbers.push(end.clone());
            if let Some(whole) = end.as_i64() {
                numbers.extend([-1, 1, 2].map(|by| json!(whole.saturating_add(by))));
            }
            if let Some(float) = end.as_f64() {
                numbers.push(json!(float));
                numbers.push(json!(float + 0.5));
            }
        }
        if let Some(step) = bound("multipleOf") {
            numbers.clear();
            let times = u32::try_from(self.below(500)).unwrap_or(0);
            numbers.push(match step.as_i64() {
                Some(step) => json!(step.saturating_mul(times.into())),
                None => json!((step.as_f64().unwrap_or(1.0) * f64::from(times) * 1e6).round() / 1e6),
            });
        }
        let within = |number: &Value| {
            let number = number.as_f64().unwrap_or_default();
            (!integer || number.fract() == 0.0)
                && least.is_none_or(|least| least.as_f64().is_none_or(|least| number >= least))
                && most.is_none_or(|most| most.as_f64().is_none_or(|most| number <= most))
        };
        let fitting = numbers.iter().filter(|number| within(number)).cloned().collect::<Vec<_>>();
        self.pick(if fitting.is_empty() { &numbers } else { &fitting }).cloned().unwrap_or_default()
    }

    fn text(&mut self, schema: &Map<String, Value>) -> String {
        let length = |key: &str| {
            schema.get(key).and_then(Value::as_u64).and_then(|length| usize::try_from(length).ok())
        };
        let (least, most) = (length("minLength").unwrap_or(0), length("maxLength").unwrap_or(usize::MAX));
        let fits = |text: &String| (least..=most).contains(&text.chars().count());
        let mut texts = ["", "a", "text", "größe", "0x0", "0x1f", "2026-01-01T00:00:00Z", "a\"\\\n"]
            .map(str::to_owned)
            .to_vec();
        if let Some(pattern) = schema.get("pattern").and_then(Value::as_str) {
            texts = self.matches(pattern);
            texts.push("0x0".to_owned());
        }
        // Some lengths are too long to be tried out.
        if least <= 100_000 {
            texts.push("x".repeat(least));
        }
        if most <= 100_000 {
            texts.push("é".repeat(most));
        }
        let fitting = texts.iter().filter(|text| fits(text)).cloned().collect::<Vec<_>>();
        self.pick(if fitting.is_empty() { &texts } else { &fitting }).cloned().unwrap_or_default()
    }

    /// Texts that a pattern matches, if it means the same in Rust.
    fn matches(&mut self, pattern: &str) -> Vec<String> {
        let pattern = pattern.replace("\\d", "[0-9]").replace("\\/", "/");
        let bare = pattern.trim_start_matches('^').trim_end_matches('$');
        let Ok(strategy) = proptest::string::string_regex(bare) else { return Vec::new() };
        let texts =
            (0..TEXTS_PER_PATTERN).filter_map(|_| Some(strategy.new_tree(&mut self.runner).ok()?.current()));
        texts.collect()
    }

    fn array(&mut self, schema: &Map<String, Value>, depth: usize) -> Value {
        let count =
            |key: &str| schema.get(key).and_then(Value::as_u64).and_then(|count| usize::try_from(count).ok());
        let prefix = schema.get("prefixItems").and_then(Value::as_array).cloned().unwrap_or_default();
        let least = count("minItems").unwrap_or(0).min(2_000);
        let ended = schema.get("items") == Some(&Value::Bool(false));
        let most = count("maxItems").unwrap_or(usize::MAX).min(if ended { prefix.len() } else { usize::MAX });
        let more = if depth > SMALL_VALUES_DEPTH { 0 } else { self.below(MAX_EXTRA_ITEMS) };
        let wished = if self.chance(7) { prefix.len().max(least) + more } else { least + more };
        let any = Value::Bool(true);
        let rest = schema.get("items").unwrap_or(&any);
        let length = wished.min(most).max(least.min(most));
        let items = (0..length).map(|index| self.value(prefix.get(index).unwrap_or(rest), depth + 1));
        Value::Array(items.collect())
    }

    fn object(&mut self, schema: &Map<String, Value>, depth: usize) -> Value {
        let properties = schema.get("properties").and_then(Value::as_object);
        let required = schema.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
        let required = required.iter().filter_map(Value::as_str).collect::<Vec<_>>();
        let mut object = Map::new();
        for (name, property) in properties.into_iter().flatten() {
            if required.contains(&name.as_str()) || (depth <= SMALL_VALUES_DEPTH && self.chance(6)) {
                let value = self.value(property, depth + 1);
                object.insert(name.clone(), value);
            }
        }
        for name in required {
            if !object.contains_key(name) {
                object.insert(name.to_owned(), self.any());
            }
        }
        for (pattern, member) in
            schema.get("patternProperties").and_then(Value::as_object).into_iter().flatten()
        {
            for name in self.matches(pattern).into_iter().take(if depth > SMALL_VALUES_DEPTH { 0 } else { 2 })
            {
                let value = self.value(member, depth + 1);
                object.entry(name).or_insert(value);
            }
        }
        let any = Value::Bool(true);
        let others =
            schema.get("additionalProperties").or(schema.get("unevaluatedProperties")).unwrap_or(&any);
        let described = others.is_object();
        if others != &Value::Bool(false)
            && depth <= SMALL_VALUES_DEPTH
            && self.chance(if described { 8 } else { 2 })
        {
            for name in ["zz", "other", "0x1"] {
                let value = self.value(others, depth + 1);
                object.entry(name).or_insert(value);
            }
        }
        Value::Object(object)
    }

    /// The value with a flaw somewhere, or what is none after all.
    pub(crate) fn flawed(&mut self, value: &Value) -> Value {
        let mut value = value.clone();
        let mut places = Vec::new();
        gather(&value, String::new(), &mut places);
        let place = self.pick(&places).cloned().unwrap_or_default();
        if let Some(part) = value.pointer_mut(&place) {
            let flawed = self.flaw(part);
            *part = flawed;
        }
        value
    }

    fn flaw(&mut self, value: &Value) -> Value {
        if self.chance(3) {
            let others = [
                json!(null),
                json!(true),
                json!(0),
                json!(1.0),
                json!(1.5),
                json!(-1),
                json!(u64::MAX),
                json!(1e300),
                json!(""),
                json!("x"),
                json!([]),
                json!({}),
                json!([value]),
                json!({ "a": value }),
                json!("null"),
            ];
            return self.pick(&others).cloned().unwrap_or_default();
        }
        match value {
            Value::Object(members) => self.flawed_object(members),
            Value::Array(items) => self.flawed_array(items),
            Value::String(text) => {
                let mut shorter = text.clone();
                shorter.pop();
                let texts = [
                    json!(format!("{text}x")),
                    json!(shorter),
                    json!(text.to_uppercase()),
                    json!({ text.as_str(): null }),
                    json!([text]),
                    json!(format!(" {text}")),
                ];
                self.pick(&texts).cloned().unwrap_or_default()
            }
            Value::Number(number) => {
                let float = number.as_f64().unwrap_or_default();
                let numbers = [
                    Some(float),
                    Some(float + 1.0),
                    Some(float - 1.0),
                    Some(float + 0.5),
                    Some(-float),
                    Some(float * 1e10),
                ];
                let mut numbers = numbers
                    .into_iter()
                    .flatten()
                    .filter_map(Number::from_f64)
                    .map(Value::Number)
                    .collect::<Vec<_>>();
                numbers.extend(number.as_i64().map(|whole| json!(whole.saturating_add(1))));
                numbers.push(json!(number.to_string()));
                self.pick(&numbers).cloned().unwrap_or_default()
            }
            other => {
                let others = [json!({ "a": other }), json!("true"), json!(0), json!(null)];
                self.pick(&others).cloned().unwrap_or_default()
            }
        }
    }

    fn flawed_object(&mut self, members: &Map<String, Value>) -> Value {
        let names = members.keys().cloned().collect::<Vec<_>>();
        let name = self.pick(&names).cloned().unwrap_or_else(|| "zz".to_owned());
        let mut flawed = members.clone();
        match self.below(7) {
            0 | 1 => drop(flawed.remove(&name)),
            2 => drop(flawed.insert(name, Value::Null)),
            3 => {
                let value = self.any();
                flawed.insert("zz".to_owned(), value);
            }
            4 => {
                let value = flawed.remove(&name).unwrap_or_default();
                flawed.insert(format!("{name}2"), value);
            }
            5 => return Value::Array(members.values().cloned().collect()),
            _ => return self.pick(&[json!([]), json!([name])]).cloned().unwrap_or_default(),
        }
        Value::Object(flawed)
    }

    fn flawed_array(&mut self, items: &[Value]) -> Value {
        let mut flawed = items.to_vec();
        match self.below(5) {
            0 => drop(flawed.pop()),
            1 => {
                let item = self.any();
                flawed.push(item);
            }
            2 => flawed.extend(items.last().cloned()),
            3 => flawed.reverse(),
            _ => {
                let members = items.iter().enumerate().map(|(index, item)| (index.to_string(), item.clone()));
                return Value::Object(members.collect());
            }
        }
        Value::Array(flawed)
    }
}

/// Pointers to a value and everything in it.
fn gather(value: &Value, pointer: String, places: &mut Vec<String>) {
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                gather(item, crate::bundle::step(&pointer, index), places);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                gather(member, crate::bundle::step(&pointer, name), places);
            }
        }
        _ => {}
    }
    places.push(pointer);
}

/// Merges two schemas into one, as far as one schema without branches can say both.
fn merge(flat: &mut Map<String, Value>, other: Map<String, Value>) {
    for (key, member) in other {
        let Some(known) = flat.get_mut(&key) else {
            flat.insert(key, member);
            continue;
        };
        match (key.as_str(), known, member) {
            ("properties" | "patternProperties", Value::Object(known), Value::Object(member)) => {
                for (name, schema) in member {
                    match known.get_mut(&name) {
                        Some(known) => *known = json!({ "allOf": [known.clone(), schema] }),
                        None => drop(known.insert(name, schema)),
                    }
                }
            }
            ("required", Value::Array(known), Value::Array(member)) => known.extend(member),
            ("enum", Value::Array(known), Value::Array(member)) => {
                known.retain(|value| member.contains(value))
            }
            ("type", known, member) => {
                let kinds = |value: &Value| match value {
                    Value::Array(kinds) => {
                        kinds.iter().filter_map(Value::as_str).map(str::to_owned).collect()
                    }
                    value => value.as_str().map(str::to_owned).into_iter().collect::<Vec<_>>(),
                };
                let (these, those) = (kinds(known), kinds(&member));
                let has = |kinds: &[String], kind: &str| {
                    kinds.iter().any(|known| known == kind || (known == "number" && kind == "integer"))
                };
                let mut both = these.iter().filter(|kind| has(&those, kind)).cloned().collect::<Vec<_>>();
                both.extend(those.iter().filter(|kind| has(&these, kind)).cloned());
                both.dedup();
                *known = json!(both);
            }
            ("minimum" | "minItems" | "minLength" | "exclusiveMinimum", known, member)
                if member.as_f64() > known.as_f64() =>
            {
                *known = member;
            }
            ("maximum" | "maxItems" | "maxLength" | "exclusiveMaximum", known, member)
                if member.as_f64() < known.as_f64() =>
            {
                *known = member;
            }
            ("items" | "additionalProperties", known, member) => {
                *known = json!({ "allOf": [known.clone(), member] });
            }
            _ => {}
        }
    }
}
