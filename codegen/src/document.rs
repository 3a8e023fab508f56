//! The document as OpenRPC defines it: references followed, shapes checked, every part with its place.

mod read;

use std::collections::BTreeSet;

use serde_json::{Map, Value};

pub(crate) use self::read::read;
use crate::{
    load::Files,
    resolve::{Node, Place},
};

/// The parts of an OpenRPC document that the generator uses.
#[derive(Debug)]
pub(crate) struct Document<'a> {
    files: &'a Files,
    pub(crate) title: String,
    pub(crate) version: String,
    pub(crate) description: Option<String>,
    pub(crate) servers: Vec<Server>,
    pub(crate) methods: Vec<DocumentMethod<'a>>,
    /// Of `components.errors` and of methods, by falling code.
    pub(crate) errors: Vec<DocumentError<'a>>,
    pub(crate) schemas: Vec<NamedSchema<'a>>,
}

impl<'a> Document<'a> {
    /// The name of one of its files.
    pub(crate) fn files_name(&self, file: usize) -> &'a str {
        self.files.name(file)
    }

    /// A place in short form: the file without its folder, and the pointer.
    pub(crate) fn short(&self, place: &Place) -> String {
        let file = self.files_name(place.file);
        format!("{}{}", file.rsplit('/').next().unwrap_or_default(), place.pointer)
    }

    /// The value at a place.
    pub(crate) fn node(&self, place: &Place) -> Option<Node<'a>> {
        let value = self.files.get(place.file)?.root.pointer(&place.pointer)?;
        Some(Node { files: self.files, file: place.file, value, pointer: place.pointer.clone() })
    }

    /// The methods that start a subscription, with the subscription.
    pub(crate) fn subscriptions(&self) -> impl Iterator<Item = (&DocumentMethod<'a>, &Subscription<'a>)> {
        self.methods.iter().filter_map(|method| Some((method, method.subscription.as_ref()?)))
    }

    /// Leaves out methods and params with a name that another one has. A lenient run passed over that fault.
    pub(crate) fn drop_repeated(&mut self) {
        let mut methods = BTreeSet::new();
        self.methods.retain(|method| methods.insert(method.name.clone()));
        for method in &mut self.methods {
            let mut params = BTreeSet::new();
            method.params.retain(|param| params.insert(param.name.clone()));
        }
    }

    /// Every schema of the document that is not part of another schema.
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

/// An address at which the interface is served.
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

/// The callers that may call a method: `x-auth`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Auth {
    None,
    Session,
}

/// The form in which a client sends params: `paramStructure`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ParamStructure {
    ByName,
    ByPosition,
    /// The document says "either": the server reads both.
    Either,
    /// The document says nothing. By the standard that is "either", but many servers read positions only.
    Unspecified,
}

impl ParamStructure {
    /// The forms that a server reads: by name, and by position.
    pub(crate) fn accepts(self) -> [bool; 2] {
        [self != Self::ByPosition, self != Self::ByName]
    }

    /// Tells whether a generated client sends params by position.
    pub(crate) fn sends_positions(self) -> bool {
        matches!(self, Self::ByPosition | Self::Unspecified)
    }
}

#[derive(Debug)]
pub(crate) struct DocumentMethod<'a> {
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
    pub(crate) params: Vec<DocumentParam<'a>>,
    /// The schema of its result; none for a notification.
    pub(crate) result: Option<Node<'a>>,
    /// Places of the error objects in [`Document::errors`].
    pub(crate) errors: Vec<Place>,
    pub(crate) examples: Vec<Example>,
    /// The `x-` members of the method.
    pub(crate) extensions: Map<String, Value>,
}

/// One example pairing.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Example {
    pub(crate) place: Place,
    pub(crate) name: String,
    /// By position or by name.
    pub(crate) params: Vec<ExampleParam>,
    /// The answer; none for a notification.
    pub(crate) result: Option<Value>,
    /// The error object in place of a result: `x-error` of the pairing.
    pub(crate) error: Option<Value>,
    /// A condition to bring about before the call: `x-given` of the pairing.
    pub(crate) given: Option<String>,
    /// JSON pointers to parts of the answer that differ from time to time: `x-varies` of the pairing.
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
    /// The index of its param: the one with its name, else the one at its position.
    pub(crate) fn place_among<'n>(&self, mut names: impl Iterator<Item = &'n str>, position: usize) -> usize {
        names.position(|name| name == self.name).unwrap_or(position)
    }
}

/// The subscription that a method starts: `x-subscription`.
#[derive(Debug)]
pub(crate) struct Subscription<'a> {
    pub(crate) node: Node<'a>,
    /// The method name of its notifications.
    pub(crate) notification: String,
    /// The method that ends it.
    pub(crate) unsubscribe: String,
    /// The schema of a notification's payload.
    pub(crate) item: Node<'a>,
}

#[derive(Debug)]
pub(crate) struct DocumentParam<'a> {
    pub(crate) node: Node<'a>,
    pub(crate) name: String,
    pub(crate) summary: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) required: bool,
    pub(crate) deprecated: bool,
    pub(crate) schema: Node<'a>,
}

#[derive(Debug)]
pub(crate) struct DocumentError<'a> {
    pub(crate) node: Node<'a>,
    /// Its key in `components.errors`; its message if it is written out in a method.
    pub(crate) name: String,
    pub(crate) code: i64,
    pub(crate) message: String,
    /// The schema of its `data`: its entry in `components.x-error-data`.
    pub(crate) data: Option<Node<'a>>,
    /// True if it is one of `components.errors`.
    pub(crate) component: bool,
}

impl<'a> DocumentError<'a> {
    /// Its `data` in the document.
    pub(crate) fn shown(&self) -> Option<&'a Value> {
        self.node.get("data").map(|data| data.value)
    }
}
