//! The kinds of schema objects: their names and their order.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The kind of an object. Differences are listed in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Schema,
    Extension,
    Language,
    AccessMethod,
    Enum,
    Domain,
    Composite,
    Range,
    BaseType,
    Collation,
    Conversion,
    Table,
    ForeignTable,
    View,
    MaterialisedView,
    Column,
    Sequence,
    Constraint,
    Index,
    Trigger,
    Rule,
    Policy,
    Statistics,
    Function,
    Procedure,
    Aggregate,
    Operator,
    OperatorFamily,
    OperatorClass,
    Cast,
    Transform,
    TextSearchParser,
    TextSearchTemplate,
    TextSearchDictionary,
    TextSearchConfiguration,
    ForeignDataWrapper,
    ForeignServer,
    UserMapping,
    Publication,
    PublicationTable,
    /// A schema whose tables are all in a publication.
    PublicationSchema,
    Subscription,
    EventTrigger,
    DefaultPrivileges,
    /// The large objects that have the same owner and the same privileges.
    LargeObjects,
    /// Privileges on an object outside the schema: a system object or a member of an extension.
    Privileges,
}

impl Kind {
    /// The kind of a `pg_class` row by its `relkind`, or of `domain`, which has constraints like a table.
    pub(crate) fn of_relation(relkind: &str) -> Self {
        match relkind {
            "v" => Self::View,
            "m" => Self::MaterialisedView,
            "f" => Self::ForeignTable,
            "c" => Self::Composite,
            "S" => Self::Sequence,
            "domain" => Self::Domain,
            _ => Self::Table,
        }
    }

    /// The name of the kind in messages.
    pub fn words(self) -> &'static str {
        match self {
            Self::Schema => "schema",
            Self::Extension => "extension",
            Self::Language => "language",
            Self::AccessMethod => "access method",
            Self::Enum => "enum type",
            Self::Domain => "domain",
            Self::Composite => "composite type",
            Self::Range => "range type",
            Self::BaseType => "base type",
            Self::Collation => "collation",
            Self::Conversion => "conversion",
            Self::Table => "table",
            Self::ForeignTable => "foreign table",
            Self::View => "view",
            Self::MaterialisedView => "materialised view",
            Self::Column => "column",
            Self::Sequence => "sequence",
            Self::Constraint => "constraint",
            Self::Index => "index",
            Self::Trigger => "trigger",
            Self::Rule => "rule",
            Self::Policy => "policy",
            Self::Statistics => "statistics object",
            Self::Function => "function",
            Self::Procedure => "procedure",
            Self::Aggregate => "aggregate",
            Self::Operator => "operator",
            Self::OperatorFamily => "operator family",
            Self::OperatorClass => "operator class",
            Self::Cast => "cast",
            Self::Transform => "transform",
            Self::TextSearchParser => "text search parser",
            Self::TextSearchTemplate => "text search template",
            Self::TextSearchDictionary => "text search dictionary",
            Self::TextSearchConfiguration => "text search configuration",
            Self::ForeignDataWrapper => "foreign data wrapper",
            Self::ForeignServer => "foreign server",
            Self::UserMapping => "user mapping",
            Self::Publication => "publication",
            Self::PublicationTable => "published table",
            Self::PublicationSchema => "published schema",
            Self::Subscription => "subscription",
            Self::EventTrigger => "event trigger",
            Self::DefaultPrivileges => "default privileges",
            Self::LargeObjects => "large objects",
            Self::Privileges => "privileges",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.words())
    }
}
