//! The document in names and types, ready to be rendered in any language.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::{
    document::{Document, DocumentMethod, Example, Server},
    names::{self, Scope},
    resolve::Place,
    types::{Ty, Types},
};

pub(crate) use crate::document::{Auth, ParamStructure};

/// Names that the code that jsonrpsee generates from the trait uses itself.
const TAKEN_ARGUMENTS: [&str; 10] =
    ["params", "context", "ext", "rpc", "seq", "pending", "subscription_sink", "parsed", "err", "this"];
const TAKEN_METHODS: [&str; 7] =
    ["into_rpc", "request", "notification", "batch_request", "subscribe", "subscribe_to_method", "clone"];
/// Names that every output has in addition to those of the document.
const TAKEN_TYPES: [&str; 8] = ["Fault", "Method", "Param", "Some", "None", "Ok", "Err", "ErrorObject"];
/// With this many methods, those of one tag get a module of their own.
const MIN_METHODS_TO_GROUP: usize = 24;

/// Everything that any target renders.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) title: String,
    pub(crate) version: String,
    pub(crate) description: String,
    pub(crate) servers: Vec<Server>,
    pub(crate) methods: Vec<Method>,
    /// Methods by their module; a group without a tag is at the top.
    pub(crate) groups: Vec<Group>,
    /// By falling code.
    pub(crate) errors: Vec<ErrorObject>,
    pub(crate) types: Types,
}

impl Model {
    /// The errors that a method declares.
    pub(crate) fn errors_of(&self, method: &Method) -> impl Iterator<Item = &ErrorObject> {
        method.errors.iter().filter_map(|index| self.errors.get(*index))
    }

    /// The methods of a group.
    pub(crate) fn methods_of(&self, group: &Group) -> impl Iterator<Item = &Method> {
        group.methods.iter().filter_map(|index| self.methods.get(*index))
    }
}

/// Methods in one module.
#[derive(Debug)]
pub(crate) struct Group {
    /// The tag, and the module's name.
    pub(crate) tag: Option<(String, String)>,
    pub(crate) trait_name: String,
    /// Places in [`Model::methods`].
    pub(crate) methods: Vec<usize>,
}

#[derive(Debug)]
pub(crate) struct Method {
    pub(crate) wire: String,
    /// The name of its function.
    pub(crate) name: String,
    /// The type that holds the params by name.
    pub(crate) params_type: String,
    /// The type of its errors.
    pub(crate) error_type: String,
    /// Empty if the document has none.
    pub(crate) summary: String,
    pub(crate) description: String,
    pub(crate) deprecated: bool,
    pub(crate) tags: Vec<String>,
    pub(crate) auth: Auth,
    pub(crate) connection: bool,
    pub(crate) kind: Kind,
    pub(crate) structure: ParamStructure,
    pub(crate) params: Vec<Param>,
    /// None for a notification.
    pub(crate) result: Option<Ty>,
    /// Places in [`Model::errors`].
    pub(crate) errors: Vec<usize>,
    /// The `data` that this method shows for some of them.
    pub(crate) error_data: BTreeMap<usize, Value>,
    pub(crate) examples: Vec<Example>,
    pub(crate) extensions: Map<String, Value>,
}

impl Method {
    /// The summary and the description as two paragraphs; the name if the document has neither.
    pub(crate) fn doc(&self) -> String {
        let mut doc = prose(&self.summary, &self.description);
        if doc.is_empty() {
            doc = format!("`{}`.", self.wire);
        }
        if self.deprecated { format!("{doc}\n\nDeprecated.") } else { doc }
    }

    /// The params of a call with an example's values: by position only if the document demands it.
    pub(crate) fn example_params(&self, example: &Example) -> Value {
        let names = || self.params.iter().map(|param| param.wire.as_str());
        let places = example.params.iter().enumerate().map(|(position, given)| {
            (given.place_among(names(), position), given.value.clone().unwrap_or_default())
        });
        let mut places = places.collect::<BTreeMap<_, _>>();
        if self.structure == ParamStructure::ByPosition {
            let count = places.keys().last().map_or(0, |last| last + 1);
            return (0..count).map(|index| places.remove(&index).unwrap_or_default()).collect();
        }
        names().enumerate().filter_map(|(index, name)| Some((name, places.remove(&index)?))).collect()
    }
}

