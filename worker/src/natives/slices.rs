//! Inclusive ranges as indices: `text[1..=1]`. Rhai takes such a range of one character for an empty one, and its own
//! indexing of texts comes before every indexer that could be registered.
//!
//! Rhai is right about exclusive ranges, and one that ends one place later means the same. So while a script is parsed,
//! `..=` in an index becomes an operator that makes this range. A range in a variable is not known to be an index, and
//! stays as Rhai has it.

use std::{cell::RefCell, collections::HashMap, mem};

use rhai::{AST, Dynamic, Engine, Module, NativeCallContext, ParseError, Token};

use super::{Checked, Natives as _};

/// The operator in place of `..=`. No script can write it.
const OPERATOR: &str = "slice$to";
/// As tightly as Rhai's own ranges bind.
const PRECEDENCE: u8 = 140;

pub(crate) fn register(module: &mut Module) {
    module.native(OPERATOR, range);
    module.native(OPERATOR, |context: NativeCallContext, from: Dynamic, to: Dynamic| -> Checked<Dynamic> {
        let (mut from, mut to) = (from, to);
        context.call_native_fn_raw("..=", false, &mut [&mut from, &mut to])
    });
}

/// Registers the operator with an engine, whose hook for tokens is [`token`].
pub(crate) fn extend(engine: &mut Engine) {
    let known = engine.register_custom_operator(OPERATOR, PRECEDENCE);
    debug_assert!(known.is_ok(), "the operator collides with one of Rhai's");
}

/// The range of these places, the last one included. -1 is the last place there is.
fn range(from: i64, to: i64) -> Dynamic {
    match to {
        -1 | i64::MAX => Dynamic::from(from..=i64::MAX),
        to => Dynamic::from(from..to + 1),
    }
}

/// Compiles a source with an engine that has the operator.
pub(crate) fn compile(engine: &Engine, source: &str) -> Result<AST, ParseError> {
    if !source.contains("..=") {
        return engine.compile(source);
    }
    let _parsing = Parsing::begin(Parser::default());
    let ast = engine.compile(source)?;
    let changes = PARSER.with_borrow_mut(|parser| mem::take(parser).unwrap_or_default().changes);
    if changes.is_empty() {
        return Ok(ast);
    }
    let _parsing = Parsing::begin(Parser { changes, is_second: true, ..Parser::default() });
    engine.compile(source)
}

/// The next token of the source that is compiled on this thread, as the parser is to see it.
pub(crate) fn token(token: Token) -> Token {
    PARSER.with_borrow_mut(|parser| {
        let Some(parser) = parser else { return token };
        parser.count += 1;
        if parser.is_second {
            return parser.changed(token);
        }
        parser.look(&token);
        token
    })
}

thread_local! {
    static PARSER: RefCell<Option<Parser>> = const { RefCell::new(None) };
}

/// Drops the state of a source once it is compiled, or cannot be.
struct Parsing;

impl Parsing {
    fn begin(parser: Parser) -> Self {
        PARSER.set(Some(parser));
        Self
    }
}

impl Drop for Parsing {
    fn drop(&mut self) {
        PARSER.set(None);
    }
}

/// The state of a source while its tokens pass.
#[derive(Default)]
struct Parser {
    /// Tokens so far. Rhai's positions end at line 65,535.
    count: usize,
    /// The open brackets, the innermost last; true for an index.
    open: Vec<bool>,
    /// True if the last token ends an operand, so that a bracket behind it is an index.
    behind_operand: bool,
    /// An inclusive range in an index, until its end is known.
    pending: Option<Pending>,
    /// The replacements of tokens, by their number, for the second pass.
    changes: HashMap<usize, Change>,
    is_second: bool,
}

/// An inclusive range of which the tokens so far are these, with the number of its token.
#[derive(Clone, Copy)]
enum Pending {
    /// `a..=`
    Infix(usize),
    /// `[..=`
    Prefix(usize),
    /// `[..=-`
    Minus(usize),
    /// `[..=1` or `[..=-2`, with the number of the integer's token and what the integer should be.
    Integer(usize, usize, i64),
}

enum Change {
    /// [`OPERATOR`].
    Operator,
    /// `..`
    Exclusive,
    Integer(i64),
}

impl Parser {
    fn look(&mut self, token: &Token) {
        let at = self.count;
        self.settle(token, at);
        match token {
            Token::LeftBracket | Token::QuestionBracket => {
                self.open.push(self.behind_operand || *token == Token::QuestionBracket);
            }
            // `text[(1..=1)]`
            Token::LeftParen => {
                let wraps = !self.behind_operand && self.in_index();
                self.open.push(wraps);
            }
            Token::LeftBrace | Token::MapStart => self.open.push(false),
            Token::RightBracket | Token::RightParen | Token::RightBrace => drop(self.open.pop()),
            Token::InclusiveRange if self.in_index() => {
                let infix = self.behind_operand;
                self.pending = Some(if infix { Pending::Infix(at) } else { Pending::Prefix(at) });
            }
            _ => {}
        }
        // A block may be followed by an array.
        self.behind_operand = match token {
            Token::Identifier(_)
            | Token::StringConstant(_)
            | Token::InterpolatedString(_)
            | Token::IntegerConstant(_)
            | Token::RightBracket
            | Token::RightParen => true,
            Token::Reserved(word) => &***word == "this",
            _ => false,
        };
    }

    fn in_index(&self) -> bool {
        self.open.last() == Some(&true)
    }

    /// Decides about a range that is pending, now that another token of it is known.
    fn settle(&mut self, token: &Token, at: usize) {
        let closes = matches!(token, Token::RightBracket | Token::RightParen);
        self.pending = match (self.pending.take(), token) {
            // One that has no end goes on to the last place, and needs no change.
            (Some(Pending::Infix(range)), _) if !closes => {
                self.changes.insert(range, Change::Operator);
                None
            }
            // Up to -1 is up to the last place.
            (Some(Pending::Prefix(range)), Token::IntegerConstant(number)) if *number != -1 => {
                number.checked_add(1).map(|end| Pending::Integer(range, at, end))
            }
            (Some(Pending::Prefix(range)), Token::Minus | Token::UnaryMinus) => Some(Pending::Minus(range)),
            // Below it there is one place less to count back.
            (Some(Pending::Minus(range)), Token::IntegerConstant(number)) if *number > 1 => {
                Some(Pending::Integer(range, at, number - 1))
            }
            (Some(Pending::Integer(range, place, number)), _) if closes => {
                self.changes.insert(range, Change::Exclusive);
                self.changes.insert(place, Change::Integer(number));
                None
            }
            _ => None,
        };
    }

    fn changed(&self, token: Token) -> Token {
        match self.changes.get(&self.count) {
            None => token,
            Some(Change::Operator) => Token::Custom(Box::new(OPERATOR.into())),
            Some(Change::Exclusive) => Token::ExclusiveRange,
            Some(Change::Integer(number)) => Token::IntegerConstant(*number),
        }
    }
}
