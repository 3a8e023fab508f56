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

/// Names that methods cannot have; they get a `_` at the end. The first is no method, `await` would take a client with
/// the second for a promise, and every object has the others.
const RESERVED_METHODS: [&str; 8] = [
    "constructor",
    "then",
    "hasOwnProperty",
    "isPrototypeOf",
    "propertyIsEnumerable",
    "toLocaleString",
    "toString",
    "valueOf",
];
/// Globals of the language that the support code uses, and that a type of the document may hide.
const GLOBALS: [&str; 10] =
    ["Array", "Boolean", "Date", "Error", "JSON", "Map", "Math", "Object", "Promise", "String"];
const CONNECTION: &str = include_str!("typescript/connection.ts");
/// The start of a client, with `@` for its name.
const OPENING: &str = include_str!("typescript/client.ts.in");
const POSITIONS: &str = include_str!("typescript/positions.ts");

/// One module with everything.
pub(crate) fn render(model: &Model) -> String {
    let names = Names::new(model);
    let mut module = Module { model, names, text: String::new() };
    module.head();
    module.definitions();
    module.errors();
    module.params();
    module.client();
    module.text
}

/// All names. Names of the document come first: a name of the support code is written `$Name` there, and loses the `$`
/// only if the document leaves the name free. They cannot collide, because no name made from the document has a `$`.
struct Names {
    /// The type of each definition, as it is written where it is used.
    types: Vec<String>,
    /// True for definitions without a declaration: support types, and types written out where they are used.
    undeclared: Vec<bool>,
    /// The type of the params of each method.
    params: Vec<String>,
    methods: Vec<String>,
    client: String,
    taken_types: Scope,
    taken_methods: Scope,
}

impl Names {
    fn new(model: &Model) -> Self {
        let mut taken_types = Scope::default();
        let mut undeclared = Vec::new();
        let mut is_json_ours = false;
        let types = model.types.defs.iter().map(|def| {
            let (name, is_declared) = match &def.body {
                Body::Text(_) if def.inline => ("string".to_owned(), false),
                Body::Integer(_) | Body::Number(_) if def.inline => ("number".to_owned(), false),
                // The support code has the same type.
                Body::Any if def.name == "Json" && !is_json_ours => {
                    is_json_ours = true;
                    ("$Json".to_owned(), false)
                }
                _ => (taken_types.claim(def.name.clone()), true),
            };
            undeclared.push(!is_declared);
            name
        });
        let types = types.collect::<Vec<_>>();
        let params = model.methods.iter().map(|method| taken_types.claim(method.params_type.clone()));
        let params = params.collect();
        let title = names::type_name(&model.title);
        let title = if taken_types.has(&title) { format!("{title}Client") } else { title };
        let client = taken_types.claim(title);
        let mut taken_methods = Scope::default();
        let methods = model.methods.iter().map(|method| {
            let name = taken_methods.claim(function_name(&method.wire));
            if RESERVED_METHODS.contains(&name.as_str()) { format!("{name}_") } else { name }
        });
        let methods = methods.collect();
        let mut names = Self { types, undeclared, params, methods, client, taken_types, taken_methods };
        for index in 0..names.types.len() {
            if names.types[index] == "$Json" {
                names.types[index] = names.ours("$Json");
            }
        }
        names
    }

    /// Support code with the names that the document leaves free.
    fn ours(&self, text: &str) -> String {
        let is_part = |sign: char| sign.is_ascii_alphanumeric() || sign == '_' || sign == '$';
        let mut named = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find(is_part) {
            let (before, from) = rest.split_at(start);
            let (word, after) = from.split_at(from.find(|sign| !is_part(sign)).unwrap_or(from.len()));
            named.push_str(before);
            match word.strip_prefix('$') {
                // `${` of a template.
                Some("") | None => {
                    let is_member = before.ends_with('.') || before.ends_with('#');
                    if GLOBALS.contains(&word) && !is_member && self.taken_types.has(word) {
                        named.push_str("globalThis.");
                    }
                    named.push_str(word);
                }
                Some(name) => {
                    let is_type = name.starts_with(|first: char| first.is_ascii_uppercase());
                    let scope = if is_type { &self.taken_types } else { &self.taken_methods };
                    named.push_str(if scope.has(name) { word } else { name });
                }
            }
            rest = after;
        }
        named + rest
    }
}

struct Module<'m> {
    model: &'m Model,
    names: Names,
    text: String,
}

