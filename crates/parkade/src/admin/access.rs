//! Who may come in. By the Unix socket: whoever may open it, to do everything. By HTTP: the holder of
//! a token, to do what its role allows. Guessing is made slow.

use std::net::IpAddr;
use std::sync::{Mutex, RwLock};
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::config::{AdminToken, Role};
use crate::lock::{lock, read, write};

/// A login by `parkade board` is good for so long.
const SESSION: Duration = Duration::from_secs(12 * 3_600);
/// So many logins may be good at once; the oldest goes.
const MOST_SESSIONS: usize = 64;
/// So many wrong tokens an address may show …
const MOST_WRONG: u32 = 10;
/// … within this time.
const WINDOW: Duration = Duration::from_secs(60);
/// So many addresses are remembered for that.
const MOST_ADDRESSES: usize = 1_024;
/// Of how many random bytes a token is made.
const TOKEN_BYTES: usize = 32;
/// What a token begins with, so that a scanner for secrets finds it.
const TOKEN_BEGIN: &str = "parkade_";

/// Why somebody is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotLetIn {
    /// There is no token.
    NoToken,
    /// It is nobody's, or no longer good.
    WrongToken,
    /// This address has shown too many wrong ones; it may try again after so long.
    TooMany(Duration),
}

/// A login that was given out by the program itself.
#[derive(Debug)]
struct Session {
    digest: [u8; 32],
    role: Role,
    until: Instant,
}

/// Wrong tokens from one address.
#[derive(Debug, Clone, Copy)]
struct Wrong {
    count: u32,
    since: Instant,
}

/// The doorkeeper.
#[derive(Debug, Default)]
pub(super) struct Access {
    tokens: RwLock<Vec<AdminToken>>,
    sessions: Mutex<Vec<Session>>,
    wrong: Mutex<FxHashMap<IpAddr, Wrong>>,
}

impl Access {
    /// From now on with these. Logins stay.
    pub(super) fn reload(&self, tokens: Vec<AdminToken>) {
        *write(&self.tokens) = tokens;
    }

    /// What whoever comes from `ip` with this token may do.
    ///
    /// # Errors
    /// Why it is not let in.
    pub(super) fn role(
        &self,
        now: Instant,
        ip: IpAddr,
        token: Option<&str>,
    ) -> Result<Role, NotLetIn> {
        let Some(token) = token else { return Err(NotLetIn::NoToken) };
        // Whoever has a token is let in: others may come from the same address, through a proxy.
        if let Some(role) = self.of(now, &digest(token)) {
            return Ok(role);
        }
        let mut wrong = lock(&self.wrong);
        let before = wrong.get(&ip).copied().filter(|w| now < w.since + WINDOW);
        if let Some(Wrong { count: MOST_WRONG.., since }) = before {
            return Err(NotLetIn::TooMany(since + WINDOW - now));
        }
        if wrong.len() >= MOST_ADDRESSES {
            wrong.retain(|_, w| now < w.since + WINDOW);
        }
        // If the table is still full, those in it are the ones to be slowed.
        if wrong.len() < MOST_ADDRESSES || wrong.contains_key(&ip) {
            let Wrong { count, since } = before.unwrap_or(Wrong { count: 0, since: now });
            wrong.insert(ip, Wrong { count: count + 1, since });
        }
        Err(NotLetIn::WrongToken)
    }

    /// All digests are compared, and each in constant time: how long it takes tells nothing.
    fn of(&self, now: Instant, digest: &[u8; 32]) -> Option<Role> {
        let mut found = None;
        for token in read(&self.tokens).iter() {
            if bool::from(token.digest.ct_eq(digest)) {
                found = Some(token.role);
            }
        }
        for session in lock(&self.sessions).iter() {
            if bool::from(session.digest.ct_eq(digest)) && now < session.until {
                found = Some(session.role);
            }
        }
        found
    }

