//! Many calls in one instant, more than there are port pairs bound ahead: none is refused.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod rig;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::rig::{Binary, PATIENCE, answer, hear, line, request, udp};

const CALLS: usize = 500;

const OFFER: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
                     m=audio 4000 RTP/AVP 8\r\n";

/// Every fifth leaves the offer to who answers.
fn invite(at: SocketAddr, n: usize) -> String {
    let text = request("INVITE", "sip:105@pbx.example", "UDP", at, &format!("burst{n}"));
    if n.is_multiple_of(5) {
        return text;
    }
    let body =
        format!("Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{OFFER}", OFFER.len());
    text.replace("Content-Length: 0\r\n\r\n", &body)
}

/// Busy, to each call and each time that it comes, until the end is told: says how many calls there were.
fn busy(pbx: &UdpSocket, end: &AtomicBool) -> usize {
    let mut calls = BTreeSet::new();
    let mut room = [0; 4_096];
    pbx.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    while !end.load(Ordering::Relaxed) {
        let Ok((count, from)) = pbx.recv_from(&mut room) else { continue };
        let heard = String::from_utf8_lossy(&room[..count]);
        if heard.starts_with("INVITE ") {
            calls.insert(line(&heard, "Call-ID:").to_owned());
            pbx.send_to(answer(&heard, "486 Busy Here").as_bytes(), from).unwrap();
        }
    }
    calls.len()
}

#[test]
fn five_hundred_calls_in_one_instant_all_reach_the_pbx() {
    let (pbx, phone) = (udp("127.0.0.1"), udp("127.0.0.1"));
    let at = phone.local_addr().unwrap();
    let binary = Binary::with("", pbx.local_addr().unwrap());
    let to = binary.phones;
    // Who is registered may make as many calls as it likes.
    phone.send_to(request("REGISTER", "sip:pbx.example", "UDP", at, "own").as_bytes(), to).unwrap();
    let (heard, from) = hear(&pbx);
    pbx.send_to(answer(&heard, "200 OK").as_bytes(), from).unwrap();
    assert!(hear(&phone).0.starts_with("SIP/2.0 200 "));
    let end = Arc::new(AtomicBool::new(false));
    let told = end.clone();
    let behind = std::thread::spawn(move || busy(&pbx, &told));
    let mut answers: BTreeMap<String, String> = BTreeMap::new();
    let mut unheard: BTreeSet<usize> = (0..CALLS).collect();
    phone.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    let begun = Instant::now();
    let mut room = [0; 4_096];
    while answers.len() < CALLS {
        assert!(begun.elapsed() < 3 * PATIENCE, "{} of {CALLS} are answered", answers.len());
        // The kernel may drop some of what comes so fast; they are repeated, as SIP has it.
        for n in &unheard {
            phone.send_to(invite(at, *n).as_bytes(), to).unwrap();
        }
        while let Ok(count) = phone.recv(&mut room) {
            let told = String::from_utf8_lossy(&room[..count]);
            let call = line(&told, "Call-ID:").to_owned();
            let number = call.trim_start_matches("Call-ID: burst").trim_end_matches("@test");
            if let Ok(number) = number.parse() {
                unheard.remove(&number);
            }
            if !told.starts_with("SIP/2.0 100 ") {
                let status = told.lines().next().unwrap_or_default();
                answers.insert(call, format!("{status} {}", line(&told, "Reason:")));
            }
            if answers.len() == CALLS {
                break;
            }
        }
    }
    let refused = answers.values().filter(|status| !status.starts_with("SIP/2.0 486 "));
    assert_eq!(refused.count(), 0, "{:?}", answers.values().collect::<BTreeSet<_>>());
    end.store(true, Ordering::Relaxed);
    assert_eq!(behind.join().unwrap(), CALLS);
}
