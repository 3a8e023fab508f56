//! The model as Rust.

use proc_macro2::{Literal, TokenStream};
use quote::{ToTokens, quote};
use syn::Item;

use super::docs;
use crate::{
    Settings,
    document::Auth,
    error::{Error, Fault as Broken},
    model::{Fault, Kind, Method, Model, Param},
};

/// Formatted Rust items.
pub(crate) fn render(model: &Model, document: &str, settings: &Settings) -> Result<String, Error> {
    let support = settings.support();
    let parts = [
        types(model, &support),
        codes(&model.faults),
        faults(&model.faults),
        model.methods.iter().map(|method| params(method, &support)).collect(),
        interface(model, &support),
        table(&model.methods, &support),
        constant(document, settings),
    ];
    let file = syn::parse2::<syn::File>(parts.into_iter().collect()).map_err(|error| {
        Error::from(Broken {
            pointer: String::new(),
            problem: format!("this document became no Rust: {error}"),
        })
    })?;
    Ok(model.methods.iter().fold(apart(file.items), whole_arrow))
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

fn types(model: &Model, support: &TokenStream) -> TokenStream {
    let items = &model.types.items;
    let entries =
        model.types.named.iter().map(|(name, ident)| quote!(#support::Type::of::<types::#ident>(#name)));
    quote! {
        #[doc = " The schemas of the document as types."]
        pub mod types {
            #(#items)*
        }

        #[doc = " Each schema of the document and the type that carries it."]
        pub static TYPES: &[#support::Type] = &[#(#entries),*];
    }
}

fn codes(faults: &[Fault]) -> TokenStream {
    let constants = faults.iter().map(|fault| {
        let (constant, code) = (&fault.constant, Literal::i32_unsuffixed(fault.code));
        let doc = docs(&fault.message);
        quote!(#doc pub const #constant: i32 = #code;)
    });
    quote! {
        #[doc = " The codes of the errors that the document declares."]
        pub mod codes {
            #(#constants)*
        }
    }
}

fn faults(faults: &[Fault]) -> TokenStream {
    let variants = faults.iter().map(|fault| {
        let (doc, variant, data) = (docs(&fault.message), &fault.variant, fault.data.iter());
        quote!(#doc #variant #((#data))*)
    });
    let methods = if faults.is_empty() { no_fault() } else { fault_methods(faults) };
    quote! {
        #[doc = " An error that the document declares, with its data."]
        #[derive(Clone, Debug, PartialEq)]
        pub enum Fault {
            #(#variants),*
        }

        #methods
    }
}

fn fault_methods(faults: &[Fault]) -> TokenStream {
    let patterns = faults.iter().map(|fault| {
        let (variant, rest) = (&fault.variant, fault.data.iter().map(|_| quote!(..)));
        quote!(Self::#variant #((#rest))*)
    });
    let patterns = patterns.collect::<Vec<_>>();
    let constants = faults.iter().map(|fault| &fault.constant).collect::<Vec<_>>();
    let names = faults.iter().map(|fault| &fault.name);
    let messages = faults.iter().map(|fault| &fault.message);
    let data = data_arms(faults);
    let parts = faults.iter().map(|fault| {
        let (constant, variant) = (&fault.constant, &fault.variant);
        match fault.data {
            None => quote!(codes::#constant => Some(Self::#variant)),
            Some(_) => quote! {
                codes::#constant => ::serde::Deserialize::deserialize(data?).ok().map(Self::#variant)
            },
        }
    });
    let ignored = faults.iter().all(|fault| fault.data.is_none()).then(|| quote!(let _ = data;));
    quote! {
        impl Fault {
            #[doc = " Its code in the error object."]
            pub const fn code(&self) -> i32 {
                match self { #(#patterns => codes::#constants,)* }
            }

            #[doc = " Its name in the document."]
            pub const fn name(&self) -> &'static str {
                match self { #(#patterns => #names,)* }
            }

            #[doc = " The message that the document declares."]
            pub const fn summary(&self) -> &'static str {
                match self { #(#patterns => #messages,)* }
            }

            #[doc = " The `data` of the error object."]
            pub fn data(&self) -> Option<::serde_json::Value> {
                match self { #data }
            }

            #[doc = " The declared error of this code; `None` if there is none, or if the data is not as declared."]
            pub fn from_parts(code: i32, data: Option<&::serde_json::Value>) -> Option<Self> {
                #ignored
                match code { #(#parts,)* _ => None }
            }
        }
    }
}

fn data_arms(faults: &[Fault]) -> TokenStream {
    let (with, without) = faults.iter().partition::<Vec<_>, _>(|fault| fault.data.is_some());
    let with = with.iter().map(|fault| &fault.variant);
    let without = without.iter().map(|fault| &fault.variant).collect::<Vec<_>>();
    let none = (!without.is_empty()).then(|| quote!(#(Self::#without)|* => None,));
    quote!(#(Self::#with(data) => ::serde_json::to_value(data).ok(),)* #none)
}

fn no_fault() -> TokenStream {
    quote! {
        impl Fault {
            #[doc = " Its code in the error object."]
            pub const fn code(&self) -> i32 { match *self {} }

            #[doc = " Its name in the document."]
            pub const fn name(&self) -> &'static str { match *self {} }

            #[doc = " The message that the document declares."]
            pub const fn summary(&self) -> &'static str { match *self {} }

            #[doc = " The `data` of the error object."]
            pub const fn data(&self) -> Option<::serde_json::Value> { match *self {} }

            #[doc = " The declared error of this code: the document declares none."]
            pub const fn from_parts(_code: i32, _data: Option<&::serde_json::Value>) -> Option<Self> { None }
        }
    }
}

/// The params of one method, by name and by position.
fn params(method: &Method, support: &TokenStream) -> TokenStream {
    if method.params.is_empty() {
        return TokenStream::new();
    }
    let ident = &method.params_type;
    let doc = docs(&format!("Params of `{}`.", method.wire));
    let fields = method.params.iter().map(field);
    let idents = method.params.iter().map(|param| &param.ident);
    let table = method.params.iter().map(|param| {
        let (name, required) = (&param.wire, param.required);
        quote!(#support::Param { name: #name, required: #required })
    });
    let least = method.params.iter().rposition(|param| param.required).map_or(0, |index| index + 1);
    let least = (least > 0)
        .then(|| Literal::usize_unsuffixed(least))
        .map(|least| quote!(positions.len() > #least &&));
    let trim = (!method.params.last().is_some_and(|param| param.required)).then(|| {
        quote! {
            while #least positions.last().is_some_and(::serde_json::Value::is_null) {
                positions.pop();
            }
        }
    });
    let (mutable, positions) = (trim.is_some().then(|| quote!(mut)), idents);
    quote! {
        #doc
        #[derive(Clone, Debug, PartialEq, ::serde::Serialize, ::serde::Deserialize, ::schemars::JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct #ident { #(#fields),* }

        impl #ident {
            #[doc = " The params by position; what is absent at the end is left out, what is absent before it is null."]
            #[doc = ""]
            #[doc = " # Errors"]
            #[doc = ""]
            #[doc = " If a value cannot be written as JSON."]
            pub fn into_positional(self) -> Result<Vec<::serde_json::Value>, ::serde_json::Error> {
                let #mutable positions = Vec::from([#(::serde_json::to_value(self.#positions)?),*]);
                #trim
                Ok(positions)
            }
        }

        impl #support::Params for #ident {
            const PARAMS: &'static [#support::Param] = &[#(#table),*];
        }
    }
}

fn field(param: &Param) -> TokenStream {
    let (doc, ident, ty) = (docs(&param.description), &param.ident, &param.ty);
    let wire = &param.wire;
    let rename =
        (ident.to_string().trim_start_matches("r#") != wire).then(|| quote!(#[serde(rename = #wire)]));
    let optional = (!param.required).then(|| {
        let bare = param.bare.to_token_stream().to_string().replace(' ', "");
        quote! {
            #[serde(default, skip_serializing_if = "Option::is_none")]
            #[schemars(with = #bare)]
        }
    });
    quote!(#doc #rename #optional pub #ident: #ty)
}

/// The trait that jsonrpsee makes servers and clients from.
fn interface(model: &Model, support: &TokenStream) -> TokenStream {
    let (doc, name) = (docs(&model.description), &model.trait_name);
    let methods = model.methods.iter().filter_map(|method| trait_method(method, support));
    quote! {
        #doc
        #[cfg(any(feature = "server", feature = "client"))]
        #[cfg_attr(all(feature = "server", feature = "client"), ::jsonrpsee::proc_macros::rpc(server, client))]
        #[cfg_attr(all(feature = "server", not(feature = "client")), ::jsonrpsee::proc_macros::rpc(server))]
        #[cfg_attr(all(feature = "client", not(feature = "server")), ::jsonrpsee::proc_macros::rpc(client))]
        pub trait #name { #(#methods)* }
    }
}

fn trait_method(method: &Method, support: &TokenStream) -> Option<TokenStream> {
    let (doc, wire, ident, result) = (docs(&method.description), &method.wire, &method.ident, &method.result);
    let kind = if method.by_position { quote!(array) } else { quote!(map) };
    let arguments = method.params.iter().map(|param| {
        let (argument, ty, wire) = (&param.argument, &param.ty, &param.wire);
        let rename = (argument != wire).then(|| quote!(#[argument(rename = #wire)]));
        quote!(#rename #argument: #ty)
    });
    let (attribute, result) = match &method.kind {
        Kind::Unsubscription => return None,
        Kind::Call => (
            quote!(method(name = #wire, param_kind = #kind, with_extensions)),
            quote!(Result<#result, #support::Error>),
        ),
        Kind::Subscription { notification, unsubscribe, item } => (
            quote! {
                subscription(
                    name = #wire => #notification,
                    unsubscribe = #unsubscribe,
                    item = #item,
                    param_kind = #kind,
                    with_extensions
                )
            },
            quote!(::jsonrpsee::core::SubscriptionResult),
        ),
    };
    Some(quote! {
        #doc
        #[#attribute]
        async fn #ident(&self, #(#arguments),*) -> #result;
    })
}

/// The table of methods and the way into it.
fn table(methods: &[Method], support: &TokenStream) -> TokenStream {
    let entries = methods.iter().map(|method| {
        let (name, connection, errors) = (&method.wire, method.connection, &method.errors);
        let auth = match method.auth {
            Auth::None => quote!(None),
            Auth::Session => quote!(Session),
        };
        let params = match method.params.is_empty() {
            true => quote!(#support::NoParams),
            false => method.params_type.to_token_stream(),
        };
        quote! {
            #support::Method {
                name: #name,
                auth: #support::Auth::#auth,
                connection: #connection,
                params: <#params as #support::Params>::PARAMS,
                errors: &[#(codes::#errors),*],
                check_params: #support::check_params::<#params>,
            }
        }
    });
    let arms = methods.iter().enumerate().map(|(index, method)| {
        let name = &method.wire;
        let position = Literal::usize_unsuffixed(index);
        if index == 0 { quote!(#name => METHODS.first()) } else { quote!(#name => METHODS.get(#position)) }
    });
    quote! {
        #[doc = " Every method of the document, in its order."]
        pub static METHODS: &[#support::Method] = &[#(#entries),*];

        #[doc = " The method of this name."]
        pub fn method(name: &str) -> Option<&'static #support::Method> {
            match name { #(#arms,)* _ => None }
        }
    }
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
