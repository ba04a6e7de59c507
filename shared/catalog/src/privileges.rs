//! Access lists as the privileges granted or revoked relative to the initial ones.
//!
//! Parses `aclitem` texts and compares them with an object's initial privileges, as `pg_dump` does. The order of the
//! items, and privileges that only newer servers have, make no difference.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::iter::Peekable;
use std::str::Chars;

use serde::Serialize;

use crate::kind::Kind;
use crate::role::Role;

/// Whether a privilege was granted or revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Granted in addition to the initial privileges.
    Grant,
    /// An initial privilege that was revoked.
    Revoke,
}

/// One privilege statement on an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Grant {
    /// Whether the privileges were granted or revoked.
    pub effect: Effect,
    /// The role whose privileges changed.
    pub grantee: Role,
    /// `ALL`, or a list such as `SELECT, INSERT`.
    pub privileges: String,
    /// Whether the grantee may grant them to others.
    pub with_grant_option: bool,
    /// The grantor, unless it is the owner.
    pub grantor: Option<Role>,
}

impl Grant {
    /// One statement per privilege; `ALL` expands to the privileges of this kind that every server version has.
    pub(crate) fn one_by_one(&self, kind: Kind) -> Vec<Self> {
        let every = match kind {
            Kind::Table | Kind::ForeignTable | Kind::View | Kind::MaterialisedView => {
                every_letter('r')
            }
            Kind::Sequence => every_letter('s'),
            Kind::Schema => every_letter('n'),
            Kind::Column => every_letter('c'),
            _ => "",
        };
        let privileges: Vec<&str> = match self.privileges.as_str() {
            "ALL" if !every.is_empty() => every.chars().map(word).collect(),
            listed => listed.split(", ").collect(),
        };
        privileges
            .into_iter()
            .map(|privilege| Self {
                privileges: privilege.to_owned(),
                ..self.clone()
            })
            .collect()
    }

    /// Replaces each of `roles` with the home role.
    pub(crate) fn with_home_roles(self, roles: &[&str]) -> Self {
        Self {
            grantee: self.grantee.at_home(roles),
            grantor: self.grantor.map(|grantor| grantor.at_home(roles)),
            ..self
        }
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (verb, preposition) = match self.effect {
            Effect::Grant => ("GRANT", "TO"),
            Effect::Revoke => ("REVOKE", "FROM"),
        };
        write!(
            f,
            "{verb} {} {preposition} {}",
            self.privileges, self.grantee
        )?;
        if self.with_grant_option {
            f.write_str(" WITH GRANT OPTION")?;
        }
        match &self.grantor {
            Some(grantor) => write!(f, " GRANTED BY {grantor}"),
            None => Ok(()),
        }
    }
}

/// For each grantee and grantor, the privilege letters and whether each may be granted to others.
type AccessList = BTreeMap<(Role, Role), BTreeSet<(char, bool)>>;

/// The differences of `acl` from `base`, for an object that belongs to `owner`. `class` is a letter as `acldefault`
/// takes it, or `c` for columns. Both texts contain one `aclitem` per line.
pub(crate) fn relative(acl: &str, base: &str, class: char, owner: Option<&Role>) -> Vec<Grant> {
    let (acl, base) = (parse(acl), parse(base));
    let none = BTreeSet::new();
    let parties: BTreeSet<&(Role, Role)> = acl.keys().chain(base.keys()).collect();
    let mut grants = Vec::new();
    for party in parties {
        let now = acl.get(party).unwrap_or(&none);
        let start = base.get(party).unwrap_or(&none);
        for (effect, letters) in [(Effect::Grant, now - start), (Effect::Revoke, start - now)] {
            for with_grant_option in [false, true] {
                let letters: BTreeSet<char> = letters
                    .iter()
                    .filter(|(_, option)| *option == with_grant_option)
                    .map(|(letter, _)| *letter)
                    .collect();
                if letters.is_empty() {
                    continue;
                }
                let (grantee, grantor) = party.clone();
                grants.push(Grant {
                    effect,
                    grantee,
                    privileges: words(&letters, class),
                    with_grant_option,
                    grantor: Some(grantor).filter(|grantor| Some(grantor) != owner),
                });
            }
        }
    }
    grants
}

/// The names of the letters; `ALL` if they are all privileges on some server version (`MAINTAIN` is new in 17).
fn words(letters: &BTreeSet<char>, class: char) -> String {
    let every = every_letter(class);
    let ever_since: BTreeSet<char> = every.chars().collect();
    let without_newer: BTreeSet<char> = letters
        .iter()
        .copied()
        .filter(|letter| *letter != 'm')
        .collect();
    if !every.is_empty() && without_newer == ever_since {
        return "ALL".to_owned();
    }
    let mut words: Vec<&str> = letters.iter().map(|letter| word(*letter)).collect();
    words.sort_unstable();
    words.join(", ")
}

