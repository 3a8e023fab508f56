//! How objects are read: member by member, so that arrays are no objects, null is not absence, and what a schema says
//! of names holds. What serde derives for structs does none of this.

use proc_macro2::{Ident, Literal, TokenStream};
use quote::{format_ident, quote};

use super::types::Renderer;
use crate::{
    names::ident,
    types::{Field, Rest, Struct, Ty},
};

/// What reads the members of an object.
pub(super) struct Reader<'r> {
    /// The type that is read.
    pub(super) name: &'r Ident,
    /// The struct, or the variant of the enum.
    pub(super) made: TokenStream,
    /// The path of the hand-written part.
    pub(super) support: TokenStream,
}

/// One member that has a field.
pub(super) struct Member {
    pub(super) wire: String,
    pub(super) field: Ident,
    pub(super) presence: Presence,
}

/// What becomes of a member that is absent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    Required,
    /// None, and only then.
    Optional,
    /// None, as null is.
    NullIsAbsence,
}

/// What becomes of members without a field.
pub(super) enum Others {
    Refused,
    Ignored,
    Kept,
    /// Kept, if they are what the patterns of their names say. Each pattern stands with what a match must be, or with
    /// nothing if all are of the one type that is kept.
    Patterned {
        patterns: Vec<(String, Option<TokenStream>)>,
        none: NoMatch,
    },
}

/// What becomes of members that match no pattern.
pub(super) enum NoMatch {
    Refused,
    Kept,
    /// Kept, if they are of this type.
    Checked(TokenStream),
}

impl Renderer<'_> {
    /// The members of a struct, as they are read.
    pub(super) fn members(&self, body: &Struct) -> (Vec<Member>, Others) {
        let members = body.fields.iter().map(|field| self.member(field)).collect();
        let others = match &body.rest {
            Rest::Refused => Others::Refused,
            Rest::Open if self.keeps_unknown() => Others::Kept,
            Rest::Open => Others::Ignored,
            Rest::Typed(_) => Others::Kept,
            Rest::Patterned { patterns, other } => self.patterned(patterns, other, &body.rest),
        };
        (members, others)
    }

    fn member(&self, field: &Field) -> Member {
        let nullable = matches!(field.ty, Ty::Option(_));
        let presence = match field.required {
            true => Presence::Required,
            false if nullable && self.schemas() => Presence::NullIsAbsence,
            false => Presence::Optional,
        };
        Member { wire: field.wire.clone(), field: ident(&field.name), presence }
    }

    fn patterned(&self, patterns: &[(String, Ty)], other: &Rest, rest: &Rest) -> Others {
        let one_type = rest.value() != Some(Ty::Any);
        let patterns = patterns.iter().map(|(pattern, ty)| {
            let checked = !one_type && *ty != Ty::Any;
            (pattern.clone(), checked.then(|| self.written(ty)))
        });
        let none = match other {
            Rest::Refused => NoMatch::Refused,
            Rest::Typed(ty) if *ty != Ty::Any => NoMatch::Checked(self.written(ty)),
            _ => NoMatch::Kept,
        };
        Others::Patterned { patterns: patterns.collect(), none }
    }
}

