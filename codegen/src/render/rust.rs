//! The model as Rust.

mod alternatives;
mod contract;
mod enumerations;
mod errors;
mod examples;
mod faults;
mod methods;
mod objects;
mod probes;
mod scalars;
mod sequences;
mod types;

use proc_macro2::{Literal, TokenStream};
use quote::quote;
use syn::Item;

pub(crate) use self::{contract::contract, examples::tests, probes::probes};
use super::docs;
use crate::{
    Settings,
    error::{Error, Fault as Broken},
    model::{Group, Kind, Method, Model},
    names::ident,
};

/// Formatted Rust items.
pub(crate) fn render(model: &Model, settings: &Settings) -> Result<String, Error> {
    let file = syn::parse2::<syn::File>(items(model, settings))
        .map_err(|error| Error::from(Broken::new("", format!("the output is not valid Rust: {error}"))))?;
    Ok(model.methods.iter().fold(apart(file.items), whole_arrow))
}

fn items(model: &Model, settings: &Settings) -> TokenStream {
    let (types, lints) = (types::items(model, settings), document_lints());
    let head = [
        quote! {
            #[doc(no_inline)]
            #[allow(unused_imports, reason = "the caller of the interface may need none of it")]
            pub use ::circles_codegen_support as support;

            #[doc = " The schemas of the document as types."]
            #lints
            pub mod types {
                #types
            }
        },
        faults::codes(&model.errors),
    ];
    let faults = settings.error.is_some().then(|| faults::faults(&model.errors, &model.types));
    let groups = model.groups.iter().map(|group| self::group(model, group, settings));
    let tail = [methods::table(model), constant(settings)];
    head.into_iter().chain(faults).chain(groups).chain(tail).collect()
}

/// The methods of one tag in a module, or those of no tag at the top.
fn group(model: &Model, group: &Group, settings: &Settings) -> TokenStream {
    let up = group.tag.as_ref().map(|_| quote!(super::)).unwrap_or_default();
    let members = model.methods_of(group);
    let items = members.map(|method| {
        let params = methods::params(method, model, settings, &up);
        let error = settings.error.is_none().then(|| errors::error(method, model, settings, &up));
        quote!(#params #error)
    });
    let items = items.collect::<TokenStream>();
    let Some((tag, module)) = &group.tag else {
        let interface = interface(model, group, settings);
        return quote!(#items #interface);
    };
    let interface = methods::interface(model, group, settings, &up);
    let (doc, module, lints) =
        (docs(&format!("Methods with the tag `{tag}`.")), ident(module), document_lints());
    quote! {
        #doc
        #lints
        pub mod #module {
            #items
            #interface
        }
    }
}

/// The trait of methods without a tag. An attribute of the trait does not reach the items that jsonrpsee generates next
/// to it, so a module around both allows the lints that names and numbers of the document would raise.
fn interface(model: &Model, group: &Group, settings: &Settings) -> TokenStream {
    let interface = methods::interface(model, group, settings, &quote!(super::));
    let sides = [(settings.server, "Server"), (settings.client, "Client")];
    let sides = sides.into_iter().filter(|(wanted, _)| *wanted && !interface.is_empty());
    let names = sides.map(|(_, side)| ident(&format!("{}{side}", group.trait_name)));
    if interface.is_empty() {
        return interface;
    }
    let lints = document_lints();
    quote! {
        #lints
        mod interface {
            #[allow(unused_imports, reason = "few traits need all of it")]
            use super::*;

            #interface
        }

        #(
            #[allow(unused_imports, reason = "few need both sides")]
            pub use self::interface::#names;
        )*
    }
}

/// Allows lints about names, counts and prose, which come from the document.
fn document_lints() -> TokenStream {
    quote! {
        #[allow(
            clippy::doc_lazy_continuation, clippy::doc_overindented_list_items, clippy::enum_variant_names,
            clippy::module_inception, clippy::new_ret_no_self, clippy::should_implement_trait,
            clippy::too_many_arguments, clippy::type_complexity, clippy::upper_case_acronyms,
            clippy::wrong_self_convention, rustdoc::all,
            reason = "the document chose names, numbers and prose"
        )]
    }
}

/// Repairs the `=>` in a subscription's attribute, which prettyplease splits.
fn whole_arrow(text: String, method: &Method) -> String {
    let Kind::Subscription { notification, .. } = &method.kind else { return text };
    let [name, notification] = [&method.wire, notification].map(|name| Literal::string(name));
    text.replace(&format!("name = {name} = >{notification},"), &format!("name = {name} => {notification},"))
}

/// Items formatted with an empty line between them, in modules too.
fn apart(items: Vec<Item>) -> String {
    let items = items.into_iter().map(|item| match item {
        Item::Mod(mut module) => {
            let inside = module.content.take().map(|(_, items)| apart(items)).unwrap_or_default();
            let head = unparse(Item::Mod(module));
            let indented = inside
                .lines()
                .map(|line| if line.is_empty() { "\n".to_owned() } else { format!("    {line}\n") });
            format!("{} {{\n{}}}\n", head.trim_end().trim_end_matches(';'), indented.collect::<String>())
        }
        item => unparse(item),
    });
    items.collect::<Vec<_>>().join("\n")
}

fn unparse(item: Item) -> String {
    prettyplease::unparse(&syn::File { shebang: None, attrs: Vec::new(), items: vec![item] })
}

fn constant(settings: &Settings) -> TokenStream {
    let Some(path) = &settings.document_path else { return TokenStream::new() };
    let path = format!("/{path}");
    quote! {
        #[doc = " The document itself, byte for byte."]
        pub const DOCUMENT: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), #path));
    }
}
