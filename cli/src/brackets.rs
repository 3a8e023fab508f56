//! Finds out whether an entry of the REPL is complete.

/// Returns whether a bracket, quote or comment of Rhai is still open at the end of a text.
pub(crate) fn is_open(text: &str) -> bool {
    let mut scanner = Scanner::default();
    scanner.feed(text);
    scanner.is_open()
}

/// Reads a script and keeps its open delimiters, the outermost first.
#[derive(Default)]
pub(crate) struct Scanner {
    open: Vec<Delimiter>,
}

#[derive(Clone, Copy, PartialEq)]
enum Delimiter {
    /// `(`, `[`, `{` or, in a string in backticks, `${`.
    Bracket,
    /// A string or character, by its quote. It ends with its line unless the line ends with a backslash.
    Quote(char),
    /// A string in backticks.
    Backticks,
    /// A raw string such as `#"a"#`, by its number of `#`.
    Raw(usize),
    /// A block comment; they nest.
    Comment,
}

impl Scanner {
    /// Returns whether a delimiter is open after the text read so far.
    pub(crate) fn is_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// Reads further text, which starts at the beginning of a line.
    pub(crate) fn feed(&mut self, text: &str) {
        let mut rest = text;
        while let Some(character) = rest.chars().next() {
            rest = rest.get(self.step(character, rest)..).unwrap_or_default();
        }
        // A later line cannot close a quote.
        if let Some(Delimiter::Quote(_)) = self.open.last()
            && !text.trim_end_matches(['\r', '\n']).ends_with('\\')
        {
            self.open.pop();
        }
    }

    /// Reads the next token and returns its length in bytes.
    fn step(&mut self, character: char, rest: &str) -> usize {
        let pair = rest.get(..2).unwrap_or_default();
        let hashes = |at: usize| rest.bytes().skip(at).take_while(|byte| *byte == b'#').count();
        match (self.open.last().copied(), character) {
            (Some(Delimiter::Comment), _) if pair == "*/" => self.close(2),
            (Some(Delimiter::Comment) | None | Some(Delimiter::Bracket), _) if pair == "/*" => {
                self.open(Delimiter::Comment, 2)
            }
            (Some(Delimiter::Comment), _) => character.len_utf8(),
            (Some(Delimiter::Raw(count)), '"') if hashes(1) >= count => self.close(1 + count),
            (Some(Delimiter::Raw(_)), _) => character.len_utf8(),
            (Some(Delimiter::Backticks), '`') => self.close(1),
            (Some(Delimiter::Backticks), _) if pair == "${" => self.open(Delimiter::Bracket, 2),
            (Some(Delimiter::Backticks), _) => character.len_utf8(),
            (Some(Delimiter::Quote(quote)), _) if character == quote => self.close(1),
            // An escaped character closes no quote.
            (Some(Delimiter::Quote(_)), '\\') if rest.starts_with("\\\r\n") => 3,
            (Some(Delimiter::Quote(_)), '\\') => rest.chars().take(2).map(char::len_utf8).sum(),
            (Some(Delimiter::Quote(_)), '\n') => self.close(1),
            (Some(Delimiter::Quote(_)), _) => character.len_utf8(),
            (_, '/') if pair == "//" => rest.find('\n').unwrap_or(rest.len()),
            (_, '#') if rest.as_bytes().get(hashes(0)) == Some(&b'"') => {
                self.open(Delimiter::Raw(hashes(0)), hashes(0) + 1)
            }
            (_, '`') => self.open(Delimiter::Backticks, 1),
            (_, '"' | '\'') => self.open(Delimiter::Quote(character), 1),
            (_, '(' | '[' | '{') => self.open(Delimiter::Bracket, 1),
            (Some(Delimiter::Bracket), ')' | ']' | '}') => self.close(1),
            _ => character.len_utf8(),
        }
    }

    fn open(&mut self, delimiter: Delimiter, bytes: usize) -> usize {
        self.open.push(delimiter);
        bytes
    }

    fn close(&mut self, bytes: usize) -> usize {
        self.open.pop();
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entry_is_open_until_all_delimiters_are_closed() {
        for open in [
            "if true {",
            "f(1,",
            "[1",
            "\"a\\",
            "`a\nb",
            "/* x",
            "/* /* */",
            "{ \"}\"",
            "{ 'a' //}",
            "`${",
            "`${ `a` }",
            "#\"a\"",
            "##\"a\"#",
            "{\n// don't\n",
        ] {
            assert!(is_open(open), "{open}");
        }
        for closed in [
            "",
            "1",
            "if true {\n}",
            "\"{\"",
            "`(`",
            "'\\''",
            "// {",
            "/* { */ 1",
            "\"\\\"{\"",
            "}",
            "/* /* */ */",
            "#\"a\"b\"#",
            "##\"a\"#\"##",
            "`a ${ #{ b: `{` }.b } c`",
            "#{ a: 1 }",
            "\"a",
            "don't",
            "1 / 2 /",
            "'a",
            "é{}",
        ] {
            assert!(!is_open(closed), "{closed}");
        }
    }
}
