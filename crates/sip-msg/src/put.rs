//! How text gets into a draft: whatever it holds, it cannot end a line or add a word.

use std::io::Write;

use crate::name::Name;

/// `Name: value` with its line end.
pub(crate) fn put_line(out: &mut Vec<u8>, name: &str, value: &str) {
    put_value(out, name);
    out.extend_from_slice(b": ");
    put_value(out, value);
    out.extend_from_slice(b"\r\n");
}

/// A value; line ends in it become blanks.
pub(crate) fn put_value(out: &mut Vec<u8>, value: &str) {
    if memchr::memchr2(b'\r', b'\n', value.as_bytes()).is_none() {
        out.extend_from_slice(value.as_bytes());
    } else {
        out.extend(value.bytes().map(|b| if b == b'\r' || b == b'\n' { b' ' } else { b }));
    }
}

/// A word of a start line; blanks and control characters in it are escaped.
pub(crate) fn put_word(out: &mut Vec<u8>, word: &str) {
    if word.bytes().all(|b| b > b' ' && b != 0x7f) {
        out.extend_from_slice(word.as_bytes());
        return;
    }
    for byte in word.bytes() {
        if byte > b' ' && byte != 0x7f {
            out.push(byte);
        } else {
            put_fmt(out, format_args!("%{byte:02X}"));
        }
    }
}

/// `METHOD uri SIP/2.0` with its line end.
pub(crate) fn put_request_line(out: &mut Vec<u8>, method: &str, uri: &str) {
    put_word(out, method);
    out.push(b' ');
    put_word(out, uri);
    out.extend_from_slice(b" SIP/2.0\r\n");
}

/// `SIP/2.0 200 OK` with its line end.
pub(crate) fn put_status_line(out: &mut Vec<u8>, status: u16, reason: &str) {
    out.extend_from_slice(b"SIP/2.0 ");
    put_number(out, usize::from(status));
    out.push(b' ');
    put_value(out, reason);
    out.extend_from_slice(b"\r\n");
}

/// `Content-Length: n` with its line end.
pub(crate) fn put_length(out: &mut Vec<u8>, length: usize) {
    out.extend_from_slice(Name::ContentLength.as_str().as_bytes());
    out.extend_from_slice(b": ");
    put_number(out, length);
    out.extend_from_slice(b"\r\n");
}

/// Decimal digits, without the machinery of formatting.
pub(crate) fn put_number(out: &mut Vec<u8>, mut number: usize) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

pub(crate) fn put_fmt(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    // A write to a Vec cannot fail.
    let _ = out.write_fmt(text);
}
