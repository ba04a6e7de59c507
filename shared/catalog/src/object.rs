//! One thing of a schema, as a set of facts.
//!
//! Responsible for identity (kind and name), for belonging (`parent`) and for keeping the facts about roles
//! apart until they are shown, so that roles can be renamed. Not for reading (`read`) and not for spelling
//! definitions (`definition`). First floor: on kinds, roles and privileges.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::kind::Kind;
use crate::privileges::{Effect, Grant};
use crate::role::Role;

/// What an object is called: its kind and its name as people write it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct ObjectId {
    /// What it is.
    pub kind: Kind,
    /// See [`Object::name`].
    pub name: String,
}

/// One object of a schema.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Object {
    /// What it is.
    pub kind: Kind,
    /// The schema that it is in, unquoted; nothing for what lies in no schema.
    pub schema: Option<String>,
    /// The name as people write it, quoted where SQL needs it: `public.users`, an index
    /// `public.users_email_key`, a function `public.total(integer)`; parts of a table after its name:
    /// `public.users.email` (a column), `public.users.users_pkey` (a constraint), and so for triggers,
    /// rules and policies.
    pub name: String,
    /// What it is part of: the table of a column, the column of an owned sequence. A part is not told apart
    /// from a whole that is missing.
    pub parent: Option<ObjectId>,
    /// The facts that are compared, by their names.
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

/// The facts of an object that mention roles; what `attributes` says of them is spelled from these.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RoleFacts {
    /// Who owns it.
    pub(crate) owner: Option<Role>,
    /// Whose privileges are granted: the owner's, of a column the table's owner's.
    pub(crate) possessor: Option<Role>,
    /// Privileges that differ from those that such an object has from the start.
    pub(crate) grants: Vec<Grant>,
    /// Whom a policy applies to.
    pub(crate) members: Vec<Role>,
    /// Whom the name begins with: default privileges, user mappings.
    pub(crate) subject: Option<Role>,
}

impl Object {
    /// What it is called.
    pub fn id(&self) -> ObjectId {
        ObjectId {
            kind: self.kind,
            name: self.name.clone(),
        }
    }

    /// Its own name alone, unquoted: `email` for `public.users.email`.
    pub fn bare_name(&self) -> &str {
        &self.bare_name
    }

    /// One fact.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(String::as_str)
    }

    /// Who owns it; nothing for what has no owner of its own.
    pub fn owner(&self) -> Option<&Role> {
        self.roles.owner.as_ref()
    }

    /// The privileges on it that differ from those that such an object has from the start.
    pub fn grants(&self) -> &[Grant] {
        &self.roles.grants
    }

    /// The privileges on it one by one, `ALL` as each that it stands for.
    pub fn grant_statements(&self) -> BTreeSet<String> {
        let grants = self.grants().iter();
        grants
            .flat_map(|grant| grant.one_by_one(self.kind))
            .map(|grant| grant.to_string())
            .collect()
    }

    /// One fact as comparisons name it: an attribute, or with the name `grant` whether that privilege is there.
    pub fn has_fact(&self, name: &str, value: &str) -> bool {
        match name {
            "grant" => self.grant_statements().contains(value),
            _ => self.attribute(name) == Some(value),
        }
    }

    /// Whether it is an index that an interrupted `CREATE INDEX CONCURRENTLY` left.
    pub fn is_invalid_index(&self) -> bool {
        self.kind == Kind::Index && self.attribute("valid") == Some("no")
    }

    /// Puts a home role in place of each of `roles`, in every fact and in the name.
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
            // Several names for one role: a grant of the owner to itself says nothing.
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

    /// Writes the facts about roles into the attributes.
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

/// The values as one text; nothing for none.
fn join<T: ToString>(values: &[T], separator: &str) -> Option<String> {
    (!values.is_empty()).then(|| {
        values
            .iter()
            .map(T::to_string)
            .collect::<Vec<_>>()
            .join(separator)
    })
}
