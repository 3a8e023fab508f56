//! The model as a reference for people, in Markdown.

use std::fmt::Write as _;

use serde_json::json;

use super::{Fence, Line, one_line};
use crate::{
    document::Example,
    model::{Kind, Method, Model, ParamStructure, prose},
    types::{Body, Content, Def, Form, Rest, Sequence, Struct, Ty, Types, Variant, scalar::Bound},
};

/// The whole reference.
pub(crate) fn render(model: &Model) -> String {
    let mut page = Page { model, text: String::new() };
    page.head();
    for method in &model.methods {
        page.method(method);
    }
    page.errors();
    page.types();
    page.text
}

struct Page<'m> {
    model: &'m Model,
    text: String,
}

impl Page<'_> {
    fn line(&mut self, line: impl AsRef<str>) {
        self.text.push_str(line.as_ref());
        self.text.push('\n');
    }

    fn paragraph(&mut self, text: &str) {
        if !text.trim().is_empty() {
            self.line(block(text));
            self.line("");
        }
    }

    fn head(&mut self) {
        let model = self.model;
        self.line(format!("# {} {}", one_line(&model.title), one_line(&model.version)));
        self.line("");
        self.paragraph(&model.description);
        if !model.servers.is_empty() {
            for server in &model.servers {
                self.line(format!("- {}: {}", one_line(&server.name), code(&server.url)));
            }
            self.line("");
        }
        self.line("## Methods");
        self.line("");
        self.line("| method | |");
        self.line("|---|---|");
        for method in &model.methods {
            let summary = cell(if method.summary.is_empty() { &method.description } else { &method.summary });
            let name = cell(&code(&method.wire));
            self.line(format!("| [{name}](#{}) | {summary} |", anchor(&method.wire)));
        }
        self.line("");
    }

    fn method(&mut self, method: &Method) {
        self.line(format!("### {}", code(&method.wire)));
        self.line("");
        if method.deprecated {
            self.paragraph("**Deprecated.**");
        }
        self.paragraph(&prose(&method.summary, &method.description));
        self.params(method);
        let types = &self.model.types;
        match (&method.kind, &method.result) {
            (_, None) => self.paragraph("A notification: nothing is answered."),
            (_, Some(result)) => {
                let result = phrase(result, types);
                self.paragraph(&format!("**Result:** {result}"));
            }
        }
        if let Kind::Subscription { notification, unsubscribe, item } = &method.kind {
            let item = phrase(item, types);
            let text = format!(
                "**Subscription:** {} notifications tell of it, each with {item}; {} ends it.",
                code(notification),
                code(unsubscribe)
            );
            self.paragraph(&text);
        }
        let errors = self.model.errors_of(method);
        let errors = errors.map(|error| format!("[{}](#errors) {}", code(&error.name), error.code));
        let errors = errors.collect::<Vec<_>>().join(", ");
        if !errors.is_empty() {
            self.paragraph(&format!("**Errors:** {errors}"));
        }
        for (error, data) in
            method.errors.iter().zip(self.model.errors_of(method)).filter_map(|(index, error)| {
                Some((error, method.error_data.get(index).filter(|data| error.shown.as_ref() != Some(data))?))
            })
        {
            self.paragraph(&format!("With the data of {}: {}", code(&error.name), code(&data.to_string())));
        }
        for example in &method.examples {
            self.example(method, example);
        }
    }

    fn params(&mut self, method: &Method) {
        if method.params.is_empty() {
            self.paragraph("No params.");
            return;
        }
        let form = match method.structure {
            ParamStructure::ByName => "by name",
            ParamStructure::ByPosition => "by position",
            ParamStructure::Either | ParamStructure::Unspecified => "by name or by position",
        };
        self.line(format!("| param ({form}) | type | |"));
        self.line("|---|---|---|");
        for param in &method.params {
            let optional = if param.required { "" } else { ", optional" };
            let ty = cell(&phrase(&param.ty, &self.model.types));
            let doc = cell(&param.doc);
            self.line(format!("| {}{optional} | {ty} | {doc} |", cell(&code(&param.wire))));
        }
        self.line("");
    }

    fn example(&mut self, method: &Method, example: &Example) {
        let mut request = json!({ "jsonrpc": "2.0", "id": 1, "method": method.wire });
        if let Some(request) = request.as_object_mut().filter(|_| !example.params.is_empty()) {
            request.insert("params".to_owned(), method.example_params(example));
        }
        let answer = match (&example.error, &example.result) {
            (Some(error), _) => Some(json!({ "jsonrpc": "2.0", "id": 1, "error": error })),
            (None, Some(result)) => Some(json!({ "jsonrpc": "2.0", "id": 1, "result": result })),
            (None, None) => None,
        };
        let name = if example.name.is_empty() { "an example" } else { &example.name };
        let given = example.given.as_ref().map(|given| format!("; given: {given}")).unwrap_or_default();
        self.paragraph(&one_line(&format!("**Example:** {name}{given}")));
        self.line("```json");
        for message in [Some(request), answer].into_iter().flatten() {
            let message = serde_json::to_string_pretty(&message).unwrap_or_default();
            self.line(message);
        }
        self.line("```");
        self.line("");
        if !example.varies.is_empty() {
            let varies = example.varies.iter().map(|pointer| code(pointer));
            let varies = varies.collect::<Vec<_>>().join(", ");
            self.paragraph(&format!("Differs from time to time: {varies}."));
        }
    }

    fn errors(&mut self) {
        let model = self.model;
        if model.errors.is_empty() {
            return;
        }
        self.line("## Errors");
        self.line("");
        self.line("| code | name | message | data |");
        self.line("|---|---|---|---|");
        for error in &model.errors {
            let data = match (&error.data, &error.shown) {
                (Some(data), _) => cell(&phrase(data, &model.types)),
                (None, Some(shown)) => cell(&code(&shown.to_string())),
                (None, None) => String::new(),
            };
            let (name, message) = (cell(&code(&error.name)), cell(&error.message));
            self.line(format!("| {} | {name} | {message} | {data} |", error.code));
        }
        self.line("");
    }

    fn types(&mut self) {
        let model = self.model;
        let mut defs = model.types.defs.iter().filter(|def| has_heading(def)).collect::<Vec<_>>();
        defs.sort_by(|a, b| a.name.cmp(&b.name));
        if defs.is_empty() {
            return;
        }
        self.line("## Types");
        self.line("");
        for def in defs {
            self.line(format!("### {}", def.name));
            self.line("");
            self.paragraph(&def.doc);
            self.body(&def.body);
        }
    }

    fn body(&mut self, body: &Body) {
        let types = &self.model.types;
        match body {
            Body::Struct(body) => self.fields(body),
            Body::Union(union) => self.variants(&union.form, &union.variants),
            Body::Texts(variants) => {
                for variant in variants {
                    let doc = if variant.doc.is_empty() {
                        String::new()
                    } else {
                        format!(": {}", cell(&variant.doc))
                    };
                    self.line(format!("- {}{doc}", code(&format!("{:?}", variant.wire))));
                }
                self.line("");
            }
            Body::Values(values) => {
                let values = values.iter().map(|value| code(&value.value.to_string())).collect::<Vec<_>>();
                self.paragraph(&format!("One of {}.", values.join(", ")));
            }
            Body::Newtype(ty) => {
                let phrase = phrase(ty, types);
                self.paragraph(&capitalised(&phrase));
            }
            Body::Sequence(body) => {
                let phrase = sequence(body, types);
                self.paragraph(&capitalised(&phrase));
            }
            Body::Any | Body::Pending => self.paragraph("Any JSON value."),
            Body::Text(_) | Body::Integer(_) | Body::Number(_) => {
                let phrase = rules(body);
                self.paragraph(&capitalised(&phrase));
            }
        }
    }

    fn fields(&mut self, body: &Struct) {
        if !body.fields.is_empty() {
            self.line("| member | type | |");
            self.line("|---|---|---|");
            for field in &body.fields {
                let optional = if field.required { "" } else { ", optional" };
                let ty = cell(&phrase(&field.ty, &self.model.types));
                self.line(format!(
                    "| {}{optional} | {ty} | {} |",
                    cell(&code(&field.wire)),
                    cell(&field.doc)
                ));
            }
            self.line("");
        }
        match &body.rest {
            Rest::Refused => self.paragraph("No other member is allowed."),
            Rest::Typed(ty) => {
                let ty = phrase(ty, &self.model.types);
                self.paragraph(&format!("Other members hold {ty}."));
            }
            Rest::Patterned { patterns, other } => {
                for (pattern, ty) in patterns {
                    let ty = phrase(ty, &self.model.types);
                    self.paragraph(&format!("Members whose names match {} hold {ty}.", code(pattern)));
                }
                if **other == Rest::Refused {
                    self.paragraph("No other member is allowed.");
                }
            }
            Rest::Open => {}
        }
    }

    fn variants(&mut self, form: &Form, variants: &[Variant]) {
        for variant in variants {
            let doc = cell(&variant.doc);
            match (&variant.content, form) {
                (Content::Ty(ty), Form::External) => {
                    let ty = phrase(ty, &self.model.types);
                    self.line(format!("- an object with the member {}: {ty}. {doc}", code(&variant.wire)));
                }
                (Content::Ty(ty), _) => {
                    let ty = phrase(ty, &self.model.types);
                    self.line(format!("- {ty}. {doc}"));
                }
                (Content::Unit, _) => self.line(format!("- {}. {doc}", code(&format!("{:?}", variant.wire)))),
                (Content::Fields(body), Form::Internal(tag)) => {
                    self.line("");
                    self.line(format!("With {}: {doc}", code(&format!("{tag:?}: {:?}", variant.wire))));
                    self.line("");
                    self.fields(body);
                }
                (Content::Fields(_), _) => {}
            }
        }
        self.line("");
    }
}

