//! Strings and numbers with bounds: validating newtypes, whose impls are macros of the support.

use proc_macro2::{Ident, Literal, TokenStream};
use quote::{format_ident, quote};

use crate::{
    Settings,
    types::scalar::{Bound, IntegerRules, NumberRules, TextRules},
};

/// The rules of one keyword: for `schemars`, and as the macro takes them.
type Rules = Option<(TokenStream, TokenStream)>;

fn pattern_of(pattern: &Option<String>) -> Rules {
    pattern.as_ref().map(|pattern| (quote!(regex(pattern = #pattern)), quote!(pattern = #pattern)))
}

fn length_of(rules: &TextRules) -> Rules {
    let [least, most] = [rules.least, rules.most].map(|bound| bound.map(Literal::u64_unsuffixed));
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

/// How the text of the output reaches the macros of the support.
fn support(settings: &Settings) -> TokenStream {
    match &settings.support {
        Some(_) => settings.support_tokens(),
        None => quote!(super::support),
    }
}

pub(super) fn text(
    name: &Ident,
    doc: &TokenStream,
    inline: bool,
    rules: &TextRules,
    settings: &Settings,
) -> TokenStream {
    let support = support(settings);
    let rules = [pattern_of(&rules.pattern), length_of(rules)];
    let (schema, check): (Vec<_>, Vec<_>) = rules.into_iter().flatten().unzip();
    let (derive, schema) = match &settings.support {
        Some(_) => (Some(quote!(, ::schemars::JsonSchema)), Some(quote!(#[schemars(#(#schema),*)]))),
        None => (None, None),
    };
    let inline = (inline && derive.is_some()).then(|| quote!(#[schemars(inline)]));
    quote! {
        #doc
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash #derive)]
        #inline
        pub struct #name(#schema ::std::string::String);

        #support::text_newtype!(#name, #(#check),*);
    }
}

pub(super) fn integer(
    name: &Ident,
    doc: &TokenStream,
    inline: bool,
    rules: &IntegerRules,
    settings: &Settings,
) -> TokenStream {
    let support = support(settings);
    if rules.integer.is_open() {
        return open_integer(name, doc, rules);
    }
    let integer = format_ident!("{}", rules.integer.name());
    let [low, high] = [rules.least, rules.most].map(|bound| bound.map(Literal::i128_unsuffixed));
    let range = [(format_ident!("min"), low.clone()), (format_ident!("max"), high.clone())];
    let range = range.into_iter().filter_map(|(key, bound)| {
        // In an attribute nothing else says of what type the number is.
        let bound: TokenStream = format!("{}_{integer}", bound?).parse().ok()?;
        Some(quote!(#key = #bound))
    });
    let (derive, schema) = match &settings.support {
        Some(path) => {
            let any = format!("{path}::Integer");
            let schema = quote!(#[schemars(with = #any, range(#(#range),*))]);
            (Some(quote!(, ::schemars::JsonSchema)), Some(schema))
        }
        None => (None, None),
    };
    let inline = (inline && derive.is_some()).then(|| quote!(#[schemars(inline)]));
    // What no bound says, the type does.
    let low = low.map_or_else(|| quote!(#integer::MIN), |low| quote!(#low));
    let high = high.map_or_else(|| quote!(#integer::MAX), |high| quote!(#high));
    quote! {
        #doc
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash #derive)]
        #inline
        pub struct #name(#schema #integer);

        #support::integer_newtype!(#name, #integer, min = #low, max = #high);
    }
}

/// An integer of any size with a bound.
fn open_integer(name: &Ident, doc: &TokenStream, rules: &IntegerRules) -> TokenStream {
    let [least, most] = [rules.least, rules.most].map(|bound| bound.map(Literal::i128_unsuffixed));
    let (least, most) = (least.map(|least| quote!(min = #least)), most.map(|most| quote!(, max = #most)));
    quote! {
        #doc
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct #name(super::support::Integer);

        super::support::open_integer_newtype!(#name, #least #most);
    }
}

/// A number in a range; its impls stand here, since few documents have one.
pub(super) fn number(
    name: &Ident,
    doc: &TokenStream,
    schema: &TokenStream,
    rules: &NumberRules,
    native: bool,
) -> TokenStream {
    let (holder, get, derives) = match native {
        true => (quote!(f64), quote!(pub const fn), quote!(PartialEq, PartialOrd)),
        false => (
            quote!(super::support::Number),
            quote!(pub const fn),
            quote!(PartialEq, Eq, PartialOrd, Ord, Hash),
        ),
    };
    let of_float = (!native).then(|| {
        quote! {
            impl ::std::convert::TryFrom<f64> for #name {
                type Error = &'static str;

                fn try_from(number: f64) -> ::std::result::Result<Self, Self::Error> {
                    Self::try_from(#holder::from(number))
                }
            }
        }
    });
    let ends = [
        (rules.least, quote!(<), quote!(<=), "at least", "above"),
        (rules.most, quote!(>), quote!(>=), "at most", "below"),
    ];
    let checks = ends.into_iter().filter_map(|(bound, beyond, beyond_or_at, at, past)| {
        let bound = bound?;
        let value = literal(bound, native);
        let (operator, word) = if bound.exclusive { (beyond_or_at, past) } else { (beyond, at) };
        let expected = format!("must be {word} {}", bound.value);
        Some(quote! {
            if number #operator #value {
                return Err(#expected);
            }
        })
    });
    quote! {
        #doc
        #[derive(Clone, Copy, Debug, #derives)]
        #schema
        pub struct #name(#holder);

        impl #name {
            #[doc = " The number."]
            #get get(self) -> #holder {
                self.0
            }
        }

        #of_float

        impl ::std::convert::TryFrom<#holder> for #name {
            type Error = &'static str;

            fn try_from(number: #holder) -> ::std::result::Result<Self, Self::Error> {
                #(#checks)*
                Ok(Self(number))
            }
        }

        impl ::std::fmt::Display for #name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                ::std::fmt::Display::fmt(&self.0, f)
            }
        }

        impl ::serde::Serialize for #name {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> ::std::result::Result<S::Ok, S::Error> {
                ::serde::Serialize::serialize(&self.0, serializer)
            }
        }

        impl<'de> ::serde::Deserialize<'de> for #name {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> ::std::result::Result<Self, D::Error> {
                let number = <#holder as ::serde::Deserialize>::deserialize(deserializer)?;
                Self::try_from(number).map_err(::serde::de::Error::custom)
            }
        }
    }
}

/// One end of a range, as the type that holds the number is compared with it.
fn literal(bound: Bound, native: bool) -> TokenStream {
    let negative = bound.value < 0.0;
    let minus = negative.then(|| quote!(-));
    let exact = bound.exact.and_then(|exact| i64::try_from(exact).ok()).filter(|_| !native);
    match exact {
        Some(exact) => {
            let exact = Literal::i64_suffixed(exact);
            quote!(super::support::Number::from(#exact))
        }
        None => {
            let float = Literal::f64_suffixed(bound.value.abs());
            if native { quote!(#minus #float) } else { quote!(super::support::Number::from(#minus #float)) }
        }
    }
}