/// The part of the output that handles a method.
#[derive(Debug)]
pub(crate) enum Kind {
    /// A method of the trait.
    Call,
    /// A method of the trait, with notifications after its answer.
    Subscription { notification: String, unsubscribe: String, item: Ty },
    /// jsonrpsee itself, which keeps the subscriptions that the method ends.
    Unsubscription,
}

#[derive(Debug)]
pub(crate) struct Param {
    pub(crate) wire: String,
    /// As a field of the params' type.
    pub(crate) field: String,
    /// As an argument of the trait's method.
    pub(crate) argument: String,
    pub(crate) doc: String,
    pub(crate) required: bool,
    /// The type of the param when it is present.
    pub(crate) ty: Ty,
}

/// A declared error.
#[derive(Debug)]
pub(crate) struct ErrorObject {
    pub(crate) variant: String,
    pub(crate) constant: String,
    pub(crate) name: String,
    pub(crate) code: i32,
    pub(crate) message: String,
    /// The type of its data, if the document has one.
    pub(crate) data: Option<Ty>,
    /// Its `data` in the document, as an example or as a schema.
    pub(crate) shown: Option<Value>,
}

/// Gives everything of a document its name.
pub(crate) fn lower(document: &Document<'_>, types: Types) -> Model {
    let title = if document.title.trim().is_empty() { "Api" } else { &document.title };
    let trait_name = names::type_name(title);
    let mut namer = Namer {
        errors: BTreeMap::new(),
        functions: Scope::with(&TAKEN_METHODS),
        types: Scope::with(&TAKEN_TYPES),
        document,
        lowered: &types,
    };
    for suffix in ["", "Server", "Client"] {
        namer.types.take(&format!("{trait_name}{suffix}"));
    }
    let errors = namer.errors();
    let methods = document.methods.iter().map(|method| namer.method(method)).collect::<Vec<_>>();
    let description = document.description.clone().unwrap_or_else(|| format!("{title}."));
    Model {
        title: document.title.clone(),
        version: document.version.clone(),
        groups: groups(&methods, &trait_name),
        description,
        servers: document.servers.clone(),
        methods,
        errors,
        types,
    }
}

/// Groups many methods by tag; few stay together.
fn groups(methods: &[Method], trait_name: &str) -> Vec<Group> {
    let mut groups = vec![Group { tag: None, trait_name: trait_name.to_owned(), methods: Vec::new() }];
    let mut scope = Scope::with(&["types", "codes", "support", "interface"]);
    let many = methods.len() >= MIN_METHODS_TO_GROUP
        && methods.iter().any(|method| Some(&method.tags) != methods.first().map(|first| &first.tags));
    let mut known = BTreeMap::new();
    for (index, method) in methods.iter().enumerate() {
        let at = match method.tags.first().filter(|_| many) {
            None => 0,
            Some(tag) => *known.entry(tag).or_insert_with(|| {
                let module = scope.value(tag);
                groups.push(Group {
                    tag: Some((tag.clone(), module)),
                    trait_name: format!("{}Api", names::type_name(tag)),
                    methods: Vec::new(),
                });
                groups.len() - 1
            }),
        };
        if let Some(group) = groups.get_mut(at) {
            group.methods.push(index);
        }
    }
    groups.retain(|group| !group.methods.is_empty());
    groups
}

struct Namer<'d, 'a> {
    /// The index of each error object among all.
    errors: BTreeMap<Place, usize>,
    functions: Scope,
    types: Scope,
    document: &'d Document<'a>,
    lowered: &'d Types,
}

