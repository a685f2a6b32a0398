//! TLS over real sockets: phones and a PBX that speak it, certificates that will not do, and new ones.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod pki;
mod rig;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::{Duration, Instant, SystemTime};

use base::{Side, Transport};
use parkade::{ClientCertificates, Listen, Settings};
use tokio_rustls::rustls::{ClientConnection, StreamOwned};

use crate::pki::{Authority, Party, handshakes};
use crate::rig::{
    PATIENCE, Running, accept, answer, connect, hear, is_wanted, line, read_head, request,
    settings, udp, write,
};

const LOCAL: &str = "127.0.0.1";

/// Settings with TLS on both sides; the house is `sip.example` and 127.0.0.1.
fn with_tls(authority: &Authority, targets: &[String]) -> Settings {
    let mut wanted = settings(LOCAL, targets);
    let address = SocketAddr::new(LOCAL.parse().unwrap(), 0);
    let tls = Listen { transport: Transport::Tls, address };
    wanted.phones_listen.push(tls);
    wanted.pbx_listen.push(tls);
    wanted.tls.certificates = vec![authority.files("house", &["sip.example", LOCAL])];
    wanted.tls.pbx.ca = Some(authority.file());
    wanted.engine.names = vec!["sip.example".to_owned()];
    wanted.engine.speaks_tls = true;
    wanted
}

/// A house before a PBX that speaks UDP, and a phone that is connected to it by TLS.
struct Connected {
    /// Its files are there as long as it is.
    _authority: Authority,
    house: Running,
    pbx: UdpSocket,
    /// Where the house is.
    to: SocketAddr,
    phone: StreamOwned<ClientConnection, TcpStream>,
    /// Where the phone is.
    at: SocketAddr,
}

fn a_phone_by_tls() -> Connected {
    let authority = Authority::new();
    let pbx = udp(LOCAL);
    let targets = [format!("sip:{}", pbx.local_addr().unwrap())];
    let house = Running::with(with_tls(&authority, &targets));
    let to = house.at(LOCAL, Side::Phones, Transport::Tls);
    let phone = Party::trusting(&authority).connect(to, "sip.example").unwrap();
    let at = phone.sock.local_addr().unwrap();
    Connected { _authority: authority, house, pbx, to, phone, at }
}

fn target(listener: &TcpListener) -> String {
    format!("sips:{}", listener.local_addr().unwrap())
}

fn listener() -> TcpListener {
    TcpListener::bind((LOCAL, 0)).unwrap()
}

fn options(at: SocketAddr, to: SocketAddr, branch: &str) -> String {
    request("OPTIONS", &format!("sip:{to}"), "TLS", at, branch)
}

/// Asks for a sign of life by a connection, and reads the answer.
fn is_answered(stream: &mut (impl Read + Write), at: SocketAddr, to: SocketAddr, branch: &str) {
    stream.write_all(options(at, to, branch).as_bytes()).unwrap();
    let heard = read_head(stream);
    assert!(heard.starts_with("SIP/2.0 200"), "{heard}");
}

#[test]
fn a_phone_by_tls_registers_at_a_pbx_by_udp_and_is_reached_by_its_connection() {
    let Connected { _authority, house: _house, pbx, to, mut phone, at } = a_phone_by_tls();
    phone.write_all(request("REGISTER", "sip:pbx.example", "TLS", at, "reg").as_bytes()).unwrap();
    let (heard, from) = hear(&pbx);
    assert!(line(&heard, "Via:").contains("SIP/2.0/UDP"), "{heard}");
    assert!(!line(&heard, "Contact:").contains("transport"), "{heard}");
    let contact = line(&heard, "Contact:").to_owned();
    pbx.send_to(answer(&heard, "200 OK").as_bytes(), from).unwrap();
    assert!(read_head(&mut phone).starts_with("SIP/2.0 200"));
    // The PBX asks for the phone, which has opened the only connection that there is.
    let uri = contact.split(['<', '>']).nth(1).unwrap();
    let asks = request("OPTIONS", uri, "UDP", pbx.local_addr().unwrap(), "ask");
    pbx.send_to(asks.as_bytes(), from).unwrap();
    let heard = read_head(&mut phone);
    assert!(heard.starts_with("OPTIONS "), "{heard}");
    assert!(line(&heard, "Via:").contains(&format!("SIP/2.0/TLS {to}")), "{heard}");
    assert!(!line(&heard, "Via:").contains("alias"), "{heard}");
}

