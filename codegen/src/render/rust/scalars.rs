//! Strings and numbers with bounds: newtypes that check, most of them by a macro of the support crate.

use proc_macro2::{Ident, Literal, TokenStream};
use quote::{ToTokens, format_ident, quote};

use crate::types::scalar::{Bound, IntegerRules, NumberRules, TextRules};

pub(super) fn text(name: &Ident, doc: &TokenStream, rules: &TextRules) -> TokenStream {
    let [min, max] = [rules.least, rules.most].map(|bound| bound.map(Literal::u64_unsuffixed));
    let checks = [
        rules.pattern.as_ref().map(|pattern| quote!(pattern = #pattern)),
        min.map(|min| quote!(min_length = #min)),
        max.map(|max| quote!(max_length = #max)),
    ];
    let checks = checks.into_iter().flatten();
    quote! {
        #doc
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct #name(::std::string::String);

        ::circles_codegen_support::text_newtype!(#name, #(#checks),*);
    }
}

pub(super) fn integer(name: &Ident, doc: &TokenStream, rules: &IntegerRules) -> TokenStream {
    let [min, max] = [rules.least, rules.most].map(|bound| bound.map(Literal::i128_unsuffixed));
    let (inner, bounds) = match rules.integer.is_open() {
        true => {
            let (min, max) = (min.map(|min| quote!(min = #min)), max.map(|max| quote!(, max = #max)));
            (quote!(::circles_codegen_support::Integer), quote!(open_integer_newtype!(#name, #min #max)))
        }
        false => {
            let integer = format_ident!("{}", rules.integer.name());
            // A bound that the document leaves out is that of the type.
            let min = min.map_or_else(|| quote!(#integer::MIN), |min| quote!(#min));
            let max = max.map_or_else(|| quote!(#integer::MAX), |max| quote!(#max));
            (quote!(#integer), quote!(integer_newtype!(#name, #integer, min = #min, max = #max)))
        }
    };
    quote! {
        #doc
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct #name(#inner);

        ::circles_codegen_support::#bounds;
    }
}

/// A number in a range. Its impls are written out: few documents have one.
pub(super) fn number(name: &Ident, doc: &TokenStream, rules: &NumberRules) -> TokenStream {
    let ends = [
        (rules.least, quote!(<), quote!(<=), "at least", "above"),
        (rules.most, quote!(>), quote!(>=), "at most", "below"),
    ];
    let checks = ends.into_iter().filter_map(|(bound, beyond, beyond_or_at, at, past)| {
        let bound = bound?;
        let value = literal(bound);
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
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct #name(::circles_codegen_support::Number);

        impl #name {
            #[doc = " The number."]
            pub const fn get(self) -> ::circles_codegen_support::Number {
                self.0
            }
        }

        impl ::std::convert::TryFrom<f64> for #name {
            type Error = &'static str;

            fn try_from(number: f64) -> ::std::result::Result<Self, Self::Error> {
                Self::try_from(::circles_codegen_support::Number::from(number))
            }
        }

        impl ::std::convert::TryFrom<::circles_codegen_support::Number> for #name {
            type Error = &'static str;

            fn try_from(number: ::circles_codegen_support::Number) -> ::std::result::Result<Self, Self::Error> {
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
                let number = <::circles_codegen_support::Number as ::serde::Deserialize>::deserialize(deserializer)?;
                Self::try_from(number).map_err(::serde::de::Error::custom)
            }
        }
    }
}

/// One end of a range as a number.
fn literal(bound: Bound) -> TokenStream {
    let number = match bound.exact.and_then(|exact| i64::try_from(exact).ok()) {
        Some(exact) => Literal::i64_suffixed(exact).into_token_stream(),
        None => {
            let minus = (bound.value < 0.0).then(|| quote!(-));
            let float = Literal::f64_suffixed(bound.value.abs());
            quote!(#minus #float)
        }
    };
    quote!(::circles_codegen_support::Number::from(#number))
}