/// Tells whether a type has a heading of its own: bounded strings and numbers that are written inline have none.
fn has_heading(def: &Def) -> bool {
    !def.inline || !matches!(def.body, Body::Text(_) | Body::Integer(_) | Body::Number(_))
}

/// A type in words.
fn phrase(ty: &Ty, types: &Types) -> String {
    match ty {
        Ty::Any => "any JSON value".to_owned(),
        Ty::Null | Ty::Never => "null".to_owned(),
        Ty::Bool => "boolean".to_owned(),
        Ty::Integer(_) => "integer".to_owned(),
        Ty::Number => "number".to_owned(),
        Ty::Text => "string".to_owned(),
        Ty::Uuid => "string, a UUID".to_owned(),
        Ty::List(item) => format!("array of {}", phrase(item, types)),
        Ty::Led(item) => format!("array that begins with {}", phrase(item, types)),
        Ty::Tuple(items) => {
            let items = items.iter().map(|item| phrase(item, types)).collect::<Vec<_>>();
            format!("array of exactly: {}", items.join("; "))
        }
        Ty::Map(value) => format!("object of {}", phrase(value, types)),
        Ty::Option(inner) => format!("{} or null", phrase(inner, types)),
        Ty::Def(id) | Ty::Boxed(id) => match types.def(*id) {
            Some(def) if has_heading(def) => format!("[{}](#{})", def.name, anchor(&def.name)),
            Some(def) => rules(&def.body),
            None => "any JSON value".to_owned(),
        },
    }
}

