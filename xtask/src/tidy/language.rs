//! The language of comments and names (CONTRIBUTING.md says why).

use super::{Finding, Source};
use crate::lex::Language;

/// Words that make a clause the subject of its sentence, so that a reader has to guess the actor.
const HEADLESS: [&str; 10] =
    ["Who", "Whoever", "Whom", "Whomever", "Whose", "What", "Whatever", "Where", "Wherever", "Nobody"];
/// With a word of the second list behind it, a word of the first begins such a clause too.
const PREPOSITIONS: [&str; 10] = ["Of", "To", "For", "With", "By", "From", "In", "On", "At", "About"];
const INTERROGATIVES: [&str; 8] = ["who", "whom", "whomever", "whose", "what", "whatever", "which", "how"];

/// The longest name of a function, tests among them.
const NAME: usize = 60;

/// A sentence of a comment.
#[derive(Debug, PartialEq, Eq)]
struct Sentence {
    /// The line that its block of comments begins at.
    line: usize,
    text: String,
}

/// Finds comment sentences that begin with a headless clause, such as "Who waits is told".
pub(super) fn headless_sentences(source: &Source) -> Vec<Finding> {
    let found = sentences(source).into_iter().filter(|sentence| is_headless(&sentence.text));
    found
        .map(|sentence| {
            let start: String = sentence.text.chars().take(60).collect();
            source.finding(sentence.line, format!("“{start}”: begin the sentence with its actor"))
        })
        .collect()
}

/// A question may begin with any word.
fn is_headless(sentence: &str) -> bool {
    // A name may be any word.
    if sentence.starts_with('`') {
        return false;
    }
    let mut words = sentence.split(|char: char| !char.is_alphabetic()).filter(|word| !word.is_empty());
    let (first, second) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let begins =
        HEADLESS.contains(&first) || PREPOSITIONS.contains(&first) && INTERROGATIVES.contains(&second);
    begins && !sentence.trim_end().ends_with('?')
}

/// The sentences of a file's comments: of lines that follow each other, and of each comment behind code.
fn sentences(source: &Source) -> Vec<Sentence> {
    let mut blocks: Vec<Sentence> = Vec::new();
    let (mut previous, mut fenced) = (None, false);
    for Line { number, is_alone, text } in comment_lines(source) {
        let goes_on = is_alone && previous.is_some_and(|previous: usize| previous + 1 == number);
        previous = is_alone.then_some(number);
        let is_fence = text.starts_with("```");
        fenced = (fenced && goes_on) ^ is_fence;
        if fenced || is_fence {
            // A sentence does not go on behind an example.
            previous = previous.filter(|_| fenced);
            continue;
        }
        let begins = text.is_empty() || text.starts_with(['#', '|', '-', '*', '>']);
        match blocks.last_mut() {
            Some(block) if goes_on && !begins && !block.text.is_empty() => block.text.extend([" ", text]),
            _ => blocks.push(Sentence { line: number, text: text.to_owned() }),
        }
    }
    blocks.iter().flat_map(split).collect()
}

/// A line of a comment, without its marks.
struct Line<'a> {
    number: usize,
    /// No code stands before it.
    is_alone: bool,
    text: &'a str,
}

fn comment_lines(source: &Source) -> Vec<Line<'_>> {
    let Some(language) = Language::of(&source.path).filter(|_| !source.is_golden()) else {
        return Vec::new();
    };
    let (mut lines, mut counted, mut first) = (Vec::new(), 0, 1);
    for range in language.lex(&source.text).comments {
        let (before, comment) = (&source.text[..range.start], &source.text[range]);
        let is_alone = before.rsplit('\n').next().is_none_or(|code| code.trim().is_empty());
        first += before[counted..].matches('\n').count();
        counted = before.len();
        lines.extend(comment.lines().enumerate().map(|(index, line)| {
            let text = line.trim().trim_start_matches(['/', '!', '-', '*', '[']).trim();
            Line { number: first + index, is_alone, text }
        }));
    }
    lines
}

