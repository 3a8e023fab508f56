//! The document in the names and types of Rust, ready to be written.

use proc_macro2::Ident;
use syn::{Type, parse_quote};

use crate::{
    Settings,
    document::{self, Auth, Document, ParamStructure},
    error::Error,
    names,
    types::{self, Types, finish::option_of},
};

/// Names that the code jsonrpsee makes from the trait uses itself.
const TAKEN_ARGUMENTS: [&str; 7] = ["params", "context", "ext", "rpc", "seq", "pending", "subscription_sink"];
const TAKEN_METHODS: [&str; 7] =
    ["into_rpc", "request", "notification", "batch_request", "subscribe", "subscribe_to_method", "clone"];

pub(crate) struct Model {
    pub(crate) trait_name: Ident,
    pub(crate) description: String,
    pub(crate) methods: Vec<Method>,
    pub(crate) faults: Vec<Fault>,
    pub(crate) types: Types,
}

pub(crate) struct Method {
    pub(crate) wire: String,
    pub(crate) ident: Ident,
    /// The type that holds the params by name.
    pub(crate) params_type: Ident,
    pub(crate) description: String,
    pub(crate) auth: Auth,
    pub(crate) connection: bool,
    pub(crate) kind: Kind,
    pub(crate) by_position: bool,
    pub(crate) params: Vec<Param>,
    pub(crate) result: Type,
    /// Constants of the codes that it declares.
    pub(crate) errors: Vec<Ident>,
}

/// What answers a method.
pub(crate) enum Kind {
    /// A method of the trait.
    Call,
    /// A method of the trait, with notifications after its answer.
    Subscription { notification: String, unsubscribe: String, item: Box<Type> },
    /// jsonrpsee, which keeps the subscriptions that it ends.
    Unsubscription,
}

pub(crate) struct Param {
    pub(crate) wire: String,
    pub(crate) ident: Ident,
    /// The name of the argument of the trait's method.
    pub(crate) argument: Ident,
    pub(crate) description: String,
    pub(crate) required: bool,
    /// As the document has it, without the `Option` of an optional param.
    pub(crate) bare: Type,
    pub(crate) ty: Type,
}

/// A declared error.
pub(crate) struct Fault {
    pub(crate) variant: Ident,
    pub(crate) constant: Ident,
    pub(crate) name: String,
    pub(crate) code: i32,
    pub(crate) message: String,
    pub(crate) data: Option<Type>,
}

/// Lowers a checked document.
pub(crate) fn lower(document: &Document, settings: &Settings) -> Result<Model, Error> {
    let types = types::lower(document, settings)?;
    let faults = document.errors.iter().map(|error| fault(error, &types)).collect::<Vec<_>>();
    let methods = document.methods.iter().map(|method| lower_method(method, document, &types)).collect();
    let description = document.description.clone().unwrap_or_else(|| format!("{}.", document.title));
    Ok(Model { trait_name: type_ident(&document.title), description, methods, faults, types })
}

fn lower_method(method: &document::Method, document: &Document, types: &Types) -> Method {
    let errors = document.errors.iter().filter(|error| method.errors.contains(&error.pointer));
    let mut description = prose([&method.summary, &method.description]);
    if method.deprecated {
        description.push_str("\n\nDeprecated.");
    }
    Method {
        ident: free_ident(&method.name, &TAKEN_METHODS),
        params_type: type_ident(&format!("{}_params", method.name)),
        description: or_name(description, &method.name),
        auth: method.auth,
        connection: method.connection,
        kind: kind(method, document, types),
        by_position: method.structure == ParamStructure::ByPosition,
        params: method.params.iter().map(|param| lower_param(param, types)).collect(),
        result: types.at(&method.result.pointer),
        errors: errors.map(|error| constant_ident(&error.name)).collect(),
        wire: method.name.clone(),
    }
}

fn kind(method: &document::Method, document: &Document, types: &Types) -> Kind {
    if let Some(subscription) = &method.subscription {
        return Kind::Subscription {
            notification: subscription.notification.clone(),
            unsubscribe: subscription.unsubscribe.clone(),
            item: Box::new(types.at(&subscription.item.pointer)),
        };
    }
    let ends = document.subscriptions().any(|(_, subscription)| subscription.unsubscribe == method.name);
    if ends { Kind::Unsubscription } else { Kind::Call }
}

fn lower_param(param: &document::Param, types: &Types) -> Param {
    let bare = types.at(&param.schema.pointer);
    // jsonrpsee knows an optional param by this very spelling.
    let inner = option_of(&bare).unwrap_or(&bare);
    let ty = if param.required { bare.clone() } else { parse_quote!(Option<#inner>) };
    Param {
        ident: free_ident(&param.name, &[]),
        argument: free_ident(&param.name, &TAKEN_ARGUMENTS),
        description: or_name(prose([&param.summary, &param.description]), &param.name),
        required: param.required,
        wire: param.name.clone(),
        bare,
        ty,
    }
}

fn fault(error: &document::ErrorObject, types: &Types) -> Fault {
    Fault {
        variant: type_ident(&error.name),
        constant: constant_ident(&error.name),
        name: error.name.clone(),
        // Checked to fit.
        code: i32::try_from(error.code).unwrap_or_default(),
        message: error.message.clone(),
        data: error.data.as_ref().map(|data| types.at(&data.pointer)),
    }
}

/// A summary and what there is to add, as two paragraphs.
fn prose(parts: [&Option<String>; 2]) -> String {
    parts.into_iter().flatten().map(|part| part.trim()).collect::<Vec<_>>().join("\n\n")
}

fn or_name(description: String, name: &str) -> String {
    if description.is_empty() { format!("`{name}`.") } else { description }
}

// Every name was checked to convert; the fallbacks are never seen.
fn type_ident(name: &str) -> Ident {
    names::ident(&names::type_name(name).unwrap_or_else(|| "Unnamed".to_owned()))
}

fn constant_ident(name: &str) -> Ident {
    names::ident(&names::constant_name(name).unwrap_or_else(|| "UNNAMED".to_owned()))
}

fn free_ident(name: &str, taken: &[&str]) -> Ident {
    names::ident(&names::free_value_name(name, taken).unwrap_or_else(|| "unnamed".to_owned()))
}
