//! The guard in virtual time: strangers are kept in bounds, phones and calls are not.

use std::net::SocketAddr;
use std::time::Duration;

use base::{ConnId, Flow, Moment, Side, Transport};
use park_core::{Fact, Network, Standing};

use crate::config::{Rate, SecuritySettings};
use crate::sip::guard::{BanChange, BanView, Guard, News, Turned, Verdict};

const REGISTER: &[u8] = b"REGISTER sip:pbx.example SIP/2.0\r\nUser-Agent: Phone 1.0\r\n\r\n";
const INVITE: &[u8] = b"INVITE sip:105@pbx.example SIP/2.0\r\nUser-Agent: Phone 1.0\r\n\r\n";
const SCAN: &[u8] = b"OPTIONS sip:100@192.0.2.1 SIP/2.0\r\nUser-Agent: friendly-scanner\r\n\r\n";

/// The guard, and whom the engine knows.
struct Scene {
    guard: Guard,
    at: Moment,
    /// What the engine says of whoever comes.
    standing: Standing,
}

impl Scene {
    fn with(settings: SecuritySettings) -> Scene {
        let at = Moment::from_micros(1_000_000);
        Scene { guard: Guard::new(settings), at, standing: Standing::Stranger }
    }

    fn usual() -> Scene {
        Scene::with(SecuritySettings::default())
    }

    fn passes(&mut self, flow: &Flow, bytes: &[u8]) -> bool {
        self.verdict(flow, bytes) == Verdict::Pass
    }

    fn verdict(&mut self, flow: &Flow, bytes: &[u8]) -> Verdict {
        let standing = self.standing;
        self.guard.judge(self.at, flow, bytes, |_, _| standing)
    }

    /// How many of so many pass.
    fn of(&mut self, count: usize, flow: &Flow, bytes: &[u8]) -> usize {
        (0..count).filter(|_| self.passes(flow, bytes)).count()
    }

    fn denied(&mut self, flow: &Flow) {
        let standing = self.standing;
        let fact = Fact::Denied { by: *flow, status: 403 };
        self.guard.told(self.at, None, &fact, |_, _| standing);
    }

    fn malformed(&mut self, flow: &Flow) {
        let standing = self.standing;
        let fact = Fact::Dropped { from: flow.peer, why: "no start line".into() };
        self.guard.told(self.at, Some(flow), &fact, |_, _| standing);
    }

    fn rest(&mut self, time: Duration) {
        self.at += time;
        self.guard.sweep(self.at);
    }

    fn bans(&self) -> Vec<BanView> {
        self.guard.banned(self.at)
    }
}

fn told(address: &str, change: BanChange) -> News {
    News { address: address.to_owned(), change }
}

/// For how long somebody was banned.
fn lasting(news: &News) -> Option<Duration> {
    match news.change {
        BanChange::Banned { lasts, .. } => Some(lasts),
        BanChange::Over { .. } => None,
    }
}

fn udp(peer: &str) -> Flow {
    let local = SocketAddr::from(([192, 0, 2, 1], 5060));
    let peer = peer.parse().unwrap();
    Flow { side: Side::Phones, transport: Transport::Udp, local, peer, conn: None }
}

fn tcp(peer: &str) -> Flow {
    Flow { transport: Transport::Tcp, conn: Some(ConnId(7)), ..udp(peer) }
}

const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

#[test]
fn two_hundred_phones_behind_one_address_register_at_once_after_a_power_cut() {
    let mut scene = Scene::usual();
    // Each sends its REGISTER, repeats it once, and sends it again with credentials: within two seconds.
    for (wave, pause) in [(0, 500), (1, 500), (2, 500)] {
        for phone in 0..200 {
            let flow = udp(&format!("198.51.100.7:{}", 10_000 + phone));
            assert!(scene.passes(&flow, REGISTER), "phone {phone}, wave {wave}");
            if phone % 2 == 0 {
                scene.rest(Duration::from_millis(pause) / 100);
            }
        }
    }
    assert!(scene.bans().is_empty());
}

