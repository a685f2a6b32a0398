//! Where the store is: one server, one that Sentinels know, or a Redis Cluster; and a connection to it.

use std::fmt;
use std::time::Duration;

use redis::cluster::ClusterClientBuilder;
use redis::sentinel::{SentinelClient, SentinelNodeConnectionInfo, SentinelServerType};
use redis::{Client, ConnectionLike, IntoConnectionInfo, RedisResult, TlsMode};

/// How long connecting may take, and how long an answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);

/// The schemes, as they are written, and what each leads to.
const WANTED: &str = "write redis://HOST:6379, rediss://HOST:6380 (TLS), \
                      redis-sentinel://HOST:26379,HOST:26379/DB#NAME or redis-cluster://HOST:6379,HOST:6379; \
                      rediss-… for TLS, USER:PASSWORD@ before the first host";

/// Where the store is.
#[derive(Clone, PartialEq, Eq)]
pub struct StoreAddress {
    kind: Kind,
    /// One for each server.
    urls: Vec<String>,
}

#[derive(Clone, PartialEq, Eq)]
enum Kind {
    One,
    /// Under this name.
    Sentinel(String),
    Cluster,
}

impl fmt::Debug for StoreAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for StoreAddress {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts = self.urls.iter().map(|url| url.rsplit_once(['@', '/']).map_or("", |(_, h)| h));
        let hosts: Vec<&str> = match self.kind {
            Kind::One => vec![host_of(self.urls.first().map_or("", String::as_str))],
            Kind::Sentinel(_) | Kind::Cluster => hosts.collect(),
        };
        f.write_str(&hosts.join(","))
    }
}

/// What stands between the credentials and the path.
fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    authority.rsplit_once('@').map_or(authority, |(_, host)| host)
}

impl StoreAddress {
    /// Reads a URL.
    ///
    /// # Errors
    /// What is wrong with it, and what to write.
    pub fn read(text: &str) -> Result<StoreAddress, String> {
        // What was written may hold a password: it is not repeated.
        let bad = |why: &str| format!("this URL {why}; {WANTED}");
        let (scheme, rest) = text.split_once("://").ok_or_else(|| bad("has no scheme"))?;
        let (secure, kind) = match scheme {
            "redis" | "rediss" => (scheme == "rediss", Kind::One),
            "redis-sentinel" | "rediss-sentinel" => {
                let name = rest.split_once('#').map(|(_, name)| name.to_owned());
                let name = name.filter(|name| !name.is_empty());
                let name = name.ok_or_else(|| bad("names no master, after a #"))?;
                (scheme == "rediss-sentinel", Kind::Sentinel(name))
            }
            "redis-cluster" | "rediss-cluster" => (scheme == "rediss-cluster", Kind::Cluster),
            _ => return Err(bad("has an unknown scheme")),
        };
        let urls = match kind {
            Kind::One => vec![text.to_owned()],
            Kind::Sentinel(_) | Kind::Cluster => several(rest, secure),
        };
        for url in &urls {
            if host_of(url).is_empty() || url.as_str().into_connection_info().is_err() {
                return Err(bad("cannot be read"));
            }
        }
        Ok(StoreAddress { kind, urls })
    }

    /// Connects. An answer that takes longer than `answer` is an error.
    pub(super) fn connect(&self, answer: Duration) -> RedisResult<Box<dyn ConnectionLike + Send>> {
        let client = match &self.kind {
            Kind::Cluster => {
                let builder = ClusterClientBuilder::new(self.urls.iter().map(String::as_str));
                let builder = builder.connection_timeout(PATIENCE).response_timeout(answer);
                return Ok(Box::new(builder.retries(2).build()?.get_connection()?));
            }
            Kind::Sentinel(name) => {
                let first = self.urls.first().map_or("", String::as_str);
                let info = first.into_connection_info()?;
                let mut there = SentinelNodeConnectionInfo::default()
                    .set_redis_connection_info(info.redis_settings().clone());
                if first.starts_with("rediss") {
                    there = there.set_tls_mode(TlsMode::Secure);
                }
                let urls = self.urls.iter().map(String::as_str).collect();
                let kind = SentinelServerType::Master;
                SentinelClient::build(urls, name, Some(there), kind)?.get_client()?
            }
            Kind::One => Client::open(self.urls.first().map_or("", String::as_str))?,
        };
        let connection = client.get_connection_with_timeout(PATIENCE)?;
        connection.set_read_timeout(Some(answer))?;
        connection.set_write_timeout(Some(PATIENCE))?;
        Ok(Box::new(connection))
    }
}

/// A URL for each of several hosts: each with the credentials and the path of all.
fn several(rest: &str, secure: bool) -> Vec<String> {
    let rest = rest.split('#').next().unwrap_or_default();
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (user, hosts) = match authority.rsplit_once('@') {
        Some((user, hosts)) => (format!("{user}@"), hosts),
        None => (String::new(), authority),
    };
    let scheme = if secure { "rediss" } else { "redis" };
    let url = |host: &str| format!("{scheme}://{user}{host}/{path}");
    hosts.split(',').map(url).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_url_is_read_and_shown_without_its_password() {
        let one = StoreAddress::read("redis://:secret@10.0.0.9:6379/2").unwrap();
        assert_eq!(one.to_string(), "10.0.0.9:6379");
        let three =
            StoreAddress::read("redis-sentinel://u:secret@s1:26379,s2:26379/1#parks").unwrap();
        assert!(three.kind == Kind::Sentinel("parks".into()));
        assert_eq!(three.urls, ["redis://u:secret@s1:26379/1", "redis://u:secret@s2:26379/1"]);
        assert!(!format!("{three:?}").contains("secret"));
        let cluster = StoreAddress::read("rediss-cluster://a:1,b:2").unwrap();
        assert_eq!(cluster.urls, ["rediss://a:1/", "rediss://b:2/"]);
    }

    #[test]
    fn a_url_that_leads_nowhere_is_told_and_not_repeated() {
        for url in ["10.0.0.9", "http://h", "redis://", "redis-sentinel://h:1/0", "redis://:pw@:x"]
        {
            let told = StoreAddress::read(url).unwrap_err();
            assert!(told.contains("redis-cluster://"), "{told}");
            assert!(!told.contains("pw"), "{told}");
        }
    }
}