/// Splits a block where a sentence ends and a capital, a quote or a bracket follows.
fn split(block: &Sentence) -> Vec<Sentence> {
    let mut sentences = vec![String::new()];
    let mut words = block.text.split_whitespace().peekable();
    while let Some(word) = words.next() {
        if let Some(sentence) = sentences.last_mut() {
            sentence.extend([word, " "]);
        }
        let starts =
            |next: &&str| next.starts_with(|char: char| char.is_uppercase() || "`\"([".contains(char));
        if word.ends_with(['.', ':', ';', '!', '?']) && words.peek().is_some_and(starts) {
            sentences.push(String::new());
        }
    }
    sentences.retain(|text| !text.is_empty());
    sentences
        .into_iter()
        .map(|text| Sentence { line: block.line, text: text.trim_end().to_owned() })
        .collect()
}

/// Finds functions whose names are longer than a reader takes in, or than a list of tests shows.
pub(super) fn long_names(source: &Source) -> Vec<Finding> {
    if !source.is("rs") || source.is_golden() {
        return Vec::new();
    }
    let code = Language::Rust.lex(&source.text).bare;
    let names = code.match_indices("fn ").filter_map(|(at, _)| {
        let name: &str =
            code.get(at + 3..)?.split(|char: char| !char.is_alphanumeric() && char != '_').next()?;
        (name.chars().count() > NAME).then(|| {
            let problem = format!("{name} has {} characters; {NAME} are enough", name.chars().count());
            source.finding(source.line_of(at), problem)
        })
    });
    names.collect()
}

#[cfg(test)]
mod tests {
    use super::{super::tests::source, *};

    fn headless(path: &str, text: &str) -> Vec<usize> {
        headless_sentences(&source(path, text)).iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn sentence_may_not_begin_with_a_headless_clause() {
        for text in [
            "//! Who waits is told.\n",
            "/// What reached outside is lost.\n",
            "/// A worker. Whoever comes first decides.\n",
            "fn f() {} // Of whom nothing is known.\n",
            "/// It ends: Where there is none, nothing ends.\n",
            "/* Nobody reads it. */\n",
            "/// - What it is given.\n",
            "/// In which order they come.\n",
        ] {
            assert_eq!(headless("api/src/lib.rs", text), [1], "{text}");
        }
        assert_eq!(headless("store/src/a.lua", "-- Whose lease it is.\n"), [1]);
    }

    #[test]
    fn other_sentences_may_begin_in_any_way() {
        for text in [
            "/// The worker that waits is told what it is.\n",
            "/// What is it? Nothing.\n",
            "/// `What` is a type.\n",
            "/// Whether the worker waits. Whereas others do not.\n",
            "/// It says\n/// What it is.\n",
            "/// To be told of it.\n",
            "let a = \"Who waits is told.\";\n",
            "/// ```\n/// // Who waits is told.\n/// ```\n",
        ] {
            assert_eq!(headless("api/src/lib.rs", text), [0; 0], "{text}");
        }
        assert_eq!(headless("README.md", "Who waits is told.\n"), [0; 0]);
        assert_eq!(headless("codegen/tests/golden/a/expected.rs", "/// What it is.\n"), [0; 0]);
    }

    #[test]
    fn sentences_go_over_lines_and_end_with_their_block() {
        let text = "/// One\n/// goes on. Two.\n///\n/// Three\nfn f() {} // Four\n// Five\n";
        let found = sentences(&source("a.rs", text));
        let found: Vec<_> = found.iter().map(|sentence| (sentence.line, &*sentence.text)).collect();
        let expected = [(1, "One goes on."), (1, "Two."), (4, "Three"), (5, "Four"), (6, "Five")];
        assert_eq!(found, expected);
    }

    #[test]
    fn long_function_names_are_found() {
        let (fine, long) = ("a".repeat(NAME), "a".repeat(NAME + 1));
        let text = format!("fn {fine}() {{}}\n#[test]\nfn {long}() {{}}\n// fn {long}\n");
        let lines: Vec<_> = long_names(&source("a.rs", &text)).iter().map(|finding| finding.line).collect();
        assert_eq!(lines, [3]);
    }
}
