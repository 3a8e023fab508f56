//! Methods: their params as types, the trait that jsonrpsee turns into servers and clients, and the table.

use std::collections::BTreeMap;

use proc_macro2::{Ident, Literal, TokenStream};
use quote::{ToTokens, quote};

use super::{
    docs,
    objects::{Member, ObjectReader, Others, Presence},
    types::{answered, written},
};
use crate::{
    Settings,
    model::{Auth, Group, Kind, Method, Model, Param, ParamStructure},
    names::ident,
};

/// With this many optional params, their type gets a setter for each.
const MIN_OPTIONS_FOR_SETTERS: usize = 2;

/// The params of one method, by name and by position. `up` leads to the top of the output.
pub(super) fn params(method: &Method, model: &Model, settings: &Settings, up: &TokenStream) -> TokenStream {
    if method.params.is_empty() {
        return TokenStream::new();
    }
    let name = ident(&method.params_type);
    let doc = docs(&format!("Params of `{}`.", method.wire));
    let positions = positions(method);
    let conversion = settings.client.then(|| conversion(method));
    let (table, builder) = (param_table(method), builder(method, model, up));
    // The reader that serde derives also takes arrays, by position.
    let named = method.structure == ParamStructure::ByName;
    let fields = method.params.iter().map(|param| field(param, model, up, named));
    let (derive, read) = match named {
        true => (quote!(), read_named(method, &name)),
        false => (quote!(#[derive(::serde::Deserialize)] #[serde(deny_unknown_fields)]), quote!()),
    };
    quote! {
        #doc
        #[derive(Clone, Debug, PartialEq, ::serde::Serialize)]
        #derive
        pub struct #name { #(#fields),* }

        #read

        impl #name {
            #[doc = " Returns the params by position. Absent ones at the end are left out, others are null."]
            #[doc = ""]
            #[doc = " # Errors"]
            #[doc = ""]
            #[doc = " If a value cannot be written as JSON."]
            pub fn into_positional(self) -> Result<Vec<::serde_json::Value>, ::serde_json::Error> {
                #positions
                Ok(positions)
            }
        }

        impl ::circles_codegen_support::Params for #name {
            const PARAMS: &'static [::circles_codegen_support::Param] = &[#(#table),*];
        }

        #conversion
        #builder
    }
}

/// Reads params by name. Null is absence, as it is by position.
fn read_named(method: &Method, name: &Ident) -> TokenStream {
    let members = method.params.iter().map(|param| Member {
        wire: param.wire.clone(),
        field: ident(&param.field),
        presence: if param.required { Presence::Required } else { Presence::NullIsAbsence },
    });
    let members = members.collect::<Vec<_>>();
    let reader = ObjectReader { name, made: quote!(#name) };
    let read = reader.read(&members, &Others::Refused);
    quote! {
        impl<'de> ::serde::Deserialize<'de> for #name {
            fn deserialize<__D: ::serde::Deserializer<'de>>(
                deserializer: __D,
            ) -> ::std::result::Result<Self, __D::Error> {
                #read
            }
        }
    }
}

fn positions(method: &Method) -> TokenStream {
    let fields = method.params.iter().map(|param| ident(&param.field));
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
    let mutable = trim.is_some().then(|| quote!(mut));
    quote! {
        let #mutable positions = Vec::from([#(::serde_json::to_value(self.#fields)?),*]);
        #trim
    }
}