#[test]
fn a_phone_by_udp_reaches_a_pbx_by_tls_over_one_connection_that_is_shared() {
    let authority = Authority::new();
    let (pbx, phone) = (listener(), udp(LOCAL));
    let house = Running::with(with_tls(&authority, &[target(&pbx)]));
    let to = house.at(LOCAL, Side::Phones, Transport::Udp);
    let own = house.at(LOCAL, Side::Pbx, Transport::Tls);
    let server = Party::with(&authority, &[LOCAL]);
    let mut stream = None;
    for branch in ["one", "two"] {
        let at = phone.local_addr().unwrap();
        let text = request("REGISTER", "sip:pbx.example", "UDP", at, branch);
        phone.send_to(text.as_bytes(), to).unwrap();
        let stream = stream.get_or_insert_with(|| server.accept(accept(&pbx)).unwrap());
        let heard = read_head(stream);
        let via = line(&heard, "Via:");
        assert!(via.contains(&format!("SIP/2.0/TLS {own}")) && via.contains(";alias"), "{via}");
        assert!(line(&heard, "Contact:").contains(&format!("{own};transport=tls")), "{heard}");
        stream.write_all(answer(&heard, "200 OK").as_bytes()).unwrap();
        assert!(hear(&phone).0.starts_with("SIP/2.0 200"));
    }
    assert!(!is_wanted(&pbx), "one connection does for both");
}

#[test]
fn a_pbx_whose_certificate_will_not_do_gets_nothing_and_the_next_one_is_tried() {
    let authority = Authority::new();
    let stranger = Authority::new();
    let (now, day) = (SystemTime::now(), Duration::from_secs(24 * 3600));
    let bad = [
        Party::with(&authority, &["other.example"]),
        Party::with(&stranger, &[LOCAL]),
        Party::lasting(&authority, &[LOCAL], (now - 10 * day, now - day)),
        Party::lasting(&authority, &[LOCAL], (now + day, now + 10 * day)),
    ];
    let revoked = Party::with(&authority, &[LOCAL]);
    // A list for which there should be a newer one holds as well.
    let list = authority.revoking("list.pem", &[&revoked], (now - 10 * day, now - day));
    for server in bad.into_iter().chain([revoked]) {
        let (pbx, second, phone) = (listener(), udp(LOCAL), udp(LOCAL));
        let targets = [target(&pbx), format!("sip:{}", second.local_addr().unwrap())];
        let mut wanted = with_tls(&authority, &targets);
        wanted.tls.crls = vec![list.clone()];
        let house = Running::with(wanted);
        let to = house.at(LOCAL, Side::Phones, Transport::Udp);
        let at = phone.local_addr().unwrap();
        let text = request("REGISTER", "sip:pbx.example", "UDP", at, "one");
        phone.send_to(text.as_bytes(), to).unwrap();
        let shaken = server.accept(accept(&pbx));
        // With TLS 1.3 the server is done before the client has looked at its certificate.
        if let Ok(mut stream) = shaken {
            assert!(!matches!(stream.read(&mut [0; 64]), Ok(count) if count > 0));
        }
        let (heard, from) = hear(&second);
        assert!(heard.starts_with("REGISTER "), "{heard}");
        second.send_to(answer(&heard, "200 OK").as_bytes(), from).unwrap();
        assert!(hear(&phone).0.starts_with("SIP/2.0 200"), "nothing is lost");
    }
}

