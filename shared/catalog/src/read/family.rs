//! One query and how its rows become objects.
//!
//! Responsible for the description alone. Third floor.
//!
//! Columns with a meaning of their own: `oid` and `subid` (address for comments), `code` (which kind),
//! `schema`, `relation`, `relkind`, `name`, `suffix` (after the quoted name), `position`, `owner`, `acl`,
//! `acl_base`, `class` (of the access list), `possessor` (whose privileges they are, where that is not the
//! owner), `members` (roles, one a line), `subject` (the role that the name begins with), `parent_schema`,
//! `parent_relation`, `parent_column`, `parent_kind`, and `mentioned_schema`, `mentioned_relation` (what
//! else it goes with). All others are attributes by their own name, those that are NULL are not set.

use crate::kind::Kind;

/// Which kind the rows are of.
#[derive(Clone, Copy)]
pub(super) enum KindOf {
    /// All of one.
    All(Kind),
    /// By the column `code`.
    Code(fn(&str) -> Kind),
}

/// How the name is put together.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Naming {
    /// `name`
    Plain,
    /// `schema.name`
    InSchema,
    /// `schema.relation.name`, a part of that relation
    InRelation,
    /// `schema.name`, a part of `schema.relation`
    BesideRelation,
    /// The column `name` is written as it is
    AsWritten,
}

/// One query and how its rows become objects.
pub(super) struct Family {
    /// The catalog that `oid` is of, for comments.
    pub(super) catalog: &'static str,
    /// The kind of the objects.
    pub(super) kind: KindOf,
    /// How the name is put together.
    pub(super) naming: Naming,
    /// The class of its access lists, as `acldefault` takes it.
    pub(super) class: char,
    /// The attributes, each a column of the query.
    pub(super) attributes: &'static [&'static str],
    /// The query.
    pub(super) sql: String,
}
