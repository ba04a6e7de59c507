//! The types that columns have.
//!
//! Responsible for what is known of a type, and for resolving domains. Not for values (`values`).

use std::collections::HashMap;

use serde::Deserialize;

/// A type, as the catalog has it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Type {
    pub oid: u32,
    pub name: String,
    pub built_in: bool,
    /// As SQL writes it.
    pub spelled: String,
    /// `b`ase, `c`omposite, `d`omain, `e`num, `m`ultirange, `p`seudo or `r`ange.
    pub kind: char,
    pub array: bool,
    pub element: u32,
    /// Between the elements of an array of it.
    pub delimiter: char,
    /// What a domain is made of.
    pub base: u32,
    pub base_typmod: i32,
    /// Whether a domain refuses NULL.
    pub required: bool,
    /// What a range or a multirange is made of.
    pub subtype: u32,
    pub labels: Vec<String>,
    /// The checks of a domain, about `VALUE`.
    pub checks: Vec<String>,
    /// Types and lengths of a composite.
    pub attributes: Vec<(u32, i32)>,
}

/// A type with its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Typed {
    pub oid: u32,
    pub typmod: i32,
}

/// All types that some tables use.
pub(super) struct Types {
    types: HashMap<u32, Type>,
    /// Values, as text, of types for which they had to be found out: domains with checks, types of extensions.
    known: HashMap<u32, Vec<String>>,
}

impl Types {
    pub fn new(types: Vec<Type>) -> Self {
        Self {
            types: types.into_iter().map(|found| (found.oid, found)).collect(),
            known: HashMap::new(),
        }
    }

    pub fn get(&self, oid: u32) -> Option<&Type> {
        self.types.get(&oid)
    }

    pub fn all(&self) -> impl Iterator<Item = &Type> {
        self.types.values()
    }

    /// Remembers the values that a type was found to take.
    pub fn learn(&mut self, oid: u32, values: Vec<String>) {
        self.known.insert(oid, values);
    }

    /// The values that a type was found to take.
    pub fn known(&self, oid: u32) -> Option<&[String]> {
        self.known.get(&oid).map(Vec::as_slice)
    }

    /// What a domain is made of in the end; other types are made of themselves.
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

    /// The checks of a domain and of those that it is made of.
    pub fn checks(&self, mut oid: u32) -> Vec<&str> {
        let mut checks = Vec::new();
        while let Some(domain) = self.get(oid).filter(|found| found.kind == 'd') {
            checks.extend(domain.checks.iter().map(String::as_str));
            oid = domain.base;
        }
        checks
    }

    /// Whether a domain, or one that it is made of, refuses NULL.
    pub fn refuses_null(&self, mut oid: u32) -> bool {
        while let Some(domain) = self.get(oid).filter(|found| found.kind == 'd') {
            if domain.required {
                return true;
            }
            oid = domain.base;
        }
        false
    }

    /// The labels of an enum; none of other types.
    pub fn labels(&self, oid: u32) -> &[String] {
        self.get(oid).map_or(&[], |found| found.labels.as_slice())
    }
}
