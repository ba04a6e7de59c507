//! Turns rows into objects, as a family describes them, and records the addresses for their comments.

use pg_sql::quote_identifier;
use tokio_postgres::{Error, SimpleColumn, SimpleQueryMessage, SimpleQueryRow};

use super::comments::Address;
use super::family::{Family, KindOf, Naming};
use crate::identifier::qualified;
use crate::kind::Kind;
use crate::object::{Object, ObjectId, RoleFacts};
use crate::privileges::relative;
use crate::role::Role;

/// An object and the address of its comment.
pub(super) struct Draft {
    pub(super) address: Address,
    pub(super) object: Object,
}

/// The column numbers of the attributes and of the columns with a fixed meaning.
struct Layout {
    own: Vec<(String, usize)>,
    attributes: Vec<(&'static str, usize)>,
}

impl Layout {
    fn of(columns: &[SimpleColumn], family: &Family) -> Self {
        let mut layout = Self {
            own: Vec::new(),
            attributes: Vec::new(),
        };
        for (at, column) in columns.iter().enumerate() {
            match family
                .attributes
                .iter()
                .find(|name| **name == column.name())
            {
                Some(name) => layout.attributes.push((name, at)),
                None => layout.own.push((column.name().to_owned(), at)),
            }
        }
        layout
    }

    fn text<'a>(&self, row: &'a SimpleQueryRow, name: &str) -> Result<Option<&'a str>, Error> {
        match self.own.iter().find(|(own, _)| own == name) {
            Some((_, at)) => row.try_get(*at),
            None => Ok(None),
        }
    }
}

/// All objects of a family.
pub(super) fn drafts(
    messages: &[SimpleQueryMessage],
    family: &Family,
) -> Result<Vec<Draft>, Error> {
    let mut layout = None;
    let mut drafts = Vec::new();
    for message in messages {
        if let SimpleQueryMessage::Row(row) = message {
            let layout = layout.get_or_insert_with(|| Layout::of(row.columns(), family));
            drafts.push(draft(row, layout, family)?);
        }
    }
    Ok(drafts)
}

fn draft(row: &SimpleQueryRow, layout: &Layout, family: &Family) -> Result<Draft, Error> {
    let text = |name: &str| layout.text(row, name);
    let number = |name: &str| -> Result<Option<i64>, Error> {
        Ok(text(name)?.and_then(|value| value.parse().ok()))
    };
    let kind = match family.kind {
        KindOf::All(kind) => kind,
        KindOf::Code(kind_of) => kind_of(text("code")?.unwrap_or_default()),
    };
    let schema = text("schema")?;
    let (inside, bare_name) = (
        schema.unwrap_or_default(),
        text("name")?.unwrap_or_default(),
    );
    let relation = text("relation")?.unwrap_or_default();
    let name = match family.naming {
        Naming::Plain => quote_identifier(bare_name),
        Naming::InSchema | Naming::BesideRelation => qualified(&[inside, bare_name]),
        Naming::InRelation => qualified(&[inside, relation, bare_name]),
        Naming::AsWritten => bare_name.to_owned(),
    };
    let subject = text("subject")?.map(Role::named);
    let name = match &subject {
        Some(role) => format!("{role} {name}"),
        None => name,
    };
    let parent = match family.naming {
        Naming::InRelation | Naming::BesideRelation => {
            let kind = Kind::of_relation(text("relkind")?.unwrap_or_default());
            Some(ObjectId {
                kind,
                name: qualified(&[inside, relation]),
            })
        }
        _ => parent(&text)?,
    };
    let owner = text("owner")?.map(Role::named);
    let possessor = text("possessor")?
        .map(Role::named)
        .or_else(|| owner.clone())
        .or_else(|| subject.clone());
    let class = text("class")?
        .and_then(|class| class.chars().next())
        .unwrap_or(family.class);
    let grants = match text("acl")? {
        Some(acl) => relative(
            acl,
            text("acl_base")?.unwrap_or_default(),
            class,
            possessor.as_ref(),
        ),
        None => Vec::new(),
    };
    let members = text("members")?
        .map(|roles| roles.split('\n').map(Role::named).collect())
        .unwrap_or_default();
    let mut attributes = std::collections::BTreeMap::new();
    for (name, at) in &layout.attributes {
        if let Some(value) = row.try_get(*at)? {
            attributes.insert(*name, value.to_owned());
        }
    }
    let mut object = Object {
        kind,
        schema: schema.map(str::to_owned),
        name: name + text("suffix")?.unwrap_or_default(),
        parent,
        attributes,
        bare_name: bare_name.to_owned(),
        position: number("position")?.and_then(|position| i32::try_from(position).ok()),
        mentions: mentioned(&text)?,
        roles: RoleFacts {
            owner,
            possessor,
            grants,
            members,
            subject,
        },
    };
    object.spell_roles();
    let address = Address {
        catalog: family.catalog.to_owned(),
        oid: number("oid")?.unwrap_or_default(),
        part: number("subid")?.unwrap_or_default(),
    };
    Ok(Draft { address, object })
}

/// The parent of an object whose name does not include it.
fn parent<'a>(
    text: &impl Fn(&str) -> Result<Option<&'a str>, Error>,
) -> Result<Option<ObjectId>, Error> {
    let Some(relation) = text("parent_relation")? else {
        return Ok(None);
    };
    let schema = text("parent_schema")?.unwrap_or_default();
    if let Some(column) = text("parent_column")? {
        return Ok(Some(ObjectId {
            kind: Kind::Column,
            name: qualified(&[schema, relation, column]),
        }));
    }
    let (kind, name) = match text("parent_kind")?.unwrap_or_default() {
        "publication" => (Kind::Publication, quote_identifier(relation)),
        "server" => (Kind::ForeignServer, quote_identifier(relation)),
        relkind => (Kind::of_relation(relkind), qualified(&[schema, relation])),
    };
    Ok(Some(ObjectId { kind, name }))
}

/// The object that this one refers to, other than its parent.
fn mentioned<'a>(
    text: &impl Fn(&str) -> Result<Option<&'a str>, Error>,
) -> Result<Option<ObjectId>, Error> {
    let Some(schema) = text("mentioned_schema")? else {
        return Ok(None);
    };
    Ok(Some(match text("mentioned_relation")? {
        Some(relation) => ObjectId {
            kind: Kind::Table,
            name: qualified(&[schema, relation]),
        },
        None => ObjectId {
            kind: Kind::Schema,
            name: quote_identifier(schema),
        },
    }))
}
