//! The model as TypeScript: types and a client over the standard `WebSocket`, without dependencies.

use std::fmt::Write as _;

use heck::ToLowerCamelCase;
use serde_json::Value;

use super::one_line;
use crate::{
    model::{Kind, Method, Model, ParamStructure},
    names::{self, Scope},
    types::{Body, Content, Def, Form, Rest, Sequence, Struct, Ty, Union},
};

/// Names that JavaScript keeps or that the client has itself.
const TAKEN_METHODS: [&str; 9] =
    ["constructor", "call", "notify", "subscribe", "close", "connect", "closed", "then", "toString"];
/// Names of the types that the client brings, and of those that TypeScript has.
const TAKEN_TYPES: [&str; 30] = [
    "Array",
    "Boolean",
    "Client",
    "Connection",
    "Date",
    "Error",
    "Function",
    "Json",
    "Map",
    "Number",
    "Object",
    "Options",
    "Promise",
    "Record",
    "RpcError",
    "Set",
    "String",
    "Subscription",
    "Symbol",
    "WebSocket",
    "Partial",
    "Required",
    "Readonly",
    "Pick",
    "Omit",
    "Event",
    "MessageEvent",
    "Iterator",
    "Infinity",
    "NaN",
];

/// One module with everything.
pub(crate) fn render(model: &Model) -> String {
    let mut scope = Scope::with(&TAKEN_TYPES);
    let types = model.types.defs.iter().map(|def| scope.claim(def.name.clone())).collect::<Vec<_>>();
    let params = model.methods.iter().map(|method| scope.claim(method.params_type.clone()));
    let params = params.collect();
    let client = scope.claim(names::type_name(&model.title));
    let mut module = Module { model, types, params, client, text: String::new() };
    module.head();
    module.definitions();
    module.errors();
    module.params();
    module.client();
    module.text
}

struct Module<'m> {
    model: &'m Model,
    /// The name of each definition.
    types: Vec<String>,
    /// The name of the params of each method.
    params: Vec<String>,
    client: String,
    text: String,
}

