//! `parkade token`: a new token, and its hash for the configuration.

use std::process::ExitCode;

use crate::admin::{digest, new_token};
use crate::cli::ends::{failed, tell};
use crate::config::{Role, digest_text};

/// Makes a token.
pub(crate) fn token(name: &str, role: Role) -> ExitCode {
    if name.is_empty() || name.chars().any(char::is_control) {
        return failed(&"whose token is it? parkade token NAME");
    }
    let token = match new_token() {
        Ok(token) => token,
        Err(error) => return failed(&format!("the system gives no random numbers: {error}")),
    };
    let hash = digest_text(&digest(&token));
    // TOML's basic strings escape as JSON's do.
    let name = serde_json::Value::from(name);
    tell(&format!(
        "{token}\n\n# The token is not shown again. Write in the configuration, then reload parkade:\n\
         [[admin.token]]\nname = {name}\nrole = \"{role}\"\nhash = \"{hash}\"\n"
    ));
    ExitCode::SUCCESS
}
