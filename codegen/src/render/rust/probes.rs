//! A document as the crate `circles-differential` tries it: each schema with its type, and what the report says.

use std::{collections::BTreeSet, path::Path};

use proc_macro2::TokenStream;
use quote::quote;

use super::{
    apart,
    types::{answered, written},
};
use crate::{
    document::Document,
    load::Files,
    report::{Remark, Report},
    types::{Ty, Types},
};

/// A module beside `types`, for a crate that depends on `circles-differential`.
pub(crate) fn probes(document: &Document<'_>, types: &Types, report: &Report, files: &Files) -> String {
    let path = quote!(super::types::);
    let results = document.methods.iter().filter_map(|method| Some(method.result.as_ref()?.place()));
    let results = results.collect::<BTreeSet<_>>();
    let named = types.named.iter().filter_map(|(_, id)| Some((&types.def(*id)?.place, Ty::Def(*id))));
    let places = types.places.iter().map(|(place, ty)| (place, ty.clone()));
    let probes = named.chain(places).map(|(place, ty)| {
        let ty = match results.contains(place) {
            true => answered(&ty, types, &path),
            false => written(&ty, types, &path),
        };
        let (file, pointer) = (document.files_name(place.file), &place.pointer);
        quote!(::circles_differential::Probe { file: #file, pointer: #pointer, read: read::<#ty> })
    });
    if files.names().any(str::is_empty) {
        // A text without a file has nothing that could be looked at again.
        return String::new();
    }
    let texts = files.names().map(|name| {
        let path = std::path::absolute(Path::new(name))
            .map_or_else(|_| name.to_owned(), |path| path.display().to_string());
        quote!((#name, include_str!(#path)))
    });
    let (unchecked, fallbacks) = (remarks(&report.unchecked), remarks(&report.fallbacks));
    let tokens = quote! {
        #[doc = " The document's schemas and their types, and what no type checks."]
        pub static DOCUMENT: ::circles_differential::Document = ::circles_differential::Document {
            files: &[#(#texts),*],
            probes: &[#(#probes),*],
            unchecked: #unchecked,
            fallbacks: #fallbacks,
        };

        #[doc = " Reads a text as a type and writes it again, on both ways that serde_json has."]
        #[allow(dead_code, reason = "few documents have no schema")]
        fn read<T: ::serde::Serialize + ::serde::de::DeserializeOwned>(
            text: &str,
        ) -> Result<::std::string::String, ::std::string::String> {
            let problem = |error: ::serde_json::Error| error.to_string();
            let of_text = ::serde_json::from_str::<T>(text);
            let value = ::serde_json::from_str::<::serde_json::Value>(text).map_err(problem)?;
            match (of_text, ::serde_json::from_value::<T>(value)) {
                (Ok(one), Ok(other)) => {
                    let written = ::serde_json::to_string(&one).map_err(problem)?;
                    let one = ::serde_json::from_str::<::serde_json::Value>(&written).map_err(problem)?;
                    let other = ::serde_json::to_value(&other).map_err(problem)?;
                    if one == other { Ok(written) } else { Ok(format!("{one} as a text and {other} as a value")) }
                }
                (Err(error), Err(_)) => Err(problem(error)),
                (Ok(_), Err(error)) => Ok(format!("something as a text, but not as a value: {error}")),
                (Err(error), Ok(_)) => Ok(format!("something as a value, but not as a text: {error}")),
            }
        }
    };
    syn::parse2::<syn::File>(tokens).map(|file| apart(file.items)).unwrap_or_default()
}

fn remarks(remarks: &[Remark]) -> TokenStream {
    let remarks = remarks.iter().map(|Remark { file, pointer, problem }| quote!((#file, #pointer, #problem)));
    quote!(&[#(#remarks),*])
}