impl Module<'_> {
    fn line(&mut self, line: impl AsRef<str>) {
        self.text.push_str(line.as_ref());
        self.text.push('\n');
    }

    fn head(&mut self) {
        self.line(format!("// {} {}", one_line(&self.model.title), one_line(&self.model.version)));
        self.line("");
        self.text.push_str(include_str!("typescript/connection.ts"));
        self.line("");
        let by_position =
            |method: &Method| method.structure == ParamStructure::ByPosition && !method.params.is_empty();
        if self.model.methods.iter().any(by_position) {
            self.text.push_str(include_str!("typescript/positions.ts"));
            self.line("");
        }
    }

    fn definitions(&mut self) {
        let mut defs = self.model.types.defs.iter().zip(self.types.clone()).collect::<Vec<_>>();
        defs.sort_by(|(_, a), (_, b)| a.cmp(b));
        for (def, name) in defs {
            self.doc(&doc_of(def), "");
            self.definition(&name, &def.body);
            self.line("");
        }
    }

    fn definition(&mut self, name: &str, body: &Body) {
        match body {
            Body::Struct(body) if matches!(body.rest, Rest::Refused | Rest::Open) => {
                self.line(format!("export interface {name} {{"));
                self.members(body, "  ");
                self.line("}");
            }
            // An interface may not refer to itself through an alias of a map; an intersection may.
            body => {
                let text = self.body(body);
                self.line(format!("export type {name} = {text};"));
            }
        }
    }

    fn members(&mut self, body: &Struct, indent: &str) {
        for field in &body.fields {
            self.doc(&field.doc, indent);
            let optional = if field.required { "" } else { "?" };
            let ty = self.ty(&field.ty);
            self.line(format!("{indent}{}{optional}: {ty};", key(&field.wire)));
        }
    }

    fn body(&self, body: &Body) -> String {
        match body {
            Body::Pending | Body::Any => "Json".to_owned(),
            Body::Text(_) => "string".to_owned(),
            Body::Integer(_) | Body::Number(_) => "number".to_owned(),
            Body::Texts(variants) => {
                alternatives(variants.iter().map(|variant| literal(&variant.wire)).collect())
            }
            Body::Values(variants) => {
                alternatives(variants.iter().map(|variant| literal_type(&variant.value)).collect())
            }
            Body::Newtype(ty) => self.ty(ty),
            Body::Struct(body) => self.object(body, None),
            Body::Union(union) => self.union(union),
            Body::Sequence(body) => self.sequence(body),
        }
    }

    fn sequence(&self, body: &Sequence) -> String {
        let items = body.items.iter().enumerate().map(|(index, item)| {
            let optional = u64::try_from(index).is_ok_and(|index| index >= body.least);
            format!("({}){}", self.ty(item), if optional { "?" } else { "" })
        });
        let rest = body.rest.as_ref().map(|rest| format!("...Array<{}>", self.ty(rest)));
        format!("[{}]", items.chain(rest).collect::<Vec<_>>().join(", "))
    }

    fn union(&self, union: &Union) -> String {
        let variants = union.variants.iter().map(|variant| match (&variant.content, &union.form) {
            (Content::Unit, _) => literal(&variant.wire),
            (Content::Ty(ty), Form::External) => format!("{{ {}: {} }}", key(&variant.wire), self.ty(ty)),
            (Content::Ty(ty), _) => self.ty(ty),
            (Content::Fields(body), Form::Internal(tag)) => {
                self.object(body, Some(format!("{}: {}", key(tag), literal(&variant.wire))))
            }
            (Content::Fields(body), _) => self.object(body, None),
        });
        alternatives(variants.collect())
    }

    fn object(&self, body: &Struct, tag: Option<String>) -> String {
        let members = body.fields.iter().map(|field| {
            let optional = if field.required { "" } else { "?" };
            format!("{}{optional}: {}", key(&field.wire), self.ty(&field.ty))
        });
        let members = tag.into_iter().chain(members).collect::<Vec<_>>();
        let object =
            if members.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", members.join("; ")) };
        match &body.rest {
            // What is named would have to be of the same type in one interface.
            Rest::Typed(ty) => {
                format!("{object} & {{ [member: string]: {} | Json | undefined }}", self.ty(ty))
            }
            rest @ Rest::Patterned { .. } => {
                let value = rest.value().map_or_else(|| "Json".to_owned(), |ty| self.ty(&ty));
                format!("{object} & {{ [member: string]: {value} | Json | undefined }}")
            }
            Rest::Open | Rest::Refused => object,
        }
    }

    fn ty(&self, ty: &Ty) -> String {
        match ty {
            Ty::Any => "Json".to_owned(),
            Ty::Null | Ty::Never => "null".to_owned(),
            Ty::Bool => "boolean".to_owned(),
            Ty::Integer(_) | Ty::Number => "number".to_owned(),
            Ty::Text | Ty::Uuid => "string".to_owned(),
            Ty::List(item) => format!("Array<{}>", self.ty(item)),
            Ty::Led(_) => "Array<Json>".to_owned(),
            Ty::Tuple(items) => {
                let items = items.iter().map(|item| self.ty(item)).collect::<Vec<_>>();
                format!("[{}]", items.join(", "))
            }
            Ty::Map(value) => format!("{{ [member: string]: {} }}", self.ty(value)),
            Ty::Option(inner) => format!("{} | null", self.ty(inner)),
            Ty::Def(id) | Ty::Boxed(id) => self.types.get(*id).cloned().unwrap_or_else(|| "Json".to_owned()),
        }
    }

    fn errors(&mut self) {
        self.line("/** The codes of the errors that the document declares. */");
        self.line("export const codes = {");
        for error in &self.model.errors {
            self.doc(&error.message, "  ");
            self.line(format!("  {}: {},", error.constant, error.code));
        }
        self.line("} as const;");
        self.line("");
    }

    fn params(&mut self) {
        for (method, name) in self.model.methods.iter().zip(self.params.clone()) {
            if method.params.is_empty() {
                continue;
            }
            self.line(format!("/** Params of `{}`. */", comment(&method.wire)));
            self.line(format!("export interface {name} {{"));
            for param in &method.params {
                self.doc(&param.doc, "  ");
                let optional = if param.required { "" } else { "?" };
                let ty = self.ty(&param.ty);
                self.line(format!("  {}{optional}: {ty};", key(&param.wire)));
            }
            self.line("}");
            self.line("");
        }
    }

    fn client(&mut self) {
        let model = self.model;
        self.doc(&model.description, "");
        self.line(format!("export class {} extends Connection {{", self.client));
        self.line("  /** Opens a connection. */");
        self.line(format!(
            "  static async connect(url: string, options: Options = {{}}): Promise<{}> {{",
            self.client
        ));
        self.line(format!("    const client = new {}(url, options);", self.client));
        self.line("    await client.opened;");
        self.line("    return client;");
        self.line("  }");
        let mut scope = Scope::with(&TAKEN_METHODS);
        for (method, params) in model.methods.iter().zip(self.params.clone()) {
            let name = scope.claim(function_name(&method.wire));
            self.method(method, &name, &params);
        }
        self.line("}");
    }

    fn method(&mut self, method: &Method, name: &str, params: &str) {
        if matches!(method.kind, Kind::Unsubscription) {
            return;
        }
        self.line("");
        self.doc(&method.doc(), "  ");
        let optional = method.params.iter().all(|param| !param.required);
        let argument = match (method.params.is_empty(), optional) {
            (true, _) => String::new(),
            (false, true) => format!("params: {params} = {{}}"),
            (false, false) => format!("params: {params}"),
        };
        let wire = literal(&method.wire);
        let given = match (method.params.is_empty(), method.structure) {
            (true, _) => "undefined".to_owned(),
            (false, ParamStructure::ByPosition) => {
                let names = method.params.iter().map(|param| format!("params[{}]", literal(&param.wire)));
                format!("positions([{}])", names.collect::<Vec<_>>().join(", "))
            }
            (false, _) => "params".to_owned(),
        };
        match &method.kind {
            Kind::Subscription { notification, unsubscribe, item } => {
                let item = self.ty(item);
                let comma = if argument.is_empty() { "" } else { ", " };
                let last = format!("heard: (item: {item}) => void");
                // An optional argument cannot stand before one that is not.
                let argument = argument.replace(" = {}", "");
                self.line(format!("  {name}({argument}{comma}{last}): Promise<Subscription> {{"));
                let (notification, unsubscribe) = (literal(notification), literal(unsubscribe));
                let heard = format!("(item) => heard(item as {item})");
                self.line(format!(
                    "    return this.subscribe({wire}, {notification}, {unsubscribe}, {given}, {heard});"
                ));
            }
            _ => match &method.result {
                Some(result) => {
                    let result = self.ty(result);
                    self.line(format!("  async {name}({argument}): Promise<{result}> {{"));
                    self.line(format!("    return (await this.call({wire}, {given})) as {result};"));
                }
                None => {
                    self.line(format!("  {name}({argument}): void {{"));
                    self.line(format!("    this.notify({wire}, {given});"));
                }
            },
        }
        self.line("  }");
    }

    fn doc(&mut self, text: &str, indent: &str) {
        let lines = text.trim().lines().map(|line| comment(line.trim_end())).collect::<Vec<_>>();
        match lines.as_slice() {
            [] => {}
            [line] => self.line(format!("{indent}/** {line} */")),
            lines => {
                self.line(format!("{indent}/**"));
                for line in lines {
                    let mut row = format!("{indent} *");
                    let _ = if line.is_empty() { Ok(()) } else { write!(row, " {line}") };
                    self.line(row);
                }
                self.line(format!("{indent} */"));
            }
        }
    }
}