fn param_table(method: &Method) -> Vec<TokenStream> {
    let entries = method.params.iter().map(|param| {
        let (name, required) = (&param.wire, param.required);
        quote!(::circles_codegen_support::Param { name: #name, required: #required })
    });
    entries.collect()
}

/// Params as a client sends them, in the form that the document demands.
fn conversion(method: &Method) -> TokenStream {
    let name = ident(&method.params_type);
    let write = match method.structure.sends_positions() {
        false => quote!(::serde_json::value::to_raw_value(&self).map(Some)),
        true => quote! {
            self.into_positional()
                .and_then(|positions| ::serde_json::value::to_raw_value(&positions))
                .map(Some)
        },
    };
    quote! {
        impl ::jsonrpsee::core::traits::ToRpcParams for #name {
            fn to_rpc_params(
                self,
            ) -> Result<Option<Box<::serde_json::value::RawValue>>, ::serde_json::Error> {
                #write
            }
        }
    }
}

/// A constructor that takes the required params, and a setter for each optional one.
fn builder(method: &Method, model: &Model, up: &TokenStream) -> TokenStream {
    let (required, optional) = method.params.iter().partition::<Vec<_>, _>(|param| param.required);
    if optional.len() < MIN_OPTIONS_FOR_SETTERS {
        return TokenStream::new();
    }
    let name = ident(&method.params_type);
    let typed = |param: &Param| {
        let (field, ty) =
            (ident(&param.field), written(param.ty.without_null(), &model.types, &quote!(#up types::)));
        (field, ty)
    };
    let arguments = required.iter().map(|param| {
        let field = ident(&param.field);
        let ty = written(&param.ty, &model.types, &quote!(#up types::));
        quote!(#field: #ty)
    });
    let (given, absent) =
        (required.iter().map(|param| ident(&param.field)), optional.iter().map(|param| ident(&param.field)));
    let setters = optional
        .iter()
        .filter(|param| param.field != "new" && param.field != "into_positional")
        .map(|param| {
            let (doc, (field, ty)) = (docs(&param.doc), typed(param));
            quote! {
                #doc
                #[must_use]
                pub fn #field(mut self, #field: #ty) -> Self {
                    self.#field = Some(#field);
                    self
                }
            }
        });
    quote! {
        impl #name {
            #[doc = " Takes the required params; the others are absent until they are set."]
            #[allow(clippy::too_many_arguments, clippy::new_without_default, reason = "the document counts them")]
            pub fn new(#(#arguments),*) -> Self {
                Self { #(#given,)* #(#absent: None,)* }
            }

            #(#setters)*
        }
    }
}

/// The type of a param as field and argument. jsonrpsee recognises an optional one by the spelling `Option`.
fn param_type(param: &Param, model: &Model, up: &TokenStream) -> TokenStream {
    let path = quote!(#up types::);
    if param.required {
        return written(&param.ty, &model.types, &path);
    }
    let inner = written(param.ty.without_null(), &model.types, &path);
    quote!(Option<#inner>)
}

fn field(param: &Param, model: &Model, up: &TokenStream, named: bool) -> TokenStream {
    let (doc, name, ty) = (docs(&param.doc), ident(&param.field), param_type(param, model, up));
    let wire = &param.wire;
    let rename = (param.field.trim_start_matches("r#") != wire).then(|| quote!(#[serde(rename = #wire)]));
    let optional = (!param.required).then(|| {
        let default = (!named).then(|| quote!(default,));
        quote!(#[serde(#default skip_serializing_if = "Option::is_none")])
    });
    quote!(#doc #rename #optional pub #name: #ty)
}

/// The trait that jsonrpsee turns into servers and clients. jsonrpsee refuses a trait without methods, so there is
/// none for a document without methods.
pub(super) fn interface(model: &Model, group: &Group, settings: &Settings, up: &TokenStream) -> TokenStream {
    let doc = match &group.tag {
        None => docs(&model.description),
        Some((tag, _)) => docs(&format!("The methods with the tag `{tag}`.")),
    };
    let name = ident(&group.trait_name);
    let members = model.methods_of(group);
    let methods = members.filter_map(|method| trait_method(method, model, settings, up)).collect::<Vec<_>>();
    if methods.is_empty() {
        return TokenStream::new();
    }
    let sides = match (settings.server, settings.client) {
        (true, true) => quote!(server, client),
        (true, false) => quote!(server),
        (false, true) => quote!(client),
        (false, false) => return TokenStream::new(),
    };
    quote! {
        #doc
        #[allow(
            clippy::too_many_arguments, clippy::wrong_self_convention, clippy::needless_lifetimes,
            clippy::unit_arg, clippy::let_unit_value, clippy::ignored_unit_patterns,
            reason = "the document decides names and counts"
        )]
        #[::jsonrpsee::proc_macros::rpc(#sides)]
        pub trait #name { #(#methods)* }
    }
}

fn trait_method(
    method: &Method,
    model: &Model,
    settings: &Settings,
    up: &TokenStream,
) -> Option<TokenStream> {
    let (doc, wire, name) = (docs(&method.doc()), &method.wire, ident(&method.name));
    let kind = if method.structure.sends_positions() { quote!(array) } else { quote!(map) };
    let arguments = method.params.iter().map(|param| {
        let (argument, ty, wire) = (ident(&param.argument), param_type(param, model, up), &param.wire);
        let rename = (argument != wire).then(|| quote!(#[argument(rename = #wire)]));
        quote!(#rename #argument: #ty)
    });
    let extensions = settings.extensions.then(|| quote!(, with_extensions));
    let path = quote!(#up types::);
    let (attribute, result) = match &method.kind {
        Kind::Unsubscription => return None,
        Kind::Call => {
            let result = method.result.as_ref().map(|ty| answered(ty, &model.types, &path));
            let error = settings.error_tokens().unwrap_or_else(|| match method.errors.is_empty() {
                true => quote!(::jsonrpsee::types::ErrorObjectOwned),
                false => ident(&method.error_type).to_token_stream(),
            });
            let result = result.map(|result| quote!(-> Result<#result, #error>));
            (quote!(method(name = #wire, param_kind = #kind #extensions)), result.unwrap_or_default())
        }
        Kind::Subscription { notification, unsubscribe, item } => {
            let item = written(item, &model.types, &path);
            let attribute = quote! {
                subscription(
                    name = #wire => #notification,
                    unsubscribe = #unsubscribe,
                    item = #item,
                    param_kind = #kind
                    #extensions
                )
            };
            (attribute, quote!(-> ::jsonrpsee::core::SubscriptionResult))
        }
    };
    let deprecated = method.deprecated.then(|| quote!(#[deprecated]));
    Some(quote! {
        #doc
        #deprecated
        #[#attribute]
        async fn #name(&self, #(#arguments),*) #result;
    })
}

/// The table of methods, and the function that finds one by name.
pub(super) fn table(model: &Model) -> TokenStream {
    let groups = model.groups.iter().flat_map(|group| {
        let module = group.tag.as_ref().map(|(_, module)| ident(module));
        group.methods.iter().map(move |index| (*index, module.clone()))
    });
    let modules = groups.collect::<BTreeMap<_, _>>();
    let entries = model.methods.iter().enumerate().map(|(index, method)| {
        let module = modules.get(&index).and_then(Option::as_ref);
        entry(method, model, module)
    });
    let entries = entries.collect::<Vec<_>>();
    let arms = model.methods.iter().enumerate().map(|(index, method)| {
        let name = &method.wire;
        let position = Literal::usize_unsuffixed(index);
        if index == 0 { quote!(#name => METHODS.first()) } else { quote!(#name => METHODS.get(#position)) }
    });
    let lookup = match model.methods.is_empty() {
        true => quote! {
            #[doc = " Returns the method of this name: the document has none."]
            pub fn method(_name: &str) -> Option<&'static support::Method> {
                None
            }
        },
        false => quote! {
            #[doc = " Returns the method of this name."]
            pub fn method(name: &str) -> Option<&'static support::Method> {
                match name { #(#arms,)* _ => None }
            }
        },
    };
    quote! {
        #[doc = " Every method of the document, in its order."]
        pub static METHODS: &[support::Method] = &[#(#entries),*];

        #lookup
    }
}

/// The table's entry of a method; `module` holds the type of its params.
fn entry(method: &Method, model: &Model, module: Option<&Ident>) -> TokenStream {
    let Method { wire, deprecated, tags, connection, .. } = method;
    let (summary, errors) = (method.summary.trim(), codes(method, model));
    let auth = match method.auth {
        Auth::None => quote!(None),
        Auth::Session => quote!(Session),
    };
    let params = match method.params.is_empty() {
        true => quote!(support::NoParams),
        false => {
            let (module, name) = (module.iter(), ident(&method.params_type));
            quote!(#(#module::)* #name)
        }
    };
    let extensions = serde_json::Value::Object(method.extensions.clone()).to_string();
    quote! {
        support::Method {
            name: #wire,
            summary: #summary,
            deprecated: #deprecated,
            tags: &[#(#tags),*],
            auth: support::Auth::#auth,
            connection: #connection,
            params: <#params as support::Params>::PARAMS,
            errors: &[#(codes::#errors),*],
            extensions: #extensions,
            check_params: support::check_params::<#params>,
        }
    }
}

fn codes(method: &Method, model: &Model) -> Vec<Ident> {
    let errors = model.errors_of(method);
    errors.map(|error| ident(&error.constant)).collect()
}
