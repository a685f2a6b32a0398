//! The program's sockets against stub peers on loopback.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod rig;

use std::io::Read;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::time::{Duration, Instant};

use base::{Side, Transport};
use parkade::Order;

use crate::rig::{
    Running, accept, answer, closed_port, connect, hear, is_wanted, line, read_head, request,
    settings, udp, write,
};

const LOCAL: &str = "127.0.0.1";

fn pbx_at(socket: &UdpSocket) -> Vec<String> {
    vec![format!("sip:{}", socket.local_addr().unwrap())]
}

fn own(socket: &UdpSocket) -> SocketAddr {
    socket.local_addr().unwrap()
}

fn options(transport: &str, at: SocketAddr, to: SocketAddr, branch: &str) -> String {
    request("OPTIONS", &format!("sip:{to}"), transport, at, branch)
}

/// A phone registers through the house by UDP; the stub PBX answers what it hears.
fn registers_by_udp(house: &Running, phone: &UdpSocket, pbx: &UdpSocket, to: SocketAddr) -> String {
    let text = request("REGISTER", "sip:pbx.example", "UDP", own(phone), "register");
    phone.send_to(text.as_bytes(), to).unwrap();
    let (heard, from) = hear(pbx);
    assert!(heard.starts_with("REGISTER "), "{heard}");
    assert_eq!(from.port(), house.port(Side::Pbx, Transport::Udp));
    pbx.send_to(answer(&heard, "200 OK").as_bytes(), from).unwrap();
    let (answered, by) = hear(phone);
    assert!(answered.starts_with("SIP/2.0 200"), "{answered}");
    assert_eq!(by, to, "the answer comes from where the request went");
    heard
}

#[test]
fn a_registration_goes_through_by_udp() {
    let (phone, pbx) = (udp(LOCAL), udp(LOCAL));
    let house = Running::with(settings(LOCAL, &pbx_at(&pbx)));
    let to = house.at(LOCAL, Side::Phones, Transport::Udp);
    let heard = registers_by_udp(&house, &phone, &pbx, to);
    let via = line(&heard, "Via:");
    let own = house.at(LOCAL, Side::Pbx, Transport::Udp);
    assert!(via.contains(&format!("SIP/2.0/UDP {own}")), "{via}");
}

#[test]
fn a_wildcard_socket_answers_from_the_address_that_was_asked_and_names_it() {
    let (phone, pbx) = (udp("127.0.0.3"), udp("127.0.0.4"));
    let house = Running::with(settings("0.0.0.0", &pbx_at(&pbx)));
    let to = house.at("127.0.0.2", Side::Phones, Transport::Udp);
    let heard = registers_by_udp(&house, &phone, &pbx, to);
    assert!(!line(&heard, "Via:").contains("0.0.0.0"), "{heard}");
    assert!(!line(&heard, "Contact:").contains("0.0.0.0"), "{heard}");
}

#[test]
fn ipv6_is_spoken_on_both_sides() {
    let (phone, pbx) = (udp("::1"), udp("::1"));
    let house = Running::with(settings("::1", &pbx_at(&pbx)));
    let to = house.at("::1", Side::Phones, Transport::Udp);
    registers_by_udp(&house, &phone, &pbx, to);
}

#[test]
fn an_ipv6_wildcard_socket_serves_ipv4_too() {
    let (phone, pbx) = (udp(LOCAL), udp(LOCAL));
    let mut wanted = settings("::", &pbx_at(&pbx));
    wanted.media.phones_address = "::".parse().unwrap();
    wanted.media.pbx_address = "::".parse().unwrap();
    let house = Running::with(wanted);
    let to = house.at(LOCAL, Side::Phones, Transport::Udp);
    let heard = registers_by_udp(&house, &phone, &pbx, to);
    assert!(line(&heard, "Via:").contains("UDP 127.0.0.1:"), "{heard}");
}

#[test]
fn a_pbx_may_be_a_name_that_the_hosts_file_knows() {
    let (phone, pbx) = (udp(LOCAL), udp(LOCAL));
    let target = format!("sip:localhost:{}", own(&pbx).port());
    let house = Running::with(settings(LOCAL, &[target]));
    let to = house.at(LOCAL, Side::Phones, Transport::Udp);
    registers_by_udp(&house, &phone, &pbx, to);
}

#[test]
fn a_stream_brings_messages_in_pieces_and_keep_alives_are_answered() {
    let pbx = udp(LOCAL);
    let house = Running::with(settings(LOCAL, &pbx_at(&pbx)));
    let to = house.at(LOCAL, Side::Phones, Transport::Tcp);
    let mut stream = connect(to);
    let at = stream.local_addr().unwrap();
    write(&mut stream, "\r\n\r\n");
    let mut pong = [0; 2];
    stream.read_exact(&mut pong).unwrap();
    assert_eq!(&pong, b"\r\n");
    let two = options("TCP", at, to, "one") + &options("TCP", at, to, "two");
    let (first, rest) = two.split_at(100);
    write(&mut stream, first);
    std::thread::sleep(Duration::from_millis(20));
    write(&mut stream, rest);
    for branch in ["one", "two"] {
        let answered = read_head(&mut stream);
        assert!(answered.starts_with("SIP/2.0 200"), "{answered}");
        assert!(line(&answered, "Via:").contains(branch), "{answered}");
    }
}