impl Module<'_> {
    fn line(&mut self, line: impl AsRef<str>) {
        self.text.push_str(line.as_ref());
        self.text.push('\n');
    }

    fn ours(&self, text: &str) -> String {
        self.names.ours(text)
    }

    fn head(&mut self) {
        self.line(format!("// {} {}", one_line(&self.model.title), one_line(&self.model.version)));
        self.line("");
        self.text.push_str(&self.ours(CONNECTION));
        self.line("");
        let by_position =
            |method: &Method| method.structure == ParamStructure::ByPosition && !method.params.is_empty();
        if self.model.methods.iter().any(by_position) {
            self.text.push_str(POSITIONS);
            self.line("");
        }
    }

    fn definitions(&mut self) {
        let declared = self.names.types.iter().zip(&self.names.undeclared);
        let defs = self.model.types.defs.iter().zip(declared).filter(|(_, (_, undeclared))| !**undeclared);
        let mut defs = defs.map(|(def, (name, _))| (def, name.clone())).collect::<Vec<_>>();
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
            Body::Pending | Body::Any => self.ours("$Json"),
            Body::Text(_) => "string".to_owned(),
            Body::Integer(_) | Body::Number(_) => "number".to_owned(),
            Body::Texts(variants) => {
                alternatives(variants.iter().map(|variant| literal(&variant.wire)).collect())
            }
            Body::Values(variants) => {
                alternatives(variants.iter().map(|variant| self.literal_type(&variant.value)).collect())
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
            // An interface with an index signature wants one type for all members.
            Rest::Typed(ty) => {
                let json = self.ours("$Json");
                format!("{object} & {{ [member: string]: {} | {json} | undefined }}", self.ty(ty))
            }
            rest @ Rest::Patterned { .. } => {
                let json = self.ours("$Json");
                let value = rest.value().map_or_else(|| json.clone(), |ty| self.ty(&ty));
                format!("{object} & {{ [member: string]: {value} | {json} | undefined }}")
            }
            Rest::Open | Rest::Refused => object,
        }
    }

    fn ty(&self, ty: &Ty) -> String {
        match ty {
            Ty::Any => self.ours("$Json"),
            Ty::Null | Ty::Never => "null".to_owned(),
            Ty::Bool => "boolean".to_owned(),
            Ty::Integer(_) | Ty::Number => "number".to_owned(),
            Ty::Text | Ty::Uuid => "string".to_owned(),
            Ty::List(item) => format!("{}<{}>", self.ours("Array"), self.ty(item)),
            Ty::Led(_) => format!("{}<{}>", self.ours("Array"), self.ours("$Json")),
            Ty::Tuple(items) => {
                let items = items.iter().map(|item| self.ty(item)).collect::<Vec<_>>();
                format!("[{}]", items.join(", "))
            }
            Ty::Map(value) => format!("{{ [member: string]: {} }}", self.ty(value)),
            Ty::Option(inner) => format!("{} | null", self.ty(inner)),
            Ty::Def(id) | Ty::Boxed(id) => {
                self.names.types.get(*id).cloned().unwrap_or_else(|| self.ours("$Json"))
            }
        }
    }

    /// A type that lets one value in.
    fn literal_type(&self, value: &Value) -> String {
        match value {
            Value::String(text) => literal(text),
            Value::Object(_) | Value::Array(_) => self.ours("$Json"),
            other => other.to_string(),
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
        for (method, name) in self.model.methods.iter().zip(self.names.params.clone()) {
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
        let client = self.names.client.clone();
        let opening = self.ours(OPENING).replace('@', &client);
        self.line(opening.trim_end());
        let names = self.names.methods.clone().into_iter().zip(self.names.params.clone());
        for (method, (name, params)) in model.methods.iter().zip(names) {
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
            (false, true) => format!("params: {params} = {{}}, "),
            (false, false) => format!("params: {params}, "),
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
        let promise = self.ours("Promise");
        match &method.kind {
            Kind::Subscription { notification, unsubscribe, item } => {
                let item = self.ty(item);
                // An optional argument cannot come before a required one.
                let argument = argument.replace(" = {}", "");
                let subscription = self.ours("options?: $SubscribeOptions): Promise<$Subscription>");
                self.line(format!(
                    "  async {name}({argument}onItem: (item: {item}) => void, {subscription} {{"
                ));
                let (notification, unsubscribe) = (literal(notification), literal(unsubscribe));
                let on_item = format!("(item) => onItem(item as {item})");
                let subscribe = self.ours("this.$subscribe");
                self.line(format!(
                    "    return {subscribe}({wire}, {notification}, {unsubscribe}, {given}, {on_item}, options);"
                ));
            }
            _ => match &method.result {
                Some(result) => {
                    let result = self.ty(result);
                    let (options, call) = (self.ours("options?: $CallOptions"), self.ours("this.$call"));
                    self.line(format!("  async {name}({argument}{options}): {promise}<{result}> {{"));
                    self.line(format!("    return (await {call}({wire}, {given}, options)) as {result};"));
                }
                None => {
                    let (argument, notify) = (argument.trim_end_matches(", "), self.ours("this.$notify"));
                    self.line(format!("  async {name}({argument}): {promise}<void> {{"));
                    self.line(format!("    return {notify}({wire}, {given});"));
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
    // A JSON string is a JavaScript string, except for two characters that end lines there.
    Value::from(text).to_string().replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029")
}

/// The key of a member, quoted unless it is an identifier.
fn key(wire: &str) -> String {
    let bare = wire.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && wire.chars().all(|sign| sign.is_ascii_alphanumeric() || sign == '_');
    if bare { wire.to_owned() } else { literal(wire) }
}

fn comment(text: &str) -> String {
    text.replace("*/", "*\\/").replace(['\u{2028}', '\u{2029}', '\r'], " ")
}