#[test]
fn without_another_pbx_the_phone_is_told_503() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let (pbx, phone) = (listener(), udp(LOCAL));
    let house = Running::with(with_tls(&authority, &[target(&pbx)]));
    let to = house.at(LOCAL, Side::Phones, Transport::Udp);
    let text = request("REGISTER", "sip:pbx.example", "UDP", phone.local_addr().unwrap(), "one");
    phone.send_to(text.as_bytes(), to).unwrap();
    let _ = Party::with(&stranger, &[LOCAL]).accept(accept(&pbx)).map(|mut s| s.read(&mut [0; 64]));
    assert!(hear(&phone).0.starts_with("SIP/2.0 503"));
}

#[test]
fn a_pbx_that_signs_its_own_certificate_is_believed_by_its_fingerprint_alone() {
    let authority = Authority::new();
    let (pbx, phone) = (listener(), udp(LOCAL));
    // For another name, and expired: what was written down is this very certificate.
    let server = Party::self_signed("whoever.example");
    let mut wanted = with_tls(&authority, &[target(&pbx)]);
    wanted.tls.pbx.fingerprints = vec![server.fingerprint()];
    let house = Running::with(wanted);
    let to = house.at(LOCAL, Side::Phones, Transport::Udp);
    let text = request("REGISTER", "sip:pbx.example", "UDP", phone.local_addr().unwrap(), "one");
    phone.send_to(text.as_bytes(), to).unwrap();
    let mut stream = server.accept(accept(&pbx)).unwrap();
    let heard = read_head(&mut stream);
    stream.write_all(answer(&heard, "200 OK").as_bytes()).unwrap();
    assert!(hear(&phone).0.starts_with("SIP/2.0 200"));
}

#[test]
fn the_certificate_that_is_for_the_name_is_shown_and_the_first_to_all_others() {
    let authority = Authority::new();
    let mut wanted = with_tls(&authority, &["sip:127.0.0.1:9".to_owned()]);
    wanted.tls.certificates.push(authority.files("other", &["other.example", "*.lab.example"]));
    let house = Running::with(wanted);
    let to = house.at(LOCAL, Side::Phones, Transport::Tls);
    let party = Party::trusting(&authority);
    for name in ["sip.example", "other.example", "a.lab.example", LOCAL] {
        // The client itself checks that it is for this name.
        let mut stream = party.connect(to, name).unwrap();
        let at = stream.sock.local_addr().unwrap();
        is_answered(&mut stream, at, to, "name");
    }
    let refused = party.connect(to, "nowhere.example");
    assert!(refused.is_err(), "the first one is not for that");
}

#[test]
fn who_stalls_or_speaks_something_else_harms_nobody() {
    let authority = Authority::new();
    let house = Running::with(with_tls(&authority, &["sip:127.0.0.1:9".to_owned()]));
    let to = house.at(LOCAL, Side::Phones, Transport::Tls);
    let stalled: Vec<TcpStream> = (0..20).map(|_| connect(to)).collect();
    let mut plain = connect(to);
    let own = plain.local_addr().unwrap();
    write(&mut plain, &request("OPTIONS", &format!("sip:{to}"), "TCP", own, "plain"));
    let mut rest = Vec::new();
    let _ = plain.read_to_end(&mut rest);
    assert!(!rest.starts_with(b"SIP/"), "nobody answers plain SIP there");
    // TLS to the port without.
    let tcp = house.at(LOCAL, Side::Phones, Transport::Tcp);
    let begun = Instant::now();
    assert!(Party::trusting(&authority).connect(tcp, "sip.example").is_err());
    assert!(begun.elapsed() < PATIENCE / 2, "it is seen at the first bytes");
    let mut stream = Party::trusting(&authority).connect(to, "sip.example").unwrap();
    let at = stream.sock.local_addr().unwrap();
    is_answered(&mut stream, at, to, "good");
    drop(stalled);
}

