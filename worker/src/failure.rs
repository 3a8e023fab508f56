//! What Rhai's errors are to a caller.

use circles_store::{Failure, ScriptErrorKind};
use rhai::{Dynamic, EvalAltResult, ParseError, ParseErrorType, Position};

use crate::{
    Limits,
    value::{Unfit, to_json},
};

/// A message is for people to read. What a script threw is handed out as JSON, all of it.
const MESSAGE_BYTES: usize = 4 << 10;

/// A source that did not compile.
pub fn of_compiling(error: &ParseError) -> Failure {
    match error.err_type() {
        ParseErrorType::ExprTooDeep => limit("expression_depth"),
        ParseErrorType::TooManyFunctions => limit("functions"),
        kind => script(ScriptErrorKind::Compile, kind.to_string(), error.position(), None),
    }
}

/// A script that stopped while it ran, of itself or for a limit that Rhai keeps.
pub fn of_running(error: EvalAltResult, limits: &Limits) -> Failure {
    let (mut error, mut place) = (error, Position::NONE);
    loop {
        place = if error.position().is_none() { place } else { error.position() };
        error = match error {
            EvalAltResult::ErrorInFunctionCall(_, _, inner, _)
            | EvalAltResult::ErrorInModule(_, inner, _) => *inner,
            innermost => {
                error = innermost;
                break;
            }
        };
    }
    match error {
        EvalAltResult::ErrorTooManyOperations(_) => limit("operations"),
        EvalAltResult::ErrorStackOverflow(_) => limit("call_depth"),
        EvalAltResult::ErrorTooManyVariables(_) => limit("variables"),
        EvalAltResult::ErrorTooManyModules(_) => limit("modules"),
        EvalAltResult::ErrorRuntime(thrown, _) => threw(&thrown, place, limits),
        EvalAltResult::ErrorParsing(ParseErrorType::ExprTooDeep, _) => limit("expression_depth"),
        mut other => {
            // Otherwise the text ends with the place, which has fields of its own.
            other.clear_position();
            script(ScriptErrorKind::Runtime, other.to_string(), place, None)
        }
    }
}

/// A result that cannot be handed out.
pub fn of_result(unfit: Unfit) -> Failure {
    match unfit {
        Unfit::Limit(name) => limit(name),
        Unfit::Type { name, path } => {
            let message = format!("the result has no JSON form: {path} is a {name}");
            script(ScriptErrorKind::Runtime, message, Position::NONE, None)
        }
    }
}

/// A limit that was passed, by its name in [`Limits`].
pub fn limit(name: &str) -> Failure {
    Failure::Limit { limit: name.to_owned() }
}

fn threw(thrown: &Dynamic, place: Position, limits: &Limits) -> Failure {
    match to_json(thrown, limits) {
        Err(Unfit::Limit(name)) => limit(name),
        Err(Unfit::Type { name, path }) => {
            let message = format!("the script threw what has no JSON form: {path} is a {name}");
            script(ScriptErrorKind::Runtime, message, place, None)
        }
        Ok(json) => {
            // Of a map, what people put into `message`; Rhai's own printing is safe for what became JSON.
            let named = json.get("message").and_then(|message| message.as_str());
            let text = named.map_or_else(|| thrown.to_string(), str::to_owned);
            let message = if text.is_empty() { "the script threw".to_owned() } else { text };
            script(ScriptErrorKind::Runtime, message, place, Some(json))
        }
    }
}

/// Arguments that a script cannot hold.
pub fn of_args(message: String) -> Failure {
    script(ScriptErrorKind::Runtime, message, Position::NONE, None)
}

fn script(
    kind: ScriptErrorKind,
    mut message: String,
    place: Position,
    thrown: Option<serde_json::Value>,
) -> Failure {
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