#[test]
fn a_stranger_that_sends_too_much_is_limited_by_what_it_asks_and_comes_back_slowly() {
    let mut scene = Scene::usual();
    let flow = udp("203.0.113.5:5060");
    assert_eq!(scene.of(300, &flow, INVITE), 100);
    assert_eq!(scene.of(50, &flow, REGISTER), 50, "of something else there is still room");
    scene.rest(seconds(1));
    assert_eq!(scene.of(50, &flow, INVITE), 10);
    let other = udp("203.0.113.6:5060");
    assert_eq!(scene.of(50, &other, INVITE), 50, "another source has room of its own");
    let counts = scene.guard.counts(scene.at);
    assert_eq!(counts.turned[Turned::Limited as usize], 240);
}

#[test]
fn all_strangers_together_leave_the_engine_time_for_those_whom_it_knows() {
    let mut scene = Scene::usual();
    let mut passed = 0;
    for number in 0..100_000u32 {
        scene.at += Duration::from_micros(10);
        let ip = std::net::Ipv4Addr::from(0x0a00_0000 + number);
        passed += usize::from(scene.passes(&udp(&format!("{ip}:5060")), REGISTER));
    }
    assert!((2_000..=2_300).contains(&passed), "{passed} in a second");
    scene.standing = Standing::Known;
    assert_eq!(scene.of(5_000, &udp("198.51.100.7:5060"), INVITE), 5_000);
    scene.standing = Standing::InDialog;
    assert_eq!(scene.of(5_000, &udp("198.51.100.8:5060"), INVITE), 5_000);
    scene.standing = Standing::Pbx;
    assert_eq!(scene.of(5_000, &udp("192.0.2.50:5060"), INVITE), 5_000);
}

#[test]
fn a_scanner_is_banned_at_its_first_word_and_the_ban_ends() {
    let mut scene = Scene::usual();
    let flow = udp("203.0.113.5:5060");
    assert_eq!(scene.verdict(&flow, SCAN), Verdict::Turn(Turned::Scanner));
    assert_eq!(scene.verdict(&flow, REGISTER), Verdict::Turn(Turned::Banned));
    let bans = scene.bans();
    assert_eq!((bans[0].address.as_str(), bans[0].why.as_str()), ("203.0.113.5", "scanner"));
    assert_eq!((bans[0].ends_in_s, bans[0].times, bans[0].turned_away), (60, 1, 1));
    let news = scene.guard.news();
    let banned = BanChange::Banned { why: "scanner", lasts: seconds(60), times: 1 };
    assert_eq!(news, [told("203.0.113.5", banned)], "told once, however much it sends");
    scene.rest(seconds(61));
    assert!(scene.bans().is_empty());
    assert!(scene.passes(&flow, REGISTER));
    let over = BanChange::Over { why: "expired", turned_away: 1 };
    assert_eq!(scene.guard.news(), [told("203.0.113.5", over)]);
    scene.rest(seconds(61));
    assert_eq!(scene.guard.news(), [], "its end is told once");
}

#[test]
fn the_end_of_a_ban_is_told_before_the_next_one_and_when_an_operator_lifts_it() {
    let mut scene = Scene::usual();
    let flow = udp("203.0.113.5:5060");
    assert!(!scene.passes(&flow, SCAN));
    // Nobody has looked since it ran out.
    scene.at += seconds(60);
    assert!(!scene.passes(&flow, SCAN));
    let changes: Vec<BanChange> = scene.guard.news().into_iter().map(|news| news.change).collect();
    assert_eq!(
        changes,
        [
            BanChange::Banned { why: "scanner", lasts: seconds(60), times: 1 },
            BanChange::Over { why: "expired", turned_away: 0 },
            BanChange::Banned { why: "scanner", lasts: seconds(60), times: 2 },
        ]
    );
    assert_eq!(scene.guard.lift(flow.peer.ip()), 1);
    let over = BanChange::Over { why: "lifted", turned_away: 0 };
    assert_eq!(scene.guard.news(), [told("203.0.113.5", over)]);
    scene.rest(seconds(600));
    assert_eq!(scene.guard.news(), []);
}

#[test]
fn repeaters_are_banned_longer_if_their_address_is_no_forgery() {
    let mut scene = Scene::usual();
    let mut lasts = Vec::new();
    for _ in 0..10 {
        assert!(!scene.passes(&tcp("203.0.113.5:40000"), SCAN));
        assert!(!scene.passes(&udp("203.0.113.9:5060"), SCAN));
        let told: Vec<Duration> = scene.guard.news().iter().filter_map(lasting).collect();
        assert_eq!(told[1], seconds(60), "anybody can write another's address on a datagram");
        lasts.push(told[0].as_secs());
        scene.rest(told[0] + seconds(1));
    }
    assert_eq!(lasts[..4], [600, 1_200, 2_400, 4_800]);
    assert_eq!(lasts[9], 86_400);
}

