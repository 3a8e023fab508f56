//! Reads the parts of a document. A part that is missing or of the wrong type is noted and left out.

mod examples;

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    Auth, Document, DocumentError, DocumentMethod, DocumentParam, NamedSchema, ParamStructure, Server,
    Subscription,
};
use crate::{
    error::Faults,
    json::step,
    load::Files,
    resolve::{Node, Place},
};

pub(crate) fn read<'a>(files: &'a Files, faults: &mut Faults) -> Document<'a> {
    let mut reader = DocumentReader { faults, errors: BTreeSet::new() };
    let document = Node::root(files);
    if !document.value.is_object() {
        reader.faults.fatal(document.file_name(), "", "expected an object");
    }
    reader.version(&document);
    let info = reader.object(&document, "info");
    let title = info.as_ref().and_then(|info| reader.present_text(info, "title"));
    let description = info.as_ref().and_then(|info| reader.text(info, "description"));
    let version = info.as_ref().and_then(|info| reader.present_text(info, "version"));
    let mut errors = reader.declared_errors(&document);
    let methods = reader.list(&document, "methods", true);
    let methods = methods.iter().filter_map(|node| reader.method(node, &mut errors)).collect::<Vec<_>>();
    errors.sort_by_key(|error| std::cmp::Reverse(error.code));
    let schemas = reader.schemas(&document);
    Document {
        files,
        title: title.unwrap_or_default(),
        version: version.unwrap_or_default(),
        description,
        servers: reader.servers(&document),
        methods,
        errors,
        schemas,
    }
}

struct DocumentReader<'f> {
    faults: &'f mut Faults,
    /// Places of the error objects that were read.
    errors: BTreeSet<Place>,
}

impl<'a> DocumentReader<'_> {
    fn version(&mut self, document: &Node<'a>) {
        if let Some(version) = self.required_text(document, "openrpc")
            && !version.starts_with("1.")
        {
            let problem = format!("unsupported version `{version}`; expected 1.x");
            self.faults.add(document.file_name(), "/openrpc", problem);
        }
    }

    fn text(&mut self, node: &Node<'a>, key: &str) -> Option<String> {
        let member = node.get(key)?;
        let text = member.value.as_str().map(str::to_owned);
        if text.is_none() {
            member.fault(self.faults, "expected a string");
        }
        text
    }

    /// A required string, which may be empty.
    fn present_text(&mut self, node: &Node<'a>, key: &str) -> Option<String> {
        if node.value.is_object() && node.get(key).is_none() {
            node.fault(self.faults, format!("no {key}"));
        }
        self.text(node, key)
    }

    fn required_text(&mut self, node: &Node<'a>, key: &str) -> Option<String> {
        let text = self.present_text(node, key)?;
        if text.is_empty() {
            let at = step(&node.pointer, key);
            self.faults.add(node.file_name(), at, "expected a string that is not empty");
            return None;
        }
        Some(text)
    }

    fn flag(&mut self, node: &Node<'a>, key: &str) -> bool {
        let Some(member) = node.get(key) else { return false };
        member.value.as_bool().unwrap_or_else(|| {
            member.fault(self.faults, "expected true or false");
            false
        })
    }

