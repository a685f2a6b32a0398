//! Request methods: case-sensitive tokens (RFC 3261 §7.1).

use std::fmt;
use std::sync::Arc;

macro_rules! methods {
    ($($variant:ident = $text:literal;)*) => {
        /// A request method. A method that is not known here passes through like the others.
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub enum Method {
            $(#[doc = concat!("`", $text, "`")] $variant,)*
            /// Any other, as received.
            Other(Arc<str>),
        }

        impl Method {
            /// The method that `text` says.
            pub fn of(text: &str) -> Method {
                match text {
                    $($text => Method::$variant,)*
                    _ => Method::Other(Arc::from(text)),
                }
            }

            /// As written on the wire.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Method::$variant => $text,)*
                    Method::Other(text) => text,
                }
            }
        }
    };
}

methods! {
    Invite = "INVITE";
    Ack = "ACK";
    Bye = "BYE";
    Cancel = "CANCEL";
    Options = "OPTIONS";
    Register = "REGISTER";
    Subscribe = "SUBSCRIBE";
    Notify = "NOTIFY";
    Refer = "REFER";
    Message = "MESSAGE";
    Info = "INFO";
    Prack = "PRACK";
    Update = "UPDATE";
    Publish = "PUBLISH";
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl PartialEq<str> for Method {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}