fn doc_of(def: &Def) -> String {
    if def.deprecated { format!("{}\n\n@deprecated", def.doc) } else { def.doc.clone() }
}

fn function_name(wire: &str) -> String {
    let name = names::type_name(wire).to_lower_camel_case();
    if name.is_empty() { "empty".to_owned() } else { name }
}

fn alternatives(mut alternatives: Vec<String>) -> String {
    alternatives.dedup();
    if alternatives.is_empty() { "never".to_owned() } else { alternatives.join(" | ") }
}

fn literal(text: &str) -> String {
    // JSON strings are strings of JavaScript, but for two signs that end lines there.
    Value::from(text).to_string().replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029")
}

/// A type that lets one value in.
fn literal_type(value: &Value) -> String {
    match value {
        Value::String(text) => literal(text),
        Value::Object(_) | Value::Array(_) => "Json".to_owned(),
        other => other.to_string(),
    }
}

/// The name of a member: bare where it is a name.
fn key(wire: &str) -> String {
    let bare = wire.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && wire.chars().all(|sign| sign.is_ascii_alphanumeric() || sign == '_');
    if bare { wire.to_owned() } else { literal(wire) }
}

fn comment(text: &str) -> String {
    text.replace("*/", "*\\/").replace(['\u{2028}', '\u{2029}', '\r'], " ")
}
