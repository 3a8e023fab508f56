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

/// A text without its line ends.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A text as lines of Markdown in which rustdoc sees no code to run: what is indented or fenced is text.
fn doc_lines(text: &str) -> Vec<String> {
    let mut fenced = false;
    let lines = text.trim().lines().map(|line| {
        let line = line.replace(['\r', '\u{0}'], " ");
        let line: String = line.chars().filter(|sign| !turns_direction(*sign)).collect();
        let bare = line.trim();
        if let Some(language) = bare.strip_prefix("```") {
            fenced = !fenced;
            return if fenced && language.trim().is_empty() { "```text".to_owned() } else { bare.to_owned() };
        }
        let indented = line.starts_with("    ") || line.starts_with('\t');
        if fenced || !indented { line.trim_end().to_owned() } else { bare.to_owned() }
    });
    let mut lines = lines.collect::<Vec<_>>();
    if fenced {
        lines.push("```".to_owned());
    }
    lines
}

/// Signs that make a text read otherwise than it stands; rustc refuses them in comments.
fn turns_direction(sign: char) -> bool {
    matches!(sign, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