/// The letters that make up `ALL` on every server version.
fn every_letter(class: char) -> &'static str {
    match class {
        'r' => "arwdDxt",
        's' | 'S' => "rwU",
        'n' => "UC",
        'c' => "arwx",
        _ => "",
    }
}

/// The name of a privilege by its letter (PostgreSQL manual, "ACL privilege abbreviations").
fn word(letter: char) -> &'static str {
    match letter {
        'r' => "SELECT",
        'a' => "INSERT",
        'w' => "UPDATE",
        'd' => "DELETE",
        'D' => "TRUNCATE",
        'x' => "REFERENCES",
        't' => "TRIGGER",
        'm' => "MAINTAIN",
        'X' => "EXECUTE",
        'U' => "USAGE",
        'C' => "CREATE",
        'c' => "CONNECT",
        'T' => "TEMPORARY",
        's' => "SET",
        'A' => "ALTER SYSTEM",
        _ => "an unknown privilege",
    }
}

/// Parses `grantee=letters/grantor` lines. Role names may be quoted and contain anything, including line breaks.
fn parse(text: &str) -> AccessList {
    let mut list = AccessList::new();
    let mut rest = text.chars().peekable();
    while rest.peek().is_some() {
        let grantee = role(&mut rest);
        rest.next_if_eq(&'=');
        let mut letters: Vec<(char, bool)> = Vec::new();
        while let Some(letter) = rest.next_if(|c| *c != '/' && *c != '\n') {
            if letter == '*' {
                if let Some(last) = letters.last_mut() {
                    last.1 = true;
                }
            } else {
                letters.push((letter, false));
            }
        }
        rest.next_if_eq(&'/');
        let grantor = role(&mut rest);
        // Skip characters that cannot appear here, so that the loop always advances.
        while rest.next().is_some_and(|c| c != '\n') {}
        list.entry((grantee, grantor)).or_default().extend(letters);
    }
    list.retain(|_, letters| !letters.is_empty());
    list
}

/// A role name up to `=`, `/` or the end of the line, without quotes.
fn role(rest: &mut Peekable<Chars<'_>>) -> Role {
    let mut name = String::new();
    let mut quoted = false;
    loop {
        if rest.next_if_eq(&'"').is_some() {
            if quoted && rest.next_if_eq(&'"').is_some() {
                name.push('"');
            } else {
                quoted = !quoted;
            }
        } else if let Some(letter) = rest.next_if(|c| quoted || !matches!(c, '=' | '/' | '\n')) {
            name.push(letter);
        } else {
            return Role::named(&name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Role, relative};

    fn shown(acl: &str, base: &str, class: char, owner: &str) -> Vec<String> {
        let owner = Role::named(owner);
        relative(acl, base, class, Some(&owner))
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn initial_privileges_are_omitted() {
        let start = "own=arwdDxt/own";
        assert!(shown(start, start, 'r', "own").is_empty());
    }

    #[test]
    fn item_order_does_not_matter() {
        let base = "own=arwdDxt/own";
        assert_eq!(
            shown("own=arwdDxt/own\na=r/own\nb=w/own", base, 'r', "own"),
            shown("b=w/own\nown=arwdDxt/own\na=r/own", base, 'r', "own"),
        );
    }

    #[test]
    fn all_with_and_without_maintain_is_all() {
        assert_eq!(
            shown(
                "own=arwdDxt/own\na=arwdDxt/own",
                "own=arwdDxt/own",
                'r',
                "own"
            ),
            ["GRANT ALL TO a"]
        );
        assert_eq!(
            shown(
                "own=arwdDxtm/own\na=arwdDxtm/own",
                "own=arwdDxtm/own",
                'r',
                "own"
            ),
            ["GRANT ALL TO a"]
        );
    }

    #[test]
    fn missing_initial_privileges_are_revoked() {
        assert_eq!(
            shown("own=X/own", "=X/own\nown=X/own", 'f', "own"),
            ["REVOKE EXECUTE FROM PUBLIC"]
        );
    }

    #[test]
    fn grant_options_grantors_and_quoted_names_are_reported() {
        assert_eq!(
            shown("own=U/own\n\"o=d\"\"d\n/\"=U*/b", "own=U/own", 'T', "own"),
            ["GRANT USAGE TO \"o=d\"\"d\n/\" WITH GRANT OPTION GRANTED BY b"],
        );
    }
}