#[test]
fn who_guesses_passwords_is_banned_and_one_success_does_not_matter_to_a_phone_that_is_registered() {
    let mut scene = Scene::usual();
    let flow = tcp("203.0.113.5:40000");
    for _ in 0..30 {
        scene.denied(&flow);
    }
    assert!(scene.bans().is_empty());
    scene.denied(&flow);
    assert_eq!(scene.bans()[0].why, "denied by the PBX");
    scene.standing = Standing::Known;
    let phone = udp("198.51.100.7:5060");
    for _ in 0..100 {
        scene.denied(&phone);
    }
    assert_eq!(scene.bans().len(), 1, "a registered phone may dial wrong numbers all day");
}

#[test]
fn who_sends_what_cannot_be_read_is_banned() {
    let mut scene = Scene::usual();
    let flow = udp("203.0.113.5:5060");
    for _ in 0..21 {
        assert!(scene.passes(&flow, b"hello"));
        scene.malformed(&flow);
    }
    assert_eq!(scene.bans()[0].why, "malformed messages");
    assert!(!scene.passes(&flow, REGISTER));
}

#[test]
fn a_flood_is_banned_so_that_it_costs_no_more_than_a_look() {
    let mut scene = Scene::usual();
    let flow = udp("203.0.113.5:5060");
    assert_eq!(scene.of(3_000, &flow, INVITE), 100);
    assert_eq!(scene.bans()[0].why, "flood");
    assert!(scene.bans()[0].turned_away > 1_500);
}

#[test]
fn at_the_address_of_registered_phones_only_one_port_is_banned() {
    let mut scene = Scene::usual();
    scene.standing = Standing::Neighbour;
    let scanner = udp("198.51.100.7:40000");
    assert!(!scene.passes(&scanner, SCAN));
    assert_eq!(scene.bans()[0].address, "198.51.100.7:40000");
    assert!(!scene.passes(&scanner, REGISTER));
    assert!(scene.passes(&udp("198.51.100.7:10001"), REGISTER), "a phone there that starts anew");
}

#[test]
fn a_ban_of_forged_datagrams_does_not_reach_a_phone_or_the_pbx() {
    let mut scene = Scene::usual();
    let forged = udp("198.51.100.7:5060");
    assert!(!scene.passes(&forged, SCAN));
    for standing in [Standing::Known, Standing::InDialog, Standing::Pbx] {
        scene.standing = standing;
        assert!(scene.passes(&forged, INVITE), "{standing:?}");
        assert!(scene.passes(&forged, SCAN), "{standing:?}");
    }
}

#[test]
fn whoever_is_allowed_is_never_limited() {
    let allow = vec![Network { address: "203.0.113.0".parse().unwrap(), prefix: 24 }];
    let mut scene = Scene::with(SecuritySettings { allow, ..SecuritySettings::default() });
    assert_eq!(scene.of(5_000, &udp("203.0.113.5:5060"), SCAN), 5_000);
}

#[test]
fn a_ban_is_lifted_and_what_led_to_it_is_forgotten() {
    let mut scene = Scene::usual();
    let flow = tcp("[2001:db8:1:2::5]:40000");
    for _ in 0..31 {
        scene.denied(&flow);
    }
    assert_eq!(scene.bans()[0].address, "2001:db8:1:2::/64");
    assert_eq!(scene.guard.lift("2001:db8:1:2::77".parse().unwrap()), 1);
    assert!(scene.bans().is_empty());
    scene.denied(&flow);
    assert!(scene.bans().is_empty());
    assert_eq!(scene.guard.lift("192.0.2.9".parse().unwrap()), 0);
}

#[test]
fn however_many_are_banned_the_list_is_bounded() {
    let mut scene = Scene::usual();
    for number in 0..10_000u32 {
        let ip = std::net::Ipv4Addr::from(0x0a00_0000 + number);
        assert!(!scene.passes(&udp(&format!("{ip}:5060")), SCAN));
    }
    assert_eq!(scene.bans().len(), 4_096);
    assert_eq!(scene.guard.counts(scene.at).bans, 10_000);
}

