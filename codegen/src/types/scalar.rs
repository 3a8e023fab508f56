//! Strings and integers with bounds: validating newtypes, whose impls are macros of the crate that holds them.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};
use serde_json::{Value, json};

use crate::Settings;

/// A bounded string or integer.
#[derive(Debug)]
pub(super) struct Scalar {
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Text { pattern: Option<String>, least: Option<u64>, most: Option<u64> },
    Integer { least: Option<i128>, most: Option<i128> },
}

impl Scalar {
    /// The scalar that a schema describes, if it is one and has bounds.
    pub(super) fn of(schema: &Value) -> Option<Self> {
        if schema.get("enum").is_some() || schema.get("const").is_some() {
            return None;
        }
        let length = |key| schema.get(key).and_then(Value::as_u64);
        let bound = |key| {
            schema.get(key).and_then(|bound: &Value| {
                bound.as_i64().map(i128::from).or_else(|| bound.as_u64().map(i128::from))
            })
        };
        let kind = match schema.get("type")?.as_str()? {
            "string" => Kind::Text {
                pattern: super::text(schema, "pattern"),
                least: length("minLength"),
                most: length("maxLength"),
            },
            "integer" => Kind::Integer { least: bound("minimum"), most: bound("maximum") },
            _ => return None,
        };
        let free = matches!(
            kind,
            Kind::Text { pattern: None, least: None, most: None } | Kind::Integer { least: None, most: None }
        );
        (!free).then_some(Self { kind })
    }

    /// What typify may know of it.
    pub(super) fn outline(&self) -> Value {
        match self.kind {
            Kind::Text { .. } => json!({ "type": "string" }),
            Kind::Integer { .. } => json!({ "type": "integer" }),
        }
    }

    /// The type and its impls. `inline`: `schemars` writes it where it stands, as the document does.
    pub(super) fn render(
        &self,
        name: &Ident,
        doc: &TokenStream,
        inline: bool,
        settings: &Settings,
    ) -> TokenStream {
        let inline = inline.then(|| quote!(#[schemars(inline)]));
        match &self.kind {
            Kind::Text { pattern, least, most } => {
                render_text(name, doc, &inline, [pattern_of(pattern), length_of(least, most)], settings)
            }
            Kind::Integer { least, most } => render_integer(name, doc, &inline, (*least, *most), settings),
        }
    }
}

/// The rules of one keyword: for `schemars`, and as the macro takes them.
type Rules = Option<(TokenStream, TokenStream)>;

fn pattern_of(pattern: &Option<String>) -> Rules {
    pattern.as_ref().map(|pattern| (quote!(regex(pattern = #pattern)), quote!(pattern = #pattern)))
}

fn length_of(least: &Option<u64>, most: &Option<u64>) -> Rules {
    let [least, most] = [least, most].map(|bound| bound.map(proc_macro2::Literal::u64_unsuffixed));
    let bounds = match (&least, &most) {
        (Some(least), Some(most)) => {
            (quote!(length(min = #least, max = #most)), quote!(min_length = #least, max_length = #most))
        }
        (Some(least), None) => (quote!(length(min = #least)), quote!(min_length = #least)),
        (None, Some(most)) => (quote!(length(max = #most)), quote!(max_length = #most)),
        (None, None) => return None,
    };
    Some(bounds)
}

fn render_text(
    name: &Ident,
    doc: &TokenStream,
    inline: &Option<TokenStream>,
    rules: [Rules; 2],
    settings: &Settings,
) -> TokenStream {
    let support = settings.support();
    let (schema, check): (Vec<_>, Vec<_>) = rules.into_iter().flatten().unzip();
    quote! {
        #doc
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ::schemars::JsonSchema)]
        #inline
        pub struct #name(#[schemars(#(#schema),*)] ::std::string::String);

        #support::text_newtype!(#name, #(#check),*);
    }
}

fn render_integer(
    name: &Ident,
    doc: &TokenStream,
    inline: &Option<TokenStream>,
    (least, most): (Option<i128>, Option<i128>),
    settings: &Settings,
) -> TokenStream {
    let support = settings.support();
    let integer = smallest(least, most);
    let any = settings.support_path("Integer");
    let [low, high] = [least, most].map(|bound| bound.map(proc_macro2::Literal::i128_unsuffixed));
    let range = [(format_ident!("min"), low.clone()), (format_ident!("max"), high.clone())];
    let range = range.into_iter().filter_map(|(key, bound)| {
        // In an attribute nothing else says of what type the number is.
        let bound: TokenStream = format!("{}_{integer}", bound?).parse().ok()?;
        Some(quote!(#key = #bound))
    });
    // What no bound says, the type does.
    let low = low.map_or_else(|| quote!(#integer::MIN), |low| quote!(#low));
    let high = high.map_or_else(|| quote!(#integer::MAX), |high| quote!(#high));
    quote! {
        #doc
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ::schemars::JsonSchema)]
        #inline
        pub struct #name(#[schemars(with = #any, range(#(#range),*))] #integer);

        #support::integer_newtype!(#name, #integer, min = #low, max = #high);
    }
}

/// The smallest integer type that holds the range.
fn smallest(least: Option<i128>, most: Option<i128>) -> Ident {
    let signed = least.is_none_or(|least| least < 0);
    let fits = |bits: u32| {
        let (low, high) = if signed {
            (-(1i128 << (bits - 1)), (1i128 << (bits - 1)) - 1)
        } else {
            (0, (1i128 << bits) - 1)
        };
        least.is_some_and(|least| low <= least) && most.is_some_and(|most| most <= high)
    };
    let bits = [8, 16, 32].into_iter().find(|bits| fits(*bits)).unwrap_or(64);
    format_ident!("{}{bits}", if signed { 'i' } else { 'u' })
}
