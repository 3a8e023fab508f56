//! What Rhai's errors are to a caller.

use circles_store::{Failure, Outcome, ScriptErrorKind};
use rhai::{Dynamic, EvalAltResult, ParseError, ParseErrorType, Position};
use serde_json::Value;

use crate::{
    circle::Circle,
    play::Play,
    value::{Unfit, to_json},
};

/// A message is for people to read. What a script threw is handed out as JSON, all of it.
pub const MESSAGE_BYTES: usize = 4 << 10;

/// A source that did not compile.
pub fn of_compiling(error: &ParseError) -> Failure {
    match error.err_type() {
        ParseErrorType::ExprTooDeep => limit("expression_depth"),
        ParseErrorType::TooManyFunctions => limit("functions"),
        kind => script(ScriptErrorKind::Compile, kind.to_string(), error.position(), None),
    }
}

/// A script of this source name that stopped while it ran, of itself or for a limit that Rhai keeps.
pub fn of_running(error: EvalAltResult, source: &str, play: &Play) -> Failure {
    let trace = Trace::of(error, source);
    match trace.error {
        EvalAltResult::ErrorTooManyOperations(_) => limit("operations"),
        EvalAltResult::ErrorStackOverflow(_) => limit("call_depth"),
        EvalAltResult::ErrorTooManyVariables(_) => limit("variables"),
        EvalAltResult::ErrorTooManyModules(_) => limit("modules"),
        EvalAltResult::ErrorRuntime(thrown, _) => threw(&thrown, trace.place, trace.module.as_deref(), play),
        EvalAltResult::ErrorParsing(ParseErrorType::ExprTooDeep, _) => limit("expression_depth"),
        mut other => {
            // Otherwise the text ends with the place, which has fields of its own.
            other.clear_position();
            let message = within(told(&other.to_string(), play), trace.module.as_deref());
            script(ScriptErrorKind::Runtime, message, trace.place, None)
        }
    }
}

/// What [`of_running`] says, for the log: bounded, whatever was thrown, and without secrets.
pub fn text(error: EvalAltResult, source: &str, play: &Play) -> String {
    match of_running(error, source, play) {
        Failure::Script { message, line, .. } => {
            let line = line.map(|line| format!(" (line {line})")).unwrap_or_default();
            told(&message, play) + &*line
        }
        Failure::Limit { limit } => format!("it passed the limit {limit}"),
        other => format!("{other:?}"),
    }
}

/// An error, and the way to it.
struct Trace {
    error: EvalAltResult,
    /// The last place on the way that lies in the script itself.
    place: Position,
    /// The module in which the error was made, if one was, with the place in it: `geo/plot:3:5`.
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

/// A result that cannot be handed out.
pub fn of_result(unfit: Unfit, play: &Play) -> Failure {
    match unfit {
        Unfit::Limit(name) => limit(name),
        Unfit::Type { name, path } => {
            let message = format!("the result has no JSON form: {path} is a {name}");
            script(ScriptErrorKind::Runtime, told(&message, play), Position::NONE, None)
        }
    }
}

/// A limit that was passed, by its name in [`Limits`].
pub fn limit(name: &str) -> Failure {
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

fn threw(thrown: &Dynamic, place: Position, module: Option<&str>, play: &Play) -> Failure {
    let json = play.keeping(|| to_json(thrown, &play.limits).map(|json| without_secrets(json, &play.circle)));
    match json {
        Err(Unfit::Limit(name)) => limit(name),
        Err(Unfit::Type { name, path }) => {
            let message = format!("the script threw what has no JSON form: {path} is a {name}");
            script(ScriptErrorKind::Runtime, told(&message, play), place, None)
        }
        Ok(json) => {
            // The names of secrets may be longer than their values.
            let length = play.keeping(|| json.to_string().len());
            if length > play.limits.result_bytes {
                return limit("result_bytes");
            }
            if !play.fits_an_answer(length) {
                return limit("answer_bytes");
            }
            // Of a map, what people put into `message`; Rhai's own printing is safe for what became JSON.
            let named = json.get("message").and_then(|message| message.as_str());
            let text = named.map_or_else(|| told(&thrown.to_string(), play), str::to_owned);
            let message = if text.is_empty() { "the script threw".to_owned() } else { text };
            script(ScriptErrorKind::Runtime, within(message, module), place, Some(json))
        }
    }
}

/// What was thrown, without the secrets of the circle: errors of natives quote what they were given.
fn without_secrets(json: Value, circle: &Circle) -> Value {
    match json {
        Value::String(text) => circle.without_secrets(&text, usize::MAX).into(),
        Value::Array(items) => items.into_iter().map(|item| without_secrets(item, circle)).collect(),
        Value::Object(members) => {
            let members = members.into_iter();
            members
                .map(|(name, member)| {
                    (circle.without_secrets(&name, usize::MAX), without_secrets(member, circle))
                })
                .collect()
        }
        other => other,
    }
}

/// As much of a message as is told.
fn told(message: &str, play: &Play) -> String {
    play.circle.without_secrets(message, MESSAGE_BYTES)
}

/// The outcome, but that a script which does not compile is quoted without secrets: one of them may be its source.
pub fn without_secrets_of(outcome: Outcome, circle: &Circle) -> Outcome {
    match outcome {
        Outcome::Failed(Failure::Script { kind, message, line, column, thrown }, logs)
            if kind == ScriptErrorKind::Compile =>
        {
            let message = circle.without_secrets(&message, MESSAGE_BYTES);
            Outcome::Failed(Failure::Script { kind, message, line, column, thrown }, logs)
        }
        other => other,
    }
}

/// Arguments that a script cannot hold.
pub fn of_args(message: String) -> Failure {
    script(ScriptErrorKind::Runtime, message, Position::NONE, None)
}

fn script(kind: ScriptErrorKind, mut message: String, place: Position, thrown: Option<Value>) -> Failure {
    cut(&mut message, MESSAGE_BYTES);
    let number =
        |part: Option<usize>| part.and_then(|part| u32::try_from(part).ok()).filter(|part| *part > 0);
    Failure::Script { kind, message, line: number(place.line()), column: number(place.position()), thrown }
}

/// Cuts a text to so many bytes, with a mark where it was longer.
pub fn cut(text: &mut String, bytes: usize) {
    if text.len() > bytes {
        let end = (0..=bytes).rev().find(|end| text.is_char_boundary(*end));
        text.truncate(end.unwrap_or(0));
        text.push('…');
    }
}