impl Namer<'_, '_> {
    /// Each error once: an error that several methods repeat is one error.
    fn errors(&mut self) -> Vec<ErrorObject> {
        let mut errors = Vec::<ErrorObject>::new();
        let mut declared = Vec::new();
        let mut known = BTreeMap::new();
        for error in &self.document.errors {
            let said = (error.code, error.message.as_str());
            if let Some(index) = known.get(&said).filter(|_| !error.component) {
                self.errors.insert(error.node.place(), *index);
                continue;
            }
            known.entry(said).or_insert(errors.len());
            self.errors.insert(error.node.place(), errors.len());
            declared.push(error.component);
            errors.push(ErrorObject {
                variant: String::new(),
                constant: String::new(),
                name: error.name.clone(),
                // Read only if it fits.
                code: i32::try_from(error.code).unwrap_or_default(),
                message: error.message.clone(),
                data: error.data.as_ref().map(|data| self.lowered.at(&data.place()).clone()),
                shown: error.shown().cloned(),
            });
        }
        // Errors in `components` get their names first, so that no method changes them.
        let (mut variants, mut constants) = (Scope::default(), Scope::default());
        for wanted in [true, false] {
            let named = errors.iter_mut().zip(&declared).filter(|(_, declared)| **declared == wanted);
            for (error, _) in named {
                let coded = names::coded(&error.name, error.code.into());
                error.variant = variants.first(names::type_name(&error.name), names::type_name(&coded), "");
                let constant = names::constant_name(&error.name);
                error.constant = constants.first(constant, names::constant_name(&coded), "_");
            }
        }
        errors
    }

    fn method(&mut self, method: &DocumentMethod<'_>) -> Method {
        let mut errors =
            method.errors.iter().filter_map(|place| self.errors.get(place).copied()).collect::<Vec<_>>();
        errors.sort_unstable();
        errors.dedup();
        let error_data = method.errors.iter().filter_map(|place| {
            let error = self.document.errors.iter().find(|error| error.node.place() == *place)?;
            Some((*self.errors.get(place)?, error.shown()?.clone()))
        });
        let error_data = error_data.collect();
        let type_name = names::type_name(&method.name);
        Method {
            name: self.functions.value(&method.name),
            params_type: self.types.claim(format!("{type_name}Params")),
            error_type: self.types.claim(format!("{type_name}Error")),
            summary: method.summary.clone().unwrap_or_default(),
            description: method.description.clone().unwrap_or_default(),
            deprecated: method.deprecated,
            tags: method.tags.clone(),
            auth: method.auth,
            connection: method.connection,
            kind: self.kind(method),
            structure: method.structure,
            params: self.params(method),
            result: method.result.as_ref().map(|result| self.lowered.at(&result.place()).clone()),
            errors,
            error_data,
            examples: method.examples.clone(),
            extensions: method.extensions.clone(),
            wire: method.name.clone(),
        }
    }

    fn kind(&self, method: &DocumentMethod<'_>) -> Kind {
        if let Some(subscription) = &method.subscription {
            return Kind::Subscription {
                notification: subscription.notification.clone(),
                unsubscribe: subscription.unsubscribe.clone(),
                item: self.lowered.at(&subscription.item.place()).clone(),
            };
        }
        let mut subscriptions = self.document.subscriptions();
        let ends = subscriptions.any(|(_, subscription)| subscription.unsubscribe == method.name);
        if ends { Kind::Unsubscription } else { Kind::Call }
    }

    fn params(&self, method: &DocumentMethod<'_>) -> Vec<Param> {
        let (mut fields, mut arguments) = (Scope::default(), Scope::with(&TAKEN_ARGUMENTS));
        let params = method.params.iter().map(|param| Param {
            field: fields.value(&param.name),
            argument: arguments.value(&param.name),
            doc: match prose(
                param.summary.as_deref().unwrap_or_default(),
                param.description.as_deref().unwrap_or_default(),
            ) {
                doc if doc.is_empty() => format!("`{}`.", param.name),
                doc if param.deprecated => format!("{doc}\n\nDeprecated."),
                doc => doc,
            },
            required: param.required,
            wire: param.name.clone(),
            ty: self.lowered.at(&param.schema.place()).clone(),
        });
        params.collect()
    }
}

/// Joins a summary and a description as two paragraphs, or one if they are equal or one is missing.
pub(crate) fn prose(summary: &str, description: &str) -> String {
    let parts = [summary.trim(), description.trim()];
    match parts {
        [one, other] if one == other || other.is_empty() => one.to_owned(),
        ["", other] => other.to_owned(),
        _ => parts.join("\n\n"),
    }
}
