//! The frame of a JSON document.

use schemars::JsonSchema;
use serde::Serialize;

use super::EVENT_SCHEMA;

/// A document of `--output json`: the version of the schema, then the fields.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Document<T> {
    /// The version of this schema.
    schema: u32,
    #[serde(flatten)]
    fields: T,
}

impl<T> Document<T> {
    /// Adds the version to the fields.
    pub const fn new(fields: T) -> Self {
        Self {
            schema: EVENT_SCHEMA,
            fields,
        }
    }
}
