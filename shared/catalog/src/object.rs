//! A schema object as a set of attributes.
//!
//! Holds an object's identity (kind and name) and parent. Facts about roles are kept separately until they are
//! printed, so that roles can be renamed.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::kind::Kind;
use crate::privileges::{Effect, Grant};
use crate::role::Role;

/// The identity of an object: its kind and SQL name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct ObjectId {
    pub kind: Kind,
    /// The SQL name; see [`Object::name`].
    pub name: String,
}

/// One object of a schema.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Object {
    pub kind: Kind,
    /// The unquoted schema name; `None` for an object outside any schema.
    pub schema: Option<String>,
    /// The SQL name, quoted if needed: a table `public.users`, an index `public.users_email_key`, a function
    /// `public.total(integer)`. Parts of a table follow its name: `public.users.email` (a column),
    /// `public.users.users_pkey` (a constraint), and likewise triggers, rules and policies.
    pub name: String,
    /// The object that this is part of: the table of a column, the column of an owned sequence. If the parent is
    /// missing, its parts are not reported.
    pub parent: Option<ObjectId>,
    /// The attributes to compare, by name.
    pub attributes: BTreeMap<&'static str, String>,
    #[serde(skip)]
    pub(crate) bare_name: String,
    #[serde(skip)]
    pub(crate) position: Option<i32>,
    #[serde(skip)]
    pub(crate) mentions: Option<ObjectId>,
    #[serde(skip)]
    pub(crate) roles: RoleFacts,
}

/// The facts that name roles; the role-related `attributes` are derived from them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RoleFacts {
    pub(crate) owner: Option<Role>,
    /// The role that holds the privileges initially: the object's owner, or the table's owner for a column.
    pub(crate) possessor: Option<Role>,
    /// Privileges that differ from the initial ones.
    pub(crate) grants: Vec<Grant>,
    /// The roles that a policy applies to.
    pub(crate) members: Vec<Role>,
    /// The role that the name begins with (default privileges, user mappings).
    pub(crate) subject: Option<Role>,
}

impl Object {
    /// The identity of the object.
    pub fn id(&self) -> ObjectId {
        ObjectId {
            kind: self.kind,
            name: self.name.clone(),
        }
    }

    /// The unquoted last part of the name: `email` for `public.users.email`.
    pub fn bare_name(&self) -> &str {
        &self.bare_name
    }

    /// The value of an attribute.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(String::as_str)
    }

    /// The owner; `None` for objects without an owner.
    pub fn owner(&self) -> Option<&Role> {
        self.roles.owner.as_ref()
    }

    /// The privileges that differ from the initial ones.
    pub fn grants(&self) -> &[Grant] {
        &self.roles.grants
    }

    /// Each privilege as a separate statement, with `ALL` expanded.
    pub fn grant_statements(&self) -> BTreeSet<String> {
        let grants = self.grants().iter();
        grants
            .flat_map(|grant| grant.one_by_one(self.kind))
            .map(|grant| grant.to_string())
            .collect()
    }

    /// Whether an attribute has this value; the name `grant` checks for a single privilege, as in comparisons.
    pub fn has_fact(&self, name: &str, value: &str) -> bool {
        match name {
            "grant" => self.grant_statements().contains(value),
            _ => self.attribute(name) == Some(value),
        }
    }

    /// Whether this is an index left behind by an interrupted `CREATE INDEX CONCURRENTLY`.
    pub fn is_invalid_index(&self) -> bool {
        self.kind == Kind::Index && self.attribute("valid") == Some("no")
    }

    /// Replaces each of `roles` with the home role in the name and all facts.
    pub(crate) fn with_home_roles(mut self, roles: &[&str]) -> Self {
        if let Some(subject) = self.roles.subject.take() {
            let shown = subject.to_string();
            let subject = subject.at_home(roles);
            if let Some(rest) = self.name.strip_prefix(&shown) {
                self.name = format!("{subject}{rest}");
            }
            self.roles.subject = Some(subject);
        }
        self.roles.owner = self.roles.owner.map(|owner| owner.at_home(roles));
        self.roles.possessor = self
            .roles
            .possessor
            .map(|possessor| possessor.at_home(roles));
        self.roles.members = self
            .roles
            .members
            .into_iter()
            .map(|member| member.at_home(roles))
            .collect();
        self.roles.grants = self
            .roles
            .grants
            .into_iter()
            .map(|grant| grant.with_home_roles(roles))
            .collect();
        if self.roles.possessor == Some(Role::Home) {
            // Several names may map to one role, and an owner's grant to itself has no effect.
            self.roles
                .grants
                .retain(|grant| grant.effect == Effect::Revoke || grant.grantee != Role::Home);
            for grant in &mut self.roles.grants {
                grant.grantor = grant
                    .grantor
                    .take()
                    .filter(|grantor| *grantor != Role::Home);
            }
        }
        self.spell_roles();
        self
    }

    /// Writes the facts about roles to the attributes.
    pub(crate) fn spell_roles(&mut self) {
        self.roles.grants.sort();
        self.roles.grants.dedup();
        self.roles.members.sort();
        self.roles.members.dedup();
        let owner = self.roles.owner.as_ref().map(Role::to_string);
        let grants = join(&self.roles.grants, "; ");
        let members = join(&self.roles.members, ", ");
        for (name, value) in [("owner", owner), ("grants", grants), ("roles", members)] {
            match value {
                Some(value) => self.attributes.insert(name, value),
                None => self.attributes.remove(name),
            };
        }
    }
}

/// The values joined into one text; `None` if there are none.
fn join<T: ToString>(values: &[T], separator: &str) -> Option<String> {
    (!values.is_empty()).then(|| {
        values
            .iter()
            .map(T::to_string)
            .collect::<Vec<_>>()
            .join(separator)
    })
}