impl Reader<'_> {
    /// The body of a function that reads an object with `deserializer`.
    pub(super) fn read(&self, members: &[Member], others: &Others) -> TokenStream {
        let (name, support) = (self.name, &self.support);
        let slots = (0..members.len()).map(|index| format_ident!("member_{index}")).collect::<Vec<_>>();
        let arms = members.iter().zip(&slots).map(|(member, slot)| {
            let wire = &member.wire;
            quote! {
                #wire if #slot.is_none() => #slot = Some(map.next_value()?),
                #wire => return Err(::serde::de::Error::duplicate_field(#wire))
            }
        });
        let values =
            members.iter().zip(&slots).map(|(Member { wire, field, presence }, slot)| match presence {
                Presence::Required => {
                    quote!(#field: #slot.ok_or_else(|| ::serde::de::Error::missing_field(#wire))?)
                }
                Presence::Optional => quote!(#field: #slot),
                Presence::NullIsAbsence => quote!(#field: ::std::option::Option::flatten(#slot)),
            });
        let wires = members.iter().map(|member| &member.wire);
        let unknown = quote! {
            return Err(::serde::de::Error::unknown_field(name.as_str(), &[#(#wires),*]))
        };
        let (before, other, extra) = others_code(others, &unknown, support);
        let made = &self.made;
        let next = quote!(map.next_key::<#support::Name<'de>>()?);
        let loop_ = match (members.is_empty(), others) {
            // Nothing is left to loop for.
            (true, Others::Refused) => quote!(if let Some(name) = #next { #unknown; }),
            (true, Others::Ignored) => quote!(while #next.is_some() #other),
            (true, _) => quote!(while let Some(name) = #next #other),
            (false, _) => quote! {
                while let Some(name) = #next {
                    match name.as_str() {
                        #(#arms,)*
                        _ => #other,
                    }
                }
            },
        };
        quote! {
            struct __Members;

            impl<'de> ::serde::de::Visitor<'de> for __Members {
                type Value = #name;

                fn expecting(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                    f.write_str("an object")
                }

                fn visit_map<__A: ::serde::de::MapAccess<'de>>(
                    self,
                    mut map: __A,
                ) -> ::std::result::Result<Self::Value, __A::Error> {
                    #(let mut #slots = None;)*
                    #before
                    #loop_
                    Ok(#made { #(#values,)* #extra })
                }
            }

            ::serde::Deserializer::deserialize_map(deserializer, __Members)
        }
    }
}

/// What goes before the loop, what becomes of a member without a field, and the field that keeps such members.
fn others_code(
    others: &Others,
    unknown: &TokenStream,
    support: &TokenStream,
) -> (TokenStream, TokenStream, TokenStream) {
    let maps = quote!(let mut extra = ::std::default::Default::default(););
    // A map of serde_json's and one of the standard library have the same form here.
    let keep = quote! {{
        ::std::iter::Extend::extend(&mut extra, [(name.into_owned(), map.next_value()?)]);
    }};
    match others {
        Others::Refused => (quote!(), quote!(#unknown), quote!()),
        Others::Ignored => (
            quote!(),
            quote!({
                map.next_value::<::serde::de::IgnoredAny>()?;
            }),
            quote!(),
        ),
        Others::Kept => (maps, keep, quote!(extra)),
        Others::Patterned { patterns, none } => {
            let (texts, checks): (Vec<_>, Vec<_>) = patterns.iter().cloned().unzip();
            let statics = texts.iter().enumerate().map(|(index, text)| {
                let pattern = format_ident!("PATTERN_{index}");
                let regex = quote!(::std::option::Option<#support::Pattern>);
                quote! {
                    static #pattern: ::std::sync::LazyLock<#regex> =
                        ::std::sync::LazyLock::new(|| #support::regex(#text));
                }
            });
            let matches = (0..texts.len()).map(|index| {
                let pattern = format_ident!("PATTERN_{index}");
                quote!(#pattern.as_ref().is_some_and(|pattern| pattern.find(name.as_str()).is_some()))
            });
            let matches = matches.collect::<Vec<_>>();
            let count = Literal::usize_unsuffixed(texts.len());
            let before = quote!(#(#statics)* #maps);
            let first = quote!(let matched: [bool; #count] = [#(#matches),*];);
            let refused = matches!(none, NoMatch::Refused);
            let refuse = refused.then(|| quote!(if !matched.contains(&true) { #unknown; }));
            if checks.iter().all(::std::option::Option::is_none) && !matches!(none, NoMatch::Checked(_)) {
                let first = refused.then_some(first);
                return (
                    if refused { before } else { maps },
                    quote!({ #first #refuse #keep }),
                    quote!(extra),
                );
            }
            let checks = checks.iter().enumerate().filter_map(|(index, ty)| {
                let (ty, index) = (ty.as_ref()?, Literal::usize_unsuffixed(index));
                Some(quote!(if matched[#index] { #support::is_a::<#ty, __A::Error>(&value)?; }))
            });
            let unmatched = match none {
                NoMatch::Checked(ty) => {
                    Some(quote!(if !matched.contains(&true) { #support::is_a::<#ty, __A::Error>(&value)?; }))
                }
                NoMatch::Refused | NoMatch::Kept => None,
            };
            let arm = quote! {{
                #first
                #refuse
                let value = map.next_value::<::serde_json::Value>()?;
                #(#checks)*
                #unmatched
                ::std::iter::Extend::extend(&mut extra, [(name.into_owned(), value)]);
            }};
            (before, arm, quote!(extra))
        }
    }
}
