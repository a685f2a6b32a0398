//! Who is registered, and who has subscribed, as an operator sees them.

use serde::{Deserialize, Serialize};

/// A registered Contact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BindingView {
    /// The extension.
    pub extension: String,
    /// Its SIP domain.
    pub domain: String,
    /// Where its phone is: address and port.
    pub at: String,
    /// By which transport: `udp` or `tcp`.
    pub transport: String,
    /// Its Contact URI, as the phone gave it.
    pub contact: String,
    /// What the phone calls itself; empty: it does not say.
    pub user_agent: String,
    /// What kind of phone it is taken for.
    pub profile: String,
    /// Seconds until it expires.
    pub expires_in_s: u64,
}

/// What a subscription watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Watches {
    /// A slot.
    Slot,
    /// All slots of a lot.
    Lot,
    /// All that is parked for an extension.
    Line,
    /// An extension's calls, which are the PBX's; what is parked there is woven in.
    Extension,
}

/// A phone's subscription to what is parked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SubscriptionView {
    /// Whose it is: an extension, or the address of a device that has not registered.
    pub who: String,
    /// The SIP domain of what is watched.
    pub domain: String,
    /// Where its notices go: address and port.
    pub at: String,
    /// The event package: `dialog` or `call-info`.
    pub event: String,
    /// What is watched.
    pub watches: Watches,
    /// Its number; of a lot its name.
    pub what: String,
    /// Seconds until it runs out.
    pub expires_in_s: u64,
}