#[test]
fn strangers_on_the_pbxs_side_are_not_heard_unless_they_answer() {
    let mut scene = Scene::usual();
    scene.standing = Standing::Foreign;
    let flow = Flow { side: Side::Pbx, ..udp("203.0.113.5:5060") };
    assert_eq!(scene.verdict(&flow, INVITE), Verdict::Turn(Turned::Foreign));
    // A PBX with several addresses may answer from another one; the branch shows whether we have asked.
    assert!(scene.passes(&flow, b"SIP/2.0 200 OK\r\n\r\n"));
}

#[test]
fn messages_that_are_too_long_or_have_too_many_lines_are_not_read() {
    let settings =
        SecuritySettings { message_size: 2_000, header_lines: 40, ..SecuritySettings::default() };
    let mut scene = Scene::with(settings);
    scene.standing = Standing::Known;
    let flow = udp("198.51.100.7:5060");
    let with = |lines: usize| {
        let lines = "Subject: x\r\n".repeat(lines);
        format!("MESSAGE sip:a@b SIP/2.0\r\n{lines}\r\n{}", "x".repeat(1_000)).into_bytes()
    };
    assert!(scene.passes(&flow, &with(38)));
    assert_eq!(scene.verdict(&flow, &with(41)), Verdict::Turn(Turned::TooLong));
    assert_eq!(scene.verdict(&flow, &[b'x'; 2_001]), Verdict::Turn(Turned::TooLong));
}

#[test]
fn a_forged_address_gets_no_more_than_three_times_what_came_from_it() {
    let mut scene = Scene::usual();
    let stranger = |_: &Flow, _: Option<&str>| Standing::Stranger;
    let flow = udp("203.0.113.5:5060");
    let answer = [b"SIP/2.0 401 Unauthorized\r\n".as_slice(), &[b'x'; 474]].concat();
    assert!(!scene.guard.may_send(&flow, &answer, stranger), "nothing has come");
    let request = [INVITE, &[b'x'; 400]].concat();
    assert!(scene.passes(&flow, &request));
    let mut sent = 0;
    // A final answer is repeated ten times, and a 100 came before it.
    for _ in 0..12 {
        sent += if scene.guard.may_send(&flow, &answer, stranger) { answer.len() } else { 0 };
    }
    assert!(sent <= 3 * request.len(), "{sent} bytes for {}", request.len());
    assert_eq!(sent, 1_000);
    // Whoever asks again has shown nothing, but has sent more.
    assert!(scene.passes(&flow, &request));
    assert!(scene.guard.may_send(&flow, &answer, stranger));
    // Whoever names what only it was told is where it says.
    scene.standing = Standing::InDialog;
    assert!(scene.passes(&flow, &request));
    assert!((0..100).all(|_| scene.guard.may_send(&flow, &answer, stranger)));
    let elsewhere = udp("203.0.113.5:5061");
    assert!(!(0..100).all(|_| scene.guard.may_send(&elsewhere, &answer, stranger)));
    assert!((0..100).all(|_| scene.guard.may_send(&tcp("203.0.113.8:1"), &answer, stranger)));
}

#[test]
fn connections_are_refused_to_whoever_is_banned_or_connects_too_often() {
    let connect = Rate::per_second(1, 5);
    let mut scene = Scene::with(SecuritySettings { connect, ..SecuritySettings::default() });
    let stranger = |_: &Flow, _: Option<&str>| Standing::Stranger;
    let at = scene.at;
    let flow = tcp("203.0.113.5:40000");
    let taken = (0..9)
        .filter(|_| scene.guard.admit_connection(at, &flow, (9, 9), stranger).is_ok())
        .count();
    assert_eq!(taken, 5);
    let scanner = tcp("203.0.113.6:40000");
    assert!(!scene.passes(&scanner, SCAN));
    assert_eq!(scene.guard.admit_connection(at, &scanner, (9, 9), stranger), Err("banned"));
    let known = |_: &Flow, _: Option<&str>| Standing::Known;
    assert_eq!(scene.guard.admit_connection(at, &scanner, (9, 9), known), Ok(()));
    let full = scene.guard.admit_connection(at, &scanner, (16_384, 9), known);
    assert_eq!(full, Err("too many connections"));
    let full = scene.guard.admit_connection(at, &scanner, (2_000, 1_024), known);
    assert_eq!(full, Err("too many connections from this address"));
}