    /// A new login, and for how long it is good.
    ///
    /// # Errors
    /// If the system gives no random numbers.
    pub(super) fn login(
        &self,
        now: Instant,
        role: Role,
    ) -> Result<(String, Duration), getrandom::Error> {
        let token = new_token()?;
        let mut sessions = lock(&self.sessions);
        sessions.retain(|session| now < session.until);
        if sessions.len() >= MOST_SESSIONS {
            sessions.remove(0);
        }
        sessions.push(Session { digest: digest(&token), role, until: now + SESSION });
        Ok((token, SESSION))
    }
}

/// A token that nobody can guess.
///
/// # Errors
/// If the system gives no random numbers.
pub(crate) fn new_token() -> Result<String, getrandom::Error> {
    let mut random = [0; TOKEN_BYTES];
    getrandom::fill(&mut random)?;
    Ok(random.iter().fold(TOKEN_BEGIN.to_owned(), |text, byte| text + &format!("{byte:02x}")))
}

/// Of which the configuration knows the tokens. They are random, so nothing slower is needed.
pub(crate) fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    fn access() -> Access {
        let token = |name: &str, role| AdminToken { name: name.into(), role, digest: digest(name) };
        let access = Access::default();
        access.reload(vec![token("wall", Role::View), token("desk", Role::Operate)]);
        access
    }

    #[test]
    fn a_token_is_good_for_its_role_and_no_other_is_good_for_anything() {
        let (access, now) = (access(), Instant::now());
        assert_eq!(access.role(now, HERE, Some("wall")), Ok(Role::View));
        assert_eq!(access.role(now, HERE, Some("desk")), Ok(Role::Operate));
        assert_eq!(access.role(now, HERE, None), Err(NotLetIn::NoToken));
        assert_eq!(access.role(now, HERE, Some("")), Err(NotLetIn::WrongToken));
        access.reload(Vec::new());
        assert_eq!(access.role(now, HERE, Some("wall")), Err(NotLetIn::WrongToken));
    }

    #[test]
    fn who_guesses_waits_and_nobody_else_does() {
        let (access, now) = (access(), Instant::now());
        for _ in 0..MOST_WRONG {
            assert_eq!(access.role(now, THERE, Some("guess")), Err(NotLetIn::WrongToken));
        }
        let later = now + Duration::from_secs(20);
        let refused = access.role(later, THERE, Some("guess"));
        assert_eq!(refused, Err(NotLetIn::TooMany(Duration::from_secs(40))));
        assert_eq!(access.role(later, HERE, Some("guess")), Err(NotLetIn::WrongToken));
        assert_eq!(access.role(later, THERE, Some("wall")), Ok(Role::View));
        assert_eq!(access.role(now + WINDOW, THERE, Some("guess")), Err(NotLetIn::WrongToken));
    }

    #[test]
    fn a_login_ends_and_there_are_only_so_many() {
        let (access, now) = (access(), Instant::now());
        let (first, good_for) = access.login(now, Role::Operate).unwrap();
        assert_eq!(access.role(now, HERE, Some(&first)), Ok(Role::Operate));
        assert_eq!(access.role(now + good_for, HERE, Some(&first)), Err(NotLetIn::WrongToken));
        for _ in 0..MOST_SESSIONS {
            access.login(now, Role::View).unwrap();
        }
        assert_eq!(access.role(now, HERE, Some(&first)), Err(NotLetIn::WrongToken));
    }

    #[test]
    fn who_guesses_from_everywhere_fills_no_memory() {
        let (access, now) = (access(), Instant::now());
        for number in 0..5_000_u32 {
            let ip = IpAddr::V4(std::net::Ipv4Addr::from(number));
            assert_eq!(access.role(now, ip, Some("guess")), Err(NotLetIn::WrongToken));
        }
        assert_eq!(access.wrong.lock().unwrap().len(), MOST_ADDRESSES);
    }
}
