//! A message in a few words: `REFER *68105`, `200 to INVITE`, `NOTIFY park-info: a call is parked`.

use sip_msg::{Message, Name, NameAddr, SipUri};

/// The message in a few words.
pub(super) fn gist(message: &Message) -> String {
    let method = message.cseq().1;
    if !message.is_request() {
        return format!("{} to {method}", message.status());
    }
    match method {
        "REGISTER" => register(message),
        "INVITE" if message.to_tag().is_none() => invite(message),
        "INVITE" => "INVITE within the call".to_owned(),
        "REFER" => match message.get(Name::ReferTo).and_then(NameAddr::read) {
            Some(to) => format!("REFER to {}", user(to.uri())),
            None => "REFER".to_owned(),
        },
        "NOTIFY" => notify(message),
        _ => method.to_owned(),
    }
}

fn register(message: &Message) -> String {
    let leaves = message.expires() == Some(0);
    let verb = if leaves { "REGISTER, to leave" } else { "REGISTER" };
    match message.get(Name::Authorization) {
        Some(_) => format!("{verb}, with credentials"),
        None => verb.to_owned(),
    }
}

fn invite(message: &Message) -> String {
    let called = user(message.to().uri());
    match message.from().display() {
        Some(name) => format!("INVITE {called} from \"{name}\""),
        None => format!("INVITE {called}"),
    }
}

fn notify(message: &Message) -> String {
    let event = message.get(Name::Event).and_then(|e| e.split(';').next()).unwrap_or_default();
    let body = message.body();
    let body = std::str::from_utf8(&body).unwrap_or_default();
    match event.trim() {
        "refer" => format!("NOTIFY {}", body.lines().next().unwrap_or_default()),
        "park-info" if body.contains("<parked>") => "NOTIFY park-info: a call is parked".to_owned(),
        "park-info" => "NOTIFY park-info: nothing is parked".to_owned(),
        other => format!("NOTIFY {other}"),
    }
}

/// The user part of a URI, as it is dialled.
fn user(uri: &str) -> String {
    SipUri::read(uri).map_or_else(|| uri.to_owned(), |uri| uri.user_decoded().into_owned())
}

#[cfg(test)]
mod tests {
    use super::gist;
    use sip_msg::Message;

    fn gist_of(start: &str, lines: &str, body: &str) -> String {
        let text = format!(
            "{start}\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n\
             From: \"James\" <sip:103@pbx.example>;tag=a\r\nCall-ID: x\r\n{lines}\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        gist(&Message::read(text.into()).unwrap())
    }

    #[test]
    fn a_transfer_names_the_number_and_a_call_names_both_parties() {
        let refer = gist_of(
            "REFER sip:1@192.0.2.2 SIP/2.0",
            "To: <sip:105@pbx.example>;tag=b\r\nCSeq: 2 REFER\r\n\
             Refer-To: <sip:%2A68105@pbx.example>\r\n",
            "",
        );
        assert_eq!(refer, "REFER to *68105");
        let invite = gist_of(
            "INVITE sip:105@pbx.example SIP/2.0",
            "To: <sip:105@pbx.example>\r\nCSeq: 2 INVITE\r\n",
            "",
        );
        assert_eq!(invite, "INVITE 105 from \"James\"");
    }

    #[test]
    fn an_answer_names_what_it_answers_and_a_notice_what_it_says() {
        let answer = gist_of(
            "SIP/2.0 202 Accepted",
            "To: <sip:105@pbx.example>;tag=b\r\nCSeq: 2 REFER\r\n",
            "",
        );
        assert_eq!(answer, "202 to REFER");
        let notice = gist_of(
            "NOTIFY sip:105@192.0.2.2 SIP/2.0",
            "To: <sip:105@pbx.example>\r\nCSeq: 2 NOTIFY\r\nEvent: park-info\r\n",
            "<parked>",
        );
        assert_eq!(notice, "NOTIFY park-info: a call is parked");
    }
}
