//! Which server scratch databases are made on.

use std::convert::Infallible;
use std::str::FromStr;

/// What `--scratch-server` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ScratchServerChoice {
    /// The project's own local server, which is started when it does not run.
    #[default]
    Local,
    /// The server of the live database.
    Same,
    /// A server by its address.
    At(String),
}

impl FromStr for ScratchServerChoice {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text {
            "local" => Self::Local,
            "same" => Self::Same,
            address => Self::At(address.to_owned()),
        })
    }
}
