//! Validates JSON against the schemas in `docs/schemas`.
//!
//! It knows the keywords that these schemas use and refuses others. It is stricter than JSON Schema: a field that a schema
//! does not describe is an error.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Map, Value};

/// A schema of `docs/schemas`.
#[derive(Debug)]
pub struct JsonSchema {
    name: &'static str,
    root: Value,
}

impl JsonSchema {
    /// Reads the schema of that name.
    ///
    /// # Panics
    /// If it does not exist.
    pub fn named(name: &'static str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/schemas");
        let text = std::fs::read_to_string(folder.join(format!("{name}.schema.json")));
        let root =
            serde_json::from_str(&text.expect("the schema exists")).expect("a schema is JSON");
        Self { name, root }
    }

    /// Asserts that a document or an event is as described.
    ///
    /// # Panics
    /// If it is not.
    #[track_caller]
    pub fn assert_describes(&self, value: &Value) {
        if let Err(problem) = self.check(&self.root, value) {
            panic!("{}: {problem}\n{value:#}", self.name);
        }
    }

    /// Checks a value and that all of its fields are known.
    fn check(&self, schema: &Value, value: &Value) -> Result<(), String> {
        let known = self.fields(schema, value)?;
        let mut names = value.as_object().into_iter().flat_map(Map::keys);
        match names.find(|name| !known.contains(*name)) {
            Some(name) => Err(format!("unknown field {name}")),
            None => Ok(()),
        }
    }

    /// Checks a value and returns the fields that the schema describes for it.
    fn fields(&self, schema: &Value, value: &Value) -> Result<BTreeSet<String>, String> {
        let mut known = BTreeSet::new();
        for (keyword, argument) in schema.as_object().into_iter().flatten() {
            match keyword.as_str() {
                "$schema" | "$defs" | "title" | "description" | "format" | "default" => {}
                "$ref" => {
                    let pointer = argument
                        .as_str()
                        .unwrap_or_default()
                        .trim_start_matches('#');
                    let target = self.root.pointer(pointer).expect("a definition");
                    known.extend(self.fields(target, value)?);
                }
                "type" => ensure(
                    one_or_many(argument).any(|it| is_of(it, value)),
                    argument,
                    value,
                )?,
                "const" => ensure(argument == value, argument, value)?,
                "enum" => ensure(one_or_many(argument).any(|it| it == value), argument, value)?,
                "minimum" => ensure(value.as_f64() >= argument.as_f64(), argument, value)?,
                "maximum" => ensure(value.as_f64() <= argument.as_f64(), argument, value)?,
                "required" => {
                    let missing = one_or_many(argument)
                        .find(|it| value.get(it.as_str().unwrap_or("")).is_none());
                    ensure(missing.is_none(), argument, value)?;
                }
                "properties" => {
                    for (name, schema) in argument.as_object().into_iter().flatten() {
                        known.insert(name.clone());
                        if let Some(value) = value.get(name) {
                            self.check(schema, value)
                                .map_err(|it| format!("{name}: {it}"))?;
                        }
                    }
                }
                "items" => {
                    for (at, value) in value.as_array().into_iter().flatten().enumerate() {
                        self.check(argument, value)
                            .map_err(|it| format!("[{at}]: {it}"))?;
                    }
                }
                "oneOf" | "anyOf" => {
                    let tried = one_or_many(argument).map(|it| self.fields(it, value));
                    let (fits, others): (Vec<_>, Vec<_>) = tried.partition(Result::is_ok);
                    let problems = others.into_iter().filter_map(Result::err);
                    let problems: Vec<String> = problems.collect();
                    if fits.is_empty() || (keyword == "oneOf" && fits.len() > 1) {
                        return Err(format!("{} fit of:\n{}", fits.len(), problems.join("\n")));
                    }
                    known.extend(fits.into_iter().flatten().flatten());
                }
                other => panic!("{}: unknown keyword {other}", self.name),
            }
        }
        Ok(known)
    }

    /// The name of each field and each kind of event that it describes.
    pub fn names(&self) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        collect(&self.root, &mut names);
        names
    }
}

fn collect(schema: &Value, names: &mut BTreeSet<String>) {
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        names.extend(properties.keys().cloned());
        let event = properties.get("event").and_then(|it| it["const"].as_str());
        names.extend(event.map(str::to_owned));
    }
    match schema {
        Value::Object(object) => object.values().for_each(|it| collect(it, names)),
        Value::Array(elements) => elements.iter().for_each(|it| collect(it, names)),
        _ => {}
    }
}

fn ensure(fits: bool, argument: &Value, value: &Value) -> Result<(), String> {
    match fits {
        true => Ok(()),
        false => Err(format!("{value} is not as {argument}")),
    }
}

fn one_or_many(value: &Value) -> impl Iterator<Item = &Value> {
    match value {
        Value::Array(elements) => elements.iter(),
        one => std::slice::from_ref(one).iter(),
    }
}

fn is_of(name: &Value, value: &Value) -> bool {
    match name.as_str() {
        Some("null") => value.is_null(),
        Some("boolean") => value.is_boolean(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        Some("string") => value.is_string(),
        Some("array") => value.is_array(),
        Some("object") => value.is_object(),
        _ => false,
    }
}