#[test]
fn phones_show_a_certificate_where_that_is_required() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let mut wanted = with_tls(&authority, &["sip:127.0.0.1:9".to_owned()]);
    wanted.tls.phones.ca = Some(authority.file());
    wanted.tls.phones.client_certificates = ClientCertificates::Require;
    let house = Running::with(wanted);
    let to = house.at(LOCAL, Side::Phones, Transport::Tls);
    let mut phone = Party::with(&authority, &["103"]).connect(to, "sip.example").unwrap();
    let at = phone.sock.local_addr().unwrap();
    is_answered(&mut phone, at, to, "known");
    for party in
        [Party::trusting(&authority), Party::with(&stranger, &["103"]).believing(&authority)]
    {
        assert!(!is_let_in(&party, to));
    }
}

/// Whether this party may come in at the phones' side, and is answered.
fn is_let_in(party: &Party, to: SocketAddr) -> bool {
    let asked = party.connect(to, "sip.example").and_then(|mut stream| {
        let at = stream.sock.local_addr()?;
        stream.write_all(options(at, to, "ask").as_bytes())?;
        // With TLS 1.3 the refusal comes after the client is done.
        match stream.read(&mut [0; 64]) {
            Ok(0) => Err(std::io::ErrorKind::UnexpectedEof.into()),
            read => read,
        }
    });
    asked.is_ok()
}

#[test]
fn a_phone_whose_certificate_is_revoked_is_refused_as_soon_as_the_new_list_is_there() {
    let (authority, other) = (Authority::new(), Authority::new());
    let (now, day) = (SystemTime::now(), Duration::from_secs(24 * 3600));
    let time = (now - day, now + day);
    let (mine, lost) = (Party::with(&authority, &["103"]), Party::with(&authority, &["104"]));
    let mut wanted = with_tls(&authority, &["sip:127.0.0.1:9".to_owned()]);
    wanted.tls.phones.ca = Some(authority.file());
    wanted.tls.phones.client_certificates = ClientCertificates::Require;
    // That of another authority speaks for none of these.
    let theirs = other.revoking("theirs.crl", &[&mine], time);
    wanted.tls.crls = vec![theirs, authority.revoking("ours.crl", &[], time)];
    let house = Running::with(wanted);
    let to = house.at(LOCAL, Side::Phones, Transport::Tls);
    assert!(is_let_in(&mine, to) && is_let_in(&lost, to));
    authority.revoking("ours.crl", &[&lost], time);
    let begun = Instant::now();
    while is_let_in(&lost, to) {
        assert!(begun.elapsed() < 2 * PATIENCE, "the new list is taken");
        std::thread::sleep(Duration::from_millis(200));
    }
    assert!(is_let_in(&mine, to));
}

#[test]
fn a_pbx_is_believed_that_no_list_names_also_where_none_speaks_for_its_authority() {
    let (authority, other) = (Authority::new(), Authority::new());
    let (now, day) = (SystemTime::now(), Duration::from_secs(24 * 3600));
    let time = (now - day, now + day);
    let revoked = Party::with(&authority, &[LOCAL]);
    for list in
        [authority.revoking("ours.pem", &[&revoked], time), other.revoking("theirs.pem", &[], time)]
    {
        let (pbx, phone) = (listener(), udp(LOCAL));
        let mut wanted = with_tls(&authority, &[target(&pbx)]);
        wanted.tls.crls = vec![list];
        let house = Running::with(wanted);
        let to = house.at(LOCAL, Side::Phones, Transport::Udp);
        let at = phone.local_addr().unwrap();
        let text = request("REGISTER", "sip:pbx.example", "UDP", at, "one");
        phone.send_to(text.as_bytes(), to).unwrap();
        let mut stream = Party::with(&authority, &[LOCAL]).accept(accept(&pbx)).unwrap();
        assert!(read_head(&mut stream).starts_with("REGISTER "));
    }
}

