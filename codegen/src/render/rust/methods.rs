//! Methods: their params as types, the trait that jsonrpsee makes servers and clients from, and the table.

use proc_macro2::{Literal, TokenStream};
use quote::{ToTokens, quote};

use super::{
    docs,
    objects::{Member, Others, Presence, Reader},
    types::{answered, spaceless, written},
};
use crate::{
    Settings,
    model::{Auth, Group, Kind, Method, Model, Param, ParamStructure},
    names::ident,
};

/// From this many optional params on, those who call name the ones they give.
const MANY_OPTIONS: usize = 2;

/// The params of one method, by name and by position. `up` leads to the top of the output.
pub(super) fn params(method: &Method, model: &Model, settings: &Settings, up: &TokenStream) -> TokenStream {
    if method.params.is_empty() {
        return TokenStream::new();
    }
    let name = ident(&method.params_type);
    let doc = docs(&format!("Params of `{}`.", method.wire));
    let positions = positions(method);
    let schema = settings.support.is_some().then(|| quote!(, ::schemars::JsonSchema));
    let more = match &settings.support {
        Some(_) => params_trait(method, settings),
        None => {
            let conversion = settings.client.then(|| conversion(method));
            let builder = builder(method, model, up);
            quote!(#conversion #builder)
        }
    };
    // Serde reads arrays as well, by position; where the document wants names, nothing else will do.
    let named = method.structure == ParamStructure::ByName && settings.support.is_none();
    let fields = method.params.iter().map(|param| field(param, model, settings, up, named));
    let (derive, read) = match named {
        true => (quote!(), read_named(method, &name, up)),
        false => (quote!(#[derive(::serde::Deserialize)] #[serde(deny_unknown_fields)]), quote!()),
    };
    quote! {
        #doc
        #[derive(Clone, Debug, PartialEq, ::serde::Serialize #schema)]
        #derive
        pub struct #name { #(#fields),* }

        #read

        impl #name {
            #[doc = " The params by position; what is absent at the end is left out, what is absent before it is null."]
            #[doc = ""]
            #[doc = " # Errors"]
            #[doc = ""]
            #[doc = " If a value cannot be written as JSON."]
            pub fn into_positional(self) -> Result<Vec<::serde_json::Value>, ::serde_json::Error> {
                #positions
                Ok(positions)
            }
        }

        #more
    }
}

/// Reads params by name. Null is absence, as it is by position.
fn read_named(method: &Method, name: &proc_macro2::Ident, up: &TokenStream) -> TokenStream {
    let members = method.params.iter().map(|param| Member {
        wire: param.wire.clone(),
        field: ident(&param.field),
        presence: if param.required { Presence::Required } else { Presence::NullIsAbsence },
    });
    let members = members.collect::<Vec<_>>();
    let reader = Reader { name, made: quote!(#name), support: quote!(#up support) };
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

/// What the hand-written part knows of params.
fn params_trait(method: &Method, settings: &Settings) -> TokenStream {
    let (support, name) = (settings.support_tokens(), ident(&method.params_type));
    let table = param_table(method, &support);
    quote! {
        impl #support::Params for #name {
            const PARAMS: &'static [#support::Param] = &[#(#table),*];
        }
    }
}

fn param_table(method: &Method, support: &TokenStream) -> Vec<TokenStream> {
    let entries = method.params.iter().map(|param| {
        let (name, required) = (&param.wire, param.required);
        quote!(#support::Param { name: #name, required: #required })
    });
    entries.collect()
}

/// Params as a client sends them, in the form that the document asks for.
fn conversion(method: &Method) -> TokenStream {
    let name = ident(&method.params_type);
    let write = match method.structure {
        ParamStructure::ByName => quote!(::serde_json::value::to_raw_value(&self).map(Some)),
        ParamStructure::ByPosition | ParamStructure::Either => quote! {
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

/// What must be given first, the rest by name.
fn builder(method: &Method, model: &Model, up: &TokenStream) -> TokenStream {
    let (required, optional) = method.params.iter().partition::<Vec<_>, _>(|param| param.required);
    if optional.len() < MANY_OPTIONS {
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
            #[doc = " What must be given; the rest is absent until it is named."]
            #[allow(clippy::too_many_arguments, clippy::new_without_default, reason = "the document counts them")]
            pub fn new(#(#arguments),*) -> Self {
                Self { #(#given,)* #(#absent: None,)* }
            }

            #(#setters)*
        }
    }
}

/// The type of a param as field and argument. jsonrpsee knows an optional one by the very spelling of `Option`.
fn param_type(param: &Param, model: &Model, up: &TokenStream) -> TokenStream {
    let path = quote!(#up types::);
    if param.required {
        return written(&param.ty, &model.types, &path);
    }
    let inner = written(param.ty.without_null(), &model.types, &path);
    quote!(Option<#inner>)
}

fn field(param: &Param, model: &Model, settings: &Settings, up: &TokenStream, named: bool) -> TokenStream {
    let (doc, name, ty) = (docs(&param.doc), ident(&param.field), param_type(param, model, up));
    let wire = &param.wire;
    let rename = (param.field.trim_start_matches("r#") != wire).then(|| quote!(#[serde(rename = #wire)]));
    let optional = (!param.required).then(|| {
        let bare = spaceless(&written(&param.ty, &model.types, &quote!(#up types::)));
        let schema = settings.support.is_some().then(|| quote!(#[schemars(with = #bare)]));
        let default = (!named).then(|| quote!(default,));
        quote! {
            #[serde(#default skip_serializing_if = "Option::is_none")]
            #schema
        }
    });
    quote!(#doc #rename #optional pub #name: #ty)
}

/// The trait that jsonrpsee makes servers and clients from; none where there is no method, which it refuses.
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
    let attributes = match (&settings.support, settings.server, settings.client) {
        (Some(_), ..) => quote! {
            #[cfg(any(feature = "server", feature = "client"))]
            #[cfg_attr(all(feature = "server", feature = "client"), ::jsonrpsee::proc_macros::rpc(server, client))]
            #[cfg_attr(all(feature = "server", not(feature = "client")), ::jsonrpsee::proc_macros::rpc(server))]
            #[cfg_attr(all(feature = "client", not(feature = "server")), ::jsonrpsee::proc_macros::rpc(client))]
        },
        (None, true, true) => quote!(#[::jsonrpsee::proc_macros::rpc(server, client)]),
        (None, true, false) => quote!(#[::jsonrpsee::proc_macros::rpc(server)]),
        (None, false, true) => quote!(#[::jsonrpsee::proc_macros::rpc(client)]),
        (None, false, false) => return TokenStream::new(),
    };
    let allowed = settings.support.is_none().then(|| {
        quote! {
            #[allow(
                clippy::too_many_arguments, clippy::wrong_self_convention, clippy::needless_lifetimes,
                clippy::unit_arg, clippy::let_unit_value, clippy::ignored_unit_patterns,
                reason = "the document counts and names what is generated"
            )]
        }
    });
    quote! {
        #doc
        #allowed
        #attributes
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
    let by_position = match method.structure {
        ParamStructure::ByPosition => true,
        ParamStructure::ByName => false,
        // What every server reads.
        ParamStructure::Either => settings.support.is_none(),
    };
    let kind = if by_position { quote!(array) } else { quote!(map) };
    let arguments = method.params.iter().map(|param| {
        let (argument, ty, wire) = (ident(&param.argument), param_type(param, model, up), &param.wire);
        let rename = (argument != wire).then(|| quote!(#[argument(rename = #wire)]));
        quote!(#rename #argument: #ty)
    });
    let extensions = settings.support.is_some().then(|| quote!(, with_extensions));
    let path = quote!(#up types::);
    let (attribute, result) = match &method.kind {
        Kind::Unsubscription => return None,
        Kind::Call => {
            let result = method.result.as_ref().map(|ty| answered(ty, &model.types, &path));
            let error = match (&settings.support, method.errors.is_empty()) {
                (Some(_), _) => {
                    let support = settings.support_tokens();
                    quote!(#support::Error)
                }
                (None, true) => quote!(::jsonrpsee::types::ErrorObjectOwned),
                (None, false) => ident(&method.error_type).to_token_stream(),
            };
            let result = match (result, &settings.support) {
                (Some(result), _) => quote!(-> Result<#result, #error>),
                (None, Some(_)) => quote!(-> Result<(), #error>),
                (None, None) => TokenStream::new(),
            };
            (quote!(method(name = #wire, param_kind = #kind #extensions)), result)
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
    let deprecated = (method.deprecated && settings.support.is_none()).then(|| quote!(#[deprecated]));
    Some(quote! {
        #doc
        #deprecated
        #[#attribute]
        async fn #name(&self, #(#arguments),*) #result;
    })
}

/// The table of methods and the way into it, for a crate that handles them all alike.
pub(super) fn table(model: &Model, settings: &Settings) -> TokenStream {
    let support = settings.support_tokens();
    let entries = model.methods.iter().map(|method| {
        let (name, connection, errors) = (&method.wire, method.connection, codes(method, model));
        let auth = match method.auth {
            Auth::None => quote!(None),
            Auth::Session => quote!(Session),
        };
        let params = match method.params.is_empty() {
            true => quote!(#support::NoParams),
            false => ident(&method.params_type).to_token_stream(),
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
    let entries = entries.collect::<Vec<_>>();
    listed(model, &support, &entries)
}

/// The table of methods with what the document says of each.
pub(super) fn descriptions(model: &Model) -> TokenStream {
    let support = quote!(support);
    let entries = model.methods.iter().map(|method| {
        let (name, deprecated, tags) = (&method.wire, method.deprecated, &method.tags);
        let (summary, params, errors) =
            (method.summary.trim(), param_table(method, &support), codes(method, model));
        let extensions = serde_json::Value::Object(method.extensions.clone()).to_string();
        quote! {
            support::Method {
                name: #name,
                summary: #summary,
                deprecated: #deprecated,
                tags: &[#(#tags),*],
                params: &[#(#params),*],
                errors: &[#(codes::#errors),*],
                extensions: #extensions,
            }
        }
    });
    let entries = entries.collect::<Vec<_>>();
    listed(model, &support, &entries)
}

fn listed(model: &Model, support: &TokenStream, entries: &[TokenStream]) -> TokenStream {
    let arms = model.methods.iter().enumerate().map(|(index, method)| {
        let name = &method.wire;
        let position = Literal::usize_unsuffixed(index);
        if index == 0 { quote!(#name => METHODS.first()) } else { quote!(#name => METHODS.get(#position)) }
    });
    let lookup = match model.methods.is_empty() {
        true => quote! {
            #[doc = " The method of this name: the document has none."]
            pub fn method(_name: &str) -> Option<&'static #support::Method> {
                None
            }
        },
        false => quote! {
            #[doc = " The method of this name."]
            pub fn method(name: &str) -> Option<&'static #support::Method> {
                match name { #(#arms,)* _ => None }
            }
        },
    };
    quote! {
        #[doc = " Every method of the document, in its order."]
        pub static METHODS: &[#support::Method] = &[#(#entries),*];

        #lookup
    }
}

fn codes(method: &Method, model: &Model) -> Vec<proc_macro2::Ident> {
    let errors = model.errors_of(method);
    errors.map(|error| ident(&error.constant)).collect()
}