/// A bounded string or number in words.
fn rules(body: &Body) -> String {
    let range = |least: Option<String>, most: Option<String>| match (least, most) {
        (Some(least), Some(most)) if least == most => format!("exactly {least}"),
        (Some(least), Some(most)) => format!("{least} to {most}"),
        (Some(least), None) => format!("at least {least}"),
        (None, Some(most)) => format!("at most {most}"),
        (None, None) => String::new(),
    };
    match body {
        Body::Text(rules) => {
            let mut text = "string".to_owned();
            if rules.least.is_some() || rules.most.is_some() {
                let range = range(
                    rules.least.map(|least| least.to_string()),
                    rules.most.map(|most| most.to_string()),
                );
                let _ = write!(text, " of {range} characters");
            }
            if let Some(pattern) = &rules.pattern {
                let _ = write!(text, " that matches {}", code(pattern));
            }
            text
        }
        Body::Integer(rules) => {
            let [least, most] = [rules.least, rules.most].map(|bound| bound.map(|bound| bound.to_string()));
            format!("integer, {}", range(least, most))
        }
        Body::Number(rules) => {
            let end = |bound: Option<Bound>, word: &str| {
                let bound = bound?;
                let not = if bound.exclusive { " (not itself)" } else { "" };
                Some(format!("{word} {}{not}", bound.value))
            };
            let ends = [end(rules.least, "from"), end(rules.most, "to")];
            format!("number {}", ends.into_iter().flatten().collect::<Vec<_>>().join(" "))
        }
        _ => "any JSON value".to_owned(),
    }
}

