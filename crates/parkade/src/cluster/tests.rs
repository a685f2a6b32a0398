//! The scripts and the threads against a real server. Without one these tests say so, and test nothing.

use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use park_core::{ClusterNews, ClusterOrder, JournalStep, RecordKey, RecordKind};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::config::KeepMode;
use crate::journal::Journal;

use super::{Link, Membership, StoreAddress, StoreNews};

/// A server with nothing in it, which ends with the test.
struct Server {
    child: Child,
    port: u16,
}

impl Server {
    fn start() -> Option<Server> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).ok()?.local_addr().ok()?.port();
        Server::at(port)
    }

    fn at(port: u16) -> Option<Server> {
        let words = ["--save", "", "--appendonly", "no", "--bind", "127.0.0.1", "--port"];
        let child = Command::new("redis-server")
            .args(words)
            .arg(port.to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let Ok(child) = child else {
            eprintln!("SKIPPED: redis-server is not installed (scripts/setup installs it)");
            return None;
        };
        let server = Server { child, port };
        let deadline = Instant::now() + Duration::from_secs(10);
        while server.address().connect(Duration::from_secs(1)).is_err() {
            assert!(Instant::now() < deadline, "redis-server does not come up");
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(server)
    }

    fn address(&self) -> StoreAddress {
        StoreAddress::read(&format!("redis://127.0.0.1:{}", self.port)).unwrap()
    }

    fn node(&self, node: &str, instance: &str) -> Node {
        let lease = Duration::from_secs(2);
        let address = "udp:127.0.0.1:5060".to_owned();
        let own =
            Membership::new(self.address(), "test", (node, instance.to_owned()), address, lease);
        let own = Arc::new(own);
        let (told, news) = unbounded_channel();
        let link = Link::start(own.clone(), told).unwrap();
        Node { own, link, news, heard: Vec::new() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A node's link, and what it has told.
struct Node {
    own: Arc<Membership>,
    link: Link,
    news: UnboundedReceiver<StoreNews>,
    /// What has been told, and not waited for.
    heard: Vec<StoreNews>,
}

impl Node {
    /// Waits for news that fit; what comes before is kept for later.
    fn hears<T>(&mut self, what: &str, fits: impl Fn(&StoreNews) -> Option<T>) -> T {
        let deadline = Instant::now() + Duration::from_secs(15);
        loop {
            while let Ok(news) = self.news.try_recv() {
                self.heard.push(news);
            }
            if let Some(at) = self.heard.iter().position(|news| fits(news).is_some())
                && let Some(found) = fits(&self.heard.remove(at))
            {
                return found;
            }
            assert!(Instant::now() < deadline, "{what} was not told, but {:?}", self.heard);
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn joins(&mut self) -> (usize, usize) {
        self.hears("joined", |news| match news {
            StoreNews::Joined { nodes, calls } => Some((nodes.len(), calls.len())),
            _ => None,
        })
    }

    fn asks(&mut self, park: &str, place: &str, token: Option<u64>) -> Result<u64, String> {
        self.link.order(ClusterOrder::Stake {
            park: park.to_owned(),
            place: place.to_owned(),
            most: 1,
            token,
            record: b"a record\n with \0 anything".to_vec(),
        });
        self.hears("an answer", |news| match news {
            StoreNews::Other(ClusterNews::Granted { park: of, token }) if of == park => {
                Some(Ok(*token))
            }
            StoreNews::Other(ClusterNews::Refused { park: of, by }) if of == park => {
                Some(Err(by.clone()))
            }
            _ => None,
        })
    }

    fn loses(&mut self, park: &str) {
        self.hears("lost", |news| {
            let lost = ClusterNews::Lost { park: park.to_owned(), by: "a".to_owned() };
            (*news == StoreNews::Other(lost)).then_some(())
        });
    }
}

#[test]
fn a_place_is_had_by_one_and_all_others_are_told_of_it() {
    let Some(server) = Server::start() else { return };
    let (mut a, mut b) = (server.node("a", "1"), server.node("b", "1"));
    a.joins();
    b.joins();
    let token = a.asks("p1", "office|x|701", None).unwrap();
    assert_eq!(b.asks("p2", "office|x|701", None), Err("a".to_owned()));
    let told = b.hears("the call", |news| match news {
        StoreNews::Other(ClusterNews::Put(call)) if call.park == "p1" => Some(call.clone()),
        _ => None,
    });
    assert_eq!((&*told.node, &*told.record), ("a", &b"a record\n with \0 anything"[..]));
    // In another place at once, and the first is free.
    assert!(a.asks("p1", "office|x|702", None).unwrap() > token);
    assert!(b.asks("p2", "office|x|701", None).is_ok());
    a.link.order(ClusterOrder::Release { park: "p1".into() });
    b.hears("its end", |news| {
        (*news == StoreNews::Other(ClusterNews::Gone { park: "p1".into() })).then_some(())
    });
    assert!(b.link.figures().connected && b.link.figures().lease_age.is_some());
}

#[test]
fn an_older_token_has_its_place_again_and_the_younger_call_is_told() {
    let Some(server) = Server::start() else { return };
    let (mut a, mut b) = (server.node("a", "1"), server.node("b", "1"));
    a.joins();
    b.joins();
    let older = a.asks("p1", "office|x|701", None).unwrap();
    a.link.order(ClusterOrder::Release { park: "p1".into() });
    let younger = loop {
        if let Ok(token) = b.asks("p2", "office|x|701", None) {
            break token;
        }
    };
    assert!(younger > older);
    assert_eq!(a.asks("p1", "office|x|701", Some(older)), Ok(older));
    b.loses("p2");
    assert_eq!(b.asks("p2", "office|x|701", Some(younger)), Err("a".to_owned()));
}

#[test]
fn a_node_that_is_not_heard_of_loses_its_places_when_its_lease_ends() {
    let Some(server) = Server::start() else { return };
    let (mut a, mut b) = (server.node("a", "1"), server.node("b", "1"));
    a.joins();
    b.joins();
    a.asks("p1", "office|x|701", None).unwrap();
    drop(a.link);
    assert_eq!(b.asks("p2", "office|x|701", None), Err("a".to_owned()));
    b.hears("the nodes", |news| match news {
        StoreNews::Nodes(nodes) if nodes.len() == 1 => Some(()),
        _ => None,
    });
    assert!(b.asks("p2", "office|x|701", None).is_ok());
}

#[test]
fn an_instance_whose_name_another_has_taken_writes_nothing_more() {
    let Some(server) = Server::start() else { return };
    let mut old = server.node("a", "1");
    old.joins();
    old.asks("p1", "office|x|701", None).unwrap();
    let mut new = server.node("a", "2");
    assert_eq!(new.joins(), (1, 1), "its calls are there");
    old.link.order(ClusterOrder::Release { park: "p1".into() });
    old.hears("fenced", |news| (*news == StoreNews::Other(ClusterNews::Fenced)).then_some(()));
    assert!(old.own.is_fenced());
    assert_eq!(new.asks("p2", "office|x|701", None), Err("a".to_owned()));
}

#[test]
fn a_server_that_goes_and_comes_is_told_and_joined_again() {
    let Some(mut server) = Server::start() else { return };
    let mut a = server.node("a", "1");
    a.joins();
    let token = a.asks("p1", "office|x|701", None).unwrap();
    let port = server.port;
    server.child.kill().unwrap();
    server.child.wait().unwrap();
    a.hears("away", |news| {
        matches!(news, StoreNews::Other(ClusterNews::Away { .. })).then_some(())
    });
    assert!(!a.link.figures().connected);
    let again = Server::at(port).unwrap();
    assert_eq!(a.joins(), (1, 0), "it has forgotten everything");
    assert_eq!(a.asks("p1", "office|x|701", Some(token)), Ok(token));
    assert!(a.asks("p2", "office|x|702", None).unwrap() > token);
    drop(again);
}

#[test]
fn of_many_claims_of_one_place_by_three_nodes_one_is_granted() {
    let Some(server) = Server::start() else { return };
    let names = ["a", "b", "c"];
    let mut nodes: Vec<Node> = names.iter().map(|name| server.node(name, "1")).collect();
    nodes.iter_mut().for_each(|node| {
        node.joins();
    });
    for n in 0..50 {
        nodes[n % 3].link.order(ClusterOrder::Stake {
            park: format!("p{n}"),
            place: "office|x|701".into(),
            most: 1,
            token: None,
            record: Vec::new(),
        });
    }
    let mut granted = 0;
    for n in 0..50 {
        let park = format!("p{n}");
        granted += usize::from(nodes[n % 3].hears("an answer", |news| match news {
            StoreNews::Other(ClusterNews::Granted { park: of, .. }) if *of == park => Some(true),
            StoreNews::Other(ClusterNews::Refused { park: of, .. }) if *of == park => Some(false),
            _ => None,
        }));
    }
    assert_eq!(granted, 1);
}

fn put(number: u64, record: &[u8]) -> JournalStep {
    JournalStep::Put { key: key(number), record: record.to_vec() }
}

fn journal(server: &Server, instance: &str) -> (Journal, Vec<(u64, Vec<u8>)>) {
    let own = (("a", instance.to_owned()), "udp:127.0.0.1:5060".to_owned());
    let own = Membership::new(server.address(), "test", own.0, own.1, Duration::from_secs(2));
    let (journal, records) = Journal::open_shared(Arc::new(own), KeepMode::Batch).unwrap();
    let mut records: Vec<_> =
        records.into_iter().map(|(key, record)| (key.number, record)).collect();
    records.sort();
    (journal, records)
}

#[test]
fn the_journal_is_read_by_the_next_instance_and_written_by_no_earlier_one() {
    let Some(server) = Server::start() else { return };
    let (first, nothing) = journal(&server, "1");
    assert_eq!(nothing, []);
    first.write(vec![put(1, b"one"), put(2, b"two \0 \n")]);
    first.write(vec![put(3, b"three"), JournalStep::Remove { key: key(1) }]);
    while first.figures().records < 3 {
        std::thread::sleep(Duration::from_millis(5));
    }
    let (second, found) = journal(&server, "2");
    assert_eq!(found, [(2, b"two \0 \n".to_vec()), (3, b"three".to_vec())]);
    second.write(vec![JournalStep::Clear, put(7, b"seven")]);
    while second.figures().commits < 1 {
        std::thread::sleep(Duration::from_millis(5));
    }
    first.write(vec![put(9, b"nine")]);
    while first.figures().failures < 1 {
        std::thread::sleep(Duration::from_millis(5));
    }
    drop((first, second));
    assert_eq!(journal(&server, "3").1, [(7, b"seven".to_vec())]);
}

#[test]
fn a_journal_that_the_server_has_lost_is_written_whole_again() {
    let Some(server) = Server::start() else { return };
    let (first, _) = journal(&server, "1");
    first.write(vec![put(1, b"one")]);
    while first.figures().commits < 1 {
        std::thread::sleep(Duration::from_millis(5));
    }
    let mut connection = server.address().connect(Duration::from_secs(1)).unwrap();
    redis::cmd("FLUSHALL").exec(&mut *connection).unwrap();
    first.write(vec![put(2, b"two")]);
    while first.figures().commits < 2 {
        std::thread::sleep(Duration::from_millis(5));
    }
    drop(first);
    assert_eq!(journal(&server, "2").1, [(1, b"one".to_vec()), (2, b"two".to_vec())]);
}

fn key(number: u64) -> RecordKey {
    RecordKey { kind: RecordKind::Leg, number }
}
