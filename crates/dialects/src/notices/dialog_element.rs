//! One parked call as a `dialog` element (RFC 4235 §4.1).

use std::fmt::Write;

use sip_msg::SipUri;

use crate::notices::dialog_info::{DialogStyle, ParkedDialog};
use crate::notices::number::is_number_to_dial;
use crate::notices::xml::{ascii_only, xml_text};

/// How names and text are written in the document that an element is for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Spelling {
    /// The prefix of dialog-info's names with its colon: `dlg:`, or nothing.
    pub prefix: String,
    /// Whether the document may not be in UTF-8, so that other letters must be written as numbers.
    pub ascii: bool,
}

impl Spelling {
    fn text(&self, text: &str) -> String {
        let text = xml_text(text);
        if self.ascii { ascii_only(&text) } else { text }
    }
}

pub(crate) fn parked_element(
    out: &mut String,
    spelling: &Spelling,
    style: &DialogStyle,
    dialog: &ParkedDialog,
) {
    let p = &spelling.prefix;
    let text = |text: &str| spelling.text(text);
    let local = text(&dialog.local_uri);
    let (display, parkee) = if style.names_parkee {
        (display(spelling, dialog.parkee_name.as_deref()), text(&dialog.parkee_uri))
    } else {
        (display(spelling, Some("Anonymous")), "sip:anonymous@anonymous.invalid".to_owned())
    };
    // Writing to a String cannot fail.
    let _ = write!(
        out,
        "  <{p}dialog id=\"{id}\" call-id=\"{call_id}\" local-tag=\"{local_tag}\" \
         remote-tag=\"{remote_tag}\" direction=\"recipient\">\r\n\
         \x20   <{p}state>{state}</{p}state>\r\n\
         \x20   <{p}local>\r\n\
         \x20     <{p}identity display=\"Park {place}\">{local}</{p}identity>\r\n\
         \x20     <{p}target uri=\"{local}\"><{p}param pname=\"+sip.rendering\" pvalue=\"no\"/></{p}target>\r\n\
         \x20   </{p}local>\r\n\
         \x20   <{p}remote>\r\n\
         \x20     <{p}identity{display}>{parkee}</{p}identity>\r\n\
         \x20     <{p}target uri=\"{target}\"/>\r\n\
         \x20   </{p}remote>\r\n",
        id = text(&dialog.id),
        call_id = text(&dialog.call_id),
        local_tag = text(&dialog.local_tag),
        remote_tag = text(&dialog.remote_tag),
        state = style.lamp.word(),
        place = text(&user_of(&dialog.local_uri)),
        target = text(&dialog.target),
    );
    if style.callpark {
        // The schema has extensions last. Phones look for exactly this prefix, so it is declared
        // here whatever the document around it declares.
        let phone = if style.names_parkee { phone_parameter(&dialog.parkee_uri) } else { "" };
        let _ = write!(
            out,
            "    <bw:callpark xmlns:bw=\"http://schema.broadsoft.com/callpark\">\r\n\
             \x20     <bw:parked>\r\n\
             \x20       <{p}identity{display}>{parkee}{phone}</{p}identity>\r\n\
             \x20     </bw:parked>\r\n\
             \x20   </bw:callpark>\r\n",
        );
    }
    let _ = write!(out, "  </{p}dialog>\r\n");
}

/// A call that is parked no more.
pub(crate) fn ended_element(out: &mut String, spelling: &Spelling, id: &str) {
    let (p, id) = (&spelling.prefix, spelling.text(id));
    let _ = write!(
        out,
        "  <{p}dialog id=\"{id}\">\r\n    <{p}state>terminated</{p}state>\r\n  </{p}dialog>\r\n"
    );
}

fn display(spelling: &Spelling, name: Option<&str>) -> String {
    name.filter(|name| !name.is_empty())
        .map_or_else(String::new, |name| format!(" display=\"{}\"", spelling.text(name)))
}

fn user_of(uri: &str) -> String {
    SipUri::read(uri).map_or_else(|| uri.to_owned(), |uri| uri.user_decoded().into_owned())
}

/// `;user=phone` where the URI has a number and does not say so itself.
fn phone_parameter(uri: &str) -> &'static str {
    let is_number = SipUri::read(uri)
        .is_some_and(|uri| uri.param("user").is_none() && is_number_to_dial(&uri.user_decoded()));
    if is_number { ";user=phone" } else { "" }
}
