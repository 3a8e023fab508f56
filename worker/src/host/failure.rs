//! Rhai's errors as failures that a caller sees.

use circles_store::{Failure, Outcome, ScriptErrorKind};
use rhai::{Dynamic, EvalAltResult, ParseError, ParseErrorType, Position};
use serde_json::Value;

use crate::{
    circle::{Circle, Resources},
    natives::{
        Frame,
        value::{Unfit, to_json},
    },
    play::{MESSAGE_BYTES, cut},
};

/// The failure of a source that did not compile.
pub(crate) fn of_compiling(error: &ParseError) -> Failure {
    match error.err_type() {
        ParseErrorType::ExprTooDeep => limit("expression_depth"),
        ParseErrorType::TooManyFunctions => limit("functions"),
        kind => script(ScriptErrorKind::Compile, kind.to_string(), error.position(), None),
    }
}

/// The failure of a script with this source name that ended with an error: its own, or that of a limit in Rhai.
pub(crate) fn of_running(error: EvalAltResult, source: &str, frame: &Frame) -> Failure {
    let trace = Trace::of(error, source);
    match trace.error {
        EvalAltResult::ErrorTooManyOperations(_) => limit("operations"),
        EvalAltResult::ErrorStackOverflow(_) => limit("call_depth"),
        EvalAltResult::ErrorTooManyVariables(_) => limit("variables"),
        EvalAltResult::ErrorTooManyModules(_) => limit("modules"),
        EvalAltResult::ErrorRuntime(thrown, _) => threw(&thrown, trace.place, trace.module.as_deref(), frame),
        EvalAltResult::ErrorParsing(ParseErrorType::ExprTooDeep, _) => limit("expression_depth"),
        mut other => {
            // Otherwise the text would end with the position, which has fields of its own.
            other.clear_position();
            let message = within(shown(&other.to_string(), frame), trace.module.as_deref());
            script(ScriptErrorKind::Runtime, message, trace.place, None)
        }
    }
}

/// The text of [`of_running`] for the log: bounded, and without secrets.
pub(crate) fn text(error: EvalAltResult, source: &str, frame: &Frame) -> String {
    match of_running(error, source, frame) {
        Failure::Script { message, line, .. } => {
            let line = line.map(|line| format!(" (line {line})")).unwrap_or_default();
            shown(&message, frame) + &*line
        }
        Failure::Limit { limit } => format!("it passed the limit {limit}"),
        other => format!("{other:?}"),
    }
}

/// An error, and where it was made.
struct Trace {
    error: EvalAltResult,
    /// The last position on the way to it that lies in the script itself.
    place: Position,
    /// The module in which the error was made, if any, with the position in it: `geo/plot:3:5`.
    module: Option<String>,
}

impl Trace {
    fn of(mut error: EvalAltResult, source: &str) -> Self {
        let (mut place, mut at, mut within) = (Position::NONE, Position::NONE, source.to_owned());
        loop {
            at = if error.position().is_none() { at } else { error.position() };
            if within == source {
                place = at;
            }
            let (inner, next) = match error {
                EvalAltResult::ErrorInFunctionCall(_, next, inner, _)
                | EvalAltResult::ErrorInModule(next, inner, _) => (inner, next),
                error => {
                    let numbers = [at.line(), at.position()].into_iter().flatten();
                    let numbers: String = numbers.map(|number| format!(":{number}")).collect();
                    let module = (within != source).then(|| format!("{within}{numbers}"));
                    return Self { error, place, module };
                }
            };
            if next != within {
                (within, at) = (next, Position::NONE);
            }
            error = *inner;
        }
    }
}

/// The failure of a play whose result has no JSON form, or is too large.
pub(crate) fn of_result(unfit: Unfit, frame: &Frame) -> Failure {
    match unfit {
        Unfit::Limit(name) => limit(name),
        Unfit::Type { name, path } => {
            let message = format!("the result has no JSON form: {path} is a {name}");
            script(ScriptErrorKind::Runtime, shown(&message, frame), Position::NONE, None)
        }
    }
}

/// The failure of a play that passed the limit of this name.
pub(crate) fn limit(name: &str) -> Failure {
    Failure::Limit { limit: name.to_owned() }
}

/// A message that names the module in which the error was made. A long message leaves room for the name.
fn within(mut message: String, module: Option<&str>) -> String {
    if let Some(module) = module {
        let place = format!(" (in module {module})");
        cut(&mut message, MESSAGE_BYTES.saturating_sub(place.len() + '…'.len_utf8()));
        message.push_str(&place);
    }
    message
}

fn threw(thrown: &Dynamic, place: Position, module: Option<&str>, frame: &Frame) -> Failure {
    let play = &frame.play;
    let json =
        play.meter.retain(|| to_json(thrown, &play.limits).map(|json| mask_secrets(json, frame.circle())));
    match json {
        Err(Unfit::Limit(name)) => limit(name),
        Err(Unfit::Type { name, path }) => {
            let message = format!("the thrown value has no JSON form: {path} is a {name}");
            script(ScriptErrorKind::Runtime, shown(&message, frame), place, None)
        }
        Ok(json) => {
            // The names of secrets may be longer than their values.
            let length = play.meter.retain(|| json.to_string().len());
            if length > play.limits.result_bytes {
                return limit("result_bytes");
            }
            if !play.log.fits_answer_with(length) {
                return limit("answer_bytes");
            }
            // A map may have a `message` for people. Rhai's own printing is safe for a value that has become JSON.
            let named = json.get("message").and_then(|message| message.as_str());
            let text = named.map_or_else(|| shown(&thrown.to_string(), frame), str::to_owned);
            let message = if text.is_empty() { "the script threw".to_owned() } else { text };
            script(ScriptErrorKind::Runtime, within(message, module), place, Some(json))
        }
    }
}

/// A thrown value without the secrets of the circle: errors of natives quote their arguments.
fn mask_secrets(json: Value, circle: &dyn Resources) -> Value {
    match json {
        Value::String(text) => circle.mask_secrets(&text, usize::MAX).into(),
        Value::Array(items) => items.into_iter().map(|item| mask_secrets(item, circle)).collect(),
        Value::Object(members) => {
            let members = members.into_iter();
            members
                .map(|(name, member)| (circle.mask_secrets(&name, usize::MAX), mask_secrets(member, circle)))
                .collect()
        }
        other => other,
    }
}

/// The part of a message that callers see.
fn shown(message: &str, frame: &Frame) -> String {
    frame.circle().mask_secrets(message, MESSAGE_BYTES)
}

/// The outcome, without secrets in the error of a script that does not compile: a secret may be part of its source.
pub(crate) fn mask_source(outcome: Outcome, circle: &Circle) -> Outcome {
    match outcome {
        Outcome::Failed(Failure::Script { kind, message, line, column, thrown }, logs)
            if kind == ScriptErrorKind::Compile =>
        {
            let message = circle.mask_secrets(&message, MESSAGE_BYTES);
            Outcome::Failed(Failure::Script { kind, message, line, column, thrown }, logs)
        }
        other => other,
    }
}

/// The failure of a task whose arguments a script cannot hold.
pub(crate) fn of_args(message: String) -> Failure {
    script(ScriptErrorKind::Runtime, message, Position::NONE, None)
}

fn script(kind: ScriptErrorKind, mut message: String, place: Position, thrown: Option<Value>) -> Failure {
    cut(&mut message, MESSAGE_BYTES);
    let number =
        |part: Option<usize>| part.and_then(|part| u32::try_from(part).ok()).filter(|part| *part > 0);
    Failure::Script { kind, message, line: number(place.line()), column: number(place.position()), thrown }
}