/// An array whose first items are described one by one, in words.
fn sequence(body: &Sequence, types: &Types) -> String {
    let items = body.items.iter().map(|item| phrase(item, types)).collect::<Vec<_>>().join("; ");
    let mut text = if items.is_empty() { "array".to_owned() } else { format!("array of: {items}") };
    if let Some(rest) = &body.rest {
        let _ = write!(text, "; then {}", phrase(rest, types));
    }
    let _ = match body.most {
        Some(most) => write!(text, "; {} to {most} items", body.least),
        None if body.least > 0 => write!(text, "; at least {} items", body.least),
        None => Ok(()),
    };
    text
}

/// A text of the document as Markdown that does not affect the text after it: its code blocks are closed, and no line
/// starts a block of HTML that would swallow the following text.
fn block(text: &str) -> String {
    let mut fence = Fence::default();
    let mut lines = Vec::new();
    for line in text.trim().lines() {
        let swallows = ["<!", "<?", "<script", "<pre", "<style", "<textarea"];
        let begins = line.trim_start().to_ascii_lowercase();
        match fence.see(line) {
            Line::Outside if swallows.iter().any(|tag| begins.starts_with(tag)) => {
                lines.push(line.replacen('<', "&lt;", 1));
            }
            _ => lines.push(line.to_owned()),
        }
    }
    lines.extend(fence.end());
    lines.join("\n")
}

/// A text as inline code, even if it contains backquotes.
fn code(text: &str) -> String {
    let text = one_line(text);
    let longest = text.split(|sign| sign != '`').map(str::len).max().unwrap_or_default();
    if longest == 0 {
        return format!("`{text}`");
    }
    let fence = "`".repeat(longest + 1);
    format!("{fence} {text} {fence}")
}

/// A text that fits in a cell of a table.
fn cell(text: &str) -> String {
    let mut cell = String::new();
    let text = one_line(text);
    let mut signs = text.chars().peekable();
    while let Some(sign) = signs.next() {
        // A backslash in the text would escape the one that is added.
        if sign == '|' || (sign == '\\' && signs.peek() == Some(&'|')) {
            cell.push('\\');
        }
        cell.push(sign);
    }
    cell
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}

/// The anchor that Markdown renderers give a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter_map(|sign| match sign {
        ' ' => Some('-'),
        _ if sign.is_alphanumeric() || sign == '-' || sign == '_' => Some(sign.to_ascii_lowercase()),
        _ => None,
    });
    kept.collect()
}
