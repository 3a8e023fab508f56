//! Readers of objects. They go member by member, so that arrays are no objects, null is not absence, and rules about
//! names hold; the readers that serde derives do none of this.

use proc_macro2::{Ident, Literal, TokenStream};
use quote::{format_ident, quote};

use super::types::Renderer;
use crate::{
    names::ident,
    types::{Field, Rest, Struct, Ty},
};

/// The code that reads the members of an object.
pub(super) struct ObjectReader<'r> {
    /// The type that is read.
    pub(super) name: &'r Ident,
    /// The struct, or the variant of the enum.
    pub(super) made: TokenStream,
}

/// One member that has a field.
pub(super) struct Member {
    pub(super) wire: String,
    pub(super) field: Ident,
    pub(super) presence: Presence,
}

/// The treatment of a member that is absent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    Required,
    /// It becomes `None`; null does not.
    Optional,
    /// It becomes `None`, and so does null.
    NullIsAbsence,
}

/// The treatment of members without a field.
pub(super) enum Others {
    Refused,
    Ignored,
    Kept,
    /// Kept if they are of the type for the pattern that their name matches. A pattern has no type here if all values
    /// are of the one type that the field holds.
    Patterned {
        patterns: Vec<(String, Option<TokenStream>)>,
        none: NoMatch,
    },
}

/// The treatment of members that match no pattern.
pub(super) enum NoMatch {
    Refused,
    Kept,
    /// Kept, if they are of this type.
    Checked(TokenStream),
}

impl Renderer<'_> {
    /// The members of a struct, as they are read.
    pub(super) fn members(&self, body: &Struct) -> (Vec<Member>, Others) {
        let members = body.fields.iter().map(member).collect();
        let others = match &body.rest {
            Rest::Refused => Others::Refused,
            Rest::Open if self.settings.keep_unknown => Others::Kept,
            Rest::Open => Others::Ignored,
            Rest::Typed(_) => Others::Kept,
            Rest::Patterned { patterns, other } => self.patterned(patterns, other, &body.rest),
        };
        (members, others)
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

fn member(field: &Field) -> Member {
    let presence = if field.required { Presence::Required } else { Presence::Optional };
    Member { wire: field.wire.clone(), field: ident(&field.name), presence }
}

impl ObjectReader<'_> {
    /// The body of a function that reads an object with `deserializer`.
    pub(super) fn read(&self, members: &[Member], others: &Others) -> TokenStream {
        let name = self.name;
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
        let OthersCode { before_loop, arm: other, field: extra } = others_code(others, &unknown);
        let made = &self.made;
        let next = quote!(map.next_key::<::circles_codegen_support::Name<'de>>()?);
        let loop_ = match (members.is_empty(), others) {
            // The first member ends it, so there is no loop.
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
                    #before_loop
                    #loop_
                    Ok(#made { #(#values,)* #extra })
                }
            }

            ::serde::Deserializer::deserialize_map(deserializer, __Members)
        }
    }
}

/// The code for members without a field.
struct OthersCode {
    before_loop: TokenStream,
    arm: TokenStream,
    /// The field that keeps them, if there is one.
    field: Option<TokenStream>,
}

impl OthersCode {
    /// The code that keeps members in `extra`: a map of serde_json or one of the standard library.
    fn keeping(before_loop: TokenStream, arm: TokenStream) -> Self {
        let maps = quote!(#before_loop let mut extra = ::std::default::Default::default(););
        Self { before_loop: maps, arm, field: Some(quote!(extra)) }
    }
}

fn others_code(others: &Others, unknown: &TokenStream) -> OthersCode {
    match others {
        Others::Refused => OthersCode { before_loop: quote!(), arm: unknown.clone(), field: None },
        Others::Ignored => OthersCode {
            before_loop: quote!(),
            arm: quote!({
                map.next_value::<::serde::de::IgnoredAny>()?;
            }),
            field: None,
        },
        Others::Kept => {
            let keep = keep(&quote!(map.next_value()?));
            OthersCode::keeping(quote!(), quote!({ #keep }))
        }
        Others::Patterned { patterns, none } => patterned_code(patterns, none, unknown),
    }
}

fn keep(value: &TokenStream) -> TokenStream {
    quote!(::std::iter::Extend::extend(&mut extra, [(name.into_owned(), #value)]);)
}

fn patterned_code(
    patterns: &[(String, Option<TokenStream>)],
    none: &NoMatch,
    unknown: &TokenStream,
) -> OthersCode {
    let names = (0..patterns.len()).map(|index| format_ident!("PATTERN_{index}")).collect::<Vec<_>>();
    let statics = patterns.iter().zip(&names).map(|((text, _), name)| {
        quote! {
            static #name: ::std::sync::LazyLock<::std::option::Option<::circles_codegen_support::Pattern>> =
                ::std::sync::LazyLock::new(|| ::circles_codegen_support::regex(#text));
        }
    });
    let statics = quote!(#(#statics)*);
    let count = Literal::usize_unsuffixed(patterns.len());
    let matched = quote! {
        let matched: [bool; #count] = [
            #(#names.as_ref().is_some_and(|pattern| pattern.find(name.as_str()).is_some())),*
        ];
    };
    let is_a = |ty: &TokenStream| quote!(::circles_codegen_support::is_a::<#ty, __A::Error>(&value)?;);
    let checks = patterns.iter().enumerate().filter_map(|(index, (_, ty))| {
        let (check, index) = (is_a(ty.as_ref()?), Literal::usize_unsuffixed(index));
        Some(quote!(if matched[#index] { #check }))
    });
    let checks = checks.collect::<Vec<_>>();
    let (refuse, unmatched) = match none {
        NoMatch::Refused => (quote!(if !matched.contains(&true) { #unknown; }), None),
        NoMatch::Checked(ty) => {
            let check = is_a(ty);
            (quote!(), Some(quote!(if !matched.contains(&true) { #check })))
        }
        NoMatch::Kept => (quote!(), None),
    };
    if !checks.is_empty() || unmatched.is_some() {
        let keep = keep(&quote!(value));
        let value = quote!(let value = map.next_value::<::serde_json::Value>()?;);
        return OthersCode::keeping(
            statics,
            quote!({ #matched #refuse #value #(#checks)* #unmatched #keep }),
        );
    }
    // The field's type checks every value, so the patterns only matter where they refuse a name.
    let keep = keep(&quote!(map.next_value()?));
    match none {
        NoMatch::Refused => OthersCode::keeping(statics, quote!({ #matched #refuse #keep })),
        NoMatch::Kept | NoMatch::Checked(_) => OthersCode::keeping(quote!(), quote!({ #keep })),
    }
}
