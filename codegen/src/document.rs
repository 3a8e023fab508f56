//! The document as OpenRPC means it: references followed, shapes right, every part with its place.

mod read;

use std::collections::BTreeSet;

use serde_json::{Map, Value};

pub(crate) use self::read::read;
use crate::{
    load::Files,
    resolve::{Node, Place},
};

/// An OpenRPC document, as far as anything is made from it.
#[derive(Debug)]
pub(crate) struct Document<'a> {
    files: &'a Files,
    pub(crate) title: String,
    pub(crate) version: String,
    pub(crate) description: Option<String>,
    pub(crate) servers: Vec<Server>,
    pub(crate) methods: Vec<Method<'a>>,
    /// Of `components.errors` and of methods, by falling code.
    pub(crate) errors: Vec<ErrorObject<'a>>,
    pub(crate) schemas: Vec<NamedSchema<'a>>,
}

impl<'a> Document<'a> {
    /// The name of one of its files.
    pub(crate) fn files_name(&self, file: usize) -> &'a str {
        self.files.name(file)
    }

    /// A place in few words: the file without its folder, and the pointer.
    pub(crate) fn short(&self, place: &Place) -> String {
        let file = self.files_name(place.file);
        format!("{}{}", file.rsplit('/').next().unwrap_or_default(), place.pointer)
    }

    /// What stands at a place.
    pub(crate) fn node(&self, place: &Place) -> Option<Node<'a>> {
        let value = self.files.get(place.file)?.root.pointer(&place.pointer)?;
        Some(Node { files: self.files, file: place.file, value, pointer: place.pointer.clone() })
    }

    /// The methods that begin a subscription, and what they begin.
    pub(crate) fn subscriptions(&self) -> impl Iterator<Item = (&Method<'a>, &Subscription<'a>)> {
        self.methods.iter().filter_map(|method| Some((method, method.subscription.as_ref()?)))
    }

    /// Leaves out what has the name of another one: it was refused, or that was passed over.
    pub(crate) fn drop_repeated(&mut self) {
        let mut methods = BTreeSet::new();
        self.methods.retain(|method| methods.insert(method.name.clone()));
        for method in &mut self.methods {
            let mut params = BTreeSet::new();
            method.params.retain(|param| params.insert(param.name.clone()));
        }
    }

    /// Every schema that stands in the document itself, not in another schema.
    pub(crate) fn roots(&self) -> impl Iterator<Item = &Node<'a>> {
        let methods = self.methods.iter().flat_map(|method| {
            let params = method.params.iter().map(|param| &param.schema);
            let item = method.subscription.iter().map(|subscription| &subscription.item);
            params.chain(&method.result).chain(item)
        });
        let data = self.errors.iter().filter_map(|error| error.data.as_ref());
        self.schemas.iter().map(|named| &named.schema).chain(methods).chain(data)
    }
}

/// Where the interface is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Server {
    pub(crate) name: String,
    pub(crate) url: String,
}

/// One of `components.schemas`.
#[derive(Debug)]
pub(crate) struct NamedSchema<'a> {
    pub(crate) name: String,
    pub(crate) schema: Node<'a>,
}

/// Who may call a method: `x-auth`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Auth {
    None,
    Session,
}

/// How a client sends params: `paramStructure`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ParamStructure {
    ByName,
    ByPosition,
    Either,
}

#[derive(Debug)]
pub(crate) struct Method<'a> {
    pub(crate) node: Node<'a>,
    pub(crate) name: String,
    pub(crate) summary: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) deprecated: bool,
    pub(crate) tags: Vec<String>,
    pub(crate) auth: Auth,
    pub(crate) connection: bool,
    pub(crate) subscription: Option<Subscription<'a>>,
    pub(crate) structure: ParamStructure,
    pub(crate) params: Vec<Param<'a>>,
    /// The schema of what it answers; none of a notification.
    pub(crate) result: Option<Node<'a>>,
    /// Places of the error objects in [`Document::errors`].
    pub(crate) errors: Vec<Place>,
    pub(crate) examples: Vec<Example>,
    /// What `x-` members of the method say.
    pub(crate) extensions: Map<String, Value>,
}

/// One example pairing.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Example {
    pub(crate) place: Place,
    pub(crate) name: String,
    /// By position or by name, as [`Example::named`] says.
    pub(crate) params: Vec<ExampleParam>,
    /// What is answered; none of a notification.
    pub(crate) result: Option<Value>,
    /// The error object that is answered instead: `x-error` of the pairing.
    pub(crate) error: Option<Value>,
    /// What must have been done before: `x-given` of the pairing.
    pub(crate) given: Option<String>,
    /// JSON pointers into what is answered: what of it differs from time to time. `x-varies` of the pairing.
    pub(crate) varies: Vec<String>,
}

/// A param of an example.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ExampleParam {
    pub(crate) place: Place,
    pub(crate) name: String,
    pub(crate) value: Option<Value>,
}

impl ExampleParam {
    /// Which param it is one of: that of its name, else that of its position.
    pub(crate) fn place_among<'n>(&self, mut names: impl Iterator<Item = &'n str>, position: usize) -> usize {
        names.position(|name| name == self.name).unwrap_or(position)
    }
}

/// What a call of a method begins: `x-subscription`.
#[derive(Debug)]
pub(crate) struct Subscription<'a> {
    pub(crate) node: Node<'a>,
    /// The method that its notifications name.
    pub(crate) notification: String,
    /// The method that ends it.
    pub(crate) unsubscribe: String,
    /// What a notification carries.
    pub(crate) item: Node<'a>,
}

#[derive(Debug)]
pub(crate) struct Param<'a> {
    pub(crate) node: Node<'a>,
    pub(crate) name: String,
    pub(crate) summary: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) required: bool,
    pub(crate) deprecated: bool,
    pub(crate) schema: Node<'a>,
}

#[derive(Debug)]
pub(crate) struct ErrorObject<'a> {
    pub(crate) node: Node<'a>,
    /// Its key in `components.errors`; of an error that stands in a method, its message.
    pub(crate) name: String,
    pub(crate) code: i64,
    pub(crate) message: String,
    /// Its entry in `components.x-error-data`: what `data` holds.
    pub(crate) data: Option<Node<'a>>,
    /// Whether it is one of `components.errors`.
    pub(crate) component: bool,
}

impl<'a> ErrorObject<'a> {
    /// Its `data`, as it stands in the document.
    pub(crate) fn shown(&self) -> Option<&'a Value> {
        self.node.get("data").map(|data| data.value)
    }
}