#[test]
fn requests_go_by_a_connection_of_the_pbx_only_if_it_asks_for_that_and_is_who_it_says() {
    let authority = Authority::new();
    for (names, alias, is_shared) in [
        (vec![LOCAL], ";alias", true),
        (vec![LOCAL], "", false),
        (vec!["other.example"], ";alias", false),
    ] {
        let (pbx, phone) = (listener(), udp(LOCAL));
        let mut wanted = with_tls(&authority, &[target(&pbx)]);
        wanted.tls.pbx.client_certificates = ClientCertificates::Ask;
        let house = Running::with(wanted);
        let own = house.at(LOCAL, Side::Pbx, Transport::Tls);
        let server = Party::with(&authority, &names);
        let mut inbound = server.connect(own, LOCAL).unwrap();
        let sent_by = pbx.local_addr().unwrap();
        let branch = format!("z9hG4bKfirst{alias}");
        let text = options(sent_by, own, "first").replace("z9hG4bKfirst", &branch);
        inbound.write_all(text.as_bytes()).unwrap();
        assert!(read_head(&mut inbound).starts_with("SIP/2.0 200"));
        let to = house.at(LOCAL, Side::Phones, Transport::Udp);
        let at = phone.local_addr().unwrap();
        phone
            .send_to(request("REGISTER", "sip:pbx.example", "UDP", at, "one").as_bytes(), to)
            .unwrap();
        if is_shared {
            assert!(read_head(&mut inbound).starts_with("REGISTER "));
            assert!(!is_wanted(&pbx));
        } else {
            let stream = accept(&pbx);
            drop(stream);
        }
    }
}

#[test]
fn a_new_certificate_is_taken_when_its_file_changes_and_open_connections_stay() {
    let authority = Authority::new();
    let wanted = with_tls(&authority, &["sip:127.0.0.1:9".to_owned()]);
    let house = Running::with(wanted);
    let to = house.at(LOCAL, Side::Phones, Transport::Tls);
    let party = Party::trusting(&authority);
    let mut old = party.connect(to, "sip.example").unwrap();
    let at = old.sock.local_addr().unwrap();
    is_answered(&mut old, at, to, "before");
    authority.files("house", &["new.example"]);
    let begun = Instant::now();
    let mut fresh = loop {
        match party.connect(to, "new.example") {
            Ok(stream) => break stream,
            Err(error) => assert!(begun.elapsed() < 2 * PATIENCE, "{error}"),
        }
        std::thread::sleep(Duration::from_millis(200));
    };
    let new = fresh.sock.local_addr().unwrap();
    is_answered(&mut fresh, new, to, "new");
    is_answered(&mut old, at, to, "after");
}

#[test]
fn sips_is_served_by_tls_and_refused_where_a_hop_has_none() {
    let Connected { _authority, house: _house, pbx: _pbx, to: _, mut phone, at } = a_phone_by_tls();
    let text = request("REGISTER", "sips:pbx.example", "TLS", at, "one");
    phone.write_all(text.as_bytes()).unwrap();
    let refused = read_head(&mut phone);
    assert!(refused.starts_with("SIP/2.0 480"), "{refused}");
    assert!(line(&refused, "Warning:").contains("SIPS Not Allowed"), "{refused}");
}

#[test]
fn versions_before_1_2_are_refused_and_1_2_and_1_3_are_spoken() {
    let authority = Authority::new();
    let house = Running::with(with_tls(&authority, &["sip:127.0.0.1:9".to_owned()]));
    let to = house.at(LOCAL, Side::Phones, Transport::Tls);
    let Some(spoken) = handshakes(to) else { return };
    assert_eq!(spoken, [("-tls1_1", false), ("-tls1_2", true), ("-tls1_3", true)]);
}
