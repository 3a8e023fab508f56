//! Each value is judged by the validator and read by the type; the two must agree.

use std::collections::BTreeSet;

use jsonschema::{Draft, Registry, ValidationError, Validator, error::ValidationErrorKind};
use serde_json::{Value, json};

use crate::{
    Document, Outcome, Probe, Remark, Settings,
    bundle::{Bundle, Files, UntypedSchemas},
    values::Generator,
};

/// The bundle's address; nothing is fetched.
const BUNDLE: &str = "urn:bundle";
/// The most faults to list of one document; more are not read.
const MAX_FAULTS: usize = 200;
/// Faults of one schema; the others are mostly the same.
const MAX_FAULTS_PER_SCHEMA: usize = 3;

/// Tries every schema of a document.
///
/// # Errors
///
/// If a file of it cannot be read as JSON.
pub fn run(document: &Document, settings: &Settings) -> Result<Outcome, String> {
    let files = Files::read(document.files)?;
    let mut outcome = Outcome::default();
    let (strict, implying) = (
        Validators::new(&files, document, UntypedSchemas::Free),
        Validators::new(&files, document, UntypedSchemas::Implies),
    );
    let (strict, implying) = (strict?, implying?);
    let registries = [&strict, &implying].map(Validators::registry);
    let [strict_registry, implying_registry] = registries;
    let (strict_registry, implying_registry) = (strict_registry?, implying_registry?);
    for (index, probe) in document.probes.iter().enumerate() {
        let place = format!("{}{}", short(probe.file), probe.pointer);
        let validators = strict
            .validator(index, &strict_registry)
            .and_then(|strict| Ok((strict, implying.validator(index, &implying_registry)?)));
        let (free, implied) = match validators {
            Ok(validators) => validators,
            Err(error) => {
                outcome.unjudged.push(format!("{place}: {error}"));
                continue;
            }
        };
        if strict.keys.get(index).is_some_and(|key| strict.bundle.is_circular(key)) {
            outcome
                .unjudged
                .push(format!("{place}: a schema is itself again before any step into the value"));
            continue;
        }
        outcome.schemas += 1;
        let seed = settings.seed.wrapping_add(hash(&place));
        let key = strict.keys.get(index).cloned().unwrap_or_default();
        let mut generator = Generator::new(&strict.bundle.defs, seed);
        let schema = json!({ "$ref": format!("#/$defs/{key}") });
        let mut comparison = Comparison {
            probe,
            place,
            free,
            implied,
            key,
            files: &files,
            bundle: &strict.bundle,
            document,
            faults: 0,
        };
        let mut seen = BTreeSet::new();
        for _ in 0..settings.values.div_ceil(2) {
            let value = generator.value(&schema, 0);
            let flawed = generator.flawed(&value);
            let twice = generator.flawed(&flawed);
            for value in [value, flawed, twice] {
                if seen.insert(value.to_string()) {
                    comparison.value(&value, &mut outcome);
                }
            }
        }
    }
    if outcome.faults.len() > MAX_FAULTS {
        let count = outcome.faults.len() - MAX_FAULTS;
        outcome.faults.truncate(MAX_FAULTS);
        outcome.faults.push(format!("and {count} more"));
    }
    Ok(outcome)
}

/// The bundle of a document, and the key of each probe's schema in it.
struct Validators {
    bundle: Bundle,
    keys: Vec<String>,
    whole: Value,
}

impl Validators {
    fn new(files: &Files, document: &Document, untyped: UntypedSchemas) -> Result<Self, String> {
        let mut bundle = Bundle::default();
        let mut keys = Vec::new();
        for probe in document.probes {
            let file = files.index(probe.file).ok_or_else(|| format!("{}: no such file", probe.file))?;
            keys.push(bundle.add(files, file, probe.pointer, untyped));
        }
        let dialect = "https://json-schema.org/draft/2020-12/schema";
        let whole = json!({ "$id": BUNDLE, "$schema": dialect, "$defs": bundle.defs });
        Ok(Self { bundle, keys, whole })
    }

    fn registry(&self) -> Result<Registry<'_>, String> {
        let registry = Registry::new().add(BUNDLE, &self.whole).map_err(|error| error.to_string())?;
        registry.prepare().map_err(|error| error.to_string())
    }

    fn validator(&self, index: usize, registry: &Registry<'_>) -> Result<Validator, String> {
        let key = self.keys.get(index).map_or("", String::as_str);
        let schema = json!({ "$ref": format!("{BUNDLE}#/$defs/{key}") });
        let options = jsonschema::options().with_draft(Draft::Draft202012).with_registry(registry);
        options.build(&schema).map_err(|error| error.to_string())
    }
}

/// A place of the document, as a JSON pointer.
struct Place {
    file: usize,
    at: String,
}

/// The values of one schema.
struct Comparison<'t> {
    probe: &'t Probe,
    place: String,
    free: Validator,
    implied: Validator,
    key: String,
    files: &'t Files,
    bundle: &'t Bundle,
    document: &'t Document,
    faults: usize,
}

