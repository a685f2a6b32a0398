//! The little that is read of a message before it is let in: what is asked, of whom, and with what tool.

/// What a message asks, as far as strangers are limited by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Register,
    Invite,
    Subscribe,
    /// All other requests, responses, keep-alives, and what is no SIP.
    Other,
}

/// The first look at a message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Glance<'b> {
    pub(super) class: Class,
    /// The Request-URI, if it is a request.
    pub(super) uri: Option<&'b str>,
    bytes: &'b [u8],
}

impl<'b> Glance<'b> {
    pub(super) fn at(bytes: &'b [u8]) -> Glance<'b> {
        let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let mut words = line.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
        let method = words.next().unwrap_or_default();
        let class = match method {
            b"REGISTER" => Class::Register,
            b"INVITE" => Class::Invite,
            b"SUBSCRIBE" => Class::Subscribe,
            _ => Class::Other,
        };
        let is_request = !method.starts_with(b"SIP/");
        let uri = words.next().filter(|_| is_request && words.next().is_some());
        Glance { class, uri: uri.and_then(|uri| std::str::from_utf8(uri).ok()), bytes }
    }

    /// Whether there are more lines before the body than `most`. Counted only where they would fit.
    pub(super) fn has_more_lines_than(&self, most: usize) -> bool {
        // The shortest header line has four bytes and its end.
        if self.bytes.len() / 5 <= most {
            return false;
        }
        self.lines().take_while(|line| !line.is_empty()).nth(most).is_some()
    }

    /// The User-Agent in small letters, cut where no honest one is longer.
    pub(super) fn user_agent(&self) -> Option<String> {
        const NAME: &[u8] = b"user-agent";
        const LONGEST: usize = 200;
        let mut lines = self.lines().take_while(|line| !line.is_empty());
        let value = lines.find_map(|line| {
            let (name, value) = line.split_at_checked(NAME.len())?;
            let value = name.eq_ignore_ascii_case(NAME).then(|| value.trim_ascii_start())?;
            value.strip_prefix(b":")
        })?;
        let value = &value[..value.len().min(LONGEST)];
        Some(String::from_utf8_lossy(value).to_ascii_lowercase())
    }

    fn lines(&self) -> impl Iterator<Item = &'b [u8]> {
        self.bytes.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_known_by_its_first_line_and_its_tool() {
        let text =
            b"INVITE sip:105@192.0.2.1 SIP/2.0\r\nVia: x\r\nuser-AGENT : Friendly-Scanner\r\n\r\n";
        let glance = Glance::at(text);
        assert_eq!(glance.class, Class::Invite);
        assert_eq!(glance.uri, Some("sip:105@192.0.2.1"));
        assert_eq!(glance.user_agent().as_deref(), Some(" friendly-scanner"));
    }

    #[test]
    fn responses_keep_alives_and_noise_ask_nothing_of_anybody() {
        for bytes in
            [&b"SIP/2.0 200 OK\r\n\r\n"[..], b"\r\n\r\n", b"", b"\xff\xfe\n\n", b"INVITE", b"   "]
        {
            let glance = Glance::at(bytes);
            assert_eq!((glance.uri, glance.user_agent()), (None, None));
            assert!(!glance.has_more_lines_than(0) || bytes.len() > 4);
        }
    }

    #[test]
    fn a_body_is_searched_for_no_tool_and_its_lines_do_not_count() {
        let mut text = b"MESSAGE sip:a@b SIP/2.0\r\nVia: x\r\n\r\nUser-Agent: sipcli\r\n".to_vec();
        text.extend([b'\n'; 4_000]);
        let glance = Glance::at(&text);
        assert_eq!(glance.user_agent(), None);
        assert!(!glance.has_more_lines_than(2));
        assert!(glance.has_more_lines_than(1));
    }
}
