//! The document as OpenRPC means it: references followed, shapes right, every part with its place.

use serde_json::Value;

use crate::{
    error::Faults,
    resolve::{Node, follow, target},
};

/// An OpenRPC document, as far as Rust is made from it.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) title: String,
    pub(crate) description: Option<String>,
    pub(crate) methods: Vec<Method>,
    /// Of `components.errors` and of methods, by falling code.
    pub(crate) errors: Vec<ErrorObject>,
    pub(crate) schemas: Vec<NamedSchema>,
}

impl Document {
    /// The methods that begin a subscription, and what they begin.
    pub(crate) fn subscriptions(&self) -> impl Iterator<Item = (&Method, &Subscription)> {
        self.methods.iter().filter_map(|method| Some((method, method.subscription.as_ref()?)))
    }
}

/// A schema and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Schema {
    pub(crate) pointer: String,
    pub(crate) value: Value,
}

/// One of `components.schemas`.
#[derive(Debug)]
pub(crate) struct NamedSchema {
    pub(crate) name: String,
    pub(crate) schema: Schema,
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
pub(crate) struct Method {
    pub(crate) pointer: String,
    pub(crate) name: String,
    pub(crate) summary: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) deprecated: bool,
    pub(crate) auth: Auth,
    pub(crate) connection: bool,
    pub(crate) subscription: Option<Subscription>,
    pub(crate) structure: ParamStructure,
    pub(crate) params: Vec<Param>,
    pub(crate) result: Schema,
    /// Places of the error objects in [`Document::errors`].
    pub(crate) errors: Vec<String>,
    /// Of each param in each example pairing: its place and its name.
    pub(crate) examples: Vec<(String, String)>,
}

/// What a call of a method begins: `x-subscription`.
#[derive(Debug)]
pub(crate) struct Subscription {
    pub(crate) pointer: String,
    /// The method that its notifications name.
    pub(crate) notification: String,
    /// The method that ends it.
    pub(crate) unsubscribe: String,
    /// What a notification carries.
    pub(crate) item: Schema,
}

#[derive(Debug)]
pub(crate) struct Param {
    pub(crate) pointer: String,
    pub(crate) name: String,
    pub(crate) summary: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) required: bool,
    pub(crate) schema: Schema,
}

#[derive(Debug)]
pub(crate) struct ErrorObject {
    pub(crate) pointer: String,
    /// Its key in `components.errors`; of an error that stands in a method, its message.
    pub(crate) name: String,
    pub(crate) code: i64,
    pub(crate) message: String,
    /// Its entry in `components.x-error-data`: what `data` holds.
    pub(crate) data: Option<Schema>,
}

/// Reads the parts of a document. What is missing or of the wrong type is noted and left out.
pub(crate) fn read(root: &Value, faults: &mut Faults) -> Document {
    let mut reader = Reader { root, faults };
    let document = Node::root(root);
    if !root.is_object() {
        reader.faults.add("", "expected an object");
    }
    reader.version(&document);
    let info = reader.object(&document, "info");
    let title = info.as_ref().and_then(|info| reader.required_text(info, "title"));
    let description = info.as_ref().and_then(|info| reader.text(info, "description"));
    if let Some(info) = &info {
        reader.required_text(info, "version");
    }
    let mut errors = reader.declared_errors(&document);
    let methods = reader.list(&document, "methods", true);
    let methods = methods.iter().filter_map(|node| reader.method(node, &mut errors)).collect::<Vec<_>>();
    errors.sort_by_key(|error| std::cmp::Reverse(error.code));
    let schemas = reader.schemas(&document);
    Document { title: title.unwrap_or_default(), description, methods, errors, schemas }
}

struct Reader<'a, 'f> {
    root: &'a Value,
    faults: &'f mut Faults,
}

