//! Arrays whose first items are described one by one, and that may be shorter or longer: structs, read and written as
//! arrays.

use proc_macro2::{Ident, Literal, TokenStream};
use quote::{format_ident, quote};

use super::types::Renderer;
use crate::{
    names::ident,
    types::{Def, Sequence, Ty},
};

impl Renderer<'_> {
    pub(super) fn sequence(&self, def: &Def, body: &Sequence) -> TokenStream {
        let (doc, name) = (self.doc(def), ident(&def.name));
        let slots = (0..body.items.len()).map(|index| format_ident!("item_{index}")).collect::<Vec<_>>();
        let is_required = |index: usize| u64::try_from(index).is_ok_and(|index| index < body.least);
        let fields = body.items.iter().zip(&slots).enumerate().map(|(index, (ty, slot))| {
            let ty = self.written(ty);
            let line = format!(" Item {index}, counted from 0.");
            match is_required(index) {
                true => quote!(#[doc = #line] pub #slot: #ty),
                false => quote!(#[doc = #line] pub #slot: ::std::option::Option<#ty>),
            }
        });
        let rest = body.rest.as_ref().map(|rest| {
            let ty = self.written(&Ty::List(Box::new(rest.clone())));
            quote!(#[doc = " The items after those."] pub rest: #ty)
        });
        let default = (body.least == 0).then(|| quote!(Default,));
        let (read, write) = (self.read_items(&name, body, &slots), write_items(body, &slots));
        quote! {
            #doc
            #[derive(Clone, Debug, #default PartialEq)]
            pub struct #name { #(#fields,)* #rest }

            impl ::serde::Serialize for #name {
                fn serialize<__S: ::serde::Serializer>(
                    &self,
                    serializer: __S,
                ) -> ::std::result::Result<__S::Ok, __S::Error> {
                    #write
                }
            }

            impl<'de> ::serde::Deserialize<'de> for #name {
                fn deserialize<__D: ::serde::Deserializer<'de>>(
                    deserializer: __D,
                ) -> ::std::result::Result<Self, __D::Error> {
                    struct __Items;

                    impl<'de> ::serde::de::Visitor<'de> for __Items {
                        type Value = #name;

                        fn expecting(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                            f.write_str("an array")
                        }

                        fn visit_seq<__A: ::serde::de::SeqAccess<'de>>(
                            self,
                            mut items: __A,
                        ) -> ::std::result::Result<Self::Value, __A::Error> {
                            #read
                        }
                    }

                    ::serde::Deserializer::deserialize_seq(deserializer, __Items)
                }
            }
        }
    }

    fn read_items(&self, name: &Ident, body: &Sequence, slots: &[Ident]) -> TokenStream {
        let items = slots.iter().enumerate().map(|(index, slot)| {
            let required = u64::try_from(index).is_ok_and(|index| index < body.least);
            let count = Literal::usize_unsuffixed(index);
            let missing = required.then(|| {
                quote!(.ok_or_else(|| ::serde::de::Error::invalid_length(#count, &"an array with more items"))?)
            });
            quote!(let #slot = items.next_element()? #missing;)
        });
        let length = u64::try_from(body.items.len()).unwrap_or(u64::MAX);
        let too_many = quote!(return Err(::serde::de::Error::custom("the array has too many items")););
        let too_few = quote!(return Err(::serde::de::Error::custom("the array has too few items")););
        let rest = match &body.rest {
            None => quote! {
                if items.next_element::<::serde::de::IgnoredAny>()?.is_some() {
                    #too_many
                }
            },
            Some(rest) => {
                let list = self.written(&Ty::List(Box::new(rest.clone())));
                let count = |count: u64| usize::try_from(count).ok().map(Literal::usize_unsuffixed);
                let most = body.most.and_then(|most| count(most.saturating_sub(length)));
                let most = most.map(|most| quote!(if rest.len() >= #most { #too_many }));
                let least =
                    Some(body.least.saturating_sub(length)).filter(|least| *least > 0).and_then(count);
                let few = body.least.saturating_sub(length);
                let least = least.map(|least| match few {
                    1 => quote!(if rest.is_empty() { #too_few }),
                    _ => quote!(if rest.len() < #least { #too_few }),
                });
                quote! {
                    let mut rest: #list = ::std::vec::Vec::new();
                    while let Some(item) = items.next_element()? {
                        #most
                        rest.push(item);
                    }
                    #least
                }
            }
        };
        let field = body.rest.as_ref().map(|_| quote!(rest));
        quote! {
            #(#items)*
            #rest
            Ok(#name { #(#slots,)* #field })
        }
    }
}

fn write_items(body: &Sequence, slots: &[Ident]) -> TokenStream {
    let gap = quote! {
        return Err(::serde::ser::Error::custom("an item is absent before one that is there"));
    };
    let mut optional = false;
    let items = slots.iter().enumerate().map(|(index, slot)| {
        if u64::try_from(index).is_ok_and(|index| index < body.least) {
            return quote!(::serde::ser::SerializeSeq::serialize_element(&mut items, &self.#slot)?;);
        }
        let first = !std::mem::replace(&mut optional, true);
        let gap = (!first).then(|| quote!(if ended { #gap }));
        quote! {
            match &self.#slot {
                Some(item) => {
                    #gap
                    ::serde::ser::SerializeSeq::serialize_element(&mut items, item)?;
                }
                None => ended = true,
            }
        }
    });
    let items = items.collect::<TokenStream>();
    let rest = body.rest.as_ref().map(|_| {
        let gap = optional.then(|| quote!(if ended && !self.rest.is_empty() { #gap }));
        quote! {
            #gap
            for item in &self.rest {
                ::serde::ser::SerializeSeq::serialize_element(&mut items, item)?;
            }
        }
    });
    let ended = optional.then(|| quote!(let mut ended = false;));
    // Nothing reads `ended` after the last item, which rustc would report.
    let read = optional.then(|| quote!(let _ = ended;));
    let mutable = (!slots.is_empty() || body.rest.is_some()).then(|| quote!(mut));
    quote! {
        let #mutable items = serializer.serialize_seq(None)?;
        #ended
        #items
        #rest
        #read
        ::serde::ser::SerializeSeq::end(items)
    }
}
