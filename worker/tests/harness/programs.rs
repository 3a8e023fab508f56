//! Random programs, made from Rhai's grammar and the natives: constants that double, nesting, natives with any
//! arguments, plays within plays, and sources that are nearly Rhai.

use circles_testing::SeededRng;

use super::{CIRCLE, OTHER};

/// Functions and methods, called with a random number of arguments.
const NATIVES: [&str; 62] = [
    "type_of",
    "to_string",
    "len",
    "pad",
    "push",
    "insert",
    "append",
    "pop",
    "shift",
    "remove",
    "reverse",
    "sort",
    "sort_desc",
    "order",
    "truncate",
    "chop",
    "clear",
    "split",
    "split_rev",
    "replace",
    "trim",
    "to_upper",
    "to_chars",
    "sub_string",
    "index_of",
    "contains",
    "keys",
    "values",
    "mixin",
    "fill_with",
    "extract",
    "splice",
    "dedup",
    "map",
    "filter",
    "reduce",
    "all",
    "some",
    "find",
    "for_each",
    "blob",
    "as_string",
    "chunks",
    "write_be",
    "parse_int",
    "parse_float",
    "parse_json",
    "to_json",
    "json::stringify",
    "json::parse",
    "crypto::sha256",
    "crypto::hex",
    "crypto::base64",
    "crypto::from_hex",
    "db::get",
    "db::set",
    "db::scan",
    "db::keys",
    "fs::write",
    "fs::read",
    "fs::list",
    "time::format",
];
const OPERATORS: [&str; 20] = [
    "+", "-", "*", "/", "%", "**", "<<", ">>", "&", "|", "^", "==", "!=", "<", ">=", "??", "in", "..", "..=",
    "+",
];
const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];
/// Pieces that disturb a source, so that it is nearly Rhai.
const PIECES: [&str; 24] = [
    "{", "}", "(", ")", "[", "]", "#{", ";", ",", "`", "${", "\"", "//", "/*", "|", "||", "fn x(", "let",
    "const", "=", "switch", "import", "\u{202e}", "\0",
];
/// Nested statements and expressions, at most; deeper ones are leaves.
const DEPTH: usize = 7;
/// Bytes after which a program gets no more branches.
const BYTES: usize = 6_000;

/// The program of this number among those of a seed.
pub(crate) fn program(seed: u64, number: u64) -> String {
    let mut writer = Writer { dice: SeededRng::new(seed, number), text: String::new(), nested: 0, loops: 0 };
    match writer.dice.below(10) {
        0 => writer.doubling(),
        1 => writer.repetition(),
        _ => writer.whole(),
    }
    if writer.dice.below(8) == 0 {
        writer.disturb();
    }
    writer.text
}

struct Writer {
    dice: SeededRng,
    text: String,
    /// Depth of this script within texts of other scripts.
    nested: usize,
    /// Loops around the current statement.
    loops: usize,
}

impl Writer {
    fn put(&mut self, text: &str) {
        self.text.push_str(text);
    }

    fn name(&mut self) {
        let name = self.dice.one_of(&NAMES);
        self.put(name);
    }

    /// A program with defined names that catches most errors.
    fn whole(&mut self) {
        self.put("fn f(a, b) { let c = a; let d = b; let e = []; let f = \"\"; ");
        self.statements(3);
        self.put(" a } ");
        for name in ["a", "b", "c", "d", "e", "f"] {
            let value = self.dice.one_of(&[
                "1",
                "\"text\"",
                "[1, \"two\", [3]]",
                "#{ a: 1, b: [] }",
                "blob(10, 1)",
                "[]",
                "2.5",
                "|a, b| a",
            ]);
            self.put(&format!("let {name} = {value}; "));
        }
        for _ in 0..2 + self.dice.below(8) {
            self.put("try { ");
            self.statements(DEPTH);
            self.put("} catch {} ");
        }
        self.put("len(`${a}`)");
    }

    fn is_full(&self, depth: usize) -> bool {
        depth == 0 || self.text.len() > BYTES
    }

