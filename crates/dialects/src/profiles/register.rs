//! All profiles, and which of them a phone has.

use crate::profiles::built_in::{UNKNOWN, built_in, unknown};
use crate::profiles::own::{BadProfile, ProfileText, read};
use crate::profiles::profile::Profile;

/// The profiles of all phones.
#[derive(Debug, Clone)]
pub struct Profiles {
    /// The operator's in their order, then the built-in ones.
    known: Vec<Profile>,
    unknown: Profile,
}

impl Profiles {
    /// The operator's profiles, in order of preference, and the built-in ones after them. An operator's
    /// profile that is called `unknown` is for phones that no other fits, whatever its `User-Agent`.
    ///
    /// # Errors
    /// Everything that is wrong with any of them.
    pub fn new(own: &[ProfileText]) -> Result<Profiles, Vec<BadProfile>> {
        let mut all = Profiles::default();
        let (mut known, mut last, mut bad) = (Vec::new(), None, Vec::new());
        for (index, text) in own.iter().enumerate() {
            match read(index, text, &all.known, &all.unknown) {
                Ok(profile) if profile.name == UNKNOWN => last = Some(profile),
                Ok(profile) => known.push(profile),
                Err(why) => bad.extend(why),
            }
        }
        if !bad.is_empty() {
            return Err(bad);
        }
        known.append(&mut all.known);
        Ok(Profiles { known, unknown: last.unwrap_or(all.unknown) })
    }

    /// The profile of a phone by its `User-Agent`: the first that fits.
    pub fn of(&self, user_agent: Option<&str>) -> &Profile {
        let Some(user_agent) = user_agent.map(str::trim).filter(|agent| !agent.is_empty()) else {
            return &self.unknown;
        };
        let fits = |profile: &&Profile| profile.user_agent.is_match(user_agent);
        self.known.iter().find(fits).unwrap_or(&self.unknown)
    }

    /// All of them in the order in which they are tried.
    pub fn iter(&self) -> impl Iterator<Item = &Profile> {
        self.known.iter().chain([&self.unknown])
    }
}

impl Default for Profiles {
    /// The built-in ones.
    fn default() -> Profiles {
        Profiles { known: built_in(), unknown: unknown() }
    }
}
