//! What is done at the server, each in one step: scripts that it runs whole or not at all. Time is the server's.

use redis::{ConnectionLike, FromRedisValue, RedisResult, Script, ScriptInvocation, Value};

use crate::cluster::membership::Membership;

/// The names of the keys. They have one hash tag, so that a Redis Cluster keeps them together.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    all: [String; 6],
    /// The stream of changes is one of them.
    pub(super) changes: String,
    journals: String,
}

impl Keys {
    pub(super) fn of(cluster: &str) -> Keys {
        let key = |what: &str| format!("{{{cluster}}}:{what}");
        Keys {
            all: ["nodes", "leases", "calls", "places", "changes", "counter"].map(key),
            changes: key("changes"),
            journals: key("journal"),
        }
    }

    fn nodes(&self) -> &str {
        &self.all[0]
    }

    /// The journal of a node.
    pub(super) fn journal(&self, node: &str) -> String {
        format!("{}:{node}", self.journals)
    }
}

/// What has become of a commit of the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    /// It is kept.
    Yes,
    /// What was written before is not there any more: it is to be written whole.
    Lost,
}

/// What a node finds that comes.
#[derive(Debug)]
pub(crate) struct Joined {
    /// After which change.
    pub(super) position: String,
    /// The nodes that live, each followed by its address.
    pub(super) nodes: Vec<Value>,
    /// All calls, each followed by what is kept of it.
    pub(super) calls: Vec<Value>,
}

/// What the server says of whoever asks.
#[derive(Debug)]
pub(super) enum Said {
    /// It has forgotten this node, or its lease has ended: it joins anew.
    Nobody,
    /// Another instance is this node.
    Another,
    /// Another call has the place, at this node.
    Refused(String),
    /// Done; with what was answered.
    Done(Vec<Value>),
}

/// The scripts.
#[derive(Debug)]
pub(crate) struct Scripts {
    join: Script,
    renew: Script,
    stake: Script,
    release: Script,
    journal: Script,
}

impl Scripts {
    pub(crate) fn new() -> Scripts {
        let with_common =
            |body: &str| Script::new(&(include_str!("lua/common.lua").to_owned() + body));
        Scripts {
            join: with_common(include_str!("lua/join.lua")),
            renew: with_common(include_str!("lua/renew.lua")),
            stake: with_common(include_str!("lua/stake.lua")),
            release: with_common(include_str!("lua/release.lua")),
            journal: Script::new(include_str!("lua/journal.lua")),
        }
    }

    pub(super) fn join(
        &self,
        connection: &mut dyn ConnectionLike,
        own: &Membership,
        before: bool,
    ) -> RedisResult<Option<Joined>> {
        let mut call = begin(&self.join, own);
        call.arg(&own.address).arg(millis(own)).arg(u8::from(before));
        match said(call.invoke(connection)?)? {
            Said::Done(parts) => {
                let mut parts = parts.into_iter();
                let position = String::from_redis_value(parts.next().unwrap_or(Value::Nil))?;
                let mut list = || Vec::from_redis_value(parts.next().unwrap_or(Value::Nil));
                Ok(Some(Joined { position, nodes: list()?, calls: list()? }))
            }
            Said::Nobody | Said::Refused(_) | Said::Another => Ok(None),
        }
    }

    pub(super) fn renew(
        &self,
        connection: &mut dyn ConnectionLike,
        own: &Membership,
    ) -> RedisResult<Said> {
        said(begin(&self.renew, own).arg(millis(own)).invoke(connection)?)
    }

    #[expect(clippy::too_many_arguments, reason = "the words of one command")]
    pub(super) fn stake(
        &self,
        connection: &mut dyn ConnectionLike,
        own: &Membership,
        park: &str,
        place: &str,
        most: usize,
        token: Option<u64>,
        record: &[u8],
    ) -> RedisResult<Said> {
        let token = token.map(|token| token.to_string()).unwrap_or_default();
        let mut call = begin(&self.stake, own);
        call.arg(park).arg(place).arg(most).arg(token).arg(record);
        said(call.invoke(connection)?)
    }

    pub(super) fn release(
        &self,
        connection: &mut dyn ConnectionLike,
        own: &Membership,
        park: &str,
    ) -> RedisResult<Said> {
        said(begin(&self.release, own).arg(park).invoke(connection)?)
    }
}

impl Scripts {
    /// What is in the journal of a node, field by field.
    pub(crate) fn read_journal(
        &self,
        connection: &mut dyn ConnectionLike,
        own: &Membership,
    ) -> RedisResult<Vec<(String, Vec<u8>)>> {
        redis::cmd("HGETALL").arg(own.keys.journal(&own.node)).query(connection)
    }

    /// Changes of the journal, all or none; `clear` takes everything else away first. `None`: another
    /// instance is the node.
    pub(crate) fn keep(
        &self,
        connection: &mut dyn ConnectionLike,
        own: &Membership,
        clear: bool,
        put: &[(String, &[u8])],
        gone: &[String],
    ) -> RedisResult<Option<Kept>> {
        let mut call = self.journal.prepare_invoke();
        call.key(own.keys.nodes()).key(own.keys.journal(&own.node));
        call.arg(&own.node).arg(&own.instance).arg(u8::from(clear)).arg(put.len());
        for (name, record) in put {
            call.arg(name).arg(*record);
        }
        for name in gone {
            call.arg(name);
        }
        let said: Vec<String> = call.invoke(connection)?;
        Ok(match said.first().map(String::as_str) {
            Some("kept") => Some(Kept::Yes),
            Some("lost") => Some(Kept::Lost),
            _ => None,
        })
    }
}

/// A script with its keys, and who asks.
fn begin<'s>(script: &'s Script, own: &'s Membership) -> ScriptInvocation<'s> {
    let mut call = script.prepare_invoke();
    for key in &own.keys.all {
        call.key(key);
    }
    call.arg(&own.node).arg(&own.instance);
    call
}

fn millis(own: &Membership) -> u64 {
    u64::try_from(own.lease.as_millis()).unwrap_or(u64::MAX)
}

fn said(value: Value) -> RedisResult<Said> {
    let mut parts = Vec::<Value>::from_redis_value(value)?.into_iter();
    let word = String::from_redis_value(parts.next().unwrap_or(Value::Nil))?;
    Ok(match word.as_str() {
        "nobody" => Said::Nobody,
        "another" => Said::Another,
        "refused" => Said::Refused(String::from_redis_value(parts.next().unwrap_or(Value::Nil))?),
        _ => Said::Done(parts.collect()),
    })
}
