//! The types of columns.
//!
//! Resolves domains. `values` generates the values.

use std::collections::HashMap;

use serde::Deserialize;

/// A type in the catalog.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Type {
    pub oid: u32,
    pub name: String,
    pub built_in: bool,
    /// The name in SQL.
    pub spelled: String,
    /// `b`ase, `c`omposite, `d`omain, `e`num, `m`ultirange, `p`seudo or `r`ange.
    pub kind: char,
    pub array: bool,
    pub element: u32,
    /// The delimiter of array elements.
    pub delimiter: char,
    /// The base type of a domain.
    pub base: u32,
    pub base_typmod: i32,
    /// Whether a domain refuses NULL.
    pub required: bool,
    /// The subtype of a range or multirange.
    pub subtype: u32,
    pub labels: Vec<String>,
    /// The checks of a domain, about `VALUE`.
    pub checks: Vec<String>,
    /// The types and type modifiers of a composite type's attributes.
    pub attributes: Vec<(u32, i32)>,
}

/// A type with its type modifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Typed {
    pub oid: u32,
    pub typmod: i32,
}

/// The types that some tables use.
pub(super) struct Types {
    types: HashMap<u32, Type>,
    /// Values, as text, of types for which they had to be searched: domains with checks, extension types.
    known: HashMap<u32, Vec<String>>,
}

impl Types {
    /// Indexes types by their OIDs.
    pub fn new(types: Vec<Type>) -> Self {
        Self {
            types: types.into_iter().map(|found| (found.oid, found)).collect(),
            known: HashMap::new(),
        }
    }

    /// The type with this OID.
    pub fn get(&self, oid: u32) -> Option<&Type> {
        self.types.get(&oid)
    }

    /// All types.
    pub fn all(&self) -> impl Iterator<Item = &Type> {
        self.types.values()
    }

    /// Stores values that a type accepts.
    pub fn learn(&mut self, oid: u32, values: Vec<String>) {
        self.known.insert(oid, values);
    }

    /// The stored values that a type accepts.
    pub fn known(&self, oid: u32) -> Option<&[String]> {
        self.known.get(&oid).map(Vec::as_slice)
    }

    /// The innermost base type of a domain; any other type itself.
    pub fn base(&self, mut typed: Typed) -> Typed {
        while let Some(domain) = self.get(typed.oid).filter(|found| found.kind == 'd') {
            typed = Typed {
                oid: domain.base,
                typmod: if typed.typmod >= 0 {
                    typed.typmod
                } else {
                    domain.base_typmod
                },
            };
        }
        typed
    }

    /// The checks of a domain and of its base domains.
    pub fn checks(&self, mut oid: u32) -> Vec<&str> {
        let mut checks = Vec::new();
        while let Some(domain) = self.get(oid).filter(|found| found.kind == 'd') {
            checks.extend(domain.checks.iter().map(String::as_str));
            oid = domain.base;
        }
        checks
    }

    /// Whether a domain, or one of its base domains, is NOT NULL.
    pub fn refuses_null(&self, mut oid: u32) -> bool {
        while let Some(domain) = self.get(oid).filter(|found| found.kind == 'd') {
            if domain.required {
                return true;
            }
            oid = domain.base;
        }
        false
    }

    /// The labels of an enum; empty for other types.
    pub fn labels(&self, oid: u32) -> &[String] {
        self.get(oid).map_or(&[], |found| found.labels.as_slice())
    }
}