    /// Constants, each made of the one before.
    fn doubling(&mut self) {
        let first = self.dice.one_of(&["\"xxxxxxxx\"", "[1, 2]", "#{ a: 1 }", "1", "blob(8, 1)", "'x'"]);
        let next =
            self.dice.one_of(&["X + X", "[X, X]", "#{ a: X, b: X }", "`${X}${X}`", "X * X", "|x| X + X"]);
        let (before, after) = self.dice.one_of(&[
            ("", ""),
            ("fn g() {", "}"),
            ("let g = || {", "};"),
            ("if false {", "}"),
            ("loop {", "}"),
        ]);
        let times = self.dice.below(40);
        self.put(before);
        self.put(&format!("const A0 = {first};"));
        for number in 1..=times {
            let value = next.replace('X', &format!("A{}", number - 1));
            self.put(&format!("const A{number} = {value};"));
        }
        self.put(after);
        self.statements(2);
    }

    /// A piece many times, nested or in a row.
    fn repetition(&mut self) {
        let (open, close) = self.dice.one_of(&[
            ("{", "}"),
            ("(", ")"),
            ("[", "]"),
            ("#{a:", "}"),
            ("if true {", "}"),
            ("loop { break;", "}"),
            ("!", ""),
            ("-", ""),
            ("||", ""),
            ("`${", "}`"),
            ("f(", ")"),
            ("a.", "a"),
            ("a[", "]"),
            ("let a = 1;", ""),
            ("{}", ""),
            ("1 + ", ""),
            ("a::", ""),
            ("fn a() {", "}"),
            ("try {", "} catch {}"),
            ("/*", "*/"),
            ("#", "#"),
        ]);
        let times = 1 << self.dice.below(15);
        let (levels, rows) =
            if self.dice.below(2) == 0 { (times, 1) } else { (1 + self.dice.below(30), times) };
        for _ in 0..rows {
            if self.text.len() > 200_000 {
                break;
            }
            let (open, close) = (open.repeat(levels), close.repeat(levels));
            self.put(&format!("{open}1{close}"));
            self.put(if rows > 1 { ";" } else { "" });
        }
    }

    fn statements(&mut self, depth: usize) {
        for _ in 0..=self.dice.below(5) {
            self.statement(depth);
        }
    }

    fn block(&mut self, depth: usize) {
        self.put("{ ");
        self.statements(depth.saturating_sub(1));
        self.put(" }");
    }

    fn looped(&mut self, depth: usize) {
        self.loops += 1;
        self.block(depth);
        self.loops -= 1;
    }

    fn statement(&mut self, depth: usize) {
        let kind = if self.is_full(depth) { self.dice.below(4) } else { self.dice.below(14) };
        match kind {
            0 => self.expression(depth),
            1 | 2 => {
                let kind = self.dice.one_of(&["let ", ""]);
                self.put(kind);
                self.name();
                let operator =
                    if kind.is_empty() { self.dice.one_of(&[" = ", " += ", " *= "]) } else { " = " };
                self.put(operator);
                self.expression(depth);
            }
            3 if self.loops > 0 && self.dice.below(2) == 0 => {
                let leave = self.dice.one_of(&["break", "continue"]);
                self.put(leave);
            }
            3 => {
                let simple = self.dice.one_of(&[
                    "return",
                    "throw 1",
                    "sleep(0.001)",
                    "const G = 1",
                    "log::info(`${a}`)",
                ]);
                self.put(simple);
            }
            4 | 5 => {
                self.put("if (");
                self.expression(depth - 1);
                self.put(") == (");
                self.expression(depth - 1);
                self.put(") ");
                self.block(depth);
                if self.dice.below(2) == 0 {
                    self.put(" else ");
                    self.block(depth);
                }
            }
            6 => {
                self.put("for ");
                self.name();
                self.put(" in ");
                let through =
                    self.dice.one_of(&["a", "b", "0..10", "0..100000000", "[1, a]", "keys(d)", "chars(b)"]);
                self.put(through);
                self.looped(depth);
            }
            7 => {
                let head = self.dice.one_of(&["loop", "while true", "do"]);
                self.put(head);
                self.looped(depth);
                self.put(if head == "do" { " while true" } else { "" });
            }
            8 => {
                self.put("try ");
                self.block(depth);
                self.put(" catch (e) ");
                self.block(depth);
            }
            9 => {
                self.put("let ");
                self.name();
                self.put(" = |a, b| ");
                let loops = std::mem::take(&mut self.loops);
                self.block(depth);
                self.loops = loops;
            }
            10 => {
                self.put("throw ");
                self.expression(depth - 1);
            }
            11 => {
                self.name();
                self.put("[");
                self.expression(depth - 1);
                self.put("] = ");
                self.expression(depth - 1);
            }
            12 => self.put("import \"m\" as m"),
            _ => self.call(depth),
        }
        self.put("; ");
    }

