//! Describes a query and how its rows become objects.
//!
//! These columns have a fixed meaning: `oid` and `subid` (address for comments), `code` (selects the kind), `schema`,
//! `relation`, `relkind`, `name`, `suffix` (follows the quoted name), `position`, `owner`, `acl`, `acl_base`, `class` (of
//! the access list), `possessor` (the role with the initial privileges if it is not the owner), `members` (roles, one
//! per line), `subject` (the role that the name begins with), `parent_schema`, `parent_relation`, `parent_column`,
//! `parent_kind`, `mentioned_schema` and `mentioned_relation` (an object that this one refers to). Every other column is
//! an attribute with the column's name; NULL attributes are not set.

use crate::kind::Kind;

/// The kind of the rows.
#[derive(Clone, Copy)]
pub(super) enum KindOf {
    /// The same kind for all rows.
    All(Kind),
    /// Selected by the column `code`.
    Code(fn(&str) -> Kind),
}

/// How the name is built.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Naming {
    /// `name`
    Plain,
    /// `schema.name`
    InSchema,
    /// `schema.relation.name`, as part of that relation
    InRelation,
    /// `schema.name`, as part of `schema.relation`
    BesideRelation,
    /// The column `name` verbatim
    AsWritten,
}

/// A query and how its rows become objects.
pub(super) struct Family {
    /// The catalog that `oid` refers to, for comments.
    pub(super) catalog: &'static str,
    pub(super) kind: KindOf,
    pub(super) naming: Naming,
    /// The class of the access lists, as `acldefault` takes it.
    pub(super) class: char,
    /// The attributes, each a column of the query.
    pub(super) attributes: &'static [&'static str],
    pub(super) sql: String,
}