impl<'a> Reader<'a, '_> {
    fn version(&mut self, document: &Node<'a>) {
        if let Some(version) = self.required_text(document, "openrpc")
            && !version.starts_with("1.")
        {
            self.faults.add("/openrpc", format!("`{version}` is not read here; expected version 1.x"));
        }
    }

    fn text(&mut self, node: &Node<'a>, key: &str) -> Option<String> {
        let member = node.get(key)?;
        let text = member.value.as_str().map(str::to_owned);
        if text.is_none() {
            self.faults.add(member.pointer, "expected a string");
        }
        text
    }

    fn required_text(&mut self, node: &Node<'a>, key: &str) -> Option<String> {
        if node.value.is_object() && node.get(key).is_none() {
            self.faults.add(&node.pointer, format!("no {key}"));
        }
        let text = self.text(node, key)?;
        if text.is_empty() {
            self.faults.add(crate::json::step(&node.pointer, key), "expected a string that is not empty");
            return None;
        }
        Some(text)
    }

    fn flag(&mut self, node: &Node<'a>, key: &str) -> bool {
        let Some(member) = node.get(key) else { return false };
        member.value.as_bool().unwrap_or_else(|| {
            self.faults.add(member.pointer, "expected true or false");
            false
        })
    }

    fn object(&mut self, node: &Node<'a>, key: &str) -> Option<Node<'a>> {
        let Some(member) = node.get(key) else {
            self.faults.add(&node.pointer, format!("no {key}"));
            return None;
        };
        self.is_object(member)
    }

    fn is_object(&mut self, node: Node<'a>) -> Option<Node<'a>> {
        if node.value.is_object() {
            return Some(node);
        }
        self.faults.add(node.pointer, "expected an object");
        None
    }

    /// The elements of an array, each with its reference followed.
    fn list(&mut self, node: &Node<'a>, key: &str, required: bool) -> Vec<Node<'a>> {
        let Some(member) = node.get(key) else {
            if required {
                self.faults.add(&node.pointer, format!("no {key}"));
            }
            return Vec::new();
        };
        if !member.value.is_array() {
            self.faults.add(&member.pointer, "expected an array");
        }
        let elements = member.elements().collect::<Vec<_>>();
        elements.iter().filter_map(|element| self.resolved(element)).collect()
    }

    fn resolved(&mut self, node: &Node<'a>) -> Option<Node<'a>> {
        let node = follow(self.root, node, self.faults)?;
        self.is_object(node)
    }

    fn schema(&mut self, node: &Node<'a>, key: &str) -> Option<Schema> {
        let Some(member) = node.get(key) else {
            self.faults.add(&node.pointer, format!("no {key}"));
            return None;
        };
        Some(Schema { pointer: member.pointer, value: member.value.clone() })
    }

    fn schemas(&mut self, document: &Node<'a>) -> Vec<NamedSchema> {
        let Some(schemas) = self.component(document, "schemas") else { return Vec::new() };
        schemas
            .members()
            .map(|(name, node)| NamedSchema {
                name: name.to_owned(),
                schema: Schema { pointer: node.pointer, value: node.value.clone() },
            })
            .collect()
    }

    fn component(&mut self, document: &Node<'a>, key: &str) -> Option<Node<'a>> {
        let components = document.get("components")?;
        let member = self.is_object(components)?.get(key)?;
        self.is_object(member)
    }

    fn declared_errors(&mut self, document: &Node<'a>) -> Vec<ErrorObject> {
        let errors = self.component(document, "errors");
        // Beside the errors and not in them: the standard gives an error object no room for more members.
        let data = self.component(document, "x-error-data");
        for (name, node) in data.iter().flat_map(Node::members) {
            if errors.as_ref().and_then(|errors| errors.get(name)).is_none() {
                self.faults.add(&node.pointer, "no error of this name in components.errors");
            }
        }
        let members = errors.iter().flat_map(Node::members).collect::<Vec<_>>();
        members
            .into_iter()
            .filter_map(|(name, node)| {
                let node = self.is_object(node)?;
                let data = data.as_ref().filter(|data| data.get(name).is_some());
                let data = data.and_then(|data| self.schema(data, name));
                self.error(&node, Some(name), data)
            })
            .collect()
    }

    fn error(&mut self, node: &Node<'a>, name: Option<&str>, data: Option<Schema>) -> Option<ErrorObject> {
        let code = node.get("code").and_then(|code| code.value.as_i64());
        if code.is_none() {
            self.faults.add(&node.pointer, "no code, which is an integer");
        }
        let message = self.required_text(node, "message")?;
        let name = name.map_or_else(|| message.clone(), str::to_owned);
        Some(ErrorObject { pointer: node.pointer.clone(), name, code: code?, message, data })
    }

    fn method(&mut self, node: &Node<'a>, errors: &mut Vec<ErrorObject>) -> Option<Method> {
        let name = self.required_text(node, "name");
        let params = self.list(node, "params", true);
        let result = self.result(node);
        Some(Method {
            pointer: node.pointer.clone(),
            summary: self.text(node, "summary"),
            description: self.text(node, "description"),
            deprecated: self.flag(node, "deprecated"),
            auth: self.auth(node),
            connection: self.flag(node, "x-connection"),
            subscription: self.subscription(node),
            structure: self.structure(node),
            params: params.iter().filter_map(|param| self.param(param)).collect(),
            errors: self.method_errors(node, errors),
            examples: self.examples(node),
            name: name?,
            result: result?,
        })
    }

    fn auth(&mut self, node: &Node<'a>) -> Auth {
        let Some(member) = node.get("x-auth") else { return Auth::Session };
        match member.value.as_str() {
            Some("none") => Auth::None,
            Some("session") => Auth::Session,
            _ => {
                self.faults.add(member.pointer, "expected \"none\" or \"session\"");
                Auth::Session
            }
        }
    }

    fn subscription(&mut self, node: &Node<'a>) -> Option<Subscription> {
        let node = self.is_object(node.get("x-subscription")?)?;
        for (key, member) in node.members() {
            if !["notification", "unsubscribe", "item"].contains(&key) {
                self.faults.add(member.pointer, "expected notification, unsubscribe and item alone");
            }
        }
        let notification = self.required_text(&node, "notification");
        let unsubscribe = self.required_text(&node, "unsubscribe");
        let item = self.schema(&node, "item");
        Some(Subscription {
            notification: notification?,
            unsubscribe: unsubscribe?,
            item: item?,
            pointer: node.pointer,
        })
    }

    fn structure(&mut self, node: &Node<'a>) -> ParamStructure {
        let Some(member) = node.get("paramStructure") else { return ParamStructure::Either };
        match member.value.as_str() {
            Some("by-name") => ParamStructure::ByName,
            Some("by-position") => ParamStructure::ByPosition,
            Some("either") => ParamStructure::Either,
            _ => {
                self.faults.add(member.pointer, "expected \"by-name\", \"by-position\" or \"either\"");
                ParamStructure::Either
            }
        }
    }

    fn param(&mut self, node: &Node<'a>) -> Option<Param> {
        let name = self.required_text(node, "name");
        let schema = self.schema(node, "schema");
        Some(Param {
            pointer: node.pointer.clone(),
            summary: self.text(node, "summary"),
            description: self.text(node, "description"),
            required: self.flag(node, "required"),
            name: name?,
            schema: schema?,
        })
    }

    fn result(&mut self, node: &Node<'a>) -> Option<Schema> {
        let Some(member) = node.get("result") else {
            self.faults.add(
                &node.pointer,
                "no result; a method that answers nothing has the schema {\"type\": \"null\"}",
            );
            return None;
        };
        let result = self.resolved(&member)?;
        self.required_text(&result, "name");
        self.schema(&result, "schema")
    }

    fn method_errors(&mut self, node: &Node<'a>, errors: &mut Vec<ErrorObject>) -> Vec<String> {
        let mut places = Vec::new();
        for error in self.list(node, "errors", false) {
            if !errors.iter().any(|known| known.pointer == error.pointer)
                && let Some(error) = self.error(&error, None, None)
            {
                errors.push(error);
            }
            places.push(error.pointer);
        }
        places
    }

    fn examples(&mut self, node: &Node<'a>) -> Vec<(String, String)> {
        let mut examples = Vec::new();
        for example in self.list(node, "examples", false) {
            for param in self.list(&example, "params", true) {
                if let Some(name) = self.required_text(&param, "name") {
                    examples.push((param.pointer, name));
                }
            }
            if let Some(result) = example.get("result") {
                self.resolved(&result);
            }
        }
        examples
    }
}

/// The name of the schema that a reference names, if it names a whole one of `components.schemas`.
pub(crate) fn schema_name(root: &Value, reference: &Value) -> Result<String, String> {
    let node = target(root, reference)?;
    node.pointer
        .strip_prefix("/components/schemas/")
        .filter(|name| !name.contains('/'))
        .map(|name| name.replace("~1", "/").replace("~0", "~"))
        .ok_or_else(|| "a schema refers to a whole one of #/components/schemas".to_owned())
}