    fn expression(&mut self, depth: usize) {
        let kind = if self.is_full(depth) { self.dice.below(5) } else { self.dice.below(15) };
        match kind {
            0 | 1 => self.name(),
            2 => {
                let leaf = self.dice.one_of(&[
                    "0",
                    "1",
                    "7",
                    "1000",
                    "100000",
                    "9223372036854775807",
                    "-1",
                    "0.5",
                    "1e300",
                    "()",
                    "true",
                    "false",
                    "'x'",
                    "\"\"",
                    "\"text\"",
                    "[]",
                    "#{}",
                    "CIRCLE",
                    "TASK",
                    "timestamp()",
                    "0..10",
                    "0..100000000",
                ]);
                self.put(leaf);
            }
            3 => {
                let long = "x".repeat(1 << self.dice.below(10));
                self.put(&format!("{long:?}"));
            }
            4 => {
                let constant = self.dice.one_of(&["f(1, 2)", "ARGS", "CALLER"]);
                self.put(constant);
            }
            5 | 6 => {
                self.put("(");
                self.expression(depth - 1);
                let operator = self.dice.one_of(&OPERATORS);
                self.put(&format!(" {operator} "));
                self.expression(depth - 1);
                self.put(")");
            }
            7 => {
                self.put("[");
                self.several(depth);
                self.put("]");
            }
            8 => {
                self.put("#{ a: ");
                self.expression(depth - 1);
                self.put(", b: ");
                self.expression(depth - 1);
                self.put(" }");
            }
            9 => {
                self.put("`${");
                self.expression(depth - 1);
                self.put("} and ${");
                self.expression(depth - 1);
                self.put("}`");
            }
            10 => {
                self.put("|a, b| ");
                self.expression(depth - 1);
            }
            11 => {
                self.name();
                self.put("[");
                self.expression(depth - 1);
                self.put("]");
            }
            12 => self.nested_play(),
            _ => self.call(depth),
        }
    }

    fn several(&mut self, depth: usize) {
        for index in 0..self.dice.below(4) {
            self.put(if index > 0 { ", " } else { "" });
            self.expression(depth.saturating_sub(1));
        }
    }

    fn call(&mut self, depth: usize) {
        let native = self.dice.one_of(&NATIVES);
        if !native.contains(':') && self.dice.below(3) > 0 {
            self.name();
            self.put(".");
        }
        self.put(native);
        self.put("(");
        self.several(depth);
        self.put(")");
    }

    /// A separate script, played by one of two circles.
    fn nested_play(&mut self) {
        if self.nested > 1 {
            return self.put("1");
        }
        let mut inner = Self {
            dice: SeededRng::new(self.dice.below(usize::MAX) as u64, 0),
            text: String::new(),
            nested: self.nested + 1,
            loops: 0,
        };
        if inner.dice.below(3) == 0 {
            inner.doubling()
        } else {
            inner.statements(3)
        }
        let circle = self.dice.one_of(&[CIRCLE, OTHER]);
        self.put(&format!("circle({circle:?}).play({:?}, a)", inner.text));
    }

    /// Inserts pieces at random, and removes others.
    fn disturb(&mut self) {
        for _ in 0..=self.dice.below(3) {
            let at = self.dice.below(self.text.len() + 1);
            let Some(at) = (at..=self.text.len()).find(|at| self.text.is_char_boundary(*at)) else {
                continue;
            };
            let piece = self.dice.one_of(&PIECES);
            self.text.insert_str(at, &piece.repeat(1 << self.dice.below(6)));
        }
        if self.dice.below(2) == 0 {
            let end = self.dice.below(self.text.len() + 1);
            let end = (0..=end).rev().find(|end| self.text.is_char_boundary(*end));
            self.text.truncate(end.unwrap_or(0));
        }
    }
}
