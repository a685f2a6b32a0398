//! The checks that a message passes once, at the door, so that nobody inside asks again.

use crate::head::Head;
use crate::name::Name;
use crate::name_addr::NameAddr;
use crate::span::Span;
use crate::start::{Fault, Start};
use crate::text::{find_blank, is_token, number, trim};
use crate::values::Values;
use crate::via::Via;

/// What the checks found on their way and everybody wants to know again.
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) start: Start,
    pub(crate) from: Span,
    pub(crate) to: Span,
    pub(crate) from_tag: Option<Span>,
    pub(crate) to_tag: Option<Span>,
    pub(crate) call_id: Span,
    pub(crate) via: Span,
    pub(crate) cseq: u32,
    pub(crate) cseq_method: Span,
    /// Length of the body in bytes.
    pub(crate) body: usize,
}

// CSeq numbers are below 2^31 (RFC 3261 §8.1.1.5).
const MAX_CSEQ: u64 = 0x7fff_ffff;

/// Checks a head with everything that RFC 3261 makes mandatory.
pub(crate) fn check(head: &Head) -> Result<Checked, Fault> {
    if let Some(why) = head.fault {
        return Err((why, 400));
    }
    let start = Start::read(head.start.of_text(&head.text))?;
    let only = only_values(head)?;
    let via = check_vias(head)?;
    let from = only.from.ok_or(("no From", 400))?;
    let to = only.to.ok_or(("no To", 400))?;
    let call_id = only.call_id.ok_or(("no Call-ID", 400))?;
    let cseq = only.cseq.ok_or(("no CSeq", 400))?;
    let from_tag = tag(head, from).ok_or(("bad From", 400))?;
    let to_tag = tag(head, to).ok_or(("bad To", 400))?;
    let id = call_id.of_text(&head.text);
    if id.is_empty() || find_blank(id).is_some() {
        return Err(("bad Call-ID", 400));
    }
    let (cseq, cseq_method) = check_cseq(head, cseq)?;
    if let Start::Request { method, .. } = &start {
        if method.as_str() != cseq_method.of_text(&head.text) {
            return Err(("CSeq names another method", 400));
        }
        if let Some(hops) = only.max_forwards
            && number(hops.of_text(&head.text)).is_none_or(|n| n > 255)
        {
            return Err(("bad Max-Forwards", 400));
        }
    }
    let body = check_length(head, only.length)?;
    Ok(Checked { start, from, to, from_tag, to_tag, call_id, via, cseq, cseq_method, body })
}

// The first line of each name that may stand only once; a second one has to say the same.
#[derive(Default)]
struct Only {
    from: Option<Span>,
    to: Option<Span>,
    call_id: Option<Span>,
    cseq: Option<Span>,
    max_forwards: Option<Span>,
    length: Option<Span>,
}

fn only_values(head: &Head) -> Result<Only, Fault> {
    let mut only = Only::default();
    for line in &head.lines {
        let (place, why) = match line.name {
            Name::From => (&mut only.from, "more than one From"),
            Name::To => (&mut only.to, "more than one To"),
            Name::CallId => (&mut only.call_id, "more than one Call-ID"),
            Name::CSeq => (&mut only.cseq, "more than one CSeq"),
            Name::MaxForwards => (&mut only.max_forwards, "more than one Max-Forwards"),
            Name::ContentLength => (&mut only.length, "more than one Content-Length"),
            _ => continue,
        };
        match place {
            None => *place = Some(line.value),
            Some(first) if first.of_text(&head.text) == head.value(line) => {}
            Some(_) => return Err((why, 400)),
        }
    }
    Ok(only)
}

fn check_vias(head: &Head) -> Result<Span, Fault> {
    let mut top = None;
    for line in head.all(Name::Via) {
        for value in Values::of(line) {
            if Via::read(value).is_none() {
                return Err(("bad Via", 400));
            }
            top = top.or(Some(Span::of(&head.text, value)));
        }
    }
    top.ok_or(("no Via", 400))
}

// Outer none: no address. Inner none: no tag.
fn tag(head: &Head, value: Span) -> Option<Option<Span>> {
    let read = NameAddr::read(value.of_text(&head.text)).filter(|address| !address.is_star())?;
    Some(read.tag().map(|tag| Span::of(&head.text, tag)))
}

fn check_cseq(head: &Head, value: Span) -> Result<(u32, Span), Fault> {
    let text = value.of_text(&head.text);
    let gap = find_blank(text).ok_or(("bad CSeq", 400))?;
    let (digits, method) = (&text[..gap], trim(&text[gap..]));
    let digits_only = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    match digits.parse::<u64>() {
        Ok(n @ 0..=MAX_CSEQ) if digits_only && is_token(method) => {
            Ok((n as u32, Span::of(&head.text, method)))
        }
        _ => Err(("bad CSeq", 400)),
    }
}

fn check_length(head: &Head, value: Option<Span>) -> Result<usize, Fault> {
    let there = head.bytes.len() - head.body;
    let Some(value) = value else {
        return Ok(there);
    };
    let said = number(value.of_text(&head.text)).ok_or(("bad Content-Length", 400))?;
    let said = usize::try_from(said).unwrap_or(usize::MAX);
    if said > there { Err(("body shorter than Content-Length", 400)) } else { Ok(said) }
}