#[test]
fn a_stream_that_is_no_sip_is_closed_and_others_go_on() {
    let pbx = udp(LOCAL);
    let house = Running::with(settings(LOCAL, &pbx_at(&pbx)));
    let to = house.at(LOCAL, Side::Phones, Transport::Tcp);
    let (mut bad, mut good) = (connect(to), connect(to));
    let length = "OPTIONS sip:x SIP/2.0\r\nContent-Length: many\r\n\r\n";
    write(&mut bad, length);
    let mut rest = Vec::new();
    // It may be answered before it is closed; closed it is.
    bad.read_to_end(&mut rest).unwrap();
    let at = good.local_addr().unwrap();
    write(&mut good, &options("TCP", at, to, "good"));
    assert!(read_head(&mut good).starts_with("SIP/2.0 200"));
}

#[test]
fn one_connection_to_the_pbx_is_opened_on_demand_and_used_again() {
    let listener = TcpListener::bind((LOCAL, 0)).unwrap();
    let target = format!("sip:{};transport=tcp", listener.local_addr().unwrap());
    let house = Running::with(settings(LOCAL, &[target]));
    let to = house.at(LOCAL, Side::Phones, Transport::Udp);
    let phone = udp(LOCAL);
    let mut pbx = None;
    for branch in ["first", "second"] {
        let text = request("REGISTER", "sip:pbx.example", "UDP", own(&phone), branch);
        phone.send_to(text.as_bytes(), to).unwrap();
        let pbx = pbx.get_or_insert_with(|| accept(&listener));
        let heard = read_head(pbx);
        assert!(line(&heard, "Via:").starts_with("Via: SIP/2.0/TCP"), "{heard}");
        write(pbx, &answer(&heard, "200 OK"));
        assert!(hear(&phone).0.starts_with("SIP/2.0 200"));
    }
    assert!(!is_wanted(&listener), "one connection is enough");
}

#[test]
fn a_pbx_whose_port_is_closed_is_passed_over_at_once() {
    let pbx = udp(LOCAL);
    for dead in ["", ";transport=tcp"] {
        let mut targets = vec![format!("sip:{LOCAL}:{}{dead}", closed_port())];
        targets.extend(pbx_at(&pbx));
        let house = Running::with(settings(LOCAL, &targets));
        let phone = udp(LOCAL);
        let to = house.at(LOCAL, Side::Phones, Transport::Udp);
        let begun = Instant::now();
        registers_by_udp(&house, &phone, &pbx, to);
        let took = begun.elapsed();
        assert!(took < Duration::from_secs(2), "{dead:?} took {took:?}");
    }
}

#[test]
fn a_message_too_large_for_a_datagram_goes_to_the_pbx_by_stream() {
    let listener = TcpListener::bind((LOCAL, 0)).unwrap();
    let at = listener.local_addr().unwrap();
    let datagrams = UdpSocket::bind(at).unwrap();
    let house = Running::with(settings(LOCAL, &[format!("sip:{at}")]));
    let phone = udp(LOCAL);
    let text = request("REGISTER", "sip:pbx.example", "UDP", own(&phone), "large");
    let long = format!("X-Long: {}\r\nContent-Length", "x".repeat(2000));
    let text = text.replace("Content-Length", &long);
    let to = house.at(LOCAL, Side::Phones, Transport::Udp);
    phone.send_to(text.as_bytes(), to).unwrap();
    let mut stream = accept(&listener);
    let heard = read_head(&mut stream);
    assert!(heard.contains(&"x".repeat(2000)));
    write(&mut stream, &answer(&heard, "200 OK"));
    assert!(hear(&phone).0.starts_with("SIP/2.0 200"));
    drop(datagrams);
}

#[test]
fn bytes_that_are_no_sip_are_survived() {
    let pbx = udp(LOCAL);
    let house = Running::with(settings(LOCAL, &pbx_at(&pbx)));
    let phone = udp(LOCAL);
    let to = house.at(LOCAL, Side::Phones, Transport::Udp);
    for noise in [&b""[..], b"\r\n\r\n", b"\0", b"GET / HTTP/1.1\r\n\r\n", &[0xff; 2000]] {
        phone.send_to(noise, to).unwrap();
    }
    phone.send_to(options("UDP", own(&phone), to, "after").as_bytes(), to).unwrap();
    let (answered, _) = hear(&phone);
    assert!(answered.starts_with("SIP/2.0 200"), "{answered}");
}

#[test]
fn ordered_to_end_a_quiet_house_ends_at_once() {
    let pbx = udp(LOCAL);
    let house = Running::with(settings(LOCAL, &pbx_at(&pbx)));
    house.order(Order::End);
    let took = house.ended();
    assert!(took < Duration::from_secs(3), "took {took:?}");
}
