//! squawk's rules under our names and texts. `docs/rules/README.md` lists the omitted ones with reasons.

use std::borrow::Cow;

use squawk_linter::{Rule as Squawk, Violation};

use super::judge::{At, Judge};

/// The statements that a rule applies to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Those about objects that existed before, which may be in use.
    Existing,
    /// Those that shape new objects: not the statements of a revert, which only restores them.
    New,
    Any,
}

/// A violation that squawk reports, in its statement.
pub(crate) struct Case<'c, 's, 'a> {
    pub(crate) judge: &'c Judge<'s, 'a>,
    pub(crate) violation: &'c Violation,
    pub(crate) at: &'c At,
}

/// Decides whether a violation counts, with which texts.
type Decide = fn(&Case<'_, '_, '_>, Advice) -> Option<Advice>;

/// Some rules of squawk that detect violations of one of ours.
#[derive(Debug)]
pub(crate) struct Adopted {
    pub(crate) codes: &'static [Squawk],
    pub(super) scope: Scope,
    message: &'static str,
    safe_form: &'static str,
    pub(super) decide: Decide,
}

impl Adopted {
    /// Adopts rules. `{}` in the message is the subject of the statement, usually a table; `safe_form` is empty if there is none.
    pub(crate) const fn new(
        codes: &'static [Squawk],
        scope: Scope,
        message: &'static str,
        safe_form: &'static str,
    ) -> Self {
        Self {
            codes,
            scope,
            message,
            safe_form,
            decide: |_, advice| Some(advice),
        }
    }

    /// Sets the decision; without one, every violation counts.
    pub(crate) const fn decided_by(mut self, decide: Decide) -> Self {
        self.decide = decide;
        self
    }

    pub(super) fn advice(&self) -> Advice {
        Advice {
            message: self.message,
            safe_form: Cow::Borrowed(self.safe_form),
        }
    }
}

/// The texts of a finding.
pub(crate) struct Advice {
    pub(super) message: &'static str,
    pub(super) safe_form: Cow<'static, str>,
}

impl Advice {
    pub(crate) fn with_message(self, message: &'static str) -> Self {
        Self { message, ..self }
    }

    pub(crate) fn with_safe_form(self, safe_form: impl Into<Cow<'static, str>>) -> Self {
        Self {
            safe_form: safe_form.into(),
            ..self
        }
    }
}
