//! One end of a dialog: the From or To value that stands for it, and its tag.

use serde::{Deserialize, Serialize};
use sip_msg::NameAddr;

/// A From or To value with its tag kept apart, so that both can be compared and written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Party {
    value: Box<str>,
    tag: Option<Box<str>>,
}

impl Party {
    /// Reads a From or To value.
    pub fn read(value: &str) -> Party {
        let (value, tag) = split_tag(value);
        Party { value: value.into(), tag: tag.map(Into::into) }
    }

    /// The tag, once there is one.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// Gives it a tag, or another one.
    pub fn set_tag(&mut self, tag: &str) {
        self.tag = Some(tag.into());
    }

    /// The value without the tag.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// The value with the tag, as it goes into From or To.
    pub fn text(&self) -> String {
        match &self.tag {
            Some(tag) => format!("{};tag={tag}", self.value),
            None => self.value.to_string(),
        }
    }

    /// The value with this tag in place of its own: for one fork of many.
    pub fn text_with_tag(&self, tag: Option<&str>) -> String {
        match tag {
            Some(tag) => format!("{};tag={tag}", self.value),
            None => self.value.to_string(),
        }
    }

    /// The URI in it; empty if it cannot be read.
    pub fn uri(&self) -> &str {
        NameAddr::read(&self.value).map_or("", |address| address.uri())
    }
}

/// Takes the `tag` parameter out of a value; everything else keeps its place.
fn split_tag(value: &str) -> (String, Option<&str>) {
    let start = value.rfind('>').map_or(0, |at| at + 1);
    let mut kept = value[..start].to_string();
    let mut tag = None;
    for (i, part) in value[start..].split(';').enumerate() {
        let trimmed = part.trim();
        if let Some((name, text)) = trimmed.split_once('=')
            && name.trim().eq_ignore_ascii_case("tag")
            && tag.is_none()
        {
            tag = Some(text.trim());
            continue;
        }
        if i > 0 {
            kept.push(';');
        }
        kept.push_str(part);
    }
    (kept.trim_end().to_string(), tag)
}

#[cfg(test)]
mod tests {
    use super::Party;

    #[test]
    fn the_tag_is_taken_out_and_everything_else_stays() {
        let party = Party::read("\"James; tag=no\" <sip:103@pbx.example;x=1>;tag=p103;y=2");
        assert_eq!(party.tag(), Some("p103"));
        assert_eq!(party.value(), "\"James; tag=no\" <sip:103@pbx.example;x=1>;y=2");
        let bare = Party::read("sip:103@pbx.example;tag=a");
        assert_eq!(bare.text(), "sip:103@pbx.example;tag=a");
        assert_eq!(bare.value(), "sip:103@pbx.example");
    }
}
