//! A document as input of the crate `circles-differential`: each schema with its type, and the remarks of the report.

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

/// A module next to `types`, for a crate that depends on `circles-differential`.
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
        quote! {
            ::circles_differential::Probe {
                file: #file,
                pointer: #pointer,
                read: ::circles_differential::read::<#ty>,
            }
        }
    });
    if files.names().any(str::is_empty) {
        // The validator needs the files, and a text has none.
        return String::new();
    }
    let texts = files.names().map(|name| {
        let path = std::path::absolute(Path::new(name))
            .map_or_else(|_| name.to_owned(), |path| path.display().to_string());
        quote!((#name, include_str!(#path)))
    });
    let (unchecked, fallbacks) = (remarks(&report.unchecked), remarks(&report.fallbacks));
    let tokens = quote! {
        #[doc = " The document's schemas and their types, and the rules that no type checks."]
        pub static DOCUMENT: ::circles_differential::Document = ::circles_differential::Document {
            files: &[#(#texts),*],
            probes: &[#(#probes),*],
            unchecked: #unchecked,
            fallbacks: #fallbacks,
        };
    };
    syn::parse2::<syn::File>(tokens).map(|file| apart(file.items)).unwrap_or_default()
}

fn remarks(remarks: &[Remark]) -> TokenStream {
    let remarks = remarks.iter().map(|Remark { file, pointer, problem }| quote!((#file, #pointer, #problem)));
    quote!(&[#(#remarks),*])
}