    fn object(&mut self, node: &Node<'a>, key: &str) -> Option<Node<'a>> {
        let Some(member) = node.get(key) else {
            node.fault(self.faults, format!("no {key}"));
            return None;
        };
        self.is_object(member)
    }

    fn is_object(&mut self, node: Node<'a>) -> Option<Node<'a>> {
        if node.value.is_object() {
            return Some(node);
        }
        node.fault(self.faults, "expected an object");
        None
    }

    /// The elements of an array, each with its reference followed.
    fn list(&mut self, node: &Node<'a>, key: &str, required: bool) -> Vec<Node<'a>> {
        let Some(member) = node.get(key) else {
            if required {
                node.fault(self.faults, format!("no {key}"));
            }
            return Vec::new();
        };
        if !member.value.is_array() {
            member.fault(self.faults, "expected an array");
        }
        member.elements().filter_map(|element| self.resolved(&element)).collect()
    }

    fn resolved(&mut self, node: &Node<'a>) -> Option<Node<'a>> {
        let node = node.follow(self.faults)?;
        self.is_object(node)
    }

    /// A required schema. If it is missing and a lenient run passes over that, any value is valid.
    fn schema(&mut self, node: &Node<'a>, key: &str) -> Node<'a> {
        static ANY: Value = Value::Bool(true);
        node.get(key).unwrap_or_else(|| {
            node.fault(self.faults, format!("no {key}"));
            Node { value: &ANY, pointer: step(&node.pointer, key), ..node.clone() }
        })
    }

    fn servers(&mut self, document: &Node<'a>) -> Vec<Server> {
        let servers = self.list(document, "servers", false);
        let servers = servers.iter().filter_map(|node| {
            let url = node.text("url")?.to_owned();
            Some(Server { name: node.text("name").unwrap_or("default").to_owned(), url })
        });
        servers.collect()
    }

    fn schemas(&mut self, document: &Node<'a>) -> Vec<NamedSchema<'a>> {
        let Some(schemas) = self.component(document, "schemas") else { return Vec::new() };
        schemas.members().map(|(name, schema)| NamedSchema { name: name.to_owned(), schema }).collect()
    }

    fn component(&mut self, document: &Node<'a>, key: &str) -> Option<Node<'a>> {
        let components = document.get("components")?;
        let member = self.is_object(components)?.get(key)?;
        self.is_object(member)
    }

    fn declared_errors(&mut self, document: &Node<'a>) -> Vec<DocumentError<'a>> {
        let errors = self.component(document, "errors");
        // The schemas of data are next to the errors: the standard allows no further members in an error object.
        let data = self.component(document, "x-error-data");
        for (name, node) in data.iter().flat_map(Node::members) {
            if errors.as_ref().and_then(|errors| errors.get(name)).is_none() {
                node.fault(self.faults, "no error of this name in components.errors");
            }
        }
        let members = errors.iter().flat_map(Node::members).collect::<Vec<_>>();
        members
            .into_iter()
            .filter_map(|(name, node)| {
                let node = self.resolved(&node)?;
                let data = data.as_ref().and_then(|data| data.get(name));
                self.errors.insert(node.place());
                self.error(&node, Some(name), data)
            })
            .collect()
    }

    fn error(
        &mut self,
        node: &Node<'a>,
        name: Option<&str>,
        data: Option<Node<'a>>,
    ) -> Option<DocumentError<'a>> {
        let code = node.get("code").and_then(|code| code.value.as_i64());
        if code.is_none() {
            node.fault(self.faults, "no code, which is an integer");
        }
        let message = self.present_text(node, "message");
        let message = message.or_else(|| name.map(str::to_owned))?;
        let component = name.is_some();
        let unnamed = || {
            if message.is_empty() { format!("code {}", code.unwrap_or_default()) } else { message.clone() }
        };
        let name = name.map_or_else(unnamed, str::to_owned);
        let code = code?;
        if i32::try_from(code).is_err() {
            let at = step(&node.pointer, "code");
            self.faults.add(node.file_name(), at, format!("{code} does not fit in 32 bits"));
            return None;
        }
        Some(DocumentError { node: node.clone(), name, code, message, data, component })
    }

    fn method(&mut self, node: &Node<'a>, errors: &mut Vec<DocumentError<'a>>) -> Option<DocumentMethod<'a>> {
        let name = self.required_text(node, "name");
        let params = self.list(node, "params", true);
        let members = node.value.as_object().into_iter().flatten();
        let extensions = members.filter(|(key, _)| key.starts_with("x-"));
        Some(DocumentMethod {
            node: node.clone(),
            summary: self.text(node, "summary"),
            description: self.text(node, "description"),
            deprecated: self.flag(node, "deprecated"),
            tags: self.tags(node),
            auth: self.auth(node),
            connection: self.flag(node, "x-connection"),
            subscription: self.subscription(node),
            structure: self.structure(node),
            params: params.iter().filter_map(|param| self.param(param)).collect(),
            result: self.result(node),
            errors: self.method_errors(node, errors),
            examples: self.examples(node),
            extensions: extensions.map(|(key, value)| (key.clone(), value.clone())).collect(),
            name: name?,
        })
    }

    fn tags(&mut self, node: &Node<'a>) -> Vec<String> {
        let Some(member) = node.get("tags") else { return Vec::new() };
        let tags = member.elements().filter_map(|tag| match tag.value {
            // The standard wants an object here, but the meaning is plain.
            Value::String(name) => Some(name.clone()),
            _ => Some(self.resolved(&tag)?.text("name")?.to_owned()),
        });
        tags.collect()
    }

    fn auth(&mut self, node: &Node<'a>) -> Auth {
        let Some(member) = node.get("x-auth") else { return Auth::Session };
        match member.value.as_str() {
            Some("none") => Auth::None,
            Some("session") => Auth::Session,
            _ => {
                member.fault(self.faults, "expected \"none\" or \"session\"");
                Auth::Session
            }
        }
    }

    fn subscription(&mut self, node: &Node<'a>) -> Option<Subscription<'a>> {
        let node = self.is_object(node.get("x-subscription")?)?;
        for (key, member) in node.members() {
            if !["notification", "unsubscribe", "item"].contains(&key) {
                member.fault(self.faults, "expected notification, unsubscribe and item alone");
            }
        }
        let notification = self.required_text(&node, "notification");
        let unsubscribe = self.required_text(&node, "unsubscribe");
        let item = self.schema(&node, "item");
        Some(Subscription { notification: notification?, unsubscribe: unsubscribe?, item, node })
    }

    fn structure(&mut self, node: &Node<'a>) -> ParamStructure {
        let Some(member) = node.get("paramStructure") else { return ParamStructure::Unspecified };
        match member.value.as_str() {
            Some("by-name") => ParamStructure::ByName,
            Some("by-position") => ParamStructure::ByPosition,
            Some("either") => ParamStructure::Either,
            _ => {
                member.fault(self.faults, "expected \"by-name\", \"by-position\" or \"either\"");
                ParamStructure::Either
            }
        }
    }

    fn param(&mut self, node: &Node<'a>) -> Option<DocumentParam<'a>> {
        let name = self.required_text(node, "name");
        let schema = self.schema(node, "schema");
        Some(DocumentParam {
            node: node.clone(),
            summary: self.text(node, "summary"),
            description: self.text(node, "description"),
            required: self.flag(node, "required"),
            deprecated: self.flag(node, "deprecated"),
            name: name?,
            schema,
        })
    }

    fn result(&mut self, node: &Node<'a>) -> Option<Node<'a>> {
        let result = self.resolved(&node.get("result")?)?;
        Some(self.schema(&result, "schema"))
    }

    fn method_errors(&mut self, node: &Node<'a>, errors: &mut Vec<DocumentError<'a>>) -> Vec<Place> {
        let mut places = Vec::new();
        for error in self.list(node, "errors", false) {
            let place = error.place();
            if !self.errors.insert(place.clone()) {
                places.push(place);
            } else if let Some(error) = self.error(&error, None, None) {
                errors.push(error);
                places.push(place);
            }
        }
        places
    }
}