impl Comparison<'_> {
    fn value(&mut self, value: &Value, outcome: &mut Outcome) {
        let text = value.to_string();
        let (free, implied) = (self.free.is_valid(value), self.implied.is_valid(value));
        outcome.values += 1;
        outcome.valid += usize::from(free);
        match (self.probe.read)(&text) {
            Ok(written) => {
                let back = serde_json::from_str::<Value>(&written);
                if !back.is_ok_and(|back| same(&back, value)) {
                    self.fault(outcome, &format!("{text} became {written}"));
                }
                if !free && !implied {
                    self.account(value, &text, outcome);
                }
            }
            Err(error) if free && implied => {
                self.fault(outcome, &format!("{text} is valid and refused: {error}"))
            }
            Err(_) => {}
        }
    }

    /// Looks up in the report why an invalid value is read.
    fn account(&mut self, value: &Value, text: &str, outcome: &mut Outcome) {
        let rules = self.free.iter_errors(value).map(|error| {
            let place = error.evaluation_path();
            self.listed(&error).ok_or_else(|| format!("{text} is read, and not valid: {error} at {place}"))
        });
        match rules.collect::<Result<Vec<_>, _>>() {
            Ok(rules) => {
                for rule in rules.into_iter().take(1) {
                    *outcome.listed.entry(rule).or_default() += 1;
                }
            }
            Err(problem) => self.fault(outcome, &problem),
        }
    }

    /// The rule of the report that an error is about.
    fn listed(&self, error: &ValidationError<'_>) -> Option<String> {
        let places = self.places(error.evaluation_path().as_str());
        let last = places.last();
        let stands_at =
            |remark: &Remark, place: &Place| self.files.name(place.file) == remark.0 && place.at == remark.1;
        let fallback = self.document.fallbacks.iter().find(|remark| {
            // A schema that says nothing of a value does not excuse the value.
            !remark.2.ends_with("are not described") && places.iter().any(|place| stands_at(remark, place))
        });
        if let Some(fallback) = fallback {
            return Some(format!("any JSON value ({})", fallback.2));
        }
        let unchecked = self.document.unchecked.iter().find(|remark| match remark.2 {
            "minItems and maxItems" => last.is_some_and(|last| {
                let (array, keyword) = last.at.rsplit_once('/').unwrap_or_default();
                ["minItems", "maxItems"].contains(&keyword)
                    && remark.1 == array
                    && self.files.name(last.file) == remark.0
            }),
            _ => places.iter().any(|place| stands_at(remark, place)),
        });
        if let Some(unchecked) = unchecked {
            return Some(unchecked.2.to_owned());
        }
        let branches = match error.kind() {
            ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => {
                context
            }
            _ => return None,
        };
        branches.iter().filter(|errors| !errors.is_empty()).find_map(|errors| {
            let rules = errors.iter().map(|error| self.listed(error)).collect::<Option<Vec<_>>>()?;
            rules.into_iter().next()
        })
    }

    /// The places of the document on the path to a broken rule, the rule last.
    fn places(&self, path: &str) -> Vec<Place> {
        let mut at = format!("/$defs/{}", self.key);
        // The first reference is that of the validator, to the schema itself.
        let steps = path.strip_prefix("/$ref").unwrap_or(path).split('/').skip(1);
        let mut places = vec![self.origin(&at)];
        for step in steps {
            match step {
                "$ref" => {
                    let schema = self.bundle.part(&at);
                    let target = schema.and_then(|schema| schema.get("$ref")?.as_str()?.strip_prefix('#'));
                    at = target.unwrap_or_default().to_owned();
                }
                step => at = format!("{at}/{step}"),
            }
            let place = self.origin(&at);
            if step.starts_with("dependent") {
                let older = place.at.replace(step, "dependencies");
                places.push(Place { file: place.file, at: older });
            }
            places.push(place);
        }
        places
    }

    /// The place in the document that a place of the bundle comes from.
    fn origin(&self, at: &str) -> Place {
        let mut schema = at;
        loop {
            if let Some((file, pointer)) = self.bundle.origins.get(schema) {
                let keyword = at.get(schema.len()..).unwrap_or_default();
                return Place { file: *file, at: format!("{pointer}{keyword}") };
            }
            match schema.rsplit_once('/') {
                Some((parent, _)) => schema = parent,
                None => return Place { file: 0, at: at.to_owned() },
            }
        }
    }

    fn fault(&mut self, outcome: &mut Outcome, problem: &str) {
        self.faults += 1;
        if self.faults <= MAX_FAULTS_PER_SCHEMA {
            let problem: String = problem.chars().take(600).collect();
            outcome.faults.push(format!("{}: {problem}", self.place));
        }
    }
}

/// Equality of JSON values, where 1 and 1.0 are one number; integers to the last digit.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            one == other || ((one.is_f64() || other.is_f64()) && one.as_f64() == other.as_f64())
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(name, one)| other.get(name).is_some_and(|other| same(one, other)))
        }
        _ => one == other,
    }
}

fn short(file: &str) -> &str {
    file.rsplit('/').next().unwrap_or_default()
}

/// FNV-1a: the same on every machine.
fn hash(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
