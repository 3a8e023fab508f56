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
pub(crate) fn render(model: &Model, document: &str, settings: &Settings) -> Result<String, Error> {
    let parts = match &settings.support {
        Some(_) => supported(model, document, settings),
        None => alone(model, document, settings),
    };
    let file = syn::parse2::<syn::File>(parts)
        .map_err(|error| Error::from(Broken::new("", format!("this document became no Rust: {error}"))))?;
    Ok(model.methods.iter().fold(apart(file.items), whole_arrow))
}

/// For a crate that provides the hand-written part.
fn supported(model: &Model, document: &str, settings: &Settings) -> TokenStream {
    let items = types::items(model, settings);
    let whole = Group { tag: None, trait_name: model.trait_name.clone(), methods: all(model) };
    let entries = types::table(model, settings);
    [
        quote! {
            #[doc = " The schemas of the document as types."]
            pub mod types {
                #items
            }

            #entries
        },
        faults::codes(&model.errors),
        faults::faults(&model.errors, &model.types),
        model.methods.iter().map(|method| methods::params(method, model, settings, &quote!())).collect(),
        methods::interface(model, &whole, settings, &quote!()),
        methods::table(model, settings),
        constant(document, settings),
    ]
    .into_iter()
    .collect()
}

/// With everything that it needs.
fn alone(model: &Model, document: &str, settings: &Settings) -> TokenStream {
    let items = types::items(model, settings);
    let support = support(model);
    let groups = model.groups.iter().map(|group| self::group(model, group, settings));
    let chosen = chosen();
    let head = [
        quote! {
            #[doc = " What the types share."]
            #[allow(dead_code, unused_macros, unused_imports, reason = "few documents need all of it")]
            pub mod support {
                #support
            }

            #[doc = " The schemas of the document as types."]
            #chosen
            pub mod types {
                #items
            }
        },
        faults::codes(&model.errors),
    ];
    let text = settings.document_path.as_ref().map(|_| constant(document, settings)).unwrap_or_default();
    let tail = [methods::descriptions(model), text];
    head.into_iter().chain(groups).chain(tail).collect()
}

fn support(model: &Model) -> TokenStream {
    let uses = types::Uses::of(model);
    let mut text = include_str!("rust/support/always.rs").to_owned();
    text.push_str(include_str!("rust/support/numbers.rs"));
    text.push_str(&include_str!("rust/support/same.rs").replace("fn same", "pub(crate) fn same"));
    if uses.texts {
        text.push_str(&texts(uses.patterns));
    }
    // The files are part of this crate and are compiled by its tests.
    text.parse().unwrap_or_default()
}

/// What strings with rules share; without patterns, nothing asks for regress.
fn texts(patterns: bool) -> String {
    let text = include_str!("rust/support/texts.rs");
    if patterns {
        return text.to_owned();
    }
    let mut left_out = false;
    let lines = text.lines().filter(|line| {
        left_out |= line.trim() == "// with patterns";
        let kept = !left_out;
        left_out &= line.trim() != "// end";
        kept
    });
    lines.map(|line| line.replace("// without: ", "") + "\n").collect()
}

/// The methods of one tag in a module, or those of no tag at the top.
fn group(model: &Model, group: &Group, settings: &Settings) -> TokenStream {
    let up = group.tag.as_ref().map(|_| quote!(super::)).unwrap_or_default();
    let members = model.methods_of(group);
    let items = members.map(|method| {
        let params = methods::params(method, model, settings, &up);
        let error = errors::error(method, model, settings, &up);
        quote!(#params #error)
    });
    let items = items.collect::<TokenStream>();
    let Some((tag, module)) = &group.tag else {
        let interface = interface(model, group, settings);
        return quote!(#items #interface);
    };
    let interface = methods::interface(model, group, settings, &up);
    let (doc, module, chosen) = (docs(&format!("Methods with the tag `{tag}`.")), ident(module), chosen());
    quote! {
        #doc
        #chosen
        pub mod #module {
            #items
            #interface
        }
    }
}

/// The trait of methods without a tag. What jsonrpsee makes beside it is reached by no attribute of the trait: what
/// clippy would say there of names and numbers that the document chose, a module around both allows.
fn interface(model: &Model, group: &Group, settings: &Settings) -> TokenStream {
    let interface = methods::interface(model, group, settings, &quote!(super::));
    let sides = [(settings.server, "Server"), (settings.client, "Client")];
    let sides = sides.into_iter().filter(|(wanted, _)| *wanted && !interface.is_empty());
    let names = sides.map(|(_, side)| ident(&format!("{}{side}", group.trait_name)));
    if interface.is_empty() {
        return interface;
    }
    let chosen = chosen();
    quote! {
        #chosen
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

/// Allows what the document chose: names, how many of anything there are, and prose.
fn chosen() -> TokenStream {
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

fn all(model: &Model) -> Vec<usize> {
    (0..model.methods.len()).collect()
}

/// prettyplease takes the `=>` in a subscription's attribute apart.
fn whole_arrow(text: String, method: &Method) -> String {
    let Kind::Subscription { notification, .. } = &method.kind else { return text };
    let [name, notification] = [&method.wire, notification].map(|name| Literal::string(name));
    text.replace(&format!("name = {name} = >{notification},"), &format!("name = {name} => {notification},"))
}

/// Items formatted with a line between them, in modules too.
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

fn constant(document: &str, settings: &Settings) -> TokenStream {
    let text = match &settings.document_path {
        None => quote!(#document),
        Some(path) => {
            let path = format!("/{path}");
            quote!(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), #path)))
        }
    };
    quote! {
        #[doc = " The document itself, byte for byte."]
        pub const DOCUMENT: &str = #text;
    }
}
