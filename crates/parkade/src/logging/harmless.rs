//! Lines of the log into which nobody outside can write what is no text: no line of their own, no order to a terminal, no
//! change of direction. What would be one is seen as an escape.

use std::fmt;
use std::io;

use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::{DefaultFields, FormatFields, Writer};
use tracing_subscriber::fmt::writer::MakeWriter;

use crate::hostile::{harmless_json, is_hostile};

/// The fields of a line of text, the message among them.
#[derive(Debug)]
pub(super) struct HarmlessFields;

impl<'w> FormatFields<'w> for HarmlessFields {
    fn format_fields<R: RecordFields>(&self, mut writer: Writer<'w>, fields: R) -> fmt::Result {
        DefaultFields::new().format_fields(Writer::new(&mut Escaped(&mut writer)), fields)
    }
}

struct Escaped<W>(W);

impl<W: fmt::Write> fmt::Write for Escaped<W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for part in text.split_inclusive(is_hostile) {
            match part.chars().next_back().filter(|last| is_hostile(*last)) {
                Some(last) => {
                    self.0.write_str(&part[..part.len() - last.len_utf8()])?;
                    write!(self.0, "{}", last.escape_default())?;
                }
                None => self.0.write_str(part)?,
            }
        }
        Ok(())
    }
}

/// Where lines of JSON go: one at a time, each with its end. Its strings have C0 escaped already.
#[derive(Debug)]
pub(super) struct HarmlessJson<W>(pub(super) W);

impl<'w, W: MakeWriter<'w>> MakeWriter<'w> for HarmlessJson<W> {
    type Writer = JsonLine<W::Writer>;

    fn make_writer(&'w self) -> Self::Writer {
        JsonLine(self.0.make_writer())
    }
}

/// One line of JSON on its way.
#[derive(Debug)]
pub(super) struct JsonLine<W>(W);

impl<W: io::Write> io::Write for JsonLine<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let line = harmless_json(&String::from_utf8_lossy(bytes));
        self.0.write_all(line.as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
