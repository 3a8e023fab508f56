//! The model as text.

pub(crate) mod markdown;
pub(crate) mod rust;
pub(crate) mod typescript;

use proc_macro2::TokenStream;
use quote::quote;

/// Doc comments, a line for each line of a text.
pub(crate) fn docs(text: &str) -> TokenStream {
    let lines =
        doc_lines(text).into_iter().map(|line| if line.is_empty() { line } else { format!(" {line}") });
    quote!(#(#[doc = #lines])*)
}

/// A text on one line.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A text as lines of Markdown in which rustdoc finds no code to run: indented and fenced blocks become plain text.
fn doc_lines(text: &str) -> Vec<String> {
    let mut fence = Fence::default();
    let lines = text.trim().lines().map(|line| {
        let line = line.replace(['\r', '\u{0}'], " ");
        let line: String = line.chars().filter(|sign| !turns_direction(*sign)).collect();
        let bare = line.trim();
        match fence.see(&line) {
            Line::Opens if bare.trim_start_matches(['`', '~']).is_empty() => format!("{bare}text"),
            Line::Opens | Line::Closes => bare.to_owned(),
            Line::Inside => line.trim_end().to_owned(),
            Line::Outside if line.starts_with("    ") || line.starts_with('\t') => bare.to_owned(),
            Line::Outside => line.trim_end().to_owned(),
        }
    });
    let mut lines = lines.collect::<Vec<_>>();
    lines.extend(fence.end());
    lines
}

/// The role of a line for the code blocks of a Markdown text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    Opens,
    Inside,
    Closes,
    Outside,
}

/// The open code block: the character of its fence, and how often it is repeated.
#[derive(Debug, Default)]
struct Fence(Option<(char, usize)>);

impl Fence {
    fn see(&mut self, line: &str) -> Line {
        let bare = line.trim();
        let sign = bare.chars().next().filter(|sign| ['`', '~'].contains(sign));
        let count = sign.map_or(0, |sign| bare.chars().take_while(|next| *next == sign).count());
        let rest = bare.get(count..).unwrap_or_default();
        match (self.0, sign) {
            (None, Some(sign)) if count >= 3 && !(sign == '`' && rest.contains('`')) => {
                self.0 = Some((sign, count));
                Line::Opens
            }
            (None, _) => Line::Outside,
            (Some((open, least)), Some(sign)) if sign == open && count >= least && rest.trim().is_empty() => {
                self.0 = None;
                Line::Closes
            }
            (Some(_), _) => Line::Inside,
        }
    }

    /// The line that closes a block that is open at the end of a text.
    fn end(&self) -> Option<String> {
        self.0.map(|(sign, count)| sign.to_string().repeat(count))
    }
}

/// Characters that change the direction of a text; rustc refuses them in comments.
fn turns_direction(sign: char) -> bool {
    matches!(sign, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
