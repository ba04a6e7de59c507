//! Access lists, told as what was granted or revoked beyond the start.
//!
//! Responsible for reading `aclitem` texts and for their difference to what such an object has from the
//! start, as `pg_dump` tells it: the order of items, and privileges that only newer servers know, make no
//! difference. Not for reading the catalog. Ground floor: on kinds and roles.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::iter::Peekable;
use std::str::Chars;

use serde::Serialize;

use crate::kind::Kind;
use crate::role::Role;

/// Given or taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Not there from the start.
    Grant,
    /// There from the start, and gone.
    Revoke,
}

/// One privilege statement about an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Grant {
    /// Given or taken away.
    pub effect: Effect,
    /// Whose privileges.
    pub grantee: Role,
    /// `ALL`, or the words: `SELECT, INSERT`.
    pub privileges: String,
    /// Whether the grantee may pass them on.
    pub with_grant_option: bool,
    /// Who granted them, when it was not the owner.
    pub grantor: Option<Role>,
}

impl Grant {
    /// The same for each privilege on its own; `ALL` on an object of this kind is each of those that every server knows.
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

    /// A home role in place of each of `roles`.
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

/// Grantee and grantor, and for each letter of a privilege whether it may be passed on.
type AccessList = BTreeMap<(Role, Role), BTreeSet<(char, bool)>>;

/// What `acl` has more and less than `base`, on an object of the class (a letter as `acldefault` takes it,
/// and `c` for columns) that belongs to `owner`. Both texts hold one `aclitem` a line.
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

/// The words for the letters; `ALL` when that is what they are on some server: `MAINTAIN` exists since 17
/// only.
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

/// The letters that are `ALL`, on every server.
fn every_letter(class: char) -> &'static str {
    match class {
        'r' => "arwdDxt",
        's' | 'S' => "rwU",
        'n' => "UC",
        'c' => "arwx",
        _ => "",
    }
}

/// One privilege by its letter (PostgreSQL's manual, "ACL privilege abbreviations").
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

/// Reads `grantee=letters/grantor` lines. Role names may be quoted and hold anything, line ends included.
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
        // What this version of the list cannot be is skipped, so that the loop always moves on.
        while rest.next().is_some_and(|c| c != '\n') {}
        list.entry((grantee, grantor)).or_default().extend(letters);
    }
    list.retain(|_, letters| !letters.is_empty());
    list
}

/// A role's name up to `=`, `/` or the end of the line, quotes removed.
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
    fn the_start_is_nothing() {
        let start = "own=arwdDxt/own";
        assert!(shown(start, start, 'r', "own").is_empty());
    }

    #[test]
    fn the_order_of_items_makes_no_difference() {
        let base = "own=arwdDxt/own";
        assert_eq!(
            shown("own=arwdDxt/own\na=r/own\nb=w/own", base, 'r', "own"),
            shown("b=w/own\nown=arwdDxt/own\na=r/own", base, 'r', "own"),
        );
    }

    #[test]
    fn all_is_all_with_and_without_maintain() {
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
    fn what_was_there_from_the_start_is_revoked() {
        assert_eq!(
            shown("own=X/own", "=X/own\nown=X/own", 'f', "own"),
            ["REVOKE EXECUTE FROM PUBLIC"]
        );
    }

    #[test]
    fn options_grantors_and_odd_names_are_told() {
        assert_eq!(
            shown("own=U/own\n\"o=d\"\"d\n/\"=U*/b", "own=U/own", 'T', "own"),
            ["GRANT USAGE TO \"o=d\"\"d\n/\" WITH GRANT OPTION GRANTED BY b"],
        );
    }
}
